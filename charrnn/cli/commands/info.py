"""``charrnn info``: the contents of a checkpoint."""

import unicodedata
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli import completing
from charrnn.cli.show.console import write, write_json, write_table
from charrnn.cli.show.text import visible_line
from charrnn.cli.show.words import (
    bits,
    clock,
    count,
    listing,
    long_shape,
    loss,
    scored_unit,
    setting_value,
    share_right,
    shortened,
    size,
    sparkline,
)

if TYPE_CHECKING:
    from pathlib import Path

    from charrnn.storage.checkpoint import Checkpoint
    from charrnn.storage.history import Place

HISTORY_ROWS = 10
SYMBOLS_SHOWN = 200
LABELS_SHOWN = 40


def command(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="CKPT|RUN",
            autocompletion=completing.runs,
            help="An .npz file, or the name or folder of a run.  [default: the newest run in "
            "./runs]",
            show_default=False,
        ),
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as one JSON object.")
    ] = False,
) -> None:
    """Show the shape, settings, vocabulary and history of a model."""
    from charrnn.storage.folder import open_model

    path, checkpoint = open_model(model)
    if as_json:
        write_json(_to_json(path, checkpoint))
    else:
        _write(path, checkpoint)


def _to_json(path: "Path", checkpoint: "Checkpoint") -> dict[str, Any]:
    from charrnn.storage.counts import table_to_json

    return {
        "path": str(path),
        "format": checkpoint.format,
        "parameters": checkpoint.num_parameters,
        "arrays": {name: list(array.shape) for name, array in checkpoint.weights.items()},
        "model": checkpoint.architecture.to_json(),
        "training": checkpoint.settings.to_json(),
        "validation": checkpoint.validation.to_json(),
        "text": checkpoint.text.to_json(),
        "vocabulary": checkpoint.vocabulary.to_json(),
        "labels": list(checkpoint.labels),
        "counts": table_to_json(checkpoint.table, checkpoint.counting),
        "sources": [asdict(source) for source in checkpoint.sources],
        "characters": checkpoint.characters,
        "held_out": checkpoint.held_out,
        "history": asdict(checkpoint.history),
    }


def _write(path: "Path", checkpoint: "Checkpoint") -> None:
    from charrnn import __version__
    from charrnn.storage.formats import FORMAT

    model, history = checkpoint.architecture, checkpoint.history
    noun = checkpoint.vocabulary.noun
    held_out = count(checkpoint.held_out, noun)
    write_table(
        (),
        [
            ("file", f"{path}, {size(path.stat().st_size)}"),
            ("format", f"{checkpoint.format} (charrnn {__version__} reads 1 to {FORMAT})"),
            ("model", long_shape(model)),
            ("parameters", f"{checkpoint.num_parameters:,}"),
            ("trained", f"{count(history.step, 'step')}, {clock(history.seconds)}"),
            *([("trained on", _place_words(history.places))] if history.places else []),
            ("best state" if checkpoint.labels else "best validation", _loss_words(checkpoint)),
            ("corpus", f"{count(checkpoint.characters, noun)}, {held_out} held out"),
            *(("source", f"{src.path}, sha256 {src.sha256}") for src in checkpoint.sources),
            ("vocabulary", _vocabulary_words(checkpoint)),
            *([("labels", _label_words(checkpoint))] if checkpoint.labels else []),
            *([_mixture_row(checkpoint)] if checkpoint.mixture else []),
            *([_counts_row(checkpoint)] if checkpoint.table is not None else []),
        ],
    )
    write("\n")
    write_table(
        ("array", "shape", "type"),
        [
            (name, " x ".join(map(str, array.shape)), str(array.dtype))
            for name, array in checkpoint.weights.items()
        ],
    )
    write("\n")
    groups = (model, checkpoint.settings, checkpoint.validation, checkpoint.text)
    settings = [item for group in groups for item in group.to_json().items()]
    write_table(
        ("setting", "value"), [(name, setting_value(name, value)) for name, value in settings]
    )
    _write_history(history.rows)


def _loss_words(checkpoint: "Checkpoint") -> str:
    history = checkpoint.history
    if history.best_nats is None:
        return loss(None)
    unit = scored_unit(checkpoint.settings.predict, checkpoint.vocabulary.noun)
    more = ""
    if history.mixed_nats is not None:
        more = f", with counts {loss(history.mixed_nats)}"
    elif checkpoint.table is not None:
        more = ", by the network alone"
    if history.accuracy is not None:
        mixes = len(checkpoint.mixture) > 1
        shares = history.mixed_accuracy, history.best_accuracy
        more = f", {share_right(*shares, has_ngrams=mixes)}"
    return f"{loss(history.best_nats)} per {unit}{more}"


def _place_words(places: list["Place"]) -> str:
    """Say which devices trained a model; their names come from an untrusted file."""
    return ", then ".join(
        "the CPU" if name == "cpu" else visible_line(f"{name} ({precision})")
        for name, precision in places
    )


def _label_words(checkpoint: "Checkpoint") -> str:
    shown = [_label_name(label) for label in checkpoint.labels]
    return f"{count(len(shown), 'label')}: {listing(shown, LABELS_SHOWN)}"


def _mixture_row(checkpoint: "Checkpoint") -> tuple[str, str]:
    weights = checkpoint.mixture
    if len(weights) == 1:
        return "temperature", f"{1 / weights[0]:.2f}, of the probabilities of labels"
    parts = ["network"]
    if checkpoint.ngrams is not None:
        parts += ["n-grams"]
    if checkpoint.settings.predict != "label":
        parts += ["transitions"]
    if checkpoint.settings.counts:
        parts += ["Kneser-Ney n-grams", "naive Bayes"]
    shown = ", ".join(f"{part} {weight:.2f}" for part, weight in zip(parts, weights, strict=False))
    texts = "all texts" if checkpoint.refitted else "the training texts"
    holds = f"; the file contains {texts}, which these count"
    return "mixture", f"weights: {shown}{holds if checkpoint.settings.counts else ''}"


def _counts_row(checkpoint: "Checkpoint") -> tuple[str, str]:
    table = checkpoint.table
    assert table is not None
    longest = count(table.context + 1, checkpoint.vocabulary.noun)
    strings = f"{count(sum(table.sizes), 'string')} of up to {longest}, {size(table.num_bytes)}"
    return "counted", f"{strings}; they reveal much of the training text"


def _label_name(label: str) -> str:
    """Return a label as people read it: marks by their names, and what says nothing."""
    if not label:
        return "nothing"
    if all(unicodedata.combining(symbol) for symbol in label):
        return " and ".join(unicodedata.name(symbol, "?").lower() for symbol in label)
    return visible_line(shortened(label)) or repr(label)


def _vocabulary_words(checkpoint: "Checkpoint") -> str:
    vocabulary = checkpoint.vocabulary
    if vocabulary.unit == "byte":
        return count(len(vocabulary), "byte value")
    shown = "".join(map(chr, vocabulary.symbols[:SYMBOLS_SHOWN].tolist()))
    more = " ..." if len(vocabulary.symbols) > SYMBOLS_SHOWN else ""
    others = ", and one for all others" if vocabulary.has_unknown else ""
    number = count(len(vocabulary.symbols), vocabulary.noun)
    return f"{number}{others}: {visible_line(shown)}{more}"


def _write_history(rows: list[tuple[int, float, float | None]]) -> None:
    scored = [(step, train, val) for step, train, val in rows if val is not None]
    if not scored:
        return
    every = -(-len(scored) // HISTORY_ROWS)
    write("\n")
    write_table(
        ("step", "train nats", "validation nats", "validation bits"),
        [
            (f"{step:,}", f"{train:.4f}", f"{val:.4f}", f"{bits(val):.4f}")
            for step, train, val in scored[::-1][::every][::-1]
        ],
        right=(0, 1, 2, 3),
    )
    write(f"\nvalidation loss  {sparkline([val for _, _, val in scored])}\n")
