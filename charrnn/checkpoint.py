"""Checkpoints: one self-contained .npz, written so that no crash leaves half of one.

A checkpoint may come from anyone. It is a plain zip of uncompressed arrays, read without pickle;
every name, type, shape and size is checked against its own configuration before any array is made,
so nothing in it can run code or ask for more memory than the file is long.
"""

import contextlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.config import ModelConfig, TextConfig, TrainConfig
from charrnn.errors import CharrnnError, CheckpointError
from charrnn.nn.model import CharModel
from charrnn.nn.parameters import Array
from charrnn.text import Source, Vocabulary

FORMAT = 1
"""Goes up when a checkpoint is no longer what an older charrnn expects."""
META_LIMIT = 2**26
"""Bytes of JSON that a checkpoint may have."""


@dataclass
class History:
    """How far a run has come: all that decides its course, beside the arrays.

    ``nats_sum`` and ``nats_steps`` make up the mean training loss since the last validation,
    ``rows`` are (step, training nats, validation nats) of every validation.
    """

    step: int = 0
    seconds: float = 0.0
    nats_sum: float = 0.0
    nats_steps: int = 0
    best_nats: float | None = None
    best_step: int | None = None
    without_improvement: int = 0
    validations: int = 0
    rate_factor: float = 1.0
    failures: int = 0
    finished: str = ""
    rows: list[tuple[int, float, float | None]] = field(default_factory=list)

    @classmethod
    def from_json(cls, data: Any) -> "History":
        """Check and read what ``asdict`` wrote."""
        new = cls()
        for name, value in asdict(new).items():
            given = data[name]
            optional = name in ("best_nats", "best_step")
            kinds: tuple[type, ...] = (
                (int, float) if isinstance(value, float) or optional else (type(value),)
            )
            if isinstance(given, bool) or not (
                isinstance(given, kinds) or (optional and given is None)
            ):
                raise ValueError(f"history.{name} is {given!r}")
            setattr(new, name, given)
        new.rows = [(int(a), float(b), None if c is None else float(c)) for a, b, c in new.rows]
        return new


@dataclass
class Checkpoint:
    """Everything that a file of a run holds.

    Attributes
    ----------
    text_config, model_config, train_config
        The settings, every automatic one resolved.
    vocabulary : Vocabulary
    sources : tuple of Source
        The corpus files, with their SHA-256.
    characters, held_out : int
        Length of the corpus and of its held-out end.
    history : History
    weights : dict of str to array
        By name, as in ``CharModel.parameters``.
    training : dict of str to array
        What a resume needs beside the weights: the optimiser's vectors and the streams' state.
        Empty in ``best.npz``.
    """

    text_config: TextConfig
    model_config: ModelConfig
    train_config: TrainConfig
    vocabulary: Vocabulary
    sources: tuple[Source, ...]
    characters: int
    held_out: int
    history: History
    weights: Mapping[str, Array]
    training: Mapping[str, Array] = field(default_factory=dict)

    def model(self) -> CharModel:
        """Return the model with these weights."""
        model = CharModel(self.model_config, len(self.vocabulary))
        for name, view in model.parameters.items():
            view[...] = self.weights[name]
        model.prepare()
        return model

    @property
    def num_parameters(self) -> int:
        """Number of weights."""
        return sum(weight.size for weight in self.weights.values())


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in one piece: to a temporary file beside it, synced, then renamed.

    Raises
    ------
    CheckpointError
        If that fails (disk full, folder gone, no permission); the file that was there is intact.
    """
    meta = {
        "format": FORMAT,
        "text": checkpoint.text_config.to_json(),
        "model": checkpoint.model_config.to_json(),
        "train": checkpoint.train_config.to_json(),
        "vocabulary": checkpoint.vocabulary.to_json(),
        "sources": [asdict(source) for source in checkpoint.sources],
        "characters": checkpoint.characters,
        "held_out": checkpoint.held_out,
        "history": asdict(checkpoint.history),
        "training": {name: list(array.shape) for name, array in checkpoint.training.items()},
    }
    encoded = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    arrays = {
        "meta": encoded,
        **{f"model.{name}": array for name, array in checkpoint.weights.items()},
        **{f"training.{name}": array for name, array in checkpoint.training.items()},
    }
    write_whole(path, lambda file: np.savez(file, allow_pickle=False, **arrays))


def write_whole(path: Path, write: Any) -> None:
    """Let ``write(file)`` make the new content of ``path``; all of it arrives there, or nothing."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        with contextlib.suppress(OSError):  # not every file system can sync a folder
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        reason = error.strerror or str(error)
        raise CheckpointError(
            f"{path} could not be written ({reason}); what was saved before is intact: "
            "make room or choose another folder with --out"
        ) from error


def load(path: str | Path) -> Checkpoint:
    """Read and check a checkpoint.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, of another format or not a checkpoint at all.
    """
    try:
        with Path(path).open("rb") as file, zipfile.ZipFile(file) as archive:
            return _read(archive)
    except CharrnnError as error:
        raise CheckpointError(f"{path} is no usable checkpoint: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        NotImplementedError,
        RecursionError,
        RuntimeError,
        SyntaxError,
        TypeError,
        ValueError,
        zipfile.BadZipFile,
    ) as error:
        detail = " ".join(str(error).split())[:200] or type(error).__name__
        raise CheckpointError(
            f"{path} is no usable checkpoint ({detail}): take another copy or train again"
        ) from error


def _read(archive: zipfile.ZipFile) -> Checkpoint:
    members = {member.filename: member for member in archive.infolist()}
    for member in members.values():
        # Stored, not compressed: then nothing can unpack to more than the file is long.
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise CheckpointError(f"its member {member.filename!r} is compressed")
    if len(members) != len(archive.infolist()):
        raise CheckpointError("it names a member twice")
    meta = _read_meta(archive, members)
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        number = meta.get("format") if isinstance(meta, dict) else None
        raise CheckpointError(
            f"its format is {number!r} and this charrnn reads {FORMAT}: "
            "use the charrnn that wrote it"
        )
    model_config = ModelConfig.from_json(meta["model"])
    vocabulary = Vocabulary.from_json(meta["vocabulary"])
    if None in (model_config.num_layers, model_config.hidden_size, model_config.dropout):
        raise CheckpointError("its model has no size")
    shapes = CharModel.shapes_of(model_config, len(vocabulary))
    training = {str(name): tuple(map(int, shape)) for name, shape in meta["training"].items()}
    expected = {f"model.{name}": shape for name, shape in shapes.items()}
    expected |= {f"training.{name}": shape for name, shape in training.items()}
    if set(members) != {f"{name}.npy" for name in expected} | {"meta.npy"}:
        raise CheckpointError("its arrays are not those of its model")
    arrays = {
        name: _read_array(archive, members[f"{name}.npy"], shape)
        for name, shape in expected.items()
    }
    characters, held_out = meta["characters"], meta["held_out"]
    if not (type(characters) is type(held_out) is int and 0 <= held_out < characters):
        raise CheckpointError("its split is impossible")
    return Checkpoint(
        text_config=TextConfig.from_json(meta["text"]),
        model_config=model_config,
        train_config=TrainConfig.from_json(meta["train"]),
        vocabulary=vocabulary,
        sources=tuple(
            Source(str(source["path"]), str(source["sha256"]), int(source["size"]))
            for source in meta["sources"]
        ),
        characters=characters,
        held_out=held_out,
        history=History.from_json(meta["history"]),
        weights={name: arrays[f"model.{name}"] for name in shapes},
        training={name: arrays[f"training.{name}"] for name in training},
    )


def _read_meta(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> Any:
    if "meta.npy" not in members:
        raise CheckpointError("it holds no charrnn model")
    member = members["meta.npy"]
    if member.file_size > META_LIMIT:
        raise CheckpointError("its description is too large")
    with archive.open(member) as file:
        shape, dtype = _header(file)
        data = file.read()
    if dtype != np.uint8 or shape != (len(data),):
        raise CheckpointError("its description is malformed")
    return json.loads(data)


def _read_array(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, expected: tuple[int, ...]
) -> Array:
    if any(size < 0 for size in expected) or prod(expected) * 4 > member.file_size:
        raise CheckpointError(f"its array {member.filename} is shorter than its model needs")
    with archive.open(member) as file:
        shape, dtype = _header(file)
        if shape != expected or dtype != np.float32:
            raise CheckpointError(
                f"its array {member.filename} is {shape} {dtype}, "
                f"where its model needs {expected} float32"
            )
        data = file.read()  # checks the sum as well
    if len(data) != 4 * prod(shape):
        raise CheckpointError(f"its array {member.filename} is cut off or too long")
    array = np.frombuffer(data, np.float32).reshape(shape)
    if not np.isfinite(array).all():
        raise CheckpointError(f"its array {member.filename} holds values that are not finite")
    return array


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    if np.lib.format.read_magic(file) != (1, 0):
        raise CheckpointError("its arrays are of an unknown version")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if fortran and len(shape) > 1:
        raise CheckpointError("its arrays are in column order")
    return shape, dtype
