"""Whether the held-out part is a fair test: disjoint from the training part, and like it."""

from pathlib import Path

from charrnn.config import TrainingSettings
from charrnn.data.apart import set_apart
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
"""Share of the held-out text known to the initial model from which a notice is given."""
MOSTLY = 0.5
"""Share of a text that must be known to a model for all of it to count as known; some of any text
is like another."""


def shared_of(task: Task, sides: Sides, train: TrainingSettings) -> float:
    """Return the share of the held-out text that also occurs in the training part."""
    if train.split_mode == "hashed":  # copies of an item fall on one side
        return 0.0
    return task.overlap(sides.learned, sides.held)


def are_unlike(sides: Sides, train: TrainingSettings, shared: float) -> bool:
    """Return whether the end of the text is held out and differs from the rest."""
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
    """Compare the held-out part with the training part.

    Returns
    -------
    shared : float
        The share of the held-out text that also occurs in the training part.
    unlike : bool
        Whether it is the end of the text and differs from the rest.
    notices : list of str
        What the user should know about it.
    """
    if not len(sides.held):
        return 0.0, False, []
    shared, notices = shared_of(task, sides, train), []
    unlike = are_unlike(sides, train, shared)
    if shared >= NOTABLE_OVERLAP:
        notices.append(
            f"{percent(shared, 0)} of the held-out text is also in the training part, word for "
            "word, so the validation loss partly measures memorization: remove copies, if there "
            "are any"
        )
    elif unlike:
        notices.append(
            "the end of the text, which is held out, differs from the rest: --split-mode "
            f"{task.other_split} holds out parts from all over it instead"
        )
    if start is not None:
        notices += _seen_by(start, task, sides, cache_dir)
    return shared, unlike, notices


def place_apart(
    start: Checkpoint, task: Task, sides: Sides, *, at_end: bool, cache_dir: Path | None
) -> tuple[bool, list[str]]:
    """Choose what to set apart for counts where a network starts from another.

    Its predictions are weighed there, so it should be text that the other was not trained on: the
    same piece as in that run, or what a text has grown by.

    Parameters
    ----------
    start : Checkpoint
        The other model.
    task, sides
        The task, and its text.
    at_end : bool
        Whether to set apart the end, if the model knows neither place.
    cache_dir : Path, optional
        Where a corpus too large for memory is cached.

    Returns
    -------
    at_end : bool
        Whether to set apart the end.
    notices : list of str
        What the user should know about it.
    """
    try:
        own, _ = find_own_text(start, cache_dir=cache_dir)
    except CharrnnError:
        return at_end, []  # ``compare_sides`` says so
    known = start.sides(own)
    if start.settings.counts and not start.labels:  # its network has not seen this
        known, _ = set_apart(known, start.task, at_end=start.settings.apart_at_end)
    for place in (at_end,) if task.separate or at_end else (False, True):
        _, apart = set_apart(sides, task, at_end=place)
        if _known_share(start.task, known.learned, task, apart) < MOSTLY:
            return place, []
    return at_end, [
        "the --init-from model was trained on the text that is set apart, so the counts get too "
        "little weight: train that model with --counts too"
    ]


def _seen_by(start: Checkpoint, task: Task, sides: Sides, cache_dir: Path | None) -> list[str]:
    """Return a notice if the model of --init-from was trained on some of the held-out text."""
    try:
        own, _ = find_own_text(start, cache_dir=cache_dir)
    except CharrnnError:
        return [
            "the training text of the --init-from model was not found: if it contains text that is "
            "held out here, the validation loss is too low"
        ]
    known = _known_share(start.task, start.sides(own).learned, task, sides.held)
    if known < NOTABLE_SEEN:
        return []
    return [
        f"the --init-from model was trained on {percent(known, 0)} of the text that is held out "
        "here, so the validation loss is too low"
    ]


def _known_share(before: Task, learned: Codes, task: Task, held: Codes) -> float:
    """Return the share of a held-out text that another task trained on."""
    if isinstance(task, LabelTask | TagTask) and not before.labels:  # without labels
        held, task = task.texts_alone(held), SeparateItems("line", LINE_END)
    elif isinstance(task, RestoringTask):  # compare the original texts
        task = SeparateItems(task.items, task.end)
    if isinstance(before, LabelTask) and isinstance(task, LabelTask):
        return task.overlap(learned, held)
    same = (before.items, before.end) == (task.items, task.end) and not before.labels
    return (task if same else RunningText()).overlap(learned, held)
