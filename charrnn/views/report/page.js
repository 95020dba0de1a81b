"use strict";
// Text from a model or a file is data: it is only ever set as textContent.
const data = JSON.parse(document.getElementById("data").textContent);
document.documentElement.classList.add("js");

function element(tag, kind, text) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
}

function named(text) {
  return { " ": "space", "\\n": "newline", "\\t": "tab", "": "end" }[text] ?? text;
}

function percent(share) {
  const value = 100 * share;
  if (value >= 100) return "100\u00a0%";
  const digits = value >= 9.95 ? Math.min(value, 99.9).toFixed(1) : value.toPrecision(2);
  return digits + "\u00a0%";
}

function bars(title, guesses, came) {
  const box = element("div");
  box.append(element("p", "what", title));
  const list = element("ul", "bars");
  for (const [text, share] of guesses) {
    const row = element("li", text === came ? "came" : "");
    const bar = element("span", "bar"), filled = element("i");
    filled.style.width = 100 * share + "%";
    bar.append(filled);
    row.append(element("kbd", "", named(text)), bar, element("span", "share", percent(share)));
    list.append(row);
  }
  box.append(list);
  return box;
}

for (const look of document.querySelectorAll("[data-passage]")) {
  const letters = data.passages[look.dataset.passage];
  const text = look.querySelector(".text"), panel = look.querySelector(".panel");
  const spans = [...text.children];
  spans.forEach((span, number) => { span.number = number; });
  let here = -1;

  function show(number) {
    if (number === here || number < 0 || number >= spans.length) return;
    if (here >= 0) spans[here].classList.remove("here");
    here = number;
    spans[here].classList.add("here");
    const [character, nats, expected] = letters[here];
    const head = element("p");
    head.append(element("kbd", "", named(character)));
    head.append(nats === null ? " was only read" :
      ` cost ${nats.toFixed(2)} nats: probability ${percent(Math.exp(-nats))}`);
    const lists = element("div", "lists");
    expected.forEach((guesses, part) => {
      const which = expected.length > 1 ? `, symbol ${part + 1} of ${expected.length}` : "";
      lists.append(bars("expected here" + which, guesses, character));
    });
    const next = letters[here + 1];
    if (next && next[2].length) lists.append(bars("expected next", next[2][0], next[0]));
    panel.replaceChildren(head, lists);
  }

  function besides(step) {  // the nearest character on the line above or below
    const from = spans[here].getBoundingClientRect();
    let best = here, least = Infinity;
    for (let n = here + step; n >= 0 && n < spans.length; n += step) {
      const to = spans[n].getClientRects()[0];
      if (!to || Math.abs(to.top - from.top) < from.height / 2) continue;
      if (Math.abs(to.top - from.top) > 3 * from.height) break;
      const away = Math.abs(to.left - from.left) + 1e4 * Math.round(Math.abs(to.top - from.top) / from.height / 1.6);
      if (away < least) { least = away; best = n; }
    }
    return best;
  }

  text.addEventListener("pointerover", (event) => {
    if (event.target.number !== undefined) show(event.target.number);
  });
  text.addEventListener("click", (event) => {
    if (event.target.number !== undefined) show(event.target.number);
  });
  text.addEventListener("focus", () => { if (here < 0) show(0); });
  text.addEventListener("keydown", (event) => {
    const to = {
      ArrowRight: () => here + 1, ArrowLeft: () => here - 1, ArrowDown: () => besides(1),
      ArrowUp: () => besides(-1), Home: () => 0, End: () => spans.length - 1,
    }[event.key];
    if (!to || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    show(to());
    spans[here].scrollIntoView({ block: "nearest" });
  });
}

for (const flip of document.querySelectorAll("[data-samples]")) {
  const pages = data.samples[flip.dataset.samples], slider = flip.querySelector("input");
  if (!slider) continue;
  const [back, on] = flip.querySelectorAll("button");

  function turn(number) {
    slider.value = Math.max(0, Math.min(pages.length - 1, number));
    const [step, text] = pages[slider.value];
    flip.querySelector("figcaption").textContent = step;
    flip.querySelector("pre").textContent = text;
    slider.setAttribute("aria-valuetext", step);
    back.disabled = +slider.value === 0;
    on.disabled = +slider.value === pages.length - 1;
  }

  slider.addEventListener("input", () => turn(+slider.value));
  back.addEventListener("click", () => turn(+slider.value - 1));
  on.addEventListener("click", () => turn(+slider.value + 1));
  turn(pages.length - 1);
}
