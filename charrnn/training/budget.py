"""The training budget: the text and the time available for training."""

import dataclasses
from dataclasses import dataclass
from math import log2

from charrnn.config import Architecture
from charrnn.nn.model import CharModel

USUAL_CORES = 2
CHARACTERS_A_MINUTE = 4_000_000
"""The number of characters per minute on which these cores train a GRU of 256 units."""
WEIGHTS_AT_THAT_SPEED = 264_000
"""The number of weights that this GRU multiplies for each character."""
GPU_STEP = 11e-6
"""The minimum time of one layer's time step on a GPU, forward and backward, in seconds (H100)."""
GPU_WEIGHT = 1e-13
"""Additional seconds per character and weight that multiplies it. The sum is within 10 % of the
measured times of GRUs and LSTMs of 256 to 512 units with 64 to 256 streams."""
OVERFIT_THRESHOLD = 0.7
"""The number of epochs times the square of the weights per character, above which a model memorizes
the text. Items that each start from a zero state tolerate more: there the square root of the excess
counts."""
EPOCHS_COUNTED = 100
"""A model that is too small to memorize a text in this many epochs never memorizes it."""


@dataclass(frozen=True)
class Budget:
    """The text and the time available for training, which determine the shape of the network.

    Attributes
    ----------
    length : int
        Characters to learn from.
    distinct : int
        V, the number of symbols.
    separate : bool
        Whether the text consists of items that each start from a zero state.
    per_step : float
        Characters per step.
    asked : float
        Characters to read if steps or epochs were given, otherwise 0.
    minutes : float
        The length of the run.
    cores : int
        The number of cores that the run can use.
    most : float
        The largest useful number of characters to read.
    gpu : bool
        Whether a GPU trains the model.
    streams : int
        The number of streams of a batch.
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
        """Return the minutes that ``USUAL_CORES`` would need for a network of this many units."""
        inputs = min(self.distinct, units)
        return self._usual_minutes(3 * units * (units + inputs) + self.distinct * units)

    def _usual_minutes(self, multiplied: float) -> float:
        """Return the same for a network with this many multiplied weights per character."""
        if self.asked or not self.gpu:
            return self.minutes * self.cores / USUAL_CORES
        seconds = GPU_STEP / self.streams + GPU_WEIGHT * multiplied
        return 60 * self.minutes / seconds / _usual_rate(multiplied)

    def readings(self, model: Architecture) -> tuple[float, float]:
        """Return the number of epochs, and the weights per character of one member."""
        weights = CharModel.size_of(model, self.distinct) / model.members
        read = min(self._read_in_time(model), self.most)
        return read / self.length, weights / self.length

    def members_at_best(self, model: Architecture) -> float:
        """Return the number of such networks that would have time for all useful epochs."""
        return self._read_in_time(dataclasses.replace(model, members=1)) / self.most

    def _read_in_time(self, model: Architecture) -> float:
        """Return the number of characters read if the number of epochs were unlimited."""
        weights = CharModel.size_of(model, self.distinct)
        multiplied = weights - model.members * self.distinct * model.embedding_size
        return self.asked or self._usual_minutes(multiplied) * _usual_rate(multiplied)

    def doublings(self, model: Architecture) -> float:
        """Return the excess over ``OVERFIT_THRESHOLD`` in doublings, at least 0."""
        epochs, share = self.readings(model)
        excess = min(epochs, EPOCHS_COUNTED) * share**2 / OVERFIT_THRESHOLD
        return log2(max(1, excess)) / (2 if self.separate else 1)


def _usual_rate(multiplied: float) -> float:
    """Return the characters per minute of ``USUAL_CORES`` with this many multiplied weights."""
    return CHARACTERS_A_MINUTE * WEIGHTS_AT_THAT_SPEED / multiplied
