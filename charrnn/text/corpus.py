"""Reading the text that a model is trained on, whatever shape it comes in."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text import cache, files
from charrnn.text.choosing import Utf8Watch, explain, first_codec, next_codec
from charrnn.text.decoding import Findings, Misfit, TextDecoder
from charrnn.text.files import Source, find_files, show_path
from charrnn.text.guessing import binary_kind
from charrnn.text.inputs import Input, spool
from charrnn.text.surveying import Survey, survey
from charrnn.text.vocabulary import LINE_END, Codes, Normalize, Unit, to_text

Newlines = Literal["auto", "keep", "lf"]


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text, ready to be numbered.

    Attributes
    ----------
    codes : (n,) uint8, uint16 or uint32 array, read-only
        Code points, or bytes, in the smallest type that holds them; a memory map if they are
        many and a cache folder was given.
    sources : tuple of Source
        The files in the order in which they are joined.
    notices : tuple of str
        What the user should be told, one line each.
    num_bytes : int
        UTF-8 bytes of the text as trained on, or its bytes for unit "byte".
    file_bytes : int
        Bytes of the files, decompressed but not decoded.
    unit : "char" or "byte"
    normalize : "none", "nfc", "nfd" or "nfkc"
    stdin : binary file, optional
        The bytes that came from standard input, from their beginning, if it was read.
    """

    codes: Codes
    sources: tuple[Source, ...]
    notices: tuple[str, ...]
    num_bytes: int
    file_bytes: int
    unit: Unit = "char"
    normalize: Normalize = "none"
    stdin: BinaryIO | None = None

    def __len__(self) -> int:
        """Return n, the number of characters or bytes."""
        return len(self.codes)

    def text(self, start: int = 0, stop: int | None = None) -> str:
        """Return a piece of the text; bytes are read as UTF-8, broken ones as U+FFFD."""
        piece = self.codes[start:stop]
        if self.unit == "byte":
            return piece.tobytes().decode("utf-8", "replace")
        return to_text(piece)


def read_corpus(
    paths: Sequence[str | Path],
    *,
    encoding: str = "auto",
    errors: Literal["strict", "replace", "skip"] = "strict",
    newlines: Newlines = "auto",
    normalize: Normalize = "none",
    unit: Unit = "char",
    cache_dir: str | Path | None = None,
    stdin: BinaryIO | None = None,
) -> Corpus:
    """Read files, folders, patterns and standard input as one text.

    Files are joined in the order given, those of a folder or pattern in sorted order, with a
    newline between two where the first does not end with one. Files that are compressed with
    gzip, bzip2 or xz are recognised by their content.

    Parameters
    ----------
    paths : sequence of str or Path
        Files; folders, of which hidden files and what is no text are left out; patterns with
        `*`, `?`, `[...]` and `**`; "-" for standard input.
    encoding : str
        Of every file. "auto" decides for each: what a byte-order mark says, UTF-8, UTF-16 or
        UTF-32 by their NUL bytes, else the most plausible encoding in which all of it can be read.
        What is not UTF-8 is reported. A byte-order mark overrules "utf-8" too.
    errors : "strict", "replace" or "skip"
        Whether bytes that do not fit are an error, become U+FFFD, or are left out; the latter two
        are counted and reported.
    newlines : "auto", "keep" or "lf"
        "lf" makes CR LF and CR a single LF; "auto" is "lf", and "keep" for bytes.
    normalize : "none", "nfc", "nfd" or "nfkc"
        Unicode normal form that the text is brought into.
    unit : "char" or "byte"
        "byte" takes the bytes as they are: `encoding` and `errors` do not matter.
    cache_dir : Path, optional
        Where codes of more than `cache.MEMORY_LIMIT` bytes go, to be mapped and, while options
        and content stay the same, used again.
    stdin : binary file, optional
        What "-" reads, instead of the standard input of the process; also the ``stdin`` of
        another corpus.

    Raises
    ------
    CorpusError
        If there is no such text, it cannot be read or decoded, or it is empty.
    ConfigError
        If an option is unknown.
    """
    options = TextConfig(
        encoding=encoding, errors=errors, newlines=newlines, normalize=normalize, unit=unit
    )
    findings = Findings()
    found = find_files(paths, options.encoding, findings)
    kept = spool(stdin) if "-" in found else None
    try:
        inputs = [Input(path, stdin=kept if path == "-" else None) for path in found]
        corpus = read_inputs(inputs, options, findings, cache_dir)
    except BaseException:
        if kept is not None and kept is not stdin:
            kept.close()
        raise
    if kept is not None:
        kept.seek(0)
    return replace(corpus, stdin=kept)


def read_inputs(
    inputs: Sequence[Input],
    options: TextConfig,
    findings: Findings,
    cache_dir: str | Path | None = None,
) -> Corpus:
    """Read files that have been found as one text; errors as for ``read_corpus``."""
    folder = None if cache_dir is None else Path(cache_dir)
    if folder is not None:
        cached = _read_cache(inputs, options, folder)
        if cached is not None:
            return cached
    sources: list[Source] = []
    num_bytes = file_bytes = 0
    with cache.CodesWriter(folder) as writer:
        last = LINE_END
        for file in inputs:
            start = writer.count
            added = _Reading(file, options, writer, last).read(findings)
            sources.append(added.source)
            num_bytes += added.num_bytes
            file_bytes += added.file_bytes
            last = added.last
            if writer.count == start and len(inputs) > 1:
                findings.add("is empty: left out", show_path(file.path))
        if not writer.count:
            name = show_path(inputs[0].path) if len(inputs) == 1 else f"each of {len(inputs)} files"
            raise CorpusError(f"{name} is empty: there is no text in it")
        notices = findings.lines(options)
        if writer.in_memory:
            codes = writer.gather()
            codes.flags.writeable = False
        else:
            header = {
                "sources": [asdict(source) for source in sources],
                "options": options.to_json(),
                "num_bytes": num_bytes,
                "file_bytes": file_bytes,
                "notices": list(notices),
            }
            recorded = [file.encoding for file in inputs]
            codes = writer.store(_key(sources, options, recorded), header)
    return Corpus(
        codes, tuple(sources), notices, num_bytes, file_bytes, options.unit, options.normalize
    )


class _Reading:
    """One file, read to the end of what was collected before.

    Parameters
    ----------
    file : Input
    options : TextConfig
    writer : CodesWriter
        Takes the codes.
    last : int
        The code before the file's first; a newline is added behind what is no line end.
    """

    def __init__(
        self, file: Input, options: TextConfig, writer: cache.CodesWriter, last: int
    ) -> None:
        self._file, self._options, self._writer = file, options, writer
        self._before = last
        self._mark = writer.mark()

    def read(self, findings: Findings) -> "_Added":
        """Read the file in the encoding that fits, and add what is in it to `findings`."""
        found = Findings()
        try:
            added = self._attempt(None, found)
        except CorpusError as error:
            if self._file.expected is not None:
                self._file.hash()  # if the content is another, that is what to say
            if not isinstance(error, Misfit):
                raise
            surveyed = self._survey()
            if self._is_sure:
                raise explain(error, surveyed, self._options) from None
            found = Findings()
            codec = next_codec(error, surveyed, self._options, found)
            self._writer.rewind(self._mark)
            added = self._attempt(codec, found)
        findings.merge(found)
        return added

    def _attempt(self, codec: str | None, findings: Findings) -> "_Added":
        """Read all of the file as `codec`, or as what its beginning says."""
        options, writer = self._options, self._writer
        start, last = writer.count, self._before
        num_bytes = 0
        with self._file.open() as raw:
            content = files.Content(raw, findings)
            head = content.read(files.HEAD)
            kind = binary_kind(head)
            if kind is not None and options.unit == "char":
                raise CorpusError(
                    f"{raw.name} holds {kind}, not text: take the text out of it first"
                )
            strict = False
            self._is_sure = True
            if options.unit == "byte":
                codec = ""
            elif codec is None and self._file.encoding:
                codec = self._file.encoding
            elif codec is None:
                codec, self._is_sure = first_codec(raw.name, head, options, findings)
                strict = not self._is_sure
            watch = Utf8Watch(raw.name, codec, options, findings)
            decoder = TextDecoder(raw.name, codec, options, findings, strict=strict)
            for data, final in _pieces(head, content):
                codes = decoder.feed(data, final)
                watch.feed(data, final)
                if not len(codes):
                    continue
                if writer.count == start and last not in b"\r\n":
                    findings.add("begins after a newline that was added", raw.name)
                    writer.append(np.array([LINE_END], np.uint8))
                    num_bytes += 1
                writer.append(codes)
                num_bytes += len(codes) if options.unit == "byte" else _utf8_length(codes)
                last = int(codes[-1])
            source = replace(self._file.checked(raw.finish()), encoding=codec)
        return _Added(source, num_bytes, content.size, last)

    def _survey(self) -> Survey:
        with self._file.open() as raw:
            content = files.Content(raw)
            return survey(iter(lambda: content.read(files.CHUNK), b""))


class _Added(NamedTuple):
    """What reading a file has added to the text, and its last code."""

    source: Source
    num_bytes: int
    file_bytes: int
    last: int


def _pieces(head: bytes, content: files.Content) -> Iterator[tuple[bytes, bool]]:
    """Return the bytes of a file in chunks, each with whether it is the last, an empty one."""
    for start in range(0, len(head), files.CHUNK):
        yield head[start : start + files.CHUNK], False
    while data := content.read(files.CHUNK):
        yield data, False
    yield b"", True


def fingerprint(sources: Iterable[Source]) -> str:
    """Return one SHA-256 over the content of all sources in their order, wherever they lie."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source.size} {source.sha256}\n".encode("ascii"))
    return digest.hexdigest()


def _key(sources: Iterable[Source], options: TextConfig, recorded: Sequence[str]) -> str:
    parts = [cache.FORMAT, fingerprint(sources), sorted(options.to_json().items())]
    if any(recorded):
        parts.append(recorded)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _read_cache(inputs: Sequence[Input], options: TextConfig, folder: Path) -> Corpus | None:
    try:
        sizes = [file.size() for file in inputs]
    except OSError:
        return None  # reading the file will say what is wrong
    if not cache.may_hold(folder, options.to_json(), sizes):
        return None
    sources = [file.hash() for file in inputs]
    recorded = [file.encoding for file in inputs]
    for encodings in ([], recorded):  # what was decided at first is mostly what was recorded
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
            codes,
            tuple(read),
            tuple(header.notices),
            header.num_bytes,
            header.file_bytes,
            options.unit,
            options.normalize,
        )
    return None


def _utf8_length(codes: Codes) -> int:
    longer = [limit for limit in (0x80, 0x800, 0x10000) if limit <= np.iinfo(codes.dtype).max]
    return len(codes) + sum(int(np.count_nonzero(codes >= limit)) for limit in longer)
