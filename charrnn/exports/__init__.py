"""Exporting models for other programs: as a web page, or as weights for PyTorch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from charrnn.errors import CharrnnError, ConfigError
from charrnn.storage.checkpoint import Checkpoint

FORMATS = {
    ".html": ("charrnn.exports.page", "write_page"),
    ".safetensors": ("charrnn.exports.pytorch", "write_safetensors"),
}
"""The module and the function that write a file, by suffix."""
NGRAMS_LEFT_OUT = (
    "The n-grams that charrnn predict mixes with this network are not in this file, so its "
    "predictions are less accurate."
)
COUNTS_LEFT_OUT = (
    "The counts that --counts mixes with this network are not in this file, which has only the "
    "network."
)


def left_out(checkpoint: Checkpoint) -> str:
    """Return a sentence about what an export leaves out; empty if nothing."""
    if checkpoint.counting is not None:
        return COUNTS_LEFT_OUT
    return NGRAMS_LEFT_OUT if len(checkpoint.mixture) > 1 else ""


def export(path: Path, checkpoint: Checkpoint, *, overwrite: bool = False) -> None:
    """Write a model in the format given by the suffix of a file.

    Parameters
    ----------
    path : Path
        The file, with a suffix in ``FORMATS``.
    checkpoint : Checkpoint
        The model, with its weights.
    overwrite : bool
        Whether an existing file is replaced.

    Raises
    ------
    ConfigError
        If the file has another suffix.
    CharrnnError
        If the file exists or cannot be written, or the format does not support this model.
    """
    check_target(path, overwrite=overwrite)
    # Written atomically.
    with _in_one_line(path), TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        written = Path(folder, path.name)
        _writer(path)(written, checkpoint)
        written.replace(path)


def check_target(path: Path, *, overwrite: bool = False) -> None:
    """Check the target of ``export``; the parameters and errors are the same."""
    if path.suffix not in FORMATS:
        raise ConfigError(
            f"{path} ends in neither {' nor '.join(FORMATS)}: use one of these suffixes"
        )
    with _in_one_line(path):
        if path.is_dir():
            raise CharrnnError(f"{path} is a folder: name a file in it, as model{path.suffix}")
        if not path.parent.is_dir():
            raise CharrnnError(
                f"{path} cannot be written: the folder {path.parent} does not exist; create it "
                "first"
            )
        if path.exists() and not overwrite:
            raise CharrnnError(f"{path} exists: replace it with --overwrite, or name another file")


@contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    """Turn an OSError into an error message of one line."""
    try:
        yield
    except OSError as error:
        raise CharrnnError(
            f"{path} cannot be written ({error.strerror}): free some space, or name another file"
        ) from error


def _writer(path: Path) -> Callable[[Path, Checkpoint], None]:
    """Return the function that writes such a file; its module is imported only now."""
    module, function = FORMATS[path.suffix]
    write: Callable[[Path, Checkpoint], None] = getattr(import_module(module), function)
    return write
