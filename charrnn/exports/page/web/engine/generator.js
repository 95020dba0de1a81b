/* NumPy's default random numbers: PCG64 (O'Neill 2014), seeded by a SeedSequence.
 *
 * So a random seed gives the same samples as `charrnn sample --random-seed` with the same weights.
 */

const MASK32 = 0xffffffffn, MASK64 = (1n << 64n) - 1n, MASK128 = (1n << 128n) - 1n;
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;

/** Return `count` 32-bit words, seeded by a list of numbers (BigInt). */
function seedWords(numbers, count) {
  const entropy = numbers.flatMap((number) => {
    const words = [];
    do {
      words.push(Number(number & MASK32));
      number >>= 32n;
    } while (number);
    return words;
  });
  let constant = 0x43b0d7e5;
  const hash = (value, multiplier) => {
    value ^= constant;
    constant = Math.imul(constant, multiplier);
    value = Math.imul(value, constant);
    return (value ^ (value >>> 16)) >>> 0;
  };
  const mix = (x, y) => {
    const value = Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y);
    return (value ^ (value >>> 16)) >>> 0;
  };
  const pool = [0, 1, 2, 3].map((place) => hash(entropy[place] ?? 0, 0x931e8875));
  for (let from = 0; from < Math.max(4, entropy.length); from++) {
    for (let to = 0; to < 4; to++) {
      if (from === to) continue;
      pool[to] = mix(pool[to], hash(from < 4 ? pool[from] : entropy[from], 0x931e8875));
    }
  }
  constant = 0x8b51f9dd;
  return Array.from({ length: count }, (_, place) => hash(pool[place % 4], 0x58f38ded));
}

class Generator {
  constructor(...numbers) {
    const words = seedWords(numbers, 8).map(BigInt);
    const [a, b, c, d] = [0, 2, 4, 6].map((place) => words[place] | (words[place + 1] << 32n));
    this.increment = ((((c << 64n) | d) << 1n) | 1n) & MASK128;
    this.state = 0n;
    this.next();
    this.state = (this.state + ((a << 64n) | b)) & MASK128;
    this.next();
  }

  /** Return the next 64 bits. */
  next() {
    this.state = (this.state * MULTIPLIER + this.increment) & MASK128;
    const value = (this.state >> 64n) ^ (this.state & MASK64), turn = this.state >> 122n;
    return ((value >> turn) | (value << (64n - turn))) & MASK64;
  }

  /** Return the next number in [0, 1). */
  random() {
    return Number(this.next() >> 11n) / 2 ** 53;
  }
}
