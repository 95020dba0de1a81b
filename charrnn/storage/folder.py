"""Run directories: how they are named, made and found, and the checkpoints in them."""

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
"""Characters of the name of a file that are taken over."""


def cache_directory() -> Path:
    """Return where large corpora are kept encoded."""
    return RUNS / ".cache"


def run_name(typed: str | Path, *, with_folder: bool = False) -> str:
    """Return the name of a run on a corpus that a user has named.

    Parameters
    ----------
    typed : str
        A file, of which the name without its endings is taken, or a folder; of a pattern, its
        folder is.
    with_folder : bool
        Whether the name of the folder stands before that of the file, if it was named.
    """
    if str(typed) == "-":
        return "stdin"
    path = Path(typed)
    if path.is_relative_to("/dev") or path.is_relative_to("/proc"):  # of a shell's <(command)
        return "pipe"
    if re.search(r"[*?]", path.name):
        path = path.parent
    if path.name in ("", ".."):
        path = path.resolve()
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have
        if path.is_dir():
            return _safe(path.name) or "run"
    stem = re.sub(r"\.(gz|bz2|xz)$", "", path.name, flags=re.IGNORECASE)
    stem = _safe(re.sub(r"(?<!^)\.[^\W\d_]\w{0,9}$", "", stem))
    folder = _safe(path.parent.name) if with_folder else ""
    return "-".join(part for part in (folder, stem) if part) or "run"


def _safe(name: str) -> str:
    """Return what of a name may name a folder anywhere."""
    return re.sub(r"[^\w.-]+", "-", name)[:LONGEST_NAME].strip(".-")


def new_run_directory(name: str, out: Path | None = None) -> Path:
    """Make a directory that no run has used: ``out``, or ``runs/<name>``, ``runs/<name>-2``, ...

    Raises
    ------
    RunError
        If ``out`` already holds a run, or the directory cannot be made.
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
    """Raise RunError if ``out`` holds a run, or cannot be a directory."""
    try:
        if any((out / file).exists() for file in (BEST, LAST)) or _size(out / LOG):
            raise RunError(
                f"{out} already holds a run: go on with --resume {out}, or name another --out"
            )
        if out.exists() and not out.is_dir():
            raise RunError(f"{out} is a file: name another folder with --out")
    except OSError as error:
        raise RunError(_cannot_be_made(out, error)) from error


def _cannot_be_made(path: Path, error: OSError) -> str:
    return f"{path} cannot be made ({error.strerror}): name another folder with --out"


def _size(path: Path) -> int:
    """Return the bytes of a file; 0 if it is missing. A run that was killed at once left none."""
    return path.stat().st_size if path.exists() else 0


def is_model(name: str) -> bool:
    """Return whether a name that may be that of a file with a text stands for a model or a run."""
    path = Path(name)
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have
        if path.is_file():
            return path.suffix == ".npz"
        places = [path] if path.exists() else [RUNS / path]
        return any((place / file).is_file() for place in places for file in (BEST, LAST))
    return False


def find_model(model: str | Path | None) -> Path:
    """Return the checkpoint that a name stands for.

    Parameters
    ----------
    model : str, optional
        An .npz file, a run's directory or its name under ./runs; the newest run if left out.

    Raises
    ------
    RunError
        If there is no such thing, or the newest run has no model yet and that before it is of
        another text.
    """
    if model is None:
        return _newest_model()
    path = Path(model)
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have
        for candidate in (path, RUNS / path):
            if candidate.is_dir():
                if (candidate / BEST).exists():
                    return candidate / BEST
                last = candidate / LAST
                advice = f"give {last}" if last.exists() else "charrnn runs lists what is here"
                raise RunError(f"{candidate} holds no {BEST}: {advice}")
            if candidate.is_file():
                return candidate
    raise RunError(f"{model} is neither a checkpoint nor a run{_advice(str(model))}")


def _advice(name: str) -> str:
    """Return what to do about a name that no run has, as the rest of a sentence."""
    return near_runs(name) or "; charrnn runs lists what is here"


def near_runs(name: str) -> str:
    """Return which run may be meant by a name, as the rest of a sentence; empty if none."""
    return did_you_mean(name, [directory.name for directory in run_directories()])


def no_run(name: str | Path) -> RunError:
    """Return the error of a name that is to be that of a run and is not."""
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
                else f"go on with charrnn train --resume {empty[0]}"
            )
            raise RunError(
                f"{empty[0]} is the newest run and has no {BEST} yet, and {directory} is of "
                f"another text: {first}, or name a model, as in --model {directory}"
            )
        return directory / BEST
    raise RunError(
        "there is no trained model under ./runs: train one with charrnn train FILE, "
        "or name one with --model"
    )


def _text_of(file: Path) -> str | None:
    """Return what identifies the text of a state; None where that cannot be read."""
    try:
        return fingerprint(load(file, arrays=False).sources)
    except CheckpointError:
        return None


def open_model(model: str | Path | None = None) -> tuple[Path, Checkpoint]:
    """Return the file that a name stands for, and the checkpoint in it.

    Parameters
    ----------
    model : str, optional
        As for ``find_model``.

    Raises
    ------
    RunError
        If there is no such thing.
    CheckpointError
        If the file is damaged or no checkpoint.
    """
    path = find_model(model)
    return path, load(path)


def run_directories() -> list[Path]:
    """Return the directories under ./runs that hold a run, the newest model first."""

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
    """Return what a resume needs.

    Raises
    ------
    RunError
        If the directory holds no run that can go on.
    """
    if not (directory / LAST).exists():
        raise RunError(
            f"{directory} holds no {LAST}: nothing to resume; charrnn runs lists what is here"
        )
    try:
        checkpoint = load(directory / LAST)
    except CheckpointError as error:
        raise RunError(
            f"{error}; to go on from its best state, train a new run with --init-from {directory}"
        ) from error
    if not checkpoint.training:
        raise RunError(f"{directory / LAST} lacks what a resume needs: use --init-from instead")
    return checkpoint
