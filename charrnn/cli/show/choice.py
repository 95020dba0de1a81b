"""A notice about the run that was used because none was named."""

from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli.show.console import say
from charrnn.cli.show.words import listing, shortened
from charrnn.evaluation.verdict import is_foreign

if TYPE_CHECKING:
    from charrnn.api.model import Model
    from charrnn.evaluation.result import Evaluation

TEXTS_NAMED = 2


def say_if_foreign(evaluation: "Evaluation", model: "Model") -> None:
    """Say which run was used if its text has nothing to do with the one that was scored.

    Parameters
    ----------
    evaluation : Evaluation
        The evaluation of files that the user has named.
    model : Model
        The model of the newest run, since the user has named none.
    """
    from charrnn.storage.folder import run_directories

    runs = len(run_directories())
    unknown = sum(evaluation.unknown.values()) / max(1, evaluation.characters)
    nats, uniform = evaluation.nats_per_char, evaluation.uniform_nats
    if runs < 2 or not is_foreign(nats, uniform=uniform, unknown=unknown) or model.path is None:
        return
    texts = listing(
        [shortened(Path(source.path).name) for source in model.checkpoint.sources], TEXTS_NAMED
    )
    say(
        f"notice: {model.path.parent}, the newest of {runs:,} runs, was taken; it was trained on "
        f"{texts}: --model names another"
    )
