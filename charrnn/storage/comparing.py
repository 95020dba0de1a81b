"""Comparing runs: their settings, their texts and their results."""

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
"""Determines which characters or labels are held out, and what a loss is per."""


def split_of(run: Checkpoint) -> str:
    """Return a key that is the same for runs whose losses can be compared: all of ``SPLIT``."""
    return repr([part(run) for part in SPLIT.values()])


@dataclass(frozen=True)
class Comparison:
    """How runs differ.

    Attributes
    ----------
    runs : list of RunSummary
    settings : dict of str to list
        For each setting that differs, its value in each run.
    unlike : list of str
        The parts of ``SPLIT`` that differ; losses can be compared if it is empty.
    """

    runs: list[RunSummary]
    settings: dict[str, list[Any]]
    unlike: list[str]

    @property
    def reads_otherwise(self) -> bool:
        """Whether the runs read the same text in different symbols, such as bytes or jamo."""
        as_text = all(run.predict == "text" for run in self.runs)
        others = len({run.per for run in self.runs}) > 1
        return as_text and others and {"reading"} <= {*self.unlike} <= {"reading", "split"}


def compare_runs(names: Sequence[str]) -> Comparison:
    """Compare runs by their descriptions; no weights are read.

    Parameters
    ----------
    names : sequence of str
        Names of runs under ./runs, their folders, or checkpoints.

    Raises
    ------
    RunError
        If there is no such run.
    CheckpointError
        If a file is damaged or not a checkpoint.
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
    """Return the newest state of a run, or a checkpoint."""
    with contextlib.suppress(OSError, ValueError):  # not a valid file name
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
