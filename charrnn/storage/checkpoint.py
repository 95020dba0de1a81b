"""Checkpoints: one self-contained .npz, written so that no crash leaves half of one.

A checkpoint may come from anyone. It is a plain zip of uncompressed arrays, read without pickle;
every name, type, shape and size is checked before memory is asked for, so nothing in it can run
code, and its arrays take no more memory than the file is long.
"""

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import isfinite, prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.config import ModelConfig, TextConfig, TrainConfig, codec_name
from charrnn.data.sides import AnySplit, split_of
from charrnn.errors import CharrnnError, CheckpointError
from charrnn.nn.model import CharModel
from charrnn.system.files import RegularFile, write_whole
from charrnn.system.machine import installed_memory
from charrnn.text import Source, Vocabulary

FORMAT = 2
"""Goes up when a checkpoint is no longer what an older charrnn expects.

1: no counts, no encoding of a source; lines are held out from the end.
2: counts of the training part, hashed splits, the encoding of each source.
"""
META_LIMIT = 2**26
"""Bytes of JSON that a checkpoint may have; a million validations fit, or as many symbols."""
META_LISTS, META_VALUES = 2**21, 2**23
"""Lists and values that this JSON may have: each takes many times its bytes in memory."""
DIRECTORY_LIMIT = 2**19
"""Bytes of the list of arrays; 16 members of 64 layers take 0.2 MB."""
COUNT_LIMIT = 2**46
"""No run makes as many steps, and products with a window's length still fit 64 bits."""
STRAY = "allow_pickle.npy"
"""A member that NumPy 2.0 and 2.1 made of an argument that they did not know; nobody reads it."""
PATH_LIMIT = 2**15
SOURCE_FIELDS = [item.name for item in fields(Source)]
MESSAGE_LIMIT = 300
"""Characters of an error: a hostile file may bring long ones."""

_HEADER = re.compile(
    rb"\{'descr': '([<|>=]?\w+)', 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\), \} *\n"
)


@dataclass
class History:
    """How far a run has come: all that decides its course, beside the arrays.

    ``nats_sum`` and ``nats_steps`` make up the mean training loss since the last validation,
    ``rows`` are (step, training nats, validation nats) of every validation. ``best_interval`` is
    the half-width of the 95 % interval of ``best_nats``, 0 where the whole held-out part was
    scored. ``overhead`` are the seconds that validations, samples and saves took, ``scored`` the
    characters that validations scored, and ``next_pass`` says after how many passes the next early
    validation is due, if there are any. Time in which the process was stopped is not in
    ``seconds``, but in ``stopped``.
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
    best_interval: float = 0.0
    overhead: float = 0.0
    scored: int = 0
    next_pass: float | None = None
    stopped: float = 0.0

    @classmethod
    def from_json(cls, data: Any) -> "History":
        """Check and read what ``asdict`` wrote."""
        new = cls(**{item.name: data[item.name] for item in fields(cls)})
        counts = ("step", "nats_steps", "without_improvement", "validations", "failures", "scored")
        for name in counts:
            _check(_is_count(getattr(new, name)), name)
        for name in ("seconds", "nats_sum", "rate_factor", "best_interval", "overhead", "stopped"):
            value = getattr(new, name)
            _check(_is_number(value) and isfinite(value) and value >= 0, name)
        for name in ("best_nats", "next_pass"):
            value = getattr(new, name)
            _check(value is None or (_is_number(value) and isfinite(value)), name)
        _check(new.best_step is None or _is_count(new.best_step), "best_step")
        _check(isinstance(new.finished, str) and len(new.finished) <= 100, "finished")
        _check(isinstance(new.rows, list), "rows")
        for row in new.rows:
            step, train, val = row
            _check(_is_count(step) and _is_number(train), "rows")
            _check(val is None or _is_number(val), "rows")
        new.rows = [(step, train, val) for step, train, val in new.rows]
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
        Length of the corpus and of what is held out of it.
    history : History
    counts : (V,) int64 array, optional
        How often each symbol occurs in what the model learned from; None in files of format 1.
    weights : dict of str to array
        By name, as in ``CharModel.parameters``.
    training : dict of str to array
        What a resume needs beside the weights: the optimizer's vectors and the streams' state.
        Empty in ``best.npz``.
    folder : Path, optional
        Where it was loaded from: the corpus may lie beside it.
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
    counts: NDArray[np.int64] | None = None
    folder: Path | None = None

    def model(self) -> CharModel:
        """Return the model with these weights."""
        model = CharModel(self.model_config, len(self.vocabulary))
        model.parameters.fill(self.weights)
        return model

    @property
    def split(self) -> AnySplit:
        """Which characters of the corpus were learned from."""
        return split_of(self.train_config, self.text_config, self.characters, self.held_out)

    @property
    def unseen(self) -> NDArray[np.bool_] | None:
        """Which symbols (V,) the training part does not have; None where that is not known."""
        return None if self.counts is None else self.counts == 0

    @property
    def num_parameters(self) -> int:
        """Number of weights."""
        return sum(weight.size for weight in self.weights.values())


def save(path: Path, checkpoint: Checkpoint, *, verify: bool = False) -> None:
    """Write a checkpoint in one piece: to a temporary file beside it, synced, then renamed.

    Parameters
    ----------
    path : Path
        The file, which may exist.
    checkpoint : Checkpoint
        What to write.
    verify : bool
        Whether the file is read back before it takes the place of the one that was there.

    Raises
    ------
    CheckpointError
        If that fails (disk full, folder gone, no permission), or ``load`` would refuse the file;
        the file that was there is intact.
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
        "counts": None if checkpoint.counts is None else checkpoint.counts.tolist(),
        "history": asdict(checkpoint.history),
        "training": {name: list(array.shape) for name, array in checkpoint.training.items()},
    }
    text = json.dumps(meta).encode("ascii")
    _check_meta_size(text)
    arrays = {
        "meta": np.frombuffer(text, np.uint8),
        **{f"model.{name}": array for name, array in checkpoint.weights.items()},
        **{f"training.{name}": array for name, array in checkpoint.training.items()},
    }
    for name, array in arrays.items():
        if name == "meta":
            continue
        if array.dtype != np.float32:
            raise CheckpointError(
                f"{path} was not written: {name} is {array.dtype} and a checkpoint holds float32: "
                "make the model with dtype=numpy.float32"
            )
        if not np.isfinite(array).all():
            raise CheckpointError(
                f"{path} was not written: {name} holds values that are not finite; what was saved "
                "before is intact: train with a lower --learning-rate"
            )

    def check(written: Path) -> None:
        try:
            load(written)
        except CheckpointError as error:
            raise CheckpointError(
                f"{path} was not written: what was written cannot be read back "
                f"({_short(error.__cause__ or error)}); what was saved before is intact: check the "
                "disk, and install charrnn and NumPy again"
            ) from error

    write_whole(path, lambda file: _write_arrays(file, arrays), check if verify else None)


def load(path: str | Path) -> Checkpoint:
    """Read and check a checkpoint.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, of another format or not a checkpoint at all.
    """
    try:
        with RegularFile(Path(path), DIRECTORY_LIMIT) as file, zipfile.ZipFile(file) as archive:
            file.limit = file.size
            checkpoint = _read(archive, file.size)
            checkpoint.folder = Path(path).parent
            return checkpoint
    except CharrnnError as error:
        raise CheckpointError(f"{path} is no usable checkpoint: {_short(error)}") from error
    except Exception as error:  # it is the file that is wrong, in one of countless ways
        if isinstance(error, OSError) and error.filename is not None:
            raise CheckpointError(f"{path}: {error.strerror}") from error
        raise CheckpointError(
            f"{path} is no usable checkpoint ({_short(error)}): take another copy or train again"
        ) from error


def _short(error: BaseException) -> str:
    """Return the message of an error on a file from anyone: one line, and not a long one."""
    words = str(error)[: 2 * MESSAGE_LIMIT].split()
    shown = " ".join(words) or type(error).__name__
    return shown if len(shown) <= MESSAGE_LIMIT else shown[:MESSAGE_LIMIT] + "..."


def _read(archive: zipfile.ZipFile, file_size: int) -> Checkpoint:
    listed = archive.infolist()
    members = {member.filename: member for member in listed}
    if len(members) != len(listed):
        raise CheckpointError("it names a member twice")
    for member in listed:
        # Stored, not compressed: then nothing can unpack to more than the file is long.
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise CheckpointError(f"its member {member.filename!r} is compressed")
    if sum(member.file_size for member in listed) > file_size:
        raise CheckpointError("it announces more than it holds")
    memory = installed_memory()
    if memory and 2 * file_size > memory:  # a file with holes may be longer than its disk
        raise CheckpointError(
            f"it needs about {2 * file_size / 1e9:,.0f} GB of memory and this machine has "
            f"{memory / 1e9:,.0f} GB"
        )
    meta = _read_meta(archive, members)
    model_config = ModelConfig.from_json(meta["model"])
    train_config = TrainConfig.from_json(meta["train"])
    vocabulary = Vocabulary.from_json(meta["vocabulary"])
    sizes = model_config.num_layers, model_config.hidden_size, model_config.dropout
    if None in (model_config.cell, *sizes):
        raise CheckpointError("its model has no cell or no size")
    shapes = CharModel.shapes_of(model_config, len(vocabulary))
    training = _training_shapes(meta["training"])
    if training and None in (
        train_config.batch_size,
        train_config.seq_len,
        train_config.learning_rate,
        train_config.weight_decay,
        train_config.validations,
        train_config.val_characters,
        train_config.max_epochs,
        train_config.split_mode,
        train_config.steps or train_config.minutes,
    ):
        raise CheckpointError("its settings leave open how its training goes on")
    expected = {f"model.{name}": shape for name, shape in shapes.items()}
    expected |= {f"training.{name}": shape for name, shape in training.items()}
    members.pop(STRAY, None)
    if set(members) != {f"{name}.npy" for name in expected} | {"meta.npy"}:
        raise CheckpointError("its arrays are not those of its model")
    characters, held_out = meta["characters"], meta["held_out"]
    parts = train_config.split_parts
    if (
        not (_is_count(characters) and _is_count(held_out) and held_out < characters)
        or held_out % parts
        or held_out // parts >= max(1, characters // parts)
    ):
        raise CheckpointError("its split is impossible")
    checkpoint = Checkpoint(
        text_config=TextConfig.from_json(meta["text"]),
        model_config=model_config,
        train_config=train_config,
        vocabulary=vocabulary,
        sources=_sources(meta["sources"]),
        characters=characters,
        held_out=held_out,
        history=History.from_json(meta["history"]),
        weights={},
        counts=_counts(meta["counts"], len(vocabulary)),
    )
    arrays = {
        name: _read_array(archive, members[f"{name}.npy"], shape)
        for name, shape in expected.items()
    }
    checkpoint.weights = {name: arrays[f"model.{name}"] for name in shapes}
    checkpoint.training = {name: arrays[f"training.{name}"] for name in training}
    return checkpoint


def _read_meta(
    archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]
) -> Mapping[str, Any]:
    if "meta.npy" not in members:
        raise CheckpointError("it holds no charrnn model")
    member = members["meta.npy"]
    _check_size(member.file_size, META_LIMIT + 2**16)
    shape, dtype, data = _read_member(archive, member)
    if dtype != "|u1" or shape != (len(data),):
        raise CheckpointError("its description is malformed")
    _check_meta_size(data)
    meta = json.loads(data.decode("ascii"))
    number = meta.get("format") if isinstance(meta, dict) else None
    if type(number) is not int or not 1 <= number <= FORMAT:
        raise CheckpointError(
            f"its format is {number!r:.40} and this charrnn reads 1 to {FORMAT}: "
            "use a newer charrnn"
        )
    return _from_format_1(meta) if number == 1 else meta


def _from_format_1(meta: dict[str, Any]) -> dict[str, Any]:
    """Return what a file of format 1 says in the terms of format 2."""
    train = {
        "max_epochs": 0.0,
        "split_mode": "contiguous",
        "split_key": None,
        "val_characters": 500_000,
        **meta["train"],
    }
    return {
        **meta,
        "text": {"errors": "strict", **meta["text"]},
        "model": {**meta["model"], "members": meta["model"].get("members", 1)},
        "train": train,
        "sources": [{"encoding": "", **source} for source in meta["sources"]],
        "counts": None,
        "history": {**asdict(History()), **meta["history"]},
    }


def _counts(data: Any, symbols: int) -> NDArray[np.int64] | None:
    if data is None:
        return None
    if not isinstance(data, list) or len(data) != symbols or not all(map(_is_count, data)):
        raise CheckpointError("its counts are not those of its vocabulary")
    return np.array(data, np.int64)


def _check_meta_size(text: bytes) -> None:
    """Refuse a description that is too long to be read, and so, too long to be written."""
    _check_size(len(text), META_LIMIT)
    _check_size(text.count(b"[") + text.count(b"{"), META_LISTS)
    _check_size(text.count(b","), META_VALUES)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise CheckpointError("its description is too long: join the files of its corpus into one")


def _training_shapes(data: Any) -> dict[str, tuple[int, ...]]:
    if not isinstance(data, dict) or len(data) > 16:
        raise CheckpointError("its list of training arrays is malformed")
    for name, shape in data.items():
        if not (
            re.fullmatch(r"[a-z_.]{1,40}", name)
            and isinstance(shape, list)
            and len(shape) <= 8
            and all(map(_is_count, shape))
        ):
            raise CheckpointError("its list of training arrays is malformed")
    return {name: tuple(shape) for name, shape in data.items()}


def _sources(data: Any) -> tuple[Source, ...]:
    sources = tuple(Source(*(item[name] for name in SOURCE_FIELDS)) for item in data)
    for source in sources:
        if not (
            isinstance(source.path, str)
            and len(source.path) <= PATH_LIMIT
            and "\0" not in source.path
            and isinstance(source.sha256, str)
            and re.fullmatch("[0-9a-f]{64}", source.sha256)
            and _is_count(source.size)
            and isinstance(source.encoding, str)
            and (not source.encoding or codec_name(source.encoding) != "auto")
        ):
            raise CheckpointError("its list of corpus files is malformed")
    if not sources:
        raise CheckpointError("it names no corpus")
    return sources


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= COUNT_LIMIT


def _is_number(value: Any) -> bool:
    return type(value) is float or _is_count(value)


def _check(valid: bool, name: str) -> None:
    if not valid:
        raise CheckpointError(f"its history has an impossible {name}")


def _read_array(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, expected: tuple[int, ...]
) -> Array:
    if prod(expected) * 4 > member.file_size:
        raise CheckpointError(f"its array {member.filename} is shorter than its model needs")
    shape, dtype, data = _read_member(archive, member)
    if shape != expected or dtype != "<f4":
        raise CheckpointError(
            f"its array {member.filename} is {shape} {dtype}, where its model needs {expected} <f4"
        )
    if len(data) != 4 * prod(shape):
        raise CheckpointError(f"its array {member.filename} is cut off or too long")
    array: Array = np.frombuffer(data, "<f4").reshape(shape)
    if not np.isfinite(array).all():
        raise CheckpointError(f"its array {member.filename} holds values that are not finite")
    return array


def _read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> tuple[tuple[int, ...], str, bytes]:
    """Return shape, dtype and bytes of an array.

    The header is matched as text. NumPy's own reader parses it as a Python literal, and a long or
    deeply nested one can exhaust memory there.
    """
    with archive.open(member) as file:
        if file.read(8) != b"\x93NUMPY\x01\x00":
            raise CheckpointError("its arrays are of an unknown version")
        header = _HEADER.fullmatch(file.read(int.from_bytes(file.read(2), "little")))
        data = file.read()  # to its end, where the sum is checked
    if header is None:
        raise CheckpointError("the header of an array is malformed")
    dtype, fortran, sizes = (group.decode() for group in header.groups())
    shape = tuple(int(size) for size in sizes.replace(" ", "").removesuffix(",").split(",") if size)
    if fortran == "True":
        raise CheckpointError("its arrays are in column order")
    return shape, dtype, data


def _write_arrays(file: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write what ``_read_member`` reads: stored members ``NAME.npy``, version 1.0, in row order.

    ``np.savez`` writes the same bytes, but before NumPy 2.2 it cannot be told to refuse a pickle.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            # A ZipInfo has a fixed date of its own, so the same arrays give the same bytes.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                data = np.asarray(array, order="C")
                np.lib.format.write_array(member, data, version=(1, 0), allow_pickle=False)
