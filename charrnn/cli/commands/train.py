"""``charrnn train``: from a text to a trained model."""

import dataclasses
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli import completing
from charrnn.cli.exits import ExitCode, end, mute
from charrnn.cli.options import MachineConfig, takes
from charrnn.cli.settings_file import LENGTHS, beside_file
from charrnn.cli.show.console import is_muted, is_terminal, say, write_json
from charrnn.cli.show.words import (
    command_line,
    count,
    duration,
    loss,
    scored_unit,
    share_right,
    short,
)
from charrnn.cli.signals import StopSignals
from charrnn.config import (
    DeviceConfig,
    ModelConfig,
    TextConfig,
    TrainConfig,
    given,
    option_of,
    pick,
)
from charrnn.config.words import plural
from charrnn.errors import ConfigError
from charrnn.system.machine import sharing_processes

if TYPE_CHECKING:
    from charrnn.cli.show.progress import Display
    from charrnn.training.events import Event, Finished
    from charrnn.training.run import Run

GROUPS = (TextConfig, ModelConfig, TrainConfig, DeviceConfig, MachineConfig)
CHANGEABLE = ("save_every", "patience")
"""Settings that a resumed run may change, because no step depends on them."""
MOST_NAMED = 3
"""Maximum number of files that a suggested command names."""
SPEED_SECONDS = 3.0
"""How long ``--plan`` measures the speed."""


@takes(*GROUPS)
def command(
    corpus: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CORPUS",
            help="Files, folders or patterns, also compressed (.gz, .bz2, .xz); - is stdin.",
            show_default=False,
        ),
    ] = None,
    *,
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder for the run.  [default: runs/<corpus name>]"),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            autocompletion=completing.runs,
            help="Resume this run. --steps, --epochs or --minutes set a new total length; "
            "--save-every and --patience may change; CORPUS says where the text is, if it was "
            "moved.",
        ),
    ] = None,
    val: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="File, folder or quoted pattern to hold out, in place of a part of CORPUS; may be "
            "given several times.",
        ),
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|FILE",
            autocompletion=completing.runs,
            help="Fine-tune: start from the weights of this model.",
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="TOML file with settings, named like their options, and corpus. Options on the "
            "command line override it; paths in it are relative to its folder. The run.toml in "
            "the folder of a run repeats the run.",
        ),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan", help="Show what the run would do and how long it would take, and exit."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the plan or the outcome as one JSON object.")
    ] = False,
    **settings: Any,
) -> None:
    """Train a model on a text.

    Settings that you leave out, such as model size and learning rate, are chosen to fit the text
    and the time. Ctrl-C finishes the current step and saves; --resume continues from there.
    """
    if config is not None and resume is not None:
        raise ConfigError(
            "--resume continues a run with its own settings, and --config has others: leave one "
            "of them out"
        )
    named = {"corpus": corpus or None, "out": out, "val": val or None, "init_from": init_from}
    with beside_file(config, GROUPS, {**named, **settings}) as options:
        run = _ready(resume, options, config)
    with closing(run):
        if plan:
            _show_plan(run, as_json)
        else:
            _train(run, as_json)


def _ready(resume: str | None, options: dict[str, Any], config: str | None) -> "Run":
    """Prepare a run from the options of the command line and those of a file."""
    machine, device = pick(MachineConfig, options), pick(DeviceConfig, options)
    threads = machine.count
    if (ranks := sharing_processes()) > 1 and device.is_gpu:
        raise ConfigError(
            f"--device {device.device} trains in one process, and {ranks} were started: leave it "
            "out, or start charrnn without a launcher"
        )
    device = device.beside(machine.threads if ranks == 1 else threads)
    if options["out"] == "":
        raise ConfigError("--out needs the name of a folder")
    if resume is not None:
        return _resume(resume, threads, device, options)
    if not options["corpus"]:
        where = f', or corpus = "corpus.txt" in {config}' if config else ""
        raise ConfigError(f"give a text to train on: charrnn train corpus.txt{where}")
    return _prepare(threads, device, options)


def _prepare(threads: int, device: DeviceConfig, options: dict[str, Any]) -> "Run":
    corpus, val = _listed(options["corpus"]), _listed(options["val"] or [])
    out, init_from = options["out"], options["init_from"]
    text, model = pick(TextConfig, options), pick(ModelConfig, options)
    train = pick(TrainConfig, options)
    from charrnn.storage.folder import is_model

    for name in filter(is_model, corpus):
        raise ConfigError(
            f"{name} is a model, not a text: --resume {name} continues it, and CORPUS --init-from "
            f"{name} starts another from it"
        )
    from charrnn.training.new import prepare

    return prepare(
        corpus,
        val=val,
        text=text,
        model=model,
        train=train,
        init_from=init_from,
        out=None if out is None else Path(out),
        threads=threads,
        device=device,
    )


def _resume(name: str, threads: int, device: DeviceConfig, options: dict[str, Any]) -> "Run":
    if options["out"] or options["init_from"] or options["val"]:
        raise ConfigError(
            "--resume continues a run as it is: leave out --out, --init-from and --val"
        )
    asked = [
        option_of(item)
        for group in (TextConfig, ModelConfig, TrainConfig)
        for item in dataclasses.fields(group)
        if item.name in given(group, options) and item.name not in (*LENGTHS, *CHANGEABLE)
    ]
    if asked:
        raise ConfigError(
            f"{asked[0]} cannot change when a run is resumed: leave it out, or start "
            f"a new run, with --init-from {name} if the model keeps its shape"
        )
    length, train = pick(TrainConfig, options), given(TrainConfig, options)
    changed = {setting: train[setting] for setting in CHANGEABLE if setting in train}
    from charrnn.training.resume import resume

    corpus = options["corpus"] or []
    return resume(name, corpus=corpus, length=length, threads=threads, device=device, **changed)


def _listed(paths: str | list[str]) -> list[str]:
    """Return paths of which a file may name one alone."""
    return [paths] if isinstance(paths, str) else paths


def _show_plan(run: "Run", as_json: bool) -> None:
    from charrnn.cli.show.plan import plan_json, write_plan

    speed = run.measure_speed(SPEED_SECONDS)
    if as_json:
        write_json(plan_json(run, speed))
    else:
        write_plan(run, speed)


def _train(run: "Run", as_json: bool) -> None:
    from charrnn.cli.show.plan import say_plan
    from charrnn.cli.show.progress import LineDisplay, LiveDisplay
    from charrnn.storage.log import read_log

    say_plan(run)
    live = is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb" and not is_muted()
    with StopSignals(run.stop) as signals:
        try:
            events = run.train(samples=True)
            next(events)  # the run has its folder now
            say(f"run     {run.directory}")
            train, kind = run.plan.train, LiveDisplay if live else LineDisplay
            shown = kind(train.steps or None, run.plan.noun, drawn=not train.predict)
            with shown as display:
                if run.directory is not None and isinstance(display, LiveDisplay):
                    display.recall(read_log(run.directory))
                finished, watched = _follow(events, run, display, signals)
        except KeyboardInterrupt:
            say("stopped at once: what was not saved yet is lost")
            _say_resume(run)
            raise typer.Exit(128 + (signals.received or SIGINT)) from None
    if as_json:
        write_json({**finished.to_json(), "run": str(run.directory)})
    _say_end(run, finished)
    if finished.reason == "interrupted" and signals.received is not None:
        raise typer.Exit(128 + signals.received)
    if not watched:
        raise typer.Exit(ExitCode.CLOSED_PIPE)


def _follow(
    events: Iterator["Event"], run: "Run", display: "Display", signals: StopSignals
) -> tuple["Finished", bool]:
    """Show a run to its end; return how it ended, and whether the display worked to the end."""
    from charrnn.training.events import Finished, Notice

    told, watched = False, True
    for event in events:
        try:
            display.show(event)
            if signals.received is not None and not told:
                told = True
                display.show(
                    Notice("finishing the step and saving; press it again to stop at once")
                )
        except OSError:  # the terminal or the pipe is gone: save, and say no more
            mute(sys.stderr)
            run.stop()
            watched = False
        if isinstance(event, Finished):
            return event, watched
    raise AssertionError("a run ends with Finished")


def _say_end(run: "Run", finished: "Finished") -> None:
    from charrnn.text.sources import show_path

    steps, time = count(finished.step, "step"), duration(finished.seconds)
    train = run.plan.train
    if finished.reason == "diverged":
        end(
            f"training kept diverging and was stopped at step {finished.step:,}; the "
            f"last good state is in {run.directory}: train again with a lower --learning-rate",
            ExitCode.ERROR,
        )
    if finished.reason == "interrupted":
        say(f"stopped after {steps} ({time}) and saved")
        _say_of_kept_texts(run, refitted=False)
        _say_resume(run)
        return
    unit = scored_unit(train.predict, run.plan.noun)
    why = "no longer improving" if finished.reason == "no longer improving" else "done"
    say(f"{why}: {steps} in {time}")
    if finished.best_nats is None:
        say(f"training loss: {loss(finished.train_nats)} per {unit}; nothing was held out")
    else:
        sample = ""
        if finished.val_characters < finished.held_out:
            sample = (
                f", within {short(finished.best_interval)} nats (95 %), on "
                f"{finished.val_characters:,} of {finished.held_out:,} {plural(unit)} held out"
            )
        if finished.best_accuracy is not None:
            right = share_right(
                finished.mixed_accuracy,
                finished.best_accuracy,
                has_ngrams=train.ngrams or train.counts,
                what=f"of the {plural(unit)} right",
            )
            say(f"held-out part: {right}")
        by = " by the network alone" if finished.mixed_accuracy is not None else ""
        which = "validation loss of the best state" if train.predict else "best validation loss"
        mixed = finished.mixed_nats
        counts = "" if mixed is None else f", with counts {loss(mixed)}"
        say(f"{which}{by}: {loss(finished.best_nats)} per {unit}{sample}{counts}")
    _say_of_kept_texts(run, refitted=not train.val_files)
    say(f"run: {run.directory}")
    counted = train.counts and not train.predict
    more = ["--counts"] if counted and finished.counts_help is not False else []
    more += _model_words(run.directory)
    held_out = run.plan.held_out
    texts = [] if held_out else [show_path(path) for path in run.plan.sources]
    first = ["predict", "FILE"] if train.predict else ["sample"]
    if run.example_prompt is not None:
        first += ["--prompt", run.example_prompt]
    say(f"next: {command_line('charrnn', *first, *more)}")
    few = len(texts) <= MOST_NAMED
    if few and (
        held_out or "-" not in run.plan.sources
    ):  # without a held-out part, eval needs a file
        say(f"      {command_line('charrnn', 'eval', *texts, *more)}")


def _say_of_kept_texts(run: "Run", *, refitted: bool) -> None:
    """Say that the checkpoint contains the training text, or reveals much of it."""
    train = run.plan.train
    if train.counts:
        texts = "all texts" if refitted else "the training texts"
        what = f"contains {texts}, which --counts needs"
        if not train.predict:
            what = "contains the n-grams of --counts, which reveal much of the training text"
        say(f"notice: the checkpoint {what}: do not share it if the text is private")


def _say_resume(run: "Run") -> None:
    if run.directory is not None:
        say(f"resume with: {command_line('charrnn', 'train', '--resume', run.directory)}")


def _model_words(directory: Path | None) -> list[str]:
    """Return the option that names the run, if the run would not be found without it."""
    from charrnn.errors import CharrnnError
    from charrnn.storage.folder import find_model

    try:
        newest = find_model(None).parent
    except CharrnnError:
        newest = None
    return [] if newest == directory else ["--model", str(directory)]
