"""The content of a report: plain numbers and texts, which may be untrusted."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Moment:
    """What is known about one step of a run.

    Attributes
    ----------
    step : int
        The step, from 1.
    seconds : float, optional
        Training time up to the step.
    training, validation : float, optional
        Nats per character or label.
    norm, rate : float, optional
        The norm of the gradient before clipping, and the learning rate.
    accuracy : float, optional
        The share of the held-out labels that are predicted correctly.
    """

    step: int
    seconds: float | None = None
    training: float | None = None
    validation: float | None = None
    norm: float | None = None
    rate: float | None = None
    accuracy: float | None = None


@dataclass(frozen=True)
class Expected:
    """What a model expected at one position: symbols with probabilities, most likely first."""

    guesses: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Letter:
    """One character of a passage.

    Attributes
    ----------
    text : str
        Empty for a line break that is not in the text.
    nats : float or None
        Negative log-probability; None if it was read and not predicted.
    expected : sequence of Expected
        One for each of its symbols; a character may have several bytes or parts.
    """

    text: str
    nats: float | None
    expected: Sequence[Expected] = ()


@dataclass(frozen=True)
class Passage:
    """A text to show as a heat map, with a caption."""

    letters: Sequence[Letter]
    caption: str


@dataclass(frozen=True)
class Lit:
    """A character with the output of a unit, from -1 to 1, and whether it has the property.

    An empty one is a line break that is not in the text.
    """

    text: str
    output: float
    marked: bool = False


@dataclass(frozen=True)
class Unit:
    """A unit whose output correlates with a property of the text.

    Attributes
    ----------
    follows : str
        The property.
    name : str
        The layer and the number of the unit.
    chosen, correlation, untrained : float
        Its correlation on the half it was selected on and on the other half, and the correlation of
        the best unit of an untrained network on the other half.
    passage : sequence of Lit
        A text coloured by its output; empty if only the table shows it.
    """

    follows: str
    name: str
    chosen: float
    correlation: float
    untrained: float
    passage: Sequence[Lit] = ()


@dataclass(frozen=True)
class Units:
    """Interpretable units, and how they were selected."""

    units: Sequence[Unit]
    caption: str


@dataclass(frozen=True)
class Table:
    """A table of text cells.

    Attributes
    ----------
    title : str
    headings : sequence of str
    rows : sequence of sequences of str
    right : set of int
        Columns of numbers.
    strong : int, optional
        A row to highlight.
    caption : str
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: frozenset[int] = frozenset()
    strong: int | None = None
    caption: str = ""


@dataclass(frozen=True)
class Confusions:
    """A confusion matrix; rows are true labels, columns are predictions."""

    labels: Sequence[str]
    counts: Sequence[Sequence[int]]
    caption: str = ""


@dataclass(frozen=True)
class Results:
    """The results of a run: tables, and for labels a confusion matrix."""

    tables: Sequence[Table]
    confusions: Confusions | None = None


@dataclass(frozen=True)
class RunContent:
    """Everything that a report shows of a run; a sentence replaces what is missing.

    Attributes
    ----------
    name, shape, title : str
        The name of the run, its network in a few words, and its model in a sentence.
    facts : sequence of (str, str)
        Named facts about the model.
    settings : sequence of (str, str)
    per : str
        The unit of a loss: "character", "label" or "tag".
    split : str
        A key; losses of runs with the same key can be compared.
    split_words : str
        A description of the held-out part.
    moments : sequence of Moment
        Ordered by step.
    line : (str, float), optional
        A baseline and its loss.
    line_missing : str
        Why there is no baseline.
    samples : sequence of (step, text)
    passage, units, results
        The content, or a sentence that says why it is missing.
    best : Moment, optional
        The best validation.
    score : float, optional
        Nats per character or label on the whole held-out part, of which validations usually score a
        sample; for a model with counts, of the network alone.
    with_counts : float, optional
        The same for the network mixed with its counts.
    """

    name: str
    shape: str
    title: str
    facts: Sequence[tuple[str, str]]
    settings: Sequence[tuple[str, str]]
    per: str
    split: str
    split_words: str
    moments: Sequence[Moment] = ()
    line: tuple[str, float] | None = None
    line_missing: str = ""
    samples: Sequence[tuple[int, str]] = ()
    passage: Passage | str = ""
    units: Units | str = ""
    results: Results | str = ""
    best: Moment | None = None
    score: float | None = None
    with_counts: float | None = None
    notices: Sequence[str] = field(default=())
