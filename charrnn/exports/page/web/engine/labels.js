/* Models that label a text, or each of its symbols. */

const CONTEXT = 64; // symbols of context around a piece of a long text, which are not labelled

/** Return the start and end of each window of a text, and of its labelled part. */
function windowsOf(length, seqLen) {
  if (length <= seqLen) return [{ begin: 0, stop: length, first: 0, last: length }];
  const context = Math.min(CONTEXT, Math.floor(seqLen / 4)), windows = [];
  for (let first = 0, inner = seqLen - 2 * context; first < length; first += inner) {
    const last = Math.min(first + inner, length);
    const begin = Math.max(0, first - context), stop = Math.min(length, last + context);
    windows.push({ begin, stop, first, last });
  }
  return windows;
}

/** Return the log-probabilities of every label: one row for the text, or one per symbol. */
function labelScores(network, ids, { seq_len, architecture, weight }) {
  if (architecture.head === "item") {
    const [logits] = network.read(ids.slice(0, seq_len));
    return [logSoftmax(logSoftmax(logits).map((score) => weight * score))];
  }
  return windowsOf(ids.length, seq_len).flatMap(({ begin, stop, first, last }) =>
    network.read(ids.slice(begin, stop)).slice(first - begin, last - begin).map(logSoftmax));
}

function logSoftmax(logits) {
  const largest = logits[argmax(logits)];
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  return Float64Array.from(logits, (logit) => logit - largest - Math.log(sum));
}

/** Return the most likely well-formed labels of a sentence, by the Viterbi algorithm. In strict IOB2,
 *  where labels mark entities, an I-X only follows a B-X or an I-X. */
function likeliestTags(scores, labels) {
  const marks = labels.filter((label) => label !== "O");
  const entities = marks.some((label) => label.startsWith("B-")) &&
    marks.every((label) => /^[BI]-/.test(label) && label.length > 2);
  if (!entities) return scores.map(argmax);
  const inside = labels.map((label) => label.startsWith("I-"));
  const all = labels.map((_, row) => row);
  const before = labels.map((label, row) => (inside[row]
    ? all.filter((other) => [label, `B-${label.slice(2)}`].includes(labels[other])) : all));
  let best = Array.from(scores[0], (score, row) => (inside[row] ? -Infinity : score));
  const cameFrom = scores.slice(1).map((step) => {
    const from = before.map((rows) => rows.reduce((a, b) => (best[b] > best[a] ? b : a)));
    best = from.map((row, label) => best[row] + step[label]);
    return from;
  });
  const rows = [argmax(best)];
  for (const from of cameFrom.reverse()) rows.unshift(from[rows[0]]);
  return rows;
}
