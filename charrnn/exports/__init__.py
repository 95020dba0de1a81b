"""Models as files that other programs read: a web page, or PyTorch's weights."""

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
"""The module and the function that write a file, by how its name ends."""
NGRAMS_LEFT_OUT = (
    "The n-grams that charrnn predict mixes with this network are not in this file: "
    "it is less often right."
)
COUNTS_LEFT_OUT = (
    "The counts that --counts mixes with this network are not in this file: "
    "it is the network alone."
)


def left_out(checkpoint: Checkpoint) -> str:
    """Return what no export has of a model, in a sentence; empty where it has all."""
    if checkpoint.counting is not None:
        return COUNTS_LEFT_OUT
    return NGRAMS_LEFT_OUT if len(checkpoint.mixture) > 1 else ""


def export(path: Path, checkpoint: Checkpoint, *, overwrite: bool = False) -> None:
    """Write a model in the format that the name of a file asks for.

    Parameters
    ----------
    path : Path
        Ends in one of ``FORMATS``.
    checkpoint : Checkpoint
        The model, with its weights.
    overwrite : bool
        Whether a file that is there is replaced.

    Raises
    ------
    ConfigError
        If the name has another ending.
    CharrnnError
        If the file is there or cannot be written, or the format cannot hold this model.
    """
    check_target(path, overwrite=overwrite)
    # All of it arrives, or nothing.
    with _in_one_line(path), TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        written = Path(folder, path.name)
        _writer(path)(written, checkpoint)
        written.replace(path)


def check_target(path: Path, *, overwrite: bool = False) -> None:
    """Refuse a file that ``export`` would; for the parameters and errors see there."""
    if path.suffix not in FORMATS:
        raise ConfigError(f"{path} ends in neither {' nor '.join(FORMATS)}: give one of them")
    with _in_one_line(path):
        if path.is_dir():
            raise CharrnnError(f"{path} is a folder: name a file in it, as model{path.suffix}")
        if not path.parent.is_dir():
            raise CharrnnError(f"{path} cannot be written: there is no folder {path.parent}")
        if path.exists() and not overwrite:
            raise CharrnnError(f"{path} exists: --overwrite replaces it, or name another file")


@contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    """Say in one line that a file cannot be written."""
    try:
        yield
    except OSError as error:
        raise CharrnnError(
            f"{path} cannot be written ({error.strerror}): make room, or name another file"
        ) from error


def _writer(path: Path) -> Callable[[Path, Checkpoint], None]:
    """Return what writes such a file; only then is its module imported."""
    module, function = FORMATS[path.suffix]
    write: Callable[[Path, Checkpoint], None] = getattr(import_module(module), function)
    return write
