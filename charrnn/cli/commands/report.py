"""``charrnn report``: runs as one HTML file."""

from typing import Annotated, Any

import typer

from charrnn.cli import completing
from charrnn.cli.options import MachineConfig, takes
from charrnn.cli.show.console import say, write
from charrnn.cli.show.words import duration, size
from charrnn.config import pick


@takes(MachineConfig)
def command(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN|FILE",
            autocompletion=completing.runs,
            help="Names or folders of runs, or .npz files; several are compared.  [default: the "
            "newest run in ./runs]",
            show_default=False,
        ),
    ] = None,
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write. It replaces an earlier report, but no other file.  [default: "
            "report.html in the folder of the first run]",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Text to analyze; for models of text.  [default: the held-out part of the run's "
            "own text]",
            show_default=False,
        ),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option(
            " /--no-baselines",
            help="Leave out the n-gram model and the other baselines, which are trained for the "
            "report.",
            show_default=False,
        ),
    ] = True,
    **settings: Any,
) -> None:
    """Write a report on runs as a single HTML file.

    It shows loss curves, samples, a text as a heat map, interpretable units, results and
    confusions, and loads nothing from the network. It needs matplotlib.
    """
    import time

    from charrnn.api.report import report

    start = time.perf_counter()
    path = report(
        runs or [],
        output,
        text=text,
        baselines=baselines,
        threads=pick(MachineConfig, settings).threads,
        told=lambda message: say(message, dim=True),
    )
    say(f"{size(path.stat().st_size)} in {duration(time.perf_counter() - start)}")
    write(f"{path}\n")
