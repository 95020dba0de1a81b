"""How many typos are among the lines that ``charrnn score --top`` shows first.

    charrnn train tinyshakespeare.txt --minutes 2
    python -m tests.bench.typos [--model RUN]

Of the lines that a run has held out, 2,000 are drawn, or all where there are fewer. In 20 of them a
word of five letters or more gets a typo: two letters that stand side by side change places, or one
is another. What is measured is the share of these 20 among the top 40, over five seeds, for the
network and for the Kneser-Ney n-gram that `eval --baselines` compares it with, which learned from
the same part and reads the same lines, by the same measures. The n-gram sees the end of the line
before as context.
"""

import argparse
import random
import re
import string
from collections.abc import Iterator, Sequence

import numpy as np

from charrnn.evaluation.lines.corrections import Corrector
from charrnn.evaluation.lines.models import Figures
from charrnn.evaluation.lines.scoring import RowScorer
from charrnn.evaluation.lines.strangest import Strangest
from charrnn.evaluation.ngrams import choose_context, kneser_ney_probabilities
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.folder import open_model
from charrnn.storage.own_text import find_own_text
from charrnn.system.machine import available_cores
from charrnn.text.codes import to_codes, to_text

LINES, TYPOS, TOP, SEEDS = 2000, 20, 40, 5
WORD = re.compile(r"[^\W\d_]{5,}")
Nats = Sequence[np.ndarray]


class Row:
    """What a measure asks of a row."""

    def __init__(self, line: str, nats: np.ndarray) -> None:
        self.codes, self.nats = to_codes(line + "\n"), nats
        self.prompt, self.known = self.codes[:0], np.ones(len(self.codes), np.bool_)


def with_typo(line: str, rng: random.Random) -> str:
    """Return a line with one transposition or substitution in a word of five letters or more."""
    match = rng.choice([*WORD.finditer(line)])
    while True:
        word, place = list(match.group()), rng.randrange(len(match.group()) - 1)
        if rng.random() < 0.5:
            word[place], word[place + 1] = word[place + 1], word[place]
        else:
            letter = rng.choice(string.ascii_lowercase)
            word[place] = letter.upper() if word[place].isupper() else letter
        if "".join(word) != match.group():
            return line[: match.start()] + "".join(word) + line[match.end() :]


def spoilt(lines: Sequence[str], seed: int) -> tuple[list[str], set[int]]:
    """Return lines, some with a typo, and which."""
    rng = random.Random(seed)
    chosen = rng.sample(lines, min(LINES, len(lines)))
    places = rng.sample([n for n, line in enumerate(chosen) if WORD.search(line)], TYPOS)
    for place in places:
        chosen[place] = with_typo(chosen[place], rng)
    return chosen, set(places)


def of_network(checkpoint: Checkpoint, lines: Sequence[str], *, counts: bool = False) -> Nats:
    """Return the nats of each symbol of each line, mixed with counts or not."""
    rows = [checkpoint.vocabulary.text_to_codes(line) for line in lines]
    model = checkpoint.with_counts(checkpoint.model()) if counts else None
    with RowScorer(checkpoint, model, threads=available_cores()) as scorer:
        return [row.nats for row in scorer.score(rows)]


def of_ngram(train: np.ndarray, context: int, checkpoint: Checkpoint, lines: Sequence[str]) -> Nats:
    """Return the same of the n-gram."""
    ids = checkpoint.vocabulary.encode_text("".join(f"\n{line}" for line in lines) + "\n")
    size = len(checkpoint.vocabulary)
    *_, found = kneser_ney_probabilities(train, ids, size, max_context=context)
    ends = np.cumsum([len(line) + 1 for line in lines])
    return np.split(-np.log(found[1:]), ends[:-1])


def corrected(
    checkpoint: Checkpoint, lines: Sequence[str], typos: set[int], by: str, *, counts: bool = False
) -> float:
    """Return the share of the typos among the top lines, as ``charrnn score`` shows them."""
    rows = [checkpoint.vocabulary.text_to_codes(line) for line in lines]
    model = checkpoint.with_counts(checkpoint.model()) if counts else None
    with RowScorer(checkpoint, model, threads=available_cores()) as scorer:
        scores = [*scorer.score(rows)]
        strangest: Strangest[int] = Strangest(TOP, by, Corrector(scorer))
        figures = [Figures(one.total, len(one.codes), 0) for one in scores]
        strangest.add(range(len(scores)), figures, scores)
        return len(typos & {strange.row for strange in strangest}) / len(typos)


def recall(lines: Sequence[str], nats: Nats, typos: set[int], by: str) -> float:
    """Return the share of the typos among the top lines, without corrections."""
    strangest: Strangest[int] = Strangest(TOP, by)
    figures = [Figures(float(each.sum()), len(each), 0) for each in nats]
    strangest.add(range(len(nats)), figures, [*map(Row, lines, nats)])
    return len(typos & {strange.row for strange in strangest}) / len(typos)


def by_mean(nats: Nats, typos: set[int]) -> float:
    """Return the same where lines are ordered by their nats per character."""
    order = np.argsort([-each.mean() for each in nats], kind="stable")
    return len(typos & set(order[:TOP].tolist())) / len(typos)


def measured(checkpoint: Checkpoint) -> Iterator[tuple[int, str, str, float]]:
    """Yield the recall of each seed, model and measure."""
    sides = checkpoint.sides(find_own_text(checkpoint)[0])
    train = checkpoint.vocabulary.encode(checkpoint.vocabulary.known(sides.learned))
    context = choose_context(train, len(checkpoint.vocabulary))
    known = to_text(checkpoint.vocabulary.known(sides.held))
    lines = [line for line in known.split("\n")[1:-1] if line]
    for seed in range(SEEDS):
        chosen, typos = spoilt(lines, seed)
        found = {
            "network": of_network(checkpoint, chosen),
            f"Kneser-Ney {context + 1}-gram": of_ngram(train, context, checkpoint, chosen),
        }
        if checkpoint.table is not None:
            found["network and counts"] = of_network(checkpoint, chosen, counts=True)
        for counts in [False] + [True] * (checkpoint.table is not None):
            name = "network" + " and counts" * counts + ", corrected"
            for by in ("character", "both"):
                yield seed, name, by, corrected(checkpoint, chosen, typos, by, counts=counts)
        for name, nats in found.items():
            for by in ("character", "line", "both"):
                yield seed, name, by, recall(chosen, nats, typos, by)
            yield seed, name, "bits per character", by_mean(nats, typos)


def main() -> None:
    """Print the recall of each model and measure: the mean, and each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a run; the newest one if left out")
    path, checkpoint = open_model(parser.parse_args().model)
    print(f"{path}: {TYPOS} typos in at most {LINES:,} held-out lines, recall among the top {TOP}")
    found: dict[tuple[str, str], list[float]] = {}
    for _, name, by, share in measured(checkpoint):
        found.setdefault((name, by), []).append(share)
    for (name, by), shares in found.items():
        each = " ".join(f"{share:.2f}" for share in shares)
        print(f"{name:<30}{by:<20}{np.mean(shares):.3f}   {each}")


if __name__ == "__main__":
    main()
