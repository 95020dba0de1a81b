"""The split that settings stand for, and the two sides of a text that it makes."""

from dataclasses import dataclass

from charrnn.config import TextConfig, TrainingSettings
from charrnn.data.splits import HashedSplit, Split
from charrnn.text.vocabulary import Codes

AnySplit = Split | HashedSplit


@dataclass(frozen=True, eq=False)
class Sides:
    """What of a text is learned from and what is held out.

    Attributes
    ----------
    learned, held : (n,) and (m,) int arrays
        Views of the text, where each is one piece of it.
    tails : tuple of int arrays
        The held-out ends of several parts, each with the character before it; empty for one part.
    """

    learned: Codes
    held: Codes
    tails: tuple[Codes, ...] = ()

    @classmethod
    def of(cls, split: AnySplit, codes: Codes) -> "Sides":
        """Cut a text."""
        if isinstance(split, HashedSplit):
            return cls(*split.both(codes))
        tails = tuple(split.tails(codes)) if split.parts > 1 and split.held_out else ()
        return cls(split.learned(codes), split.held(codes), tails)


def split_of(train: TrainingSettings, text: TextConfig, characters: int, held_out: int) -> AnySplit:
    """Return which characters of a text are learned from and which are held out.

    Parameters
    ----------
    train, text : TrainingSettings, TextConfig
        Of the run.
    characters, held_out : int
        The length of the text, and how much of it is held out.
    """
    if train.split_mode == "hashed" and held_out:
        return HashedSplit(characters, held_out, train.val_fraction, train.split_key, text.unit)
    return Split(characters, held_out, train.split_parts)
