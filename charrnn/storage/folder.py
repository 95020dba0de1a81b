"""Run directories: naming, creating and finding them, and the checkpoints in them."""

import contextlib
import re
from pathlib import Path

from charrnn.config.similar import did_you_mean
from charrnn.errors import CheckpointError, RunError
from charrnn.storage.checkpoint import Checkpoint, load
from charrnn.storage.lock import is_running
from charrnn.storage.log import LOG
from charrnn.text.sources import fingerprint

RUNS = Path("runs")
BEST, LAST = "best.npz", "last.npz"
LONGEST_NAME = 60
"""Most characters of the name of a file that are used in the name of a run."""


def cache_directory() -> Path:
    """Return the folder in which large encoded corpora are cached."""
    return RUNS / ".cache"


def run_name(typed: str | Path, *, with_folder: bool = False) -> str:
    """Return the name of a run on a corpus, from the path that the user typed.

    Parameters
    ----------
    typed : str
        A file, whose name is used without its suffixes, or a folder; for a pattern, its folder is
        used.
    with_folder : bool
        Whether to put the name of the folder, if it was typed, before the name of the file.
    """
    if str(typed) == "-":
        return "stdin"
    path = Path(typed)
    if path.is_relative_to("/dev") or path.is_relative_to("/proc"):  # from a shell's <(command)
        return "pipe"
    if re.search(r"[*?]", path.name):
        path = path.parent
    if path.name in ("", ".."):
        path = path.resolve()
    with contextlib.suppress(OSError, ValueError):  # not a valid file name
        if path.is_dir():
            return _safe(path.name) or "run"
    stem = re.sub(r"\.(gz|bz2|xz)$", "", path.name, flags=re.IGNORECASE)
    stem = _safe(re.sub(r"(?<!^)\.[^\W\d_]\w{0,9}$", "", stem))
    folder = _safe(path.parent.name) if with_folder else ""
    return "-".join(part for part in (folder, stem) if part) or "run"


def _safe(name: str) -> str:
    """Return a name with only characters that are valid in folder names on every system."""
    return re.sub(r"[^\w.-]+", "-", name)[:LONGEST_NAME].strip(".-")


def new_run_directory(name: str, out: Path | None = None) -> Path:
    """Create an unused directory: ``out``, or ``runs/<name>``, ``runs/<name>-2``, ...

    Raises
    ------
    RunError
        If ``out`` already has a run, or the directory cannot be created.
    """
    try:
        if out is not None:
            check_unused(out)
            out.mkdir(parents=True, exist_ok=True)
            return out
        RUNS.mkdir(exist_ok=True)
        number = 1
        while True:
            path = RUNS / (name if number == 1 else f"{name}-{number}")
            try:
                path.mkdir()  # only one process can succeed
            except FileExistsError:
                number += 1
            else:
                return path
    except OSError as error:
        raise RunError(_cannot_be_made(out or RUNS, error)) from error


def check_unused(out: Path) -> None:
    """Raise RunError if ``out`` already has a run, or cannot be a directory."""
    try:
        if any((out / file).exists() for file in (BEST, LAST)) or _size(out / LOG):
            raise RunError(
                f"{out} already has a run: resume it with --resume {out}, or name another --out"
            )
        if out.exists() and not out.is_dir():
            raise RunError(f"{out} is a file: name another folder with --out")
    except OSError as error:
        raise RunError(_cannot_be_made(out, error)) from error


def _cannot_be_made(path: Path, error: OSError) -> str:
    return f"{path} cannot be created ({error.strerror}): name another folder with --out"


def _size(path: Path) -> int:
    """Return the size of a file, 0 if it is missing; the log of a run killed at once is empty."""
    return path.stat().st_size if path.exists() else 0


def is_model(name: str) -> bool:
    """Return whether a name, which may also be that of a text file, is that of a model or a run."""
    path = Path(name)
    with contextlib.suppress(OSError, ValueError):  # not a valid file name
        if path.is_file():
            return path.suffix == ".npz"
        places = [path] if path.exists() else [RUNS / path]
        return any((place / file).is_file() for place in places for file in (BEST, LAST))
    return False


def find_model(model: str | Path | None) -> Path:
    """Return the path of the checkpoint with a given name.

    Parameters
    ----------
    model : str, optional
        An .npz file, the directory of a run, or its name under ./runs. The default is the newest
        run.

    Raises
    ------
    RunError
        If there is no such file or run, or if the newest run has no model yet and the one before it
        is for another text.
    """
    if model is None:
        return _newest_model()
    path = Path(model)
    with contextlib.suppress(OSError, ValueError):  # not a valid file name
        for candidate in (path, RUNS / path):
            if candidate.is_dir():
                if (candidate / BEST).exists():
                    return candidate / BEST
                last = candidate / LAST
                advice = f"name {last}" if last.exists() else "list the runs with charrnn runs"
                raise RunError(f"{candidate} has no {BEST}: {advice}")
            if candidate.is_file():
                return candidate
    raise RunError(f"{model} is neither a checkpoint nor a run{_advice(str(model))}")


def _advice(name: str) -> str:
    """Return advice for a name that is not a run, as the end of a sentence."""
    return near_runs(name) or "; list the runs with charrnn runs"


def near_runs(name: str) -> str:
    """Return the run that a misspelled name may mean, as the end of a sentence; empty if none."""
    return did_you_mean(name, [directory.name for directory in run_directories()])


def no_run(name: str | Path) -> RunError:
    """Return the error for a name that is not that of a run."""
    return RunError(f"{name} is not a run{_advice(str(name))}")


def _newest_model() -> Path:
    """Return the best state of the newest run that has one."""
    empty: list[Path] = []
    for directory in run_directories():
        if not (directory / BEST).exists():
            empty.append(directory)
            continue
        if empty and _text_of(empty[0] / LAST) not in (None, _text_of(directory / BEST)):
            first = (
                "wait for its first save"
                if is_running(empty[0])
                else f"resume it with charrnn train --resume {empty[0]}"
            )
            raise RunError(
                f"{empty[0]} is the newest run and has no {BEST} yet, and {directory} is for "
                f"another text: {first}, or name a model, as in --model {directory}"
            )
        return directory / BEST
    raise RunError(
        "there is no trained model under ./runs: train one with charrnn train FILE, "
        "or name one with --model"
    )


def _text_of(file: Path) -> str | None:
    """Return the fingerprint of the text of a checkpoint; None if it cannot be read."""
    try:
        return fingerprint(load(file, arrays=False).sources)
    except CheckpointError:
        return None


def open_model(model: str | Path | None = None) -> tuple[Path, Checkpoint]:
    """Return the path of the checkpoint with a given name, and the checkpoint.

    Parameters
    ----------
    model : str, optional
        As in ``find_model``.

    Raises
    ------
    RunError
        If there is no such file or run.
    CheckpointError
        If the file is damaged or not a checkpoint.
    """
    path = find_model(model)
    return path, load(path)


def run_directories() -> list[Path]:
    """Return the directories of the runs under ./runs, the newest model first."""

    def modified(directory: Path) -> float:
        return max(
            (directory / file).stat().st_mtime
            for file in (BEST, LAST)
            if (directory / file).exists()
        )

    found = []
    with contextlib.suppress(OSError):
        for directory in RUNS.iterdir():
            with contextlib.suppress(OSError, ValueError):
                found.append((modified(directory), directory.name, directory))
    return [directory for *_, directory in sorted(found, reverse=True)]


def load_last(directory: Path) -> Checkpoint:
    """Return the checkpoint from which a run is resumed.

    Raises
    ------
    RunError
        If the directory has no run that can be resumed.
    """
    if not (directory / LAST).exists():
        raise RunError(f"{directory} has no {LAST} to resume from: list the runs with charrnn runs")
    try:
        checkpoint = load(directory / LAST)
    except CheckpointError as error:
        raise RunError(
            f"{error}; to start from its best state, train a new run with --init-from {directory}"
        ) from error
    if not checkpoint.training:
        raise RunError(
            f"{directory / LAST} has no training state to resume from: use --init-from instead"
        )
    return checkpoint
