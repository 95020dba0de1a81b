"""Long short-term memory (LSTM).

Dimensions
    T steps of the window, N parallel streams, D input features, H hidden units;
    B steps whose derivatives are computed together.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from charrnn.backend.arrays import Array, steps_in_cache, swap_time
from charrnn.backend.products import Product, product_of
from charrnn.nn.cells.recurrent import Recurrent, sigmoid_


class Step(NamedTuple):
    """Views of the buffers for one time step."""

    h_prev: Array  # (H, N)
    z: Array  # (4H, N), pre-activations, overwritten by [o; i; f; g]
    oif: Array  # (3H, N), [o; i; f]
    i_f: Array  # (2H, N), [i; f]
    g_c_prev: Array  # (2H, N), [g; c_prev], multiplied by [i; f]
    o: Array  # (H, N)
    g: Array  # (H, N)
    f: Array  # (H, N)
    c: Array  # (H, N)
    h: Array  # (H, N)


class BackwardStep(NamedTuple):
    """Views of one step's derivatives, which the gradients overwrite."""

    dz: Array  # (4H, N), [dz_o; dz_i; dz_f; dz_g]
    dz_o: Array  # (H, N)
    dz_ifg: Array  # (3, H, N)
    dc_dh: Array  # (H, N), o (1 - tanh(c)^2)


class TimeLSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000).

    The gates are stored in the order o, i, f, g. The three sigmoid gates are then adjacent rows,
    and so are the three gates whose gradient comes from c::

        [o; i; f] = sigmoid(Wx x[t] + b + Wh h[t-1])     (rows 0 to 3H)
        g    = tanh(Wx x[t] + b + Wh h[t-1])             (rows 3H to 4H)
        c[t] = i * g + f * c[t-1]
        h[t] = o * tanh(c[t])

    In the backward pass, ``dh`` is the gradient of ``h[t]``, the sum of the gradients from the
    layer above and from step t + 1. ``dc`` is the gradient of ``c[t]`` from step t + 1::

        dc   = dc + dh * o (1 - tanh(c[t])^2)
        dz_o = dh * tanh(c[t]) o (1 - o)
        dz_i = dc * g          i (1 - i)
        dz_f = dc * c[t-1]     f (1 - f)
        dz_g = dc * i          (1 - g^2)
        dc   = dc * f
        dh   = Wh^T dz

    The factors to the right of the ``*`` are local derivatives. They need no recurrence, so they
    are computed for several steps at once. The bias of the forget gate is initialized to 1
    (Jozefowicz et al. 2015).

    ``h (T+1, H, N)`` and ``c (T+1, H, N)`` start with the state before the window, so the output
    of step t is ``h[t+1]`` and its cell state is ``c[t+1]``.
    """

    gates = 4
    states = ("h", "c")

    def initialise(self, rng: np.random.Generator) -> None:
        super().initialise(rng)
        self.b[2 * self.hidden_size : 3 * self.hidden_size] = 1

    def _allocate(self, T: int, N: int) -> None:
        H = self.hidden_size
        self.product = product_of(4 * H, H, N)
        self.Wh_h = self._new(4 * H, N)
        # o, i, f, g and c_prev of each step. A step writes its c to c_prev of the next step.
        self.cells = self._new(T + 1, 5, H, N)
        self.c: Array = self.cells[:, 4]  # (T + 1, H, N)
        self.z = self.cells.reshape(T + 1, 5 * H, N)[:-1, : 4 * H]
        self.ig_fc = self._new(2 * H, N)  # [i * g; f * c_prev]
        self.steps = [
            Step(
                h_prev=self.h[t],
                z=cell[:4].reshape(4 * H, N),
                oif=cell[:3].reshape(3 * H, N),
                i_f=cell[1:3].reshape(2 * H, N),
                g_c_prev=cell[3:].reshape(2 * H, N),
                o=cell[0],
                g=cell[3],
                f=cell[2],
                c=self.c[t + 1],
                h=self.h[t + 1],
            )
            for t, cell in enumerate(self.cells[:-1])
        ]

    def _forward(self, Wh: Array, products: Iterable[Product]) -> None:
        Wh_h, ig_fc, H = self.Wh_h, self.ig_fc, self.hidden_size
        ig, fc = ig_fc[:H], ig_fc[H:]
        tanh_c = ig  # i * g is no longer needed by then
        for s, product in zip(self.steps, products, strict=False):
            product(Wh, s.h_prev, out=Wh_h)
            np.add(s.z, Wh_h, out=s.z)
            sigmoid_(s.oif)
            np.tanh(s.g, out=s.g)
            np.multiply(s.i_f, s.g_c_prev, out=ig_fc)
            np.add(ig, fc, out=s.c)
            np.tanh(s.c, out=tanh_c)
            np.multiply(s.o, tanh_c, out=s.h)

    def _allocate_backward(self, T: int, N: int) -> None:
        H = self.hidden_size
        self.product_back = product_of(H, 4 * H, N)
        self.block = steps_in_cache(T, 4 * H * N * self.W.itemsize)  # B
        # The local derivatives for dz_o, dz_i, dz_f and dz_g, and dc/dh.
        self.factors = self._workspace("factors", self.block, 5, H, N)
        self.tanh_c = self._workspace("tanh_c", self.block, H, N)
        self.steps_back = [
            BackwardStep(
                dz=factors[:4].reshape(4 * H, N),
                dz_o=factors[0],
                dz_ifg=factors[1:4],
                dc_dh=factors[4],
            )
            for factors in self.factors
        ]
        self.dz = self._workspace("dz", 4 * H, T, N)

    def _compute_factors(self, steps: slice) -> None:
        cells = self.cells[steps]  # (B, 5, H, N)
        factors, tanh_c = self.factors[: len(cells)], self.tanh_c[: len(cells)]
        o, i = cells[:, 0], cells[:, 1]  # (B, H, N) each
        factor_o, factor_if = factors[:, 0], factors[:, 1:3]
        factor_g, dc_dh = factors[:, 3], factors[:, 4]
        np.multiply(cells[:, :4], cells[:, :4], out=factors[:, :4])  # o^2, i^2, f^2, g^2
        np.subtract(cells[:, :3], factors[:, :3], out=factors[:, :3])  # o (1 - o) etc.
        np.subtract(1, factor_g, out=factor_g)
        # Recomputing tanh(c) is cheaper than storing it for every step.
        np.tanh(self.c[1:][steps], out=tanh_c)
        np.multiply(tanh_c, tanh_c, out=dc_dh)
        np.subtract(1, dc_dh, out=dc_dh)
        np.multiply(dc_dh, o, out=dc_dh)
        np.multiply(factor_o, tanh_c, out=factor_o)
        np.multiply(factor_if, cells[:, 3:], out=factor_if)  # times g and c_prev
        np.multiply(factor_g, i, out=factor_g)

    def _backward(self, dy: Array, dstate: Array, Wh_T: Array) -> None:
        dh, dc = dstate  # (H, N) each
        H, N = dh.shape
        tmp = self.ig_fc[:H]
        for start in reversed(range(0, len(dy), self.block)):
            block = slice(start, min(start + self.block, len(dy)))
            self._compute_factors(block)
            for t in reversed(range(block.start, block.stop)):
                s = self.steps_back[t - start]
                np.add(dh, dy[t], out=dh)
                np.multiply(dh, s.dc_dh, out=tmp)
                np.add(dc, tmp, out=dc)
                np.multiply(dh, s.dz_o, out=s.dz_o)
                np.multiply(dc, s.dz_ifg, out=s.dz_ifg)
                np.multiply(dc, self.steps[t].f, out=dc)
                if t or self.state_gradient:
                    self.product_back(Wh_T, s.dz, out=dh)
            dz = self.factors[: block.stop - start, :4].reshape(-1, 4 * H, N)
            swap_time(dz, self.dz[:, block])
