"""Validation: how much of the held-out part it scores, and how often, in a share of the run.

A validation learns nothing, so what all of them take is bounded. A run of some minutes measures
what scoring costs on this machine; a run of some steps counts characters, so that nothing in it
depends on the machine.
"""

import time
from collections.abc import Callable
from math import frexp

from charrnn.config import ValidationSettings
from charrnn.evaluation.scorers import Scorer, score
from charrnn.nn.model import CharModel

MOST_CHARACTERS = 500_000
"""Held-out characters that one validation scores at most: its interval is small by then."""
LEAST_CHARACTERS = 2**14
"""And at least, before fewer validations are the better saving."""
FEW, MANY = 4, 20
"""Even validations of a run: at least so many, then more of the text, then at most so many."""
SHARE = 0.05
"""Of the time of a run that validations, samples and saves may take together."""
SHORT_SHARE = 0.1
"""And of a run of less than a minute, in which a validation costs little to wait for."""
EVEN_SHARE = 0.03
"""Of the time that the even validations are chosen to take; early ones and saves have the rest."""
FORWARD = 1 / 3
"""What scoring a character costs, in characters trained."""
PROBE_CHARACTERS = 2**14


def choose(
    held_out: int,
    budget: float,
    cost: float,
    *,
    times: int | None = None,
    characters: int | None = None,
) -> tuple[ValidationSettings, float]:
    """Choose how often a run validates, and on how many characters.

    Parameters
    ----------
    held_out : int
        Characters that are held out.
    budget : float
        The length of the run, in seconds, or in characters to be read.
    cost : float
        What scoring a character takes, in the unit of ``budget``.
    times, characters : int, optional
        What is already decided.

    Returns
    -------
    settings : ValidationSettings
    share : float
        Of the budget that these validations take.
    """
    if not held_out:
        decided = ValidationSettings(validations=times or MANY, val_characters=characters or 1)
        return decided, 0.0
    affordable = EVEN_SHARE * budget / cost  # characters scored in the whole run
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
    """Return when the next early validation is due: after 1, 1.5, 2, 3, 4, 6, 8, ... passes."""
    after = 1.0
    while after <= passes:
        is_power_of_two = frexp(after)[0] == 0.5
        after *= 1.5 if is_power_of_two else 4 / 3
    return after


def scoring_cost(model: CharModel, sample: Callable[[int], Scorer | None], threads: int) -> float:
    """Measure the seconds that scoring a character of the held-out part takes here.

    Parameters
    ----------
    model : CharModel
        Its weights do not matter.
    sample : callable
        ``sample(n)`` scores about n characters.
    threads : int
        Workers, as in the run.
    """
    probe = sample(PROBE_CHARACTERS)
    assert probe is not None
    score(model, probe, threads=threads)  # the first one makes the buffers
    start = time.perf_counter()
    score(model, probe, threads=threads)
    return (time.perf_counter() - start) / probe.characters
