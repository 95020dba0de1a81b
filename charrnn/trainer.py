"""The interface between a run and its trainer: on CPUs, on a GPU or on several machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from charrnn.backend.arrays import Array
from charrnn.evaluation.scorers import Score, Scorer


@dataclass(frozen=True)
class StepResult:
    """The result of a step: mean loss in nats per character, gradient norm, whether it was applied.

    ``predicted`` is false if the batch had no targets, for example if it held only prompts.
    """

    nats: float
    grad_norm: float
    applied: bool
    predicted: bool = True


class Trainer(Protocol):
    """Trains a model step by step, independently of files, time and the screen.

    Attributes
    ----------
    step_count : int
        Steps completed so far, including those before a resume.
    scorer : Scorer or None
        Scores the held-out text. None if nothing is held out.
    workers : int
        The number of parallel workers.
    chunk : int
        The best number of steps per call of ``steps``: about 50 ms at most, so that a run can be
        stopped promptly, and at least 1.
    """

    step_count: int
    scorer: Scorer | None

    @property
    def workers(self) -> int: ...

    @property
    def chunk(self) -> int: ...

    def steps(self, rates: Sequence[float]) -> list[StepResult]:
        """Train on one batch per learning rate, and stop after a failed step.

        A step with a non-finite loss or gradient changes no weights and is the last one returned:
        the caller must choose the later rates again. The results do not depend on how the steps are
        grouped into calls, bit for bit.
        """

    def work(self, step: int) -> float:
        """Return the amount of computation of a step, in arbitrary units, to compare step times."""

    def validate(self) -> Score:
        """Return the loss of the held-out text, without changing the training state."""

    def publish(self) -> None:
        """Copy the weights to the model, before it is saved or sampled from."""

    @property
    def is_sound(self) -> bool:
        """Whether every weight is finite and in the range that a model may have."""

    def arrays(self) -> dict[str, Array]:
        """Return the arrays that a resume needs in addition to the weights, by name."""

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Restore the state from ``arrays`` and the weights from the model.

        Raises
        ------
        CheckpointError
            If the arrays do not fit this trainer.
        """

    def close(self) -> None:
        """Stop the workers. After that, ``publish`` does nothing."""
