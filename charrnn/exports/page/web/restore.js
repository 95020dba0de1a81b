/* Models that restore text: shows the restored text while typing. */

const typed = byId("typed"), restored = byId("restored");
growing(typed);
const [what, without] = {
  spaces: ["spaces", "without spaces"], case: ["capitals", "without capitals"],
  marks: ["punctuation", "without punctuation"], accents: ["accents", "without accents"],
}[model.predict];
byId("verb").textContent = `Restore ${what}`;
typed.labels[0].firstChild.textContent = `Type a text ${without}; existing ones are replaced`;

const ask = asker("restore", () => ({ text: typed.value }), ({ lines }) => {
  const parts = lines.flatMap((line, number) => [
    ...(number ? ["\n"] : []),
    ...line.map(([before, after]) => (before === after ? before : element("mark", after))),
  ]);
  restored.replaceChildren(...parts);
  restored.normalize();
  byId("copy").disabled = !restored.textContent;
});

byId("copy").hidden = !navigator.clipboard; // absent on a page loaded over plain HTTP
byId("copy").addEventListener("click", () => navigator.clipboard.writeText(restored.textContent));
typed.addEventListener("input", ask);
handlers.ready = ask;
