"""The results of a model, as the tables of a report."""

from math import log

from charrnn.evaluation.cost import Cost
from charrnn.evaluation.labels.evaluate import LabelEvaluation
from charrnn.evaluation.result import Evaluation
from charrnn.views.numbers import percent
from charrnn.views.report.content import Confusions, Results, Table

MOST_LABELS = 60
"""Most rows of a table of labels; the most frequent labels are kept."""
MATRIX = 200
"""Confusions are shown for at most this many labels."""


def of_text(evaluation: Evaluation, model: str) -> Results:
    """Return the scores of a model and its baselines on a text, best first.

    Parameters
    ----------
    evaluation : Evaluation
        On the held-out part.
    model : str
        The name of the model in the table.
    """
    rows: list[tuple[str, Cost]] = [(row.name, row) for row in evaluation.baselines]
    if evaluation.network is None:
        rows.append((model, evaluation))
    else:
        rows += [(f"{model}, with counts", evaluation), (model, evaluation.network)]
    costs = sorted(rows, key=lambda row: row[1].total_nats)
    strong = next(number for number, row in enumerate(costs) if row[1] is evaluation)
    per = evaluation.per
    bits = [f"bits per {per}"] * (per != "byte")
    table = Table(
        "",
        ("", f"nats per {per}", *bits, "bits per byte", f"perplexity per {per}"),
        [
            (
                name,
                f"{cost.nats_per_char:.4f}",
                *[f"{cost.bits_per_char:.4f}" for _ in bits],
                f"{cost.bits_per_byte:.4f}",
                f"{cost.perplexity:.3f}",
            )
            for name, cost in costs
        ],
        frozenset(range(1, 4 + len(bits))),
        strong,
        caption=" ".join([_sentence(evaluation.protocol), _sentence(evaluation.comparison)]).strip()
        if evaluation.baselines
        else _sentence(evaluation.protocol),
    )
    return Results([table])


def of_labels(evaluation: LabelEvaluation, model: str) -> Results:
    """Return how well a model labels: figures, baselines, a row per label, and confusions."""
    tables = [_figures(evaluation)]
    if evaluation.rivals:
        tables.append(_rivals(evaluation, model))
    if evaluation.entities is not None:
        tables.append(_entities(evaluation))
    labels = evaluation.labels
    tables.append(_rows(evaluation))
    if not 1 < len(labels.labels) <= MATRIX:
        return Results(tables)
    return Results(tables, Confusions([*map(named, labels.labels)], labels.confusion.tolist()))


def named(label: str) -> str:
    """Return a label in readable form, also if it is empty or whitespace."""
    return {"": "nothing", " ": "space", "\n": "newline"}.get(label, label)


def _figures(evaluation: LabelEvaluation) -> Table:
    labels, restored = evaluation.labels, evaluation.restored
    rows = [("accuracy", labels.accuracy_words)]
    if restored is None:
        rows.append(("macro-F1", percent(labels.macro_f1)))
    else:
        rows += [
            ("correct characters", percent(restored.characters.accuracy)),
            ("F1 of restored characters", percent(restored.removed.f1)),
            ("correct words", percent(restored.words.accuracy)),
            ("correct lines", percent(restored.lines.accuracy)),
        ]
    if evaluation.entities is not None:
        rows.insert(0, ("F1 of entities", percent(evaluation.entities.f1)))
    if evaluation.nats is not None:
        rows.append(
            ("nats per label", f"{evaluation.nats:.4f} ({evaluation.uniform_nats:.4f} if "
             "uniform)")
        )  # fmt: skip
    rows.append(("texts", f"{evaluation.texts:,}, of {evaluation.characters:,} characters"))
    return Table("", (), rows, caption=_sentence(evaluation.protocol))


def _rivals(evaluation: LabelEvaluation, model: str) -> Table:
    name, own = evaluation.main
    labels = evaluation.labels
    found = [(row.name, row.main, row.accuracy, row.macro_f1) for row in evaluation.rivals]
    found.append((model, own, labels.accuracy, labels.macro_f1))
    found.sort(key=lambda row: -row[1])
    strong = next(number for number, row in enumerate(found) if row[0] == model)
    other = name != "accuracy"
    return Table(
        "Baselines",
        ("", *([name] if other else []), "accuracy", "macro-F1"),
        [
            (row[0], *([percent(row[1])] if other else []), percent(row[2]), percent(row[3]))
            for row in found
        ],
        frozenset(range(1, 3 + other)),
        strong,
        _sentence(evaluation.comparison),
    )


def _entities(evaluation: LabelEvaluation) -> Table:
    assert evaluation.entities is not None
    rows = [
        (kind, f"{found.gold:,}", *map(percent, (found.precision, found.recall, found.f1)))
        for kind, found in evaluation.entities.kinds.items()
    ]
    headings = ("entity", "count", "precision", "recall", "F1")
    return Table("Entities", headings, rows[:MOST_LABELS], frozenset(range(1, 5)))


def _rows(evaluation: LabelEvaluation) -> Table:
    rows = [
        (
            named(row.label),
            f"{row.count:,}",
            *map(percent, (row.precision, row.recall, row.f1)),
            ", ".join(f"{named(label)} {percent(share)}" for label, share in row.confused),
        )
        for row in evaluation.labels.rows
    ]
    headings = ("label", "count", "precision", "recall", "F1", "confused with")
    left = len(rows) - MOST_LABELS
    caption = f"And {left:,} more labels." if left > 0 else ""
    right = frozenset(range(1, 5))
    return Table("Labels", headings, rows[:MOST_LABELS], right, caption=caption)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].rstrip('.')}." if words else ""


def bits(nats: float) -> float:
    """Return nats as bits."""
    return nats / log(2)
