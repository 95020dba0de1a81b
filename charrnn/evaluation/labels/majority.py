"""The opponent that does not read: the most frequent label, whatever the text."""

from collections.abc import Sequence

import numpy as np

from charrnn.evaluation.labels.labelling import Labelling, Train, frequencies


def majority(train: Train, texts: Sequence[str]) -> Labelling:
    """Give every text the same probabilities: how frequent each label is in training.

    Parameters
    ----------
    train : sequence of (str, str)
        Labels with their texts.
    texts : sequence of str
        What is to be labelled.
    """
    labels, log_frequencies = frequencies(train)
    return Labelling(labels, np.tile(log_frequencies, (len(texts), 1)))
