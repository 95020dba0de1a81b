"""Memory that windows of different shapes share."""

import numpy as np
from emulator.backend import EmulatedBackend
from models import architecture, random_model, random_window

from charrnn.cuda.buffers import Buffers
from charrnn.cuda.cells import Lstm
from charrnn.cuda.model import CudaModel
from charrnn.cuda.persistent import Persistent, cell_for

SHAPES = [(40, 1024), (20, 64), (32, 64)]


def test_a_smaller_window_uses_the_beginning_and_a_larger_one_takes_more():
    buffers = Buffers(EmulatedBackend())
    first, smaller = buffers.take("x", 3, 4), buffers.take("x", 2, 4)
    first[...], smaller[...] = 1, 2
    assert first.sum() == 2 * 8 + 4
    larger = buffers.take("x", 13)
    larger[...] = 5
    assert first.sum() == 2 * 8 + 4  # recorded work goes on there
    assert buffers.take("x", 24).base is larger.base


def test_windows_of_fewer_streams_may_have_other_kernels():
    """The last batch of an epoch has fewer streams, and its kernels buffers of their own."""
    backend = EmulatedBackend("tf32")
    config, buffers = architecture(cell="lstm", hidden_size=512), Buffers(backend)
    cells = [cell_for(backend, config, T, N, buffers, "layer") for T, N in SHAPES]
    assert type(cells[0]) is Lstm
    assert all(isinstance(cell, Persistent) for cell in cells[1:])


class Counting(EmulatedBackend):
    """Counts what is allocated."""

    bytes = 0

    def zeros(self, shape, dtype=np.float32):
        array = super().zeros(shape, dtype)
        self.bytes += array.nbytes
        return array


def test_windows_of_many_lengths_that_are_scored_share_their_memory():
    config, backend = architecture(hidden_size=16), Counting()
    gpu = CudaModel(random_model(config), backend)
    taken = []
    for T in (30, 29, 28, 27):
        ids, _, _, _, state = random_window(config, T=T, N=3)
        before = backend.bytes
        gpu.forward(ids, state)
        taken.append(backend.bytes - before)
    assert max(taken[1:]) < taken[0] / 20
