"""The input of a layer: features of every step, or symbols of a finite vocabulary.

Dimensions
    T steps of the window, N parallel streams, D input features, V vocabulary size, R rows of the
    weights (H per gate).

The input projection ``Wx x + b`` needs no recurrence. Symbols are projected by lookup: a table has
one projected column per symbol, and a step takes the columns of its symbols. ``W1`` (R, D + 1) is
``[Wx b]``.
"""

import numpy as np

from charrnn.backend.arrays import Array, Ids, Workspace, steps_in_cache, swap_time
from charrnn.backend.products import Product, product_of_each

ONE_HOT_PRODUCT = 128
"""The largest V for which a product with one-hot columns sums faster per symbol than sorting (AMD
EPYC, 768 rows of 1,600 columns)."""


class Symbols:
    """Symbols, represented as one-hot columns or as embedding vectors.

    Parameters
    ----------
    ids : (T, N) int array
        The symbols of each step.
    size : int
        V.
    vectors : (V, D) array, optional
        The embedding vector of each symbol. Without them the symbols are one-hot and D is V.
    """

    def __init__(self, ids: Ids, size: int, vectors: Array | None = None) -> None:
        self.ids: Ids = ids.astype(np.intp, copy=False)
        if self.ids.size and int(self.ids.view(np.uintp).max()) >= size:  # negative ids become huge
            raise IndexError(f"an id is outside the model's vocabulary of {size} symbols")
        self.size, self.vectors = size, vectors
        self.window: tuple[int, int] = ids.shape[0], ids.shape[1]

    @property
    def has_short_table(self) -> bool:
        """Whether projecting all V symbols takes less time than projecting those of the window.

        In training, features need two products with D columns, and a table needs one with V.
        """
        if self.vectors is None:
            return True
        return self.size <= min(2 * int(self.vectors.shape[1]), self.ids.size)

    def features(self, dtype: np.dtype[np.floating]) -> Array:
        """Return the vector of each symbol (T, D, N)."""
        if self.vectors is not None:
            return self.vectors[self.ids].transpose(0, 2, 1)
        T, N = self.window
        x = np.zeros((T, self.size, N), dtype)
        steps, streams = np.ogrid[:T, :N]
        x[steps, self.ids, streams] = 1
        return x

    def with_ids(self, ids: Ids) -> "Symbols":
        """Return other ids (T, N) with the same representation."""
        return Symbols(ids, self.size, self.vectors)

    def sums(self, columns: Array, workspace: Workspace) -> Array:
        """Return, for each symbol, the sum of its columns: (R, V) from (R, T*N)."""
        ids = self.ids.reshape(-1)
        if self.size <= ONE_HOT_PRODUCT:
            one_hot = workspace.array("columns", (len(ids), self.size), columns.dtype)
            one_hot[...] = 0
            one_hot[np.arange(len(ids)), ids] = 1
            return columns @ one_hot
        sums = np.zeros((len(columns), self.size), columns.dtype)
        # After sorting, the columns of a symbol are one run to sum, much faster than add.at.
        order = np.argsort(ids, kind="stable")
        ids = ids[order]
        starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
        rows = steps_in_cache(len(columns), columns.shape[1] * columns.itemsize)
        for first in range(0, len(columns), rows):
            some = slice(first, first + rows)
            runs = columns[some].take(order, axis=1)
            sums[some, ids[starts]] = np.add.reduceat(runs, starts, axis=1)
        return sums


class Features:
    """Features of every step: the output of the layer below, or the vectors of symbols.

    Parameters
    ----------
    x : (T, D, N) array or Symbols
        The features, or symbols to represent by features.
    own : Workspace
        The layer's own buffers, which keep ``[x; 1]`` until ``backward``.
    dtype : dtype
        The type of the weights.
    """

    def __init__(self, x: Array | Symbols, own: Workspace, dtype: np.dtype[np.floating]) -> None:
        self.symbols = x if isinstance(x, Symbols) else None
        x = x.features(dtype) if isinstance(x, Symbols) else x
        T, D, N = x.shape
        self.window = T, N
        self.x1 = own.array("x1", (T, D + 1, N), dtype)
        self.x1[:, :D] = x
        self.x1[:, D] = 1

    def project(self, W1: Array, product: Product, steps: slice, out: Array) -> None:
        """Fill ``out`` (t, R, N) with ``Wx x + b`` for a slice of steps."""
        product_of_each(product, W1, self.x1[steps], out=out)

    def weight_gradient(self, dz: Array, out: Array, workspace: Workspace) -> None:
        """Fill ``out`` (R, D + 1) from the gradient dz (R, T*N) of ``Wx x + b``."""
        T, K, N = self.x1.shape
        columns = swap_time(self.x1, workspace.array("columns", (K, T, N), dz.dtype))
        np.matmul(dz, columns.reshape(K, T * N).T, out=out)

    def gradient(self, Wx: Array, dz: Array, workspace: Workspace) -> Array:
        """Return dx (T, D, N), which the next ``gradient`` with this workspace overwrites."""
        (T, N), D = self.window, Wx.shape[1]
        dx = np.matmul(Wx.T, dz, out=workspace.array("columns", (D, T * N), dz.dtype))
        return swap_time(dx.reshape(D, T, N), workspace.array("dx", (T, D, N), dz.dtype))

    def source_gradient(self, dx: Array, workspace: Workspace) -> Array:
        """Return dx (T, D, N), or the gradient (V, D) of the vectors if the input is symbols."""
        if self.symbols is None:
            return dx
        return self.symbols.sums(swap_time(dx).reshape(dx.shape[1], -1), workspace).T


class Columns:
    """Symbols that are looked up in a table of input projections.

    Parameters
    ----------
    symbols : Symbols
        The symbols of the window.
    """

    def __init__(self, symbols: Symbols) -> None:
        self.symbols, self.window = symbols, symbols.window

    def table(self, W1: Array) -> Array:
        """Return the table (R, V): ``Wx x + b`` of each symbol."""
        Wx, b, vectors = W1[:, :-1], W1[:, -1:], self.symbols.vectors
        if vectors is None:
            return Wx + b
        table = Wx @ vectors.T
        table += b
        return table

    def project(self, table: Array, steps: slice, out: Array) -> None:
        """Fill ``out`` (t, R, N) with ``Wx x + b`` for a slice of steps."""
        for ids, z in zip(self.symbols.ids[steps], out, strict=True):
            table.take(ids, axis=1, out=z, mode="clip")

    def project_rows(self, rows: Array, steps: slice, out: Array) -> None:
        """Fill ``out`` (t, R, N) as ``project`` does, from the transposed table (V, R)."""
        for ids, z in zip(self.symbols.ids[steps], out, strict=True):
            z[...] = rows[ids].T

    def weight_gradient(self, dz: Array, out: Array, workspace: Workspace) -> None:
        """Fill ``out`` (R, D + 1) from the gradient dz (R, T*N) of ``Wx x + b``."""
        vectors = self.symbols.vectors
        self.dtable = self.symbols.sums(dz, workspace)
        np.sum(self.dtable, axis=1, out=out[:, -1])
        if vectors is None:
            out[:, :-1] = self.dtable
        else:
            np.matmul(self.dtable, vectors, out=out[:, :-1])

    def gradient(self, Wx: Array) -> Array:
        """Return the gradient (V, D) of the vectors; call ``weight_gradient`` first."""
        dvectors: Array = self.dtable.T @ Wx
        del self.dtable
        return dvectors
