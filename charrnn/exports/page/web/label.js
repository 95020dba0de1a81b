/* Models that label text: shows all labels while typing. */

const SHOWN = 12; // labels

const typed = byId("typed");
growing(typed);

const ask = asker("label",
  () => ({ text: typed.value.replaceAll("\n", " ") }),
  ({ rows }) => {
    const some = rows.slice(0, SHOWN).map(([row, share]) => bar(visibleLine(model.labels[row]), share));
    byId("answer").textContent = rows.length ? visibleLine(model.labels[rows[0][0]]) : "";
    byId("bars").replaceChildren(...some);
    for (const made of some) made.disabled = true;
  });

typed.addEventListener("input", ask);
handlers.ready = ask;
