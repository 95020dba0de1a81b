"""The opponents that keep a character language model honest, on the text that it is judged by.

A recurrent network is worth its training only if it beats what a few seconds of counting, or a
file compressor, reach on the same split. All of them learn from the training part of the model's
corpus, have its vocabulary, and predict each symbol of the same text exactly once.

None of the counting ones sees the end of the training text as context: the first symbols have
only the few symbols before them to go by, like a model with a fresh state. They stay as they were
trained while they score; the compressors go on learning as they read, and so do counts that adapt.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Ids
from charrnn.evaluation.adapting.model import adapting_nats
from charrnn.evaluation.compressors import compressed_nats_given
from charrnn.evaluation.cost import Opponent, OpponentKind
from charrnn.evaluation.ngrams import best_ngram, uniform, unigram
from charrnn.evaluation.written import text_bytes
from charrnn.parallel.team import at_once
from charrnn.text import Vocabulary
from charrnn.text.codes import Codes

TRAINED_ON = 2**26
"""Characters that the opponents learn from, the last ones: all that a compressor can look back
to, and what fits in memory."""


def opponents(
    train: Codes,
    scored: Codes,
    vocabulary: Vocabulary,
    *,
    unknown_nats: float = 0.0,
    whole: Codes | None = None,
    size: tuple[int, int] | None = None,
    only_read: NDArray[np.bool_] | None = None,
    before: Codes | None = None,
    adapting: bool = False,
) -> tuple[Opponent, ...]:
    """Score a text with every opponent, the best first.

    Parameters
    ----------
    train : (n,) int array
        What they learn from: the training part of the model's corpus.
    scored : (m,) int array
        The text to score, without characters that the model does not know.
    vocabulary : Vocabulary
        Of the model: its symbols share the probability, seen in training or not.
    unknown_nats : float
        What unknown characters cost the model: the counting opponents are charged the same.
    whole : (k,) int array, optional
        The text with such characters, which compressors read, where they count.
    size : (int, int), optional
        Characters and bytes that the totals are divided by; those of ``whole`` if left out.
    only_read : (m,) bool array, optional
        Which symbols are context alone: the counting opponents read and do not score them, which
        compressors cannot do.
    before : (b,) int array, optional
        What precedes the text and costs nothing; not where ``only_read`` is given.
    adapting : bool
        Whether counts that grow with the text are among them: they take about a second for every
        10,000 characters and for every 300,000 of the training part.

    Returns
    -------
    tuple of Opponent
        The context of the n-gram is chosen without the text. A compressor that packs the text
        and the training text into no more bytes than the training text alone is left out.
    """
    train, whole = train[-TRAINED_ON:], scored if whole is None else whole
    train_ids, ids, V = vocabulary.encode(train), vocabulary.encode(scored), len(vocabulary)
    scored_bytes = text_bytes(whole, vocabulary)
    characters, num_bytes = size or (len(whole), len(scored_bytes))
    predicted = ids if only_read is None else ids[~only_read]
    context = b""
    if before is not None and len(before):
        ids = np.concatenate([vocabulary.encode(before), ids])
        only_read = np.arange(len(ids)) < len(before)
        context = text_bytes(before, vocabulary)
    first = len(ids) - len(scored)
    tasks: list[Callable[[], Any]] = [
        partial(best_ngram, train_ids, ids, V, only_read=only_read),
        partial(_adapting, train, ids, vocabulary, first) if adapting else float,
    ]
    if len(predicted) == len(scored):
        learned = text_bytes(train, vocabulary) + context
        tasks.append(partial(compressed_nats_given, learned, scored_bytes))
    (ngram, ngram_nats), adapting_cost, *compressed = at_once(tasks)
    counting: list[tuple[OpponentKind, str, float]] = [
        ("uniform", "uniform", uniform(V, len(predicted))),
        ("unigram", "unigram", unigram(train_ids, predicted, V)),
        ("ngram", ngram, ngram_nats),
    ]
    if adapting:
        counting.append(("adapting", "counts that adapt", adapting_cost))
    found = [
        *(
            Opponent(nats + unknown_nats, characters, num_bytes, name, kind)
            for kind, name, nats in counting
        ),
        *(
            Opponent(nats, characters, num_bytes, name, "compressor")
            for packed in compressed
            for name, nats in packed.items()
        ),
    ]
    return tuple(sorted(found, key=lambda opponent: opponent.total_nats))


def _adapting(train: Codes, ids: Ids, vocabulary: Vocabulary, first: int) -> float:
    """Return what a text costs from a place on, where counts grow with all of it."""
    return float(adapting_nats(train, ids, vocabulary)[first:].sum())
