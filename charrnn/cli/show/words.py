"""Numbers and texts, formatted for people."""

import math
import shlex
from collections.abc import Sequence
from typing import Any

from charrnn.config.words import count as count
from charrnn.config.words import listing as listing
from charrnn.config.words import long_shape as long_shape
from charrnn.config.words import shape as shape
from charrnn.views.numbers import percent

_BLOCKS = "▁▂▃▄▅▆▇█"


def bits(nats: float) -> float:
    """Return nats as bits."""
    return nats / math.log(2)


def scored_unit(predict: str, noun: str = "character") -> str:
    """Return what a loss is per: a label, a tag, or what a model reads one at a time."""
    return {"label": "label", "tags": "tag"}.get(predict, noun)


def loss(nats: float | None) -> str:
    """Return a loss in both units: ``1.523 nats 2.197 bits``."""
    return "-" if nats is None else f"{short(nats)} nats {short(bits(nats))} bits"


def share_right(
    mixed: float | None, network: float | None, *, has_ngrams: bool, what: str = "right"
) -> str:
    """Return the accuracy of what ``predict`` uses: ``98.2 % right (network alone 63.6 %)``.

    Parameters
    ----------
    mixed, network : float or None
        The accuracy of a network mixed with n-grams and of the network alone, if known; not both
        are None.
    has_ngrams : bool
        Whether n-grams are mixed in at the end of the run.
    what : str
        What follows the share.
    """
    if mixed is None:
        return f"{percent(network or 0.0)} {what}" + " (network alone)" * has_ngrams
    lead, alone = percent(mixed), percent(mixed if network is None else network)
    return f"{lead} {what}" + f" (network alone {alone})" * (alone != lead)


def short(value: float) -> str:
    """Return a number with three decimals, or in powers of ten where it is huge."""
    return f"{value:.3f}" if abs(value) < 10_000 else f"{value:.2e}"


NONE_BY_ZERO = ("context", "embedding_size", "num_labels", "val_files", "steps", "minutes")
"""Settings where 0 means that there is none."""


def setting_value(name: str, value: Any) -> str:
    """Return the value of a decided setting; ``-`` where it has none."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "" or (value == 0 and name in NONE_BY_ZERO):
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)


def shortened(text: str, most: int = 40) -> str:
    """Return a text as one line of at most ``most`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3].rstrip()}..."


def clock(seconds: float) -> str:
    """Return a time as ``m:ss`` or ``h:mm:ss``."""
    if not math.isfinite(seconds):
        return "-:--"
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def duration(seconds: float) -> str:
    """Return a time as ``8.2 s`` or ``m:ss``."""
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)


def minutes(value: float) -> str:
    """Return a length in minutes, or in seconds where that reads better."""
    return f"{value:g} min" if value >= 1 else f"{value * 60:.3g} s"


def size(number: float) -> str:
    """Return a number of bytes as ``812 B``, ``1.4 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return (
                f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
            )
        number /= 1000
    return f"{number:.1f} TB"


def age(seconds: float) -> str:
    """Return how long ago something was: ``3 min``, ``2 days``."""
    for unit, length in (("day", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            number = int(seconds // length)
            return count(number, "day") if unit == "day" else f"{number} {unit}"
    return f"{max(0, int(seconds))} s"


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """Return a curve of ``values`` as one line of block characters."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    if len(finite) > width:
        finite = [finite[i * (len(finite) - 1) // (width - 1)] for i in range(width)]
    low, high = min(finite), max(finite)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round((value - low) * scale)] for value in finite)


def command_line(*words: object) -> str:
    """Return a command line that can be pasted into a shell."""
    return shlex.join(str(word) for word in words)
