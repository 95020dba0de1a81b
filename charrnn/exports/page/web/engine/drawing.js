/* From logits (V) to a symbol, as in charrnn/sampling/drawing.py. */

function argmax(values) {
  let best = 0;
  for (let row = 1; row < values.length; row++) if (values[row] > values[best]) best = row;
  return best;
}

/** Return the probabilities of logits. */
function softmax(logits) {
  const largest = logits[argmax(logits)];
  const odds = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = odds.reduce((total, value) => total + value, 0);
  return odds.map((value) => value / sum);
}

/** Exclude all but the k most likely rows. */
function topK(logits, k) {
  if (k >= logits.length) return;
  const smallest = logits.slice().sort()[logits.length - k];
  logits.forEach((logit, row) => { if (logit < smallest) logits[row] = -Infinity; });
}

/** Exclude rows less than p times as likely as the most likely one (Nguyen et al. 2024). */
function minP(logits, p) {
  const least = logits[argmax(logits)] + Math.log(p);
  logits.forEach((logit, row) => { if (logit < least) logits[row] = -Infinity; });
}

/** Exclude all but the most likely rows with total probability p (Holtzman et al. 2020).
 *  The row that crosses p stays. */
function topP(logits, p) {
  const shares = softmax(logits);
  let before = 0;
  for (const row of rankedRows(logits)) {
    if (before >= p) logits[row] = -Infinity;
    before += shares[row];
  }
}

/** Return the rows from the largest value to the smallest. */
function rankedRows(values) {
  return Array.from(values, (_, row) => row).sort((a, b) => values[b] - values[a] || a - b);
}

/** Return the k rows with the largest values, the largest first. */
function likeliestRows(values, k) {
  const rows = [];
  for (let row = 0; row < values.length; row++) {
    if (rows.length === k && values[row] <= values[rows[k - 1]]) continue;
    let place = rows.length === k ? k - 1 : rows.length;
    for (; place > 0 && values[rows[place - 1]] < values[row]; place--) rows[place] = rows[place - 1];
    rows[place] = row;
  }
  return rows;
}

/** Return a symbol for a number in [0, 1), by the inverse of the distribution. The logits change:
 *  they are divided by the temperature before top-k, min-p and top-p apply, in this order. */
function draw(logits, uniform, { temperature, k, p, least }) {
  if (temperature === 0) return argmax(logits);
  if (temperature !== 1) {
    const largest = logits[argmax(logits)];
    for (let row = 0; row < logits.length; row++) {
      logits[row] = Math.fround(logits[row] - largest) / Math.fround(temperature);
    }
  }
  if (k) topK(logits, k);
  if (least) minP(logits, least);
  if (p < 1) topP(logits, p);
  const largest = logits[argmax(logits)];
  let sum = 0;
  const steps = Float64Array.from(logits, (logit) => (sum += Math.exp(logit - largest)));
  return steps.reduce((row, step) => row + (step <= uniform * sum), 0);
}
