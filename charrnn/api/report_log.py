"""What the log of a run has for a report; it may come from anyone."""

from collections.abc import Mapping, Sequence
from typing import Any

from charrnn.storage.history import History, is_count
from charrnn.views.report.content import Moment

LARGEST = 1e9
"""A loss, norm, rate or time beyond it is none."""
LONGEST_SAMPLE = 2_000


def moments_of(events: Sequence[Mapping[str, Any]], history: History) -> list[Moment]:
    """Return what is known of the steps of a run, in their order.

    Parameters
    ----------
    events : sequence of mapping
        Of its log; an old one has validations alone, without their times.
    history : History
        Stands in for a log that is missing.
    """
    kinds = [event.get("event") for event in events]
    fine = kinds.count("progress") > kinds.count("validated")  # else a run of moments
    moments = [_moment(event, fine) for event in events if is_count(event.get("step"))]
    found = [moment for moment in moments if moment is not None]
    if not found:
        found = [
            Moment(step, None, _number(train), _number(val)) for step, train, val in history.rows
        ]
    return sorted(found, key=lambda moment: moment.step)


def _moment(event: Mapping[str, Any], fine: bool) -> Moment | None:
    """Return a line of the log; with ``fine`` ones, a validation has its own loss alone."""
    step, seconds = event["step"], _number(event.get("seconds"), least=0)
    if event.get("event") == "progress" and fine:
        return Moment(
            step,
            seconds,
            training=_number(event.get("nats")),
            norm=_number(event.get("grad_norm")),
            rate=_number(event.get("learning_rate")),
        )
    if event.get("event") != "validated":
        return None
    accuracy = _number(event.get("accuracy"))
    validation = _number(event.get("nats"))
    if fine:
        return Moment(step, seconds, validation=validation, accuracy=accuracy)
    return Moment(
        step,
        seconds,
        _number(event.get("train_nats")),
        validation,
        _number(event.get("norm")),
        _number(event.get("rate")),
        accuracy,
    )


def samples_of(events: Sequence[Mapping[str, Any]], most: int) -> list[tuple[int, str]]:
    """Return the samples of a log with their steps: so many at most, evenly, and the last one."""
    found = [
        (event["step"], event["text"][:LONGEST_SAMPLE])
        for event in events
        if event.get("event") == "sampled"
        and is_count(event.get("step"))
        and isinstance(event.get("text"), str)
    ]
    if len(found) <= most:
        return found
    last = len(found) - 1
    return [found[round(number * last / (most - 1))] for number in range(most)]


def _number(value: Any, *, least: float = -LARGEST) -> float | None:
    """Return a value of a file as a number, if it is one that can be drawn."""
    return float(value) if type(value) in (int, float) and least <= value <= LARGEST else None
