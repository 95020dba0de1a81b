"""The completed share of a run, which is limited by steps, minutes and epochs."""

from charrnn.config import TrainingSettings


def done_after(
    train: TrainingSettings, steps_per_epoch: float, step: float, seconds: float
) -> float:
    """Return the completed share of a run, from 0 to 1, after some steps and seconds."""
    by_step = step / train.steps if train.steps else 0.0
    by_time = seconds / (60 * train.minutes) if train.minutes else 0.0
    by_epochs = step / steps_per_epoch / train.max_epochs if train.max_epochs else 0.0
    return max(by_step, by_time, by_epochs)
