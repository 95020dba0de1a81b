"""What a run needs of whatever trains its model: a CPU, a GPU, or several machines."""

from collections.abc import Mapping, Sequence
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
    chunk : int
        For how many steps it is best asked at once: no more than take about 50 ms, so that a run
        can be stopped, and at least 1.
    """

    step_count: int
    scorer: Scorer | None

    @property
    def workers(self) -> int: ...

    @property
    def chunk(self) -> int: ...

    def steps(self, rates: Sequence[float]) -> list[StepResult]:
        """Learn from as many batches as there are learning rates, and end after a failed step.

        A step that is not finite changes no weight, and it is the last of the list: the rates of
        the later ones must be chosen again. How steps are cut into calls changes no bit.
        """

    def work(self, step: int) -> float:
        """Return how much a step computes, in any unit: its time is compared with others'."""

    def validate(self) -> Score:
        """Return what the held-out text costs; changes nothing."""

    def publish(self) -> None:
        """Put the weights into the model, before it is saved or sampled from."""

    @property
    def is_sound(self) -> bool:
        """Whether every weight is a number that a model can have."""

    def arrays(self) -> dict[str, Array]:
        """Return, by name, what a resume needs beside the weights."""

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Take back what ``arrays`` gave, and the weights of the model.

        Raises
        ------
        CheckpointError
            If the arrays are not those of such a trainer.
        """

    def close(self) -> None:
        """End the workers; ``publish`` does nothing from then on."""
