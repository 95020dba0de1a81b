"""Events that a run reports: small records that the command line shows and the log stores."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

Reason = Literal["done", "no longer improving", "interrupted", "diverged"]
"""Why a run ended."""


@dataclass(frozen=True)
class Event:
    """Base class of events; ``kind`` is the event's name in the log."""

    kind: ClassVar[str] = "event"

    def to_json(self) -> dict[str, Any]:
        """Return the event as a dictionary of JSON types."""
        return {"event": self.kind, **asdict(self)}


@dataclass(frozen=True)
class Notice(Event):
    """A message for the user, in one line."""

    kind: ClassVar[str] = "notice"
    message: str


@dataclass(frozen=True)
class Progress(Event):
    """The state of the run after some steps.

    ``nats`` is the mean training loss per character since the last Progress event; ``grad_norm`` is
    the last gradient norm before clipping (for several members, the root mean square of theirs).
    ``done`` goes from 0 to 1. ``seconds`` is the training time so far, including earlier parts of a
    resumed run, and ``seconds_left`` an estimate. ``overhead`` is the share of the time that
    validations, samples and saves took.
    """

    kind: ClassVar[str] = "progress"
    step: int
    steps: int
    epoch: float
    done: float
    nats: float
    grad_norm: float
    learning_rate: float
    chars_per_second: float
    seconds: float
    seconds_left: float
    overhead: float = 0.0


@dataclass(frozen=True)
class Validated(Event):
    """The held-out part was scored; ``best`` says whether this is the best loss so far.

    ``accuracy`` is the share of correct labels, if the model predicts labels.
    """

    kind: ClassVar[str] = "validated"
    step: int
    nats: float
    best: bool
    accuracy: float | None = None


@dataclass(frozen=True)
class Sampled(Event):
    """A short sample from the model at this step."""

    kind: ClassVar[str] = "sampled"
    step: int
    text: str


@dataclass(frozen=True)
class Saved(Event):
    """The run can be resumed from this step."""

    kind: ClassVar[str] = "saved"
    step: int
    path: str


@dataclass(frozen=True)
class Finished(Event):
    """The run has ended.

    ``best_nats`` was measured on ``val_characters`` of the ``held_out`` ones. If these are not all,
    the loss on all of them is within ``best_interval`` of it with 95 % confidence.
    ``best_accuracy`` is the share of correct labels in the best state, if labels are predicted, and
    ``mixed_accuracy`` that of its mixture with n-grams. ``mixed_nats`` is the loss of its mixture
    with counts, on the same characters as ``best_nats``. Both are None if nothing is mixed in.
    """

    kind: ClassVar[str] = "finished"
    reason: Reason
    step: int
    seconds: float
    train_nats: float
    best_nats: float | None
    best_step: int | None
    best_interval: float = 0.0
    val_characters: int = 0
    held_out: int = 0
    overhead: float = 0.0
    best_accuracy: float | None = None
    mixed_accuracy: float | None = None
    mixed_nats: float | None = None

    @property
    def counts_help(self) -> bool | None:
        """Whether the mixture with counts has a lower loss than the network alone, if known."""
        best, mixed = self.best_nats, self.mixed_nats
        return None if best is None or mixed is None else mixed < best
