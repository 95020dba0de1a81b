"""Weights on the GPU, and between there and the flat vector of ``nn``.

Dimensions
    V symbols, Vp: V padded to a multiple of 8; H hidden units, G gates, D input features,
    C classes, Cp: C padded; F features that the head reads; P weights.

``nn`` keeps ``W = [Wx b Wh]`` side by side. Here each stands for itself, so that the rows of a
matrix begin where tensor cores can read them, and one-hot input weights lie as a table (Vp, G*H) of
which ids choose rows. What is padded is zero and stays zero.
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
"""Numbers to a multiple of which each array is padded: 256 bytes."""
PADDED = 8
"""Rows of symbols or classes to a multiple of which a matrix is padded."""


def padded(size: int, multiple: int = PADDED) -> int:
    """Return the next multiple."""
    return -(-size // multiple) * multiple


@dataclass(frozen=True)
class Matrix:
    """A matrix that reads learned features: what Muon turns.

    ``start`` is its place in the flat vector.
    """

    name: str
    start: int
    rows: int
    columns: int


class Layout:
    """Where each weight of a model lies on the GPU.

    Parameters
    ----------
    model : CharModel
        Whose weights.

    Attributes
    ----------
    shapes : dict of str to tuple of int
        The arrays by name, in their order: first what is not ``hidden``.
    starts : dict of str to int
        Where each begins in the flat vector.
    size, others : int
        Numbers of the flat vector, and how many of them come before the hidden matrices.
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
        """Return views of the weights of ``nn``, each as it lies on the GPU but for padding."""
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
        """Copy a flat vector of ``nn`` (P,) to one of the GPU (size,), or back."""
        parts = self._parts(Parameters(self._model_shapes, vector.dtype, vector))
        for name, part in parts.items():
            start, shape = self.starts[name], self.shapes[name]
            there = on_gpu[start : start + prod(shape)].reshape(shape)[: len(part)]
            if back:
                part[...] = there
            else:
                there[...] = part

    def to_gpu(self, vector: Array) -> Array:
        """Return a flat vector (P,) of ``nn`` as it lies on the GPU (size,)."""
        out = np.zeros(self.size, np.float32)
        self._copy(vector, out, back=False)
        return out

    def from_gpu(self, vector: Array) -> Array:
        """Return a flat vector (size,) of the GPU as it lies in ``nn`` (P,)."""
        out = np.zeros(sum(map(prod, self._model_shapes.values())), np.float32)
        self._copy(out, vector, back=True)
        return out


def _on_gpu(name: str, part: Array) -> tuple[int, ...]:
    """Return the shape of an array on the GPU: symbols and classes are padded."""
    if name.endswith((".table", ".E", ".Wy")) or name.endswith("head.b"):
        return padded(len(part)), *part.shape[1:]
    return part.shape


class Vector:
    """A flat vector on the GPU with a view of each array.

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
        """Return an array, or None where there is none of that name."""
        return self._views.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)
