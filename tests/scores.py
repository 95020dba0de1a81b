"""Scores of texts that are cut in one of the ways that there are."""

from charrnn.evaluation.scorers import STREAMS, ColdScorer, Scorer, score


def score_ids(model, ids, *, exact=False, cold_windows=None, line_end=None, threads=1):
    """Return the nats of a text (m,); an empty one costs nothing."""
    if not len(ids):
        return 0.0
    if line_end is not None:
        scorer = ColdScorer.of_lines(ids, line_end)
    elif cold_windows:
        scorer = ColdScorer.of_windows(ids, cold_windows)
    else:
        scorer = Scorer(ids, streams=1 if exact else STREAMS)
    return score(model, scorer, threads=threads).nats
