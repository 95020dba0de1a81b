"""The opponents that keep a model of labels honest: what counting reaches on the same texts."""

from charrnn.evaluation.labels.labelling import Labelling
from charrnn.evaluation.labels.majority import majority
from charrnn.evaluation.labels.mixing import fit_mixture, mix
from charrnn.evaluation.labels.naive_bayes import naive_bayes
from charrnn.evaluation.labels.per_label_ngrams import kneser_ney_per_label
from charrnn.evaluation.labels.tagging import (
    backoff_tagger,
    likeliest_form,
    likeliest_tag,
    unchanged,
)

__all__ = [
    "Labelling",
    "backoff_tagger",
    "fit_mixture",
    "kneser_ney_per_label",
    "likeliest_form",
    "likeliest_tag",
    "majority",
    "mix",
    "naive_bayes",
    "unchanged",
]
