"""What a run is about to do, in a few lines for people or as JSON."""

from math import inf
from typing import TYPE_CHECKING, Any

from charrnn.cli.show.console import say, write, write_table
from charrnn.cli.show.words import clock, count, long_shape, minutes, scored_unit
from charrnn.config.words import plural

if TYPE_CHECKING:
    from charrnn.training.plan import Plan
    from charrnn.training.run import Run


SPLITS = {
    "strided": ", the end of every stream",
    "hashed": ", items by their hash",
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
    for name, value in rows:
        say(f"{name.ljust(width)}  {value}")
    for notice in run.notices:
        say(f"notice: {notice}")


def write_plan(run: "Run", speed: float) -> None:
    """Print the plan, the speed, the time and the reasons on stdout, the notices on stderr."""
    plan = run.plan
    rows = [*plan_rows(plan), ("speed", f"{speed:,.0f} {plural(plan.noun)} a second, measured")]
    rows.append(("time", _time_words(plan, speed)))
    write_table((), rows)
    if plan.reasons:
        write("\n")
        reasons = [(name, str(plan.value(name)), why) for name, why in plan.reasons.items()]
        write_table(("setting", "value", "why"), reasons)
    for notice in run.notices:
        say(f"notice: {notice}")


def plan_json(run: "Run", speed: float) -> dict[str, Any]:
    """Return the plan, the measured speed and the time as JSON types."""
    return {
        **run.plan.to_json(),
        "notices": list(run.notices),
        "chars_per_second": speed,
        "seconds": _seconds(run.plan, speed),
    }


def plan_rows(plan: "Plan") -> list[tuple[str, str]]:
    """Return what will be done as pairs of a name and a value."""
    model, train = plan.model, plan.train
    share = plan.held_out / plan.characters if plan.characters else 0
    where = SPLITS.get(train.split_mode, "")
    learned, held_out = count(plan.train_characters, plan.noun), "nothing held out"
    if plan.held_out:
        amount = count(plan.held_out, plan.noun)
        if plan.texts:
            amount, share = count(plan.texts[1], "text"), plan.texts[1] / sum(plan.texts)
        held_out = f"{amount} ({share:.0%}{where}) held out for validation"
    if plan.texts:
        learned = count(plan.texts[0], "text")
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
            f"{plan.distinct:,} symbols",
        ),
        *([("predicts", _predicted(plan))] if train.predict else []),
        *([("mixed with", mixed)] if (mixed := _mixed_words(plan)) else []),
        ("split", f"{learned} to learn from, {held_out}"),
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
        words.append(
            "Kneser-Ney n-grams per label and naive Bayes; the checkpoint will hold the training "
            "texts, which these count on"
        )
    return ", ".join(words) if train.predict else ""


def _validation_words(plan: "Plan") -> str:
    """Say how often and on how much a run validates, and what is not new in that."""
    units = plural(scored_unit(plan.train.predict, plan.noun))
    scored = f"{plan.val_scored:,} of the {plan.held_targets:,} {units} held out"
    if plan.val_scored == plan.held_targets:
        scored = f"all {plan.held_targets:,} {units} held out"
    share = f", about {plan.validation_share:.1%} of the run" if plan.validation_share else ""
    words = (
        f"{count(plan.validation.validations, 'time')} and after early passes, on {scored}{share}"
    )
    if plan.overlap:
        words += f"; {plan.overlap:.1%} of these are in the training part too"
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
    words = f", {count(plan.threads, 'thread')}"
    if plan.threads < plan.threads_allowed:
        words += f" of {plan.threads_allowed} allowed (a larger --batch-size uses more)"
    return words


def _names(sources: Any) -> str:
    names = [str(source) for source in sources]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _length_words(plan: "Plan") -> str:
    onwards = "" if plan.resumed_at is None else f", resuming from step {plan.resumed_at:,}"
    if plan.train.steps:
        epochs = f", {plan.epochs:.3g} times through the text" if plan.epochs else ""
        return f"{count(plan.train.steps, 'step')}{epochs}{onwards}"
    most = f", or {plan.train.max_epochs:g} times through the text" if plan.train.max_epochs else ""
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
    return f"{clock(seconds)}, about {epochs:.3g} times through the text at that speed"
