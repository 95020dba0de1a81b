"""The loss of the model itself on a text, by the requested protocol."""

from math import isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Ids
from charrnn.config import EvalConfig
from charrnn.config.words import count, plural
from charrnn.errors import CheckpointError, ConfigError, CorpusError
from charrnn.evaluation.adapting.model import adapting_nats
from charrnn.evaluation.adapting.networks import learning_windows, lost, static_windows
from charrnn.evaluation.dynamic import RATE, WINDOW, dynamic_nats, usual_gradient
from charrnn.evaluation.pieces import STREAMS, Pieces
from charrnn.evaluation.scored_text import ScoredText
from charrnn.evaluation.scorers import TextScorer, score
from charrnn.evaluation.usual import EncodedText, usual_scorer
from charrnn.nn.predictor import Predictor
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text.codes import Codes

NAMED = 5
"""Most unknown characters that an error names."""
MAX_SCORED = 3_000_000
"""Longest text for adapting counts, in characters: as long as the training part that they read."""


class ModelCost(NamedTuple):
    """The loss in nats on the characters that a model knows.

    Attributes
    ----------
    total : float
    unseen : float
        The part of it that is due to symbols that do not occur in the training part.
    static : float, optional
        The loss of the unadapted model, if the evaluation adapts it.
    """

    total: float
    unseen: float
    static: float | None = None


def scorer_of(
    checkpoint: Checkpoint,
    text: ScoredText,
    config: EvalConfig,
    marked: NDArray[np.bool_] | None = None,
) -> TextScorer:
    """Return a scorer of a text.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model.
    text : ScoredText
        The text.
    config : EvalConfig
        How to score it. With adaptation several parts are read as one text, also by the unadapted
        model.
    marked : (V,) bool array, optional
        See ``TextScorer``.

    Raises
    ------
    CorpusError
        If the model knows none of its characters.
    """
    vocabulary = checkpoint.vocabulary
    scorer: TextScorer | None = None
    b = len(text.before)
    if len(text.known) and (config.cold_windows or config.exact or b):
        ids = EncodedText(text.known, vocabulary, text.before)
        if config.cold_windows:
            pieces = Pieces.windows(ids, config.cold_windows, b)
        else:
            pieces = Pieces.streams(ids, 1 if config.exact else STREAMS, b)
        scorer = TextScorer(pieces, marked=marked)
    elif len(text.known):
        tails = () if config.adapts else text.tails
        scorer = usual_scorer(
            text.known, vocabulary, task=checkpoint.task, tails=tails, marked=marked
        )
    if scorer is None:
        unknown = sorted(text.unknown, key=lambda code: -text.unknown[code])
        named = ", ".join(map(vocabulary.show, unknown[:NAMED]))
        named += f" and {len(unknown) - NAMED:,} more" if len(unknown) > NAMED else ""
        raise CorpusError(
            "there is nothing to score: the model knows none of the "
            f"{plural(vocabulary.noun)}: {named}; name another text, or use --model to name a "
            "model that was trained on such text"
        )
    return scorer


def model_cost(
    checkpoint: Checkpoint,
    model: Predictor,
    text: ScoredText,
    scorer: TextScorer,
    config: EvalConfig,
    *,
    train: Codes | None = None,
    threads: int = 1,
) -> ModelCost:
    """Score a text.

    Parameters
    ----------
    checkpoint : Checkpoint
        The checkpoint of the model.
    model : Predictor
        Its network, which may be on a GPU or mixed with counts. If the model adapts, this gives the
        loss without learning only.
    text : ScoredText
        The text.
    scorer : TextScorer
        From ``scorer_of``; unseen symbols are marked.
    config : EvalConfig
        How to score it.
    train : (n,) int array, optional
        The training part, required for adaptation.
    threads : int
        Number of workers; no effect on the result.

    Raises
    ------
    CheckpointError
        If the model's predictions are not finite.
    ConfigError
        If the rate of dynamic evaluation is too high, or the text too long for adapting counts.
    """
    if config.adapts_counts and len(text.known) > MAX_SCORED:
        raise ConfigError(
            f"the text has {count(len(text.known), checkpoint.vocabulary.noun)}, and --adapt "
            f"{config.adapt} handles at most {MAX_SCORED:,}: score a part of it"
        )
    static = score(model, scorer, threads=threads)
    if not isfinite(static.nats):
        raise CheckpointError(
            "the model's predictions are not finite because it diverged in training: "
            "train again with a lower --learning-rate"
        )
    if not config.adapts:
        return ModelCost(static.nats, static.marked_nats)
    assert train is not None
    ids, b = checkpoint.vocabulary.encode(text.known), len(text.before)
    each = _adapted(checkpoint, np.concatenate([text.before, ids]), config, train)[b:]
    unseen = 0.0 if scorer.marked is None else float(each[scorer.marked[ids]].sum())
    return ModelCost(float(each.sum()), unseen, static.nats)


def _adapted(
    checkpoint: Checkpoint, ids: Ids, config: EvalConfig, train: Codes
) -> NDArray[np.float64]:
    """Return the nats (m,) of each character of a text that the model adapts to."""
    vocabulary, networks = checkpoint.vocabulary, []
    if config.adapts_network:
        window, rate = config.dynamic_window or WINDOW, config.dynamic_rate or RATE
        learning = checkpoint.model()
        usual = usual_gradient(learning, vocabulary, train, window=window)
        if not config.adapts_counts:
            each = dynamic_nats(learning, ids, usual, window=window, rate=rate)
            if not np.isfinite(each).all():
                raise lost(rate)
            return each
        networks.append(learning_windows(learning, ids, usual, window=window, rate=rate))
    networks.append(static_windows(checkpoint.model(), ids))
    return adapting_nats(train, ids, vocabulary, networks)
