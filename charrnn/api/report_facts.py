"""The facts about a run, in the words of a report."""

from charrnn.api.report_results import bits
from charrnn.config.words import count, listing, long_shape, plural
from charrnn.evaluation.labels.evaluate import LabelEvaluation
from charrnn.evaluation.result import Evaluation
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.history import History
from charrnn.views.numbers import percent


def title_of(checkpoint: Checkpoint) -> str:
    """Return a description of a model."""
    trained = checkpoint.history.step
    steps = f"trained for {trained:,} step{'s' * (trained != 1)}" if trained else "untrained"
    predict = checkpoint.settings.predict
    following = f"the next {checkpoint.vocabulary.noun}"
    predicts = {"": following, "label": "a label", "tags": "tags"}.get(predict)
    predicts = predicts or f"the missing {predict} of a text"
    return (
        f"{long_shape(checkpoint.architecture)}; {checkpoint.num_parameters:,} parameters, "
        f"{steps}. It predicts {predicts}."
    )


def per_of(checkpoint: Checkpoint) -> str:
    """Return the unit of a loss: "label", "tag", or what the model reads as one symbol."""
    names = {"label": "label", "tags": "tag"}
    return names.get(checkpoint.settings.predict, checkpoint.vocabulary.noun)


def facts_of(
    checkpoint: Checkpoint, evaluation: Evaluation | LabelEvaluation | str, end: History
) -> list[tuple[str, str]]:
    """Return named facts about a model: its results, and its training text.

    Parameters
    ----------
    checkpoint : Checkpoint
        The best state of the run.
    evaluation : Evaluation, LabelEvaluation or str
        On the held-out part.
    end : History
        The history up to the last step of the run.
    """
    history, per = checkpoint.history, per_of(checkpoint)
    noun = checkpoint.vocabulary.noun
    facts = []
    if isinstance(evaluation, Evaluation):
        nats = evaluation.nats_per_char
        mixed = ", with counts" if evaluation.network is not None else ""
        facts.append((f"held-out part{mixed}", f"{nats:.3f} nats, {bits(nats):.3f} bits per {per}"))
        facts.append((f"perplexity per {per}", f"{evaluation.perplexity:.2f}"))
    elif isinstance(evaluation, LabelEvaluation):
        name, value = evaluation.main
        facts.append((f"held-out {name}", percent(value)))
    if history.best_nats is not None:
        within = f" \u00b1 {history.best_interval:.3f}" if history.best_interval else ""
        best = f"{history.best_nats:.3f}{within} nats per {per}, step {history.best_step:,}"
        if history.best_accuracy is not None:
            best += f", {percent(history.best_accuracy)} correct"
        both = len(checkpoint.mixture) > 1 or checkpoint.table is not None
        alone = " of the network alone" if both else ""
        which = "best state" if checkpoint.labels else "best validation"
        facts.append((f"{which}{alone}", best))
    if history.mixed_nats is not None and not isinstance(evaluation, Evaluation):
        facts.append(("the same, with counts", f"{history.mixed_nats:.3f} nats per {per}"))
    sources = [source.path.replace("\\", "/").rsplit("/", 1)[-1] for source in checkpoint.sources]
    facts += [
        ("text", listing(sources, 3)),
        (plural(noun), f"{checkpoint.characters:,}, {checkpoint.held_out:,} held out"),
        ("vocabulary", f"{len(checkpoint.vocabulary):,} symbols"),
        ("trained", f"{end.step:,} steps, {end.seconds:,.0f} s"),
        ("ended", end.finished or "not yet"),
    ]
    if checkpoint.labels:
        facts.append(("labels", f"{len(checkpoint.labels):,}"))
    return facts


def split_words_of(checkpoint: Checkpoint) -> str:
    """Return a description of the held-out part."""
    names = [source.path.replace("\\", "/").rsplit("/", 1)[-1] for source in checkpoint.sources]
    more = " and others" if len(names) > 1 else ""
    held = count(checkpoint.held_out, checkpoint.vocabulary.noun)
    return f"{held} held out of {names[0] if names else '?'}{more}"
