"""What a model is to learn from, and for how long."""

import dataclasses
from dataclasses import dataclass
from math import log2

from charrnn.config import Architecture
from charrnn.nn.model import CharModel

USUAL_CORES = 2
CHARACTERS_A_MINUTE = 4_000_000
"""What so many cores train a GRU of 256 units on."""
WEIGHTS_AT_THAT_SPEED = 264_000
"""What that GRU multiplies for each character."""
UNHARMED = 0.7
"""How often a text can be read, times the squared weights for each of its characters, before a
model memorizes it rather than learns from it. Of items that are read from a zero state each, more
is harmless: there the root of the excess counts."""
EPOCHS_COUNTED = 100
"""A model that is too small to memorize a text in so many readings never does."""


@dataclass(frozen=True)
class Budget:
    """What a model is to learn from, and for how long: what its shape follows from.

    ``asked`` are the characters to be read where steps or epochs were given, or else 0;
    ``cores`` are those that have work.
    """

    length: int
    distinct: int
    separate: bool
    per_step: float
    asked: float
    minutes: float
    cores: int
    most: float

    @property
    def usual_minutes(self) -> float:
        """Minutes in which the usual cores would do as much."""
        return self.minutes * self.cores / USUAL_CORES

    def readings(self, model: Architecture) -> tuple[float, float]:
        """Return how often the text will be read, and a member's weights for each character."""
        weights = CharModel.size_of(model, self.distinct) / model.members
        read = min(self._read_in_time(model), self.most)
        return read / self.length, weights / self.length

    def members_at_best(self, model: Architecture) -> float:
        """Return how many such networks could read the text as often as is of use."""
        return self._read_in_time(dataclasses.replace(model, members=1)) / self.most

    def _read_in_time(self, model: Architecture) -> float:
        """Return how many characters are read, if the text was endless."""
        weights = CharModel.size_of(model, self.distinct)
        multiplied = weights - model.members * self.distinct * model.embedding_size
        rate = CHARACTERS_A_MINUTE * WEIGHTS_AT_THAT_SPEED / multiplied
        return self.asked or self.usual_minutes * rate

    def doublings(self, model: Architecture) -> float:
        """Return by how many doublings it will be read too often not to be memorized."""
        epochs, share = self.readings(model)
        excess = min(epochs, EPOCHS_COUNTED) * share**2 / UNHARMED
        return log2(max(1, excess)) / (2 if self.separate else 1)
