"""Evaluation through the Python API."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from charrnn.api.labels import evaluation_of_labels
from charrnn.config import DeviceConfig, EvalConfig, TextConfig, given, pick
from charrnn.errors import ConfigError
from charrnn.evaluation.evaluate import evaluate_checkpoint
from charrnn.evaluation.labels.evaluate import LabelEvaluation
from charrnn.evaluation.result import Evaluation
from charrnn.evaluation.scored_text import read_for
from charrnn.evaluation.scorers import PIECES_PER_SHARD
from charrnn.nn.model import CharModel
from charrnn.nn.predictor import Predictor
from charrnn.storage.checkpoint import Checkpoint
from charrnn.system.machine import available_cores
from charrnn.text import Corpus
from charrnn.training.devices import on_device


def evaluation(
    checkpoint: Checkpoint,
    network: CharModel,
    paths: str | Path | Sequence[str | Path],
    text: str | bytes | None,
    *,
    context: str,
    baselines: bool,
    columns: str | None,
    threads: int | None,
    device: DeviceConfig,
    settings: Mapping[str, Any],
    cache_dir: Path | None,
) -> Evaluation | LabelEvaluation:
    """Score a whole text; see ``Model.evaluate``.

    Raises
    ------
    CharrnnError
        If the text, the device or a setting does not apply to this model.
    """
    reading = given(TextConfig, settings)
    TextConfig(**reading)  # rejects unknown settings before any file is read
    config = pick(EvalConfig, settings)
    _check_threads(config, threads)
    device = device.beside(threads)
    adapts = "--adapt" if settings.get("adapt") else "--dynamic" if settings.get("dynamic") else ""
    if device.is_gpu and adapts:
        raise ConfigError(
            f"{adapts} runs on the CPU only: leave out {adapts} or --device {device.device}"
        )
    paths = [paths] if isinstance(paths, str | Path) else paths
    corpus = None
    if text is not None:
        if len(paths):
            raise ConfigError(
                "paths and text cannot be combined: give the files or the text itself"
            )
        corpus = read_for(checkpoint, partial(Corpus.from_text, text), reading)
    elif reading and not len(paths):
        raise ConfigError(
            f"{next(iter(reading))} applies to files that you name: the model's own text is read "
            "as it was in training; leave it out or name a file"
        )
    model: Predictor = network
    if not adapts:
        cores = threads or available_cores()
        model, threads = on_device(device, network, PIECES_PER_SHARD, cores)
    predict = checkpoint.settings.predict
    if predict and context:
        raise ConfigError(
            f"--context does not apply to a model that predicts {predict}: leave it out"
        )
    if predict in ("label", "tags") and reading.get("column"):
        raise ConfigError(
            f"--column names a text column only, and this model predicts {predict}: name both "
            "columns with --columns"
        )
    if checkpoint.labels:
        return evaluation_of_labels(
            checkpoint,
            model,
            paths,
            corpus,
            reading=reading,
            of_text=given(EvalConfig, settings),
            columns=columns,
            baselines=baselines,
            threads=threads or available_cores(),
            cache_dir=cache_dir,
        )
    return evaluate_checkpoint(
        checkpoint,
        paths,
        model=model,
        corpus=corpus,
        text=reading if corpus is None else None,
        config=config,
        context=context,
        baselines=baselines,
        threads=threads or available_cores(),
        cache_dir=cache_dir,
    )


def _check_threads(config: EvalConfig, threads: int | None) -> None:
    """Reject threads for scoring that reads the text as one stream.

    Raises
    ------
    ConfigError
        If both were given.
    """
    option = "--exact" if config.exact else "--dynamic" if config.dynamic else "--adapt"
    if threads is not None and (config.exact or config.adapts):
        raise ConfigError(
            f"{option} scores one stream, which --threads cannot speed up: leave out one of them"
        )
