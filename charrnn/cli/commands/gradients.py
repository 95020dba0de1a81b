"""``charrnn gradients``: how far back in time a network learns."""

from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli import completing
from charrnn.cli.options import whole_number
from charrnn.cli.show.console import say, write, write_json, write_table
from charrnn.cli.show.text import visible_line
from charrnn.cli.show.words import count
from charrnn.errors import CharrnnError, ConfigError
from charrnn.views.decay import FLOOR, Line, decay_svg, decay_text, mark_of

if TYPE_CHECKING:
    from charrnn.evaluation.gradients import GradientCurve

HIDDEN_SIZE, LARGEST = 128, 4096
TITLE = "The share of the gradient that is left, by steps back"
MEASURED = (
    "measured: the gradient of the loss of one step with respect to the state some steps before, "
    "over that of the layer's output at the step itself; an LSTM's state is h and c together"
)


def command(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN|FILE",
            autocompletion=completing.runs,
            help="Trained models: names or folders of runs, or .npz files.  [default: untrained "
            "cells, side by side]",
            show_default=False,
        ),
    ] = None,
    *,
    text: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="What the models read.  [default: the held-out part of a run's own text]",
            show_default=False,
        ),
    ] = None,
    hidden_size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole_number("--hidden-size", 1, LARGEST),
            help=f"Hidden units of untrained cells.  [1 to {LARGEST}; default: {HIDDEN_SIZE}]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Also draw the curves, into this .svg or .html file.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as one JSON object.")
    ] = False,
) -> None:
    """Measure how far back in time gradients reach.

    It shows how much of the gradient of a loss is left k steps earlier: for untrained cells, or for
    trained models, each compared with the same network before training.
    """
    if models and hidden_size is not None:
        raise ConfigError(
            "--hidden-size applies only to untrained cells: leave it out, or the models"
        )
    if text is not None and not models:
        raise ConfigError("--text is read by a trained model: name a run too")
    path = None if output is None else Path(output)
    if path is not None and path.suffix not in (".svg", ".html"):
        raise ConfigError(f"--output {output} ends in neither .svg nor .html: give one of them")
    if models:
        curves = _of_models(models, text)
    else:
        from charrnn.evaluation.gradients import untrained

        curves = untrained(hidden_size or HIDDEN_SIZE)
    lines = [
        Line(name, list(zip(curve.distances, curve.left, strict=True)))
        for name, curve in zip(_names(curves), curves, strict=True)
    ]
    if path is not None:
        _draw(path, lines)
    if as_json:
        write_json({"measured": MEASURED, "curves": [curve.to_json() for curve in curves]})
    else:
        _write(lines, curves)


def _of_models(models: list[str], text: str | None) -> list["GradientCurve"]:
    """Return the curves of each model, and of each architecture untrained."""
    from charrnn.evaluation.gradients import of_checkpoint, places_of
    from charrnn.storage.folder import cache_directory, open_model

    curves, steps = [], {}
    for model in dict.fromkeys(models):
        path, checkpoint = open_model(model)
        say(f"model: {path}", dim=True)
        places, notices = places_of(
            checkpoint, [] if text is None else [text], cache_dir=cache_directory()
        )
        for notice in notices:
            say(f"notice: {notice}")
        curves += of_checkpoint(checkpoint, places, model)
        steps[model] = checkpoint.history.step
    if len(set(steps.values())) > 1:
        each = ", ".join(f"{model} {count(number, 'step')}" for model, number in steps.items())
        say(f"notice: the models were trained for different numbers of steps: {each}")
    return curves


def _names(curves: list["GradientCurve"]) -> list[str]:
    """Name the layer where a network has several."""
    deep = {curve.name for curve in curves if curve.layer > 0}
    return [
        f"{curve.name}, layer {curve.layer}" if curve.name in deep else curve.name
        for curve in curves
    ]


def _draw(path: Path, lines: list[Line]) -> None:
    picture = decay_svg(lines, title=TITLE)
    if path.suffix == ".html":
        picture = (
            f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{TITLE}</title>\n'
            f"<body>{picture}</body></html>\n"
        )
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise CharrnnError(
            f"{path} cannot be written ({error.strerror}): name another file with --output"
        ) from error


def _write(lines: list[Line], curves: list["GradientCurve"]) -> None:
    for row in decay_text(lines):
        write(f"{row}\n")
    write("\n")
    distances = max((curve.distances for curve in curves), key=len)
    write_table(
        ("", "steps back", *map(str, distances)),
        [
            (mark_of(number), line.name, *(_share(share) for _, share in line.left))
            + ("",) * (len(distances) - len(line.left))
            for number, line in enumerate(lines)
        ],
        right=range(2, 2 + len(distances)),
    )
    write("\n")
    for line, curve in zip(lines, curves, strict=True):
        write(f"{visible_line(line.name)}: {_in_words(curve)}\n")
    say(MEASURED, dim=True)
    if any(0 < share < FLOOR for curve in curves for share in curve.left):
        say(f"values below {FLOOR:g} are in the table but not in the chart", dim=True)


def _share(share: float) -> str:
    return "0" if share == 0 else f"{share:.2g}"


def _in_words(curve: "GradientCurve") -> str:
    last, left = curve.distances[-1], curve.left[-1]
    if curve.reach in curve.distances and 0.0 in curve.left:
        return f"nothing is left after {count(ceil(curve.reach or 0), 'step')}"
    if curve.reach is not None:
        return f"1 % is left after {count(ceil(curve.reach), 'step')}"
    if left > 1:
        return f"it has grown {left:.3g} times after {count(last, 'step')}"
    return f"{left:.2g} of it is left after {count(last, 'step')}"
