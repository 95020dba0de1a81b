"""The verdict on a model, compared with guessing and with its opponents on the same text."""

from collections.abc import Sequence

from charrnn.evaluation.cost import Opponent
from charrnn.views.numbers import percent

MAX_EPOCHS = 100.0
"""Epochs after which more training does not lower the validation loss."""
NOTABLE_OVERLAP = 0.2
"""Share of a text that also occurs in the training part from which its loss partly measures
memorization."""
MOSTLY_UNKNOWN, NEAR_UNIFORM = 0.5, 0.9
"""Share of unknown characters, and of the loss of guessing, beyond which a text is unrelated."""
TIE = 0.00005
"""Nats per character that are shown as 0.0000."""


def of_model(
    nats: float | None, *, uniform: float, unigram: float | None = None, noun: str = "character"
) -> str:
    """Return a sentence if a model predicts a text no better than guessing, or an empty string.

    Parameters
    ----------
    nats : float or None
        The model's loss per character; None if unknown.
    uniform : float
        Loss of the uniform distribution, ``ln V``.
    unigram : float, optional
        Loss of the character frequencies of the training part on the same text.
    noun : str
        The name of one symbol.
    """
    if nats is None:
        return ""
    if nats > uniform:
        return f"this model needs {nats:.2f} nats per {noun}, and guessing {uniform:.2f}"
    if unigram is not None and nats > unigram:
        return (
            f"this model needs {nats:.3f} nats per {noun}, and {noun} frequencies alone "
            f"{unigram:.3f}"
        )
    return ""


def is_foreign(nats: float, *, uniform: float, unknown: float) -> bool:
    """Return whether a text is unrelated to a model's training text.

    Parameters
    ----------
    nats, uniform : float
        The loss per character of the model, and of guessing.
    unknown : float
        Share of unknown characters.
    """
    return unknown > MOSTLY_UNKNOWN or nats > NEAR_UNIFORM * uniform


def against(
    nats: float,
    opponents: Sequence[Opponent],
    *,
    shared: float = 0.0,
    longer_helps: bool = True,
    noun: str = "character",
    adapts: bool = False,
) -> str:
    """Return whether a model beats its opponents, in words.

    Parameters
    ----------
    nats : float
        The model's loss per character.
    opponents : sequence of Opponent
        The opponents on the same text, the best first.
    shared : float
        Share of the scored text that also occurs in the training part.
    longer_helps : bool
        Whether more training could still lower the model's loss.
    noun : str
        As in ``of_model``.
    adapts : bool
        Whether adaptation is already used, so that it is not suggested.

    Returns
    -------
    str
        One or two sentences: the best opponent, who wins, and what to do if it is not the model.
    """
    best, see = opponents[0], "" if adapts else ": see --adapt"
    if best.kind == "adapting" and best.nats_per_char <= nats and len(opponents) > 1:
        words = against(
            nats,
            opponents[1:],
            shared=shared,
            longer_helps=longer_helps,
            noun=noun,
            adapts=adapts,
        )
        margin = nats - best.nats_per_char
        return (
            f"{words}; but {best.name}, which learn from this text as they score it, need "
            f"{margin:.4f} nats less{see}"
        )
    special = {"compressor": best.name, "uniform": "guessing", "unigram": f"{noun} frequencies"}
    name = special.get(best.kind, f"the {best.name}")
    margin = abs(best.nats_per_char - nats)
    if margin < TIE:
        return f"the model predicts this text as well as {name}"
    if nats < best.nats_per_char:
        return f"the model predicts this text best, {margin:.4f} nats ahead of {name}"
    by_kind = {opponent.kind: opponent.nats_per_char for opponent in opponents}
    if nats > by_kind.get("uniform", nats):
        if shared >= NOTABLE_OVERLAP:
            return f"guessing predicts this text better, by {margin:.4f} nats: train longer"
        return "guessing predicts this text better: the model was trained on something else"
    if nats > by_kind.get("unigram", nats):
        return (
            f"{noun} frequencies predict this text better: what the model learned does not apply "
            "to it"
        )
    if best.kind == "compressor":
        return (
            f"{name} needs {margin:.4f} nats less: this text repeats itself or the training text, "
            f"and compressors copy what they have read{see}"
        )
    if shared >= NOTABLE_OVERLAP:
        why = f"{percent(shared, 0)} of it is in the training text, which the n-grams store in full"
    elif longer_helps:
        why = "train longer, or train a larger model"
    else:
        why = "counting needs less text than a network, so more text would help most"
    return f"{name} predicts this text better, by {margin:.4f} nats: {why}"
