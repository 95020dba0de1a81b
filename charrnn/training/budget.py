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
GPU_STEP = 11e-6
"""Seconds that a step in time of one layer takes on a GPU at least, there and back (H100)."""
GPU_WEIGHT = 1e-13
"""And what each weight that multiplies a character adds: together within 10 % of what GRU and LSTM
of 256 to 512 units take on 64 to 256 streams."""
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
    ``cores`` are those that have work; with ``gpu``, a GPU does it all, ``streams`` at a time.
    """

    length: int
    distinct: int
    separate: bool
    per_step: float
    asked: float
    minutes: float
    cores: int
    most: float
    gpu: bool = False
    streams: int = 64

    def usual_minutes(self, units: int) -> float:
        """Return in how many minutes the usual cores would do as much, with so many units."""
        inputs = min(self.distinct, units)
        return self._usual_minutes(3 * units * (units + inputs) + self.distinct * units)

    def _usual_minutes(self, multiplied: float) -> float:
        """Return the same for a network that multiplies each character by so many weights."""
        if self.asked or not self.gpu:
            return self.minutes * self.cores / USUAL_CORES
        seconds = GPU_STEP / self.streams + GPU_WEIGHT * multiplied
        return 60 * self.minutes / seconds / _usual_rate(multiplied)

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
        return self.asked or self._usual_minutes(multiplied) * _usual_rate(multiplied)

    def doublings(self, model: Architecture) -> float:
        """Return by how many doublings it will be read too often not to be memorized."""
        epochs, share = self.readings(model)
        excess = min(epochs, EPOCHS_COUNTED) * share**2 / UNHARMED
        return log2(max(1, excess)) / (2 if self.separate else 1)


def _usual_rate(multiplied: float) -> float:
    """Return how many characters a minute the usual cores train on, with so many weights."""
    return CHARACTERS_A_MINUTE * WEIGHTS_AT_THAT_SPEED / multiplied
