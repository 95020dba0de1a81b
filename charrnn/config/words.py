"""Numbers of things, and shapes of networks, in words."""

import re
from collections.abc import Sequence

from charrnn.config.model import Architecture

NO_PLURAL = ("jamo",)


def plural(noun: str, number: int = 2) -> str:
    """Return a noun as it stands after a number: ``byte``, ``bytes``, ``jamo``."""
    return noun if number == 1 or noun in NO_PLURAL else f"{noun}s"


def count(number: int, noun: str) -> str:
    """Return ``1 step``, ``2,000 steps``."""
    return f"{number:,} {plural(noun, number)}"


def with_noun(words: str, noun: str) -> str:
    """Return a sentence about characters as one about what a model reads: bytes, or jamo."""
    return re.sub(
        r"\bcharacter(s?)\b", lambda match: plural(noun, 2 if match.group(1) else 1), words
    )


def listing(names: Sequence[str], most: int = 10) -> str:
    """Return ``a, b, c``; with more than ``most`` names, ``a, b, c and 5 more``."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shape(model: Architecture) -> str:
    """Return ``gru 1x256``, ``gru 2 x 1x256``."""
    members = f"{model.members} x " if model.members > 1 else ""
    both = " in both directions" if model.directions > 1 else ""
    return f"{model.cell} {members}{model.num_layers}x{model.hidden_size}{both}"


def long_shape(model: Architecture) -> str:
    """Return ``gru, 1 layer of 256``, ``window of 8, 2 members, each 1 layer of 256``."""
    members = f"{model.members} members, each " if model.members > 1 else ""
    both = " in both directions" if model.directions > 1 else ""
    cell = f"{model.cell} of {model.context}" if model.context else model.cell
    cell += " with relu" if model.nonlinearity == "relu" else ""
    return f"{cell}, {members}{count(model.num_layers, 'layer')} of {model.hidden_size}{both}"
