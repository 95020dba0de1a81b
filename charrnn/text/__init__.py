"""Text in, ids out: reading a corpus, and the vocabulary that numbers its characters."""

from charrnn.text.cache import remove_cache
from charrnn.text.corpus import Corpus, fingerprint, read_corpus
from charrnn.text.files import Source, portable_name
from charrnn.text.forms import fitting_corpus, fitting_text
from charrnn.text.locating import (
    Located,
    TrainedOn,
    keep_stdin,
    locate,
    read_located,
    trained_on,
)
from charrnn.text.vocabulary import StreamDecoder, Vocabulary, show_character

__all__ = [
    "Corpus",
    "Located",
    "Source",
    "StreamDecoder",
    "TrainedOn",
    "Vocabulary",
    "fingerprint",
    "fitting_corpus",
    "fitting_text",
    "keep_stdin",
    "locate",
    "portable_name",
    "read_corpus",
    "read_located",
    "remove_cache",
    "show_character",
    "trained_on",
]
