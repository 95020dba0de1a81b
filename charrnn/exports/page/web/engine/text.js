/* Text to ids and back. */

const ATTACHES = /^[\p{M}\u1160-\u11ff\u{16d40}-\u{16d7f}]/u;

/** Whether a text may be split before a character without changing any normal form. */
function startsAnew(character) {
  return character < "\u0300" || !ATTACHES.test(character.normalize("NFKD"));
}

/** Return the characters of a text, each with all that attaches to it. */
function piecesOf(text) {
  const pieces = [];
  for (const character of text) {
    if (pieces.length && !startsAnew(character)) pieces[pieces.length - 1] += character;
    else pieces.push(character);
  }
  return pieces;
}

const MOST_SYMBOLS = 16;
const SECOND = { 0xe0: [0xa0, 0xbf], 0xed: [0x80, 0x9f], 0xf0: [0x90, 0xbf], 0xf4: [0x80, 0x8f] };

/** Counts UTF-8 characters, and invalid bytes as a decoder replaces them with U+FFFD. */
class ByteCounter {
  begun = 0;
  left = 0;
  range = [0x80, 0xbf];
  most = MOST_SYMBOLS;

  get complete() {
    return this.left === 0;
  }

  add(code) {
    if (this.left && code >= this.range[0] && code <= this.range[1]) {
      this.left--;
      this.range = [0x80, 0xbf];
      return;
    }
    this.begun++;
    const leads = code >= 0xc2 && code <= 0xf4;
    this.left = leads ? 1 + (code >= 0xe0) + (code >= 0xf0) : 0;
    this.range = SECOND[code] ?? [0x80, 0xbf];
  }
}

class Vocabulary {
  constructor({ symbols, unit, normalize, has_unknown }) {
    this.symbols = Array.from(symbols, (symbol) => symbol.codePointAt(0));
    this.ids = new Map(this.symbols.map((code, id) => [code, id]));
    this.size = this.symbols.length + (has_unknown ? 1 : 0);
    this.form = normalize === "none" ? null : normalize.toUpperCase();
    Object.assign(this, { unit, hasUnknown: has_unknown });
  }

  normalized(text) {
    return this.form ? text.normalize(this.form) : text;
  }

  /** Return a text in the form in which it is shown. */
  composed(text) {
    return this.form === "NFD" ? text.normalize("NFC") : text;
  }

  /** Return the ids of a text; -1 for unknown symbols, unless an id stands for them. */
  encode(text) {
    const codes = this.unit === "byte"
      ? Array.from(new TextEncoder().encode(text))
      : Array.from(this.normalized(text), (character) => character.codePointAt(0));
    const others = this.hasUnknown ? this.symbols.length : -1;
    return codes.map((code) => this.ids.get(code) ?? others);
  }

  /** Return the form of a text, composed or not, in which every character is known, or else the text itself. */
  fitting(text) {
    const ends = ["\n", "\r\n", "\r"].map((end) => text.replaceAll("\n", end));
    const forms = [...ends, ...["NFC", "NFD"].map((form) => text.normalize(form))];
    return forms.find((form) => !this.encode(form).includes(-1)) ?? text;
  }

  /** Return the ids of a seed; if it is empty, of a newline or the first symbol. */
  seed(text) {
    const ids = this.encode(this.fitting(text)).filter((id) => id >= 0);
    return ids.length ? ids : [this.ids.get(10) ?? 0];
  }

  /** Return a seed as it is shown before what is drawn: its known characters, of which the last one
   *  is held where what is drawn may complete it; and those that are left out. */
  shownSeed(text) {
    const isKnown = (piece) => !this.encode(piece).includes(-1);
    const pieces = piecesOf(this.fitting(text)), known = pieces.filter(isKnown);
    const held = this.form === "NFD" ? known.pop() ?? "" : "";
    const leftOut = pieces.filter((piece) => !isKnown(piece)).join("");
    return { lead: this.composed(known.join("")), held, leftOut };
  }

  /** Return what counts the characters that people see, symbol by symbol: `begun`, of which the last
   *  one is `complete` or may go on; a character has `most` symbols. */
  counter() {
    if (this.unit === "byte") return new ByteCounter();
    if (this.form !== "NFD") return { begun: 0, complete: true, most: 1, add() { this.begun++; } };
    return {
      begun: 0, complete: false, most: MOST_SYMBOLS,
      add(code) { this.begun += startsAnew(String.fromCodePoint(code)) ? 1 : 0; },
    };
  }

  /** Return a decoder of ids that arrive one by one; it holds back incomplete characters. */
  decoder(held = "") {
    if (this.unit === "byte") {
      const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
      return {
        write: (id) => utf8.decode(Uint8Array.of(this.symbols[id]), { stream: true }),
        end: () => utf8.decode(),
      };
    }
    if (this.form !== "NFD") {
      return { write: (id) => String.fromCodePoint(this.symbols[id]), end: () => "" };
    }
    const take = (next) => {
      const done = held.normalize("NFC");
      held = next;
      return done;
    };
    return {
      write: (id) => {
        const character = String.fromCodePoint(this.symbols[id]);
        if (startsAnew(character)) return take(character);
        held += character;
        return "";
      },
      end: () => take(""),
    };
  }
}
