"""Streams over a text: every character a target once per epoch, nothing cut, nothing dropped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.errors import VocabularyError
from charrnn.text import Vocabulary
from charrnn.text.vocabulary import to_codes
from charrnn.text.windows import Streams

ALL = slice(None)


def numbered(length):
    """A text in which every character tells its place."""
    codes = np.arange(length, dtype=np.uint16)
    return codes, Vocabulary.from_codes(codes)


@st.composite
def shapes(draw):
    length = draw(st.integers(1, 60))
    return length, draw(st.integers(1, length)), draw(st.integers(1, 70))


@given(shapes())
@settings(deadline=None)
def test_every_character_is_a_target_once_per_epoch(shape):
    length, N, T = shape
    streams = Streams(*numbered(length), N)
    borders = [*streams.starts.tolist(), length]
    parts = np.diff(borders)
    assert borders[0] == 0
    assert parts.min() >= length // N
    assert parts.max() <= -(-length // N)
    windows = [streams.window(cursor, T, ALL) for cursor in range(0, int(parts.max()), T)]
    targets = np.concatenate([targets for _, targets in windows])
    seen = [place for n, part in enumerate(parts) for place in targets[:part, n].tolist()]
    assert sorted(seen) == list(range(length))


@given(shapes(), st.integers(0, 10**15))
@settings(deadline=None)
def test_a_stream_reads_on_and_wraps_at_the_end(shape, cursor):
    length, N, T = shape
    streams = Streams(*numbered(length), N)
    ids, targets = streams.window(cursor, T, ALL)
    assert ids.shape == targets.shape == (T, N)
    for n in range(N):
        start = n * length // N + cursor
        assert ids[:, n].tolist() == [(start + t) % length for t in range(T)]
        assert targets[:, n].tolist() == [(start + t + 1) % length for t in range(T)]
    following, _ = streams.window(cursor + T, T, ALL)
    assert (following[0] == targets[-1]).all()
    again, _ = streams.window(cursor + length, T, ALL)
    assert (again == ids).all()


@given(shapes(), st.data())
@settings(deadline=None)
def test_some_streams_are_columns_of_all(shape, data):
    length, N, T = shape
    columns = slice(*sorted([data.draw(st.integers(0, N)), data.draw(st.integers(0, N))]))
    streams = Streams(*numbered(length), N)
    for some, of_all in zip(streams.window(5, T, columns), streams.window(5, T, ALL), strict=True):
        assert (some == of_all[:, columns]).all()


def test_a_window_longer_than_the_text_goes_round():
    codes = to_codes("abc")
    ids, targets = Streams(codes, Vocabulary.from_codes(codes), 1).window(0, 7, ALL)
    assert ids.ravel().tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert targets.ravel().tolist() == [1, 2, 0, 1, 2, 0, 1]


def test_windows_hold_ids_and_not_codes():
    codes = to_codes("hello, 한국")
    vocabulary = Vocabulary.from_codes(codes)
    ids, targets = Streams(codes, vocabulary, 1).window(0, 8, ALL)
    assert vocabulary.decode(ids.ravel()) == "hello, 한"
    assert vocabulary.decode(targets.ravel()) == "ello, 한국"
    assert ids.dtype == vocabulary.dtype


def test_an_unknown_character_is_named():
    vocabulary = Vocabulary.from_codes(to_codes("abc"))
    streams = Streams(to_codes("abxc"), vocabulary, 2)
    with pytest.raises(VocabularyError, match="'x'"):
        streams.window(0, 3, ALL)
