"""How much of the held-out part stands in the training part, word for word."""

import random
import string
import tracemalloc

import numpy as np
import pytest
from texts import WORDS, prose

from charrnn.data import overlap as repeats
from charrnn.data.overlap import BLOCK, overlap, overlap_of_items, spread
from charrnn.text.codes import to_codes


def noise(count, seed, kind=np.uint8):
    return np.random.default_rng(seed).integers(32, 127, count).astype(kind)


def slow_overlap(train, held):
    """Return the overlap as it is defined, without hashes."""
    train, held = train.tobytes(), held.tobytes()
    blocks = {train[start : start + BLOCK] for start in range(0, len(train) - BLOCK + 1, BLOCK)}
    covered = set()
    for start in range(len(held) - BLOCK + 1):
        if held[start : start + BLOCK] in blocks:
            covered.update(range(start, start + BLOCK))
    return len(covered) / len(held)


def cut(text):
    codes = to_codes(text)
    at = len(codes) * 9 // 10
    return codes[:at], codes[at:]


def test_a_text_that_comes_four_times_is_its_own_copy():
    train, held = cut(prose(600, 2) * 4)
    assert overlap(train, held) > 0.99


def test_a_text_without_repeats_has_none():
    train, held = noise(50_000, 0), noise(5_000, 1)
    assert overlap(train, held) == 0
    assert overlap(train[:10], held) == overlap(train, held[:10]) == 0


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
def test_the_share_that_is_repeated(kind):
    train, held = noise(50_000, 0, kind), noise(1_000, 1, kind)
    held[300:400] = train[12_345:12_445]
    assert 0.1 - 2 * (BLOCK - 1) / 1000 <= overlap(train, held) <= 0.1
    held[300:400] = train[32 * 300 : 32 * 300 + 100]  # whole blocks, and 4 characters
    assert overlap(train, held) == pytest.approx(0.096)


@pytest.mark.parametrize("start", range(0, 32, 3))
def test_every_repeat_of_63_is_found_and_none_of_31(start):
    train, held = noise(5_000, 0), noise(200, 1)
    held[50:113] = train[1000 + start : 1063 + start]
    assert 32 / 200 <= overlap(train, held) <= 63 / 200
    held = noise(200, 1)
    held[50:81] = train[1000 + start : 1031 + start]
    assert overlap(train, held) == 0


def test_chunks_and_samples_change_little(monkeypatch):
    train, held = noise(20_000, 0), noise(9_000, 1)
    held[:3000] = train[5000:8000]
    whole = overlap(train, held)
    monkeypatch.setattr(repeats, "CHUNK", 320)
    assert overlap(train, held) == whole == slow_overlap(train, held)
    monkeypatch.setattr(repeats, "SAMPLE", 4_000)
    assert overlap(train, held) == pytest.approx(whole, abs=0.1)


def test_pieces_are_spread_over_all_of_a_text():
    codes = np.arange(1000)
    pieces = spread(codes, 100, 5)
    assert [len(piece) for piece in pieces] == [20] * 5
    assert pieces[0][0] == 0
    assert pieces[-1][-1] == 999
    assert spread(codes, 1000, 5)[0] is codes


def test_items_that_are_learned_too():
    train = to_codes("anna\nbob\nzoe\n한국\n")
    assert overlap_of_items(train, to_codes("bob\nann\n한국\nbob\n")) == 0.75
    assert overlap_of_items(train, train[:0]) == 0
    assert overlap_of_items(train[:0], to_codes("bob\n")) == 0
    poems = to_codes("rain\nwind\x1esun\x1e")
    assert overlap_of_items(poems, to_codes("wind\x1esun\x1erain\nwind\x1e"), 0x1E) == 2 / 3


def with_boilerplate(seed):
    """Return lines, of whose characters 40 % are in lines that come again and again."""
    rng = random.Random(seed)
    lines = [f"== {' '.join(rng.choices(WORDS, k=10))} ==" for rng in map(random.Random, range(9))]
    text = []
    for _ in range(1500):
        if rng.random() < 0.4:
            text.append(rng.choice(lines))
        else:
            text.append("".join(rng.choices(string.ascii_lowercase, k=60)))
    return to_codes("\n".join(text) + "\n")


def test_boilerplate_counts_once_however_often_it_comes(monkeypatch):
    train, held = with_boilerplate(1), with_boilerplate(2)
    whole = overlap(train, held)
    assert 0.3 < whole < 0.5
    assert whole == slow_overlap(train, held)
    monkeypatch.setattr(repeats, "CHUNK", 960)
    assert overlap(train, held) == whole
    assert overlap(np.tile(train, 8), held) == pytest.approx(whole, abs=0.02)


def test_a_long_text_takes_no_more_memory_than_a_short_one(monkeypatch):
    monkeypatch.setattr(repeats, "CHUNK", 1 << 14)
    held = noise(5_000, 1)

    def peak(train):
        tracemalloc.start()
        overlap(train, held)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(noise(4_000_000, 0)) < 1.1 * peak(noise(40_000, 0))
