/* From ids to logits: an encoder, levels of recurrent layers, a head; averaged over ensemble members. */

const copyOf = (state) => structuredClone(state);

/** One network. Weights are `tensors[name]`: { values, shape }. */
class Member {
  constructor(tensors, prefix, architecture, V) {
    const { embedding_size, num_layers, directions, hidden_size, head } = architecture;
    this.E = tensors[`${prefix}encoder.E`]?.values;
    this.embedding = embedding_size;
    this.levels = [];
    let D = embedding_size || V;
    for (let level = 0; level < num_layers; level++) {
      const names = [`${prefix}layers.${level}`, `${prefix}layers.${level}.reverse`];
      const oneHot = level === 0 && !embedding_size;
      this.levels.push(names.slice(0, directions).map(
        (name) => new CELLS[architecture.cell](tensors, name, D, oneHot, architecture)));
      D = hidden_size * directions;
    }
    const { values: W, shape } = tensors[`${prefix}head.W`]; // [b Wy]
    this.b = new Matrix(W, shape, 0, 1).values;
    this.Wy = new Matrix(W, shape, 1, D);
    this.wholeItem = head === "item";
  }

  /** Return the input of the lowest layer: a row of the embedding, or the id of a one-hot column. */
  encoded(id) {
    const size = this.embedding;
    return size ? this.E.subarray(id * size, (id + 1) * size) : id;
  }

  logits(y) {
    const z = this.b.slice();
    addProduct(z, this.Wy, y);
    return z;
  }

  zeroState() {
    return this.levels.map(([layer]) => layer.zero());
  }

  /** Read one symbol in forward direction; update the state, return the logits. */
  step(id, state) {
    let y = this.encoded(id);
    this.levels.forEach(([layer], level) => { y = layer.step(y, state[level]); });
    return this.logits(y);
  }

  /** Read a whole text, in both directions if there are two; return the logits of each symbol, or
   *  of the text, from the final output of each direction. */
  read(ids) {
    let ys = Array.from(ids, (id) => this.encoded(id));
    let ends = [];
    for (const layers of this.levels) {
      const outputs = layers.map((layer, direction) => outputsOf(layer, ys, direction === 1));
      ys = ys.map((_, t) => joined(outputs.map((output) => output[t])));
      ends = outputs.map((output, direction) => output[direction === 1 ? 0 : output.length - 1]);
    }
    return this.wholeItem ? [this.logits(joined(ends))] : ys.map((y) => this.logits(y));
  }
}

function outputsOf(layer, xs, fromTheEnd) {
  const state = layer.zero(), outputs = new Array(xs.length);
  for (let step = 0; step < xs.length; step++) {
    const t = fromTheEnd ? xs.length - 1 - step : step;
    outputs[t] = layer.step(xs[t], state).slice();
  }
  return outputs;
}

function joined(columns) {
  const all = zeros(columns.reduce((size, column) => size + column.length, 0));
  let at = 0;
  for (const column of columns) {
    all.set(column, at);
    at += column.length;
  }
  return all;
}

/** The mean of the logits of its members. */
class CharModel {
  constructor(tensors, architecture, V) {
    const { members } = architecture;
    this.members = Array.from({ length: members }, (_, index) =>
      new Member(tensors, members > 1 ? `members.${index}.` : "", architecture, V));
  }

  zeroState() {
    return this.members.map((member) => member.zeroState());
  }

  step(id, state) {
    return mean(this.members.map((member, index) => member.step(id, state[index])));
  }

  read(ids) {
    const each = this.members.map((member) => member.read(ids));
    return each[0].map((_, t) => mean(each.map((logits) => logits[t])));
  }
}

function mean(columns) {
  if (columns.length === 1) return columns[0];
  const sum = zeros(columns[0].length);
  for (const column of columns) column.forEach((value, row) => { sum[row] += value; });
  return sum.map((value) => value / columns.length);
}

/** Return the tensors of all weights, from little-endian float16 numbers in base64. */
function tensorsOf(shapes, base64) {
  const bytes = atob(base64), table = float16Table();
  const tensors = {};
  let at = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const values = zeros(shape.reduce((size, length) => size * length, 1));
    for (let i = 0; i < values.length; i++, at += 2) {
      values[i] = table[bytes.charCodeAt(at) | (bytes.charCodeAt(at + 1) << 8)];
    }
    tensors[name] = { values, shape };
  }
  return tensors;
}

/** Return the values of all 65,536 patterns of 16 bits: sign, 5 bits exponent, 10 bits. */
function float16Table() {
  return Float32Array.from({ length: 1 << 16 }, (_, bits) => {
    const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
  });
}
