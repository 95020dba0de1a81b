"""The interface between a run and its trainer: a CPU, a GPU, or several machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from charrnn.backend.arrays import Array
from charrnn.evaluation.scorers import Score, Scorer


@dataclass(frozen=True)
class StepResult:
    """The result of a step: mean loss in nats per character, gradient norm, whether it was applied.

    ``predicted`` is false for a batch without targets, such as one with only prompts.
    """

    nats: float
    grad_norm: float
    applied: bool
    predicted: bool = True


class Trainer(Protocol):
    """Trains a model step by step; independent of files, time and the screen.

    Attributes
    ----------
    step_count : int
        Steps made so far, including those before a resume.
    scorer : Scorer or None
        Scores the held-out text; None if nothing is held out.
    workers : int
        Number of parallel workers.
    chunk : int
        Preferred number of steps per call: at least 1, and no more than take about 50 ms, so that a
        run can be stopped.
    """

    step_count: int
    scorer: Scorer | None

    @property
    def workers(self) -> int: ...

    @property
    def chunk(self) -> int: ...

    def steps(self, rates: Sequence[float]) -> list[StepResult]:
        """Train on one batch per learning rate; stop after a failed step.

        A step that is not finite changes no weights and is the last one of the list, as the rates
        of later steps must be chosen again. How steps are divided into calls does not affect the
        result.
        """

    def work(self, step: int) -> float:
        """Return the amount of computation of a step, in any unit, to compare times of steps."""

    def validate(self) -> Score:
        """Score the held-out text; changes nothing."""

    def publish(self) -> None:
        """Copy the weights into the model, before it is saved or sampled from."""

    @property
    def is_sound(self) -> bool:
        """Whether every weight is finite and not absurdly large."""

    def arrays(self) -> dict[str, Array]:
        """Return, by name, the arrays that a resume needs in addition to the weights."""

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Restore the output of ``arrays``, and the weights of the model.

        Raises
        ------
        CheckpointError
            If the arrays do not fit this trainer.
        """

    def close(self) -> None:
        """End the workers; afterwards, ``publish`` does nothing."""
