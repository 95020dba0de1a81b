/* Language models: scoring typed text, and sampling. */

const LIKELIEST = 8, SNAPSHOT_EVERY = 16, SLICE = 25; // symbols shown, symbols, milliseconds

/** Return a function that says whether a slice of time is over. */
function slices() {
  let began = performance.now();
  return {
    get over() {
      return performance.now() - began > SLICE;
    },
    /** Yield, so that messages are received. */
    async pause() {
      await new Promise((resolve) => setTimeout(resolve, 0));
      began = performance.now();
    },
  };
}

/** Scores and samples one text, or items that each start from a zero state after `prompt`. */
class Writer {
  constructor(network, vocabulary, { end, border }) {
    Object.assign(this, { network, vocabulary });
    this.end = end === undefined ? -1 : vocabulary.ids.get(end);
    this.border = border === undefined ? "" : String.fromCodePoint(border);
    this.read = null;
  }

  /** Return the state and the logits before the first symbol of a text, and the ids left out. */
  begin(prompt, seed) {
    const { vocabulary, network } = this, state = network.zeroState();
    let ids = vocabulary.seed(seed);
    if (this.end >= 0) {
      const before = vocabulary.encode(vocabulary.fitting(prompt + (prompt && this.border)));
      const after = vocabulary.encode(vocabulary.fitting(seed));
      ids = [this.end, ...before, ...after].filter((id) => id >= 0);
    }
    let logits;
    for (const id of ids) logits = network.step(id, state);
    return { state, logits };
  }

  /** Return the characters of a text with what each costs in nats; and the likeliest symbols,
   *  `[id, probability]`, of the character behind the caret or, at the end, of the next one. */
  heat(text, prompt, caret) {
    const { vocabulary } = this, cells = [], ids = [];
    for (const piece of piecesOf(vocabulary.fitting(text))) {
      const own = vocabulary.encode(piece);
      const unknown = own.includes(-1);
      cells.push({ text: vocabulary.composed(piece), first: ids.length, symbols: own.length, unknown });
      if (!unknown) ids.push(...own);
    }
    const places = this.follow(ids, prompt);
    for (const cell of cells) {
      const stop = cell.unknown ? cell.first : cell.first + cell.symbols;
      cell.nats = 0;
      for (let at = cell.first; at < stop; at++) cell.nats += places[at].nats;
    }
    const place = piecesOf(vocabulary.fitting(text.slice(0, caret))).length;
    const { likeliest } = places[cells[place]?.first ?? ids.length];
    return { cells, symbols: ids.length, place, likeliest };
  }

  /** Return what the network says at each place of some ids; what was read before is not read again. */
  follow(ids, prompt) {
    if (this.read?.prompt !== prompt) {
      const begun = this.begin(prompt, "");
      this.read = { prompt, ids: [], places: [], snapshots: [begun] };
    }
    const { places, snapshots, ids: old } = this.read;
    let same = 0;
    while (same < ids.length && ids[same] === old[same]) same++;
    const from = Math.floor(same / SNAPSHOT_EVERY);
    snapshots.length = Math.min(snapshots.length, from + 1);
    let at = (snapshots.length - 1) * SNAPSHOT_EVERY;
    let { state, logits } = copyOf(snapshots.at(-1));
    places.length = Math.min(places.length, at);
    for (; ; at++) {
      if (at % SNAPSHOT_EVERY === 0 && at / SNAPSHOT_EVERY === snapshots.length) {
        snapshots.push(copyOf({ state, logits }));
      }
      const shares = softmax(logits);
      const likeliest = likeliestRows(shares, LIKELIEST).map((id) => [id, shares[id]]);
      places.push({ likeliest, nats: at < ids.length ? -Math.log(shares[ids[at]]) : 0 });
      if (at === ids.length) break;
      if (ids[at] === this.end) ({ state, logits } = copyOf(snapshots[0]));
      else logits = this.network.step(ids[at], state);
    }
    this.read.ids = ids.slice();
    return places;
  }

  /** Draw a text of so many characters, or an item up to its end, as number `number` of a random seed;
   *  `write(text, count)` gets what is drawn in each slice of time, and says whether to go on. */
  async draw({ seed, prompt, rules, length, randomSeed }, number, write, slice = slices()) {
    const { vocabulary, network } = this;
    const { state, logits: first } = this.begin(prompt, seed);
    let logits = first;
    const generator = new Generator(BigInt(randomSeed), BigInt(number));
    const decoder = vocabulary.decoder(vocabulary.shownSeed(seed).held);
    if (this.end >= 0 && !seed) logits[this.end] = -Infinity; // no empty items
    const counter = vocabulary.counter();
    let text = "", count = 0;
    for (let left = length * counter.most; left > 0; left--) {
      const id = draw(logits, generator.random(), rules);
      count++;
      counter.add(vocabulary.symbols[id]);
      if (id === this.end || counter.begun > length) break;
      text += decoder.write(id);
      if (counter.begun === length && counter.complete) break;
      logits = network.step(id, state);
      if (slice.over) {
        if (!write(text, count)) return false;
        await slice.pause();
        [text, count] = ["", 0];
      }
    }
    return write(text + decoder.end(), count);
  }
}
