"""Upgrading the descriptions in checkpoints of older formats."""

from dataclasses import MISSING, asdict, fields
from typing import Any

from charrnn.config import Architecture, Settings, TrainConfig, TrainingSettings
from charrnn.nn.model import CharModel
from charrnn.storage.history import History

FORMAT = 9
"""The format of checkpoints; it is raised when an older charrnn could not read new files.

1: no counts, no encoding of a source; lines are held out from the end. 2: counts of the training
part, hashed splits, the encoding of each source. 3: complete settings; the number of shards; items
other than lines; separate held-out files. 4: labels, prompts, bidirectional networks, and cells
that read a fixed window. 5: linear n-gram models mixed with a model of labels; the devices on which
a run was trained, which the last files of format 4 may have too. 6: tables of counts mixed with a
language model. 7: a column of CSV files as the text. 8: the middle of a training part is set apart
for counts, and the end only of a long one; longer n-grams of letters, which the last files of
format 7 may have too. 9: whether the end is set apart; the n-grams of a model of labels are trained
on the held-out part too.
"""

LONG = 10_000_000
"""The characters of a training part beyond which runs of format 8 set apart its end."""
_LEFT_OPEN = {
    "steps": 0,
    "minutes": 0.0,
    "max_epochs": 0.0,
    "batch_size": 1,
    "seq_len": 1,
    "reset": 0.0,
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "val_fraction": 0.0,
    "split_mode": "contiguous",
    "split_key": 0,
}
"""Values for settings that only training needs and that files of format 2 may not have."""

_LATER = {
    "predict": "",
    "prompted": False,
    "columns": "",
    "spaced": False,
    "counts": False,
    "apart_at_end": False,
}
"""Values for settings of formats 4 to 9."""


def upgraded(meta: dict[str, Any]) -> dict[str, Any]:
    """Return the description in a file of any format in the current format."""
    if meta["format"] == 1:
        meta = _from_format_1(meta)
    if meta["format"] == 2:
        meta = _from_format_2(meta)
    if meta["format"] == 3:
        meta = _from_format_3(meta)
    if meta["format"] == 4:
        train = {"ngrams": False, **meta["train"]}
        meta = {**meta, "format": 5, "train": train, "ngrams": None}
    if meta["format"] == 5:
        meta = {**meta, "format": 6, "table": None}
    if meta["format"] == 6:
        meta = {**meta, "format": 7, "text": {"column": None, **meta["text"]}}
    if meta["format"] == 7:
        meta = {**meta, "format": 8, "train": {"apart_at_end": True, **meta["train"]}}
    if meta["format"] == 8:
        long = meta["characters"] - meta["held_out"] > LONG
        at_end = _counts_text(meta) and (long or meta["train"]["apart_at_end"])
        train = {**meta["train"], "apart_at_end": at_end}
        meta = {**meta, "format": 9, "train": train, "refitted": False}
    return meta


def _counts_text(meta: dict[str, Any]) -> bool:
    """Return whether a run set apart a piece of running text."""
    train = meta["train"]
    return bool(train["counts"] and not (train["predict"] or train["prompted"] or train["items"]))


def _from_format_1(meta: dict[str, Any]) -> dict[str, Any]:
    train = {
        "max_epochs": 0.0,
        "split_mode": "contiguous",
        "split_key": None,
        "val_characters": 500_000,
        **meta["train"],
    }
    return {
        **meta,
        "format": 2,
        "text": {"errors": "strict", **meta["text"]},
        "model": {**meta["model"], "members": meta["model"].get("members", 1)},
        "train": train,
        "sources": [{"encoding": "", **source} for source in meta["sources"]],
        "counts": None,
        "history": {**asdict(History()), **meta["history"]},
    }


def _from_format_2(meta: dict[str, Any]) -> dict[str, Any]:
    model = {name: value for name, value in meta["model"].items() if value is not None}
    train = {name: value for name, value in meta["train"].items() if value is not None}
    validation = {
        "validations": train.pop("validations", 1),
        "val_characters": train.pop("val_characters", 500_000),
    }
    train.pop("epochs", None)
    train = {**_defaults(TrainConfig), **_LEFT_OPEN, **train, "shards": 1}
    train |= _LATER
    train |= {"items": "line" if train.pop("lines") else "", "item_end": 10, "val_files": 0}
    model = {**_defaults(Architecture), **model}
    # The number of shards was computed from the sizes, and not stored.
    vocab_size = len(meta["vocabulary"]["symbols"])
    settings = TrainingSettings.from_json(train)
    size = CharModel.stream_bytes(Architecture.from_json(model), vocab_size, settings.seq_len)
    streams, most = settings.batch_size, 16 if 32 * size > 2**26 else 32
    train["shards"] = max(1 if streams < 16 else 2, -(-streams // most))
    return {**meta, "format": 3, "model": model, "train": train, "validation": validation}


def _from_format_3(meta: dict[str, Any]) -> dict[str, Any]:
    return {
        **meta,
        "format": 4,
        "vocabulary": {"has_unknown": False, **meta["vocabulary"]},
        "model": {**_defaults(Architecture), **meta["model"]},
        "train": {**_LATER, **meta["train"]},
        "labels": [],
        "mixture": [],
        "kept": None,
        "history": {"best_accuracy": None, **meta["history"]},
    }


def _defaults(group: type[Settings]) -> dict[str, Any]:
    """Return the defaults of settings, for files written before a setting existed."""
    return {
        item.name: item.default
        for item in fields(group)  # type: ignore[arg-type]
        if item.default is not MISSING and item.default is not None
    }
