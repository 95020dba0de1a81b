"""The rule for models that label: their shape and regularization.

Such networks overfit early and become overconfident, so they are small, with much dropout.
"""

import dataclasses
from dataclasses import dataclass
from math import log2

from charrnn.config import Architecture, Head, ModelConfig, TrainConfig
from charrnn.evaluation.verdict import MAX_EPOCHS
from charrnn.training.budget import Budget
from charrnn.training.choices import Choices, number
from charrnn.training.shaping import most_units, sized

LABEL_MINUTES = 2.0
"""Default length of a run, in minutes: a model of labels overfits early."""
LABEL_WINDOW = 1000
"""Most symbols of a text in one window. Of a longer text only the beginning is read, or each piece
is labelled separately."""
SYMBOLS_OF_STEP = 1536
"""Symbols in a batch where every symbol has a label, as in a step on running text."""
FEWEST_TEXTS = 8
LEAST_TEXTS = 5
"""Fewest texts worth holding out."""
SIZES = ((3.0, 128), (12.0, 192), (float("inf"), 256))
"""Best number of hidden units per member, by the length of the run in minutes."""
MEMBERS = {"item": 3, "step": 2}
"""Ensemble members that label a whole text, which is cheap, or each symbol: two members get 97.0 %
of the held-out spaces of KAIST's sentences right, one 96.5 %; on KLUE's named entities they tie."""
USEFUL_EPOCHS, USEFUL_STEPS = 24, 2000
"""Epochs that a run of minutes has at most, unless so many steps are more: in more, the best state
comes before the learning rate has fallen."""
SLOWER = 3
"""How many times fewer characters per second a labelling network reads than a language model: its
texts are short, and it may read them in both directions."""
UNHARMED, DROPOUT, MOST_DROPOUT = 3, 0.2, 0.5
"""Epochs that need no dropout, dropout per doubling beyond, and its limit. 20 languages, 6 epochs:
held-out accuracy 94.2 % with 0.2, 93.1 % with 0.5. KLUE's named entities, 8 epochs: entity F1
72.6 % with 0.25, 70.7 % with 0.5."""
WEIGHT_DROPOUT = 0.25
"""Weight dropout as a fraction of dropout."""


@dataclass(frozen=True)
class LabelFacts:
    """Facts about the labels to predict.

    Attributes
    ----------
    count : int
        C, the number of labels.
    head : "step" or "item"
    directions : int
        The default number of directions in which a text is read.
    spaced : bool
        See ``TrainingSettings``.
    share : float
        Symbols of the texts per character of the divided text, which includes the labels.
    """

    count: int
    head: Head
    directions: int
    spaced: bool = False
    share: float = 1.0


def enough_texts(held_out: int, characters: int, mean: float, choices: Choices) -> int:
    """Return how many characters are held out: none, with a notice, if there are too few texts.

    ``mean`` is the length of a text as it is stored.
    """
    held, texts = round(held_out / mean), round(characters / mean)
    if held >= LEAST_TEXTS:
        return held_out
    if held_out:
        choices.notices.append(
            f"nothing is held out: it would be about {held} texts, and at least {LEAST_TEXTS} are "
            f"needed; all {texts:,} are trained on: raise --val-fraction, or try another "
            "--split-key"
        )
    choices.notices.append(
        "without a held-out part, no n-grams are mixed in and probabilities are not calibrated"
    )
    return 0


def texts_of_batch(train: TrainConfig, mean: float, usual: int, choices: Choices) -> int:
    """Return the number of texts in a batch where every symbol has a label."""
    texts = FEWEST_TEXTS
    while 2 * texts <= usual and 2 * texts * mean <= 1.5 * SYMBOLS_OF_STEP:
        texts *= 2
    if train.batch_size is None:
        choices.reasons.pop("batch_size", None)
    return choices.of("batch_size", train.batch_size, texts, "few texts have many labels")


def label_epochs(train: TrainConfig, steps_per_epoch: float, choices: Choices) -> float:
    """Return after how many epochs a run of minutes ends."""
    epochs = min(MAX_EPOCHS, max(USEFUL_EPOCHS, round(USEFUL_STEPS / steps_per_epoch)))
    return choices.of("max_epochs", train.max_epochs, epochs, "more epochs overfit")


def label_shape(
    model: ModelConfig, labels: LabelFacts, budget: Budget, choices: Choices
) -> Architecture:
    """Choose the shape of a network that predicts labels.

    Parameters
    ----------
    model : ModelConfig
        The user's settings.
    labels : LabelFacts
        The labels to predict.
    budget : Budget
        The text and the time.
    choices : Choices
        Collects the reasons.
    """
    members, why = MEMBERS[labels.head], "an ensemble labels better than one network"
    size = next(size for limit, size in SIZES if budget.usual_minutes(size) <= limit)
    minutes = budget.usual_minutes(size)
    size = min(size, most_units(budget))
    chosen = dataclasses.replace(model, hidden_size=model.hidden_size or size)
    members = choices.of("members", model.members, members, why)
    shape = sized(chosen, members, budget, choices)
    if model.hidden_size is None:
        length = "this many steps" if budget.asked else f"{number(minutes)} min"
        choices.reasons["hidden_size"] = f"labels best after {length}"
    whole = labels.head == "item"
    why = "the whole text precedes its label" if whole else "uses the text on both sides"
    shape = dataclasses.replace(
        shape,
        directions=choices.of("directions", model.directions, labels.directions, why),
        head=labels.head,
        num_labels=labels.count,
    )
    epochs = budget.readings(shape)[0] / (1 if budget.asked else SLOWER)
    dropout = round(min(MOST_DROPOUT, DROPOUT * log2(max(1, epochs / UNHARMED))), 2)
    why = f"for about {number(epochs)} epochs"
    dropout = choices.of("dropout", model.dropout, dropout, why)
    weights = 0.0 if shape.context else round(WEIGHT_DROPOUT * dropout, 2)
    return dataclasses.replace(
        shape,
        dropout=dropout,
        weight_dropout=choices.of("weight_dropout", model.weight_dropout, weights, why),
    )
