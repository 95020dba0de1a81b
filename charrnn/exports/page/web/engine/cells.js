/* The recurrent cells, one step at a time, as in charrnn/nn/cells.
 *
 * D input features, H hidden units, G gates. W (G*H, D + 1 + R) is [Wx b Wh]: weights of the input,
 * the bias, and weights of the state. A cell's `step(x, state)` changes the state in place and
 * returns the output h (H).
 */

const sigmoid = (x) => Math.tanh(x / 2) / 2 + 0.5;
const zeros = (size) => new Float32Array(size);

class Recurrent {
  constructor(tensors, name, D, oneHot, architecture, gates) {
    const { values: W, shape } = tensors[`${name}.W`];
    this.H = architecture.hidden_size;
    this.Wx = new Matrix(W, shape, 0, D, oneHot);
    this.b = new Matrix(W, shape, D, 1).values;
    this.z = zeros(gates * this.H);
    if (!architecture.context) this.Wh = new Matrix(W, shape, D + 1, this.H);
  }
}

/** h[t] = tanh(Wx x[t] + b + Wh h[t-1]), or with ReLU. */
class TimeRNN extends Recurrent {
  constructor(tensors, name, D, oneHot, architecture) {
    super(tensors, name, D, oneHot, architecture, 1);
    this.squash = architecture.nonlinearity === "relu" ? (a) => Math.max(a, 0) : Math.tanh;
  }

  zero() {
    return { h: zeros(this.H) };
  }

  step(x, { h }) {
    const { z, H } = this;
    z.set(this.b);
    addProduct(z, this.Wx, x);
    addProduct(z, this.Wh, h);
    for (let i = 0; i < H; i++) h[i] = this.squash(z[i]);
    return h;
  }
}

/** [o; i; f] = sigmoid(Wx x[t] + b + Wh h[t-1])     (rows 0 to 3H)
 *  g    = tanh(Wx x[t] + b + Wh h[t-1])             (rows 3H to 4H)
 *  c[t] = i * g + f * c[t-1]
 *  h[t] = o * tanh(c[t])
 */
class TimeLSTM extends Recurrent {
  constructor(tensors, name, D, oneHot, architecture) {
    super(tensors, name, D, oneHot, architecture, 4);
  }

  zero() {
    return { h: zeros(this.H), c: zeros(this.H) };
  }

  step(x, { h, c }) {
    const { z, H } = this;
    z.set(this.b);
    addProduct(z, this.Wx, x);
    addProduct(z, this.Wh, h);
    for (let k = 0; k < H; k++) {
      const o = sigmoid(z[k]), i = sigmoid(z[H + k]), f = sigmoid(z[2 * H + k]);
      const g = Math.tanh(z[3 * H + k]);
      c[k] = i * g + f * c[k];
      h[k] = o * Math.tanh(c[k]);
    }
    return h;
  }
}

/** [r; u] = sigmoid(Wx x[t] + b + Wh h[t-1])        (rows 0 to 2H)
 *  nh   = Wh h[t-1] + b_n                           (rows 2H to 3H)
 *  n    = tanh(Wx x[t] + b + r * nh)                (rows 2H to 3H)
 *  h[t] = n + u * (h[t-1] - n)
 */
class TimeGRU extends Recurrent {
  constructor(tensors, name, D, oneHot, architecture) {
    super(tensors, name, D, oneHot, architecture, 3);
    this.b_n = tensors[`${name}.b_n`].values;
    this.zh = zeros(3 * this.H); // Wh h[t-1], with b_n in its last rows
  }

  zero() {
    return { h: zeros(this.H) };
  }

  step(x, { h }) {
    const { z, zh, H } = this;
    z.set(this.b);
    addProduct(z, this.Wx, x);
    zh.fill(0);
    zh.set(this.b_n, 2 * H);
    addProduct(zh, this.Wh, h);
    for (let k = 0; k < H; k++) {
      const r = sigmoid(z[k] + zh[k]), u = sigmoid(z[H + k] + zh[H + k]);
      const n = Math.tanh(z[2 * H + k] + r * zh[2 * H + k]);
      h[k] = n + u * (h[k] - n);
    }
    return h;
  }
}

/** h[t] = tanh(sum over k = 0 ... C-1 of W_k x[t-k] + b), with W = [W_0 b W_{C-1} ... W_1].
 *  The state is the last C - 1 inputs, the newest first.
 */
class TimeWindow extends Recurrent {
  constructor(tensors, name, D, oneHot, architecture) {
    super(tensors, name, D, oneHot, architecture, 1);
    const C = architecture.context;
    const W = tensors[`${name}.W`];
    this.before = Array.from({ length: C - 1 }, (_, k) => this.weights(W, D, C, k + 1, oneHot));
  }

  /** Return W_k. */
  weights({ values, shape }, D, C, k, oneHot) {
    return new Matrix(values, shape, D + 1 + (C - 1 - k) * D, D, oneHot);
  }

  zero() {
    return { past: [] };
  }

  step(x, { past }) {
    const { z } = this;
    z.set(this.b);
    addProduct(z, this.Wx, x);
    past.forEach((earlier, k) => addProduct(z, this.before[k], earlier));
    past.unshift(typeof x === "number" ? x : x.slice());
    if (past.length > this.before.length) past.pop();
    return z.map(Math.tanh);
  }
}

/** h[t] = tanh(W (sum over k = 0 ... C-1 of x[t-k]) + b). */
class TimeBag extends TimeWindow {
  weights() {
    return this.Wx;
  }
}

const CELLS = { rnn: TimeRNN, lstm: TimeLSTM, gru: TimeGRU, window: TimeWindow, bag: TimeBag };
