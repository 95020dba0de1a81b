/* Answers requests of the page in a worker, so that the page stays responsive. */

let model, network, vocabulary, writer;
let drawing = 0; // the number of the current sample

const say = (message) => postMessage(message);

const ANSWERS = {
  load({ model: description, weights }) {
    model = description;
    vocabulary = new Vocabulary(model);
    network = new CharModel(tensorsOf(model.weights, weights), model.architecture, vocabulary.size);
    writer = new Writer(network, vocabulary, model);
    say({ kind: "ready" });
  },

  heat({ text, prompt, caret }) {
    say({ kind: "heat", text, ...writer.heat(text, prompt, caret) });
  },

  async draw(asked) {
    const mine = ++drawing, began = performance.now(), slice = slices();
    const { lead, leftOut } = vocabulary.shownSeed(asked.seed);
    say({ kind: "begun", lead, leftOut });
    let total = 0;
    for (let number = 0; number < asked.samples; number++) {
      const goesOn = await writer.draw(asked, number, (text, count) => {
        total += count;
        const seconds = (performance.now() - began) / 1000;
        if (mine === drawing) say({ kind: "drawn", number, text, total, seconds });
        return mine === drawing;
      }, slice);
      if (!goesOn) return;
    }
    say({ kind: "done" });
  },

  stop() {
    drawing++;
    say({ kind: "done" });
  },

  label({ text }) {
    if (!text) return say({ kind: "label", rows: [] });
    const [scores] = labelScores(network, vocabulary.encode(text), model);
    const rows = rankedRows(scores).map((row) => [row, Math.exp(scores[row])]);
    return say({ kind: "label", rows });
  },

  /** Tag the tokens of each line. */
  tags({ text }) {
    const lines = text.split("\n").map((line) => {
      const normal = vocabulary.normalized(line);
      const tokens = model.spaced ? normal.split(WHITE).filter((token) => token) : Array.from(normal);
      if (!tokens.length) return [];
      const scores = labelScores(network, vocabulary.encode(tokens.join(model.spaced ? " " : "")), model);
      let end = -1;
      const ends = tokens.map((token) => (end += lengthOf(token) + (model.spaced && end >= 0 ? 1 : 0)));
      const own = ends.map((place) => scores[place]);
      return likeliestTags(own, model.labels).map((row, at) => [tokens[at], row, Math.exp(own[at][row])]);
    });
    say({ kind: "tags", lines });
  },

  /** Restore each line: characters with their restored text. */
  restore({ text }) {
    const restorer = RESTORERS[model.predict];
    const lines = text.split("\n").map((line) => {
      const { bare } = restorer.remove(vocabulary.normalized(line));
      if (!bare.length) return [];
      const scores = labelScores(network, vocabulary.encode(bare.join("")), model);
      return bare.map((character, at) => {
        const label = model.labels[argmax(scores[at])];
        return [character, restorer.putBack(character, label, at + 1 === bare.length)];
      });
    });
    say({ kind: "restore", lines });
  },
};

onmessage = ({ data }) => ANSWERS[data.kind](data);
