"""Scores of many texts.

Dimensions
    n texts.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice, starmap
from math import log
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
from numpy.typing import NDArray

from charrnn.api.scores import Scores, scores_of
from charrnn.api.tables import table
from charrnn.config.words import count
from charrnn.errors import ConfigError
from charrnn.evaluation.cost import mean_of, perplexity_of
from charrnn.evaluation.lines.parts import text_of
from charrnn.evaluation.lines.rows import BLOCK
from charrnn.evaluation.lines.scoring import RowScorer, sums_of
from charrnn.nn.predictor import Predictor
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text import fitting_text
from charrnn.text.codes import Codes
from charrnn.views.heat import BOX, spans
from charrnn.views.markup import shown

if TYPE_CHECKING:
    from pandas import DataFrame
MOST_ROWS = 100
"""Rows shown in a notebook."""


class LineScores(Sequence[Scores]):
    """The scores of n texts; ``scores[i]`` is the `Scores` of one, character by character.

    Attributes
    ----------
    texts : tuple of str
        The texts, as given.
    total_nats : (n,) float64 array
        Negative log-probability of each text, in nats.
    characters : (n,) int array
        Number of scored symbols in each text.
    unknown : (n,) int array
        Number of those that are not in the model's vocabulary.
    per : str
        What the model reads as one symbol: "character", "byte", "jamo" or "code point".

    Examples
    --------
    >>> scores = charrnn.load("runs/corpus").score(["jugs", "jxgs"])
    >>> scores.characters.tolist(), scores.texts[scores.bits_per_char.argmax()]
    ([4, 4], 'jxgs')
    >>> scores[1].symbols[scores[1].nats.argmax()]
    'x'
    """

    def __init__(
        self,
        texts: Sequence[str],
        total_nats: NDArray[np.float64],
        characters: NDArray[np.int64],
        unknown: NDArray[np.int64],
        scores: Callable[[int], Scores],
        per: str = "character",
    ) -> None:
        self.per = per
        self.texts = tuple(texts)
        self.total_nats, self.characters, self.unknown = total_nats, characters, unknown
        self._scores = scores

    @property
    def bits_per_char(self) -> NDArray[np.float64]:
        """Bits per character of each text (n,); NaN for a text without characters."""
        bits: NDArray[np.float64] = self._nats_per_char / log(2)
        return bits

    @property
    def perplexity(self) -> NDArray[np.float64]:
        """Perplexity per character of each text (n,)."""
        return np.fromiter(map(perplexity_of, self._nats_per_char.tolist()), float, len(self))

    @property
    def _nats_per_char(self) -> NDArray[np.float64]:
        costs = zip(self.total_nats.tolist(), self.characters.tolist(), strict=True)
        return np.fromiter(starmap(mean_of, costs), float, len(self))

    def __len__(self) -> int:
        """Return the number of texts, n."""
        return len(self.texts)

    @overload
    def __getitem__(self, place: int) -> Scores: ...

    @overload
    def __getitem__(self, place: slice) -> "LineScores": ...

    def __getitem__(self, place: int | slice) -> "Scores | LineScores":
        """Return the scores of one text, or of a slice of the texts."""
        if isinstance(place, slice):
            places = range(len(self))[place]
            return LineScores(
                self.texts[place],
                self.total_nats[place],
                self.characters[place],
                self.unknown[place],
                lambda number: self._scores(places[number]),
                self.per,
            )
        return self._scores(range(len(self))[place])

    def to_pandas(self) -> "DataFrame":
        """Return a pandas ``DataFrame`` with one row per text.

        Raises
        ------
        ConfigError
            If pandas is not installed.
        """
        return table(
            text=list(self.texts),
            total_nats=self.total_nats,
            bits_per_char=self.bits_per_char,
            perplexity=self.perplexity,
            characters=self.characters,
            unknown=self.unknown,
        )

    def __repr__(self) -> str:
        characters = int(self.characters.sum())
        mean = mean_of(float(self.total_nats.sum()) / log(2), characters)
        return (
            f"LineScores({len(self):,} texts, {count(characters, self.per)}, {mean:.3f} bits per "
            f"{self.per})"
        )

    def _repr_html_(self) -> str:
        bits = (self.total_nats / log(2)).tolist()
        figures = zip(bits, self.bits_per_char.tolist(), self.unknown.tolist(), strict=True)
        rows = [
            f"<tr><td>{total:.2f}</td><td>{mean:.3f}</td><td>{unknown}</td>"
            f'<td style="text-align:left;{BOX}">{spans(self[number].cells)}</td></tr>'
            for number, (total, mean, unknown) in enumerate(islice(figures, MOST_ROWS))
        ]
        left = len(self) - MOST_ROWS
        more = f"<div>... and {left:,} more texts</div>" if left > 0 else ""
        per = self.per.replace("character", "char")
        heads = "".join(f"<th>{head}</th>" for head in ("bits", f"bits/{per}", "unknown", "text"))
        return (
            f'<div class="charrnn-line-scores"><table><thead><tr>{heads}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table>{more}<div>{shown(repr(self))}</div></div>"
        )


def score_texts(
    checkpoint: Checkpoint,
    network: Predictor,
    texts: Sequence[str],
    *,
    context: str = "",
    unknown: Literal["score", "error"] = "score",
    threads: int = 1,
) -> LineScores:
    """Score texts; see `Model.score`.

    Parameters
    ----------
    checkpoint : Checkpoint
        Holds the vocabulary and the task.
    network : Predictor
        Holds the weights.
    texts, context, unknown, threads
        As in `Model.score`.
    """
    if not isinstance(texts, Collection):  # such as an iterator, which can be read only once
        raise ConfigError(f"score takes a text or a list of texts, not {texts!r:.40}")
    wrong = next((text for text in texts if not isinstance(text, str)), None)
    if wrong is not None:
        raise ConfigError(
            f"score takes a text or a list of texts, and {wrong!r:.40} in the list is not a text"
        )
    vocabulary, newlines = checkpoint.vocabulary, checkpoint.text.newlines
    before, *codes = (
        vocabulary.text_to_codes(fitting_text(text, vocabulary, newlines)[0])
        for text in (context, *texts)
    )
    if unknown == "error":
        vocabulary.encode(np.concatenate([before, *codes]))
    items = [_items(checkpoint, each, begun=len(before) > 0) for each in codes]
    owner = np.repeat(np.arange(len(texts)), [len(some) for some in items])
    rows = [item for some in items for item in some]
    with RowScorer(checkpoint, network, context=context, with_end=False, threads=threads) as scorer:
        found = [scorer.score(block) for block in _blocks(rows)]
    nats = np.concatenate([np.empty(0), *(part.nats for part in found)])
    known = np.concatenate([np.empty(0, np.bool_), *(part.known for part in found)])
    flat = np.concatenate([np.empty(0, np.uint8), *(part.codes for part in found)])
    sizes = np.concatenate([np.empty(0, np.int64), *(part.characters for part in found)])
    text = np.repeat(owner, sizes)  # the text of each symbol
    characters = np.bincount(text, minlength=len(texts))
    new = np.bincount(text[~known], minlength=len(texts))
    reserved = [
        scorer.reserved(count - some, some)
        for count, some in zip(characters.tolist(), new.tolist(), strict=True)
    ]
    prompts = [prompt for part in found for prompt in part.prompts]
    firsts = np.searchsorted(owner, np.arange(len(texts)))
    borders = np.concatenate([[0], np.cumsum(characters)])

    def scores(number: int) -> Scores:
        some = slice(int(borders[number]), int(borders[number + 1]))
        first = int(firsts[number])
        prompt = text_of(vocabulary, prompts[first]) if items[number] else ""
        return scores_of(
            checkpoint,
            flat[some],
            nats[some],
            known[some],
            reserved=reserved[number],
            context=context + prompt,
        )

    total = sums_of(nats, text, len(texts)) + np.array(reserved, np.float64)
    return LineScores(texts, total, characters, new, scores, vocabulary.noun)


def _items(checkpoint: Checkpoint, codes: Codes, *, begun: bool) -> list[Codes]:
    """Return sequences that start from a zero state: a text, or its items without their ends."""
    task = checkpoint.task
    if not task.separate:
        return [codes]
    divided = task.divided(codes, (0,), checkpoint.vocabulary.unit)
    ends = np.flatnonzero(divided == task.end)
    items = [item[:-1] for item in np.split(divided, ends + 1)[:-1]]
    if begun and len(items) > 1:
        raise ConfigError(
            "the context begins an item, and the text has several: give each item as a separate "
            "text"
        )
    return items


def _blocks(rows: Sequence[Codes]) -> Iterator[Sequence[Codes]]:
    """Yield blocks of rows that are scored together."""
    start = size = 0
    for place, row in enumerate(rows, 1):
        size += len(row)
        if size >= BLOCK:
            yield rows[start:place]
            start, size = place, 0
    if start < len(rows):
        yield rows[start:]
