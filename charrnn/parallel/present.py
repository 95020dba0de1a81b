"""The ranks of this process, if there are any; a single process never imports MPI."""

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
    """Return the ranks, if a launcher started this process together with others."""
    return _present.ranks


def set_current(ranks: "Ranks") -> None:
    """Set the ranks of this process."""
    _present.ranks = ranks
