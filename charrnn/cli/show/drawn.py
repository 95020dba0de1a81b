"""Samples on stdout: as they are generated, or as JSON objects."""

import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from charrnn.cli.show.console import is_terminal, write, write_json

if TYPE_CHECKING:
    from charrnn.evaluation.verbatim import Copied


class Output:
    """Writes samples, each after its seed.

    Parameters
    ----------
    seed : str
        The text that each sample begins with.
    raw : bool
        Whether a terminal gets control characters unchanged.
    joined : bool
        Whether the first sampled character may complete the last one of the seed, as a final
        consonant completes a Korean syllable.
    """

    def __init__(self, seed: str, *, raw: bool, joined: bool) -> None:
        self._raw, self._held, self._last = raw, "", "\n"
        self._seed, self._waiting = seed, ""
        if joined and seed:
            seed = unicodedata.normalize("NFC", seed)
            self._seed, self._waiting = seed[:-1], seed[-1]

    def begin(self, number: int | None) -> None:
        """Begin a sample, under a heading if it has a number."""
        if number is not None:
            self.end()
            self._write(f"--- sample {number} ---\n")
        self._write(self._seed)
        self._held = self._waiting

    def write(self, text: str) -> None:
        """Write the next sampled text."""
        if self._held:
            text, self._held = unicodedata.normalize("NFC", self._held + text), ""
        self._write(text)

    def end(self, line: bool = True) -> None:
        """Write what is left of a sample and, if ``line``, a line end where there is none."""
        self._write(self._held)
        self._held = ""
        if line and not self._last.endswith("\n"):
            self._write("\n")

    def _write(self, text: str) -> None:
        if text:
            write(text, raw=self._raw)
            self._last = text


def collected(pieces: Iterable[tuple[int, str]], number: int) -> list[str]:
    """Return the samples, each joined from its pieces."""
    texts: list[list[str]] = [[] for _ in range(number)]
    for i, text in pieces:
        texts[i].append(text)
    return ["".join(parts) for parts in texts]


def write_objects(rows: Sequence[dict[str, Any]], copied: "Copied | None") -> None:
    """Write samples as JSON objects; with ``copied``, add their figures and a summary."""
    if copied is None:
        for row in rows:
            write_json(row)
        return
    for row, figures in zip(rows, copied.texts, strict=True):
        write_json({**row, "copied": figures.to_json()})
    whole = copied.to_json()
    write_json({"summary": {"samples": whole["all"], "held_out": whole["held_out"]}})


def write_samples(pieces: Iterable[tuple[int, str]], number: int, output: Output) -> list[str]:
    """Write the first sample as it is generated, and then the others, generated in parallel.

    Returns
    -------
    list of str
        All samples, without the seed.
    """
    first: list[str] = []
    others: list[list[str]] = [[] for _ in range(1, number)]
    output.begin(1 if number > 1 else None)
    for i, text in pieces:
        if i == 0:
            first.append(text)
            output.write(text)
        else:
            others[i - 1].append(text)
    for i, parts in enumerate(others):
        output.begin(i + 2)
        output.write("".join(parts))
    output.end(line=number > 1 or is_terminal(sys.stdout))
    return ["".join(parts) for parts in (first, *others)]
