"""Ending a sample at its first stop text.

Stop texts are searched for in the model's symbols before these are decoded, so that the number of
symbols in the text is exact. Here symbols are a str: code points, or bytes as Latin-1.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.config import SampleConfig
from charrnn.errors import ConfigError
from charrnn.sampling.allowing import symbols_of
from charrnn.text import Vocabulary, fitting_text
from charrnn.text.characters import counter_of
from charrnn.text.codes import show_character, to_text
from charrnn.text.normalizing import may_split_before

TYPED = {"\\n": "$'\\n'", "\\t": "$'\\t'", "\\r": "$'\\r'"}
"""What a shell passes as two characters, and how to type the one that was meant."""


def stop_symbols(vocabulary: Vocabulary, stop: str) -> str:
    """Return the symbols of a stop text in the model's normalization."""
    return to_text(vocabulary.text_to_codes(fitting_text(stop, vocabulary, "keep")[0]))


def check_rules(vocabulary: Vocabulary, config: SampleConfig, end: int | None = None) -> list[str]:
    """Reject rules under which nothing could be sampled, and stop texts that can never occur.

    Parameters
    ----------
    vocabulary : Vocabulary
        The model's.
    config : SampleConfig
        Its ``stops`` and ``allow`` are checked.
    end : int, optional
        The code that ends an item.

    Returns
    -------
    list of str
        Notices about stop texts that may not be what the user meant.

    Raises
    ------
    ConfigError
        If a stop text is empty or has a character that the model does not know or may not sample;
        if ``allow`` is empty or has a character that the model does not know.
    """
    notices = []
    drawn = _drawn(vocabulary, config.allow)
    if drawn <= {end}:
        raise ConfigError("--allow permits only the end of an item: name other characters")
    for stop in config.stops:
        if not stop:
            raise ConfigError(
                "--stop is empty and can never occur: give a text; for a line end, --stop $'\\n'"
            )
        shown = f"'{stop}'" if stop.isprintable() else repr(stop)
        meant = [f"{two} is typed {typed}" for two, typed in TYPED.items() if two in stop]
        hint = f"; in the shell, {', '.join(meant)}" if meant else ""
        unknown = vocabulary.unknown(vocabulary.text_to_codes(stop))
        never = [code for code in map(ord, stop_symbols(vocabulary, stop)) if code not in drawn]
        if never and (unknown or config.allow is None):
            named = ", ".join(
                show_character(code) if vocabulary.unit == "char" else vocabulary.show(code)
                for code in dict.fromkeys(never)
            )
            raise ConfigError(
                f"--stop {shown} can never occur: the model does not know {named}{hint}"
            )
        if never:
            raise ConfigError(f"--stop {shown} can never occur: --allow leaves out part of it")
        if hint:
            notices.append(f"--stop {shown} stops at a backslash followed by a letter{hint}")
    return notices


def _drawn(vocabulary: Vocabulary, allow: str | None) -> set[int]:
    """Return the codes that may be sampled."""
    codes: list[int] = vocabulary.symbols.tolist()
    if allow is None:
        return set(codes)
    return {codes[symbol] for ids in symbols_of(vocabulary, allow) for symbol in ids}


class Writer:
    """Decodes one sample's ids and ends the text after the first complete stop text.

    A model of decomposed text may still add marks to a letter, so its stop texts are complete only
    when the next letter begins.

    Parameters
    ----------
    vocabulary : Vocabulary
    stops : sequence of str
        From ``stop_symbols``.
    length : int, optional
        Most characters, as a reader counts them; the text ends with the last one's last symbol.
    raw : bool
        See ``StreamDecoder``.

    Attributes
    ----------
    ended : bool
        Whether the text is complete.
    symbols : int
        How many were written or are pending.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        stops: Sequence[str],
        length: int | None = None,
        *,
        raw: bool = False,
    ) -> None:
        self._vocabulary, self._decoder = vocabulary, vocabulary.decoder(raw=raw)
        self._counter, self._length = counter_of(vocabulary), length
        self._stops = [stop for stop in stops if stop]
        self._grows = vocabulary.normalize == "nfd"
        self._held: NDArray[np.intp] = np.empty(0, np.intp)
        self.ended = False
        self.symbols = 0

    def write(self, ids: NDArray[np.intp], last: bool) -> str:
        """Return the text that ids (n,) complete; with ``last``, all that is pending too."""
        if self.ended:
            return ""
        if self._length is not None:
            ids, reached = self._within(ids, self._length)
            last = last or reached
        self.symbols += len(ids)
        self.ended = last
        if self._stops:
            ids = np.concatenate([self._held, ids])
            symbols = to_text(self._vocabulary.symbols[ids])
            ends = [end for stop in self._stops if (end := self._end(symbols, stop, last))]
            if ends:
                self.ended = True
                self.symbols -= len(ids) - min(ends)
                ids = ids[: min(ends)]
            keep = 0 if self.ended else self._waiting(symbols)
            ids, self._held = ids[: len(ids) - keep], ids[len(ids) - keep :]
        text = self._decoder.decode(ids)
        return text + self._decoder.flush() if self.ended else text

    def _within(self, ids: NDArray[np.intp], length: int) -> tuple[NDArray[np.intp], bool]:
        """Return the ids of the first ``length`` characters, and whether there are that many."""
        counter = self._counter
        for place, code in enumerate(self._vocabulary.symbols[ids].tolist()):
            counter.add(code)
            if counter.begun > length:
                return ids[:place], True
            if counter.begun == length and counter.complete:
                return ids[: place + 1], True
        return ids, False

    def _end(self, symbols: str, stop: str, last: bool) -> int:
        """Return where the first occurrence of a stop text ends, or 0 without one."""
        place = symbols.find(stop)
        while place >= 0:
            end = place + len(stop)
            following = symbols[end : end + 1]
            if not self._grows or (may_split_before(following) if following else last):
                return end
            place = symbols.find(stop, place + 1)
        return 0

    def _waiting(self, symbols: str) -> int:
        """Return how many of the last symbols may begin a stop text."""
        longest = max(map(len, self._stops)) - (not self._grows)
        keep = min(len(symbols), longest)
        while keep and not any(stop.startswith(symbols[-keep:]) for stop in self._stops):
            keep -= 1
        return keep
