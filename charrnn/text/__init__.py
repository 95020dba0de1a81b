"""Text in, ids out: reading a corpus, and the vocabulary that numbers its characters."""

from charrnn.text.cache import remove_cache
from charrnn.text.corpus import Corpus, fingerprint, read_corpus
from charrnn.text.files import Source, portable_name
from charrnn.text.forms import fitting_corpus, fitting_text
from charrnn.text.likeness import end_is_unlike
from charrnn.text.locating import (
    Located,
    TrainedOn,
    keep_stdin,
    locate,
    read_located,
    trained_on,
)
from charrnn.text.repeats import overlap, overlap_of_items
from charrnn.text.split import HashedSplit, Split
from charrnn.text.vocabulary import StreamDecoder, Vocabulary, show_character

__all__ = [
    "Corpus",
    "HashedSplit",
    "Located",
    "Source",
    "Split",
    "StreamDecoder",
    "TrainedOn",
    "Vocabulary",
    "end_is_unlike",
    "fingerprint",
    "fitting_corpus",
    "fitting_text",
    "keep_stdin",
    "locate",
    "overlap",
    "overlap_of_items",
    "portable_name",
    "read_corpus",
    "read_located",
    "remove_cache",
    "show_character",
    "trained_on",
]
