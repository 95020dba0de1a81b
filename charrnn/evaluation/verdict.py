"""How good a model is, in words: by what guessing and its opponents make of the same text."""

from collections.abc import Sequence

from charrnn.evaluation.cost import Opponent
from charrnn.views.numbers import percent

MAX_EPOCHS = 100.0
"""Epochs after which no further one lowers the loss of what is held out."""
NOTABLE_OVERLAP = 0.2
"""Share of a text that is learned from too, from which on its loss is in part one of
remembering."""
MOSTLY_UNKNOWN, NEAR_UNIFORM = 0.5, 0.9
"""Share of unknown characters, and of the loss of guessing, beyond which a text is foreign."""


def of_model(
    nats: float | None, *, uniform: float, unigram: float | None = None, noun: str = "character"
) -> str:
    """Say that a model knows nothing of a text; empty for one that does.

    Parameters
    ----------
    nats : float or None
        What a character costs it; None where that is not known.
    uniform : float
        Nats of the uniform distribution, ``ln V``.
    unigram : float, optional
        Nats of the same text by how frequent each character is in training.
    noun : str
        What a character is called, as the model reads them.
    """
    if nats is None:
        return ""
    if nats > uniform:
        return f"a {noun} costs this model {nats:.2f} nats, and guessing {uniform:.2f}"
    if unigram is not None and nats > unigram:
        return (
            f"a {noun} costs this model {nats:.3f} nats, and {unigram:.3f} by how frequent "
            f"each {noun} is"
        )
    return ""


def is_foreign(nats: float, *, uniform: float, unknown: float) -> bool:
    """Return whether a text has nothing to do with what a model was trained on.

    Parameters
    ----------
    nats, uniform : float
        What a character of it costs the model, and guessing.
    unknown : float
        Share of its characters that the model does not know.
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
    """Say whether a model is worth more than counting.

    Parameters
    ----------
    nats : float
        What a character costs the model.
    opponents : sequence of Opponent
        What the same characters cost them, the best first.
    shared : float
        Share of the scored text that is also in the training part.
    longer_helps : bool
        Whether the model could still gain from more training.
    noun : str
        As of ``of_model``.
    adapts : bool
        Whether it was asked for that anything learns from the text, so that it is no advice.

    Returns
    -------
    str
        A sentence or two: which opponent is the best, who wins, and what to do if not the model.
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
            f"{words}; but {best.name}, which learn from this text as they read, need "
            f"{margin:.4f} nats less{see}"
        )
    name = best.name if best.kind == "compressor" else f"the {best.name}"
    margin = abs(best.nats_per_char - nats)
    if nats < best.nats_per_char:
        return f"the model predicts this text best, {margin:.4f} nats ahead of {name}"
    by_kind = {opponent.kind: opponent.nats_per_char for opponent in opponents}
    if nats > by_kind.get("uniform", nats):
        return "guessing predicts this text better: the model was trained on something else"
    if nats > by_kind.get("unigram", nats):
        return (
            f"how frequent each {noun} is predicts this text better: the model learned nothing "
            "that holds for it"
        )
    if best.kind == "compressor":
        return (
            f"{name} needs {margin:.4f} nats less: this text repeats itself or the training text, "
            f"and compressors copy what they have read{see}"
        )
    if shared >= NOTABLE_OVERLAP:
        why = f"{percent(shared, 0)} of it is in the training text, which an n-gram has in full"
    elif longer_helps:
        why = "train longer, or a larger model"
    else:
        why = "counting needs less text than a network does: more text would help most"
    return f"{name} predicts this text better, by {margin:.4f} nats: {why}"
