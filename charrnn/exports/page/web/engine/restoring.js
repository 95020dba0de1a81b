/* What can be removed from plain text and restored, as in charrnn/data/labels/restoring.py.
 *
 * `remove(text)` returns the remaining characters and their labels; `putBack(character, label)`
 * returns the restored text of a character.
 */

const WHITE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u;
const MARKS = ".,;:!?\u2026\u3002\u3001\uff0c\uff0e\uff1b\uff1a\uff01\uff1f\uff61\uff64" +
  "\u060c\u061b\u061f\u06d4";
const RUNS = new RegExp(`[${MARKS}]+`, "g");
const MOST_MARKS = 3, MOST_ACCENTS = 4;
const SCRIPTS = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}]/u;
const STROKE = "\u0338", DOTLESS = "\u0131";

/** Letters that Unicode does not decompose: base, label, letter. */
const OWN = [
  ["d", STROKE, "\u0111"], ["D", STROKE, "\u0110"], ["l", STROKE, "\u0142"], ["L", STROKE, "\u0141"],
  ["o", STROKE, "\u00f8"], ["O", STROKE, "\u00d8"], ["i", DOTLESS, "\u0131"],
];

const lengthOf = (text) => Array.from(text).length;

function small(character) {
  const lower = character.toLowerCase();
  return lengthOf(lower) === 1 && lower.toUpperCase() === character ? lower : character;
}

/** Return the first code point of a character's canonical form (NFD), and the others. */
function decomposed(character) {
  const [first, ...others] = character.normalize("NFD");
  const own = OWN.find(([, , letter]) => letter === first);
  return own ? [own[0], own[1] + others.join("")] : [first, others.join("")];
}

/** Return a base with its label as one code point, or the base alone if there is none. */
function putTogether(base, label) {
  if (!SCRIPTS.test(base)) return base;
  const [mark] = label, own = OWN.find(([letter, stroke]) => letter === base && stroke === mark);
  const composed = (own ? own[2] + label.slice(1) : base + label).normalize("NFC");
  const [first, others] = decomposed(composed);
  return lengthOf(composed) === 1 && first === base && others === label ? composed : base;
}

const RESTORERS = {
  spaces: {
    remove(text) {
      const words = text.split(WHITE).filter((word) => word).map((word) => Array.from(word));
      const labels = words.flatMap((word) => word.map((_, place) => (place + 1 < word.length ? "" : " ")));
      if (labels.length) labels[labels.length - 1] = "";
      return { bare: words.flat(), labels };
    },
    putBack: (character, label, last) => (label === " " && !last ? `${character} ` : character),
  },
  case: {
    remove(text) {
      const bare = Array.from(text, small);
      return { bare, labels: Array.from(text, (character, at) => (character === bare[at] ? "L" : "U")) };
    },
    putBack(character, label) {
      const capital = character.toUpperCase();
      return label === "U" && small(capital) === character ? capital : character;
    },
  },
  marks: {
    remove(text) {
      const bare = [], labels = [];
      let start = 0;
      const keepUpTo = (stop) => {
        for (const character of text.slice(start, stop)) {
          bare.push(character);
          labels.push("");
        }
      };
      for (const { index, 0: run } of text.matchAll(RUNS)) {
        if (index === 0 || run.length > MOST_MARKS) continue;
        keepUpTo(index);
        labels[labels.length - 1] = run;
        start = index + run.length;
      }
      keepUpTo(text.length);
      return { bare, labels };
    },
    putBack: (character, label) =>
      (label.length <= MOST_MARKS && Array.from(label).every((mark) => MARKS.includes(mark))
        ? character + label : character),
  },
  accents: {
    remove(text) {
      const pairs = Array.from(text.normalize("NFC"), (character) => {
        const [base, label] = decomposed(character);
        return label && putTogether(base, label) === character ? [base, label] : [character, ""];
      });
      return { bare: pairs.map(([base]) => base), labels: pairs.map(([, label]) => label) };
    },
    putBack: (character, label) =>
      (label && lengthOf(label) <= MOST_ACCENTS ? putTogether(character, label) : character),
  },
};
