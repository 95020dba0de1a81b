"""Which parts of a text to score a model was trained on, and which were held out."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from charrnn.errors import CorpusError
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.own_text import find_own_text
from charrnn.text import Corpus, Source, trained_on
from charrnn.text.sources import show_path
from charrnn.views.numbers import percent

QUICKLY_READ = 2**26
"""Largest corpus, in bytes, that is read to find how much of another text is in it."""
LISTED = 3
"""Most file names in a message."""


@dataclass(frozen=True)
class Provenance:
    """How much of a text was in a model's corpus, by files.

    Attributes
    ----------
    learned : float
        Share of the text that is the training part itself; 0 if unknown.
    notices : tuple of str
        Messages for the user.
    own : Corpus, optional
        The corpus of the model, if it is the text itself or is found and small enough to read.
    """

    learned: float = 0.0
    notices: tuple[str, ...] = ()
    own: Corpus | None = None


def provenance_of(
    checkpoint: Checkpoint, corpus: Corpus, paths: Sequence[str | Path], cache_dir: Path | None
) -> Provenance:
    """Compare a text with a model's corpus, file by file.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model.
    corpus : Corpus
        The text.
    paths : sequence of path
        The files that the user named; empty for a text in memory.
    cache_dir : Path, optional
        Where a corpus too large for memory is cached.
    """
    own = _own_text(checkpoint, corpus, cache_dir)
    if checkpoint.settings.val_files:
        learned, notices = _of_two_sides(checkpoint, corpus, paths)
    elif own is not None and _is_same(checkpoint, corpus):
        learned = 1 - checkpoint.held_out / max(1, checkpoint.characters)
        names = listed_names(corpus.sources)
        notices = [f"the model was trained on {percent(learned, 0)} of this text: {names}"]
    else:
        learned, notices = 0.0, _of_one_corpus(checkpoint, corpus, paths)
    return Provenance(learned, tuple(notices), own)


def listed_names(sources: Sequence[Source]) -> str:
    """Return the names of the first few files for a message."""
    names = [show_path(source.path) for source in sources]
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _is_same(checkpoint: Checkpoint, corpus: Corpus) -> bool:
    """Return whether a text consists of the files of a model's corpus, in order."""
    own, read = ([source.sha256 for source in each.sources] for each in (checkpoint, corpus))
    return own == read


def _own_text(checkpoint: Checkpoint, corpus: Corpus, cache_dir: Path | None) -> Corpus | None:
    same = _is_same(checkpoint, corpus)
    if not same and sum(source.size for source in checkpoint.sources) > QUICKLY_READ:
        return None
    named = [source.path for source in corpus.sources if source.is_file] if same else []
    with suppress(CorpusError):
        return find_own_text(checkpoint, named=named, cache_dir=cache_dir)[0]
    # From standard input or memory: the text read is the only copy.
    return corpus if same and len(corpus) == checkpoint.characters else None


def _of_one_corpus(
    checkpoint: Checkpoint, corpus: Corpus, paths: Sequence[str | Path]
) -> list[str]:
    """Return notices of files from a corpus that was not split by files."""
    notices = []
    among, _ = _among(corpus, checkpoint.sources)
    if among:
        notices.append(f"this text was in the corpus of the model: {listed_names(among)}")
    begun = _begun(checkpoint.sources, paths)
    if begun:
        notices.append(f"this text starts with a file from the corpus of the model: {begun}")
    return notices


def _of_two_sides(
    checkpoint: Checkpoint, corpus: Corpus, paths: Sequence[str | Path]
) -> tuple[float, list[str]]:
    """Return the share of a text that was trained on, for a corpus that was split by files."""
    border = len(checkpoint.sources) - checkpoint.settings.val_files
    sides = checkpoint.sources[:border], checkpoint.sources[border:]
    (learned, num_learned), (held, num_held) = (_among(corpus, side) for side in sides)
    notices = []
    if learned:
        part = _part(num_learned, len(corpus))
        notices.append(f"the model was trained on {part}this text: {listed_names(learned)}")
    if held:
        part = _part(num_held, len(corpus))
        notices.append(f"{part}this text was held out of training: {listed_names(held)}")
    for side, what in zip(sides, ("the model was trained on", "was held out"), strict=True):
        begun = _begun(side, paths)
        if begun:
            notices.append(f"this text starts with a file that {what}: {begun}")
    # How much of other files was trained on is unknown.
    only_its_own = num_learned + num_held == len(corpus)
    return (num_learned / len(corpus) if only_its_own else 0.0), notices


def _part(number: int, whole: int) -> str:
    """Return a share in words; only the whole is 100 %, and only nothing is 0 %."""
    return "" if number == whole else f"{min(99, max(1, round(100 * number / whole)))}% of "


def _among(corpus: Corpus, sources: Sequence[Source]) -> tuple[list[Source], int]:
    """Return which files of a text are among ``sources``, and their number of characters."""
    hashes = {source.sha256 for source in sources}
    borders = pairwise((*corpus.starts, len(corpus)))
    found = [
        (source, stop - start)
        for source, (start, stop) in zip(corpus.sources, borders, strict=True)
        if source.sha256 in hashes and stop > start
    ]
    return [source for source, _ in found], sum(size for _, size in found)


def _begun(sources: Sequence[Source], paths: Sequence[str | Path]) -> str:
    """Return the files that start with a recorded file but have grown."""
    if not paths:
        return ""
    begins = trained_on(sources, paths).begins
    return listed_names([Source(path, "", 0) for path in begins])
