"""A model that grows: what it knew it predicts as before, among more symbols."""

import numpy as np
import pytest
from cells import KINDS

from charrnn.config import Architecture
from charrnn.nn.cells import CELLS
from charrnn.nn.growing import fill_grown
from charrnn.nn.loss import log_softmax_
from charrnn.nn.model import CharModel


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding_size", [0, 5])
@pytest.mark.parametrize("members", [1, 2])
def test_a_grown_model_predicts_as_before(cell, embedding_size, members):
    config = Architecture(
        **KINDS[cell],
        num_layers=2,
        hidden_size=6,
        embedding_size=embedding_size,
        members=members,
    )
    rng = np.random.default_rng(0)
    old = CharModel(config, 4, dtype=np.float64)
    old.parameters.vector[...] = rng.standard_normal(old.num_parameters)
    new = CharModel(config, 7, dtype=np.float64)
    new.initialise(rng)
    places = np.array([0, 2, 3, 6])
    fill_grown(new, old.parameters, places)
    ids = rng.integers(0, 4, (9, 3))
    before, _ = old.forward(ids, old.zero_state(3))
    after, _ = new.forward(places[ids], new.zero_state(3))
    np.testing.assert_allclose(after[places], before, rtol=1e-12)
    heads = [name for name in old.parameters if name.endswith("head.W")]
    assert len(heads) == members
    # A new symbol has the bias of the rarest one in each member, whatever was read.
    lowest = np.mean([old.parameters[name][:, 0].min() for name in heads])
    np.testing.assert_allclose(after[[1, 4, 5]], lowest, rtol=1e-12)
    known = log_softmax_(after.copy())[places]
    assert (known <= log_softmax_(before.copy()) + 1e-12).all()


def test_what_reads_a_new_symbol_keeps_its_first_weights():
    config = Architecture(cell="lstm", num_layers=1, hidden_size=6)
    rng = np.random.default_rng(0)
    old, new = CharModel(config, 3), CharModel(config, 4)
    old.initialise(rng)
    new.initialise(rng)
    first = new.parameters["layers.0.W"][:, 1].copy()
    fill_grown(new, old.parameters, np.array([0, 2, 3]))
    assert (new.parameters["layers.0.W"][:, 1] == first).all()
    assert (new.parameters["layers.0.W"][:, [0, 2, 3]] == old.parameters["layers.0.W"][:, :3]).all()
    assert (new.parameters["layers.0.W"][:, 4:] == old.parameters["layers.0.W"][:, 3:]).all()
