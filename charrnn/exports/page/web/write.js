/* Language models: generate text, and show typed text as a heat map. */

const FULL = 6; // nats at which a character has the warmest colour
const UNIT = model.unit === "byte" ? "byte" : model.normalize === "nfd" ? "symbol" : "character";
const symbols = Array.from(model.symbols);
const isItems = model.end !== null;
const end = isItems ? String.fromCodePoint(model.end) : null;

const nameOf = (id) => {
  if (symbols[id] === end) return "end";
  if (model.unit === "byte" && symbols[id] > "~") {
    return `0x${symbols[id].codePointAt(0).toString(16).toUpperCase()}`;
  }
  return visible(symbols[id]);
};

// Write

const drawn = byId("drawn"), start = byId("start");
let running = false, lead = "", items = [];

/** Return the number in a field, within the range of the field. */
function number(id) {
  const { value, min, max } = byId(id);
  return Math.min(Number(max), Math.max(Number(min), Number(value)));
}

function write() {
  if (!byId("random-seed").checkValidity()) byId("random-seed").value = "1";
  running = true;
  start.textContent = "Stop";
  worker.postMessage({
    kind: "draw",
    seed: byId("seed").value,
    prompt: byId("prompt").value,
    rules: {
      temperature: number("temperature"), p: number("top-p"), k: number("top-k"), least: number("min-p"),
    },
    length: Math.floor(number("length")),
    samples: isItems ? Math.floor(number("samples")) : 1,
    randomSeed: byId("random-seed").value || "1",
  });
}

handlers.begun = (begun) => {
  ({ lead } = begun);
  items = [];
  drawn.replaceChildren();
  const { leftOut } = begun;
  byId("left-out").textContent = leftOut && `Left out, unknown to the model: ${visible(leftOut)}`;
};

/** Append sampled text to the seed, which is grey. */
handlers.drawn = ({ number: item, text, total, seconds }) => {
  if (items.length === item) {
    items.push(element("div", "", isItems ? "item" : ""));
    items[item].append(element("span", lead, "quiet"));
    drawn.append(items[item]);
  }
  items[item].append(text);
  const speed = Math.round(total / Math.max(seconds, 0.001));
  const [count, rate] = [total, speed].map((value) => value.toLocaleString("en"));
  byId("speed").textContent = `${count} ${UNIT}s, ${rate} per second`;
};

handlers.done = () => {
  running = false;
  start.textContent = "Write";
};

start.addEventListener("click", () => (running ? worker.postMessage({ kind: "stop" }) : write()));
byId("another").addEventListener("click", () => {
  byId("random-seed").value = String(crypto.getRandomValues(new Uint32Array(1))[0]);
  write();
});

// Read

const typed = byId("typed"), heat = byId("heat");
const growTyped = growing(typed);
let shownText = null;

function cellOf({ text, nats, symbols: count, unknown }) {
  const cell = element("span", text.replace("\n", "\u21b5\n").replace(/^\p{M}/u, "\u25cc$&"));
  cell.style.setProperty("--heat", Math.min(1, nats / FULL));
  if (unknown) cell.className = "unknown";
  const parts = count > 1 ? `, in ${count} ${UNIT}s` : "";
  cell.title = unknown
    ? `${visible(text)}: unknown to the model, which does not read it`
    : `${visible(text)}: ${percent(Math.exp(-nats))}, ${(nats / Math.LN2).toFixed(2)} bits${parts}`;
  return cell;
}

const askHeat = asker("heat",
  () => ({ text: typed.value, prompt: byId("prompt").value, caret: typed.selectionEnd }),
  ({ text, cells, symbols: count, place, likeliest }) => {
    if (text !== shownText) {
      heat.replaceChildren(...cells.map(cellOf));
      heat.hidden = !cells.length;
      const bits = cells.reduce((sum, cell) => sum + cell.nats, 0) / Math.LN2;
      const unknown = cells.filter((cell) => cell.unknown).length;
      const symbolsRead = `${count.toLocaleString("en")} ${UNIT}${count > 1 ? "s" : ""}`;
      const left = unknown ? `, and ${unknown} unknown` : "";
      byId("cost").textContent = !count ? "" : `${symbolsRead}, ${(bits / count).toFixed(2)} bits each${left}`;
      shownText = text;
    }
    heat.querySelector(".here")?.classList.remove("here");
    heat.children[place]?.classList.add("here");
    const here = cells[place];
    byId("place").textContent = here
      ? `Instead of ${visible(here.text)}, which has ${percent(here.unknown ? 0 : Math.exp(-here.nats))}`
      : `Next ${UNIT}`;
    byId("bars").replaceChildren(...likeliest.map(([id, share]) => {
      const made = bar(nameOf(id), share);
      made.addEventListener("click", () => take(symbols[id]));
      made.disabled = Boolean(here) || symbols[id] === end || model.unit === "byte" && symbols[id] > "~";
      return made;
    }));
  });

/** Append a symbol to the typed text. */
function take(symbol) {
  const text = typed.value + symbol;
  typed.value = model.normalize === "nfd" ? text.normalize("NFC") : text;
  typed.selectionStart = typed.selectionEnd = typed.value.length;
  growTyped();
  askHeat();
}

typed.addEventListener("input", askHeat);
document.addEventListener("selectionchange", () => { if (document.activeElement === typed) askHeat(); });
byId("prompt").addEventListener("input", askHeat);

heat.addEventListener("click", ({ target }) => {
  const place = Array.from(heat.children).indexOf(target);
  if (place < 0) return;
  const before = Array.from(heat.children).slice(0, place).map((cell) => cell.textContent);
  const caret = before.join("").replaceAll(/[\u21b5\u25cc]/g, "").length;
  typed.focus();
  typed.setSelectionRange(caret, caret);
  askHeat();
});

byId("look").addEventListener("click", () => {
  typed.value = items.map((item) => item.textContent).join(end).slice(0, typed.maxLength);
  typed.setSelectionRange(0, 0);
  growTyped();
  askHeat();
  typed.scrollIntoView({ block: "center" });
});

for (const slider of document.querySelectorAll("input[type=range]")) {
  const shown = document.querySelector(`output[for=${slider.id}]`);
  const show = () => {
    shown.textContent = slider.value === "0" && slider.id !== "temperature" ? "off" : slider.value;
  };
  slider.addEventListener("input", show);
  show();
}
growing(byId("seed"));
if (isItems) {
  byId("samples-field").hidden = false;
  byId("length").value = "200";
  byId("length").parentElement.firstChild.textContent = "Longest ";
}
if (model.border !== null) {
  byId("prompt-field").hidden = false;
  byId("prompt").value = model.prompts[0] ?? "";
  byId("prompts").append(...model.prompts.map((prompt) => {
    const option = document.createElement("option");
    option.value = prompt;
    return option;
  }));
}

handlers.ready = () => {
  for (const id of ["start", "another", "look"]) byId(id).disabled = false;
  write();
  askHeat();
};
