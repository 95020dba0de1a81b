"""A model from a file or a run."""

from pathlib import Path

from charrnn.api.model import Model
from charrnn.storage.folder import open_model


def load(model: str | Path | None = None) -> Model:
    """Load a model.

    Parameters
    ----------
    model : str or Path, optional
        A file, the folder of a run, or its name under ``./runs``; the newest run if left out.

    Returns
    -------
    Model

    Raises
    ------
    RunError
        If there is no such thing.
    CheckpointError
        If the file is damaged, or no model.

    Examples
    --------
    >>> charrnn.load("runs/corpus")
    Model(gru 1 x 16, 28 symbols, 2,652 parameters, step 60)
    """
    path, checkpoint = open_model(model)
    return Model(checkpoint, path)
