"""Facts about the items of a new run for its recipe, and notices about them."""

import dataclasses
from math import ceil

import numpy as np

from charrnn.data.dividing import SEPARATORS, is_line
from charrnn.data.items import lengths_of
from charrnn.data.labels.task import LabelledTask
from charrnn.data.labels.tasks import TagTask
from charrnn.data.task import Task
from charrnn.data.tasks import PromptedItems
from charrnn.errors import ConfigError
from charrnn.text.codes import Codes
from charrnn.training.labelling import LabelFacts
from charrnn.training.recipe import ItemFacts, Recipe


def facts_of(codes: Codes, held_apart: int, task: Task) -> ItemFacts | None:
    """Return the facts that the recipe needs about the items of a divided text, if it has any.

    Raises
    ------
    ConfigError
        If there are fewer than two, or all are in files that are held out.
    """
    if not task.separate:
        return None
    lengths = lengths_of(codes, task.end)
    if isinstance(task, LabelledTask):
        lengths = task.lengths(codes)
    if isinstance(task, LabelledTask) and len(lengths) < 2:
        raise ConfigError(
            f"there are too few texts to train on ({len(lengths)}), and at least 2 are needed: "
            "name more text; tagged sentences are separated by an empty line"
        )
    if len(lengths) < 2:
        found = "1 item" if len(lengths) else "no item"
        raise ConfigError(
            f"--items {_shown(task.items)} finds {found} in this text, and at least 2 are needed: "
            "divide it differently, or leave the option out"
        )
    if held_apart == len(codes):
        raise ConfigError(
            "there is no item to train on, only blank text: name other files to train on"
        )
    longest = int(lengths.max()) - (not isinstance(task, LabelledTask))  # without its end
    return ItemFacts(task.items, task.end, float(lengths.mean()), longest)


def with_labels(
    task: LabelledTask, codes: Codes, *, divided: bool
) -> tuple[LabelledTask, LabelFacts, list[str]]:
    """Return a task with the labels of a text, the facts that the recipe needs, and notices.

    Parameters
    ----------
    task : LabelledTask
        The task.
    codes : (n,) int array
        The text.
    divided : bool
        Whether its texts will be divided into two parts, not by their files.

    Raises
    ------
    ConfigError
        If nothing can be learned from the labels.
    """
    notices = task.checked(codes, divided=divided)
    task = task.fitted(codes)
    spaced = isinstance(task, TagTask) and task.spaced
    share = float(task.lengths(codes).sum()) / len(codes)
    facts = LabelFacts(len(task.labels), task.head, task.usual_directions, spaced, share)
    return task, facts, notices


def recipe_of_items(
    recipe: Recipe, learned: Codes, held: Codes, task: Task, epochs: float | None
) -> Recipe:
    """Return the recipe with epochs counted in steps, and notices about the items."""
    train, notice = recipe.train, ""
    if isinstance(task, PromptedItems):
        notice = f"each item is predicted from its prompt, which ends with {task.border_name}"
    notices = list(recipe.notices)
    if isinstance(task, LabelledTask):
        notices += _labels_apart(task, learned, held)
        notice = _long_texts(task, learned, train.seq_len)
    if epochs is not None:
        steps = max(1, ceil(epochs * task.steps_per_pass(learned, train)))
        train = dataclasses.replace(train, steps=steps)
    notices += [notice] if notice else []
    return dataclasses.replace(recipe, train=train, notices=tuple(notices))


def _labels_apart(task: LabelledTask, learned: Codes, held: Codes) -> list[str]:
    """Return notices of labels that occur on one side of the split only."""
    if not len(held):
        return []
    sides = [task.known_labels(side) for side in (learned, held)]
    notices = []
    several = task.labels_of_several_texts(learned)
    if untested := sorted((sides[0] - sides[1]) & several):
        are, it = ("label is", "it") if len(untested) == 1 else ("labels are", "them")
        notices.append(
            f"{len(untested):,} {are} trained on but not tested, as no held-out text has {it}: "
            f"{_listed(untested)}"
        )
    if unlearned := sorted(sides[1] - sides[0]):
        one = len(unlearned) == 1
        are, them = ("label is", "it") if one else ("labels are", "them")
        notices.append(
            f"{len(unlearned):,} {are} only in the held-out part, so no model can learn {them}: "
            f"{_listed(unlearned)}"
        )
    return notices


def _listed(labels: list[str]) -> str:
    more = f" and {len(labels) - 5:,} more" if len(labels) > 5 else ""
    return ", ".join(f"{label:.40}" for label in labels[:5]) + more


def _long_texts(task: LabelledTask, learned: Codes, seq_len: int) -> str:
    """Return a notice on texts that do not fit in a window, if there are any."""
    long = int(np.count_nonzero(task.lengths(learned) > seq_len))
    if not long:
        return ""
    what = "each is labelled in pieces, with some context on either side"
    if task.head == "item":
        what = "only the beginning of each is read"
    texts = "text has" if long == 1 else "texts have"
    return f"{long:,} {texts} more than {seq_len:,} characters (--seq-len): {what}"


def division_words(items: str) -> str:
    """Return what an item is, for items that are neither lines nor files."""
    words = {"blank-line": "text between blank lines"}
    lines = "lines of " if is_line(items) else ""
    return words.get(items, f"text between {lines}{_shown(items)}")


def _shown(items: str) -> str:
    """Return a division as the user gave it, with a separator in quotes."""
    return items if items in SEPARATORS else repr(items.strip("\n") if is_line(items) else items)
