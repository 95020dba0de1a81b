/* Shared by all pages: the worker that computes, and the display of untrusted text. */

const byId = (id) => document.getElementById(id);
const model = JSON.parse(byId("model").textContent);

/** Return a new element with a text. */
function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

/** Return a text with visible characters: control characters and directional marks are named. */
function visible(text) {
  const names = { " ": "\u2423", "\n": "\u21b5", "\t": "\u21e5" };
  return Array.from(text, (character) => {
    if (names[character]) return names[character];
    const code = character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    if (/[\p{C}\p{Z}]/u.test(character)) return `U+${code}`;
    return /\p{M}/u.test(character) ? `\u25cc${character}` : character;
  }).join("");
}

/** The same with unchanged spaces, for names. */
const visibleLine = (text) => text.split(" ").map(visible).join(" ");

function percent(share) {
  if (share > 0 && share < 0.0005) return "<0.1 %";
  return share >= 1 ? "100 %" : `${Math.min(100 * share, 99.9).toFixed(1)} %`;
}

/** Return a bar: a name, a length, a percentage. */
function bar(name, share) {
  const made = element("button", "", "bar");
  made.type = "button";
  made.style.setProperty("--share", share);
  made.append(element("bdi", name), element("i"), element("span", percent(share)));
  return made;
}

const worker = new Worker(
  URL.createObjectURL(new Blob([byId("engine").textContent], { type: "text/javascript" })));
const handlers = {};
worker.onmessage = ({ data }) => handlers[data.kind](data);
worker.onerror = ({ message }) => {
  byId("problem").textContent = `The model cannot run here: ${message}`;
  byId("problem").hidden = false;
};

/** Return a function that sends the request `question()`. While an answer is pending only the newest
 *  request is kept, so that typing never gets further ahead of the model. */
function asker(kind, question, answer) {
  let waiting = false, again = false;
  const ask = () => {
    again = waiting;
    if (!waiting) worker.postMessage({ kind, ...question() });
    waiting = true;
  };
  handlers[kind] = (data) => {
    waiting = false;
    answer(data);
    if (again) ask();
  };
  return ask;
}

/** Fit the height of a text field to its text. */
function growing(field) {
  const grow = () => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + 2}px`;
  };
  field.addEventListener("input", grow);
  return grow;
}

byId("title").textContent = visibleLine(model.title);
const source = model.facts["Trained on"];
byId("summary").textContent = model.facts.Network + (source ? `, trained on ${source}` : "");
for (const [name, value] of Object.entries(model.facts)) {
  byId("facts").append(element("dt", name), element("dd", value));
}

worker.postMessage({ kind: "load", model, weights: byId("weights").textContent });
byId("weights").remove();
