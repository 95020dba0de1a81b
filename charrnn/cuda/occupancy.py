"""How the persistent kernels divide a layer among the multiprocessors, and when they are faster.

Dimensions
    N streams, H hidden units, G gates. In each step, a kernel multiplies weights by K numbers per
    stream: H of the state in the forward pass, G*H of the gate gradients in the backward pass.

See ``kernels/persistent.cuh`` for the division. Times are estimates in clocks of a multiprocessor,
which only have to rank the choices correctly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from charrnn.cuda.backend import Precision

Kernel = Literal["persistent_forward", "persistent_backward"]
KERNELS: tuple[Kernel, Kernel] = ("persistent_forward", "persistent_backward")
CELLS = {"tanh": 0, "relu": 1, "gru": 2, "lstm": 3}
"""CELL of the kernels."""

WARPS = 8
THREADS = 32 * WARPS
REGISTERS = 1 << 16
"""Registers per multiprocessor."""
OTHER_REGISTERS: dict[Kernel, int] = {"persistent_forward": 62, "persistent_backward": 96}
"""Registers of a thread in addition to weights and sums: addresses, values of a cell, and loads of
the state in flight, of which more are better."""
FOR_SHARED = 8
"""Additional registers if some weights are in shared memory."""
MOST_ROWS = 6
"""Row tiles up to which a thread has registers for weights loaded from shared memory."""
FEW_REGISTERS = 64
"""Registers for weights that still allow two blocks per multiprocessor."""
RESERVED = 1024
"""Bytes of shared memory reserved per block."""

LATENCY = 1500
"""Clocks until a number written to the L2 cache has been read by another block."""
READ = 12
"""Bytes per clock and multiprocessor from the L2 cache if all of them read; fitted to whole steps
at 256 and 1024 streams on an H100."""
READ_ALONE = 64
"""The same for a single multiprocessor."""
MULTIPLY = {"tf32": 1024, "bf16": 2048}
"""Multiplications per clock on the tensor cores of a multiprocessor."""
SHARED = 128
"""Bytes per clock from shared memory."""
CELL = 250
"""Clocks of the arithmetic of a cell per unit and thread, with the barriers of the block."""

H100_CLOCK = 1755
"""Clocks per microsecond."""
START = 6
"""Microseconds until a kernel has loaded its weights."""
PLAIN = 10
"""Microseconds per step, forward and backward, with one product and one kernel each (H100)."""
PLAIN_MULTIPLY = {"tf32": 75e6, "bf16": 300e6}
"""Multiplications per microsecond of such products; fitted to measurements with ``PLAIN``."""


@dataclass(frozen=True)
class Form:
    """One way of compiling and launching a persistent kernel.

    Attributes
    ----------
    units, streams : int
        Hidden units per block, and streams that it computes at once.
    blocks : int
        Concurrent blocks per multiprocessor.
    kept, steps : int
        Products of a warp whose weights are in registers, and all products of a warp.
    sums : int
        Buffers for partial sums.
    groups, subs : int
        The streams are divided among ``groups`` blocks; each has ``subs * streams`` of them.
    """

    kernel: Kernel
    cell: str
    H: int
    bf16: bool
    units: int
    streams: int
    blocks: int
    kept: int
    steps: int
    sums: int
    groups: int
    subs: int

    @property
    def grid(self) -> tuple[int, int]:
        """Number of blocks, by units and by streams."""
        return self.H // self.units, self.groups

    @property
    def rows(self) -> int:
        """Number of tiles of 16 rows of weights."""
        gates = gates_of(self.cell) if self.kernel == "persistent_forward" else 1
        return gates * self.units // 16

    @property
    def shared(self) -> int:
        """Bytes of shared memory per block: weights, partial sums, and values for the next step."""
        weights = (self.steps - self.kept) * self.rows * THREADS * 16
        sums = self.sums * WARPS * self.rows * self.streams * 16 * 4
        biases = (gates_of(self.cell) + 1) * self.units * 4
        return weights + sums + biases + self.subs * self.units // 16 * THREADS * 4

    @property
    def defines(self) -> dict[str, int]:
        """The compile-time sizes of the kernel."""
        return {
            "H": self.H,
            "CELL": CELLS[self.cell],
            "BF16": int(self.bf16),
            "UNITS": self.units,
            "STREAMS": self.streams,
            "BLOCKS": self.blocks,
            "KEPT": self.kept,
            "SUMS": self.sums,
            "AHEAD": int(self.subs > 1),
        }

    def clocks(self, multiprocessors: int) -> float:
        """Return the estimated clocks of a step."""
        operand = 2 if self.bf16 else 4
        bytes_read = self.streams * width(self.kernel, self.cell, self.H) * operand
        blocks = self.grid[0] * self.groups
        read = bytes_read * blocks * self.subs / (READ * multiprocessors)
        alone = bytes_read / READ_ALONE
        other = (
            self.rows * 16 * bytes_read / operand / MULTIPLY["bf16" if self.bf16 else "tf32"]
            + (self.steps - self.kept) * self.rows * THREADS * 16 / SHARED
            + 2 * WARPS * self.rows * self.streams * 16 * 4 / SHARED
            + CELL * self.units * self.streams / THREADS
        )
        crowd = -(-blocks // multiprocessors)  # blocks per multiprocessor
        chain = LATENCY + max(read, alone) + other
        busy = max(read, self.subs * crowd * max(alone, other)) + self.subs * CELL / self.blocks
        return max(chain, busy)


def gates_of(cell: str) -> int:
    """Return G."""
    return {"lstm": 4, "gru": 3}.get(cell, 1)


def width(kernel: Kernel, cell: str, H: int) -> int:
    """Return K."""
    return H if kernel == "persistent_forward" else gates_of(cell) * H


def forms(
    kernel: Kernel,
    cell: str,
    H: int,
    N: int,
    precision: Precision,
    multiprocessors: int,
    shared_memory: int,
) -> Iterator[Form]:
    """Yield the forms that fit: all blocks are resident at once, and no registers spill."""
    bf16 = precision == "bf16"
    steps, rest = divmod(width(kernel, cell, H), WARPS * (16 if bf16 else 8))
    if precision == "float32" or rest or H % 32 or N % 16:
        return
    for units, streams, blocks in ((16, 16, 1), (32, 16, 1), (16, 16, 2), (16, 8, 1), (32, 8, 1)):
        if H % units:
            continue
        rows = units // 16 * (gates_of(cell) if kernel == "persistent_forward" else 1)
        if blocks > 1 and 4 * rows * steps > FEW_REGISTERS:
            continue
        free = REGISTERS // THREADS - 1 - OTHER_REGISTERS[kernel] - rows * streams // 2
        kept = steps if free >= 4 * rows * steps else (free - FOR_SHARED) // (4 * rows)
        if kept < steps and rows > MOST_ROWS:
            continue
        batches = N // streams
        for groups in range(1, batches + 1):
            if batches % groups or H // units * groups > multiprocessors * blocks or kept < 1:
                continue
            for sums in (2, 1):
                form = Form(
                    kernel,
                    cell,
                    H,
                    bf16,
                    units,
                    streams,
                    blocks,
                    kept,
                    steps,
                    sums,
                    groups,
                    batches // groups,
                )
                if blocks * (form.shared + RESERVED) <= shared_memory + RESERVED:
                    yield form
                    break


def best(
    cell: str, H: int, N: int, precision: Precision, multiprocessors: int, shared_memory: int
) -> tuple[Form, Form] | None:
    """Return the fastest forward and backward forms, or None if none fits."""
    found = []
    for kernel in KERNELS:
        fitting = list(forms(kernel, cell, H, N, precision, multiprocessors, shared_memory))
        if not fitting:
            return None
        found.append(min(fitting, key=lambda form: (form.clocks(multiprocessors), form.subs)))
    return found[0], found[1]


def pays(chosen: tuple[Form, Form], T: int, N: int, multiprocessors: int) -> bool:
    """Return whether T steps are faster than with one product and one kernel per step.

    ``multiprocessors`` is the layer's share: products of concurrent layers share the GPU too, but
    their launches take no longer.
    """
    form = chosen[0]
    persistent = sum(form.clocks(multiprocessors) for form in chosen) / H100_CLOCK
    count = 2 * N * gates_of(form.cell) * form.H**2
    rate = PLAIN_MULTIPLY["bf16" if form.bf16 else "tf32"] * multiprocessors / 132
    return T * persistent + 2 * START < T * (PLAIN + count / rate)
