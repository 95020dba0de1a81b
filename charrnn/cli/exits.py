"""How the command line ends: its exit codes, and one line in place of a traceback."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from typing import Any, NoReturn, TextIO

import typer

from charrnn.cli.show.console import say
from charrnn.errors import CharrnnError, ConfigError

MEMORY_ADVICE = (
    "make --hidden-size, --num-layers, --members, --batch-size or --seq-len smaller, or free memory"
)


UsageError: Any = typer.BadParameter.__base__  # typer gives no other public name for it


class ExitCode(IntEnum):
    """The exit codes; those above 128 are 128 and the number of a signal, as in a shell."""

    OK = 0
    ERROR = 1
    USAGE = 2
    HANGUP = 129
    INTERRUPTED = 130
    CLOSED_PIPE = 141
    TERMINATED = 143


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what can go wrong without being a bug into one line on stderr and an exit code."""
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()  # here a full disk can still be told; at exit it cannot
    except ConfigError as error:
        end(str(error), ExitCode.USAGE)
    except UsageError as error:
        if "\n" in error.message:  # all of the help, where nothing was asked for
            raise
        from charrnn.cli.usage import usage_message

        end(usage_message(error), ExitCode.USAGE)
    except CharrnnError as error:
        end(str(error), ExitCode.ERROR)
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except MemoryError as error:
        detail = f"{error}: " if str(error) else ""
        end(f"not enough memory: {detail}{MEMORY_ADVICE}", ExitCode.ERROR)
    except OSError as error:
        if error.errno == errno.EPIPE:
            _drop_output()  # the reader of the output is gone: there is nobody to tell
            raise typer.Exit(ExitCode.CLOSED_PIPE) from None
        end(_os_message(error), ExitCode.ERROR)


def end(message: str, code: ExitCode) -> NoReturn:
    """Print ``error: message`` on stderr and leave with ``code``."""
    try:
        say(f"error: {message}", error=True)
    finally:
        _drop_output()
        raise typer.Exit(code) from None


def _os_message(error: OSError) -> str:
    if error.errno == errno.ENOMEM:
        return f"not enough memory: {MEMORY_ADVICE}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO) and not error.filename:
        return f"the output cannot be written: {error.strerror}"
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def mute(stream: TextIO) -> None:
    """Send nowhere what is written to ``stream`` from now on, and what it still holds."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _drop_output() -> None:
    """Mute the streams that take no more; at its end the interpreter would try again, loudly."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            mute(stream)
