"""The rule for models that label: their shape, and what holds them back.

Such a network overfits early and grows too sure of itself, so it is small, and much is dropped.
"""

import dataclasses
from dataclasses import dataclass
from math import log2

from charrnn.config import Architecture, Head, ModelConfig, TrainConfig
from charrnn.training.budget import Budget
from charrnn.training.choices import Choices, number
from charrnn.training.shaping import most_units, sized

LABEL_MINUTES = 2.0
"""A model of labels overfits early."""
LABEL_WINDOW = 1000
"""Symbols of a text that are read at once: of a longer one the beginning has the label, or each
part is labelled by itself."""
SYMBOLS_OF_STEP = 1536
"""Symbols of a batch whose symbols all have labels: as many as in a step of text."""
FEWEST_TEXTS = 8
LEAST_TEXTS = 5
"""Texts below which a held-out part says nothing."""
SIZES = ((3.0, 128), (12.0, 192), (float("inf"), 256))
"""Hidden units of each member by the minutes up to which they label best."""
MEMBERS = {"item": 3, "step": 2}
"""Networks that label a whole text, which is cheap; and those that label each symbol: two right
on 97.0 % of the held-out spaces of KAIST's sentences, one on 96.5 %, and level on KLUE's names."""
SLOWER = 3
"""How many times fewer characters a network that labels reads than one of running text: its texts
are short, and it may read them twice."""
UNHARMED, DROPOUT, MOST_DROPOUT = 3, 0.2, 0.5
"""Readings that do no harm, dropout for each doubling beyond, and the most. 20 languages, read 6
times: 94.2 % right of what is held out with 0.2, 93.1 % with 0.5. KLUE's names, read 8 times:
entity F1 72.6 % with 0.25, 70.7 % with 0.5."""
WEIGHT_DROPOUT = 0.25
"""Weight dropout, as a share of dropout."""


@dataclass(frozen=True)
class LabelFacts:
    """Of the labels that are predicted.

    Attributes
    ----------
    count : int
        C, how many there are.
    head : "step" or "item"
    directions : int
        In which a text is usually read for them.
    spaced : bool
        See ``TrainingSettings``.
    share : float
        Symbols of the texts for each character of the divided text, which has the labels too.
    """

    count: int
    head: Head
    directions: int
    spaced: bool = False
    share: float = 1.0


def enough_texts(held_out: int, characters: int, mean: float, choices: Choices) -> int:
    """Return how much of divided texts is held out: nothing, with a notice, if it is too little.

    ``mean`` is the length of a text as it is stored.
    """
    held, texts = round(held_out / mean), round(characters / mean)
    if held >= LEAST_TEXTS:
        return held_out
    if held_out:
        choices.notices.append(
            f"about {held} texts are too few to hold out, and {LEAST_TEXTS} are needed: all "
            f"{texts:,} are trained on"
        )
    return 0


def texts_of_batch(train: TrainConfig, mean: float, usual: int, choices: Choices) -> int:
    """Return the texts of a batch of which each symbol has a label."""
    texts = FEWEST_TEXTS
    while 2 * texts <= usual and 2 * texts * mean <= 1.5 * SYMBOLS_OF_STEP:
        texts *= 2
    if train.batch_size is None:
        choices.reasons.pop("batch_size", None)
    return choices.of("batch_size", train.batch_size, texts, "few texts with many labels")


def label_shape(
    model: ModelConfig, labels: LabelFacts, budget: Budget, choices: Choices
) -> Architecture:
    """Choose the network that predicts labels.

    Parameters
    ----------
    model : ModelConfig
        What the user gave.
    labels : LabelFacts
        What is predicted.
    budget : Budget
        What it learns from, and for how long.
    choices : Choices
        Takes the reasons.
    """
    members, why = MEMBERS[labels.head], "several label better than one"
    size = next(size for limit, size in SIZES if budget.usual_minutes(size) <= limit)
    minutes = budget.usual_minutes(size)
    size = min(size, most_units(budget))
    chosen = dataclasses.replace(model, hidden_size=model.hidden_size or size)
    members = choices.of("members", model.members, members, why)
    shape = sized(chosen, members, budget, choices)
    if model.hidden_size is None:
        length = "so many steps" if budget.asked else f"{number(minutes)} min"
        choices.reasons["hidden_size"] = f"labels best after {length}"
    why = "the text before it tells a label" if labels.head == "item" else "the text on both sides"
    shape = dataclasses.replace(
        shape,
        directions=choices.of("directions", model.directions, labels.directions, why),
        head=labels.head,
        num_labels=labels.count,
    )
    readings = budget.readings(shape)[0] / (1 if budget.asked else SLOWER)
    dropout = round(min(MOST_DROPOUT, DROPOUT * log2(max(1, readings / UNHARMED))), 2)
    why = f"for about {number(readings)} epochs"
    dropout = choices.of("dropout", model.dropout, dropout, why)
    weights = 0.0 if shape.context else round(WEIGHT_DROPOUT * dropout, 2)
    return dataclasses.replace(
        shape,
        dropout=dropout,
        weight_dropout=choices.of("weight_dropout", model.weight_dropout, weights, why),
    )
