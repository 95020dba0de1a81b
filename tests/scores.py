"""Scores of texts that are cut in one of the ways that there are."""

from charrnn.evaluation.pieces import STREAMS, Pieces
from charrnn.evaluation.scorers import TextScorer, score


def score_ids(model, ids, *, exact=False, cold_windows=None, line_end=None, threads=1):
    """Return the nats of a text (m,); an empty one costs nothing."""
    if not len(ids):
        return 0.0
    if line_end is not None:
        pieces = Pieces.items(ids, line_end)
    elif cold_windows:
        pieces = Pieces.windows(ids, cold_windows)
    else:
        pieces = Pieces.streams(ids, 1 if exact else STREAMS)
    return score(model, TextScorer(pieces), threads=threads).nats
