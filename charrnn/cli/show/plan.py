"""The plan of a run, as a few lines of text or as JSON."""

import sys
from math import inf
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from charrnn.cli.show.console import is_terminal, say, write, write_table
from charrnn.cli.show.words import clock, count, long_shape, minutes, scored_unit, size
from charrnn.config.words import plural
from charrnn.text.sources import show_path
from charrnn.training.items import division_words
from charrnn.views.numbers import percent

if TYPE_CHECKING:
    from charrnn.training.launched import RankPlan
    from charrnn.training.plan import Plan
    from charrnn.training.run import Run


LEAST_WIDTH = 20
"""Columns of a line of the plan on a terminal, however narrow that is."""
SPLITS = {
    "strided": ", the end of every stream",
    "hashed": ", by their hash",
    "files": ", in files of their own",
}


RESTORED = {
    "spaces": "where spaces go",
    "case": "which letters are capitals",
    "marks": "which punctuation follows",
    "accents": "which accents letters have",
}


def say_plan(run: "Run") -> None:
    """Print the plan and the notices on stderr."""
    rows = plan_rows(run.plan)
    width = max(len(name) for name, _ in rows)
    columns = get_terminal_size().columns if is_terminal(sys.stderr) else 0
    for name, value in rows:
        lines = wrap(value, max(LEAST_WIDTH, columns - width - 3)) if columns else [value]
        for label, line in zip([name, *[""] * len(lines)], lines, strict=False):
            say(f"{label.ljust(width)}  {line}")
    for notice in run.notices:
        say(f"notice: {notice}")


def write_plan(run: "Run", speed: float) -> None:
    """Print the plan, the speed, the time and the reasons on stdout, the notices on stderr."""
    plan = run.plan
    rows = [*plan_rows(plan), ("speed", f"{speed:,.0f} {plural(plan.noun)} a second, measured")]
    rows.append(("time", _time_words(plan, speed)))
    if (ranks := run.rank_plan(speed)) is not None:
        rows += rank_rows(ranks)
    write_table((), rows)
    if plan.reasons:
        write("\n")
        reasons = [(name, str(plan.value(name)), why) for name, why in plan.reasons.items()]
        write_table(("setting", "value", "why"), reasons)
    for notice in run.notices:
        say(f"notice: {notice}")


def plan_json(run: "Run", speed: float) -> dict[str, Any]:
    """Return the plan, the measured speed and the time as JSON types."""
    ranks = run.rank_plan(speed)
    return {
        **run.plan.to_json(),
        **({} if ranks is None else {"ranks": ranks.to_json()}),
        "notices": list(run.notices),
        "chars_per_second": speed,
        "seconds": _seconds(run.plan, speed),
    }


def rank_rows(ranks: "RankPlan") -> list[tuple[str, str]]:
    """Return how ranks share the work as pairs of a name and a value."""
    least, more = divmod(ranks.shards, ranks.ranks)
    each = f"{least} or {least + 1}" if more else f"{least}"
    share = ranks.exchange_seconds / ranks.step_seconds
    sent = f", {size(ranks.bytes_per_step)} sent by a machine" if ranks.machines > 1 else ""
    where = count(ranks.machines, "machine")
    return [
        ("ranks", f"{ranks.ranks:,} on {where}, {each} of {count(ranks.shards, 'shard')} each"),
        (
            "exchange",
            f"{1e3 * ranks.exchange_seconds:.2f} ms of the {1e3 * ranks.step_seconds:.1f} ms of a "
            f"step, {share:.1%}, measured{sent}",
        ),
        ("more ranks", ranks.more),
    ]


def plan_rows(plan: "Plan") -> list[tuple[str, str]]:
    """Return the plan as pairs of a name and a value."""
    model, train = plan.model, plan.train
    weights = f", weight dropout {model.weight_dropout:g}" if model.weight_dropout else ""
    encoder = f", embedding of {model.embedding_size}" if model.embedding_size else ""
    batch = (
        f"{count(train.batch_size, 'item')}, {count(train.seq_len, plan.noun)} at a time"
        if train.items
        else f"{count(train.batch_size, 'stream')} x {count(train.seq_len, plan.noun)}"
    )
    return [
        (
            "corpus",
            f"{_names(plan.sources)}: {count(plan.characters, plan.noun)}, "
            f"{count(plan.distinct, 'symbol')}{_division(plan)}",
        ),
        *([("predicts", _predicted(plan))] if train.predict else []),
        *([("mixed with", mixed)] if (mixed := _mixed_words(plan)) else []),
        ("split", _split_words(plan)),
        (
            "model",
            f"{long_shape(model)}{encoder}, dropout {model.dropout:g}{weights}: "
            f"{count(plan.parameters, 'parameter')}",
        ),
        (
            "steps",
            f"{batch}, {train.optimizer} at {train.learning_rate:g}, {train.schedule}",
        ),
        ("length", _length_words(plan)),
        *([("validation", _validation_words(plan))] if plan.held_out else []),
        ("device", _device_words(plan)),
        ("memory", f"about {plan.memory_mb:,.0f} MB{_thread_words(plan)}"),
    ]


def _division(plan: "Plan") -> str:
    """Say how many texts or items a corpus has, and what these are."""
    if plan.texts is None:
        return ""
    items, noun = plan.train.items, _noun(plan)
    what = f" ({division_words(items)})" if noun == "item" else ""
    return f", {count(sum(plan.texts), noun)}{what}"


def _noun(plan: "Plan") -> str:
    """Return what a corpus is divided into."""
    if plan.train.predict:
        return "text"
    return plan.train.items if plan.train.items in ("line", "file") else "item"


def _split_words(plan: "Plan") -> str:
    """Say what is learned and held out, in the unit in which the corpus is counted."""
    counted, noun = (plan.train_characters, plan.held_out, plan.apart), plan.noun
    if plan.texts:
        counted, noun = plan.texts, _noun(plan)
    learned, held, apart = counted
    words = f"{count(learned, noun)} to learn from, "
    if apart:
        words += f"{apart:,} to fit the mixture with counts, "
    if not plan.held_out:
        return f"{words}nothing held out"
    share = percent(held / sum(counted), 0)
    where = SPLITS.get(plan.train.split_mode, "")
    return f"{words}{held:,} ({share}{where}) held out for validation"


def _predicted(plan: "Plan") -> str:
    """Say what is predicted."""
    labels, predict = plan.model.num_labels, plan.train.predict
    if predict == "label":
        return f"one of {labels:,} labels for each text"
    if predict == "tags":
        return f"one of {labels:,} tags for each {'word' if plan.train.spaced else 'character'}"
    return f"{RESTORED[predict]}, one of {labels:,} labels for each character"


def _mixed_words(plan: "Plan") -> str:
    """Say which models of n-grams the network is mixed with at the end; nothing where with none."""
    from charrnn.evaluation.labels.mixture import LABELS_OF_NGRAMS

    train, words = plan.train, []
    if not plan.held_out:  # the weights are fitted there
        return ""
    if train.ngrams and plan.model.num_labels <= LABELS_OF_NGRAMS:
        words.append("n-grams that are learned when the network is (--no-ngrams: without)")
    if train.counts:
        texts = "the training texts" if train.val_files else "all texts"
        words.append(
            f"Kneser-Ney n-grams per label and naive Bayes; the checkpoint will hold {texts}, "
            "which these count on"
        )
    return ", ".join(words) if train.predict else ""


def _validation_words(plan: "Plan") -> str:
    """Say how often and on how much a run validates, and what is not new in that."""
    units = plural(scored_unit(plan.train.predict, plan.noun))
    scored = f"{plan.val_scored:,} of the {plan.held_targets:,} {units} held out"
    if plan.val_scored == plan.held_targets:
        scored = f"all {plan.held_targets:,} {units} held out"
    share = plan.validation_share
    cost = f", about {percent(share)} of the run" if share else ""
    words = f"{count(plan.validation.validations, 'time')} and in early epochs, on {scored}{cost}"
    if plan.overlap:
        words += f"; {percent(plan.overlap)} of these are in the training part too"
    return words


def _device_words(plan: "Plan") -> str:
    """Say what trains, and why that was chosen."""
    why = plan.reasons.get("device")
    name = "CPU" if plan.device == "cpu" else f"{plan.device}, {plan.precision}"
    return f"{name}: {why}" if why else name


def _thread_words(plan: "Plan") -> str:
    """Say how many cores work, and why not all that might; nothing of a GPU."""
    if plan.device != "cpu":
        return ""
    if plan.machines:
        return f" a machine, {count(plan.threads, 'rank')} on {count(plan.machines, 'machine')}"
    words = f", {count(plan.threads, 'thread')}"
    if plan.threads < plan.threads_allowed:
        words += f" of {plan.threads_allowed} allowed (a larger --batch-size uses more)"
    return words


def _names(sources: Any) -> str:
    names = [show_path(source) for source in sources]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _length_words(plan: "Plan") -> str:
    onwards = "" if plan.resumed_at is None else f", resuming from step {plan.resumed_at:,}"
    if plan.train.steps:
        epochs = f", {_epochs(plan.epochs)}" if plan.epochs else ""
        return f"{count(plan.train.steps, 'step')}{epochs}{onwards}"
    most = f", or {_epochs(plan.train.max_epochs)}" if plan.train.max_epochs else ""
    return f"{minutes(plan.train.minutes)}{most}{onwards}"


def _seconds(plan: "Plan", speed: float) -> float:
    most = plan.train.max_epochs * plan.train_symbols / speed if plan.train.max_epochs else inf
    if plan.train.steps:
        return min(most, (plan.epochs or 0) * plan.train_symbols / speed)
    return min(most, 60 * plan.train.minutes)


def _time_words(plan: "Plan", speed: float) -> str:
    seconds = _seconds(plan, speed)
    if plan.train.steps:
        return f"about {clock(seconds)}"
    epochs = seconds * speed / max(1, plan.train_symbols)
    return f"{clock(seconds)}, about {_epochs(epochs)} at that speed"


def _epochs(number: float) -> str:
    return "1 epoch" if number == 1 else f"{number:.3g} epochs"
