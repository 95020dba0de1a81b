"""How often to validate and on how much, within a share of the run.

Validations do not improve the model, so their total cost is bounded. A timed run measures the cost
of scoring on this machine. A run of --steps or --epochs counts characters instead, so that it does
not depend on the machine.
"""

import time
from collections.abc import Callable
from math import frexp

from charrnn.config import ValidationSettings
from charrnn.evaluation.scorers import Scorer, score
from charrnn.nn.predictor import Predictor

MOST_CHARACTERS = 500_000
"""Most held-out characters that one validation scores: its confidence interval is small by then."""
LEAST_CHARACTERS = 2**14
"""Fewest characters per validation: below this, validations become rarer instead."""
FEW, MANY = 4, 20
"""Fewest and most evenly spaced validations; scoring more text comes before more validations."""
SHARE = 0.05
"""Largest share of a run's time for validations, samples and saves together."""
SHORT_SHARE = 0.1
"""The same in a run of less than a minute, where a validation is quick in absolute terms."""
EVEN_SHARE = 0.03
"""Target share for evenly spaced validations; early ones and saves have the rest."""
FORWARD = 1 / 3
"""Cost of scoring a character, relative to training on one."""
PROBE_CHARACTERS = 2**14


def choose(
    held_out: int,
    budget: float,
    cost: float,
    *,
    times: int | None = None,
    characters: int | None = None,
) -> tuple[ValidationSettings, float]:
    """Choose how often a run validates and on how many characters.

    Parameters
    ----------
    held_out : int
        Number of held-out characters.
    budget : float
        The length of the run, in seconds or in characters to read.
    cost : float
        The cost of scoring a character, in the unit of ``budget``.
    times, characters : int, optional
        Values that are already decided.

    Returns
    -------
    settings : ValidationSettings
    share : float
        Share of the budget that these validations take.
    """
    if not held_out:
        decided = ValidationSettings(validations=times or MANY, val_characters=characters or 1)
        return decided, 0.0
    affordable = EVEN_SHARE * budget / cost  # characters to score in the whole run
    if characters is None:
        characters = min(held_out, MOST_CHARACTERS)
        wanted = times or FEW
        if affordable < wanted * characters:
            least = min(characters, LEAST_CHARACTERS)
            characters = max(least, int(affordable / wanted))
    if times is None:
        times = max(1, min(MANY, int(affordable / max(1, characters))))
    decided = ValidationSettings(validations=times, val_characters=characters)
    return decided, times * characters * cost / budget


def next_pass(passes: float) -> float:
    """Return when the next early validation is due: after 1, 1.5, 2, 3, 4, 6, 8, ... epochs."""
    after = 1.0
    while after <= passes:
        is_power_of_two = frexp(after)[0] == 0.5
        after *= 1.5 if is_power_of_two else 4 / 3
    return after


def scoring_cost(model: Predictor, sample: Callable[[int], Scorer | None], threads: int) -> float:
    """Measure the seconds per held-out character of scoring on this machine.

    Parameters
    ----------
    model : Predictor
        Any weights will do.
    sample : callable
        ``sample(n)`` returns a scorer of about n characters.
    threads : int
        Number of workers, as in the run.
    """
    probe = sample(PROBE_CHARACTERS)
    assert probe is not None
    score(model, probe, threads=threads)  # the first call allocates buffers
    start = time.perf_counter()
    score(model, probe, threads=threads)
    return (time.perf_counter() - start) / probe.characters
