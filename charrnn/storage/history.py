"""How far a run has come."""

from dataclasses import dataclass, field, fields
from math import inf, isfinite, isnan
from typing import Any, get_args

from charrnn.config import Precision
from charrnn.errors import CheckpointError

Place = tuple[str, Precision]
"""Where a run was trained: the name of a device, and the precision of its matrix products."""
CPU: Place = ("cpu", "float32")
LONGEST_NAME = 100
COUNT_LIMIT = 2**46
"""More steps than any run makes; products with the length of a window still fit in 64 bits."""
ACCURACIES = "best_accuracy", "mixed_accuracy"
LATER = "mixed_accuracy", "mixed_nats"
"""Fields that older files of the same format do not have."""
ROUNDING = 1e-4
"""A loss of zero may be computed as slightly negative."""


@dataclass
class History:
    """The progress of a run: everything but the arrays that determines how it continues.

    ``nats_sum`` and ``nats_steps`` give the mean training loss since the last validation. ``rows``
    has (step, training nats, validation nats) of every validation; the latter is infinite if the
    loss is NaN. ``best_interval`` is the half-width of the 95 % confidence interval of
    ``best_nats``, 0 if the whole held-out part was scored; ``best_accuracy`` is the accuracy at
    that step, if labels are predicted. ``mixed_accuracy`` is that of the best state mixed with
    n-grams, and ``mixed_nats`` its loss mixed with counts; None without them and until a run ends.
    ``overhead`` is the time of validations, samples and saves in seconds, ``scored`` the number of
    characters scored by validations, and ``next_pass`` the number of passes after which the next
    early validation is due, if there is one. Time during which the process was stopped counts as
    ``stopped`` and not as ``seconds``. ``places`` are the devices that trained it, in order.
    """

    step: int = 0
    seconds: float = 0.0
    nats_sum: float = 0.0
    nats_steps: int = 0
    best_nats: float | None = None
    best_step: int | None = None
    without_improvement: int = 0
    validations: int = 0
    rate_factor: float = 1.0
    failures: int = 0
    finished: str = ""
    rows: list[tuple[int, float, float | None]] = field(default_factory=list)
    best_interval: float = 0.0
    overhead: float = 0.0
    scored: int = 0
    next_pass: float | None = None
    stopped: float = 0.0
    best_accuracy: float | None = None
    places: list[Place] = field(default_factory=list)
    mixed_accuracy: float | None = None
    mixed_nats: float | None = None

    def is_best(self, nats: float, accuracy: float | None) -> bool:
        """Return whether a validation is better than all before it.

        For labels, accuracy decides: a network becomes overconfident, so its loss rises while it
        still improves.
        """
        if self.best_nats is None:
            return True
        if accuracy is None or self.best_accuracy is None:
            return nats < self.best_nats
        return (accuracy, -nats) > (self.best_accuracy, -self.best_nats)

    def forget_best(self) -> None:
        """Discard the best validation, whose state is lost."""
        self.best_nats = self.best_step = self.best_accuracy = None
        self.mixed_nats = self.mixed_accuracy = None
        self.best_interval = 0.0

    @property
    def accuracy(self) -> float | None:
        """The accuracy of what ``predict`` uses: of the mixture, or else of the network."""
        return self.best_accuracy if self.mixed_accuracy is None else self.mixed_accuracy

    @classmethod
    def from_json(cls, data: Any) -> "History":
        """Check and read the output of ``asdict``.

        Raises
        ------
        CheckpointError
            If a value has the wrong type, is negative or NaN, or is impossible.
        """
        # Files without places date from when only the CPU was supported.
        places = data.get("places") or ([CPU] if data["step"] else [])
        data = {**dict.fromkeys(LATER), **data, "places": places}
        new = cls(**{item.name: data[item.name] for item in fields(cls)})
        counts = ("step", "nats_steps", "without_improvement", "validations", "failures", "scored")
        for name in counts:
            _check(is_count(getattr(new, name)), name)
        for name in ("seconds", "nats_sum", "rate_factor", "best_interval", "overhead", "stopped"):
            _check(_is_amount(getattr(new, name)), name)
        for name in ("best_nats", "next_pass", "mixed_nats", *ACCURACIES):
            value = getattr(new, name)
            _check(value is None or _is_amount(value), name)
            _check(value is None or name not in ACCURACIES or value <= 1, name)
        _check(new.best_step is None or is_count(new.best_step), "best_step")
        _check(isinstance(new.finished, str) and len(new.finished) <= 100, "finished")
        _check(isinstance(new.rows, list), "rows")
        for row in new.rows:
            step, train, val = row
            _check(is_count(step) and _is_amount(train), "rows")
            _check(val is None or _is_loss(val), "rows")
        _check(isinstance(new.places, list), "places")
        for place in new.places:
            name, precision = place
            _check(isinstance(name, str) and 0 < len(name) <= LONGEST_NAME, "places")
            _check(precision in get_args(Precision), "places")
        new.places = [(name, precision) for name, precision in new.places]
        # Older files have NaN.
        new.rows = [(step, train, as_loss(val)) for step, train, val in new.rows]
        return new


def is_count(value: Any) -> bool:
    """Return whether a value from an untrusted file is a valid count."""
    return type(value) is int and 0 <= value <= COUNT_LIMIT


def as_loss(nats: float | None) -> float | None:
    """Return a validation loss as stored in ``rows``: infinite if it is NaN."""
    return inf if nats is not None and isnan(nats) else nats


def _is_amount(value: Any) -> bool:
    """Return whether a value is a finite number and, up to rounding, not negative."""
    return _is_number(value) and isfinite(value) and value >= -ROUNDING


def _is_loss(value: Any) -> bool:
    return _is_number(value) and not value < -ROUNDING


def _is_number(value: Any) -> bool:
    return type(value) is float or is_count(value)


def _check(valid: bool, name: str) -> None:
    if not valid:
        raise CheckpointError(f"its history has an impossible {name}")
