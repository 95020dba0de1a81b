"""The log of a run: its events as lines of JSON."""

import contextlib
import json
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Any

from charrnn.errors import CheckpointError
from charrnn.system.files import RegularFile, WriteError, write_whole

LOG = "log.jsonl"


def read_log(directory: Path) -> list[dict[str, Any]]:
    """Return the events of a run's log; a last line that was cut off by a crash is left out."""
    events = []
    text = b""
    with contextlib.suppress(OSError, CheckpointError), RegularFile(directory / LOG) as file:
        text = file.read()
    for line in text.decode(errors="replace").split("\n"):
        with contextlib.suppress(ValueError, RecursionError):
            event = json.loads(line)
            if isinstance(event, dict) and type(event.get("step", 0)) is int:
                events.append(event)
    return events


def _log_line(event: dict[str, Any]) -> str:
    """Return an event as JSON, which has no form for numbers that are not finite: null."""
    finite = {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in event.items()
    }
    return json.dumps(finite, allow_nan=False) + "\n"


def write_log(directory: Path, events: Iterable[dict[str, Any]]) -> None:
    """Replace the log."""
    text = "".join(map(_log_line, events))
    write_whole(directory / LOG, lambda file: file.write(text.encode()))


def append_log(directory: Path, event: dict[str, Any]) -> None:
    """Add one event to the log.

    Raises
    ------
    WriteError
        If the system does not let it; nothing of the event is in the log then.
    """
    path = directory / LOG
    try:
        with path.open("ab", buffering=0) as file:
            size = file.tell()
            try:
                line = _log_line(event).encode()
                while line:  # what has room on a full disk, and then the error
                    line = line[file.write(line) :]
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(size)
                raise
    except OSError as error:
        advice = (
            "its folder is gone: put it back and go on with --resume, or train again"
            if isinstance(error, FileNotFoundError)
            else f"the last save is intact: make room, then go on with --resume {directory}"
        )
        raise WriteError(path, error, advice) from error
