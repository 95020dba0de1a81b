"""How long a run is: in steps, minutes and passes through its training part."""

import numpy as np

from charrnn.config import TrainingSettings
from charrnn.data.items import as_lines
from charrnn.text.vocabulary import LINE_END, Codes


def steps_per_pass(train: TrainingSettings, learned: Codes) -> float:
    """Return how many steps read a training part once."""
    if not train.lines:
        return len(learned) / (train.batch_size * train.seq_len)
    lines = int(np.count_nonzero(as_lines(learned) == LINE_END))
    return max(1, -(-lines // train.batch_size))


def done_after(train: TrainingSettings, per_pass: float, step: float, seconds: float) -> float:
    """Return how much of a run is over after so many steps and seconds, from 0 to 1."""
    by_step = step / train.steps if train.steps else 0.0
    by_time = seconds / (60 * train.minutes) if train.minutes else 0.0
    by_pass = step / per_pass / train.max_epochs if train.max_epochs else 0.0
    return max(by_step, by_time, by_pass)
