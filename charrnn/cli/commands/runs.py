"""``charrnn runs``: the runs under ./runs."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli.show.console import say, write_json, write_table
from charrnn.cli.show.words import age, percent, shape, short, size

if TYPE_CHECKING:
    from charrnn.storage.listing import RunSummary


def command(
    *,
    clear_cache: Annotated[
        bool,
        typer.Option("--clear-cache", help="Delete the encoded copies of large texts; stop."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The table as one JSON list.")] = False,
) -> None:
    """List the runs under ./runs, the newest first."""
    from charrnn.storage.folder import cache_directory
    from charrnn.storage.listing import list_runs

    if clear_cache:
        from charrnn.text import remove_cache

        freed = remove_cache(cache_directory())
        say(f"{size(freed)} of encoded texts deleted")
        return

    found = list_runs()
    if as_json:
        write_json([asdict(run) for run in found])
        return
    if not found:
        say("there are no runs under ./runs: charrnn train corpus.txt makes one")
        return
    now = time.time()
    write_table(
        ("run", "model", "predicts", "parameters", "steps", "best", "size", "age", "state"),
        [
            (
                run.name,
                shape(run.model) if run.model else "?",
                run.predict,
                f"{run.num_parameters:,}",
                f"{run.step:,}",
                _best(run),
                size(run.size_bytes),
                age(now - run.modified),
                run.state,
            )
            for run in found
        ],
        right=(3, 4, 5, 6, 7),
    )


def _best(run: "RunSummary") -> str:
    """Return the best validation: the share of labels that are right, or nats per character."""
    if run.best_accuracy is not None:
        return f"{percent(run.best_accuracy)} right"
    return "-" if run.best_nats is None else f"{short(run.best_nats)} nats"
