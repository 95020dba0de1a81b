"""Mixing a labelling network with n-gram models.

A network and n-grams make different errors, so their log-linear mixture is better than either. The
weights are fitted on texts that neither was trained on. For a network alone the weight is an
inverse temperature (Guo et al. 2017), which calibrates probabilities and changes no label.

Dimensions
    k texts, C labels, P parts.
"""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.data.labels.task import LabelledTask, Parsed
from charrnn.data.labels.tasks import TagTask
from charrnn.evaluation.labels.chained import Chain, forbidden_transitions, rows_with_labels
from charrnn.evaluation.labels.comparing import Predicted, figures
from charrnn.evaluation.labels.labelling import (
    Floats,
    Labelling,
    log_normalized,
    portions,
    spread,
)
from charrnn.evaluation.labels.mixing import IMPOSSIBLE, fit_mixture, mix
from charrnn.evaluation.labels.naive_bayes import naive_bayes
from charrnn.evaluation.labels.per_label_ngrams import kneser_ney_per_label
from charrnn.linear.learning import learn
from charrnn.linear.model import NgramModel, cut
from charrnn.linear.ngrams import Places, are_letters, bags, longest_of, windows
from charrnn.text.codes import Codes

LEARNED, WORK = 1_000_000, 10_000_000
"""Limits of training a linear model: characters (see ``memory.NGRAM_BYTES``), and characters times
labels, about 20 seconds. At the end of a run it is trained twice."""
FEWER_LETTERS = 2
"""Of letters so many times fewer are read: each takes three times the memory."""
LOOKED_UP, LOOKED_UP_AROUND = 16, 64
"""Elements per character while the n-grams of whole texts, or those around it, are looked up."""
LABELS_OF_NGRAMS = 256
"""Most labels for a linear model: the cost of a chain is quadratic in them."""

NGRAMS_ALONE = (0.0, 1.0, 1.0)
"""Weights of a chain that ignores the network."""


class Judged(NamedTuple):
    """How well a mixture, or a part of it alone, labels the held-out texts.

    Attributes
    ----------
    value : float
        The metric by which it is judged, between 0 and 1.
    nats : float
        The mean negative log-probability of the correct labels.
    """

    value: float
    nats: float

    @classmethod
    def of(cls, log_probabilities: Array, gold: NDArray[np.int64]) -> "Judged":
        """Judge log-probabilities (k, C) by their accuracy, given the correct labels (k,)."""
        rows = np.arange(len(gold))
        right = log_probabilities.argmax(axis=1) == gold
        count = max(1, len(gold))
        return cls(right.sum() / count, -log_probabilities[rows, gold].sum() / count)

    def is_better(self, mixed: "Judged", texts: int) -> bool:
        """Return whether a part alone is to be preferred to a fitted mixture.

        That is if it is better by more than a standard error, for a few labels more or less decide
        nothing; or if it is no worse, and costs fewer nats. Errors in a text depend on each other,
        so a text counts as one.
        """
        if self.value >= mixed.value and self.nats < mixed.nats:
            return True
        return self.value - mixed.value > sqrt(mixed.value * (1 - mixed.value) / max(1, texts))


class Fitted(NamedTuple):
    """A fitted mixture.

    Attributes
    ----------
    weights : tuple of float
        The weights of the parts; empty if there is nothing to mix.
    figure : str
        The name of the metric by which it is judged.
    value, alone : float
        That metric on the held-out part, for the mixture and for the network alone.
    accuracy : float
        The share of the held-out labels that the mixture predicts correctly.
    ngrams : NgramModel, optional
        The linear model, if it helps.
    """

    weights: tuple[float, ...]
    figure: str
    value: float
    alone: float
    accuracy: float
    ngrams: NgramModel | None = None


def places_around(task: LabelledTask, parsed: Parsed, *, letters: bool = True) -> Places:
    """Return the n-grams around each labelled token; ``letters`` as in ``windows``."""
    if not (isinstance(task, TagTask) and task.spaced):
        return windows(parsed.texts, letters=letters)
    labels = cast(list[list[str | None]], parsed.labels)
    tokens = [task.tokens_of(*pair) for pair in zip(parsed.texts, labels, strict=True)]
    return windows(tokens, words=True)


def learned_ngrams(
    task: LabelledTask, learned: Parsed, random_seed: int, *, more: Parsed | None = None
) -> NgramModel | None:
    """Train a linear model on the n-grams of texts; return None if there are too many labels.

    ``more`` are further texts to train on, which do not decide how long the n-grams are.
    """
    if len(task.labels) > LABELS_OF_NGRAMS:
        return None
    letters, forbidden = _has_letters(task, learned), None
    longest = longest_of(learned.texts)
    if more is not None:
        learned = Parsed(learned.texts + more.texts, learned.labels + more.labels)  # type: ignore[operator]
    some = _spread(learned, _most_read(task, letters=letters))
    if task.head == "item":
        places = bags(some.texts, longest)
    else:
        places = places_around(task, some, letters=letters)
        forbidden = forbidden_transitions(task.labels)
    return learn(
        places,
        gold_of(task, some),
        len(task.labels),
        forbidden=forbidden,
        random_seed=random_seed,
    )


def reads_all(task: LabelledTask, learned: Parsed) -> bool:
    """Return whether a linear model reads all of these texts, which are not too many for it."""
    most = _most_read(task, letters=_has_letters(task, learned))
    return sum(map(len, learned.texts)) <= most


def _has_letters(task: LabelledTask, parsed: Parsed) -> bool:
    """Return whether characters are read as letters, judged by as many as are read at most."""
    if task.head == "item":
        return False
    return are_letters(_spread(parsed, _most_read(task, letters=False)).texts)


def _most_read(task: LabelledTask, *, letters: bool) -> int:
    """Return the approximate number of characters that a linear model reads at most."""
    most = min(LEARNED, WORK // len(task.labels))
    return -(-most // FEWER_LETTERS) if letters else most


def _spread(parsed: Parsed, most: int) -> Parsed:
    """Return evenly spread texts of at most about so many characters."""
    texts, labels = parsed
    kept = spread([len(text) for text in texts], most)
    if len(kept) == len(texts):
        return parsed
    return Parsed([texts[n] for n in kept], [labels[n] for n in kept])  # type: ignore[arg-type]


def gold_of(task: LabelledTask, parsed: Parsed) -> NDArray[np.int64]:
    """Return the indices of the correct labels, all of which must be known."""
    numbers = {label: number for number, label in enumerate(task.labels)}
    each = ([some] if isinstance(some, str) else some for some in parsed.labels)
    return np.array([numbers[x] for some in each for x in some if x is not None], np.int64)


def fitted(
    task: LabelledTask,
    found: Array,
    held: Parsed,
    *,
    kept: Codes | None = None,
    ngrams: NgramModel | None = None,
) -> Fitted:
    """Fit the mixture of n-grams with a network that labels whole texts.

    Parameters
    ----------
    task : LabelledTask
        The labelling task.
    found : (k, C) array
        The network's log-probabilities for held-out texts.
    held : Parsed
        These texts with their labels, all of which must be known.
    kept : (m,) int array, optional
        The training texts, if n-grams are counted on them.
    ngrams : NgramModel, optional
        A linear model.
    """
    gold = gold_of(task, held)
    parts = _parts(task, found, held.texts, kept, ngrams)
    fair = np.ones(len(gold), np.bool_)
    if kept is not None:  # counts give labels that never occur a probability of 0
        counted = set(cast(list[str], task.parse(kept).labels))
        fair = np.array([label in counted for label in held.labels], np.bool_)
    weights = fit_mixture([part[fair] for part in parts], gold[fair])
    mixed, alone = (
        float((each.argmax(axis=1) == gold).mean()) for each in (mix(parts, weights), parts[0])
    )
    return Fitted(tuple(weights.tolist()), "accuracy", mixed, alone, mixed, ngrams)


def fitted_chain(
    task: LabelledTask, found: Array, alone: Predicted, held: Parsed, ngrams: NgramModel
) -> Fitted:
    """Fit the mixture of a linear chain of n-grams with a network that labels each symbol.

    Parameters
    ----------
    task, held, ngrams
        As for ``fitted``.
    found : (n, C) array
        The network's log-probabilities for the symbols of held-out texts.
    alone : sequence of sequences of str
        The labels that the network alone predicts, for the symbols that have one.
    """
    chain = chain_of(task, found, held, ngrams)
    ends = np.cumsum([len(labels) for labels in alone]).tolist()
    of_network = figures(task, held, alone)
    name, by_network = of_network.main
    gold = gold_of(task, held)
    judged = Judged(by_network, Judged.of(chain.network, gold).nats)
    tried = [(judged, Fitted((), name, by_network, by_network, of_network.labels.accuracy))]
    for weights in (NGRAMS_ALONE, chain.fitted(gold)):
        marginals, chosen = chain.predicted(weights)
        numbers = chosen.tolist()
        labels = [
            [task.labels[number] for number in numbers[end - len(some) : end]]
            for end, some in zip(ends, alone, strict=True)
        ]
        of_chain = figures(task, held, labels)
        _, value = of_chain.main
        fit = Fitted(weights, name, value, by_network, of_chain.labels.accuracy, ngrams)
        tried.append((Judged(value, Judged.of(marginals, gold).nats), fit))
    best = tried.pop()
    for part in tried:
        if part[0].is_better(best[0], len(held.texts)):
            best = part
    return best[1]


def chain_of(task: LabelledTask, found: Array, parsed: Parsed, ngrams: NgramModel) -> Chain:
    """Return the chains of texts, given the network's log-probabilities (n, C)."""
    rows, lengths = rows_with_labels(cast(list[list[str | None]], parsed.labels))
    assert ngrams.transitions is not None
    scores = [
        ngrams.scores(places_around(task, Parsed(parsed.texts[some], parsed.labels[some])))
        for some in portions(parsed.texts, LOOKED_UP_AROUND)
    ]
    return Chain(found[rows], np.concatenate(scores), ngrams.transitions, cut(lengths))


def mixed(
    weights: Sequence[float],
    task: LabelledTask,
    found: Array,
    texts: Sequence[str],
    kept: Codes | None,
    ngrams: NgramModel | None,
) -> Floats:
    """Return the log-probabilities (k, C) of a mixture; for the parameters see ``fitted``."""
    return mix(_parts(task, found, texts, kept, ngrams), weights)


def _parts(
    task: LabelledTask,
    found: Array,
    texts: Sequence[str],
    kept: Codes | None,
    ngrams: NgramModel | None,
) -> list[Floats]:
    parts = [found.astype(np.float64)]
    if ngrams is not None:
        scores = [
            ngrams.scores(bags(texts[portion]))
            for portion in portions(texts, LOOKED_UP + len(task.labels))
        ]
        parts.append(log_normalized(np.concatenate(scores).astype(np.float64)))
    if kept is not None:
        learned = task.parse(kept)
        pairs = list(zip(cast(list[str], learned.labels), learned.texts, strict=True))
        for counted in (kneser_ney_per_label, naive_bayes):
            parts.append(_aligned(counted(pairs, texts), task.labels))
    return parts


def _aligned(labelling: Labelling, labels: Sequence[str]) -> Floats:
    """Return log-probabilities of the given labels, in their order."""
    places = {label: place for place, label in enumerate(labels)}
    aligned = np.full((len(labelling.log_probabilities), len(labels)), IMPOSSIBLE)
    columns = [places[label] for label in labelling.labels if label in places]
    known = [place for place, label in enumerate(labelling.labels) if label in places]
    aligned[:, columns] = labelling.log_probabilities[:, known]
    return aligned
