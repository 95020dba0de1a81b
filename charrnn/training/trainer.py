"""What a run needs of whatever trains its model: a CPU, a GPU, or several machines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from charrnn.backend.arrays import Array
from charrnn.evaluation.scorers import Score, Scorer


@dataclass(frozen=True)
class StepResult:
    """What a step did: mean loss in nats per character, gradient norm, whether it was applied.

    ``predicted`` says whether the batch had anything to predict: some have prompts alone.
    """

    nats: float
    grad_norm: float
    applied: bool
    predicted: bool = True


class Trainer(Protocol):
    """Trains a model step by step; it knows nothing of files, time or the screen.

    Attributes
    ----------
    step_count : int
        Steps made so far, also by the run that is resumed.
    scorer : Scorer or None
        The held-out text, cut; None where nothing is held out.
    workers : int
        How many work at once.
    """

    step_count: int
    scorer: Scorer | None

    @property
    def workers(self) -> int: ...

    def step(self, learning_rate: float) -> StepResult:
        """Learn from one batch; a step that is not finite changes no weight."""

    def work(self, step: int) -> float:
        """Return how much a step computes, in any unit: its time is compared with others'."""

    def validate(self) -> Score:
        """Return what the held-out text costs; changes nothing."""

    @property
    def is_sound(self) -> bool:
        """Whether every weight is a number that a model can have."""

    def arrays(self) -> dict[str, Array]:
        """Return, by name, what a resume needs beside the weights."""

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Take back what ``arrays`` gave; raise CheckpointError if it is not that."""

    def close(self) -> None:
        """End the workers."""
