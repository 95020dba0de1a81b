"""``charrnn runs``: the runs under ./runs, or how some of them differ."""

import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charrnn.cli import completing
from charrnn.cli.options import choice
from charrnn.cli.show.console import is_terminal, say, write_json, write_table
from charrnn.cli.show.words import (
    age,
    clock,
    listing,
    loss,
    scored_unit,
    setting_value,
    shape,
    share_right,
    short,
    shortened,
    size,
)
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.storage.comparing import Comparison
    from charrnn.storage.listing import RunSummary

Order = Literal["age", "name", "loss", "size", "parameters", "steps"]
ORDERS: dict[Order, Callable[["RunSummary"], Any]] = {
    "age": lambda run: -run.modified,
    "name": lambda run: run.name,
    # Of labels the share that is right decides; they come behind the texts.
    "loss": lambda run: (
        run.best_nats is None,
        run.accuracy is not None,
        run.best_nats if run.accuracy is None else -run.accuracy,
    ),
    "size": lambda run: -run.size_bytes,
    "parameters": lambda run: -run.num_parameters,
    "steps": lambda run: -run.step,
}
"""The key of each order of the list, ascending."""
NUMBERS = "parameters", "steps", "time", "best", "bits/byte", "size", "age"
LEAST_TELLING = "parameters", "size", "steps", "model", "bits/byte", "time", "predicts"
"""Columns that are left out on a narrow terminal, in this order; --json has all of them."""
BETWEEN = 3
"""Spaces between two columns of a table on a terminal."""
TEXTS_NAMED = 2
NAME_LENGTH = 32


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN",
            autocompletion=completing.runs,
            help="Two or more runs to compare: names, folders or .npz files.",
            show_default=False,
        ),
    ] = None,
    *,
    sort: Annotated[
        Order | None,
        typer.Option(
            parser=choice("--sort", Order),
            metavar="|".join(ORDERS),
            autocompletion=completing.words(tuple(ORDERS)),
            help="Order of the list: newest, by name, lowest loss, largest folder, most parameters "
            "or most steps first.  [default: age]",
            show_default=False,
        ),
    ] = None,
    clear_cache: Annotated[
        bool,
        typer.Option("--clear-cache", help="Delete the encoded copies of large texts, and exit."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the list or the comparison as JSON.")
    ] = False,
) -> None:
    """List the runs in ./runs, newest first, or compare runs.

    Losses are compared if the runs hold out the same part of the same text.
    """
    if names:
        if sort or clear_cache:
            option = "--sort" if sort else "--clear-cache"
            raise ConfigError(
                f"{option} applies only to the list of all runs: leave out {names[0]}"
            )
        if len(names) == 1:
            raise ConfigError(
                f"a single run cannot be compared: name another, or see charrnn info {names[0]}"
            )
        _compare(names, as_json)
        return

    from charrnn.storage.folder import cache_directory

    if clear_cache and (sort or as_json):
        option = "--sort" if sort else "--json"
        raise ConfigError(f"--clear-cache lists nothing, so {option} has nothing to do: give one")
    if clear_cache:
        from charrnn.text import remove_cache

        freed = remove_cache(cache_directory())
        say(f"{size(freed)} of encoded texts deleted")
        return
    _list(sort or "age", as_json)


def _list(order: Order, as_json: bool) -> None:
    from charrnn.storage.folder import cache_directory
    from charrnn.storage.listing import list_runs
    from charrnn.text import cache_size

    found = sorted(list_runs(), key=ORDERS[order])
    if as_json:
        write_json([asdict(run) for run in found])
        return
    if found:
        _write_list(found)
    else:
        say("there are no runs in ./runs: charrnn train corpus.txt makes one")
    cached = cache_size(cache_directory())
    if cached:
        say(
            f"{cache_directory()} has {size(cached)} of encoded texts: "
            "charrnn runs --clear-cache deletes them"
        )


def _write_list(found: list["RunSummary"]) -> None:
    now = time.time()
    columns: dict[str, list[str]] = {
        "run": [run.name for run in found],
        "model": [shape(run.model) if run.model else "?" for run in found],
        "text": [_texts(run) for run in found],
        "predicts": [run.predict for run in found],
        "parameters": [f"{run.num_parameters:,}" for run in found],
        "steps": [f"{run.step:,}" for run in found],
        "time": [clock(run.seconds) for run in found],
        "best": [_best(run) for run in found],
        "bits/byte": [_per_byte(run) for run in found],
        "size": [size(run.size_bytes) for run in found],
        "age": [age(now - run.modified) for run in found],
        "state": [run.state for run in found],
    }
    if all(run.predict in ("text", "") for run in found):
        del columns["predicts"]
    if is_terminal(sys.stdout):
        _fit(columns, get_terminal_size().columns)
    right = [number for number, name in enumerate(columns) if name in NUMBERS]
    write_table(tuple(columns), zip(*columns.values(), strict=True), right=right)


def _fit(columns: dict[str, list[str]], width: int) -> None:
    """Leave out the least useful columns until the table fits the terminal."""
    from rich.cells import cell_len

    for name in LEAST_TELLING:
        widest = {head: max(map(cell_len, [head, *cells])) for head, cells in columns.items()}
        if sum(widest.values()) + BETWEEN * len(columns) <= width:
            return
        columns.pop(name, None)


def _texts(run: "RunSummary") -> str:
    from charrnn.text.sources import show_path

    names = [shortened(show_path(name), NAME_LENGTH) for name in run.texts]
    return listing(names, TEXTS_NAMED)


def _best(run: "RunSummary") -> str:
    """Return the best validation: the share of labels that are right, or nats per character."""
    if run.accuracy is not None:
        return share_right(run.mixed_accuracy, run.best_accuracy, has_ngrams=run.has_ngrams)
    if run.best_nats is None:
        return "-"
    counts = "" if run.mixed_nats is None else f" (with counts {short(run.mixed_nats)})"
    return f"{short(run.best_nats)} nats{counts}"


def _per_byte(run: "RunSummary") -> str:
    return "-" if run.best_bits_per_byte is None else short(run.best_bits_per_byte)


def _compare(names: list[str], as_json: bool) -> None:
    from charrnn.storage.comparing import compare_runs

    found = compare_runs(names)
    if as_json:
        runs = [asdict(run) for run in found.runs]
        write_json({"runs": runs, "settings": found.settings, "unlike": found.unlike})
        return
    rows = [*_what_they_are(found), *_what_came_of_them(found)]
    if not found.settings:
        say("no setting differs")
    write_table(("", *names), rows)
    if found.reads_otherwise:
        say(
            "these runs read one text in different symbols, so bits per byte are compared, of "
            "held-out parts that are nearly the same: charrnn eval FILE --model RUN scores each on "
            "one text"
        )
    elif found.unlike:
        say(
            f"losses are of different parts of texts ({', '.join(found.unlike)}) and not compared: "
            "charrnn eval FILE --model RUN scores each on one text"
        )


def _what_they_are(found: "Comparison") -> list[list[str]]:
    rows = {
        "text": [_texts(run) for run in found.runs],
        **{
            name: [setting_value(name, value) for value in values]
            for name, values in found.settings.items()
        },
        "parameters": [f"{run.num_parameters:,}" for run in found.runs],
    }
    return [[name, *values] for name, values in rows.items() if len(set(values)) > 1]


def _what_came_of_them(found: "Comparison") -> list[list[str]]:
    runs = found.runs
    rows = [
        ["state", *(run.state for run in runs)],
        ["steps made", *(f"{run.step:,}" for run in runs)],
        ["time", *(clock(run.seconds) for run in runs)],
    ]
    if found.reads_otherwise:
        rows.append(["best validation, bits per byte", *map(_per_byte, runs)])
        mixed = [run.mixed_bits_per_byte for run in runs]
        if any(value is not None for value in mixed):
            shown = ("-" if value is None else short(value) for value in mixed)
            rows.append(["with counts, bits per byte", *shown])
    if found.unlike:
        return rows
    unit = scored_unit(runs[0].predict, runs[0].per)
    rows.append([f"training loss per {unit}", *(loss(run.train_nats) for run in runs)])
    if any(run.best_nats is not None for run in runs):
        rows.append([f"best validation loss per {unit}", *map(_scored, runs)])
    if any(run.mixed_nats is not None for run in runs):
        rows.append([f"with counts, per {unit}", *(loss(run.mixed_nats) for run in runs)])
    if any(run.accuracy is not None for run in runs):
        rows.append(["labels", *("-" if run.accuracy is None else _best(run) for run in runs)])
    return rows


def _scored(run: "RunSummary") -> str:
    within = f" within {short(run.best_interval)}" if run.best_interval else ""
    return loss(run.best_nats) + within
