"""``charrnn export``: a model as a file that other programs read."""

from typing import Annotated

import typer

from charrnn.cli import completing
from charrnn.cli.show.console import say
from charrnn.cli.show.words import size
from charrnn.errors import ConfigError


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN] FILE",
            autocompletion=completing.runs,
            help="Name or folder of a run, or an .npz file [default: the newest run in ./runs]; "
            "then the file to write, .html or .safetensors.",
            show_default=False,
        ),
    ] = None,
    *,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace FILE if it exists, which is an error otherwise."),
    ] = False,
) -> None:
    """Export a model as a web page, or its weights for PyTorch.

    An .html file is a page that contains the model: it samples, scores and labels in any browser,
    without a server or a network. A .safetensors file has the weights with PyTorch's names and
    shapes.
    """
    if not names or len(names) > 2:
        raise ConfigError(
            "give a run and the FILE to write, or the file alone: charrnn export RUN model.html"
        )
    from pathlib import Path

    from charrnn.exports import FORMATS, check_target, export, left_out
    from charrnn.storage.folder import is_model, open_model

    path = Path(names[-1])
    if path.suffix not in FORMATS and is_model(names[-1]):
        raise ConfigError(
            f"name the file to write after the run: charrnn export {names[-1]} model.html"
        )
    check_target(path, overwrite=overwrite)
    found, checkpoint = open_model(names[0] if len(names) == 2 else None)
    say(f"model: {found}", dim=True)
    if missing := left_out(checkpoint):
        say(f"notice: {missing}")
    export(path, checkpoint, overwrite=overwrite)
    say(f"wrote {path}, {size(path.stat().st_size)}")
