"""Loading a model from a file or a run."""

from pathlib import Path

from charrnn.api.model import Model
from charrnn.storage.folder import open_model


def load(model: str | Path | None = None) -> Model:
    """Load a model.

    Parameters
    ----------
    model : str or Path, optional
        A model file, the folder of a run, or the name of a run under ``./runs``. The default is
        the newest run.

    Returns
    -------
    Model
        The best model of the run, or the model in the file.

    Raises
    ------
    RunError
        If there is no such file or run.
    CheckpointError
        If the file is damaged or not a model.

    Examples
    --------
    >>> charrnn.load("runs/corpus")
    Model(gru 1 x 16, 28 symbols, 2,652 parameters, step 60)
    """
    path, checkpoint = open_model(model)
    return Model(checkpoint, path)
