"""What was probably meant by a word that is not known."""

from collections.abc import Iterable
from difflib import get_close_matches

SHORTEST = 3
"""Letters from which on the beginning of a word stands for it."""


def similar(word: str, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """Return the known words that are most like one, at most three, the likeliest first.

    Parameters
    ----------
    word : str
        What was given. Capitals and underscores for hyphens make no difference.
    known : iterable of str
        What could have been given.
    cutoff : float
        How like a word must be whose beginning is another one: 0 for any, 1 for the same.
    """
    plain = {name.lower().replace("_", "-"): name for name in known}
    word = word.lower().replace("_", "-")
    if word in plain:
        return [plain[word]]
    begun = []
    if len(word) >= SHORTEST:
        begun = [name for name in plain if name.startswith(word)]
        begun = begun or [name for name in plain if len(name) >= SHORTEST and word.startswith(name)]
        begun = begun or [name for name in plain if word in name.split("-")]
    return [plain[name] for name in (begun or get_close_matches(word, plain, 3, cutoff))[:3]]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean X?`` for an error message; nothing where no known word is alike."""
    found = similar(word, known)
    return f"; did you mean {' or '.join(found)}?" if found else ""
