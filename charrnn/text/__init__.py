"""Text in, ids out: reading a corpus, and the vocabulary that maps its characters to ids.

Four terms:

character
    The unit of a text: one Unicode code point, or, for the unit "byte", one byte.
code
    A character as a number: its code point, or the byte. ``Codes`` is a text as an array of them.
symbol
    A code that is in a vocabulary. A model has V symbols, in ascending order.
id
    The index of a symbol in its vocabulary, from 0 to V-1: what a model reads and predicts.
    ``Ids`` is a text as an array of them.
"""

from charrnn.text.cache import cache_size, remove_cache
from charrnn.text.codes import show_character
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.forms import fitting_corpus, fitting_text
from charrnn.text.locating import Located, locate
from charrnn.text.recognizing import TrainedOn, trained_on
from charrnn.text.rereading import keep_stdin, read_located
from charrnn.text.sources import Source, fingerprint, portable_name
from charrnn.text.stream import StreamDecoder
from charrnn.text.vocabulary import Vocabulary

__all__ = [
    "Corpus",
    "Located",
    "Source",
    "StreamDecoder",
    "TrainedOn",
    "Vocabulary",
    "cache_size",
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
