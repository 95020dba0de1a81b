"""The loss of a model or an opponent on a text, in every unit."""

from dataclasses import asdict, dataclass
from math import exp, isnan, log, nan
from typing import Any, Literal

OpponentKind = Literal["uniform", "unigram", "ngram", "adapting", "compressor"]


def mean_of(total: float, count: int) -> float:
    """Return a mean; NaN for a count of 0, as in NumPy."""
    return total / count if count else nan


def perplexity_of(nats_per_char: float) -> float:
    """Return ``exp`` of a mean, limited to the largest float."""
    return exp(min(nats_per_char, 700.0))


@dataclass(frozen=True)
class Cost:
    """The loss on a text; the means of an empty text are NaN.

    Attributes
    ----------
    total_nats : float
        The negative log-probability of the text.
    characters : int
        Symbols scored; ``num_bytes`` is their length in UTF-8.
    """

    total_nats: float
    characters: int
    num_bytes: int

    @property
    def nats_per_char(self) -> float:
        """Mean negative log-probability per character, natural logarithm."""
        return mean_of(self.total_nats, self.characters)

    @property
    def bits_per_char(self) -> float:
        """The same with logarithms to base 2."""
        return self.nats_per_char / log(2)

    @property
    def bits_per_byte(self) -> float:
        """Bits for the whole text divided by its bytes: comparable between vocabularies."""
        return mean_of(self.total_nats / log(2), self.num_bytes)

    @property
    def perplexity(self) -> float:
        """``exp(nats_per_char)``, per character."""
        return perplexity_of(self.nats_per_char)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types; NaN becomes null."""
        means = {
            "nats_per_char": self.nats_per_char,
            "bits_per_char": self.bits_per_char,
            "bits_per_byte": self.bits_per_byte,
            "perplexity": self.perplexity,
        }
        shown = {name: None if isnan(mean) else mean for name, mean in means.items()}
        return {**shown, **asdict(self)}


@dataclass(frozen=True)
class Opponent(Cost):
    """The loss of an opponent on the same text; ``kind`` is its type, ``name`` its name."""

    name: str
    kind: OpponentKind
