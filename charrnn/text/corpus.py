"""The text that a model is trained on: from files of any kind, or from memory."""

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

from charrnn.config import STDIN, DecodingErrors, Newlines, Normalize, TextConfig, Unit
from charrnn.errors import CorpusError
from charrnn.text import cache
from charrnn.text.codes import LINE_END, Codes, to_text
from charrnn.text.decoding import Findings
from charrnn.text.files import no_text_in
from charrnn.text.held_out import find_sides, held_out_codes
from charrnn.text.inputs import Input, spool
from charrnn.text.pipes import without_pipe
from charrnn.text.reading import read_file
from charrnn.text.sources import MEMORY, Source, fingerprint, show_path


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text, ready to be encoded.

    Attributes
    ----------
    codes : (n,) uint8, uint16 or uint32 array, read-only
        Code points, or bytes, in the smallest type that holds them; a memory map if they are large
        and a cache folder was given.
    sources : tuple of Source
        The files in the order in which they are joined.
    starts : tuple of int
        Where each file begins in ``codes``, ascending from 0. A file ends where the next one
        begins, the last one at n; a newline added between two files belongs to the first. An empty
        file begins where the next one does.
    notices : tuple of str
        Notices for the user, one line each.
    num_bytes : int
        UTF-8 bytes of the text that is trained on, or its bytes for unit "byte".
    file_bytes : int
        Bytes of the files, decompressed but not decoded.
    unit : "char" or "byte"
    normalize : "none", "nfc", "nfd" or "nfkc"
    column : str, optional
        The column of its files that is the text.
    held_out : int
        Number of codes at the end that come from files named to be held out. It is 0 in a corpus
        that is read again: a checkpoint stores it as part of the split.
    stdin : binary file, optional
        The bytes read from standard input, from the beginning, if it was read.
    """

    codes: Codes
    sources: tuple[Source, ...]
    starts: tuple[int, ...]
    notices: tuple[str, ...]
    num_bytes: int
    file_bytes: int
    unit: Unit = "char"
    normalize: Normalize = "none"
    column: str | None = None
    held_out: int = 0
    stdin: BinaryIO | None = None

    def __len__(self) -> int:
        """Return n, the number of characters or bytes."""
        return len(self.codes)

    def text(self, start: int = 0, stop: int | None = None) -> str:
        """Return a part of the text; bytes are decoded as UTF-8, with U+FFFD for invalid ones."""
        piece = self.codes[start:stop]
        if self.unit == "byte":
            return piece.tobytes().decode("utf-8", "replace")
        return to_text(piece)

    @classmethod
    def from_text(cls, text: str | bytes, options: TextConfig | None = None) -> "Corpus":
        r"""Make a corpus from a text in memory, read like a file with its UTF-8 bytes.

        Its source has the path ``MEMORY`` and the SHA-256 of these bytes, so a file with the same
        bytes is recognized if the user names it.

        Parameters
        ----------
        text : str or bytes
            The text; bytes only for unit "byte".
        options : TextConfig, optional
            How to read it; ``encoding`` is ignored. A lone surrogate counts as undecodable.

        Raises
        ------
        CorpusError
            If it is empty or cannot be read.

        Examples
        --------
        >>> corpus = Corpus.from_text("one\r\ntwo\r\n")
        >>> corpus.text()
        'one\ntwo\n'
        >>> corpus.notices
        ('line endings: 2 CR LF read as LF; use --newlines keep to keep them',)
        """
        options = TextConfig() if options is None else options
        if isinstance(text, str):
            text = text.encode("utf-8", "surrogatepass")
        elif options.unit == "char":
            raise CorpusError("text is bytes, and the unit is char: decode it, or use unit='byte'")
        return read_inputs([Input(MEMORY, encoding="utf-8", stdin=io.BytesIO(text))], options)


def read_corpus(
    paths: Sequence[str | Path],
    *,
    held_out: Sequence[str | Path] = (),
    encoding: str = "auto",
    errors: DecodingErrors = "strict",
    newlines: Newlines = "auto",
    normalize: Normalize = "none",
    unit: Unit = "char",
    column: str | None = None,
    cache_dir: str | Path | None = None,
    stdin: BinaryIO | None = None,
) -> Corpus:
    """Read files, folders, glob patterns and standard input as one text.

    Files are joined in the given order, those of a folder or pattern in sorted order, with a
    newline after a file that does not end with one. Files compressed with gzip, bzip2 or xz are
    recognized by their content.

    Parameters
    ----------
    paths : sequence of str or Path
        Files; folders, without their hidden and non-text files; patterns with `*`, `?`, `[...]` and
        `**`; "-" for standard input, or one pipe.
    held_out : sequence of str or Path
        Files to hold out, named in the same way; they follow the others in the text. No file and no
        content may be on both sides.
    encoding : str
        The encoding of every file. "auto" chooses for each one: the encoding of its byte-order
        mark, UTF-8, UTF-16 or UTF-32 if its NUL bytes suggest it, or else the most plausible
        encoding that decodes the whole file. Encodings other than UTF-8 are reported. A byte-order
        mark takes precedence over "utf-8" too.
    errors : "strict", "replace" or "skip"
        Whether undecodable bytes are an error, are replaced by U+FFFD, or are left out; replaced
        and skipped bytes are counted and reported.
    newlines : "auto", "keep" or "lf"
        "lf" turns CR LF and CR into LF. "auto" means "keep" for bytes and "lf" otherwise.
    normalize : "none", "nfc", "nfd" or "nfkc"
        Unicode normal form that the text is converted to.
    unit : "char" or "byte"
        "byte" reads the bytes as they are; `encoding` and `errors` are ignored.
    column : str, optional
        For CSV and TSV files: the column that is the text, by name or by number from 1.
    cache_dir : Path, optional
        Folder for codes of more than 64 MiB. They are memory-mapped, and reused while the options
        and the content stay the same.
    stdin : binary file, optional
        What "-" reads instead of the standard input of the process; may be the ``stdin`` of another
        corpus.

    Returns
    -------
    Corpus
        The codes of the text, with its sources and notices.

    Raises
    ------
    CorpusError
        If a text is missing, empty, or cannot be read or decoded, or if the same file is on both
        sides.
    ConfigError
        If an option has an unknown value.

    Examples
    --------
    >>> corpus = charrnn.read_corpus("text.txt")
    >>> corpus.text(0, 8), corpus.unit
    ('pack my ', 'char')
    """
    options = TextConfig(
        encoding=encoding,
        errors=errors,
        newlines=newlines,
        normalize=normalize,
        unit=unit,
        column=column,
    )
    findings = Findings()
    (paths, held_out), stdin = without_pipe([paths, held_out], stdin)
    learned, held = find_sides(paths, held_out, options.encoding, findings)
    found = [*learned, *held]
    kept = spool(stdin) if STDIN in found else None
    try:
        inputs = [Input(path, stdin=kept if path == STDIN else None) for path in found]
        corpus = read_inputs(inputs, options, cache_dir)
        num_held = held_out_codes(corpus, len(learned)) if held else 0
    except BaseException:
        if kept is not None and kept is not stdin:
            kept.close()
        raise
    if kept is not None:
        kept.seek(0)
    notices = (*findings.lines(options), *corpus.notices)
    return replace(corpus, notices=notices, held_out=num_held, stdin=kept)


def read_inputs(
    inputs: Sequence[Input], options: TextConfig, cache_dir: str | Path | None = None
) -> Corpus:
    """Read located files as one text; raises the same errors as ``read_corpus``."""
    folder = None if cache_dir is None else Path(cache_dir)
    if folder is not None:
        cached = _read_cache(inputs, options, folder)
        if cached is not None:
            return cached
    findings = Findings()
    sources: list[Source] = []
    begins: list[int | None] = []
    num_bytes = file_bytes = 0
    with cache.CodesWriter(folder) as writer:
        last = LINE_END
        for file in inputs:
            added = read_file(file, options, writer, last, findings)
            sources.append(added.source)
            begins.append(added.begin)
            num_bytes += added.num_bytes
            file_bytes += added.file_bytes
            last = added.last
            if added.begin is None and len(inputs) > 1:
                findings.add("is empty: left out", show_path(file.path))
        if not writer.count:
            raise no_text_in([file.path for file in inputs])
        notices = findings.lines(options)
        starts = _starts(begins, writer.count)
        if writer.in_memory:
            codes = writer.gather()
            codes.flags.writeable = False
        else:
            header = {
                "sources": [asdict(source) for source in sources],
                "starts": list(starts),
                "options": options.to_json(),
                "num_bytes": num_bytes,
                "file_bytes": file_bytes,
                "notices": list(notices),
            }
            recorded = [file.encoding for file in inputs]
            codes = writer.store(_key(sources, options, recorded), header)
    return Corpus(
        codes=codes,
        sources=tuple(sources),
        starts=starts,
        notices=notices,
        num_bytes=num_bytes,
        file_bytes=file_bytes,
        unit=options.unit,
        normalize=options.normalize,
        column=options.column,
    )


def _starts(begins: Iterable[int | None], stop: int) -> tuple[int, ...]:
    """Return where each file begins, given where the non-empty ones begin."""
    starts = []
    for begin in reversed([*begins]):
        stop = stop if begin is None else begin
        starts.append(stop)
    return tuple(reversed(starts))


def _key(sources: Iterable[Source], options: TextConfig, recorded: Sequence[str]) -> str:
    parts = [cache.FORMAT, fingerprint(sources), sorted(options.to_json().items())]
    if any(recorded):
        parts.append(recorded)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _read_cache(inputs: Sequence[Input], options: TextConfig, folder: Path) -> Corpus | None:
    try:
        sizes = [file.size() for file in inputs]
    except OSError:
        return None  # reading the file will report the error
    if not cache.may_hold(folder, options.to_json(), sizes):
        return None
    sources = [file.hash() for file in inputs]
    recorded = [file.encoding for file in inputs]
    for encodings in ([], recorded):  # the first choice of encodings is usually the recorded one
        entry = cache.load(folder, _key(sources, options, encodings))
        if entry is None:
            continue
        codes, header = entry
        if any(was and was != has for was, has in zip(recorded, header.encodings, strict=True)):
            continue
        read = (
            replace(source, encoding=encoding)
            for source, encoding in zip(sources, header.encodings, strict=True)
        )
        return Corpus(
            codes=codes,
            sources=tuple(read),
            starts=tuple(header.starts),
            notices=tuple(header.notices),
            num_bytes=header.num_bytes,
            file_bytes=header.file_bytes,
            unit=options.unit,
            normalize=options.normalize,
            column=options.column,
        )
    return None
