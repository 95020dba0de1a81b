"""Units that follow properties of a text, beside correlations computed step by step."""

import numpy as np
import pytest
from cells import KINDS

from charrnn.config import Architecture
from charrnn.evaluation import units as module
from charrnn.evaluation.properties import PROPERTIES, properties_of
from charrnn.evaluation.units import (
    Piece,
    correlations,
    outputs,
    pieces_of,
    units_that_follow,
)
from charrnn.nn.model import CharModel

TEXT = 'He said "no (1,234)".\n\nTHE END # it "is\n  so:\tYes 5.\n' * 40
LETTERS = sorted(set(TEXT))
IDS = np.array([LETTERS.index(letter) for letter in TEXT])

EXPECTED = [
    ("inside quotes", 'a "bc" d', "00111000"),
    ("inside quotes", '"a\n\nb', "11100"),
    ("inside quotes", "a «b» 「c」", "001100110"),
    ("inside brackets", "a(b[c]d)e", "011111100"),
    ("inside brackets", "(\n\n)x", "11000"),
    ("inside a comment", "a # b\nc", "0011100"),
    ("inside a comment", "a//b", "0011"),
    ("a digit", "a1٣", "011"),
    ("a space or a line end", "a b\n", "0101"),
    ("a capital", "aBÇ한", "0110"),
    ("in a word that begins with a capital", "Ab c D", "110001"),
    ("in a word in capitals", "ABc DE", "010001"),
    ("at the beginning of a line", "abcd\nef", "1110011"),
    ("position in the line", "abc\nde", "012301"),
    ("indentation of the line", "  a b\n c", "12222211"),
    ("position in the word", "ab, cd", "120012"),
    ("length of the last word", "ab cde f", "00222233"),
    ("position in the sentence", "ab. c", "12301"),
    ("lines since the last blank one", "a\nb\n\nc\n", "1122011"),
]


@pytest.mark.parametrize(("name", "text", "values"), EXPECTED)
def test_properties(name, text, values):
    found = properties_of(text)[list(PROPERTIES).index(name)]
    assert "".join(f"{value:.0f}" for value in found) == values


def test_every_property_has_a_test():
    assert {name for name, *_ in EXPECTED} == set(PROPERTIES)


def test_properties_follow_from_what_was_read_alone():
    whole = properties_of(TEXT)
    for stop in (1, 17, 60):
        np.testing.assert_array_equal(properties_of(TEXT[:stop]), whole[:, :stop])
    long = properties_of("x" * 500)
    assert long[list(PROPERTIES).index("position in the line")].max() == 80


def network(seed=1, **settings):
    shape = Architecture(**{"cell": "gru", "hidden_size": 5, "num_layers": 2, **settings})
    model = CharModel(shape, len(LETTERS), dtype=np.float64)
    model.initialise(np.random.default_rng(seed))
    return model


def step_by_step(model, ids):
    """Outputs (n, U) of the first member's units, by the state that each symbol leaves behind."""
    body, rows = next(iter(model.members.values())).body, []
    state = np.zeros((*body.state_shape, 1))
    for symbol in ids:
        _, state = body.forward(np.array([[symbol]]), state)
        rows.append(np.concatenate([state[layer, 0, :, 0] for layer in range(len(state))]))
    return np.array(rows)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("members", [1, 2])
def test_correlations_are_those_of_numpy(cell, members, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 100)
    model = network(cell=cell, members=members)
    pieces = pieces_of(IDS[:400], TEXT[:400], length=70, warm_up=15)
    assert sum(piece.counted.sum() for piece in pieces) == 400
    h = np.concatenate([step_by_step(model, piece.ids)[piece.counted] for piece in pieces])
    f = properties_of(TEXT[:400])
    with np.errstate(invalid="ignore"):
        expected = np.nan_to_num(np.corrcoef(f, h.T)[: len(f), len(f) :])
    assert np.count_nonzero(expected) > 100
    np.testing.assert_allclose(correlations(model, pieces), expected, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("directions", [1, 2])
def test_outputs_of_every_cell_and_of_both_directions(kind, directions):
    model = network(**KINDS[kind], directions=directions, num_labels=3)
    ids = IDS[:24].reshape(12, 2)
    found = outputs(model, ids)
    assert found.shape == (12, 10, 2)
    assert found.std() > 0
    # What reads from the beginning does not know what comes at the end.
    np.testing.assert_allclose(found[:5, :5], outputs(model, ids[:5])[:, :5], atol=1e-12)


def planted(units):
    """A network of which some units are on exactly while the last symbol is a digit."""
    model = network(cell="rnn", num_layers=1)
    (layer,) = model.layers
    model.parameters.vector[...] = 0
    layer.Wx[...] = np.random.default_rng(3).normal(size=layer.Wx.shape) * 0.1
    for unit in units:
        layer.Wx[unit] = [3.0 if letter.isdigit() else -3.0 for letter in LETTERS]
    return model


def test_a_planted_unit_is_found_and_an_untrained_network_is_beside_it():
    half = len(IDS) // 2
    first = pieces_of(IDS[:half], TEXT[:half])
    second = pieces_of(IDS[half:], TEXT[half:])
    found = units_that_follow(planted([3]), planted([]), first, second)
    best = found[0]
    assert (best.name, best.layer, best.unit) == ("a digit", 0, 3)
    assert best.chosen == pytest.approx(1)
    assert best.correlation == pytest.approx(1)
    plain = correlations(planted([]), second)[best.number]
    assert abs(best.untrained) <= np.abs(plain).max()
    gains = [abs(unit.chosen) - abs(unit.untrained_chosen) for unit in found]
    assert gains == sorted(gains, reverse=True)
    assert {unit.name for unit in found} <= set(PROPERTIES)


def test_the_second_half_chooses_nothing():
    half = len(IDS) // 2
    first = pieces_of(IDS[:half], TEXT[:half])
    shuffled = np.random.default_rng(4).permutation(len(IDS) - half) + half
    second = [
        pieces_of(IDS[half:], TEXT[half:]),
        pieces_of(IDS[shuffled], "".join(TEXT[place] for place in shuffled)),
    ]
    model, plain = network(), network(seed=9)
    one, other = (
        {unit.name: unit for unit in units_that_follow(model, plain, first, measured)}
        for measured in second
    )
    both = one.keys() & other.keys()
    assert len(both) > 8
    for name in both:
        assert (one[name].layer, one[name].unit) == (other[name].layer, other[name].unit)
        assert one[name].chosen == other[name].chosen
    assert any(one[name].correlation != other[name].correlation for name in both)


def test_a_property_that_hardly_occurs_is_left_out():
    text = "plain words only\n" * 60
    ids = np.array([LETTERS.index("e")] * len(text))
    half = pieces_of(ids, text)
    names = [unit.name for unit in units_that_follow(network(), network(2), half, half)]
    assert "position in the line" in names
    assert not {"a digit", "inside quotes", "a capital"} & set(names)
    rare = Piece(ids, properties_of("1" * 5 + text[5:]), np.ones(len(ids), bool))
    names = [unit.name for unit in units_that_follow(network(), network(2), [rare], half)]
    assert "a digit" not in names
