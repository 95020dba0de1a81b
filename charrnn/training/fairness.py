"""Whether the held-out part of a text is a fair test: apart from the rest, and like it."""

from pathlib import Path

from charrnn.config import TrainingSettings
from charrnn.data.labels.tasks import LabelTask, RestoringTask, TagTask
from charrnn.data.likeness import end_is_unlike
from charrnn.data.sides import Sides
from charrnn.data.task import Task
from charrnn.data.tasks import RunningText, SeparateItems
from charrnn.errors import CharrnnError
from charrnn.evaluation.verdict import NOTABLE_OVERLAP
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.own_text import find_own_text
from charrnn.text.codes import LINE_END, Codes
from charrnn.views.numbers import percent

NOTABLE_SEEN = 0.01
"""Share of the held-out text from which on a model to start from knows too much of it."""


def shared_of(task: Task, sides: Sides, train: TrainingSettings) -> float:
    """Return the share of the held-out text that is also learned from."""
    if train.split_mode == "hashed":  # copies of an item fall on one side
        return 0.0
    return task.overlap(sides.learned, sides.held)


def are_unlike(sides: Sides, train: TrainingSettings, shared: float) -> bool:
    """Return whether the end of the text is held out, and unlike the rest."""
    if train.split_mode != "contiguous" or shared >= NOTABLE_OVERLAP:
        return False
    return end_is_unlike(sides.learned, sides.held)


def compare_sides(
    task: Task,
    sides: Sides,
    train: TrainingSettings,
    start: Checkpoint | None,
    cache_dir: Path | None,
) -> tuple[float, bool, list[str]]:
    """Compare what is held out with what is learned from.

    Returns
    -------
    shared : float
        The share of the held-out text that is also learned from.
    unlike : bool
        Whether it is the end of the text, and unlike the rest.
    notices : list of str
        What the user should be told of it.
    """
    if not len(sides.held):
        return 0.0, False, []
    shared, notices = shared_of(task, sides, train), []
    unlike = are_unlike(sides, train, shared)
    if shared >= NOTABLE_OVERLAP:
        notices.append(
            f"{percent(shared, 0)} of the held-out text is also in the training part, word for "
            "word, so its loss tells in part how well the model remembers: remove copies, if there "
            "are any"
        )
    elif unlike:
        notices.append(
            "the end of the text, which is held out, is unlike the rest: --split-mode "
            f"{task.other_split} holds out parts from all over it instead"
        )
    if start is not None:
        notices += _seen_by(start, task, sides, cache_dir)
    return shared, unlike, notices


def _seen_by(start: Checkpoint, task: Task, sides: Sides, cache_dir: Path | None) -> list[str]:
    """Say what of the held-out text the model to start from was trained on."""
    try:
        own, _ = find_own_text(start, cache_dir=cache_dir)
    except CharrnnError:
        return [
            "the text of the model of --init-from is not found: if it had any of the text that is "
            "held out here, the validation loss is too low"
        ]
    known = _known_share(start.task, start.sides(own).learned, task, sides.held)
    if known < NOTABLE_SEEN:
        return []
    return [
        f"the model of --init-from was trained on {percent(known, 0)} of the text that is held out "
        "here: the validation loss is too low"
    ]


def _known_share(before: Task, learned: Codes, task: Task, held: Codes) -> float:
    """Return the share of a held-out text that another task has learned from."""
    if isinstance(task, LabelTask | TagTask) and not before.labels:  # texts without their labels
        held, task = task.texts_alone(held), SeparateItems("line", LINE_END)
    elif isinstance(task, RestoringTask):  # the whole of its texts, before anything is taken out
        task = SeparateItems(task.items, task.end)
    if isinstance(before, LabelTask) and isinstance(task, LabelTask):
        return task.overlap(learned, held)
    same = (before.items, before.end) == (task.items, task.end) and not before.labels
    return (task if same else RunningText()).overlap(learned, held)
