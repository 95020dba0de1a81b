/* Models that tag: the tokens of each line with their tags, as one types. */

const typed = byId("typed");
growing(typed);
const kinds = [...new Set(model.labels.filter((label) => label !== "O").map((label) => label.replace(/^[BI]-/, "")))];

function tokenOf([text, row, share]) {
  const label = model.labels[row], token = element("span", "", "token");
  token.append(element("bdi", visibleLine(text)));
  token.title = `${visibleLine(label)}: ${percent(share)}`;
  if (label !== "O") {
    const kind = kinds.indexOf(label.replace(/^[BI]-/, ""));
    token.style.setProperty("--hue", Math.round((360 * kind) / kinds.length));
    token.classList.add("tagged");
    token.append(element("small", visibleLine(label)));
  }
  return token;
}

const ask = asker("tags", () => ({ text: typed.value }), ({ lines }) => {
  byId("tagged").replaceChildren(...lines.map((tokens) => {
    const line = element("p", "", model.spaced ? "" : "tight");
    line.append(...tokens.map(tokenOf));
    return line;
  }));
});

typed.addEventListener("input", ask);
handlers.ready = ask;
