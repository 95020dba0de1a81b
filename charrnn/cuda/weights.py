"""Weights on the GPU, and their conversion from and to the flat vector of ``nn``.

Dimensions
    V symbols, Vp: V padded to a multiple of 8; H hidden units, G gates, D input features,
    C classes, Cp: C padded; F features that the head reads; P weights.

``nn`` stores ``W = [Wx b Wh]`` as one matrix. Here the three are separate, so that the rows of each
matrix are aligned for tensor cores, and one-hot input weights are a table (Vp, G*H) whose rows are
selected by ids. Padding is zero and stays zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from charrnn.backend.arrays import Array
from charrnn.cuda.backend import Backend, DeviceArray
from charrnn.nn.model import CharModel
from charrnn.nn.parameters import Parameters

ALIGNED = 64
"""Each array is padded to a multiple of this many numbers: 256 bytes."""
PADDED = 8
"""The symbols or classes of a matrix are padded to a multiple of this."""


def padded(size: int, multiple: int = PADDED) -> int:
    """Return ``size`` rounded up to a multiple."""
    return -(-size // multiple) * multiple


@dataclass(frozen=True)
class Matrix:
    """A matrix that reads learned features, which Muon updates.

    ``start`` is its offset in the flat vector.
    """

    name: str
    start: int
    rows: int
    columns: int


class Layout:
    """The layout of the weights of a model on the GPU.

    Parameters
    ----------
    model : CharModel
        The model.

    Attributes
    ----------
    shapes : dict of str to tuple of int
        The shapes of the arrays by name, in order: first those that are not ``hidden``.
    starts : dict of str to int
        The offset of each array in the flat vector.
    size, others : int
        Length of the flat vector, and of its part before the hidden matrices.
    hidden : list of Matrix
        The matrices that read learned features.
    """

    def __init__(self, model: CharModel) -> None:
        self._model_shapes, self._hidden_size = model.parameters.shapes, model.config.hidden_size
        self._tables = {
            f"{prefix}layers.0{suffix}.W"
            for prefix in model.members
            for suffix in ("", ".reverse")
            if not model.config.embedding_size
        }
        parts = self._parts(model.parameters)
        found = {name: _on_gpu(name, part) for name, part in parts.items()}
        hidden = [name for name in found if name.endswith((".Wx", ".Wh"))]
        order = [name for name in found if name not in hidden] + hidden
        self.shapes = {name: found[name] for name in order}
        self.starts: dict[str, int] = {}
        self.size = 0
        for name, shape in self.shapes.items():
            self.starts[name] = self.size
            self.size += padded(prod(shape), ALIGNED)
        self.others = min(self.starts[name] for name in hidden)
        self.hidden = [Matrix(name, self.starts[name], *self.shapes[name]) for name in hidden]

    def _parts(self, parameters: Parameters) -> dict[str, Array]:
        """Return views of the weights of ``nn`` in the layout of the GPU, without padding."""
        parts: dict[str, Array] = {}
        for name, view in parameters.items():
            stem, _, last = name.rpartition(".")
            H = self._hidden_size
            if last in ("E", "b_n"):
                parts[name] = view
            elif stem.endswith("head"):
                parts[f"{stem}.b"], parts[f"{stem}.Wy"] = view[:, 0], view[:, 1:]
            else:
                Wx = view[:, : -1 - H]
                if name in self._tables:
                    parts[f"{stem}.table"] = Wx.T
                else:
                    parts[f"{stem}.Wx"] = Wx
                parts[f"{stem}.b"], parts[f"{stem}.Wh"] = view[:, -1 - H], view[:, -H:]
        return parts

    def _copy(self, vector: Array, on_gpu: Array, *, back: bool) -> None:
        """Copy a flat vector of ``nn`` (P,) to one in GPU layout (size,), or back."""
        parts = self._parts(Parameters(self._model_shapes, vector.dtype, vector))
        for name, part in parts.items():
            start, shape = self.starts[name], self.shapes[name]
            there = on_gpu[start : start + prod(shape)].reshape(shape)[: len(part)]
            if back:
                part[...] = there
            else:
                there[...] = part

    def to_gpu(self, vector: Array) -> Array:
        """Convert a flat vector (P,) of ``nn`` to the GPU layout (size,)."""
        out = np.zeros(self.size, np.float32)
        self._copy(vector, out, back=False)
        return out

    def from_gpu(self, vector: Array) -> Array:
        """Convert a flat vector (size,) in GPU layout to the layout of ``nn`` (P,)."""
        out = np.zeros(sum(map(prod, self._model_shapes.values())), np.float32)
        self._copy(out, vector, back=True)
        return out


def _on_gpu(name: str, part: Array) -> tuple[int, ...]:
    """Return the shape of an array on the GPU, with padded symbols and classes."""
    if name.endswith((".table", ".E", ".Wy")) or name.endswith("head.b"):
        return padded(len(part)), *part.shape[1:]
    return part.shape


class Vector:
    """A flat vector on the GPU with a view for each array.

    Parameters
    ----------
    backend : Backend
    layout : Layout
    dtype : dtype
        float32, or uint16 for a copy in bf16.
    """

    def __init__(self, backend: Backend, layout: Layout, dtype: Any = np.float32) -> None:
        self.array: DeviceArray = backend.zeros(layout.size, dtype)
        self._layout = layout
        self._views = {
            name: self.array[start : start + prod(layout.shapes[name])].reshape(layout.shapes[name])
            for name, start in layout.starts.items()
        }

    def __getitem__(self, name: str) -> DeviceArray:
        return self._views[name]

    def __contains__(self, name: str) -> bool:
        return name in self._views

    def get(self, name: str) -> DeviceArray | None:
        """Return an array, or None if there is none of that name."""
        return self._views.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)
