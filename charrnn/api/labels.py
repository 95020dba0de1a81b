"""Labelling, tagging and restoring through the Python API."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from charrnn.config import option_name
from charrnn.errors import ConfigError
from charrnn.evaluation.labels.evaluate import LabelEvaluation, evaluate_labels
from charrnn.evaluation.labels.labeller import LabelledText, Labeller, TaggedText
from charrnn.evaluation.scored_text import read_named
from charrnn.nn.predictor import Predictor
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text import Corpus

Texts = Sequence[str] | Sequence[Sequence[str]]


def predictions(
    labeller: Labeller, texts: Texts, *, top: int, keep: bool
) -> list[LabelledText] | list[TaggedText] | list[str]:
    """Return a model's predictions for texts; see ``Model.predict``.

    Raises
    ------
    ConfigError
        If the texts or the options do not apply to this model.
    """
    predict = labeller.task.predict
    if isinstance(texts, str):
        raise ConfigError("texts must be a list: use predict([text])")
    if top < 1:
        raise ConfigError(f"top {top} is out of range: it must be at least 1")
    if top != 1 and predict != "label":
        raise ConfigError(
            f"top applies to a model that predicts labels, and this one predicts {predict}: leave "
            "it out"
        )
    if keep and predict in ("label", "tags"):
        raise ConfigError(
            f"keep applies to a model that restores text, and this one predicts {predict}: leave "
            "it out"
        )
    if predict in ("label", "tags") and not all(texts):
        raise ConfigError("a text is empty: leave it out")
    if predict == "tags":
        return labeller.tag([labeller.tokens(text) for text in texts])
    if not all(isinstance(text, str) for text in texts):
        raise ConfigError(f"this model predicts {predict}: give texts, not tokens")
    if predict == "label":
        return labeller.label(cast(Sequence[str], texts), top)
    return labeller.restore(cast(Sequence[str], texts), keep=keep)


def evaluation_of_labels(
    checkpoint: Checkpoint,
    network: Predictor,
    paths: Sequence[str | Path],
    corpus: Corpus | None,
    *,
    reading: Mapping[str, Any],
    of_text: Mapping[str, Any],
    columns: str | None,
    baselines: bool,
    threads: int,
    cache_dir: Path | None,
) -> LabelEvaluation:
    """Compare the predicted labels with the true ones; see ``Model.evaluate``.

    Raises
    ------
    ConfigError
        If a setting applies to language models only.
    """
    if of_text:
        raise ConfigError(
            f"{option_name(next(iter(of_text)))} applies to a model that predicts text, and this "
            f"one predicts {checkpoint.settings.predict}: leave it out"
        )
    if corpus is None and len(paths):
        corpus = read_named(checkpoint, paths, reading)
    return evaluate_labels(
        checkpoint,
        paths,
        model=network,
        corpus=corpus,
        columns=columns,
        baselines=baselines,
        threads=threads,
        cache_dir=cache_dir,
    )
