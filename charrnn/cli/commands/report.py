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
            help="Runs, by name or folder, or .npz files; several are compared.  [default: the "
            "newest run under ./runs]",
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
            help="The file; an earlier report is replaced, nothing else.  [default: report.html in "
            "the folder of the first run]",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="What models of text are shown on.  [default: the held-out part of a run's own "
            "text]",
            show_default=False,
        ),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option(
            " /--no-baselines",
            help="Leave out the n-gram and the other opponents, which learn from the training "
            "text.",
            show_default=False,
        ),
    ] = True,
    **settings: Any,
) -> None:
    """Show runs as one HTML file that needs no network.

    Loss curves, samples, a text as a heat map, units that follow something, results, confusions.
    Needs charrnn[report]. Two runs side by side: charrnn report small large -o compared.html
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
