"""The optimizers on the GPU.

Dimensions
    n weights; B pieces of matrices, each of at most 128 rows by K columns, stored as R by C: R is
    the shorter side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from charrnn.config import OptimizerName
from charrnn.cuda.backend import Backend, DeviceArray, blocks
from charrnn.cuda.weights import Matrix, Vector, padded
from charrnn.optimizers import OPTIMIZERS
from charrnn.optimizers.muon import ITERATIONS
from charrnn.optimizers.parts import ROWS

KINDS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
"""The numbers of the optimizers in the kernel ``update``."""
THREADS = 1024


@dataclass(frozen=True)
class Piece:
    """Rows of a hidden matrix that are updated together: their start and number."""

    start: int
    rows: int
    columns: int


def pieces_of(hidden: Sequence[Matrix]) -> list[Piece]:
    """Split matrices into the same pieces as ``optimizers.parts``."""
    found = []
    for matrix in hidden:
        count = -(-matrix.rows // ROWS)
        borders = [matrix.rows * index // count for index in range(count + 1)]
        found += [
            Piece(matrix.start + first * matrix.columns, stop - first, matrix.columns)
            for first, stop in pairwise(borders)
        ]
    return found


class Optimizer:
    """Updates all weights: Muon those that read learned features, the others element by element.

    Parameters
    ----------
    backend : Backend
    name : str
        The name of the optimizer.
    theta, grad : Vector
    hidden : sequence of Matrix
        The matrices that read learned features.
    others : int
        Number of elements before them in the vectors.
    weight_decay : float

    Attributes
    ----------
    state : dict of str to array
        The state vectors of the optimizer, as long as ``theta``.
    """

    def __init__(
        self,
        backend: Backend,
        name: OptimizerName,
        theta: Vector,
        grad: Vector,
        hidden: Sequence[Matrix],
        others: int,
        weight_decay: float,
    ) -> None:
        self._backend, self._theta, self._grad = backend, theta.array, grad.array
        self._decay = weight_decay
        self.state = {slot: backend.zeros(theta.array.size) for slot in OPTIMIZERS[name].slots}
        muon = name == "muon"
        self._kind = KINDS.index("adamw" if muon else name)
        self._count = others if muon else theta.array.size
        pieces = sorted(pieces_of(hidden) if muon else [], key=_shape)
        self._orthogonal = [
            Orthogonal(backend, list(group), weight_decay) for _, group in groupby(pieces, _shape)
        ]

    def update(self, control: DeviceArray, factors: DeviceArray) -> None:
        """Update the weights with the gradient and the factors of this step."""
        slots = [*self.state.values(), None, None][:2]
        if self._count:
            args = self._theta, self._grad, *slots, control, factors
            self._backend.launch(
                "update", blocks(self._count), 256, *args, self._kind, self._decay, self._count
            )
        for part in self._orthogonal:
            part.update(self._theta, self._grad, self.state["m"], control, factors)


def _shape(piece: Piece) -> tuple[int, bool]:
    """Return the key of pieces that can be multiplied in one batch."""
    return piece.columns, piece.rows > piece.columns


class Orthogonal:
    """Muon for all pieces of one width in a batch; see ``optimizers.muon``.

    Parameters
    ----------
    backend : Backend
    pieces : sequence of Piece
    weight_decay : float
    """

    def __init__(self, backend: Backend, pieces: Sequence[Piece], weight_decay: float) -> None:
        self._backend, self._decay = backend, weight_decay
        self._pieces, (self._K, self._turned) = pieces, _shape(pieces[0])
        rows = max(piece.rows for piece in pieces)
        self._most = rows * self._K
        # Padded, so that tensor cores can read the rows; the padding is zero and stays zero.
        R, C = (self._K, rows) if self._turned else (rows, self._K)
        self._R, self._C = padded(R), padded(C)
        B = len(pieces)
        new = backend.zeros
        self._first, self._rows = new(B, np.int64), new(B, np.int32)
        backend.upload(self._first, np.array([piece.start for piece in pieces], np.int64))
        backend.upload(self._rows, np.array([piece.rows for piece in pieces], np.int32))
        self._x, self._turn = (new((B, self._R, self._C)) for _ in range(2))
        self._A, self._square, self._factor, self._product, *self._spare = (
            new((B, self._R, self._R)) for _ in range(6)
        )
        self._top = new(B)

    def update(
        self,
        theta: DeviceArray,
        grad: DeviceArray,
        m: DeviceArray,
        control: DeviceArray,
        factors: DeviceArray,
    ) -> None:
        """Update the weights of the pieces."""
        B, where = len(self._pieces), (self._first, self._rows)
        sizes = self._K, self._R, self._C
        args = self._x, m, grad, *where, control, factors, int(self._turned), *sizes
        self._backend.launch("momentum", B, THREADS, *args)
        self._orthogonalise()
        out = theta, self._turn, self._top, *where, control, factors
        grid = blocks(self._most), B
        self._backend.launch(
            "turn_weights", grid, 256, *out, int(self._turned), self._decay, *sizes
        )

    def _orthogonalise(self) -> None:
        """Compute ``turn`` from ``x``; it must still be divided by the square root of ``top``.

        The iterations multiply polynomials of the first A, as in
        ``optimizers.muon.orthogonalised``.
        """
        backend, R, n = self._backend, self._R, self._A.size
        A, square, factor, product = self._A, self._square, self._factor, self._product
        free, other = self._spare
        backend.products(A, self._x, self._x, tb=True)
        backend.products(square, A, A)
        backend.launch("first_factor", len(self._pieces), THREADS, A, square, factor, self._top, R)
        backend.copy(product, factor)
        for _ in range(ITERATIONS - 1):
            backend.products(free, factor, A)
            backend.products(A, free, factor)
            backend.products(square, A, A)
            backend.launch("next_factor", blocks(n), 256, factor, A, square, R, n)
            backend.products(other, factor, product)
            product, other = other, product
        backend.products(self._turn, product, self._x)
