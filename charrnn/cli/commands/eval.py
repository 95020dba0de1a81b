"""``charrnn eval``: how well a model predicts a text."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.kinds import LABELLED, TEXT, check_kind
from charrnn.cli.options import MachineConfig, Model, named_model, takes
from charrnn.cli.show.choice import say_if_foreign
from charrnn.cli.show.console import say, write, write_json, write_sentences, write_table
from charrnn.cli.show.labels import write_evaluation
from charrnn.cli.show.words import count, listing, shape
from charrnn.config import DeviceConfig, EvalConfig, TextConfig, given, option_name, pick
from charrnn.config.words import plural
from charrnn.errors import ConfigError
from charrnn.evaluation.verdict import NOTABLE_OVERLAP, of_model
from charrnn.views.numbers import percent

if TYPE_CHECKING:
    from charrnn.evaluation.cost import Cost
    from charrnn.evaluation.result import Evaluation

COMPOSED = "bits per byte, counted on the composed text, with models that read other symbols"
"""How figures of parts of letters compare with others."""


@takes(
    EvalConfig,
    TextConfig,
    DeviceConfig,
    MachineConfig,
    leave_out=("unit", "precision"),
    defaults={TextConfig: "the run's", DeviceConfig: "cpu"},
)
def command(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            help="Texts to score.  [default: the held-out part of the run's own corpus]  A run "
            "before them is the same as --model.",
            show_default=False,
        ),
    ] = None,
    *,
    context: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What the model reads before each FILE, without being scored on it.  [default: a "
            "line end, as in sample]",
            show_default=False,
        ),
    ] = None,
    perplexity: Annotated[
        bool, typer.Option("--perplexity", help="Print only the perplexity.")
    ] = False,
    bits_per_char: Annotated[
        bool, typer.Option("--bits-per-char", help="Print only the bits per character.")
    ] = False,
    nats: Annotated[
        bool, typer.Option("--nats", help="Print only the nats per character.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as one JSON object.")
    ] = False,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines",
            help="Compare with simpler models of the same training text: an n-gram model, counts "
            "that adapt and compressors; for labels naive Bayes, n-grams per label and back-off "
            "windows.",
        ),
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL,TEXT",
            help="Columns of a .csv for a model of labels, if they differ from those in training.",
        ),
    ] = None,
    model: Model = None,
    **settings: Any,
) -> None:
    """Measure how well a model predicts a text.

    The result is in nats and bits per character and per byte, and as perplexity. For a model that
    predicts labels, it is accuracy and F1.
    """
    asked = {
        "--perplexity": perplexity,
        "--bits-per-char": bits_per_char,
        "--nats": nats,
        "--json": as_json,
    }
    forms = [option for option, wanted in asked.items() if wanted]
    if len(forms) > 1:
        raise ConfigError(f"{forms[0]} and {forms[1]} both say what to print: give one of them")
    if baselines and forms and not as_json:
        raise ConfigError(f"--baselines prints a table, and {forms[0]} one number: leave one out")
    config = pick(EvalConfig, settings)  # refuses what does not go together
    files, model = named_model(files or [], model)
    reading = given(TextConfig, settings)
    TextConfig(**reading)  # refuses what is unknown before anything is read
    if reading and not files:
        raise ConfigError(
            f"{option_name(next(iter(reading)))} says how to read a FILE, and none is named: "
            "the run's own text is read as it was in training"
        )
    if columns is not None and not files:
        raise ConfigError("--columns says how to read a FILE, and none is named: leave it out")
    machine, device = pick(MachineConfig, settings), pick(DeviceConfig, settings)
    device.beside(machine.threads)  # refuses both
    from charrnn.api.loading import load
    from charrnn.evaluation.labels.evaluate import LabelEvaluation

    trained = load(model)
    say(f"model: {trained.path}", dim=True)
    if columns is not None:
        check_kind(trained.path, trained.checkpoint, LABELLED, option="--columns")
    if forms and not as_json:
        check_kind(trained.path, trained.checkpoint, TEXT, option=forms[0])
    evaluation = trained.evaluate(
        files or [],
        baselines=baselines,
        context=context or "",
        columns=columns,
        threads=machine.threads,
        device=device.device,
        **given(EvalConfig, settings),
        **reading,
    )
    for notice in evaluation.notices:
        say(f"notice: {notice}")
    if isinstance(evaluation, LabelEvaluation):
        if as_json:
            write_json({"model": str(trained.path), **evaluation.to_json()})
        else:
            more = " and n-grams" if len(trained.checkpoint.mixture) > 1 else ""
            write_evaluation(evaluation, shape(trained.checkpoint.architecture) + more)
        return
    _say_of_its_text(evaluation)
    by_gradients = config.adapts_network
    unused = trained.checkpoint.table is not None and not config.counts
    mixed = trained.checkpoint.history.mixed_nats if unused else None
    _say_if_useless(evaluation, named=bool(files), by_gradients=by_gradients, mixed=mixed)
    if files and model is None:
        say_if_foreign(evaluation, trained)
    if as_json:
        write_json({"model": str(trained.path), **evaluation.to_json()})
    elif perplexity:
        typer.echo(repr(float(evaluation.perplexity)))
    elif bits_per_char:
        typer.echo(repr(float(evaluation.bits_per_char)))
    elif nats:
        typer.echo(repr(float(evaluation.nats_per_char)))
    else:
        _write(evaluation)
        if baselines:
            name = f"this model ({shape(trained.checkpoint.architecture)})"
            _write_baselines(evaluation, name, config)


def _say_of_its_text(evaluation: "Evaluation") -> None:
    """Say so if the text, or much of it, is text that the model was trained on."""
    if evaluation.held_out_nats is not None:
        say(
            f"notice: {evaluation.nats_per_char:.4f} nats is the loss on training text; on the "
            f"held-out part it is {evaluation.held_out_nats:.4f} nats (charrnn eval without FILE)"
        )
    elif evaluation.overlap is not None and evaluation.overlap >= NOTABLE_OVERLAP:
        say(
            f"notice: {percent(evaluation.overlap, 0)} of this text is also in the training part, "
            "word for word, so its loss partly measures how well the model memorized it"
        )


def _say_if_useless(
    evaluation: "Evaluation", *, named: bool, by_gradients: bool, mixed: float | None
) -> None:
    """Say so if the model is worse on this text than no model at all, and what to try.

    ``named`` says whether the text was named, ``by_gradients`` whether the network adapted to it.
    ``mixed`` is the validation loss with the counts of the model, if they were not used.
    """
    uniform, unigram = evaluation.uniform_nats, evaluation.unigram_nats
    noun = evaluation.per
    useless = of_model(evaluation.nats_per_char, uniform=uniform, unigram=unigram, noun=noun)
    if not useless:
        return
    static, network = evaluation.static, evaluation.network
    if network and not of_model(network.nats_per_char, uniform=uniform, unigram=unigram):
        advice = "leave out --counts"
    elif static and not of_model(static.nats_per_char, uniform=uniform, unigram=unigram):
        advice = "try a lower --dynamic-rate" if by_gradients else "leave out --adapt"
    elif mixed and not named and not of_model(mixed, uniform=uniform, unigram=unigram):
        advice = "add --counts"
    elif named and not evaluation.learned:
        advice = "the text is unlike the training text"
    else:
        advice = "train again, on more text or with a lower --learning-rate"
    say(f"notice: {useless}: {advice}")


def _write(evaluation: "Evaluation") -> None:
    unknown = sorted(evaluation.unknown.items(), key=lambda item: -item[1])
    listed = listing([f"{name} {number:,}" for name, number in unknown])
    static = evaluation.static
    gain = [] if static is None else [("without learning", f"{static.nats_per_char:.4f} nats")]
    if evaluation.network is not None:
        gain.append(("by the network alone", f"{evaluation.network.nats_per_char:.4f} nats"))
    other_bytes = also = ""
    if evaluation.file_bytes not in (None, evaluation.num_bytes):
        other_bytes = f" as scored, {evaluation.file_bytes:,} in the files"
    cost = f", {evaluation.unknown_cost:.2f} nats each" if evaluation.unknown_cost else ""
    noun = evaluation.per
    unseen = count(evaluation.unseen, noun)
    if evaluation.unseen:
        unseen += f", {evaluation.unseen_nats:,.1f} of all {evaluation.total_nats:,.1f} nats"
    if evaluation.overlap is not None:
        also = f"{percent(evaluation.overlap)} of this text, word for word"
    rows = [
        (f"nats per {noun}", f"{evaluation.nats_per_char:.4f}"),
        *gain,
        *([] if noun == "byte" else [(f"bits per {noun}", f"{evaluation.bits_per_char:.4f}")]),
        ("bits per byte", f"{evaluation.bits_per_byte:.4f}"),
        (f"perplexity per {noun}", f"{evaluation.perplexity:.4f}"),
        *([] if noun == "byte" else [(plural(noun), f"{evaluation.characters:,}")]),
        ("bytes", f"{evaluation.num_bytes:,}" + other_bytes),
        (
            f"unknown {plural(noun)}",
            f"{sum(evaluation.unknown.values()):,}{cost}" + (f": {listed}" if listed else ""),
        ),
        ("unseen in training", unseen),
        *([("also in training", also)] if also else []),
        *([("compare by", COMPOSED)] if noun not in ("character", "byte") else []),
        ("protocol", evaluation.protocol),
    ]
    write_table((), rows)


def _write_baselines(evaluation: "Evaluation", name: str, config: EvalConfig) -> None:
    rows: list[tuple[str, Cost]] = [(row.name, row) for row in evaluation.baselines]
    if evaluation.network is not None:
        rows += [(f"{name}, with counts", evaluation), (name, evaluation.network)]
    elif evaluation.static is None:
        rows.append((name, evaluation))
    else:
        dynamic = ", dynamic" if config.adapts_network else ""
        counts = ", with counts that adapt" if config.adapts_counts else ""
        rows += [(f"{name}{dynamic}{counts}", evaluation), (name, evaluation.static)]
    rows.sort(key=lambda row: row[1].total_nats)
    write("\n")
    noun = evaluation.per.replace("character", "char")
    bits = [f"bits/{noun}"] * (noun != "byte")
    write_table(
        ("", f"nats/{noun}", *bits, "bits/byte", f"perplexity/{noun}"),
        [
            (
                name,
                f"{row.nats_per_char:.4f}",
                *[f"{row.bits_per_char:.4f}" for _ in bits],
                f"{row.bits_per_byte:.4f}",
                f"{row.perplexity:.4f}",
            )
            for name, row in rows
        ],
        right=range(1, 4 + len(bits)),
    )
    write("\n")
    write_sentences(evaluation.comparison)
