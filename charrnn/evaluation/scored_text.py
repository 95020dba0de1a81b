"""The text to score: a named or given text, or the held-out part of a run."""

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
    """A text prepared for scoring.

    Attributes
    ----------
    codes : (m,) int array
        The whole text, divided as the model's task requires.
    known : (k,) int array
        The codes that the model knows.
    unknown : dict of int to int
        Occurrences of each unknown code.
    charged : int
        How many of these are charged: all or none.
    what : str
        A description of the text.
    predicted : (p,) int array
        The known part without prompts, which are read but not scored.
    before : (b,) int array
        Ids that the model reads before the text, unscored; empty if the first character is scored
        as uniform, or for items.
    begins : str
        A description of ``before``.
    tails : tuple of int arrays
        If the text is the ends of several parts of a corpus: the same text by part, each preceded
        by one more character.
    own : Corpus, optional
        The corpus of the run, if available.
    learned : float
        Share of the text that is the training part of the run itself.
    file_bytes : int, optional
        Bytes of the files, if the text is all of them.
    notices : tuple of str
        Messages for the user, one line each.
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
        """Prepare a divided text.

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
        if left_out and len(predicted) < len(known):  # unknown symbols in prompts are not charged
            left_out = vocabulary.unknown(task.predicted(codes))
        charged = sum(left_out.values()) if unknown == "score" else 0
        return cls(codes, known, left_out, charged, what, predicted=predicted, **more)

    @property
    def counted(self) -> Codes:
        """The scored codes, including unknown ones if they are charged."""
        return self.codes if self.charged and not self.prompted else self.predicted

    @property
    def prompted(self) -> bool:
        """Whether prompts in the text are read but not scored."""
        return len(self.predicted) < len(self.known)

    @property
    def characters(self) -> int:
        """The number of scored characters.

        The end of an item of only unknown symbols, which the model does not read, is not scored.
        """
        return len(self.predicted) + self.charged

    def num_bytes(self, vocabulary: Vocabulary) -> int:
        """Return the number of UTF-8 bytes of the scored characters."""
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
    """Read the text that the user named, in the model's form.

    Raises
    ------
    CharrnnError
        If it cannot be read or scored: see ``evaluate_checkpoint``.
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
    """Read files in a model's form; see ``read_for``.

    In files with columns, the default column is the one that the model was trained on.
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
    """Read a text in a model's form.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model.
    read : callable
        ``read(settings)`` returns the corpus.
    text : mapping
        Fields of ``TextConfig`` where they differ from those of the model's corpus.

    Raises
    ------
    ConfigError
        If an option would change bytes.
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
    """Return a text that was read, prepared for scoring.

    It follows the ``context`` or, without one, what `sample` begins with.

    Raises
    ------
    CharrnnError
        If it cannot be scored: see ``evaluate_checkpoint``.
    """
    if corpus.unit != checkpoint.vocabulary.unit:
        raise ConfigError(
            f"the text was read with unit {corpus.unit}, but the model was trained with "
            f"{checkpoint.vocabulary.unit}: read it with that unit"
        )
    notices = list(corpus.notices)
    if _has_other_line_ends(corpus.codes, checkpoint.vocabulary):
        notices.append(
            "the model was trained with CR LF line ends, but this text has LF: its loss is higher "
            "for that reason (a model trained again would read line ends as LF by default)"
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
    """Return the ids before a text, a description of them, and notices."""
    vocabulary = checkpoint.vocabulary
    if checkpoint.task.separate:
        if context:
            raise ConfigError(
                "--context applies to running text, and this model was trained on items, each from "
                "a zero state: leave it out, or see charrnn score --context"
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
    """Find the corpus of a run and return its held-out part.

    Raises
    ------
    CorpusError
        If nothing was held out, or the corpus is not found.
    """
    if not checkpoint.held_out:
        raise CorpusError(
            "nothing was held out of training: name a file to score, as in: charrnn eval FILE"
        )
    own, notices = find_own_text(checkpoint, cache_dir=cache_dir)
    return replace(held_out_text(checkpoint, own, unknown), notices=tuple(notices))


def held_out_text(checkpoint: Checkpoint, own: Corpus, unknown: Unknown) -> ScoredText:
    """Return the held-out part of a run's corpus.

    Unknown characters are expected there, and no error.
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
    """Return how to read a text to score; the default is to read it like the model's corpus.

    However, the encoding is detected again, since a file may not be UTF-8 even if the corpus was,
    and columns are read only on request, since most texts have none.
    """
    plain = own.encoding == "utf-8" and own.errors == "strict"
    encoding = "auto" if plain else own.encoding
    return replace(own, **{"encoding": encoding, "column": None, **given})


def _has_other_line_ends(codes: Codes, vocabulary: Vocabulary) -> bool:
    """Return whether a text has no CR although the model was trained on CR LF line ends."""
    if vocabulary.unit == "byte" or ord("\r") not in vocabulary.symbols:
        return False
    counts = vocabulary.count(codes)  # in pieces: the text may be a memory map of many GB
    LF, CR = (counts[vocabulary.symbols == ord(end)].sum() for end in "\n\r")
    return bool(LF) and not CR
