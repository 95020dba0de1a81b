"""The opponent that ignores the text and predicts the most frequent label."""

from collections.abc import Sequence

import numpy as np

from charrnn.evaluation.labels.labelling import Labelling, Train, frequencies


def majority(train: Train, texts: Sequence[str]) -> Labelling:
    """Predict the frequencies of labels in training for every text.

    Parameters
    ----------
    train : sequence of (str, str)
        Pairs of label and text.
    texts : sequence of str
        The texts to label.
    """
    labels, log_frequencies = frequencies(train)
    return Labelling(labels, np.tile(log_frequencies, (len(texts), 1)))
