"""What a text costs a model, in every unit, and what it costs an opponent of the model."""

from dataclasses import asdict, dataclass
from math import exp, log
from typing import Any, Literal

OpponentKind = Literal["uniform", "unigram", "ngram", "adapting", "compressor"]


@dataclass(frozen=True)
class Cost:
    """What a text costs.

    Attributes
    ----------
    total_nats : float
        The negative log-probability of the text.
    characters : int
        Symbols scored; ``num_bytes`` is what they take in UTF-8.
    """

    total_nats: float
    characters: int
    num_bytes: int

    @property
    def nats_per_char(self) -> float:
        """Mean negative log-probability of a character, natural logarithm."""
        return self.total_nats / self.characters

    @property
    def bits_per_char(self) -> float:
        """The same with logarithms to base 2."""
        return self.nats_per_char / log(2)

    @property
    def bits_per_byte(self) -> float:
        """Bits for the whole text over its bytes: comparable between vocabularies."""
        return self.total_nats / log(2) / self.num_bytes

    @property
    def perplexity(self) -> float:
        """``exp(nats_per_char)``, per character."""
        return exp(min(self.nats_per_char, 700))

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {
            "nats_per_char": self.nats_per_char,
            "bits_per_char": self.bits_per_char,
            "bits_per_byte": self.bits_per_byte,
            "perplexity": self.perplexity,
            **asdict(self),
        }


@dataclass(frozen=True)
class Opponent(Cost):
    """What the same text costs one of the opponents; ``kind`` says what it is, ``name`` which."""

    name: str
    kind: OpponentKind
