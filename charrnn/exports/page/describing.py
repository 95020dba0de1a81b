"""The description of a model for its page."""

import json
from contextlib import suppress
from dataclasses import asdict
from math import log
from pathlib import PurePath
from typing import Any

from charrnn.config.words import count, long_shape
from charrnn.data.labels.tasks import TagTask
from charrnn.data.tasks import PromptedItems
from charrnn.errors import CorpusError
from charrnn.exports import left_out
from charrnn.sampling.items import few_prompts
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.folder import cache_directory
from charrnn.text.codes import to_text
from charrnn.text.sources import show_path
from charrnn.views.numbers import percent

PROMPTS_LISTED = 8_000
"""Most bytes of the list of known prompts; a page has no longer list."""


def described(checkpoint: Checkpoint, title: str) -> dict[str, Any]:
    """Return the data for the page's scripts, as JSON types.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model.
    title : str
        The title of the page.
    """
    task, vocabulary = checkpoint.task, checkpoint.vocabulary
    weight = checkpoint.mixture[0] if len(checkpoint.mixture) == 1 else 1.0
    return {
        "title": title,
        "facts": _facts(checkpoint),
        "architecture": asdict(checkpoint.architecture),
        "weights": {name: list(values.shape) for name, values in checkpoint.weights.items()},
        "symbols": to_text(vocabulary.symbols),
        "unit": vocabulary.unit,
        "normalize": vocabulary.normalize,
        "has_unknown": vocabulary.has_unknown,
        "seq_len": checkpoint.settings.seq_len,
        "predict": task.predict,
        "labels": list(checkpoint.labels),
        "weight": weight,
        "spaced": isinstance(task, TagTask) and task.spaced,
        "end": task.end if task.separate and not task.labels else None,
        "border": task.border if isinstance(task, PromptedItems) else None,
        "prompts": _prompts(checkpoint),
    }


def _prompts(checkpoint: Checkpoint) -> list[str]:
    """Return the prompts of the training text, if it is available and they are few."""
    prompts: list[str] = []
    with suppress(CorpusError):
        prompts = few_prompts(checkpoint, cache_dir=cache_directory())
    return prompts if len(json.dumps(prompts)) <= PROMPTS_LISTED else []


def _facts(checkpoint: Checkpoint) -> dict[str, str]:
    """Return facts about a model for people: names and values."""
    model, history, vocabulary = checkpoint.architecture, checkpoint.history, checkpoint.vocabulary
    facts = {
        "Network": long_shape(model),
        "Weights": f"{checkpoint.num_parameters:,}, rounded to float16",
        "Vocabulary": count(len(vocabulary.symbols), vocabulary.noun),
        "Trained on": ", ".join(PurePath(show_path(s.path)).name for s in checkpoint.sources[:3])
        + (", ..." if len(checkpoint.sources) > 3 else ""),
        "Training": f"{history.step:,} steps in {_minutes(history.seconds)}",
    }
    if history.best_accuracy is not None:
        facts["Held-out accuracy"] = percent(history.best_accuracy)
    elif history.best_nats is not None:
        facts["Held-out loss"] = (
            f"{history.best_nats:.3f} nats, {history.best_nats / log(2):.3f} bits per "
            f"{vocabulary.noun}"
        )
    facts["Note"] = left_out(checkpoint)
    return {name: value for name, value in facts.items() if value}


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
