/* Matrix-vector products, which take nearly all of the time.
 *
 * A column x is a Float32Array, or a number: the row that is 1 in a one-hot column.
 */

/** Some columns of a weight matrix. For one-hot input, which selects a column, columns are contiguous. */
class Matrix {
  constructor(W, [rows, width], first, columns, oneHot = false) {
    Object.assign(this, { rows, columns, oneHot });
    this.values = new Float32Array(rows * columns);
    for (let r = 0; r < rows; r++) {
      for (let k = 0; k < columns; k++) {
        const place = oneHot ? k * rows + r : r * columns + k;
        this.values[place] = W[r * width + first + k];
      }
    }
  }
}

/** z = z + A x, for the rows of A from `first` up to `stop`. */
function addProduct(z, A, x, first = 0, stop = A.rows) {
  if (A.oneHot) {
    const column = x * A.rows;
    for (let r = first; r < stop; r++) z[r] += A.values[column + r];
    return;
  }
  const { values, columns } = A;
  let r = first;
  for (; r + 3 < stop; r += 4) { // four rows per pass over x
    const i = r * columns, j = i + columns, m = j + columns, n = m + columns;
    let a = 0, b = 0, c = 0, d = 0;
    for (let k = 0; k < columns; k++) {
      const xk = x[k];
      a += values[i + k] * xk;
      b += values[j + k] * xk;
      c += values[m + k] * xk;
      d += values[n + k] * xk;
    }
    z[r] += a;
    z[r + 1] += b;
    z[r + 2] += c;
    z[r + 3] += d;
  }
  for (; r < stop; r++) {
    let a = 0;
    for (let k = 0, i = r * columns; k < columns; k++) a += values[i + k] * x[k];
    z[r] += a;
  }
}
