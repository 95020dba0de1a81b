"""A pipe that is named as a file, as by process substitution: it is read like standard input."""

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from charrnn.config import STDIN
from charrnn.errors import CorpusError
from charrnn.text.files import unreadable
from charrnn.text.inputs import KeptInput, spool
from charrnn.text.sources import show_path


def is_pipe(path: str | Path) -> bool:
    """Whether a path is a pipe."""
    try:
        return stat.S_ISFIFO(Path(path).stat().st_mode)
    except (OSError, ValueError):  # not a valid file name
        return False


def without_pipe(
    sides: Sequence[Sequence[str | Path]], stdin: BinaryIO | None
) -> tuple[list[list[str | Path]], BinaryIO | None]:
    """Replace a pipe among paths by "-".

    Parameters
    ----------
    sides : sequence of sequences of paths
        The paths that the user named.
    stdin : binary file, optional
        What "-" reads. A pipe that was stored before is not read again.

    Returns
    -------
    sides : list of lists of paths
    stdin : binary file or None
        The content of the pipe, if there was one.

    Raises
    ------
    CorpusError
        If there are several pipes, or a pipe and "-", or the pipe cannot be read.
    """
    named: list[list[str | Path]] = [
        [side] if isinstance(side, str | Path) else list(side) for side in sides
    ]
    pipes = [path for side in named for path in side if is_pipe(path)]
    if not pipes:
        return named, stdin
    others = [path for side in named for path in side if str(path) == STDIN] + pipes[1:]
    if others:
        raise CorpusError(
            f"{show_path(others[0])} and {show_path(pipes[0])} can each be read only once: name "
            "one of them, and files for the rest"
        )
    if not isinstance(stdin, KeptInput):
        try:
            with Path(pipes[0]).open("rb") as file:
                stdin = spool(file)
        except OSError as error:
            raise unreadable(str(pipes[0]), error) from None
    return [[STDIN if path is pipes[0] else path for path in side] for side in named], stdin
