"""What the steps since some moment cost, on average."""

from dataclasses import dataclass


@dataclass
class Meter:
    """Steps since some moment: how many, how long they took, and what they cost on average.

    Attributes
    ----------
    since : float
        The moment, in training time.
    """

    since: float
    steps: int = 0
    seconds: float = 0.0
    applied: int = 0
    nats: float = 0.0

    def add(self, nats: float, seconds: float, *, applied: bool) -> None:
        """Count a step; the loss of one that was undone does not count."""
        self.steps += 1
        self.seconds += seconds
        if applied:
            self.applied += 1
            self.nats += nats

    def mean_nats(self, otherwise: float) -> float:
        """Return the mean loss of the steps that were applied."""
        return self.nats / self.applied if self.applied else otherwise

    def per_second(self, symbols_per_step: float) -> float:
        """Return how many symbols a second of these steps read."""
        return self.steps * symbols_per_step / max(self.seconds, 1e-9)
