"""What is scored: a text that was named or given, or what a run held out of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from charrnn.config import TextConfig
from charrnn.config.words import count
from charrnn.errors import ConfigError, CorpusError, VocabularyError
from charrnn.evaluation.provenance import listed_names, provenance_of
from charrnn.evaluation.written import written_length
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.own_text import find_own_text
from charrnn.text import Corpus, Vocabulary, fitting_corpus, fitting_text, read_corpus
from charrnn.text.choosing import for_characters
from charrnn.text.codes import LINE_END, Codes
from charrnn.text.columns import is_table
from charrnn.text.vocabulary import Ids

Unknown = Literal["error", "skip", "score"]


@dataclass(frozen=True)
class ScoredText:
    """A text as it is to be scored.

    Attributes
    ----------
    codes : (m,) int array
        All of it, divided as the model's task does.
    known : (k,) int array
        What the model knows of it.
    unknown : dict of int to int
        How often each code occurs that the model does not know.
    charged : int
        How many of these are part of the score; all or none.
    what : str
        What it is, in words.
    predicted : (p,) int array
        The known part without prompts, which are read and not scored.
    before : (b,) int array
        Ids that the model reads before it, which cost nothing; empty where its first character is
        scored as uniform, or it is items.
    begins : str
        What these are, in words.
    tails : tuple of int arrays
        The same text by part, each begun by the character before it, where it is the ends of
        several parts of a corpus.
    own : Corpus, optional
        The corpus of the run, where it is at hand.
    learned : float
        Share of the text that is the training part of the run itself.
    file_bytes : int, optional
        Bytes of the files, where the text is the whole of them.
    notices : tuple of str
        What the user should be told, one line each.
    """

    codes: Codes
    known: Codes
    unknown: dict[int, int]
    charged: int
    what: str
    predicted: Codes
    before: Ids = field(default_factory=lambda: np.empty(0, np.uint8))
    begins: str = ""
    tails: tuple[Codes, ...] = ()
    own: Corpus | None = None
    learned: float = 0.0
    file_bytes: int | None = None
    notices: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, codes: Codes, unknown: Unknown, what: str, **more: Any
    ) -> "ScoredText":
        """Take a divided text.

        Raises
        ------
        CorpusError
            If it has no character.
        VocabularyError
            If ``unknown`` is "error" and the model does not know a character.
        """
        vocabulary = checkpoint.vocabulary
        if not len(codes):
            raise CorpusError("there is nothing to score: the text has no item with a character")
        left_out = vocabulary.unknown(codes)
        task = checkpoint.task
        if left_out and unknown == "error":
            try:
                vocabulary.encode(codes)
            except VocabularyError as error:
                raise VocabularyError(
                    f"{error}; or charge them with --unknown score, or leave them out with "
                    "--unknown skip"
                ) from None
        known = task.known_part(vocabulary.known(codes)) if left_out else codes
        predicted = task.predicted(known)
        if left_out and len(predicted) < len(known):  # what is only read costs nothing
            left_out = vocabulary.unknown(task.predicted(codes))
        charged = sum(left_out.values()) if unknown == "score" else 0
        return cls(codes, known, left_out, charged, what, predicted=predicted, **more)

    @property
    def counted(self) -> Codes:
        """What is part of the score, unknown characters among it where they are charged."""
        return self.codes if self.charged and not self.prompted else self.predicted

    @property
    def prompted(self) -> bool:
        """Whether parts of the text are read and not scored."""
        return len(self.predicted) < len(self.known)

    @property
    def characters(self) -> int:
        """How many characters are part of the score.

        Of an item of unknown symbols alone, which no model reads, the end is not scored either.
        """
        return len(self.predicted) + self.charged

    def num_bytes(self, vocabulary: Vocabulary) -> int:
        """Return how many bytes these take in UTF-8."""
        return written_length(self.counted, vocabulary) - (len(self.counted) - self.characters)


def named_text(
    checkpoint: Checkpoint,
    paths: Sequence[str | Path],
    unknown: Unknown,
    *,
    text: Mapping[str, Any],
    context: str = "",
    stdin: BinaryIO | None = None,
    cache_dir: Path | None = None,
) -> ScoredText:
    """Read the text that the user named, in the form that the model knows.

    Raises
    ------
    CharrnnError
        If that is not possible: see ``evaluate_checkpoint``.
    """

    corpus = read_named(checkpoint, paths, text, stdin=stdin, cache_dir=cache_dir)
    return given_text(
        checkpoint, corpus, unknown, context=context, paths=paths, cache_dir=cache_dir
    )


def read_named(
    checkpoint: Checkpoint,
    paths: Sequence[str | Path],
    text: Mapping[str, Any],
    *,
    stdin: BinaryIO | None = None,
    cache_dir: Path | None = None,
) -> Corpus:
    """Read files in the form that a model knows; see ``read_for``.

    Of files with columns that is the one that the model learned, where nothing else is said.
    """

    def read(reading: TextConfig) -> Corpus:
        nonlocal stdin
        corpus = read_corpus(paths, **reading.to_json(), cache_dir=cache_dir, stdin=stdin)
        stdin = corpus.stdin or stdin
        return corpus

    if checkpoint.text.column and all(is_table(str(path)) for path in paths):
        text = {"column": checkpoint.text.column, **text}
    return read_for(checkpoint, read, text)


def read_for(
    checkpoint: Checkpoint, read: Callable[[TextConfig], Corpus], text: Mapping[str, Any]
) -> Corpus:
    """Read a text in the form that a model knows.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model.
    read : callable
        Returns the corpus that it reads with the settings it is given.
    text : mapping
        Fields of ``TextConfig``: how to read it, where not as the corpus was read.

    Raises
    ------
    ConfigError
        If bytes were to be changed.
    CorpusError
        If it cannot be read.
    """
    vocabulary = checkpoint.vocabulary
    if vocabulary.unit == "byte" and text.get("newlines") == "lf":
        raise ConfigError(
            "--newlines lf would change bytes, which are scored as they are: leave it out"
        )
    try:
        return fitting_corpus(read, read_like(checkpoint.text, text), list(text), vocabulary)[0]
    except CorpusError as error:
        raise for_characters(error) from None


def given_text(
    checkpoint: Checkpoint,
    corpus: Corpus,
    unknown: Unknown,
    *,
    context: str = "",
    paths: Sequence[str | Path] = (),
    cache_dir: Path | None = None,
) -> ScoredText:
    """Return a text that was read, and what the user should know of it.

    It follows on the ``context`` or, without one, on what `sample` begins with.

    Raises
    ------
    CharrnnError
        If it cannot be scored: see ``evaluate_checkpoint``.
    """
    if corpus.unit != checkpoint.vocabulary.unit:
        raise ConfigError(
            f"the text was read by {corpus.unit} and the model was trained by "
            f"{checkpoint.vocabulary.unit}: read it with that unit"
        )
    notices = list(corpus.notices)
    if _has_other_line_ends(corpus.codes, checkpoint.vocabulary):
        notices.append(
            "the model learned CR LF as line ends, and this text has LF alone: its lines cost more "
            "than they would (train again: line ends are LF by default)"
        )
    provenance = provenance_of(checkpoint, corpus, paths, cache_dir)
    before, begins, left_out = _before(checkpoint, context)
    return ScoredText.of(
        checkpoint,
        checkpoint.task.text(corpus)[0],
        unknown,
        "the whole text",
        before=before,
        begins=begins,
        own=provenance.own,
        learned=provenance.learned,
        file_bytes=corpus.file_bytes,
        notices=(*notices, *left_out, *provenance.notices),
    )


def _before(checkpoint: Checkpoint, context: str) -> tuple[Ids, str, list[str]]:
    """Return the ids that a text follows on, what they are in words, and what was left out."""
    vocabulary = checkpoint.vocabulary
    if checkpoint.task.separate:
        if context:
            raise ConfigError(
                "--context is what running text follows on, and this model was trained on items, "
                "each from a fresh state: leave it out, or see charrnn score --context"
            )
        return np.empty(0, vocabulary.dtype), "", []
    form, _ = fitting_text(context, vocabulary, checkpoint.text.newlines)
    ids, unknown = vocabulary.encode_known(vocabulary.text_to_codes(form))
    listed = ", ".join(map(vocabulary.show, unknown))
    notices = [f"left out of the context: {listed}, which the model does not know"] * bool(unknown)
    if len(ids):
        return ids, f"{count(len(ids), vocabulary.noun)} of context", notices
    first = vocabulary.before_all()
    symbol = int(vocabulary.symbols[first[0]])
    name = "a line end" if symbol == LINE_END else vocabulary.show(symbol)
    return first, f"{name}, as sample begins", notices


def own_held_out_text(
    checkpoint: Checkpoint, unknown: Unknown, cache_dir: Path | None = None
) -> ScoredText:
    """Find the corpus of a run and return what was held out of it.

    Raises
    ------
    CorpusError
        If nothing was held out, or the corpus is not found.
    """
    if not checkpoint.held_out:
        raise CorpusError(
            "the run held no text out (its corpus is too small): name a file to score, "
            "as in: charrnn eval FILE"
        )
    own, notices = find_own_text(checkpoint, cache_dir=cache_dir)
    return replace(held_out_text(checkpoint, own, unknown), notices=tuple(notices))


def held_out_text(checkpoint: Checkpoint, own: Corpus, unknown: Unknown) -> ScoredText:
    """Return what was held out of a run's own corpus.

    Characters that the model does not know are no mistake there, and no error.
    """
    sides, settings = checkpoint.sides(own), checkpoint.settings
    characters = count(len(sides.held), checkpoint.vocabulary.noun)
    if settings.split_mode == "files":
        names = listed_names(own.sources[-settings.val_files :])
        what = f"the {characters} of {names}, held out of training"
    elif settings.split_mode == "hashed":
        what = f"the {characters} of the items held out of training"
    elif settings.split_parts == 1:
        what = f"the last {characters} of its corpus, held out of training"
    else:
        each = len(sides.held) // settings.split_parts
        what = (
            f"{characters} held out of training, the last {each:,} of each of "
            f"{settings.split_parts} parts of its corpus"
        )
    unknown = "score" if unknown == "error" else unknown
    return ScoredText.of(checkpoint, sides.held, unknown, what, tails=sides.tails, own=own)


def read_like(own: TextConfig, given: Mapping[str, Any]) -> TextConfig:
    """Return how to read a text to score: as the corpus of the model, where nothing else is said.

    But a file that is not UTF-8 is read as what it fits, even if those of the corpus all were; and
    a column is read only where that is asked for, as most texts have none.
    """
    plain = own.encoding == "utf-8" and own.errors == "strict"
    encoding = "auto" if plain else own.encoding
    return replace(own, **{"encoding": encoding, "column": None, **given})


def _has_other_line_ends(codes: Codes, vocabulary: Vocabulary) -> bool:
    """Whether a text has no CR, but a model that learned line ends with it."""
    if vocabulary.unit == "byte" or ord("\r") not in vocabulary.symbols:
        return False
    counts = vocabulary.count(codes)  # piece by piece: the text may be a memory map of many GB
    LF, CR = (counts[vocabulary.symbols == ord(end)].sum() for end in "\n\r")
    return bool(LF) and not CR
