/* Models that tag tokens: shows the tags of each line while typing. */

const typed = byId("typed");
growing(typed);
const kindOf = (label) => label.replace(/^[BI]-/, "");
const kinds = [...new Set(model.labels.filter((label) => label !== "O").map(kindOf))];

/** Group tokens: an entity, or a run without tags. */
function groupsOf(tokens) {
  const groups = [];
  for (const [text, row, share] of tokens) {
    const label = model.labels[row], group = groups.at(-1);
    const goesOn = group && kindOf(label) === group.kind && (label === "O" || label.startsWith("I-"));
    if (goesOn) group.tokens.push({ text, label, share });
    else groups.push({ kind: kindOf(label), tokens: [{ text, label, share }] });
  }
  return groups;
}

function chip({ kind, tokens }) {
  const made = element("span", "", "token");
  const text = tokens.map((token) => token.text).join(model.spaced ? " " : "");
  made.append(element("bdi", visibleLine(text)));
  if (kind === "O") return made;
  made.title = tokens.map(({ label, share }) => `${visibleLine(label)} ${percent(share)}`).join(", ");
  made.style.setProperty("--hue", Math.round((360 * kinds.indexOf(kind)) / kinds.length));
  made.classList.add("tagged");
  made.append(element("small", visibleLine(kind)));
  return made;
}

const ask = asker("tags", () => ({ text: typed.value }), ({ lines }) => {
  byId("tagged").replaceChildren(...lines.map((tokens) => {
    const line = element("p", "", model.spaced ? "spaced" : "");
    line.append(...groupsOf(tokens).map(chip));
    return line;
  }));
});

typed.addEventListener("input", ask);
handlers.ready = ask;
