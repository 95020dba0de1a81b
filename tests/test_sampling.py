"""Drawing text: the right frequencies, the rules, stops, and the same text on any threads."""

import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from cells import KINDS

from charrnn.config import Architecture, SampleConfig
from charrnn.errors import VocabularyError
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharModel
from charrnn.parallel import team
from charrnn.sampling import drawing
from charrnn.sampling.drawing import (
    CHARACTERS_PER_CALL,
    draw,
    encode_seed,
    generate,
    min_p_,
    softmax,
    top_k_,
    top_p_,
)
from charrnn.text import Vocabulary
from charrnn.text.codes import to_codes

P = np.array([0.5, 0.2, 0.15, 0.1, 0.05])
LETTERS = Vocabulary.from_codes(to_codes("abcde"))


def bigrams(logits):
    """A model whose next logits are the column of ``logits`` (V, V) of the last symbol."""
    V = len(logits)
    config = Architecture(cell="rnn", num_layers=1, hidden_size=V, dropout=0.0)
    model = CharModel(config, V, dtype=np.float64)
    model.layers[0].Wx[...] = 5 * np.eye(V)
    model.parameters["head.W"][:, 1:] = logits / np.tanh(5)
    return model


def constant(probabilities):
    """A model that draws from one distribution, whatever came before."""
    return bigrams(np.repeat(np.log(probabilities)[:, np.newaxis], len(probabilities), axis=1))


def cycle(symbols, vocabulary):
    """A model that is sure to write ``symbols``, each of which occurs once, round and round."""
    ids = vocabulary.encode_text(symbols) if isinstance(symbols, str) else symbols
    logits = np.zeros((len(vocabulary), len(vocabulary)))
    logits[np.roll(ids, -1), ids] = 100
    return bigrams(logits)


def test_a_long_seed_is_read_in_windows_that_hold_few_logits(monkeypatch):
    model = bigrams(np.random.default_rng(0).standard_normal((5, 5)))
    seed = np.array([0, 1, 2, 3, 4, 0, 1], np.uint8)
    whole = drawing.begin(model, seed)[0]
    sizes, forward = [], model.forward
    monkeypatch.setattr(model, "forward", lambda x, h: sizes.append(len(x)) or forward(x, h))
    for limit in (3 * 5, 1):
        monkeypatch.setattr(drawing, "LOGITS", limit)
        assert drawing.begin(model, seed)[0] == pytest.approx(whole)
    assert sizes == [3, 3, 1, *[1] * 7]


def texts(model, vocabulary, *, threads=1, seed="", unknown="error", never_first=None, **settings):
    """What is generated, sample by sample."""
    config = SampleConfig(**{"random_seed": 0, **settings})
    parts = [""] * config.num_samples
    for number, text in generate(
        model,
        vocabulary,
        config,
        seed=seed,
        unknown=unknown,
        never_first=never_first,
        threads=threads,
    ):
        assert text
        parts[number] += text
    return parts


def frequencies(**settings):
    """How often each letter of a known distribution is drawn, of 20,000 in 50 samples."""
    text = "".join(texts(constant(P), LETTERS, length=400, num_samples=50, **settings))
    assert len(text) == 20_000
    return np.array([text.count(letter) for letter in "abcde"])


def assert_drawn_from(counts, probabilities):
    expected = np.array(probabilities) * counts.sum()
    assert (counts[expected == 0] == 0).all()
    possible = expected > 0
    chi_square = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    assert chi_square < 18.5  # one in a thousand for 4 degrees of freedom; the seed is fixed


# Frequencies


@pytest.mark.parametrize(
    ("settings", "probabilities"),
    [
        ({}, P),
        ({"temperature": 2.0}, P**0.5 / (P**0.5).sum()),
        ({"temperature": 0.5}, P**2 / (P**2).sum()),
        ({"temperature": 1e6}, np.full(5, 0.2)),
        ({"top_k": 2}, np.array([5, 2, 0, 0, 0]) / 7),
        ({"top_k": 100}, P),
        ({"top_p": 0.6}, np.array([5, 2, 0, 0, 0]) / 7),
        ({"top_p": 1.0}, P),
        ({"min_p": 0.25}, np.array([5, 2, 1.5, 0, 0]) / 8.5),
        ({"min_p": 0.0}, P),
        ({"top_k": 4, "min_p": 0.25, "top_p": 0.99}, np.array([5, 2, 1.5, 0, 0]) / 8.5),
    ],
)
def test_frequencies_are_those_of_the_distribution(settings, probabilities):
    assert_drawn_from(frequencies(**settings), probabilities)


def test_the_check_of_frequencies_can_fail():
    with pytest.raises(AssertionError):
        assert_drawn_from(frequencies(temperature=1.1), P)


def test_the_distribution_is_that_after_the_last_symbol():
    logits = np.log(np.array([[0.9, 0.3], [0.1, 0.7]]))
    vocabulary = Vocabulary.from_codes(to_codes("ab"))
    text = "".join(texts(bigrams(logits), vocabulary, length=500, num_samples=40))
    pairs = list(pairwise(text))
    for last, share in (("a", 0.9), ("b", 0.3)):
        following = [pair[1] for pair in pairs if pair[0] == last]
        assert following.count("a") / len(following) == pytest.approx(share, abs=0.02)


def test_draw_inverts_the_distribution():
    N = 1000
    uniform = (np.arange(N) + 0.5) / N
    ids = draw(np.repeat(np.log(P)[:, np.newaxis], N, axis=1), uniform, SampleConfig())
    assert (np.diff(ids) >= 0).all()
    assert np.abs(np.bincount(ids) - P * N).max() <= 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_draw_at_the_ends_takes_what_is_possible(dtype):
    logits = np.array([[-np.inf], [0], [-np.inf], [0.3], [-np.inf]], dtype)
    last = np.nextafter(1.0, 0)
    assert draw(logits.copy(), np.array([0.0]), SampleConfig()) == 1
    assert draw(logits.copy(), np.array([last]), SampleConfig()) == 3
    for V in range(1, 300):
        rng = np.random.default_rng(V)
        column = rng.standard_normal((V, 1)).astype(dtype)
        assert 0 <= draw(column, np.array([last]), SampleConfig())[0] < V


# Temperature


def test_temperature_0_takes_the_likeliest():
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((7, 40)).astype(np.float32)
    uniform = rng.random(40)
    for settings in ({}, {"top_k": 3}, {"top_p": 0.1}, {"min_p": 1.0}):
        config = SampleConfig(temperature=0, **settings)
        assert (draw(logits.copy(), uniform, config) == logits.argmax(axis=0)).all()


@pytest.mark.parametrize("temperature", [1e-30, 1e-6, 5e-324])
@pytest.mark.parametrize("size", [1e-3, 1, 1e4, 1e38])
@pytest.mark.parametrize("rule", [{}, {"top_k": 2}, {"top_p": 0.9}, {"min_p": 0.5}])
def test_a_tiny_temperature_is_nearly_greedy_and_warns_of_nothing(temperature, size, rule):
    rng = np.random.default_rng(0)
    logits = (rng.uniform(-1, 1, (7, 40)) * size).astype(np.float32)
    config = SampleConfig(temperature=temperature, **rule)
    drawn = draw(logits.copy(), rng.random(40), config)
    assert (drawn == logits.argmax(axis=0)).all()


def test_a_high_temperature_is_nearly_uniform():
    logits = np.repeat(np.array([[3.0], [-3.0]], np.float32), 1000, axis=1)
    drawn = draw(logits, np.random.default_rng(0).random(1000), SampleConfig(temperature=1e6))
    assert 450 < drawn.sum() < 550


# Rules, one column at a time


def kept(rule, probabilities, limit):
    logits = np.log(np.array(probabilities, np.float64))[:, np.newaxis] + 3
    before = logits.copy()
    after = rule(logits, limit)
    assert after is logits
    left = np.isfinite(after[:, 0])
    assert (after[left] == before[left]).all()
    return np.flatnonzero(left).tolist()


@pytest.mark.parametrize(
    ("rule", "limit", "left"),
    [
        (top_k_, 1, [2]),
        (top_k_, 2, [0, 2]),
        (top_k_, 3, [0, 2, 3]),
        (top_k_, 5, [0, 1, 2, 3, 4]),
        (top_k_, 10**12, [0, 1, 2, 3, 4]),
        (top_p_, 1e-9, [2]),
        (top_p_, 0.49, [2]),
        (top_p_, 0.51, [0, 2]),
        (top_p_, 0.69, [0, 2]),
        (top_p_, 0.71, [0, 2, 3]),
        (top_p_, 0.86, [0, 2, 3, 4]),
        (top_p_, 1.0, [0, 1, 2, 3, 4]),
        (min_p_, 0.0, [0, 1, 2, 3, 4]),
        (min_p_, 0.09, [0, 1, 2, 3, 4]),
        (min_p_, 0.11, [0, 2, 3, 4]),
        (min_p_, 0.31, [0, 2]),
        (min_p_, 0.41, [2]),
        (min_p_, 1.0, [2]),
    ],
)
def test_what_the_rules_leave(rule, limit, left):
    assert kept(rule, [0.2, 0.05, 0.5, 0.15, 0.1], limit) == left


def test_rules_look_at_each_column_alone():
    logits = np.log(np.array([[0.7, 0.1], [0.2, 0.3], [0.1, 0.6]]))
    for rule, limit in ((top_k_, 1), (top_p_, 0.5), (min_p_, 0.9)):
        assert np.isfinite(rule(logits.copy(), limit)).T.tolist() == [
            [True, False, False],
            [False, False, True],
        ]


def test_softmax_is_a_distribution_in_float64():
    logits = np.array([[1e4, -1e4], [0, 0], [1e4, 1]], np.float32)
    p = softmax(logits)
    assert p.dtype == np.float64
    np.testing.assert_allclose(p.sum(axis=0), 1)
    np.testing.assert_allclose(p[:, 0], [0.5, 0, 0.5])


# Length, seeds of randomness, threads


def random_model(cell="gru", V=5):
    config = Architecture(**KINDS[cell], num_layers=2, hidden_size=12, dropout=0.5)
    model = CharModel(config, V)
    rng = np.random.default_rng(0)
    model.initialise(rng)
    model.parameters["head.W"][...] = rng.standard_normal(model.parameters["head.W"].shape)
    return model


@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize("length", [0, 1, CHARACTERS_PER_CALL, CHARACTERS_PER_CALL + 1, 200])
def test_the_length_counts_characters_without_the_seed(num_samples, length):
    drawn = texts(random_model(), LETTERS, length=length, num_samples=num_samples, seed="abc")
    assert [len(text) for text in drawn] == [length] * num_samples


def test_a_single_sample_comes_character_by_character():
    config = SampleConfig(length=20, random_seed=0)
    pieces = [text for _, text in generate(random_model(), LETTERS, config)]
    assert [len(piece) for piece in pieces] == [1] * 20


@pytest.mark.parametrize("forks", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_threads_do_not_change_the_text(cell, forks, monkeypatch):
    if forks and not team.FORKS:
        pytest.skip("no forks here")
    monkeypatch.setattr(team, "FORKS", forks)
    model = random_model(cell)
    drawn = [
        texts(model, LETTERS, length=80, num_samples=70, threads=threads, seed="abc")
        for threads in (1, 2, 3)
    ]
    assert drawn[0] == drawn[1] == drawn[2]
    assert len(set(drawn[0])) == 70


def test_samples_differ_and_seeds_decide():
    model = random_model()
    first = texts(model, LETTERS, length=50, num_samples=4, random_seed=1)
    assert texts(model, LETTERS, length=50, num_samples=4, random_seed=1) == first
    assert len({*first, *texts(model, LETTERS, length=50, num_samples=4, random_seed=2)}) == 8
    unseeded = [texts(model, LETTERS, length=50, random_seed=None)[0] for _ in range(2)]
    assert unseeded[0] != unseeded[1]


def test_a_sample_is_the_same_among_others():
    alone = texts(constant(P), LETTERS, length=150)[0]
    assert texts(constant(P), LETTERS, length=150, num_samples=20)[0] == alone


def test_dropout_takes_no_part():
    model = random_model()
    drawn = texts(model, LETTERS, length=50, temperature=0)
    model.members[""].body.dropouts[0].rate = 0.0
    assert texts(model, LETTERS, length=50, temperature=0) == drawn


# The text to begin with


@pytest.mark.parametrize(
    ("cell", "length"),
    [*((cell, 1025) for cell in CELLS), ("gru", 1), ("gru", 1023), ("gru", 1024)],
)
@pytest.mark.parametrize("num_samples", [1, 2])
def test_the_seed_is_read_to_its_end(cell, length, num_samples):
    model = random_model(cell)
    rng = np.random.default_rng(length)
    seed = "".join("abcde"[i] for i in rng.integers(0, 5, length))
    drawn = texts(model, LETTERS, length=8, temperature=0, seed=seed, num_samples=num_samples)
    state, wanted = model.zero_state(1), ""
    ids = LETTERS.encode_text(seed)
    for step in range(length + 8 - 1):
        logits, state = model.forward(ids[step : step + 1, np.newaxis], state)
        if step >= length - 1:
            ids = np.append(ids, logits[:, 0].argmax()).astype(np.uint8)
    wanted = LETTERS.decode(ids[length:])
    assert drawn == [wanted] * num_samples


def test_an_unknown_character_in_the_seed_is_an_error_that_names_it():
    with pytest.raises(VocabularyError, match=r"'Z' \(U\+005A\).*--unknown skip"):
        texts(random_model(), LETTERS, length=5, seed="abZ")


def test_unknown_characters_of_the_seed_can_be_dropped():
    model = random_model()
    drawn = texts(model, LETTERS, length=20, seed="aZbZ", unknown="skip")
    assert drawn == texts(model, LETTERS, length=20, seed="ab")
    assert drawn != texts(model, LETTERS, length=20, seed="b")


def test_without_a_seed_it_begins_as_after_a_line_end():
    vocabulary = Vocabulary.from_codes(to_codes("\tabc\n"))
    model = cycle("b\nca\t", vocabulary)
    assert texts(model, vocabulary, length=5) == ["ca\tb\n"]
    assert texts(model, vocabulary, length=5, seed="Z", unknown="skip") == ["ca\tb\n"]
    assert texts(cycle("caebd", LETTERS), LETTERS, length=5) == ["ebdca"]  # after the first symbol
    assert encode_seed(vocabulary, "").tolist() == [1]


@pytest.mark.parametrize(
    "rule",
    [{}, {"temperature": 0}, {"temperature": 0.1}, {"top_k": 1}, {"top_p": 0.01}, {"min_p": 1.0}],
)
@pytest.mark.parametrize("num_samples", [1, 70])
@pytest.mark.parametrize("seed", ["", "ab"])
def test_a_symbol_that_is_never_first_may_be_second(rule, num_samples, seed):
    model = constant([0.04, 0.9, 0.03, 0.02, 0.01])
    config = {"num_samples": num_samples, "length": 10, "seed": seed, **rule}
    free = texts(model, LETTERS, **config)
    drawn = texts(model, LETTERS, never_first=1, threads=2, **config)
    assert "b" in {text[0] for text in free}
    assert "b" not in {text[0] for text in drawn}
    assert all("b" in text[1:] for text in drawn)
    if rule:  # the rules apply to what is left
        assert {text[0] for text in drawn} <= ({"a", "c", "d"} if "temperature" in rule else {"a"})


def test_the_first_symbol_is_drawn_from_what_is_left():
    model = constant(P)
    drawn = texts(model, LETTERS, length=1, num_samples=5000, never_first=0)
    counts = np.array([drawn.count(letter) for letter in "abcde"])
    assert_drawn_from(counts, np.array([0, *P[1:]]) / P[1:].sum())


def test_a_single_symbol_may_be_first():
    vocabulary = Vocabulary.from_codes(to_codes("\n"))
    assert texts(constant([1.0]), vocabulary, length=3, never_first=0) == ["\n\n\n"]


def test_a_lone_surrogate_in_the_seed_is_an_error():
    with pytest.raises(VocabularyError, match=r"U\+D800"):
        texts(random_model(), LETTERS, length=5, seed="a\ud800")


# The stop text


LONG = Vocabulary.from_codes(to_codes("".join(chr(0x4E00 + i) for i in range(150))))
AROUND = "".join(chr(0x4E00 + (i + 1) % 150) for i in range(300))  # what follows the first


@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 1), (0, 5), (60, 64), (62, 66), (63, 64), (63, 65), (64, 65), (10, 140), (127, 129)],
)
def test_the_text_ends_with_the_stop_text_however_it_is_cut(num_samples, start, stop):
    drawn = texts(
        cycle(LONG.decode(np.arange(150)), LONG),
        LONG,
        length=290,
        num_samples=num_samples,
        stop=AROUND[start:stop],
    )
    assert drawn == [AROUND[:stop]] * num_samples


def test_nothing_is_drawn_after_every_sample_has_stopped():
    model = cycle(LONG.decode(np.arange(150)), LONG)
    config = SampleConfig(length=10**12, stop=AROUND[3:6], num_samples=2, random_seed=0)
    assert "".join(text for _, text in generate(model, LONG, config)) == 2 * AROUND[:6]


@pytest.mark.parametrize("num_samples", [1, 3])
def test_the_beginning_of_a_stop_text_that_does_not_come_is_text(num_samples):
    model = cycle(LONG.decode(np.arange(150)), LONG)
    for length in (64, 66, 100):
        for stop in (AROUND[length - 4 : length] + "x", AROUND[length - 4 : length + 1]):
            drawn = texts(model, LONG, length=length, num_samples=num_samples, stop=stop)
            assert drawn == [AROUND[:length]] * num_samples


def test_a_stop_text_that_begins_anew_within_itself():
    # aab in aaab: the second a begins it too.
    vocabulary = Vocabulary.from_codes(to_codes("ab"))
    drawn = texts(constant([0.8, 0.2]), vocabulary, length=3000, stop="aab")[0]
    assert drawn.endswith("aab")
    assert "aab" not in drawn[:-1]
    overlapping = texts(constant([0.8, 0.2]), vocabulary, length=3000, stop="abab", num_samples=9)
    for text in overlapping:
        assert text.find("abab") == len(text) - 4


def test_an_empty_stop_text_stops_nothing():
    assert len(texts(random_model(), LETTERS, length=100, stop="")[0]) == 100


# Symbols that are not characters


def test_jamo_are_composed_as_they_come():
    text = "한글"
    jamo = unicodedata.normalize("NFD", text)
    assert len(jamo) == len(set(jamo)) == 6
    vocabulary = Vocabulary.from_codes(to_codes(jamo), normalize="nfd")
    model = cycle(jamo, vocabulary)
    # After the last jamo the first comes again.
    config = SampleConfig(length=4, random_seed=0)
    pieces = [piece for _, piece in generate(model, vocabulary, config, seed=text)]
    assert "".join(pieces) == "한글한글"
    assert all(unicodedata.is_normalized("NFC", piece) for piece in pieces)
    assert texts(model, vocabulary, length=3, seed=text) == ["한글한"]
    for form in ("NFC", "NFD"):  # some terminals give jamo
        stop = unicodedata.normalize(form, "글한")
        drawn = texts(model, vocabulary, length=200, num_samples=2, seed=text, stop=stop)
        assert drawn == ["한글한", "한글한"]


def test_bytes_become_characters_when_they_are_whole():
    data = "é한😀".encode()
    assert len(data) == len(set(data)) == 9
    vocabulary = Vocabulary.from_codes(np.frombuffer(data, np.uint8), unit="byte")
    ids = vocabulary.encode(np.frombuffer(data, np.uint8))
    model = cycle(ids, vocabulary)
    seed = "é한😀"
    config = SampleConfig(length=6, random_seed=0)
    pieces = [piece for _, piece in generate(model, vocabulary, config, seed=seed)]
    assert pieces == list("é한😀é한😀")
    assert texts(model, vocabulary, length=2, seed=seed) == ["é한"]
    many = texts(model, vocabulary, length=300, num_samples=2, seed=seed)
    assert many == ["é한😀" * 100] * 2
    assert texts(model, vocabulary, length=900, seed="é", stop="한") == ["한"]
