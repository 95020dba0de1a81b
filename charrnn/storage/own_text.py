"""Finding the text that a run was trained on: in place, moved, copied or grown.

Checkpoints identify the files of a corpus by their content (SHA-256) and a name that does not
reveal the user's folders. Their paths are stored next to the checkpoints, in ``sources.json``, and
text from standard input in ``stdin.gz``.
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
"""Most files that a command names."""
SOURCES, STDIN = "sources.json", "stdin.gz"
SOURCES_LIMIT = 2**22
"""Most bytes of a list of sources, which may be untrusted."""


def _retraining(located: Sequence[Located], folder: Path) -> str:
    """Return the command that fine-tunes the model of a run on the present content of its files."""
    files = [show_path(found.path) for found in located if found.source.is_file]
    named = shlex.join(files) if len(files) <= MOST_NAMED else "FILES"
    return f"charrnn train {named} --init-from {shlex.quote(str(folder))}"


def write_sources(folder: Path, sources: Sequence[Source]) -> None:
    """Write the paths of the files of a corpus as a JSON object that maps hashes to paths."""
    places = {source.sha256: source.path for source in sources if source.is_file}
    text = json.dumps(places, indent=1) + "\n"
    write_whole(folder / SOURCES, lambda file: file.write(text.encode("ascii")))


def holds_text(folder: Path, sources: Sequence[Source]) -> bool:
    """Return whether a run was trained on one of these files, or on a file at the same path."""
    places = _read_sources(folder)
    return any(
        source.sha256 in places or source.path in places.values()
        for source in sources
        if source.is_file
    )


def portable(sources: Sequence[Source]) -> tuple[Source, ...]:
    """Return sources with names that do not reveal the user's folders."""
    return tuple(replace(source, path=portable_name(source.path)) for source in sources)


def _read_sources(folder: Path) -> dict[str, str]:
    """Return the output of ``write_sources``; empty if it is missing or malformed."""
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
    """Read the text that a checkpoint was trained on, byte for byte.

    Parameters
    ----------
    checkpoint : Checkpoint
        A checkpoint from a file, whose folder and parent folders are searched for the text; or from
        a run in memory, which still has the text.
    named : sequence of path, optional
        Files and folders to search first.
    cache_dir : Path, optional
        Where a corpus that is too large for memory is cached.
    advice : str
        The advice at the end of error messages.

    Returns
    -------
    corpus : Corpus
        The text.
    notices : list of str
        Notices about where it was found, one line each.

    Raises
    ------
    CorpusError
        If one of its files cannot be found.
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
        f"{found.source.size:,} bytes, which are unchanged, belong to the run; to train on all of "
        f"it: {_retraining(located, folder)}"
        for found in located
        if found.grown
    ]
    corpus = read_located(located, checkpoint.text, cache_dir=cache_dir, kept_stdin=folder / STDIN)
    if len(corpus) != checkpoint.characters:
        raise CorpusError(
            f"the text that this run was trained on has {len(corpus):,} characters here, and had "
            f"{checkpoint.characters:,}: use the versions of charrnn and Python that trained it"
        )
    return corpus, notices
