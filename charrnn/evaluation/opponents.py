"""The opponents of a character language model on the same text.

A recurrent network is worth training only if it beats what a few seconds of counting, or a file
compressor, reach on the same split. All opponents are trained on the training part of the model's
corpus, use its vocabulary, and predict each symbol of the same text exactly once.

The counting opponents do not use the end of the training text as context: the first symbols have
only the symbols before them, as for a model with a zero state. They do not change while they
score, but the compressors and the adapting counts do.
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
"""Most characters that the opponents are trained on, the last ones: this is as far as a compressor
can look back, and fits in memory."""


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
        The training part of the model's corpus.
    scored : (m,) int array
        The text to score, without unknown characters.
    vocabulary : Vocabulary
        The model's: all of its symbols share the probability, seen in training or not.
    unknown_nats : float
        The model's loss on unknown characters, which is also charged to the counting opponents.
    whole : (k,) int array, optional
        The text with unknown characters, which compressors read if these are charged.
    size : (int, int), optional
        Characters and bytes to divide the totals by; those of ``whole`` by default.
    only_read : (m,) bool array, optional
        Which symbols are only context: the counting opponents read them unscored, which compressors
        cannot do.
    before : (b,) int array, optional
        Symbols before the text that are not scored; not together with ``only_read``.
    adapting : bool
        Whether adapting counts are among them: they take about a second per 10,000 characters, and
        per 300,000 of the training part.

    Returns
    -------
    tuple of Opponent
        The context length of the n-gram is chosen without the text. A compressor that needs no
        extra bytes for the text is left out.
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
    """Return the loss of adapting counts on a text from a position on."""
    return float(adapting_nats(train, ids, vocabulary)[first:].sum())
