"""Streams over a text: every character a target once per epoch, nothing cut, nothing dropped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.data.streams import Streams
from charrnn.errors import VocabularyError
from charrnn.text import Vocabulary
from charrnn.text.codes import to_codes

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
    streams = Streams(*numbered(length), N, T)
    borders = [*streams.starts.tolist(), length]
    parts = np.diff(borders)
    assert borders[0] == 0
    assert parts.min() >= length // N
    assert parts.max() <= -(-length // N)
    windows = [streams.window(step, ALL) for step in range(1, 1 - (-int(parts.max()) // T))]
    targets = np.concatenate([window.targets for window in windows])
    seen = [place for n, part in enumerate(parts) for place in targets[:part, n].tolist()]
    assert sorted(seen) == list(range(length))


@given(shapes(), st.integers(1, 10**12))
@settings(deadline=None)
def test_a_stream_reads_on_and_wraps_at_the_end(shape, step):
    length, N, T = shape
    streams = Streams(*numbered(length), N, T)
    ids, targets, scored, begins, carried, lengths = streams.window(step, ALL)
    assert scored is None
    assert lengths is None
    assert begins is None
    assert carried
    assert ids.shape == targets.shape == (T, N)
    for n in range(N):
        start = n * length // N + (step - 1) * T
        assert ids[:, n].tolist() == [(start + t) % length for t in range(T)]
        assert targets[:, n].tolist() == [(start + t + 1) % length for t in range(T)]
    assert (streams.window(step + 1, ALL).ids[0] == targets[-1]).all()
    assert (streams.window(step + length, ALL).ids == ids).all()
    assert streams.symbols(step) == streams.symbols_per_step == T * N


@given(shapes(), st.data())
@settings(deadline=None)
def test_some_streams_are_columns_of_all(shape, data):
    length, N, T = shape
    columns = slice(*sorted([data.draw(st.integers(0, N)), data.draw(st.integers(0, N))]))
    streams = Streams(*numbered(length), N, T)
    some, of_all = streams.window(5, columns), streams.window(5, ALL)
    assert (some.ids == of_all.ids[:, columns]).all()
    assert (some.targets == of_all.targets[:, columns]).all()


def test_a_window_longer_than_the_text_goes_round():
    codes = to_codes("abc")
    ids, targets, *_ = Streams(codes, Vocabulary.from_codes(codes), 1, 7).window(1, ALL)
    assert ids.ravel().tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert targets.ravel().tolist() == [1, 2, 0, 1, 2, 0, 1]


def test_windows_hold_ids_and_not_codes():
    codes = to_codes("hello, 한국")
    vocabulary = Vocabulary.from_codes(codes)
    ids, targets, *_ = Streams(codes, vocabulary, 1, 8).window(1, ALL)
    assert vocabulary.decode(ids.ravel()) == "hello, 한"
    assert vocabulary.decode(targets.ravel()) == "ello, 한국"
    assert ids.dtype == vocabulary.dtype


def test_an_unknown_character_is_named():
    vocabulary = Vocabulary.from_codes(to_codes("abc"))
    streams = Streams(to_codes("abxc"), vocabulary, 2, 3)
    with pytest.raises(VocabularyError, match="'x'"):
        streams.window(1, ALL)
