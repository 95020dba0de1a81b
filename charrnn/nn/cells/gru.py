"""The gated recurrent unit.

Dimensions
    T steps of the window, N parallel streams, D input features, H hidden units.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from charrnn.backend.arrays import Array, swap_time
from charrnn.backend.products import in_blocks, rows_per_block
from charrnn.nn.cells.recurrent import HALF, Recurrent


def sigmoid_(x: Array) -> None:
    """Apply the logistic function in place, as (1 + tanh(x / 2)) / 2, which cannot overflow."""
    np.multiply(x, HALF, out=x)
    np.tanh(x, out=x)
    np.multiply(x, HALF, out=x)
    np.add(x, HALF, out=x)


class GRUStep(NamedTuple):
    """One step's views of the buffers of a TimeGRU."""

    xh: Array
    x1: Array
    h_prev: Array
    z_ru: Array  # in blocks of rows, like z_n and z_nh
    ru: Array
    r: Array
    u: Array
    z_n: Array
    n: Array
    z_nh: Array
    nh: Array
    h: Array


class TimeGRU(Recurrent):
    """The gated recurrent unit (Cho et al. 2014), in the form of cuDNN and PyTorch.

    The reset gate comes after the product with ``h``, so that a step's products need no gate; the
    new state has a bias ``b_n`` inside the reset gate's reach::

        [r; u] = sigmoid(Wx x[t] + b + Wh h[t-1])        (rows 0 to 2H)
        nh   = Wh h[t-1] + b_n                           (rows 2H to 3H)
        n    = tanh(Wx x[t] + b + r * nh)                (rows 2H to 3H)
        h[t] = n + u * (h[t-1] - n)

    and backward, with ``dh`` the gradient of ``h[t]`` from above and from step t + 1::

        dz_n  = dh * (1 - u) (1 - n^2)
        dz_nh = dh * (1 - u) (1 - n^2) r
        dz_r  = dh * (1 - u) (1 - n^2) nh r (1 - r)
        dz_u  = dh * (h[t-1] - n) u (1 - u)
        dh    = dh * u + Wh^T [dz_r; dz_u; dz_nh]
    """

    gates = 3

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {**super().shapes(), "b_n": (self.hidden_size,)}

    def bind(self, values: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        super().bind(values, grads)
        self.b_n, self.db_n = values["b_n"], grads["b_n"]

    def initialise(self, rng: np.random.Generator) -> None:
        super().initialise(rng)
        self.b_n[...] = 0

    def _allocate(self, T: int, N: int) -> None:
        H, D = self.hidden_size, self.input_size
        self.rows_ru = rows_per_block(2 * H, self.W.shape[1], N)
        self.rows_n = rows_per_block(H, D + 1, N)
        self.rows_nh = rows_per_block(H, H, N)
        self.run = self._new(T, 3 * H, N)
        self.nh = self._new(T, H, N)
        self.tmp = self._new(H, N)
        self.steps = [
            GRUStep(
                xh=self.xh[t],
                x1=self.xh[t, : D + 1],
                h_prev=self.h[t],
                z_ru=in_blocks(run[: 2 * H], self.rows_ru),
                ru=run[: 2 * H],
                r=run[:H],
                u=run[H : 2 * H],
                z_n=in_blocks(run[2 * H :], self.rows_n),
                n=run[2 * H :],
                z_nh=in_blocks(self.nh[t], self.rows_nh),
                nh=self.nh[t],
                h=self.h[t + 1],
            )
            for t, run in enumerate(self.run)
        ]

    def _forward(self, state: Array) -> tuple[Array, ...]:
        H, D = self.hidden_size, self.input_size
        W_ru = in_blocks(self.used[: 2 * H], self.rows_ru)
        W_n = in_blocks(self.used[2 * H :, : D + 1], self.rows_n)
        W_nh = in_blocks(self.used[2 * H :, D + 1 :], self.rows_nh)
        b_n, tmp = self.b_n[:, np.newaxis], self.tmp
        for s in self.steps:
            np.matmul(W_ru, s.xh, out=s.z_ru)
            sigmoid_(s.ru)
            np.matmul(W_nh, s.h_prev, out=s.z_nh)
            np.add(s.nh, b_n, out=s.nh)
            np.matmul(W_n, s.x1, out=s.z_n)
            np.multiply(s.r, s.nh, out=tmp)
            np.add(s.n, tmp, out=s.n)
            np.tanh(s.n, out=s.n)
            np.subtract(s.h_prev, s.n, out=tmp)
            np.multiply(s.u, tmp, out=tmp)
            np.add(s.n, tmp, out=s.h)
        return (self.h[-1],)

    def _allocate_backward(self, T: int, N: int) -> None:
        H = self.hidden_size
        self.rows_back = rows_per_block(H, 3 * H, N)
        self.block = self._steps_at_once(4 * H * N * self.W.itemsize)
        # Of dz_r, dz_u, dz_nh and dz_n.
        self.factors = self._workspace("factors", self.block, 4, H, N)
        self.dz = self._workspace("dz", 4 * H, T, N)

    def _compute_factors(self, steps: slice) -> None:
        H = self.hidden_size
        run, nh, h_prev = self.run[steps], self.nh[steps], self.h[:-1][steps]
        r, u, n = run[:, :H], run[:, H : 2 * H], run[:, 2 * H :]
        of_r, of_u, of_nh, of_n = self.factors[: len(run)].transpose(1, 0, 2, 3)
        np.subtract(1, u, out=of_u)
        np.multiply(n, n, out=of_n)
        np.subtract(1, of_n, out=of_n)
        np.multiply(of_n, of_u, out=of_n)
        np.multiply(of_n, r, out=of_nh)
        np.subtract(1, r, out=of_r)
        np.multiply(of_r, of_nh, out=of_r)
        np.multiply(of_r, nh, out=of_r)
        np.multiply(of_u, u, out=of_u)
        np.subtract(h_prev, n, out=nh)  # nh has served; its place is free
        np.multiply(of_u, nh, out=of_u)

    def _backward(self, dy: Array, dstate: Array, Wh_T: Array) -> Array:
        H, N = self.hidden_size, dy.shape[-1]
        dh: Array = dstate[0].copy()
        tmp = self.tmp
        Wh_T_blocks, tmp_blocks = in_blocks(Wh_T, self.rows_back), in_blocks(tmp, self.rows_back)
        for start in reversed(range(0, len(dy), self.block)):
            block = slice(start, min(start + self.block, len(dy)))
            self._compute_factors(block)
            for t in reversed(range(block.start, block.stop)):
                factor = self.factors[t - start]
                np.add(dh, dy[t], out=dh)
                np.multiply(dh, factor, out=factor)
                np.multiply(dh, self.steps[t].u, out=dh)
                np.matmul(Wh_T_blocks, factor[:3].reshape(3 * H, N), out=tmp_blocks)
                np.add(dh, tmp, out=dh)
            factors = self.factors[: block.stop - start].reshape(-1, 4 * H, N)
            swap_time(factors, self.dz[:, block])
        return dh[np.newaxis]

    def _weight_gradients(self, xh: Array) -> Array:
        H, D = self.hidden_size, self.input_size
        dz: Array = self.dz.reshape(4 * H, -1)
        ru, nh, n = dz[: 2 * H], dz[2 * H : 3 * H], dz[3 * H :]
        np.matmul(ru, xh.T, out=self.dW[: 2 * H])
        np.matmul(n, xh[: D + 1].T, out=self.dW[2 * H :, : D + 1])
        np.matmul(nh, xh[D + 1 :].T, out=self.dW[2 * H :, D + 1 :])
        np.sum(nh, axis=1, out=self.db_n)
        nh[...] = n  # Wx feeds r, u and n
        return dz[: 3 * H]
