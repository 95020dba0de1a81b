"""The text that a run was trained on, found again: where it was, moved, copied or grown.

Checkpoints name the files of a corpus by what is in them (SHA-256) and by a name that tells nobody
where its user lives. Where they lay is kept beside the checkpoints, in ``sources.json``, and text
that came from standard input in ``stdin.gz``.
"""

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from charrnn.errors import CharrnnError, CorpusError
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.sources import PATH_LIMIT
from charrnn.system.files import RegularFile, write_whole
from charrnn.text import Corpus, Located, Source, locate, portable_name, read_located
from charrnn.text.sources import show_path

MOST_NAMED = 3
"""Files that a command names."""
SOURCES, STDIN = "sources.json", "stdin.gz"
SOURCES_LIMIT = 2**22
"""Bytes of a list of sources, which may come from anyone."""


def _retraining(located: Sequence[Located], folder: Path) -> str:
    """Return the command that trains the model of a run on its text as that is now."""
    files = [show_path(found.path) for found in located if found.source.is_file]
    named = shlex.join(files) if len(files) <= MOST_NAMED else "FILES"
    return f"charrnn train {named} --init-from {shlex.quote(str(folder))}"


def write_sources(folder: Path, sources: Sequence[Source]) -> None:
    """Write down where the files of a corpus lie, as a JSON object of hashes and paths."""
    places = {source.sha256: source.path for source in sources if source.is_file}
    text = json.dumps(places, indent=1) + "\n"
    write_whole(folder / SOURCES, lambda file: file.write(text.encode("ascii")))


def holds_text(folder: Path, sources: Sequence[Source]) -> bool:
    """Return whether a run was made of one of some files, or of one that lay there."""
    places = _read_sources(folder)
    return any(
        source.sha256 in places or source.path in places.values()
        for source in sources
        if source.is_file
    )


def portable(sources: Sequence[Source]) -> tuple[Source, ...]:
    """Return sources under names that tell nobody where their user lives."""
    return tuple(replace(source, path=portable_name(source.path)) for source in sources)


def _read_sources(folder: Path) -> dict[str, str]:
    """Return what ``write_sources`` wrote; nothing if that is missing or something else."""
    try:
        with RegularFile(folder / SOURCES, SOURCES_LIMIT) as file:
            places = json.loads(file.read(min(file.size, SOURCES_LIMIT)))
        return {
            sha256: path
            for sha256, path in places.items()
            if isinstance(path, str) and len(path) <= PATH_LIMIT and "\0" not in path
        }
    except (OSError, CharrnnError, ValueError, AttributeError, RecursionError):
        return {}


def find_own_text(
    checkpoint: Checkpoint,
    *,
    named: Sequence[str | Path] = (),
    cache_dir: Path | None = None,
    advice: str = "name the file to score, as in: charrnn eval FILE",
) -> tuple[Corpus, list[str]]:
    """Read the text that a checkpoint was trained on, byte for byte the same.

    Parameters
    ----------
    checkpoint : Checkpoint
        Loaded from a file, in whose folder and the ones above the text is looked for; or of a run
        in memory, which still has it.
    named : sequence of path, optional
        Files and folders to look at first.
    cache_dir : Path, optional
        Where a corpus too large for memory is kept encoded.
    advice : str
        What an error says to do.

    Returns
    -------
    corpus : Corpus
    notices : list of str
        What the user should be told of where it was found.

    Raises
    ------
    CorpusError
        If a file of it is not found.
    """
    if checkpoint.corpus is not None:
        return checkpoint.corpus, []
    folder = checkpoint.folder or Path()
    folders = [folder, *list(folder.resolve().parents)[:2], Path.cwd()]
    located = locate(
        checkpoint.sources,
        recorded=_read_sources(folder),
        folders=folders,
        named=named,
        kept_stdin=folder / STDIN,
        advice=advice,
    )
    notices = [
        f"{show_path(found.path)} has grown since this run was trained: only its first "
        f"{found.source.size:,} bytes, which are the same, belong to the run; to learn all of it: "
        f"{_retraining(located, folder)}"
        for found in located
        if found.grown
    ]
    corpus = read_located(located, checkpoint.text, cache_dir=cache_dir, kept_stdin=folder / STDIN)
    if len(corpus) != checkpoint.characters:
        raise CorpusError(
            f"the text that this run was trained on reads as {len(corpus):,} characters here, and "
            f"had {checkpoint.characters:,}: use the charrnn and the Python that trained it"
        )
    return corpus, notices
