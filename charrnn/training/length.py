"""How much of a run is over: in steps, minutes and passes through its training part."""

from charrnn.config import TrainingSettings


def done_after(train: TrainingSettings, per_pass: float, step: float, seconds: float) -> float:
    """Return how much of a run is over after so many steps and seconds, from 0 to 1."""
    by_step = step / train.steps if train.steps else 0.0
    by_time = seconds / (60 * train.minutes) if train.minutes else 0.0
    by_pass = step / per_pass / train.max_epochs if train.max_epochs else 0.0
    return max(by_step, by_time, by_pass)
