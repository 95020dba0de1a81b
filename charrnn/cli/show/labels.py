"""The evaluation of a model of labels, as tables."""

from typing import TYPE_CHECKING

from charrnn.cli.show.console import write, write_table
from charrnn.cli.show.text import visible_line
from charrnn.cli.show.words import listing
from charrnn.views.numbers import percent

if TYPE_CHECKING:
    from charrnn.evaluation.labels.evaluate import LabelEvaluation

ROWS = 40
"""Labels that have a row of their own; the most frequent ones."""
CONFUSION = 12
"""Labels of which all confusions are shown."""
NAME = 20
"""Characters of a label in a table."""


def write_evaluation(evaluation: "LabelEvaluation", name: str) -> None:
    """Write the evaluation of a model of labels on a text.

    Parameters
    ----------
    evaluation : LabelEvaluation
        What to write.
    name : str
        Of the model, among its opponents.
    """
    write_table((), _figures(evaluation))
    labels = evaluation.labels
    if evaluation.restored is None and len(labels.rows) > 1:
        _write_rows(evaluation)
        if len(labels.labels) <= CONFUSION and evaluation.predict == "label":
            _write_confusion(evaluation)
    if evaluation.entities is not None:
        _write_entities(evaluation)
    if evaluation.rivals:
        _write_rivals(evaluation, name)


def _figures(evaluation: "LabelEvaluation") -> list[tuple[str, str]]:
    labels, restored = evaluation.labels, evaluation.restored
    rows = []
    if restored is not None:
        rows = [
            ("characters right", percent(restored.characters.accuracy)),
            (
                "restored",
                f"F1 {percent(restored.removed.f1)}, precision "
                f"{percent(restored.removed.precision)}, recall {percent(restored.removed.recall)}",
            ),
            ("words right", percent(restored.words.accuracy)),
            ("lines right", percent(restored.lines.accuracy)),
        ]
        if restored.found_words is not None:
            rows.insert(2, ("word F1", percent(restored.found_words.f1)))
    else:
        rows = [
            ("accuracy", labels.accuracy_words),
            ("macro-F1", percent(labels.macro_f1)),
        ]
    if evaluation.entities is not None:
        found = evaluation.entities
        rows.insert(
            0,
            (
                "entity F1",
                f"{percent(found.f1)}, precision {percent(found.precision)}, "
                f"recall {percent(found.recall)}",
            ),
        )
    uniform = f"{evaluation.uniform_nats:.4f} if all were as likely"
    rows += [
        ("nats per label", f"{_nats(evaluation.nats) or '-'} ({uniform})"),
        ("texts", f"{evaluation.texts:,}, of {evaluation.characters:,} characters"),
    ]
    if evaluation.unknown_labels:
        listed = [f"{label} {count:,}" for label, count in evaluation.unknown_labels.items()]
        rows.append(("unknown labels", f"{listing(listed)}: all wrong"))
    if evaluation.overlap is not None:
        rows.append(("also in training", f"{percent(evaluation.overlap)} of these texts"))
    return [*rows, ("protocol", evaluation.protocol)]


def _write_rows(evaluation: "LabelEvaluation") -> None:
    rows = evaluation.labels.rows
    write("\n")
    write_table(
        ("label", "count", "precision", "recall", "F1", "taken for"),
        [
            (
                row.label[:NAME],
                f"{row.count:,}",
                percent(row.precision),
                percent(row.recall),
                percent(row.f1),
                ", ".join(f"{label[:NAME]} {percent(share)}" for label, share in row.confused),
            )
            for row in rows[:ROWS]
        ],
        right=(1, 2, 3, 4),
    )
    if len(rows) > ROWS:
        write(f"and {len(rows) - ROWS:,} more labels (--json has all)\n")


def _write_confusion(evaluation: "LabelEvaluation") -> None:
    labels = evaluation.labels
    write("\nconfusion (rows: right, columns: predicted)\n")
    counts = labels.confusion.tolist()
    write_table(
        ("", *(label[:NAME] for label in labels.labels)),
        [
            (label[:NAME], *(f"{number:,}" for number in row))
            for label, row in zip(labels.labels, counts, strict=True)
        ],
        right=range(1, len(labels.labels) + 1),
    )


def _write_entities(evaluation: "LabelEvaluation") -> None:
    assert evaluation.entities is not None
    write("\n")
    write_table(
        ("entity", "count", "precision", "recall", "F1"),
        [
            (
                kind[:NAME],
                f"{found.gold:,}",
                percent(found.precision),
                percent(found.recall),
                percent(found.f1),
            )
            for kind, found in evaluation.entities.kinds.items()
        ],
        right=(1, 2, 3, 4),
    )


def _write_rivals(evaluation: "LabelEvaluation", name: str) -> None:
    main, own = evaluation.main
    labels = evaluation.labels
    rows = [(row.name, row.main, row.accuracy, row.macro_f1, row.nats) for row in evaluation.rivals]
    rows.append((f"this model ({name})", own, labels.accuracy, labels.macro_f1, evaluation.nats))
    rows.sort(key=lambda row: -row[1])
    other = main != "accuracy"
    heading = ("", *([main] if other else []), "accuracy", "macro-F1", "nats per label")
    write("\n")
    write_table(
        heading,
        [
            (
                row[0],
                *([percent(row[1])] if other else []),
                percent(row[2]),
                percent(row[3]),
                _nats(row[4]),
            )
            for row in rows
        ],
        right=range(1, len(heading)),
    )
    write(f"\n{visible_line(evaluation.comparison)}\n")


def _nats(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
