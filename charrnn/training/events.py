"""What a run reports as it goes: small records that the command line shows and the log keeps."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

Reason = Literal["done", "no longer improving", "interrupted", "diverged"]
"""Why a run ended."""


@dataclass(frozen=True)
class Event:
    """Base of all events; ``kind`` is the name under which the log keeps it."""

    kind: ClassVar[str] = "event"

    def to_json(self) -> dict[str, Any]:
        """Return the event as a dictionary of JSON types."""
        return {"event": self.kind, **asdict(self)}


@dataclass(frozen=True)
class Notice(Event):
    """Something the user should be told, in one line."""

    kind: ClassVar[str] = "notice"
    message: str


@dataclass(frozen=True)
class Progress(Event):
    """The state of the run after some steps.

    ``nats`` is the mean training loss per character since the last such event, ``grad_norm`` the
    last norm before clipping (of several members the quadratic mean of theirs); ``done`` goes from
    0 to 1; ``seconds`` counts training time over all resumptions of the run, ``seconds_left`` is an
    estimate. ``overhead`` is the share of the time that validations, samples and saves took.
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
    """The held-out part was scored; ``best`` says that it was never better.

    ``accuracy`` is the share of the labels that are right, where the model predicts labels.
    """

    kind: ClassVar[str] = "validated"
    step: int
    nats: float
    best: bool
    accuracy: float | None = None


@dataclass(frozen=True)
class Sampled(Event):
    """A short sample of what the model writes at this step."""

    kind: ClassVar[str] = "sampled"
    step: int
    text: str


@dataclass(frozen=True)
class Saved(Event):
    """All that a resume needs is on disk."""

    kind: ClassVar[str] = "saved"
    step: int
    path: str


@dataclass(frozen=True)
class Finished(Event):
    """The run is over.

    ``best_nats`` is of ``val_characters`` of the ``held_out`` ones; where these are not all of
    them, the loss of all lies within ``best_interval`` of it 19 times in 20. ``best_accuracy`` is
    the share of the labels that are right then, where labels are predicted.
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
