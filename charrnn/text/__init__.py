"""Text in, ids out: reading a corpus, and the vocabulary that numbers its characters."""

from charrnn.text.cache import remove_cache
from charrnn.text.corpus import Corpus, check_sources, fingerprint, read_corpus
from charrnn.text.files import Source
from charrnn.text.split import Split
from charrnn.text.vocabulary import StreamDecoder, Vocabulary, show_character

__all__ = [
    "Corpus",
    "Source",
    "Split",
    "StreamDecoder",
    "Vocabulary",
    "check_sources",
    "fingerprint",
    "read_corpus",
    "remove_cache",
    "show_character",
]
