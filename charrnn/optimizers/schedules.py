"""Learning-rate schedules."""

from math import cos, pi

from charrnn.config import ScheduleName


def learning_rate_factor(schedule: ScheduleName, done: float, warmup: float) -> float:
    """Return the factor of the peak learning rate after the fraction ``done`` (0 to 1) of a run.

    After a linear warm-up, ``constant`` stays at 1; ``step`` divides by 10 at 1/2 and 3/4 of the
    run (He et al. 2016); ``cosine`` decays to 0 at the end (Loshchilov & Hutter 2017); and
    ``plateau`` stays at 1, and the run halves the rate when validation stops improving.
    """
    if done < warmup:
        return done / warmup
    if schedule == "step":
        return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01
    if schedule == "cosine":
        return 0.5 * (1 + cos(pi * min(1.0, (done - warmup) / (1 - warmup))))
    return 1.0
