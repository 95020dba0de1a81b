"""Models that predict something other than what a command needs."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from charrnn.config.training import Predict
from charrnn.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from charrnn.storage.checkpoint import Checkpoint

TEXT = ("",)
LABELLED = get_args(Predict)
RESTORED = tuple(kind for kind in LABELLED if kind not in ("label", "tags"))
"""What a command or an option may need a model to predict."""
IN_WORDS = {
    TEXT: "predicts text",
    LABELLED: "predicts labels",
    ("label",): "predicts labels",
    ("tags",): "predicts tags",
    RESTORED: "restores text",
}


def check_kind(
    path: Path | None,
    checkpoint: "Checkpoint",
    needed: tuple[str, ...],
    *,
    option: str = "",
) -> None:
    """Check that a model predicts what a command needs.

    Parameters
    ----------
    path : Path or None
        The checkpoint.
    checkpoint : Checkpoint
        Its contents.
    needed : tuple of str
        What it may predict, a key of ``IN_WORDS``: values of ``TrainConfig.predict``, or an empty
        string for text.
    option : str
        The option that needs it, if not the command itself.

    Raises
    ------
    ConfigError
        If it predicts something else. The message names a run under ./runs that fits.
    """
    if checkpoint.settings.predict in needed:
        return
    from charrnn.storage.checkpoint import load
    from charrnn.storage.folder import BEST, LAST, run_directories

    name = path.parent if path is not None and path.name in (BEST, LAST) else path
    fits = ""
    for directory in run_directories():
        with suppress(CheckpointError):
            other = load(directory / BEST, arrays=False)
            if other.settings.predict in needed:
                fits = f" ({directory} predicts {_predicted(other)})"
                break
    otherwise = f"train one with --predict {', '.join(LABELLED[:-1])} or {LABELLED[-1]}"
    if checkpoint.labels:
        otherwise = f"label texts with charrnn predict FILE --model {name}"
    need = ""
    if option:
        need = f"{option} needs a model that {IN_WORDS[needed]}, and "
        otherwise = f"leave {option} out"
    raise ConfigError(
        f"{need}{name} predicts {_predicted(checkpoint)}: name another run with --model{fits}, or "
        f"{otherwise}"
    )


def _predicted(checkpoint: "Checkpoint") -> str:
    """Return what a model predicts, in words."""
    predict = checkpoint.settings.predict
    names = {"": f"the next {checkpoint.vocabulary.noun}", "label": "labels"}
    return names.get(predict, predict)
