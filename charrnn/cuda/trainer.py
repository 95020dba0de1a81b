"""The trainer on a GPU; see ``charrnn.trainer.Trainer``.

Dimensions
    T steps per window, N streams, K steps per chunk.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.config import Architecture, OptimizerName
from charrnn.cuda.backend import Backend, DeviceArray, each
from charrnn.cuda.cells import CELLS
from charrnn.cuda.feeds import feed_for
from charrnn.cuda.layer import MakeCell
from charrnn.cuda.model import Scoring
from charrnn.cuda.optimizers import Optimizer
from charrnn.cuda.step import Gradient, Networks, State
from charrnn.cuda.window import Read, Shape
from charrnn.data.windows import Batches
from charrnn.errors import CheckpointError, ConfigError
from charrnn.evaluation.scorers import Score, Scorer
from charrnn.nn.model import CharModel
from charrnn.trainer import StepResult

SECONDS = 0.05
"""Approximate time of a chunk of steps; the run checks the clock and Ctrl-C after each."""
MOST_GRAPHS = 64
"""Most window shapes whose steps are kept recorded."""
LARGEST_WEIGHT = 1e6
"""See ``training.step``."""


class CudaTrainer:
    """Trains a model on a GPU.

    A step is recorded once per window shape, as one CUDA graph. Dropout masks and stream resets are
    sampled on the GPU, so a run has different bits than on a CPU, but the same ones whenever it is
    repeated or resumed.

    Parameters
    ----------
    model : CharModel
        An initialized model; ``publish`` copies the trained weights into it.
    batches : Batches
        The windows of the training text.
    backend : Backend
        The GPU.
    optimizer : str
    max_grad_norm, weight_decay, random_seed, reset, new_symbols, scorer
        As in ``training.step.ShardTrainer``.
    parts : int, optional
        Number of parts of a window with stacked layers; by default chosen automatically, as is
        ``make_cell``.
    make_cell : callable, optional
        What makes the recurrence of a layer.
    """

    def __init__(
        self,
        model: CharModel,
        batches: Batches,
        backend: Backend,
        *,
        optimizer: OptimizerName,
        max_grad_norm: float,
        weight_decay: float,
        random_seed: int,
        reset: float = 0.0,
        new_symbols: NDArray[np.integer] | None = None,
        scorer: Scorer | None = None,
        parts: int | None = None,
        make_cell: MakeCell | None = None,
    ) -> None:
        self.model, self.batches, self.scorer = model, batches, scorer
        self._backend, self._max_norm = backend, max_grad_norm
        self._parts, self._make_cell = parts, make_cell
        self.step_count, self._step_seconds = 0, 0.0
        self._networks = Networks(backend, model, learns=True, random_seed=random_seed)
        theta, grad = self._networks.theta, self._networks.grad
        assert grad is not None
        layout = self._networks.layout
        self._optimizer = Optimizer(
            backend, optimizer, theta, grad, layout.hidden, layout.others, weight_decay
        )
        # Not the seed of a mask, so that dropout and resets are independent.
        seed = int(np.random.default_rng([random_seed, 1]).integers(2**31))
        item = model.config.head == "item"
        self._feed = feed_for(backend, batches, item=item, reset=reset, seed=seed)
        self._state = State(self._networks, self._feed.largest.N, batches.batch_size)
        K = self._feed.most_steps
        self._rates, self._results = backend.zeros(K), backend.zeros((K, 4))
        self._factors = backend.zeros(4)
        self._kept = _kept_rows(self._networks, new_symbols)
        self._steps: dict[tuple[Shape, bool], tuple[Read, Callable[[], None]]] = {}
        self._build(self._feed.largest)  # allocates nearly all memory that windows share
        self._scoring: Scoring | None = None
        self._closed = False
        self._step(1)  # compiles the kernels, which is not training time

    @property
    def workers(self) -> int:
        """One: the GPU."""
        return 1

    @property
    def chunk(self) -> int:
        """The number of steps that take about ``SECONDS``."""
        if not self._step_seconds:
            return 1
        return max(1, min(self._feed.most_steps, round(SECONDS / self._step_seconds)))

    def work(self, step: int) -> float:
        """Return the number of steps of a window times its streams."""
        return self.batches.steps(step) * self.batches.streams(step)

    def steps(self, rates: Sequence[float]) -> list[StepResult]:
        """Train on one batch per learning rate; stop after a step that is not finite."""
        results: list[StepResult] = []
        while len(results) < len(rates) and all(result.applied for result in results):
            some = rates[len(results) :][: self._feed.most_steps]
            results += self._chunk(some)
        return results

    def _chunk(self, rates: Sequence[float]) -> list[StepResult]:
        """Make as many steps as the feed can prepare."""
        backend, first, count = self._backend, self.step_count + 1, len(rates)
        begun = [self._step(first + index) for index in range(count)]
        padded = np.zeros(self._rates.size, np.float32)
        padded[:count] = rates
        backend.upload(self._rates, padded)
        backend.upload(self._networks.control, np.array([first, 0, 0, 0], np.int32))
        self._feed.prepare(first, count)
        backend.synchronize()
        start = time.perf_counter()
        for index, (read, launch) in enumerate(begun):
            self._feed.put(first + index, read)
            launch()
        self._feed.look_ahead(first + count, count)
        found = backend.download(self._results)
        self._step_seconds = (time.perf_counter() - start) / count
        control = backend.download(self._networks.control)
        made = int(control[1]) + bool(control[2])
        results = [self._result(first + index, found[index]) for index in range(made)]
        self.step_count += made
        if control[2]:
            self._state.clear()
        return results

    def _result(self, step: int, row: NDArray[np.float32]) -> StepResult:
        nats, norm, applied, sound = row.tolist()
        symbols = self.batches.symbols(step)
        return StepResult(nats / max(1, symbols), norm, bool(applied and sound), symbols > 0)

    def _step(self, step: int) -> tuple[Read, Callable[[], None]]:
        """Return the inputs of the window of a step, and a function that runs it."""
        shape, carried = self._feed.window(step)
        if (shape, carried) not in self._steps:
            if len(self._steps) >= MOST_GRAPHS:
                self._steps.pop(next(iter(self._steps)))
            read, run = self._build(shape)
            self._backend.upload(self._networks.control, np.array([1, 0, 1, 0], np.int32))
            self._feed.begin(read)
            self._feed.put(step, read)  # recording runs it once
            self._steps[shape, carried] = read, self._backend.record(lambda: run(carried))
        return self._steps[shape, carried]

    def _build(self, shape: Shape) -> tuple[Read, Callable[[bool], None]]:
        """Return the inputs for a window shape, and a function that runs the step."""
        networks, backend = self._networks, self._backend
        read = Read(networks.buffers, shape, self.model.config)
        gradient = Gradient(
            networks,
            read,
            self.batches.symbols_per_step,
            parts=self._parts,
            make_cell=self._make_cell,
        )
        members = len(gradient.members)
        control = networks.control

        def run(carried: bool) -> None:
            self._feed.cut(read, control)
            self._state.begin(gradient.layers, read)
            networks.copy_weights()
            gradient.compute()
            args = self._results, control, self._factors, self._rates
            sums = gradient.nats, gradient.squares, members, self._max_norm
            backend.launch("judge", 1, 1, *args, *sums)
            if carried:
                self._state.carry(gradient.layers, control)
            self._optimizer.update(control, self._factors)
            for theta, kept, rows in self._kept:
                sizes = rows.size, theta.shape[-1]
                each(backend, "keep_rows", kept.size, theta, kept, rows, control, *sizes)
            backend.launch("advance", 1, 1, control, self._results)

        return read, run

    @property
    def is_sound(self) -> bool:
        """Whether every weight is finite and not absurdly large."""
        theta = self._backend.download(self._networks.theta.array)
        return bool((np.abs(theta) <= LARGEST_WEIGHT).all())

    def publish(self) -> None:
        """Copy the weights into the model."""
        if not self._closed:
            self._networks.give_weights()

    def validate(self) -> Score:
        """Score the held-out text; changes nothing."""
        assert self.scorer is not None
        if self._scoring is None:
            self._scoring = Scoring(self._backend, self.model)
        self._scoring.take_weights(self._networks)
        return self._scoring.score(self.scorer)

    def arrays(self) -> dict[str, Array]:
        """Return the optimizer's vectors and the state of the streams, in the layout of the CPU."""
        layout = self._networks.layout
        vectors = {
            name: layout.from_gpu(self._backend.download(vector))
            for name, vector in self._optimizer.state.items()
        }
        return {**vectors, "state": self._state.download()}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Restore the output of ``arrays`` and the weights of the model."""
        P, state = self.model.num_parameters, self.model.zero_state(self.batches.batch_size)
        wanted = {**dict.fromkeys(self._optimizer.state, (P,)), "state": state.shape}
        if {name: array.shape for name, array in arrays.items()} != wanted:
            raise CheckpointError("last.npz does not fit its own settings: it cannot be resumed")
        for name, vector in self._optimizer.state.items():
            self._backend.upload(vector, self._networks.layout.to_gpu(arrays[name]))
        self._state.upload(arrays["state"])
        self._networks.take_weights()

    def close(self) -> None:
        """Release the recorded steps; the model keeps its current weights."""
        if not self._closed:
            self._closed = True
            self._steps.clear()


def _kept_rows(
    networks: Networks, symbols: NDArray[np.integer] | None
) -> list[tuple[DeviceArray, DeviceArray, DeviceArray]]:
    """Return the head weights with frozen rows, with the values and the rows."""
    if symbols is None or not len(symbols):
        return []
    backend, found = networks.backend, []
    rows = backend.zeros(len(symbols), np.int32)
    backend.upload(rows, np.asarray(symbols, np.int32))
    for prefix in networks.model.members:
        for name in (f"{prefix}head.b", f"{prefix}head.Wy"):
            theta = networks.theta[name]
            theta = theta.reshape(len(theta), -1)
            values = backend.download(theta)[symbols]
            kept = backend.zeros(values.shape)
            backend.upload(kept, np.ascontiguousarray(values))
            found.append((theta, kept, rows))
    return found


def check_supported(architecture: Architecture) -> None:
    """Reject networks that the GPU engine does not support.

    Raises
    ------
    ConfigError
        If the network has a cell that reads a fixed window.
    """
    if architecture.cell not in CELLS:
        raise ConfigError(
            f"--cell {architecture.cell} does not run on a GPU: use --device cpu, or "
            "--cell "
            f"{', '.join(CELLS)}"
        )
