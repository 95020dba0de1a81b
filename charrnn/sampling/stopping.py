"""Where the text of a sample ends: at the first of its stop texts.

Stop texts are looked for among the symbols of the model, before these are decoded, so that it is
known which symbols a text consists of. Here symbols are a str: code points, or bytes as Latin-1.
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
"""What a shell passes on as two characters, and how to type what was meant."""


def stop_symbols(vocabulary: Vocabulary, stop: str) -> str:
    """Return the symbols of a stop text, in the form that the model knows."""
    return to_text(vocabulary.text_to_codes(fitting_text(stop, vocabulary, "keep")[0]))


def check_rules(vocabulary: Vocabulary, config: SampleConfig, end: int | None = None) -> list[str]:
    """Refuse to draw from nothing, and stop texts that can never come.

    Parameters
    ----------
    vocabulary : Vocabulary
        The model's.
    config : SampleConfig
        With its ``stops`` and ``allow``.
    end : int, optional
        The code that ends an item.

    Returns
    -------
    list of str
        What the user should know of stop texts that may mean something else.

    Raises
    ------
    ConfigError
        If a stop text is empty, or has a character that the model does not know or may not draw;
        if no character may be drawn, or one that the model does not know.
    """
    notices = []
    drawn = _drawn(vocabulary, config.allow)
    if drawn <= {end}:
        raise ConfigError("--allow leaves nothing to draw but the end of an item: name characters")
    for stop in config.stops:
        if not stop:
            raise ConfigError(
                "--stop is empty and can never come: give a text, for a line end --stop $'\\n'"
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
                f"--stop {shown} can never come: the model does not know {named}{hint}"
            )
        if never:
            raise ConfigError(f"--stop {shown} can never come: --allow leaves out part of it")
        if hint:
            notices.append(f"--stop {shown} stops at a backslash and a letter{hint}")
    return notices


def _drawn(vocabulary: Vocabulary, allow: str | None) -> set[int]:
    """Return the codes that may be drawn."""
    codes: list[int] = vocabulary.symbols.tolist()
    if allow is None:
        return set(codes)
    return {codes[symbol] for ids in symbols_of(vocabulary, allow) for symbol in ids}


class Writer:
    """Turns one sample's ids into text and ends it after a stop text, the first that is complete.

    A model of decomposed letters may go on with a letter: its stop text ends where another begins.

    Parameters
    ----------
    vocabulary : Vocabulary
    stops : sequence of str
        From ``stop_symbols``.
    length : int, optional
        Characters at most, as people see them: the text ends with the last symbol of the last one.
    raw : bool
        See ``StreamDecoder``.

    Attributes
    ----------
    ended : bool
        Whether no more text comes.
    symbols : int
        How many were written, or wait for what follows.
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
        """Return the text that ids (n,) complete; with ``last``, all that was held back."""
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
        """Return the ids that belong to the first characters, and whether there are so many."""
        counter = self._counter
        for place, code in enumerate(self._vocabulary.symbols[ids].tolist()):
            counter.add(code)
            if counter.begun > length:
                return ids[:place], True
            if counter.begun == length and counter.complete:
                return ids[: place + 1], True
        return ids, False

    def _end(self, symbols: str, stop: str, last: bool) -> int:
        """Return where a stop text ends first, 0 if it does not."""
        place = symbols.find(stop)
        while place >= 0:
            end = place + len(stop)
            following = symbols[end : end + 1]
            if not self._grows or (may_split_before(following) if following else last):
                return end
            place = symbols.find(stop, place + 1)
        return 0

    def _waiting(self, symbols: str) -> int:
        """Return how many symbols at the end may be the beginning of a stop text."""
        longest = max(map(len, self._stops)) - (not self._grows)
        keep = min(len(symbols), longest)
        while keep and not any(stop.startswith(symbols[-keep:]) for stop in self._stops):
            keep -= 1
        return keep
