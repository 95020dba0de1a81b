"""Long short-term memory.

Dimensions
    T steps of the window, N parallel streams, D input features, H hidden units.
"""

from typing import NamedTuple

import numpy as np

from charrnn.backend.arrays import Array, swap_time
from charrnn.backend.products import in_blocks, rows_per_block
from charrnn.nn.cells.recurrent import HALF, Recurrent


class LSTMStep(NamedTuple):
    """One step's views of the buffers of a TimeLSTM."""

    xh: Array
    z: Array  # the four gates, in blocks of rows
    gates: Array
    oif: Array
    if_: Array
    g_c: Array  # g and c_prev, which i and f multiply
    o: Array
    f: Array
    c: Array
    h: Array


class LSTMFactors(NamedTuple):
    """What the gradients of one step's h and c are multiplied by; ``dz`` takes their place."""

    o: Array
    ifg: Array
    c: Array
    dz: Array


class TimeLSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000).

    The gates lie in the order o, i, f, g: the three sigmoids are one block of rows, and so are the
    three gates whose gradient comes from c::

        [o; i; f] = sigmoid(Wx x[t] + b + Wh h[t-1])     (rows 0 to 3H)
        g    = tanh(Wx x[t] + b + Wh h[t-1])             (rows 3H to 4H)
        c[t] = i * g + f * c[t-1]
        h[t] = o * tanh(c[t])

    and backward, with ``dh`` and ``dc`` the gradients of ``h[t]`` and ``c[t]`` from above and from
    step t + 1::

        dc   = dc + dh * o (1 - tanh(c[t])^2)
        dz_o = dh * tanh(c[t]) o (1 - o)
        dz_i = dc * g          i (1 - i)
        dz_f = dc * c[t-1]     f (1 - f)
        dz_g = dc * i          (1 - g^2)
        dh   = Wh^T dz
        dc   = dc * f

    The factors on the right of the stars need no recurrence and are computed for several steps at
    once. The bias of the forget gate starts at 1 (Jozefowicz et al. 2015).
    """

    gates = 4
    states = ("h", "c")

    def initialise(self, rng: np.random.Generator) -> None:
        super().initialise(rng)
        self.b[2 * self.hidden_size : 3 * self.hidden_size] = 1

    def _allocate(self, T: int, N: int) -> None:
        H = self.hidden_size
        self.rows = rows_per_block(4 * H, self.W.shape[1], N)
        # Rows o, i, f, g and c_prev: a step writes its c where the next finds it as c_prev.
        self.cells = self._new(T + 1, 5 * H, N)
        self.products = self._new(2 * H, N)
        self.steps = [
            LSTMStep(
                xh=self.xh[t],
                z=in_blocks(cell[: 4 * H], self.rows),
                gates=cell[: 4 * H],
                oif=cell[: 3 * H],
                if_=cell[H : 3 * H],
                g_c=cell[3 * H :],
                o=cell[:H],
                f=cell[2 * H : 3 * H],
                c=self.cells[t + 1, 4 * H :],
                h=self.h[t + 1],
            )
            for t, cell in enumerate(self.cells[:-1])
        ]

    def _forward(self, state: Array) -> tuple[Array, ...]:
        H = self.hidden_size
        W, products = in_blocks(self.used, self.rows), self.products
        ig, fc = products[:H], products[H:]
        tanh_c = ig
        self.cells[0, 4 * H :] = state[1]
        for s in self.steps:
            np.matmul(W, s.xh, out=s.z)
            # sigmoid(z) = (1 + tanh(z / 2)) / 2, so that one tanh serves all four gates.
            np.multiply(s.oif, HALF, out=s.oif)
            np.tanh(s.gates, out=s.gates)
            np.multiply(s.oif, HALF, out=s.oif)
            np.add(s.oif, HALF, out=s.oif)
            np.multiply(s.if_, s.g_c, out=products)
            np.add(ig, fc, out=s.c)
            np.tanh(s.c, out=tanh_c)
            np.multiply(s.o, tanh_c, out=s.h)
        return self.h[-1], self.cells[-1, 4 * H :]

    def _allocate_backward(self, T: int, N: int) -> None:
        H = self.hidden_size
        self.rows_back = rows_per_block(H, 4 * H, N)
        self.block = self._steps_at_once(4 * H * N * self.W.itemsize)
        # Rows of dz_o, dz_i, dz_f, dz_g and dc.
        self.factors = self._workspace("factors", self.block, 5 * H, N)
        self.tanh_c = self._workspace("tanh_c", self.block, H, N)
        self.factor_steps = [
            LSTMFactors(
                o=factor[:H],
                ifg=factor[H : 4 * H].reshape(3, H, N),
                c=factor[4 * H :],
                dz=factor[: 4 * H],
            )
            for factor in self.factors
        ]
        self.dz = self._workspace("dz", 4 * H, T, N)

    def _compute_factors(self, steps: slice) -> None:
        H = self.hidden_size
        cells = self.cells[steps]
        factors, tanh_c = self.factors[: len(cells)], self.tanh_c[: len(cells)]
        gates, oif, g, c = (
            factors[:, : 4 * H],
            factors[:, : 3 * H],
            factors[:, 3 * H : 4 * H],
            factors[:, 4 * H :],
        )
        np.multiply(cells[:, : 4 * H], cells[:, : 4 * H], out=gates)
        np.subtract(cells[:, : 3 * H], oif, out=oif)
        np.subtract(1, g, out=g)
        # To compute it again is cheaper than to keep it for every step.
        np.tanh(self.cells[steps.start + 1 : steps.stop + 1, 4 * H :], out=tanh_c)
        np.multiply(tanh_c, tanh_c, out=c)
        np.subtract(1, c, out=c)
        np.multiply(c, cells[:, :H], out=c)
        np.multiply(factors[:, :H], tanh_c, out=factors[:, :H])
        np.multiply(factors[:, H : 3 * H], cells[:, 3 * H :], out=factors[:, H : 3 * H])
        np.multiply(g, cells[:, H : 2 * H], out=g)

    def _backward(self, dy: Array, dstate: Array, Wh_T: Array) -> Array:
        dh, dc = dstate.copy()
        tmp = self.products[: len(dh)]
        Wh_T_blocks, dh_blocks = in_blocks(Wh_T, self.rows_back), in_blocks(dh, self.rows_back)
        for start in reversed(range(0, len(dy), self.block)):
            block = slice(start, min(start + self.block, len(dy)))
            self._compute_factors(block)
            for t in reversed(range(block.start, block.stop)):
                factor = self.factor_steps[t - start]
                np.add(dh, dy[t], out=dh)
                np.multiply(dh, factor.c, out=tmp)
                np.add(dc, tmp, out=dc)
                np.multiply(dh, factor.o, out=factor.o)
                np.multiply(dc, factor.ifg, out=factor.ifg)
                np.multiply(dc, self.steps[t].f, out=dc)
                np.matmul(Wh_T_blocks, factor.dz, out=dh_blocks)
            swap_time(self.factors[: block.stop - start, : 4 * len(dh)], self.dz[:, block])
        return np.stack([dh, dc])
