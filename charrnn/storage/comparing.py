"""How runs differ: in their settings, their texts and what came of them."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.storage.checkpoint import Checkpoint, load
from charrnn.storage.folder import BEST, LAST, RUNS, find_model
from charrnn.storage.listing import RunSummary, summary_of
from charrnn.text.sources import fingerprint

SPLIT: dict[str, Callable[[Checkpoint], Any]] = {
    "text": lambda run: fingerprint(run.sources),
    "reading": lambda run: (run.text, run.characters),
    "task": lambda run: (
        run.settings.predict,
        run.settings.columns,
        run.settings.prompted,
        run.settings.items,
        run.settings.item_end,
        run.labels,
    ),
    "split": lambda run: (
        run.held_out,
        run.settings.split_mode,
        run.settings.split_key,
        run.settings.val_files,
        run.settings.split_parts,
    ),
}
"""What decides which characters or labels are held out and how a loss counts them."""


def split_of(run: Checkpoint) -> str:
    """Return what is the same of runs whose losses can be compared: all of ``SPLIT``."""
    return repr([part(run) for part in SPLIT.values()])


@dataclass(frozen=True)
class Comparison:
    """How runs differ.

    Attributes
    ----------
    runs : list of RunSummary
    settings : dict of str to list
        The value of each run, of the settings that are not the same in all of them.
    unlike : list of str
        Of ``SPLIT`` what differs; losses can be compared where nothing does.
    """

    runs: list[RunSummary]
    settings: dict[str, list[Any]]
    unlike: list[str]

    @property
    def reads_otherwise(self) -> bool:
        """Whether the runs learned one text in other symbols: bytes, or letters in parts."""
        as_text = all(run.predict == "text" for run in self.runs)
        others = len({run.per for run in self.runs}) > 1
        return as_text and others and {"reading"} <= {*self.unlike} <= {"reading", "split"}


def compare_runs(names: Sequence[str]) -> Comparison:
    """Compare runs by their descriptions; no weights are read.

    Parameters
    ----------
    names : sequence of str
        Of runs under ./runs, or their folders, or checkpoints.

    Raises
    ------
    RunError
        If there is no such run.
    CheckpointError
        If a file is damaged or no checkpoint.
    """
    files = [_file_of(name) for name in names]
    checkpoints = [load(file, arrays=False) for file in files]
    summaries = [
        summary_of(file.parent, checkpoint, file.stat().st_mtime)
        for file, checkpoint in zip(files, checkpoints, strict=True)
    ]
    each = [_settings(checkpoint) for checkpoint in checkpoints]
    columns = {name: [settings[name] for settings in each] for name in each[0]}
    unlike = [what for what, part in SPLIT.items() if _differ([part(run) for run in checkpoints])]
    return Comparison(
        summaries, {name: values for name, values in columns.items() if _differ(values)}, unlike
    )


def _file_of(name: str) -> Path:
    """Return the newest state of a run, which need not have a best one, or a checkpoint."""
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have
        for directory in (Path(name), RUNS / name):
            for file in (LAST, BEST):
                if (directory / file).is_file():
                    return directory / file
    return find_model(name)


def _settings(checkpoint: Checkpoint) -> dict[str, Any]:
    groups = (
        checkpoint.architecture,
        checkpoint.settings,
        checkpoint.validation,
        checkpoint.text,
    )
    return {name: value for group in groups for name, value in group.to_json().items()}


def _differ(values: Sequence[Any]) -> bool:
    return any(value != values[0] for value in values)
