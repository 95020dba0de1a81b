"""What a report holds: plain numbers and texts, which may be from anyone."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Moment:
    """What is known of one step of a run.

    Attributes
    ----------
    step : int
    seconds : float, optional
        Of training, up to there.
    training, validation : float, optional
        Nats per character or label.
    norm, rate : float, optional
        The norm of the gradient before clipping, and the learning rate.
    accuracy : float, optional
        The share of the held-out labels that are right.
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
    """What a model expected at one place: symbols with their probabilities, likeliest first."""

    guesses: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Letter:
    """One character of a passage.

    Attributes
    ----------
    text : str
        Empty for a line break that is not in the text.
    nats : float or None
        What it cost; None where it was read and not predicted.
    expected : sequence of Expected
        For each of its symbols, of which bytes and parts of letters have several.
    """

    text: str
    nats: float | None
    expected: Sequence[Expected] = ()


@dataclass(frozen=True)
class Passage:
    """A text as a heat map, and what it is."""

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
    """A unit that follows something legible.

    Attributes
    ----------
    follows : str
        What it follows.
    name : str
        Which unit it is.
    chosen, correlation, untrained : float
        Its correlation on the half it was chosen on and on the other one, and that of the best
        unit of an untrained network on the other one.
    passage : sequence of Lit
        A text coloured by its output; empty for a row of the table alone.
    """

    follows: str
    name: str
    chosen: float
    correlation: float
    untrained: float
    passage: Sequence[Lit] = ()


@dataclass(frozen=True)
class Units:
    """Units and where they were looked for, in a sentence."""

    units: Sequence[Unit]
    caption: str


@dataclass(frozen=True)
class Table:
    """A table: all cells are text.

    Attributes
    ----------
    title : str
    headings : sequence of str
    rows : sequence of sequences of str
    right : set of int
        Columns of numbers.
    strong : int, optional
        A row that stands out.
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
    """How often each label was taken for which; the rows are the right ones."""

    labels: Sequence[str]
    counts: Sequence[Sequence[int]]
    caption: str = ""


@dataclass(frozen=True)
class Results:
    """What a run reached: tables, and of labels their confusions."""

    tables: Sequence[Table]
    confusions: Confusions | None = None


@dataclass(frozen=True)
class RunContent:
    """All that a report shows of a run; a sentence stands for what it could not have.

    Attributes
    ----------
    name, shape, title : str
        What the run is called, its network in a few words, and its model in a sentence.
    facts : sequence of (str, str)
        What the model is.
    settings : sequence of (str, str)
    per : str
        What a loss is of: "character", "label" or "tag".
    split : str
        Losses of runs with the same one can be compared.
    split_words : str
        What was held out, in words.
    moments : sequence of Moment
        In the order of their steps.
    line : (str, float), optional
        An opponent and its loss.
    line_missing : str
        Why there is none.
    samples : sequence of (step, text)
    passage, units, results
        Or a sentence.
    best : Moment, optional
        The best validation.
    score : float, optional
        Nats per character or label of the whole held-out part, which validations mostly sample; of
        a model with counts, those of the network alone.
    with_counts : float, optional
        The same of such a model as a whole.
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
