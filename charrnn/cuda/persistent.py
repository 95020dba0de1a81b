"""The recurrence of a layer in one launch for all steps, with the weights in registers.

Dimensions
    T steps per window, N streams, H hidden units, G gates.

``kernels/persistent.cuh`` explains how it works; ``occupancy``, how a layer is divided, and when.
"""

from typing import Any

import numpy as np

from charrnn.config import Architecture
from charrnn.cuda.backend import Backend, DeviceArray
from charrnn.cuda.buffers import Buffers, Operand
from charrnn.cuda.cells import CELLS, Cell, Gru, Lstm, Rnn, Weights
from charrnn.cuda.occupancy import THREADS, Form, best, pays


def cell_for(
    backend: Backend,
    architecture: Architecture,
    T: int,
    N: int,
    buffers: Buffers,
    name: str,
    *,
    side_by_side: int = 1,
    parts: int = 1,
    learns: bool = True,
    always: bool = False,
) -> Cell:
    """Return the recurrence of a layer, with persistent kernels if they are faster.

    Parameters
    ----------
    backend, architecture, T, N, buffers, name
        See ``Cell``.
    side_by_side : int
        Number of concurrent layers, which share the multiprocessors.
    parts : int
        Number of parts of the window.
    learns : bool
        Whether ``backward`` is called.
    always : bool
        Use persistent kernels whenever possible.
    """
    share = backend.multiprocessors // side_by_side
    kind, H = cell_of(architecture), architecture.hidden_size
    forms = best(kind, H, N, backend.precision, share, backend.shared_memory)
    if forms and (always or pays(forms, -(-T // parts), N, share)):
        make = PERSISTENT[architecture.cell]
        return make(backend, architecture, T, N, buffers, name, forms=forms, learns=learns)
    return CELLS[architecture.cell](backend, architecture, T, N, buffers, name)


def cell_of(architecture: Architecture) -> str:
    """Return the name of a cell in the kernels; for a simple RNN, its nonlinearity."""
    return architecture.nonlinearity if architecture.cell == "rnn" else architecture.cell


class Persistent(Cell):
    """Base of persistent cells; see ``Cell``.

    With tf32, blocks exchange the gradient ``dz_h`` in a separate array, rounded to tf32; with
    bf16, they exchange its shadow.

    Attributes
    ----------
    forms : tuple of Form
        How the kernels are compiled and launched, forward and backward.
    aux : array or None
        The LSTM's c (T + 1, N, H), the GRU's nh (T, N, H).
    dc : (N, H) array or None
        The gradient of the LSTM's c from later steps.
    """

    dc: DeviceArray | None = None

    def __init__(self, *args: Any, forms: tuple[Form, Form], learns: bool) -> None:
        super().__init__(*args)
        self.forms = forms
        if learns and self.dz_h is self.z and self.z.shadow is None:
            self.dz_h = Operand(self._take("dz_h", self.T, self.N, self.gates * self.H), None)

    @property
    def aux(self) -> DeviceArray | None:
        """What a step stores for its gradient, in addition to the gates and h."""
        return None

    def _launch(self, form: Form, *args: Any) -> None:
        self.backend.launch(
            form.kernel,
            form.grid,
            THREADS,
            *args,
            defines=form.defines,
            shared=form.shared,
            cooperative=True,
        )

    def forward(self, weights: Weights, first: int, stop: int) -> None:
        if not first:
            self._empty(self.h[1:])
        form, h = self.forms[0], self.h
        given = self.z.values, weights.Wh.values, weights.b, weights.b_n
        steps = self.N, form.subs, first, stop
        self._launch(form, *given, h.values, h.shadow, self.aux, *steps)

    def begin_backward(self) -> None:
        super().begin_backward()
        self._empty(self.dz_h)

    def backward(self, weights: Weights, first: int, stop: int) -> None:
        form, z, dz_h = self.forms[1], self.z, self.dz_h
        out = z.values, z.shadow, dz_h.values, dz_h.shadow
        if dz_h is z:
            out = z.values, None, None, z.shadow
        given = weights.Wh.values, self.h.values, self.aux, self.dy, self.dh, self.dc
        self._launch(form, *out, *given, self.N, form.subs, first, stop)

    def _empty(self, exchanged: Operand) -> None:
        """Set all bits of the exchanged array, which means "not written yet": readers wait."""
        bits: type[np.unsignedinteger[Any]] = np.uint32 if exchanged.shadow is None else np.uint16
        self.backend.fill(exchanged.read.view(bits), np.iinfo(bits).max)


class PersistentRnn(Persistent, Rnn):
    """See ``nn.cells.rnn.TimeRNN``."""


class PersistentLstm(Persistent, Lstm):
    """See ``nn.cells.lstm.TimeLSTM``."""

    @property
    def aux(self) -> DeviceArray:
        return self.c


class PersistentGru(Persistent, Gru):
    """See ``nn.cells.gru.TimeGRU``."""

    @property
    def aux(self) -> DeviceArray:
        return self.nh


PERSISTENT: dict[str, type[Persistent]] = {
    "rnn": PersistentRnn,
    "lstm": PersistentLstm,
    "gru": PersistentGru,
}
"""The persistent cells by name."""
