"""What each character of a text costs a model."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Ids
from charrnn.data.items import id_of
from charrnn.errors import CheckpointError, ConfigError, CorpusError
from charrnn.evaluation.cost import Cost
from charrnn.evaluation.novelty import Novelty
from charrnn.evaluation.scorers import LOGITS
from charrnn.evaluation.written import written_length
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.model import CharModel
from charrnn.parallel.team import Team
from charrnn.sampling.drawing import encode_seed
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text import Vocabulary, fitting_text
from charrnn.text.codes import Codes, to_text
from charrnn.text.normalizing import starts_anew
from charrnn.views.heat import Cell, heat_map

WINDOW = 1024
"""Characters read at once."""


@dataclass(frozen=True, eq=False, repr=False)
class Scores(Cost):
    """What each character of a text costs a model; in a notebook, a heat map.

    Attributes
    ----------
    symbols : tuple of str
        The m characters, one each, as the model reads them. Bytes that are no ASCII text are
        shown as ``\\xe2``; of a model of jamo, they are jamo.
    nats : (m,) float64 array
        Minus the logarithm of the probability of each, given what precedes it.
    unknown : (m,) bool array
        Which of them the model does not know. It does not read these.
    reserved_nats : float
        What `Model.evaluate` charges the known characters of a text that has unknown ones, since
        others are possible: part of the total, and of no character, as it depends on the whole.
    cells : tuple of Cell
        The text as it is shown: whole characters, where several symbols are one.
    context : str
        What the model read before.
    total_nats, characters, num_bytes : float, int, int
        Of the whole text, as `Evaluation` has them, and so are ``nats_per_char``,
        ``bits_per_char``, ``bits_per_byte`` and ``perplexity``.

    Examples
    --------
    >>> scores = charrnn.load("runs/corpus").score("jug!")
    >>> scores.symbols, scores.unknown.tolist()
    (('j', 'u', 'g', '!'), [False, False, False, True])
    >>> bool(scores.nats[1] < scores.nats[0])  # what follows j is known
    True
    """

    symbols: tuple[str, ...]
    nats: NDArray[np.float64]
    unknown: NDArray[np.bool_]
    reserved_nats: float
    cells: tuple[Cell, ...]
    context: str = ""

    @property
    def bits(self) -> NDArray[np.float64]:
        """The same as ``nats`` with logarithms to base 2, as (m,)."""
        bits: NDArray[np.float64] = self.nats / np.log(2)
        return bits

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        whole = Cost(self.total_nats, self.characters, self.num_bytes).to_json()
        return {
            **whole,
            "symbols": list(self.symbols),
            "nats": self.nats.tolist(),
            "unknown": self.unknown.tolist(),
            "reserved_nats": self.reserved_nats,
            "context": self.context,
        }

    def __len__(self) -> int:
        """Return m."""
        return len(self.symbols)

    def __repr__(self) -> str:
        return f"Scores({self._summary()})"

    def _repr_html_(self) -> str:
        return heat_map(self.cells, caption=self._summary(), context=self.context)

    def _summary(self) -> str:
        unknown = int(np.count_nonzero(self.unknown))
        more = f", {unknown:,} unknown" if unknown else ""
        return (
            f"{self.characters:,} character{'s' * (self.characters != 1)}{more}: "
            f"{self.total_nats:,.2f} nats, {self.nats_per_char:.3f} nats or "
            f"{self.bits_per_char:.3f} bits a character, perplexity {self.perplexity:.2f}"
        )


def score_text(
    checkpoint: Checkpoint,
    network: CharModel,
    text: str,
    *,
    context: str = "",
    unknown: Literal["score", "error"] = "score",
) -> Scores:
    """Score each character of a text; the parameters are those of `Model.score`.

    Parameters
    ----------
    checkpoint : Checkpoint
        Knows the vocabulary and the task.
    network : CharModel
        Has the weights.
    text, context, unknown
        As for `Model.score`.
    """
    vocabulary, newlines = checkpoint.vocabulary, checkpoint.text.newlines
    before, codes = (
        vocabulary.text_to_codes(fitting_text(part, vocabulary, newlines)[0])
        for part in (context, text)
    )
    pieces = [*_pieces(checkpoint, before, codes)]
    if not any(len(piece) for _, piece in pieces):
        what = "has no item with a character" if len(codes) else "is empty"
        raise CorpusError(f"there is nothing to score: the text {what}")
    codes = np.concatenate([piece for _, piece in pieces])
    if unknown == "error":
        vocabulary.encode(np.concatenate([before, codes]))
    known = np.isin(codes, vocabulary.symbols)
    with Team([network]), np.errstate(over="ignore", invalid="ignore"):
        costs = [_nats(network, vocabulary, *piece) for piece in pieces]
    novelty = Novelty.of(checkpoint.counts, checkpoint.characters - checkpoint.held_out)
    nats = np.full(len(codes), novelty.cost)
    nats[known] = np.concatenate(costs)
    if not np.isfinite(nats).all():
        raise CheckpointError(
            "the model's predictions are not finite, it diverged in training: "
            "train again with a lower learning_rate"
        )
    new = int(np.count_nonzero(~known))
    reserved = novelty.charge(len(codes) - new, new) - new * novelty.cost
    cells = tuple(_cells(vocabulary, codes, nats, known))
    return Scores(
        total_nats=float(nats.sum()) + reserved,
        characters=len(codes),
        num_bytes=written_length(codes, vocabulary),
        symbols=tuple(_symbol(vocabulary, code) for code in codes.tolist()),
        nats=nats,
        unknown=~known,
        reserved_nats=reserved,
        cells=cells,
        context=context,
    )


def _pieces(checkpoint: Checkpoint, before: Codes, codes: Codes) -> Iterator[tuple[Ids, Codes]]:
    """Return what is read from a zero state each: what is read first, and what is scored."""
    vocabulary, task = checkpoint.vocabulary, checkpoint.task
    known, _ = vocabulary.encode_known(before)
    if not task.separate:
        yield known if len(known) else encode_seed(vocabulary, ""), codes
        return
    end = np.array([id_of(vocabulary, task.end)], vocabulary.dtype)
    whole = np.concatenate([before, codes])
    divided = task.divided(whole, (0,), vocabulary.unit)
    if not np.array_equal(divided[: len(before)], before) or (before == task.end).any():
        raise ConfigError(
            "the context is the beginning of an item, and the text goes on in it: give whole "
            "items as the text, and no context"
        )
    borders = np.flatnonzero(divided == task.end) + 1
    for number, item in enumerate(np.split(divided, borders)[:-1]):
        first = number == 0
        item = item[len(before) :] if first else item
        begin = np.concatenate([end, known]) if first else end
        nothing_known = not np.isin(item[:-1], vocabulary.symbols).any() and len(begin) == 1
        # The end of an item that the model cannot read is not scored, as in an evaluation.
        yield begin, item[:-1] if nothing_known else item


def _nats(
    network: CharModel, vocabulary: Vocabulary, begin: Ids, codes: Codes
) -> NDArray[np.float64]:
    """Return the nats of each known symbol of codes (n,), which follow on ids (b,)."""
    ids = np.concatenate([begin, vocabulary.encode_known(codes)[0]])
    nats = np.empty(len(ids) - 1)
    T = max(1, min(WINDOW, LOGITS // network.vocab_size))
    state = network.zero_state(1)
    for start in range(0, len(nats), T):
        stop = min(start + T, len(nats))
        logits, state = network.forward(ids[start:stop, np.newaxis], state)
        nats[start:stop], _ = cross_entropy_(logits, ids[start + 1 : stop + 1])
    return nats[len(begin) - 1 :]


def _symbol(vocabulary: Vocabulary, code: int) -> str:
    if vocabulary.unit == "char" or chr(code).isascii():
        return chr(code)
    return f"\\x{code:02x}"


def _cells(
    vocabulary: Vocabulary,
    codes: Codes,
    nats: NDArray[np.float64],
    known: NDArray[np.bool_],
) -> Iterator[Cell]:
    """Return whole characters: bytes of one belong together, and so do parts of a letter."""
    starts = np.ones(len(codes), np.bool_)
    if vocabulary.unit == "byte":
        starts[1:] = codes[1:] & 0xC0 != 0x80
    elif vocabulary.normalize == "nfd":
        starts[1:] = [starts_anew(chr(code)) for code in codes[1:].tolist()]
    borders = [*np.flatnonzero(starts).tolist(), len(codes)]
    for start, stop in pairwise(borders):
        yield Cell(
            text=_character(vocabulary, codes[start:stop]),
            nats=float(nats[start:stop].sum()),
            symbols=stop - start,
            unknown=not known[start:stop].all(),
        )


def _character(vocabulary: Vocabulary, codes: Sequence[int] | Codes) -> str:
    array = np.asarray(codes)
    if vocabulary.unit == "byte":
        return array.astype(np.uint8).tobytes().decode("utf-8", "replace")
    text = to_text(array)
    return unicodedata.normalize("NFC", text) if vocabulary.normalize == "nfd" else text
