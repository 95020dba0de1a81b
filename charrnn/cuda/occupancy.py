"""How the persistent kernels divide a layer among the multiprocessors, and when they pay.

Dimensions
    N streams, H hidden units, G gates. A kernel multiplies, in each step, weights by K numbers of
    each stream: forward the H of the state, backward the G*H of the gates' gradients.

See ``kernels/persistent.cuh`` for what is divided. Times are estimates in clocks of a
multiprocessor: they only have to put the choices in the right order.
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
"""Of a multiprocessor."""
OTHER_REGISTERS: dict[Kernel, int] = {"persistent_forward": 62, "persistent_backward": 96}
"""Of a thread, beside weights and sums: addresses, a cell's numbers, and a state being read, of
which the more is on its way the better."""
FOR_SHARED = 8
"""More of them, where some weights are in shared memory."""
MOST_ROWS = 6
"""Tiles of rows that leave a thread registers for weights on their way from shared memory."""
FEW_REGISTERS = 64
"""Of weights, so that two blocks find room on a multiprocessor."""
RESERVED = 1024
"""Bytes of shared memory that each block takes beside its own."""

LATENCY = 1500
"""Clocks from a number's way to the second-level cache until another block has read it."""
READ = 12
"""Bytes a clock and multiprocessor from the second-level cache, if all read, which is what whole
steps at 256 and 1024 streams come to on an H100."""
READ_ALONE = 64
"""The same for one multiprocessor alone."""
MULTIPLY = {"tf32": 1024, "bf16": 2048}
"""Multiplications a clock on the tensor cores of a multiprocessor."""
SHARED = 128
"""Bytes a clock from shared memory."""
CELL = 250
"""Clocks of a cell's arithmetic for a unit of each thread, with the block's barriers."""

H100_CLOCK = 1755
"""Clocks in a microsecond."""
START = 6
"""Microseconds until a kernel has its weights."""
PLAIN = 10
"""Microseconds of a step forward and backward with a product and a kernel each (on an H100)."""
PLAIN_MULTIPLY = {"tf32": 75e6, "bf16": 300e6}
"""Multiplications a microsecond of such products; with ``PLAIN`` it fits what was measured."""


@dataclass(frozen=True)
class Form:
    """One way of compiling and launching a persistent kernel.

    Attributes
    ----------
    units, streams : int
        Hidden units of a block, and streams that it computes at once.
    blocks : int
        How many blocks a multiprocessor holds at once.
    kept, steps : int
        Of how many products a warp keeps the weights in registers, and how many it has.
    sums : int
        Buffers for partial sums.
    groups, subs : int
        ``groups`` blocks share the streams, each has ``subs * streams`` of them.
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
        """Blocks: by units, by streams."""
        return self.H // self.units, self.groups

    @property
    def rows(self) -> int:
        """Tiles of 16 rows of weights."""
        gates = gates_of(self.cell) if self.kernel == "persistent_forward" else 1
        return gates * self.units // 16

    @property
    def shared(self) -> int:
        """Bytes of shared memory of a block: weights, partial sums, what goes to the next step."""
        weights = (self.steps - self.kept) * self.rows * THREADS * 16
        sums = self.sums * WARPS * self.rows * self.streams * 16 * 4
        biases = (gates_of(self.cell) + 1) * self.units * 4
        return weights + sums + biases + self.subs * self.units // 16 * THREADS * 4

    @property
    def defines(self) -> dict[str, int]:
        """What the kernel is compiled for."""
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
        """Return about how long a step takes."""
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
        crowd = -(-blocks // multiprocessors)  # blocks of a multiprocessor
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
    """Yield the forms that fit: all blocks are on the GPU at once, and no register spills."""
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
    """Return the quickest form forward and backward, or None where no form fits."""
    found = []
    for kernel in KERNELS:
        fitting = list(forms(kernel, cell, H, N, precision, multiprocessors, shared_memory))
        if not fitting:
            return None
        found.append(min(fitting, key=lambda form: (form.clocks(multiprocessors), form.subs)))
    return found[0], found[1]


def pays(chosen: tuple[Form, Form], T: int, N: int, multiprocessors: int) -> bool:
    """Return whether T steps take less time than with a product and a kernel for each step.

    ``multiprocessors`` are those of the layer's share: products of layers that run side by side
    share the GPU too, but their launches take no longer.
    """
    form = chosen[0]
    persistent = sum(form.clocks(multiprocessors) for form in chosen) / H100_CLOCK
    count = 2 * N * gates_of(form.cell) * form.H**2
    rate = PLAIN_MULTIPLY["bf16" if form.bf16 else "tf32"] * multiprocessors / 132
    return T * persistent + 2 * START < T * (PLAIN + count / rate)
