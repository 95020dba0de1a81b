"""What a report takes from the log of a run, which may be untrusted."""

from collections.abc import Mapping, Sequence
from typing import Any

from charrnn.storage.history import History, is_count
from charrnn.views.report.content import Moment

LARGEST = 1e9
"""A loss, norm, rate or time above this is ignored."""
LONGEST_SAMPLE = 2_000


def moments_of(events: Sequence[Mapping[str, Any]], history: History) -> list[Moment]:
    """Return what is known about the steps of a run, in order.

    Parameters
    ----------
    events : sequence of mapping
        Events of its log; an old log has only validations, without times.
    history : History
        Used if the log is missing.
    """
    kinds = [event.get("event") for event in events]
    fine = kinds.count("progress") > kinds.count("validated")  # otherwise a very short run
    moments = [_moment(event, fine) for event in events if is_count(event.get("step"))]
    found = [moment for moment in moments if moment is not None]
    if not found:
        found = [
            Moment(step, None, _number(train), _number(val)) for step, train, val in history.rows
        ]
    return sorted(found, key=lambda moment: moment.step)


def _moment(event: Mapping[str, Any], fine: bool) -> Moment | None:
    """Return a line of the log; if the log is ``fine``, a validation has only its own loss."""
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
    """Return at most ``most`` samples of a log and their steps: evenly spaced, with the last."""
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
    """Return a value from a file as a number, if it can be plotted."""
    return float(value) if type(value) in (int, float) and least <= value <= LARGEST else None
