"""The log of a run: its events, one JSON object per line."""

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
    """Return the events in the log of a run, without a last line that a crash has cut off."""
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
    """Return an event as a line of JSON; numbers that are not finite become null."""
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
    """Append an event to the log.

    Raises
    ------
    WriteError
        If the log cannot be written; then no part of the event is in it.
    """
    path = directory / LOG
    try:
        with path.open("ab", buffering=0) as file:
            size = file.tell()
            try:
                line = _log_line(event).encode()
                while line:  # on a full disk a part may be written before the error
                    line = line[file.write(line) :]
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(size)
                raise
    except OSError as error:
        advice = (
            "its folder is missing: put it back and resume with --resume, or train again"
            if isinstance(error, FileNotFoundError)
            else f"the last save is intact: free some space, then resume with --resume {directory}"
        )
        raise WriteError(path, error, advice) from error
