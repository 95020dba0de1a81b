"""What a report shows of a text: a passage as a heat map, and interpretable units."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Ids
from charrnn.config.words import count
from charrnn.data.dividing import chunks_of_items, texts_of
from charrnn.data.items import id_of
from charrnn.data.labels.task import LabelledTask
from charrnn.data.task import Task
from charrnn.evaluation.likeliest import Guesses, likeliest
from charrnn.evaluation.properties import properties_of
from charrnn.evaluation.units import Piece, UnitFound, outputs, pieces_of, units_that_follow
from charrnn.nn.model import CharModel
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text import Vocabulary
from charrnn.text.characters import whole_characters
from charrnn.text.codes import CODE_POINTS, Codes, to_codes
from charrnn.views.report.content import Expected, Letter, Lit, Passage, Unit, Units

READ_BEFORE = 256
"""Symbols read as context before a passage."""
HALF, LEAST_HALF = 30_000, 500
"""Most and fewest symbols of each half of the text in which units are looked for."""
LONGEST_ITEM = 512
UNIT_PASSAGE, UNITS_SHOWN = 500, 5
DIVERGED = "The model diverged: its probabilities are not finite."
END = "\u2404"
"""Shown for the end of an item if that is not a newline."""


@np.errstate(over="ignore", invalid="ignore")
def passage_of(
    checkpoint: Checkpoint, network: CharModel, codes: Codes, what: str, length: int
) -> Passage | str:
    """Return the beginning of a text as a heat map, or the reason why there is none.

    Parameters
    ----------
    checkpoint : Checkpoint
        Holds the vocabulary and the task.
    network : CharModel
        Holds the weights.
    codes : (n,) int array
        The text, divided by the task; every symbol is in the vocabulary.
    what : str
        A description of the text.
    length : int
        Approximate number of characters of the passage.
    """
    vocabulary, task = checkpoint.vocabulary, checkpoint.task
    if vocabulary.unit == "byte" or vocabulary.normalize == "nfd":
        length *= 2  # a character may have several symbols
    letters: list[Letter] = []
    if not task.separate:
        start = _start(codes)
        begin, stop = max(0, start - READ_BEFORE), start + length
        letters = _letters(vocabulary, codes[begin:stop], network, read=start - begin)
        told = "The model also read the text before the passage."
    else:
        for item, prompt in _first_items(task, codes, 20 * length):
            if len(letters) >= length:
                break
            read = 1 + prompt
            letters += _letters(vocabulary, item, network, read=read, end=task.end)[1:]
            if task.end != ord("\n"):
                letters.append(Letter("", None))
        told = "Each item starts from a zero state."
    if not any(letter.nats is not None for letter in letters):
        return "The text is too short to show a passage."
    scored = [letter.nats for letter in letters if letter.nats is not None]
    mean = sum(scored) / len(scored)
    if not np.isfinite(mean):
        return DIVERGED
    caption = f"{what[:1].upper()}{what[1:]}: {len(scored):,} characters, {mean:.2f} nats"
    alone = " This is the network alone, without its counts." if checkpoint.table else ""
    return Passage(letters, f"{caption} per character. {told}{alone}")


def _start(codes: Codes) -> int:
    """Return where a passage begins: after a newline near ``READ_BEFORE``, if there is one."""
    start = min(READ_BEFORE, len(codes) // 4)
    ends = np.flatnonzero(codes[start : start + READ_BEFORE] == ord("\n"))
    if not len(ends) or len(codes) <= 2 * READ_BEFORE:
        return start
    start += int(ends[0]) + 1
    while start + 1 < len(codes) and codes[start] == ord("\n"):
        start += 1
    return start


def _first_items(task: Task, codes: Codes, most: int) -> Iterator[tuple[Codes, int]]:
    """Yield the first items, each preceded by an item end, with the lengths of their prompts."""
    first = np.array([task.end], codes.dtype)
    ends = np.flatnonzero(codes[:most] == task.end) + 1
    prompts = task.prompts(codes[: int(ends[-1])]) if len(ends) else None
    for number, (start, stop) in enumerate(pairwise([0, *ends.tolist()])):
        item = np.concatenate([first, codes[start:stop]])
        yield item, 0 if prompts is None else int(prompts[number])


def _letters(
    vocabulary: Vocabulary, codes: Codes, network: CharModel, *, read: int, end: int | None = None
) -> list[Letter]:
    """Return the characters of a text; its first ``read`` symbols are context and not scored.

    In running text the context is left out. In an item, whose ``end`` is given, it is shown.
    """
    if len(codes) <= read:
        return []
    ids = vocabulary.encode(codes)
    guesses = likeliest(network, ids)
    letters = []
    for start, stop in pairwise(whole_characters(vocabulary, codes)):
        if start < read and end is None:
            continue
        text = _text(vocabulary, codes[start:stop], end)
        # The very first symbol of a text has no context.
        if start < max(1, read):
            letters.append(Letter(text, None))
            continue
        nats = float(guesses.nats[start - 1 : stop - 1].sum())
        expected = [_expected(vocabulary, guesses, at, end) for at in range(start - 1, stop - 1)]
        letters.append(Letter(text, nats, expected))
    return letters


def _expected(vocabulary: Vocabulary, guesses: Guesses, at: int, end: int | None) -> Expected:
    symbols = vocabulary.symbols[guesses.symbols[at]].tolist()
    shares = guesses.probabilities[at].tolist()
    named = [_symbol(vocabulary, code, end) for code in symbols]
    return Expected(list(zip(named, shares, strict=True)))


def _symbol(vocabulary: Vocabulary, code: int, end: int | None = None) -> str:
    """Return one symbol in readable form."""
    if code == end and code != ord("\n"):
        return END
    if code >= CODE_POINTS or (vocabulary.unit == "byte" and code >= 0x80):
        return f"\\x{code:02x}"
    return chr(code)


def _text(vocabulary: Vocabulary, codes: Codes, end: int | None = None) -> str:
    """Return one whole character."""
    if len(codes) == 1:
        return _symbol(vocabulary, int(codes[0]), end)
    return vocabulary.decode(vocabulary.encode(codes))


@dataclass(frozen=True, eq=False)
class _Half:
    """Half of a text: the pieces to measure, and candidate passages to show a unit on."""

    pieces: Sequence[Piece]
    passages: Sequence[Sequence[Piece]]

    @property
    def symbols(self) -> int:
        return sum(int(piece.counted.sum()) for piece in self.pieces)


@np.errstate(over="ignore", invalid="ignore")
def units_of(checkpoint: Checkpoint, network: CharModel, codes: Codes, what: str) -> Units | str:
    """Return interpretable units of a network, or the reason why there are none.

    Parameters
    ----------
    checkpoint, network, codes, what
        As in ``passage_of``; for a model of labels, the text in the form that its task stores.
    """
    first, second = _halves(checkpoint, codes)
    if min(first.symbols, second.symbols) < LEAST_HALF:
        return (
            "The text is too short to look for interpretable units: each half must have at least "
            f"{count(LEAST_HALF, checkpoint.vocabulary.noun)}."
        )
    untrained = CharModel(network.config, network.vocab_size)
    untrained.initialise(np.random.default_rng(checkpoint.settings.random_seed))
    found = units_that_follow(network, untrained, first.pieces, second.pieces)
    config = network.config
    shown = [
        Unit(
            follows=unit.name,
            name=_unit_name(unit, config.num_layers),
            chosen=unit.chosen,
            correlation=unit.correlation,
            untrained=unit.untrained,
            passage=_lit(checkpoint.vocabulary, network, second, unit) if n < UNITS_SHOWN else (),
        )
        for n, unit in enumerate(found)
    ]
    number = config.num_layers * config.hidden_size
    members = f" of the first of {config.members} members" if config.members > 1 else ""
    both = " that read forwards" if config.directions > 1 else ""
    caption = (
        f"Each unit is the one of {number:,} units{members}{both} whose output correlates most "
        f"with the property on {first.symbols:,} symbols of {what}. Its correlation is measured on "
        f"{second.symbols:,} other symbols, as is that of the best unit of an untrained network of "
        "the same shape, selected in the same way. Units are sorted by how much training has "
        "added. Correlation is not causation: the network may use the unit for something else."
    )
    return Units(shown, caption)


def _halves(checkpoint: Checkpoint, codes: Codes) -> tuple[_Half, _Half]:
    """Split a text into halves: the first selects units, the second measures them."""
    vocabulary, task = checkpoint.vocabulary, checkpoint.task
    if not task.separate:
        half = min(HALF, len(codes) // 2)
        parts = (codes[:half], codes[half : 2 * half])
        return _running(vocabulary, parts[0]), _running(vocabulary, parts[1])
    items, size = [], 0
    for item in _items(checkpoint, codes):
        items.append(item)
        size += len(item.ids)
        if size >= 2 * HALF:
            break
    middle = len(items) // 2
    return _of_items(items[:middle]), _of_items(items[middle:])


def _running(vocabulary: Vocabulary, codes: Codes) -> _Half:
    ids, text = vocabulary.encode(codes), _plain(vocabulary, codes)
    windows = pieces_of(ids, text, length=UNIT_PASSAGE, warm_up=READ_BEFORE, least=READ_BEFORE)
    return _Half(pieces_of(ids, text), [[window] for window in windows])


def _of_items(items: Sequence[Piece]) -> _Half:
    passages: list[list[Piece]] = [[]]
    for item in items:
        if sum(len(piece.ids) for piece in passages[-1]) >= UNIT_PASSAGE:
            passages.append([])
        passages[-1].append(item)
    return _Half(items, [passage for passage in passages if passage])


def _items(checkpoint: Checkpoint, codes: Codes) -> Iterator[Piece]:
    """Yield the items of a text; each is read from a zero state."""
    vocabulary, task = checkpoint.vocabulary, checkpoint.task
    if isinstance(task, LabelledTask):
        for text in task.parse(codes).texts:
            ids = vocabulary.encode(to_codes(text[:LONGEST_ITEM]))
            yield Piece(ids, properties_of(text[:LONGEST_ITEM]), np.ones(len(ids), np.bool_))
        return
    end = np.array([id_of(vocabulary, task.end)], vocabulary.dtype)
    for chunk in chunks_of_items(codes, task.end):
        for text in texts_of(chunk, task.end):
            item = to_codes(text)[:LONGEST_ITEM]
            ids = np.concatenate([end, vocabulary.encode(item)])
            values = properties_of("\n" + _plain(vocabulary, item))
            yield Piece(ids, values, np.arange(len(ids)) > 0)


def _plain(vocabulary: Vocabulary, codes: Codes) -> str:
    """Return one character per symbol; any non-ASCII byte becomes the same letter."""
    letters = codes.tolist()
    if vocabulary.unit == "byte":
        letters = [code if code < 0x80 else ord("ƛ") for code in letters]
    return "".join(map(chr, letters))


def _unit_name(unit: UnitFound, layers: int) -> str:
    layer = f"layer {unit.layer + 1}, " if layers > 1 else ""
    return f"{layer}unit {unit.unit + 1}"


def _lit(vocabulary: Vocabulary, network: CharModel, half: _Half, unit: UnitFound) -> list[Lit]:
    """Return the passage in which a property varies most, coloured by the output of a unit."""

    def spread(passage: Sequence[Piece]) -> float:
        values = [piece.properties[unit.number, piece.counted] for piece in passage]
        return float(np.var(np.concatenate(values)))

    if not half.passages:
        return []
    passage = max(half.passages, key=spread)
    column = unit.layer * network.config.hidden_size + unit.unit
    found = [outputs(network, piece.ids[:, np.newaxis])[:, column, 0] for piece in passage]
    seen = np.concatenate([h[piece.counted] for h, piece in zip(found, passage, strict=True)])
    low, high = float(seen.min()), float(seen.max())
    binary = len(np.unique(np.concatenate([p.properties[unit.number] for p in passage]))) == 2
    lit: list[Lit] = []
    for h, piece in zip(found, passage, strict=True):
        scaled = 2 * (h - low) / max(high - low, 1e-12) - 1
        marked = (piece.properties[unit.number] > 0) & binary
        lit += _lit_piece(vocabulary, piece, scaled, marked)
        if len(passage) > 1 and lit and not lit[-1].text.endswith("\n"):
            lit.append(Lit("", 0.0))
    return lit


def _lit_piece(
    vocabulary: Vocabulary, piece: Piece, scaled: NDArray[np.floating], marked: NDArray[np.bool_]
) -> Iterator[Lit]:
    """Yield the whole characters of a piece, each with the output after its last symbol."""
    first = int(np.argmax(piece.counted))
    codes = _codes(vocabulary, piece.ids)[first:]
    for start, stop in pairwise(whole_characters(vocabulary, codes)):
        last = first + stop - 1
        text = _text(vocabulary, codes[start:stop])
        yield Lit(text, float(scaled[last]), bool(marked[last]))


def _codes(vocabulary: Vocabulary, ids: Ids) -> Codes:
    """Return the codes of ids; the id of unknown symbols becomes U+FFFD."""
    known = ids < len(vocabulary.symbols)
    codes = np.full(len(ids), 0xFFFD, np.uint32)
    codes[known] = vocabulary.symbols[ids[known]]
    return codes
