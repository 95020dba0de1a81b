"""Scores of the characters of a text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from charrnn.api.tables import table
from charrnn.backend.arrays import Ids
from charrnn.config.words import count
from charrnn.data.items import id_of
from charrnn.data.tasks import PromptedItems
from charrnn.errors import CheckpointError, ConfigError, CorpusError
from charrnn.evaluation.cost import Cost
from charrnn.evaluation.lines.parts import cells as cells_of
from charrnn.evaluation.lines.parts import text_of
from charrnn.evaluation.lines.scoring import NoPrompt
from charrnn.evaluation.novelty import Novelty
from charrnn.evaluation.scorers import LOGITS
from charrnn.evaluation.written import written_length
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.predictor import Predictor
from charrnn.parallel.team import Team
from charrnn.sampling.drawing import encode_seed
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text import Vocabulary, fitting_text
from charrnn.text.codes import Codes
from charrnn.views.heat import Cell, heat_map

if TYPE_CHECKING:
    from pandas import DataFrame

WINDOW = 1024
"""Characters read at once."""


@dataclass(frozen=True, eq=False, repr=False)
class Scores(Cost):
    """The score of each character of a text; displayed as a heat map in a notebook.

    Attributes
    ----------
    symbols : tuple of str
        The m symbols as the model reads them: characters, or jamo for a model of jamo. Non-ASCII
        bytes are written as ``\\xe2``.
    nats : (m,) float64 array
        Negative log-probability of each symbol, given the ones before it.
    unknown : (m,) bool array
        Whether each symbol is unknown to the model. The model does not read unknown symbols.
    reserved_nats : float
        The cost, for the known symbols, of the probability that `Model.evaluate` reserves for
        unknown ones. It depends on the whole text, so it is part of the total but of no single
        symbol; 0 if every symbol is known.
    cells : tuple of Cell
        The text as displayed: symbols that make up one character are combined.
    context : str
        The text that the model read before.
    per : str
        What the model reads as one symbol: "character", "byte", "jamo" or "code point".
    total_nats, characters, num_bytes : float, int, int
        Totals of the whole text, as in `Evaluation`, which also defines ``nats_per_char``,
        ``bits_per_char``, ``bits_per_byte`` and ``perplexity``.

    Examples
    --------
    >>> scores = charrnn.load("runs/corpus").score("jug!")
    >>> scores.symbols, scores.unknown.tolist()
    (('j', 'u', 'g', '!'), [False, False, False, True])
    >>> bool(scores.nats[1] < scores.nats[0])  # u is expected after j
    True
    """

    symbols: tuple[str, ...]
    nats: NDArray[np.float64]
    unknown: NDArray[np.bool_]
    reserved_nats: float
    cells: tuple[Cell, ...]
    context: str = ""
    per: str = "character"

    @property
    def per_char(self) -> "PerChar":
        """The m symbols with their costs in nats; ``per_char.to_pandas()`` is a table."""
        return PerChar(self.symbols, self.nats, self.unknown)

    @property
    def bits(self) -> NDArray[np.float64]:
        """``nats`` in bits (m,)."""
        bits: NDArray[np.float64] = self.nats / np.log(2)
        return bits

    def to_json(self) -> dict[str, Any]:
        """Return everything but ``cells`` as JSON types."""
        whole = Cost(self.total_nats, self.characters, self.num_bytes).to_json()
        return {
            **whole,
            "symbols": list(self.symbols),
            "nats": self.nats.tolist(),
            "unknown": self.unknown.tolist(),
            "reserved_nats": self.reserved_nats,
            "context": self.context,
            "per": self.per,
        }

    def __len__(self) -> int:
        """Return the number of symbols, m."""
        return len(self.symbols)

    def to_pandas(self) -> "DataFrame":
        """Return the table of ``per_char``: ``symbol``, ``nats``, ``bits``, ``unknown``.

        Raises
        ------
        ConfigError
            If pandas is not installed.
        """
        return self.per_char.to_pandas()

    def __repr__(self) -> str:
        return f"Scores({self._summary()})"

    def _repr_html_(self) -> str:
        return heat_map(self.cells, caption=self._summary(), context=self.context)

    def _summary(self) -> str:
        unknown = int(np.count_nonzero(self.unknown))
        more = f", {unknown:,} unknown" if unknown else ""
        return (
            f"{count(self.characters, self.per)}{more}: {self.total_nats:,.2f} nats, "
            f"{self.nats_per_char:.3f} nats or {self.bits_per_char:.3f} bits per {self.per}, "
            f"perplexity {self.perplexity:.2f}"
        )


class PerChar(Sequence[tuple[str, float]]):
    """The symbols of a text, as pairs of a symbol and its cost in nats.

    Parameters
    ----------
    symbols : tuple of str
        The m symbols.
    nats, unknown : (m,) arrays
        As in `Scores`.

    Examples
    --------
    >>> per_char = charrnn.load("runs/corpus").score("jug").per_char
    >>> [symbol for symbol, nats in per_char if nats < 1]
    ['u', 'g']
    """

    def __init__(
        self,
        symbols: tuple[str, ...],
        nats: NDArray[np.float64],
        unknown: NDArray[np.bool_],
    ) -> None:
        self.symbols, self.nats, self.unknown = symbols, nats, unknown

    def __len__(self) -> int:
        """Return the number of symbols, m."""
        return len(self.symbols)

    @overload
    def __getitem__(self, place: int) -> tuple[str, float]: ...

    @overload
    def __getitem__(self, place: slice) -> "PerChar": ...

    def __getitem__(self, place: int | slice) -> "tuple[str, float] | PerChar":
        """Return one pair, or a slice of the pairs."""
        if isinstance(place, slice):
            return PerChar(self.symbols[place], self.nats[place], self.unknown[place])
        return self.symbols[place], float(self.nats[place])

    def to_pandas(self) -> "DataFrame":
        """Return a pandas ``DataFrame``: ``symbol``, ``nats``, ``bits``, ``unknown``.

        Raises
        ------
        ConfigError
            If pandas is not installed.
        """
        return table(
            symbol=list(self.symbols),
            nats=self.nats,
            bits=self.nats / np.log(2),
            unknown=self.unknown,
        )

    def __repr__(self) -> str:
        shown = ", ".join(f"({symbol!r}, {nats:.3f})" for symbol, nats in self[:5])
        return f"PerChar([{shown}{', ...' if len(self) > 5 else ''}])"


def score_text(
    checkpoint: Checkpoint,
    network: Predictor,
    text: str,
    *,
    context: str = "",
    unknown: Literal["score", "error"] = "score",
) -> Scores:
    """Score each character of a text; see `Model.score`.

    Parameters
    ----------
    checkpoint : Checkpoint
        Holds the vocabulary and the task.
    network : Predictor
        Holds the weights.
    text, context, unknown
        As in `Model.score`.
    """
    vocabulary, newlines = checkpoint.vocabulary, checkpoint.text.newlines
    before, codes = (
        vocabulary.text_to_codes(fitting_text(part, vocabulary, newlines)[0])
        for part in (context, text)
    )
    pieces = [*_pieces(checkpoint, before, codes)]
    if isinstance(checkpoint.task, PromptedItems):
        pieces, prompt = _after_prompts(checkpoint, before, pieces)
        context = context + prompt
    if not any(len(piece) for _, piece in pieces):
        what = "has no item with a character" if len(codes) else "is empty"
        raise CorpusError(
            f"there is nothing to score: the text {what}; give at least one character"
        )
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
            "the model's predictions are not finite because it diverged in training: "
            "train again with a lower learning_rate"
        )
    new = int(np.count_nonzero(~known))
    reserved = novelty.charge(len(codes) - new, new) - new * novelty.cost
    return scores_of(checkpoint, codes, nats, known, reserved=reserved, context=context)


def scores_of(
    checkpoint: Checkpoint,
    codes: Codes,
    nats: NDArray[np.float64],
    known: NDArray[np.bool_],
    *,
    reserved: float,
    context: str,
) -> Scores:
    """Return the ``Scores`` of symbols (m,) from their costs in nats (m,)."""
    vocabulary = checkpoint.vocabulary
    return Scores(
        total_nats=float(nats.sum()) + reserved,
        characters=len(codes),
        num_bytes=written_length(codes, vocabulary),
        symbols=tuple(_symbol(vocabulary, code) for code in codes.tolist()),
        nats=nats,
        unknown=~known,
        reserved_nats=reserved,
        cells=tuple(cells_of(vocabulary, codes, nats, known)),
        context=context,
        per=vocabulary.noun,
    )


def _pieces(checkpoint: Checkpoint, before: Codes, codes: Codes) -> Iterator[tuple[Ids, Codes]]:
    """Yield sequences that start from a zero state: the ids of the context, and what is scored."""
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
            "the context does not fit: for a model of items it can only begin the first item; "
            "give whole items as the text, and no context"
        )
    borders = np.flatnonzero(divided == task.end) + 1
    for number, item in enumerate(np.split(divided, borders)[:-1]):
        first = number == 0
        item = item[len(before) :] if first else item
        begin = np.concatenate([end, known]) if first else end
        nothing_known = not np.isin(item[:-1], vocabulary.symbols).any() and len(begin) == 1
        # The end of an item that the model cannot read is not scored, as in an evaluation.
        yield begin, item[:-1] if nothing_known else item


def _after_prompts(
    checkpoint: Checkpoint, before: Codes, pieces: Sequence[tuple[Ids, Codes]]
) -> tuple[list[tuple[Ids, Codes]], str]:
    """Move the prompt of each piece into its context; return the pieces and the first prompt."""
    task, vocabulary = checkpoint.task, checkpoint.vocabulary
    assert isinstance(task, PromptedItems)
    found, first = [], ""
    for number, (begin, codes) in enumerate(pieces):
        size = 0
        if number or task.border not in before:
            borders = np.flatnonzero(codes == task.border)
            if not len(borders):
                raise NoPrompt(number, task.border_name)
            size = int(borders[0]) + 1
        if number == 0:
            first = text_of(vocabulary, codes[:size])
        prompt, _ = vocabulary.encode_known(codes[:size])
        found.append((np.concatenate([begin, prompt]), codes[size:]))
    return found, first


def _nats(
    network: Predictor, vocabulary: Vocabulary, begin: Ids, codes: Codes
) -> NDArray[np.float64]:
    """Return the nats of each known symbol of codes (n,), given the preceding ids (b,)."""
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
