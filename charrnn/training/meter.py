"""Averages over the training steps since some moment."""

from dataclasses import dataclass


@dataclass
class Meter:
    """Counts the steps since some moment, their duration and their mean loss.

    Attributes
    ----------
    since : float
        The start, in training time.
    """

    since: float
    steps: int = 0
    seconds: float = 0.0
    applied: int = 0
    nats: float = 0.0

    def add(self, nats: float, seconds: float, *, applied: bool) -> None:
        """Count a step; the loss counts only if the step was applied."""
        self.steps += 1
        self.seconds += seconds
        if applied:
            self.applied += 1
            self.nats += nats

    def mean_nats(self, otherwise: float) -> float:
        """Return the mean loss of the applied steps, or ``otherwise`` if there are none."""
        return self.nats / self.applied if self.applied else otherwise

    def per_second(self, symbols_per_step: float) -> float:
        """Return the symbols read per second."""
        return self.steps * symbols_per_step / max(self.seconds, 1e-9)
