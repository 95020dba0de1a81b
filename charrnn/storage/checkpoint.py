"""Checkpoints: one self-contained .npz each, written atomically.

A checkpoint may be untrusted. It is a plain zip of uncompressed arrays, read without pickle; every
name, type, shape and size is checked before memory is allocated, so nothing in it can run code,
and its arrays take no more memory than the size of the file.
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
from charrnn.nn.predictor import Predictor
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
"""A member that NumPy 2.0 and 2.1 wrote for an argument that they did not know; it is ignored."""
MESSAGE_LIMIT = 300
"""Most characters of an error message, as a hostile file may cause long ones."""


@dataclass
class Checkpoint:
    """Everything that a file of a run contains.

    Attributes
    ----------
    text, architecture, settings, validation
        The chosen settings: how the corpus is read, the shape of the network, training, and
        validation.
    vocabulary : Vocabulary
        The V symbols of the model.
    sources : tuple of Source
        The corpus files, with their SHA-256.
    characters, held_out : int
        Length of the corpus, and of its held-out part.
    history : History
        The progress of the run.
    counts : (C,) int64 array, optional
        Count of each symbol, or label, in the training part; None in files of format 1.
    weights : dict of str to array
        By name, as in ``CharModel.parameters``.
    training : dict of str to array
        What a resume needs in addition to the weights: the optimizer's vectors and the state of the
        streams. Empty in ``best.npz``.
    folder : Path, optional
        The folder that it was loaded from, where the corpus may be too.
    corpus : Corpus, optional
        The text itself, for a run in memory; not stored in files.
    labels : tuple of str
        The predicted labels, in the order of the logits; empty for the next symbol.
    mixture : tuple of float
        The mixture weights of the network and of the models mixed with it, if they were fitted.
    kept : (m,) int array, optional
        The texts with their labels, if n-grams are counted on them.
    ngrams : NgramModel, optional
        A linear n-gram model that is mixed with the network.
    refitted : bool
        Whether ``kept`` and ``ngrams`` include the held-out part; the weights were fitted before.
    table : CountTable, optional
        The n-gram counts of the training part, for a language model.
    counting : Mixture, optional
        How the table is mixed with the network.
    format : int
        The format of the file that it was read from; by default, the current one.

    Examples
    --------
    >>> checkpoint = charrnn.load("runs/corpus").checkpoint
    >>> checkpoint.history.step, checkpoint.architecture.cell, checkpoint.weights["head.W"].shape
    (60, 'gru', (28, 17))
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
    refitted: bool = False
    table: CountTable | None = None
    counting: Mixture | None = None
    format: int = FORMAT

    def model(self) -> CharModel:
        """Return the model with these weights."""
        model = CharModel(self.architecture, len(self.vocabulary))
        model.parameters.fill(self.weights)
        return model

    def with_counts(self, network: Predictor) -> Predictor:
        """Return a model that mixes a network with these weights, on any device, with the counts.

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
                    "this checkpoint has no counts: a run adds them to its best.npz when it ends; "
                    "name that file, resume a run that was cut off (charrnn train --resume RUN), "
                    "or leave --counts out"
                )
            raise ConfigError("this model has no counts: train one with --counts, or leave it out")
        return CountingModel(network, self.table, self.counting)

    @property
    def task(self) -> Task:
        """The task that the model was trained on."""
        return task_of(self.settings, self.labels)

    def sides(self, corpus: Corpus) -> Sides:
        """Split the text that the model was trained on in the same way as its run."""
        named = replace(corpus, sources=self.sources)  # a file may have been renamed
        codes, held_apart, _ = self.task.text(named, self.settings.val_files)
        held_out = held_apart or self.held_out
        return self.task.sides(codes, self.settings, held_out, self.text.unit)

    @property
    def unseen(self) -> NDArray[np.bool_] | None:
        """Which symbols or labels (C,) are not in the training part; None if that is not known."""
        return None if self.counts is None else self.counts == 0

    @property
    def num_parameters(self) -> int:
        """Number of weights."""
        return CharModel.size_of(self.architecture, len(self.vocabulary))


def save(path: Path, checkpoint: Checkpoint, *, verify: bool = False) -> None:
    """Write a checkpoint atomically: to a temporary file, which is synced and then renamed.

    Parameters
    ----------
    path : Path
        The file, which may exist.
    checkpoint : Checkpoint
        What to write.
    verify : bool
        Whether the file is read back before it replaces an existing one.

    Raises
    ------
    CheckpointError
        If writing fails (disk full, folder missing, no permission), or ``load`` would reject the
        file. An existing file stays intact.
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
        "refitted": checkpoint.refitted,
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
                f"{path} was not written: {name} is {array.dtype}, and a checkpoint stores "
                "float32: create the model with dtype=numpy.float32"
            )
        if not np.isfinite(array).all():
            raise CheckpointError(
                f"{path} was not written: {name} has values that are not finite; the previous save "
                "is intact: train with a lower --learning-rate"
            )

    def check(written: Path) -> None:
        try:
            load(written)
        except CheckpointError as error:
            raise CheckpointError(
                f"{path} was not written: the new file cannot be read back "
                f"({_short(error.__cause__ or error)}); the previous save is intact: check the "
                "disk, and reinstall charrnn and NumPy"
            ) from error

    write_whole(path, lambda file: write_arrays(file, arrays), check if verify else None)


def load(path: str | Path, *, arrays: bool = True) -> Checkpoint:
    """Read and check a checkpoint.

    Parameters
    ----------
    path : str or Path
        The file.
    arrays : bool
        Whether to read the arrays too. Without them only the description is read, in a time that
        does not depend on the size of the model.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, of another format or not a checkpoint at all.
    """
    try:
        with RegularFile(Path(path), DIRECTORY_LIMIT) as file:
            if not zipfile.is_zipfile(file):
                raise CheckpointError(
                    "it is another kind of file, or truncated; list the runs with charrnn runs"
                )
            with zipfile.ZipFile(file) as archive:
                file.limit = file.size
                checkpoint = _read(archive, file.size, arrays)
            checkpoint.folder = Path(path).parent
            return checkpoint
    except CharrnnError as error:
        raise CheckpointError(f"{path} is not a usable checkpoint: {_short(error)}") from error
    except Exception as error:  # the file is invalid, in one of countless ways
        if isinstance(error, OSError) and error.filename is not None:
            raise CheckpointError(f"{path}: {error.strerror}") from error
        raise CheckpointError(
            f"{path} is not a usable checkpoint ({_short(error)}): use another copy, or train again"
        ) from error


def _short(error: BaseException) -> str:
    """Return the message of an error about an untrusted file, as one short line."""
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
        raise CheckpointError("its settings do not say how its training continues")
    expected = {f"model.{name}": shape for name, shape in shapes.items()}
    expected |= {f"training.{name}": shape for name, shape in training.items()}
    kept = kept_shape(meta["kept"], settings)
    ngrams = ngram_shapes(meta["ngrams"], architecture, settings)
    mixed = COUNTED * (kept is not None) + bool(ngrams)
    mixture = mixture_from(meta["mixture"], settings, mixed)
    sizes = sizes_from(meta["table"], settings)
    if type(meta["refitted"]) is not bool or (meta["refitted"] and not mixed):
        raise CheckpointError("its n-grams do not match its settings")
    if vocabulary.has_unknown != bool(labels):
        raise CheckpointError("its vocabulary does not match its task")
    others = {"meta.npy", *(f"ngrams.{name}.npy" for name in ngrams)}
    others |= set() if kept is None else {"kept.npy"}
    others |= {f"table.{name}.npy" for name in ARRAYS} if sizes else set()
    members.pop(STRAY, None)
    if set(members) != {f"{name}.npy" for name in expected} | others:
        raise CheckpointError("its arrays do not match its model")
    characters, held_out = meta["characters"], meta["held_out"]
    parts, val_files = settings.split_parts, settings.val_files
    if (settings.split_mode == "files") != (val_files > 0) or val_files >= len(meta["sources"]) > 0:
        raise CheckpointError("its split is impossible")
    # Labelled texts are stored in a separate form, which may be longer than the corpus.
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
        refitted=meta["refitted"],
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
