"""Reading a located corpus exactly as before, and storing standard input, which has no file."""

import gzip
from collections.abc import Sequence
from pathlib import Path
from shutil import copyfileobj
from typing import IO

from charrnn.config import STDIN, TextConfig
from charrnn.system.files import write_whole
from charrnn.text.corpus import Corpus, read_inputs
from charrnn.text.files import CHUNK
from charrnn.text.inputs import Input
from charrnn.text.locating import Located


def read_located(
    located: Sequence[Located],
    text: TextConfig,
    cache_dir: str | Path | None = None,
    kept_stdin: Path | None = None,
) -> Corpus:
    """Read exactly the recorded bytes, decoded as before.

    Parameters
    ----------
    located : sequence of Located
        The result of ``locate``.
    text : TextConfig
        How they were read. A recorded encoding takes precedence over ``encoding``.
    cache_dir : Path, optional
        As in ``read_corpus``.
    kept_stdin : Path, optional
        As in ``locate``.

    Raises
    ------
    CorpusError
        If a file cannot be read or has changed.
    """
    inputs = [
        Input(
            path=found.path,
            encoding=found.source.encoding,
            limit=found.source.size if found.grown else None,
            kept=kept_stdin if found.path == STDIN else None,
            expected=found.source,
        )
        for found in located
    ]
    return read_inputs(inputs, text, cache_dir)


def keep_stdin(corpus: Corpus, path: Path) -> None:
    """Store the bytes of standard input in a gzip file, atomically.

    Raises
    ------
    CheckpointError
        If the file cannot be written.
    """
    stdin = corpus.stdin
    if stdin is None:
        return

    def write(file: IO[bytes]) -> None:
        stdin.seek(0)
        # No time and no name is stored, so the same bytes give the same file.
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            copyfileobj(stdin, packed, CHUNK)
        stdin.seek(0)

    write_whole(path, write)
