"""Numbering of contexts and n-grams in a training text and a scored text.

Both texts are numbered together. Numbers are only compared for equality, and an n-gram that has not
occurred yet has a count and weight of 0, so no information about a symbol is used before it is
scored.

Dimensions
    n training symbols, m scored symbols, V vocabulary size, C contexts and G n-grams of a kind; an
    n-gram is a context and the symbol after it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from charrnn.backend.arrays import Ids
from charrnn.evaluation.ngrams import number

Small: TypeAlias = npt.NDArray[np.int32]
Flags: TypeAlias = npt.NDArray[np.bool_]


class Kind(NamedTuple):
    """The contexts of one kind, and the n-grams that start with them.

    Attributes
    ----------
    contexts, grams : (n + m,) int arrays
        The context before each symbol, and the n-gram that the symbol completes. N-grams of one
        context have consecutive numbers, in the order of their symbols.
    num_contexts, num_grams : int
        C and G.
    context_of, symbols : (G,) int arrays
        The two parts of each n-gram.
    """

    contexts: Small
    grams: Small
    num_contexts: int
    num_grams: int
    context_of: Small
    symbols: Ids

    @classmethod
    def of(cls, contexts: Small, num_contexts: int, text: Ids, vocab_size: int) -> "Kind":
        """Number the n-grams of a text (n + m,) with the given contexts."""
        grams = number(contexts * np.int64(vocab_size) + text)
        context_of = np.zeros(grams.kinds, np.int32)
        context_of[grams.at] = contexts
        symbols = np.zeros(grams.kinds, text.dtype)
        symbols[grams.at] = text
        return cls(contexts, grams.at, num_contexts, grams.kinds, context_of, symbols)

    def scored(self, n: int) -> "Kind":
        """Return the kind restricted to the contexts and n-grams (m,) of the scored text."""
        return self._replace(contexts=self.contexts[n:].copy(), grams=self.grams[n:].copy())

    def longer(self, n: int) -> tuple[Small, int]:
        """Return the contexts of one more symbol, and their number.

        The contexts at the start of the training text and of the scored text, n symbols later,
        differ from each other and from all others.
        """
        contexts = np.empty_like(self.contexts)
        contexts[1:] = self.grams[:-1]
        contexts[:1] = self.num_grams
        contexts[n : n + 1] = self.num_grams + 1
        return contexts, self.num_grams + 2


def orders(text: Ids, n: int, vocab_size: int, longest: int) -> Iterator[Kind]:
    """Yield the strings of 0, 1, ..., ``longest`` symbols as contexts of a text (n + m,)."""
    kind = Kind.of(np.zeros(len(text), np.int32), 1, text, vocab_size)
    yield kind
    for _ in range(longest):
        kind = Kind.of(*kind.longer(n), text, vocab_size)
        yield kind


def first_places(numbers: Small, kinds: int) -> npt.NDArray[np.int64]:
    """Return the first position of each number (kinds,); the length if there is none."""
    first = np.full(kinds, len(numbers), np.int64)
    first[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)  # the last write wins
    return first


class Stack:
    """Contexts of several kinds at each scored symbol, with their possible next symbols.

    Parameters
    ----------
    kinds : sequence of Kind
        From ``Kind.scored``.

    Attributes
    ----------
    starts : (all C + 1,) int array
        The first n-gram of each context, over all kinds.
    symbols : (all G,) int array
    contexts, grams : (kinds, m) int arrays
        Numbers over all kinds.
    borders : list of int
        The first n-gram of each kind, and the total.
    """

    def __init__(self, kinds: Sequence[Kind]) -> None:
        starts, contexts, grams, symbols = [], [], [], []
        self.borders, num_contexts = [0], 0
        for kind in kinds:
            sizes = np.bincount(kind.context_of, minlength=kind.num_contexts)
            starts.append(self.borders[-1] + np.cumsum(sizes) - sizes)
            contexts.append(kind.contexts + np.int32(num_contexts))
            grams.append(kind.grams + np.int32(self.borders[-1]))
            symbols.append(kind.symbols)
            num_contexts += kind.num_contexts
            self.borders.append(self.borders[-1] + kind.num_grams)
        self.starts = np.concatenate([*starts, [self.borders[-1]]])
        self.symbols = np.concatenate(symbols)
        self.contexts, self.grams = np.stack(contexts), np.stack(grams)
