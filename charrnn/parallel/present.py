"""The ranks of this process, if it has any: a process that is alone imports nothing of theirs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charrnn.parallel.ranks import Ranks


@dataclass
class _Present:
    """The ranks of this process."""

    ranks: "Ranks | None" = None


_present = _Present()


def current() -> "Ranks | None":
    """Return the ranks, where a launcher started this process with others."""
    return _present.ranks


def set_current(ranks: "Ranks") -> None:
    """Let these be the ranks of this process from now on."""
    _present.ranks = ranks
