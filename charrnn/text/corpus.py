"""Reading the text that a model is trained on, whatever shape it comes in."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from charrnn.errors import CorpusError
from charrnn.text import cache, files
from charrnn.text.decoding import Findings, Newlines, TextDecoder, TextOptions
from charrnn.text.files import Source, find_files, hash_file, open_source, show_path
from charrnn.text.guessing import binary_kind
from charrnn.text.vocabulary import Codes, Normalize, Unit, to_text


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
    unit : "char" or "byte"
    normalize : "none", "nfc", "nfd" or "nfkc"
    """

    codes: Codes
    sources: tuple[Source, ...]
    notices: tuple[str, ...]
    num_bytes: int
    unit: Unit = "char"
    normalize: Normalize = "none"

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
    encoding: str = "utf-8",
    newlines: Newlines = "keep",
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
        Of every file. A byte-order mark overrules the default.
    newlines : "keep" or "lf"
        "lf" makes CR LF and CR a single LF.
    normalize : "none", "nfc", "nfd" or "nfkc"
        Unicode normal form that the text is brought into.
    unit : "char" or "byte"
        "byte" takes the bytes as they are: `encoding` does not matter.
    cache_dir : Path, optional
        Where codes of more than `cache.MEMORY_LIMIT` bytes go, to be mapped and, while options
        and content stay the same, used again.
    stdin : binary file, optional
        What "-" reads, instead of the standard input of the process.

    Raises
    ------
    CorpusError
        If there is no such text, it cannot be read or decoded, or it is empty.
    ConfigError
        If an option is unknown.
    """
    options = TextOptions(encoding, newlines, normalize, unit)
    findings = Findings()
    found = find_files(paths, options.encoding, findings)
    folder = None if cache_dir is None else Path(cache_dir)
    if folder is not None and "-" not in found:
        cached = _read_cache(found, options, folder)
        if cached is not None:
            return cached
    sources = []
    num_bytes = 0
    with cache.CodesWriter(folder) as writer:
        last = ord("\n")
        for path in found:
            start = writer.count
            with open_source(path, stdin) as raw:
                for codes in _decode(raw, options, findings):
                    if not len(codes):
                        continue
                    if writer.count == start and last not in b"\r\n":
                        findings.add("begins after a newline that was added", show_path(path))
                        writer.append(np.array([ord("\n")], np.uint8))
                        num_bytes += 1
                    writer.append(codes)
                    num_bytes += len(codes) if unit == "byte" else _utf8_length(codes)
                    last = int(codes[-1])
                sources.append(raw.finish())
            if writer.count == start and len(found) > 1:
                findings.add("is empty: left out", show_path(path))
        if not writer.count:
            name = show_path(found[0]) if len(found) == 1 else f"each of {len(found)} files"
            raise CorpusError(f"{name} is empty: there is no text in it")
        notices = findings.lines(options)
        if writer.in_memory:
            codes = writer.gather()
            codes.flags.writeable = False
        else:
            header = {
                "sources": [asdict(source) for source in sources],
                "options": asdict(options),
                "num_bytes": num_bytes,
                "notices": list(notices),
            }
            codes = writer.store(_key(sources, options), header)
    return Corpus(codes, tuple(sources), notices, num_bytes, unit, normalize)


def fingerprint(sources: Iterable[Source]) -> str:
    """Return one SHA-256 over the content of all sources in their order, wherever they lie."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source.size} {source.sha256}\n".encode("ascii"))
    return digest.hexdigest()


def check_sources(
    sources: Iterable[Source],
    advice: str = "name the file to score, as in: charrnn eval FILE",
) -> None:
    """Make sure that recorded sources are still there, byte for byte.

    Raises
    ------
    CorpusError
        If one is gone or has changed; the message ends with `advice`.
    """
    for source in sources:
        if source.path == "-":
            raise CorpusError(f"this run was trained on standard input, which is gone: {advice}")
        name = show_path(source.path)
        if not os.path.exists(source.path):  # noqa: PTH110 - False for a name that is too long
            raise CorpusError(f"{name}, which this run was trained on, is gone: {advice}")
        found = hash_file(source.path)
        if (found.sha256, found.size) != (source.sha256, source.size):
            what = "SHA-256 differs" if found.size == source.size else "its size differs"
            raise CorpusError(f"{name} has changed since this run was trained ({what}): {advice}")


def _key(sources: Iterable[Source], options: TextOptions) -> str:
    parts = (cache.FORMAT, fingerprint(sources), sorted(asdict(options).items()))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _read_cache(found: list[str], options: TextOptions, cache_dir: Path) -> Corpus | None:
    try:
        sizes = [Path(path).stat().st_size for path in found]
    except OSError:
        return None  # reading the file will say what is wrong
    if not cache.may_hold(cache_dir, asdict(options), sizes):
        return None
    sources = tuple(hash_file(path) for path in found)
    entry = cache.load(cache_dir, _key(sources, options))
    if entry is None:
        return None
    codes, header = entry
    notices = tuple(header.notices)
    return Corpus(codes, sources, notices, header.num_bytes, options.unit, options.normalize)


def _utf8_length(codes: Codes) -> int:
    longer = [limit for limit in (0x80, 0x800, 0x10000) if limit <= np.iinfo(codes.dtype).max]
    return len(codes) + sum(int(np.count_nonzero(codes >= limit)) for limit in longer)


def _decode(raw: files.RawFile, options: TextOptions, findings: Findings) -> Iterator[Codes]:
    content = files.Content(raw, findings)
    head = content.read(files.HEAD)
    kind = binary_kind(head)
    if kind is not None and options.unit == "char":
        raise CorpusError(f"{raw.name} holds {kind}, not text: take the text out of it first")
    decoder = TextDecoder(raw.name, head, options, findings)
    for start in range(0, len(head), files.CHUNK):
        yield decoder.feed(head[start : start + files.CHUNK])
    while data := content.read(files.CHUNK):
        yield decoder.feed(data)
    yield decoder.feed(b"", final=True)
