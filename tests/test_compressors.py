"""Compressors as opponents: what a text adds to the training text before it."""

import bz2
import gzip
import lzma
import math

import pytest

from charrnn.evaluation import compressors
from charrnn.evaluation.compressors import compressed_bytes_given, compressed_nats_given


def test_compressed_bytes_given_is_a_difference_of_sizes():
    train, held_out = b"to be or not to be, " * 50, b"that is the question"
    added = compressed_bytes_given(train, held_out)
    assert added == {
        "gzip -9": len(gzip.compress(train + held_out, 9)) - len(gzip.compress(train, 9)),
        "bzip2 -9": len(bz2.compress(train + held_out)) - len(bz2.compress(train)),
        "xz -9e": len(lzma.compress(train + held_out, preset=9 | lzma.PRESET_EXTREME))
        - len(lzma.compress(train, preset=9 | lzma.PRESET_EXTREME)),
    }
    assert set(compressed_bytes_given(train, b"").values()) == {0}


def test_one_that_needs_no_more_bytes_is_left_out(monkeypatch):
    added = {"gzip -9": 5, "bzip2 -9": -3, "xz -9e": 0}
    monkeypatch.setattr(compressors, "compressed_bytes_given", lambda *_: added)
    assert compressed_nats_given(b"", b"") == {"gzip -9": pytest.approx(40 * math.log(2))}
