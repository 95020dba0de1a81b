"""Checkpoints: one self-contained .npz, written so that no crash leaves half of one.

A checkpoint may come from anyone. It is a plain zip of uncompressed arrays, read without pickle;
every name, type, shape and size is checked before memory is asked for, so nothing in it can run
code, and its arrays take no more memory than the file is long.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.config import (
    Architecture,
    TextConfig,
    TrainingSettings,
    ValidationSettings,
)
from charrnn.counts.mixing import Mixture
from charrnn.counts.model import CountingModel
from charrnn.counts.table import CountTable
from charrnn.data.sides import Sides
from charrnn.data.task import Task
from charrnn.data.tasks import task_of
from charrnn.errors import CharrnnError, CheckpointError, ConfigError
from charrnn.linear.model import NgramModel
from charrnn.nn.model import CharModel
from charrnn.storage.counts import (
    ARRAYS,
    mixture_of_counts,
    read_table,
    sizes_from,
    table_arrays,
    table_to_json,
)
from charrnn.storage.formats import FORMAT
from charrnn.storage.history import COUNT_LIMIT, History, is_count
from charrnn.storage.labels import (
    COUNTED,
    kept_shape,
    labels_from,
    mixture_from,
    ngram_arrays,
    ngram_shapes,
    read_kept,
    read_ngrams,
)
from charrnn.storage.meta import check_meta_size, counts_from, read_meta, training_shapes
from charrnn.storage.npz import (
    DIRECTORY_LIMIT,
    members_of,
    read_array,
    write_arrays,
)
from charrnn.storage.sources import sources_from
from charrnn.system.files import RegularFile, write_whole
from charrnn.text import Corpus, Source, Vocabulary
from charrnn.text.codes import Codes

STRAY = "allow_pickle.npy"
"""A member that NumPy 2.0 and 2.1 made of an argument that they did not know; nobody reads it."""
MESSAGE_LIMIT = 300
"""Characters of an error: a hostile file may bring long ones."""


@dataclass
class Checkpoint:
    """Everything that a file of a run holds.

    Attributes
    ----------
    text, architecture, settings, validation
        The decided settings: how the corpus is read, the shape of the network, how the run goes,
        and how it validates.
    vocabulary : Vocabulary
    sources : tuple of Source
        The corpus files, with their SHA-256.
    characters, held_out : int
        Length of the corpus and of what is held out of it.
    history : History
    counts : (C,) int64 array, optional
        How often each symbol, or label, occurs in what the model learned from; None in files of
        format 1.
    weights : dict of str to array
        By name, as in ``CharModel.parameters``.
    training : dict of str to array
        What a resume needs beside the weights: the optimizer's vectors and the streams' state.
        Empty in ``best.npz``.
    folder : Path, optional
        Where it was loaded from: the corpus may lie beside it.
    corpus : Corpus, optional
        The text itself, where the run that made it is in memory; no file holds it.
    labels : tuple of str
        What is predicted, in the order of the logits; empty for the next symbol.
    mixture : tuple of float
        The weights of the network and of what is mixed with it, where they were fitted.
    kept : (m,) int array, optional
        The training texts with their labels, where n-grams are counted on them.
    ngrams : NgramModel, optional
        A linear model of n-grams that is mixed with the network.
    table : CountTable, optional
        What was counted of the training part of a model of text.
    counting : Mixture, optional
        How the table is mixed with the network.
    format : int
        Of the file that it was read from, and otherwise that of files that are written.
    """

    text: TextConfig
    architecture: Architecture
    settings: TrainingSettings
    validation: ValidationSettings
    vocabulary: Vocabulary
    sources: tuple[Source, ...]
    characters: int
    held_out: int
    history: History
    weights: Mapping[str, Array]
    training: Mapping[str, Array] = field(default_factory=dict)
    counts: NDArray[np.int64] | None = None
    folder: Path | None = None
    corpus: Corpus | None = None
    labels: tuple[str, ...] = ()
    mixture: tuple[float, ...] = ()
    kept: Codes | None = None
    ngrams: NgramModel | None = None
    table: CountTable | None = None
    counting: Mixture | None = None
    format: int = FORMAT

    def model(self) -> CharModel:
        """Return the model with these weights."""
        model = CharModel(self.architecture, len(self.vocabulary))
        model.parameters.fill(self.weights)
        return model

    def with_counts(self, network: CharModel) -> CharModel:
        """Return what predicts by a network with these weights, on any device, and by counts.

        Raises
        ------
        ConfigError
            If there are no counts.
        """
        if self.table is None or self.counting is None:
            if self.labels:
                raise ConfigError(
                    "--counts applies only to models of text, and this one predicts labels"
                )
            if self.settings.counts:
                raise ConfigError(
                    "this state of the run has no counts, which best.npz gets at the end of it: "
                    "name that, or leave --counts out"
                )
            raise ConfigError("this model has no counts: train one with --counts, or leave it out")
        return CountingModel(network, self.table, self.counting)  # type: ignore[return-value]

    @property
    def task(self) -> Task:
        """What was learned from what."""
        return task_of(self.settings, self.labels)

    def sides(self, corpus: Corpus) -> Sides:
        """Cut the text that the model was trained on as its run did."""
        named = replace(corpus, sources=self.sources)  # a file may have another name by now
        codes, held_apart, _ = self.task.text(named, self.settings.val_files)
        held_out = held_apart or self.held_out
        return self.task.sides(codes, self.settings, held_out, self.text.unit)

    @property
    def unseen(self) -> NDArray[np.bool_] | None:
        """What (C,) the training part does not have; None where that is not known."""
        return None if self.counts is None else self.counts == 0

    @property
    def num_parameters(self) -> int:
        """Number of weights."""
        return CharModel.size_of(self.architecture, len(self.vocabulary))


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
        "text": checkpoint.text.to_json(),
        "model": checkpoint.architecture.to_json(),
        "train": checkpoint.settings.to_json(),
        "validation": checkpoint.validation.to_json(),
        "vocabulary": checkpoint.vocabulary.to_json(),
        "labels": list(checkpoint.labels),
        "mixture": list(checkpoint.mixture),
        "kept": None if checkpoint.kept is None else [len(checkpoint.kept)],
        "ngrams": None if checkpoint.ngrams is None else len(checkpoint.ngrams.keys),
        "table": table_to_json(checkpoint.table, checkpoint.counting),
        "sources": [asdict(source) for source in checkpoint.sources],
        "characters": checkpoint.characters,
        "held_out": checkpoint.held_out,
        "counts": None if checkpoint.counts is None else checkpoint.counts.tolist(),
        "history": asdict(checkpoint.history),
        "training": {name: list(array.shape) for name, array in checkpoint.training.items()},
    }
    text = json.dumps(meta).encode("ascii")
    check_meta_size(text)
    arrays = {
        "meta": np.frombuffer(text, np.uint8),
        **{f"model.{name}": array for name, array in checkpoint.weights.items()},
        **{f"training.{name}": array for name, array in checkpoint.training.items()},
    }
    if checkpoint.kept is not None:
        arrays["kept"] = checkpoint.kept.astype("<u4")
    if checkpoint.ngrams is not None:
        more = ngram_arrays(checkpoint.ngrams)
        arrays |= {f"ngrams.{name}": array for name, array in more.items()}
    more = table_arrays(checkpoint.table)
    arrays |= {f"table.{name}": array for name, array in more.items()}
    for name, array in arrays.items():
        if name in ("meta", "kept", "ngrams.keys") or name.startswith("table."):
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

    write_whole(path, lambda file: write_arrays(file, arrays), check if verify else None)


def load(path: str | Path, *, arrays: bool = True) -> Checkpoint:
    """Read and check a checkpoint.

    Parameters
    ----------
    path : str or Path
        The file.
    arrays : bool
        Whether the weights and what a resume needs are read too; without them only the
        description is, in a time that does not depend on the size of the model.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, of another format or not a checkpoint at all.
    """
    try:
        with RegularFile(Path(path), DIRECTORY_LIMIT) as file:
            if not zipfile.is_zipfile(file):
                raise CheckpointError(
                    "it is another kind of file, or its end is missing; charrnn runs lists what is "
                    "here"
                )
            with zipfile.ZipFile(file) as archive:
                file.limit = file.size
                checkpoint = _read(archive, file.size, arrays)
            checkpoint.folder = Path(path).parent
            return checkpoint
    except CharrnnError as error:
        raise CheckpointError(f"{path} is not a usable checkpoint: {_short(error)}") from error
    except Exception as error:  # it is the file that is wrong, in one of countless ways
        if isinstance(error, OSError) and error.filename is not None:
            raise CheckpointError(f"{path}: {error.strerror}") from error
        raise CheckpointError(
            f"{path} is not a usable checkpoint ({_short(error)}): take another copy or train again"
        ) from error


def _short(error: BaseException) -> str:
    """Return the message of an error on a file from anyone: one line, and not a long one."""
    words = str(error)[: 2 * MESSAGE_LIMIT].split()
    shown = " ".join(words) or type(error).__name__
    return shown if len(shown) <= MESSAGE_LIMIT else shown[:MESSAGE_LIMIT] + "..."


def _read(archive: zipfile.ZipFile, file_size: int, with_arrays: bool) -> Checkpoint:
    members = members_of(archive, file_size)
    meta = read_meta(archive, members)
    architecture = Architecture.from_json(meta["model"])
    settings = TrainingSettings.from_json(meta["train"])
    vocabulary = Vocabulary.from_json(meta["vocabulary"])
    labels = labels_from(meta["labels"], architecture, settings)
    shapes = CharModel.shapes_of(architecture, len(vocabulary))
    training = training_shapes(meta["training"])
    if training and not (settings.steps or settings.minutes):
        raise CheckpointError("its settings leave open how its training goes on")
    expected = {f"model.{name}": shape for name, shape in shapes.items()}
    expected |= {f"training.{name}": shape for name, shape in training.items()}
    kept = kept_shape(meta["kept"], settings)
    ngrams = ngram_shapes(meta["ngrams"], architecture, settings)
    mixed = COUNTED * (kept is not None) + bool(ngrams)
    mixture = mixture_from(meta["mixture"], settings, mixed)
    sizes = sizes_from(meta["table"], settings)
    if vocabulary.has_unknown != bool(labels):
        raise CheckpointError("its vocabulary is not that of its task")
    others = {"meta.npy", *(f"ngrams.{name}.npy" for name in ngrams)}
    others |= set() if kept is None else {"kept.npy"}
    others |= {f"table.{name}.npy" for name in ARRAYS} if sizes else set()
    members.pop(STRAY, None)
    if set(members) != {f"{name}.npy" for name in expected} | others:
        raise CheckpointError("its arrays are not those of its model")
    characters, held_out = meta["characters"], meta["held_out"]
    parts, val_files = settings.split_parts, settings.val_files
    if (settings.split_mode == "files") != (val_files > 0) or val_files >= len(meta["sources"]) > 0:
        raise CheckpointError("its split is impossible")
    # Texts with labels are stored in a form of their own, which may be longer than the corpus.
    most = characters if not settings.predict else COUNT_LIMIT
    if (
        not (is_count(characters) and is_count(held_out) and held_out < most)
        or held_out % parts
        or held_out // parts >= max(1, most // parts)
    ):
        raise CheckpointError("its split is impossible")
    checkpoint = Checkpoint(
        text=TextConfig.from_json(meta["text"]),
        architecture=architecture,
        settings=settings,
        validation=ValidationSettings.from_json(meta["validation"]),
        vocabulary=vocabulary,
        sources=sources_from(meta["sources"]),
        characters=characters,
        held_out=held_out,
        history=History.from_json(meta["history"]),
        weights={},
        counts=counts_from(meta["counts"], len(labels) or len(vocabulary)),
        labels=labels,
        mixture=mixture,
        counting=mixture_of_counts(meta["table"]) if sizes else None,
        format=meta["read"],
    )
    if not with_arrays:
        return checkpoint
    arrays = {
        name: read_array(archive, members[f"{name}.npy"], shape) for name, shape in expected.items()
    }
    if kept is not None:
        checkpoint.kept = read_kept(archive, members["kept.npy"], kept)
    if ngrams:
        own = {name: members[f"ngrams.{name}.npy"] for name in ngrams}
        checkpoint.ngrams = read_ngrams(archive, own, ngrams)
    if sizes:
        own = {name: members[f"table.{name}.npy"] for name in ARRAYS}
        checkpoint.table = read_table(archive, own, sizes, len(vocabulary))
    checkpoint.weights = {name: arrays[f"model.{name}"] for name in shapes}
    checkpoint.training = {name: arrays[f"training.{name}"] for name in training}
    return checkpoint
