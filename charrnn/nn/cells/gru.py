"""The gated recurrent unit (GRU).

Dimensions
    T steps of the window, N parallel streams, D input features, H hidden units;
    B steps whose derivatives are computed together.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from charrnn.backend.arrays import Array, steps_in_cache, swap_time
from charrnn.backend.products import Product, product_of
from charrnn.nn.cells.recurrent import Recurrent, sigmoid_


class Step(NamedTuple):
    """Views of the buffers for one time step."""

    h_prev: Array  # (H, N)
    ru: Array  # (2H, N), [r; u]
    r: Array  # (H, N)
    u: Array  # (H, N)
    nh: Array  # (H, N)
    n: Array  # (H, N)
    h: Array  # (H, N)


class BackwardStep(NamedTuple):
    """Views of one step's derivatives, which the gradients overwrite."""

    dz: Array  # (4, H, N), [dz_r; dz_u; dz_nh; dz_n]
    dz_h: Array  # (3H, N), [dz_r; dz_u; dz_nh], the gradient of Wh h


class TimeGRU(Recurrent):
    """The gated recurrent unit (Cho et al. 2014), in the form of cuDNN and PyTorch.

    The reset gate is applied after the product with ``h``, so the matrix product of a step does not
    depend on a gate. The candidate state has a second bias ``b_n``, which the reset gate scales::

        [r; u] = sigmoid(Wx x[t] + b + Wh h[t-1])        (rows 0 to 2H)
        nh   = Wh h[t-1] + b_n                           (rows 2H to 3H)
        n    = tanh(Wx x[t] + b + r * nh)                (rows 2H to 3H)
        h[t] = n + u * (h[t-1] - n)

    In the backward pass, ``dh`` is the gradient of ``h[t]``: the sum of the gradients from the
    layer above and from step t + 1::

        dz_r  = dh * (1 - u) (1 - n^2) nh r (1 - r)
        dz_u  = dh * (h[t-1] - n) u (1 - u)
        dz_nh = dh * (1 - u) (1 - n^2) r
        dz_n  = dh * (1 - u) (1 - n^2)
        dh    = dh * u + Wh^T [dz_r; dz_u; dz_nh]

    The factors to the right of the ``*`` are local derivatives. They need no recurrence, so they
    are computed for several steps at once.

    ``h (T+1, H, N)`` starts with the state before the window, so the output of step t is
    ``h[t+1]``.
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
        H = self.hidden_size
        self.product = product_of(3 * H, H, N)
        self.run = self._new(T, 3, H, N)  # r, u and n of each step
        self.z = self.run.reshape(T, 3 * H, N)
        self.Wh_h = self._new(3 * H, N)
        self.nh = self._new(T, H, N)
        self.tmp = self._new(H, N)
        self.steps = [
            Step(
                h_prev=self.h[t],
                ru=run[:2].reshape(2 * H, N),
                r=run[0],
                u=run[1],
                nh=self.nh[t],
                n=run[2],
                h=self.h[t + 1],
            )
            for t, run in enumerate(self.run)
        ]

    def _forward(self, Wh: Array, products: Iterable[Product]) -> None:
        Wh_h, b_n, tmp = self.Wh_h, self.b_n[:, np.newaxis], self.tmp
        Wh_h_ru, Wh_h_n = Wh_h[: 2 * self.hidden_size], Wh_h[2 * self.hidden_size :]
        for s, product in zip(self.steps, products, strict=False):
            product(Wh, s.h_prev, out=Wh_h)
            np.add(s.ru, Wh_h_ru, out=s.ru)
            sigmoid_(s.ru)
            np.add(Wh_h_n, b_n, out=s.nh)
            np.multiply(s.r, s.nh, out=tmp)
            np.add(s.n, tmp, out=s.n)
            np.tanh(s.n, out=s.n)
            np.subtract(s.h_prev, s.n, out=tmp)
            np.multiply(s.u, tmp, out=tmp)
            np.add(s.n, tmp, out=s.h)

    def _allocate_backward(self, T: int, N: int) -> None:
        H = self.hidden_size
        self.product_back = product_of(H, 3 * H, N)
        self.block = steps_in_cache(T, 4 * H * N * self.W.itemsize)  # B
        # The local derivatives for dz_r, dz_u, dz_nh and dz_n.
        self.factors = self._workspace("factors", self.block, 4, H, N)
        self.steps_back = [
            BackwardStep(dz=factors, dz_h=factors[:3].reshape(3 * H, N)) for factors in self.factors
        ]
        self.dz = self._workspace("dz", 4 * H, T, N)

    def _compute_factors(self, steps: slice) -> None:
        run, nh, h_prev = self.run[steps], self.nh[steps], self.h[:-1][steps]
        r, u, n = run.transpose(1, 0, 2, 3)  # (B, H, N) each
        factor_r, factor_u, factor_nh, factor_n = self.factors[: len(run)].transpose(1, 0, 2, 3)
        np.subtract(1, u, out=factor_u)
        np.multiply(n, n, out=factor_n)
        np.subtract(1, factor_n, out=factor_n)
        np.multiply(factor_n, factor_u, out=factor_n)
        np.multiply(factor_n, r, out=factor_nh)
        np.subtract(1, r, out=factor_r)
        np.multiply(factor_r, factor_nh, out=factor_r)
        np.multiply(factor_r, nh, out=factor_r)
        np.multiply(factor_u, u, out=factor_u)
        np.subtract(h_prev, n, out=nh)  # nh is no longer needed
        np.multiply(factor_u, nh, out=factor_u)

    def _backward(self, dy: Array, dstate: Array, Wh_T: Array) -> None:
        (dh,) = dstate  # (H, N)
        H, N = dh.shape
        tmp = self.tmp  # (H, N)
        for start in reversed(range(0, len(dy), self.block)):
            block = slice(start, min(start + self.block, len(dy)))
            self._compute_factors(block)
            for t in reversed(range(block.start, block.stop)):
                s = self.steps_back[t - start]
                np.add(dh, dy[t], out=dh)
                np.multiply(dh, s.dz, out=s.dz)
                if t or self.state_gradient:
                    np.multiply(dh, self.steps[t].u, out=dh)
                    self.product_back(Wh_T, s.dz_h, out=tmp)
                    np.add(dh, tmp, out=dh)
            dz = self.factors[: block.stop - start].reshape(-1, 4 * H, N)
            swap_time(dz, self.dz[:, block])

    def _weight_gradients(self, carried: Array) -> Array:
        H = self.hidden_size
        dz = super()._weight_gradients(carried)
        dz_nh, dz_n = self.dz[2 * H : 3 * H].reshape(H, -1), self.dz[3 * H :].reshape(H, -1)
        np.sum(dz_nh, axis=1, out=self.db_n)
        dz_nh[...] = dz_n  # Wx x contributes to r, u and n, but not to nh
        return dz
