"""Benchmarks of training and sampling on this machine, with random text.

Rates are medians of timed rounds; a round is a training step, or 200 sampled characters per stream.
Floating-point operations are counted, not measured, and compared with the rate at which the same
number of workers multiplies large matrices in the same run.
"""

import gc
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import shared_zeros
from charrnn.backend.products import blas_kernel
from charrnn.config import Architecture, Precision, SampleConfig
from charrnn.data.streams import Streams
from charrnn.nn.model import CharModel
from charrnn.optimizers import OPTIMIZERS
from charrnn.parallel.sharding import deal, shard_columns, shard_count
from charrnn.parallel.team import Team
from charrnn.sampling.drawing import Drawer, DrawingWorker, begin
from charrnn.system.machine import available_cores, processor_name
from charrnn.text import Vocabulary
from charrnn.training import engine
from charrnn.training.step import ShardTrainer

if TYPE_CHECKING:
    from charrnn.cuda.device import Gpu

Job = Literal["train", "sample"]
Rates = tuple[list[float], float | None, int]
"""Characters per second of each round, the memory in bytes if known, and the number of workers."""
TEXT_LENGTH = 200_000
DRAWN_AT_ONCE = 200
PEAK_SIZE = 2048
WARM_UP_ROUNDS = 3
TOLD_EVERY = 2.0
"""Seconds between two progress messages."""


@dataclass(frozen=True)
class Benchmark:
    """The result of a benchmark, and its setting.

    ``chars_per_second`` is the median of the timed rounds, and ``best`` the best one. ``gflops`` is
    computed from the median; ``peak_gflops`` is what ``threads`` workers reach in large matrix
    products. ``peak_memory_mb`` counts shared memory once, and is None if the system does not
    report it. For a GPU, ``blas_kernel`` is its name, ``precision`` that of its products, and the
    memory is GPU memory. An ``interrupted`` benchmark has fewer rounds, and no peak.
    """

    job: Job
    model: Architecture
    batch_size: int
    seq_len: int
    vocab_size: int
    threads: int
    chars_per_second: int
    best: int
    rounds: int
    gflops: float
    peak_gflops: float | None
    share_of_peak: float | None
    peak_memory_mb: float | None
    parameters: int
    processor: str
    cores: int
    blas_kernel: str
    precision: Precision
    numpy: str
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON types."""
        return asdict(self)


@dataclass
class Watch:
    """Receives progress messages, and can stop the benchmark.

    Attributes
    ----------
    told : callable
        Called with each message.
    stopped : bool
        Whether to stop; the result is what was measured so far.
    """

    told: Callable[[str], None] = lambda message: None
    stopped: bool = False

    def stop(self) -> None:
        """Finish the current round, and start no other."""
        self.stopped = True


def benchmark(
    job: Job,
    model: Architecture,
    *,
    batch_size: int,
    seq_len: int,
    vocab_size: int,
    threads: int | None,
    seconds: float,
    peak_seconds: float = 1.0,
    gpu: "Gpu | None" = None,
    precision: Precision = "float32",
    watch: Watch | None = None,
) -> Benchmark:
    """Run a benchmark.

    Parameters
    ----------
    job : "train" or "sample"
        What to time.
    model : Architecture
        The network.
    batch_size : int
        Streams that are trained on or sampled in parallel.
    seq_len : int
        Steps per training window.
    vocab_size : int
        Distinct characters of the random text.
    threads : int, optional
        Workers, at most one per core; by default, the faster one of one worker and one per core.
    seconds : float
        Time of the benchmark, in seconds.
    peak_seconds : float
        Time of the products of large matrices, in seconds.
    gpu : Gpu, optional
        A GPU to use in place of the CPU.
    precision : {"float32", "tf32", "bf16"}
        Precision of matrix products on the GPU.
    watch : Watch, optional
        Receives progress messages, and can stop the benchmark.

    Returns
    -------
    Benchmark
        The rates, with the setting that they belong to.
    """
    watch = watch or Watch()
    setting: _Setting = _Setting(job, model, batch_size, seq_len, vocab_size, watch)
    if gpu is not None:
        setting = _GpuSetting(
            job, model, batch_size, seq_len, vocab_size, watch, gpu=gpu, precision=precision
        )
        threads = 1
    cores = available_cores()
    quick: dict[int, Rates] = {}
    if threads is None:
        for count in sorted({1, cores}):
            if not watch.stopped:
                watch.told(f"trying {count} of {cores} threads")
                quick[count] = setting.rates(count, min(1.0, seconds / 3))
        threads = max(quick, key=lambda count: median(quick[count][0]))
        gc.collect()  # a trainer has reference cycles, and its memory must not count
    if watch.stopped and quick:
        rates, memory, threads = quick[threads]
    else:
        watch.told(f"timing for {seconds:g} s")
        # More workers than cores would only wait; few streams occupy fewer.
        rates, memory, threads = setting.rates(min(threads, cores), seconds)
    interrupted = watch.stopped
    rate = median(rates)
    peak = None
    if not interrupted:
        watch.told("timing large matrix products for comparison")
        peak = setting.peak(threads, peak_seconds)
    gflops = rate * setting.flops_per_character() / 1e9
    return Benchmark(
        job=job,
        model=model,
        batch_size=batch_size,
        seq_len=seq_len,
        vocab_size=vocab_size,
        threads=threads,
        chars_per_second=round(rate),
        best=round(max(rates)),
        rounds=len(rates),
        gflops=round(gflops, 1),
        peak_gflops=None if peak is None else round(peak, 1),
        share_of_peak=None if peak is None else round(gflops / peak, 3),
        peak_memory_mb=None if memory is None else round(memory / 1e6, 1),
        parameters=setting.model().num_parameters,
        processor=processor_name(),
        cores=cores,
        blas_kernel=blas_kernel() if gpu is None else gpu.name,
        precision=precision,
        numpy=np.__version__,
        interrupted=interrupted,
    )


@dataclass(frozen=True)
class _Setting:
    job: Job
    config: Architecture
    batch_size: int
    seq_len: int
    vocab_size: int
    watch: Watch = field(default_factory=Watch)

    def model(self) -> CharModel:
        model = CharModel(self.config, self.vocab_size, zeros=shared_zeros)
        model.initialise(np.random.default_rng(0))
        return model

    def batches(self) -> Streams:
        """Return windows of a random text."""
        rng = np.random.default_rng(0)
        codes = rng.integers(self.vocab_size, size=TEXT_LENGTH).astype(np.uint32)
        vocabulary = Vocabulary(np.arange(self.vocab_size, dtype=np.uint32))
        return Streams(codes, vocabulary, self.batch_size, self.seq_len)

    def peak(self, threads: int, seconds: float) -> float:
        """Return the rate of large matrix products, in billions of operations per second."""
        with Team([_Multiplier() for _ in range(threads)]) as team:
            return float(sum(team.call("gflops", seconds)))

    def flops_per_character(self) -> float:
        """Count the multiplications and additions of all matrix products."""
        model = self.model()
        forward = 2 * sum(
            view.size for name, view in model.parameters.items() if not name.endswith((".E", "b_n"))
        )
        if self.job == "sample":
            return forward
        # Backward costs the same again for the weights, and for the gradient of their input.
        lowest = [member.body.layers[0].Wx.size for member in model.members.values()]
        return 3 * forward - 2 * (0 if self.config.embedding_size else sum(lowest))

    def rates(self, threads: int, seconds: float) -> Rates:
        """Return the characters per second of each round, the memory, and the workers."""
        return (self._train if self.job == "train" else self._sample)(threads, seconds)

    def _train(self, threads: int, seconds: float) -> Rates:
        size = CharModel.stream_bytes(self.config, self.vocab_size, self.seq_len)
        trainer = ShardTrainer(
            self.model(),
            self.batches(),
            optimizer=OPTIMIZERS["adam"],
            max_grad_norm=5.0,
            weight_decay=0.0,
            random_seed=0,
            shards=shard_count(self.batch_size, size, threads),
            threads=threads,
        )
        try:
            characters = self.batch_size * self.seq_len
            rates = _time(lambda: characters * len(trainer.steps([0.002])), seconds, self.watch)
            return rates, team_memory(trainer.team), trainer.team.size
        finally:
            trainer.close()

    def _sample(self, threads: int, seconds: float) -> Rates:
        model, config = self.model(), SampleConfig()
        columns = shard_columns(self.batch_size, shard_count(self.batch_size))
        numbers = [range(self.batch_size)[part] for part in columns]
        begun = begin(model, np.zeros(1, np.uint8))
        workers = [
            DrawingWorker([Drawer(model, config, begun, numbers[i], 0) for i in mine])
            for mine in deal(range(len(columns)), threads)
        ]
        with Team(workers) as team:
            rates = _time(lambda: _drawn(team.call("draw", DRAWN_AT_ONCE)), seconds, self.watch)
            return rates, team_memory(team), team.size


@dataclass(frozen=True)
class _GpuSetting(_Setting):
    """The same on a GPU; a round is a chunk of steps."""

    gpu: "Gpu" = field(kw_only=True)
    precision: Precision = field(kw_only=True)

    def peak(self, threads: int, seconds: float) -> float:
        return engine.peak_gflops(self.gpu, self.precision, seconds)

    def _train(self, threads: int, seconds: float) -> Rates:
        trainer = engine.gpu_trainer(
            self.model(),
            self.batches(),
            gpu=self.gpu,
            precision=self.precision,
            optimizer="adamw",  # Adam, as there is no weight decay
            max_grad_norm=5.0,
            weight_decay=0.0,
            random_seed=0,
            reset=0.0,
            new_symbols=np.arange(0),
            scorer=None,
        )
        try:
            characters = self.batch_size * self.seq_len
            rates = _time(
                lambda: characters * len(trainer.steps([0.002] * trainer.chunk)),
                seconds,
                self.watch,
            )
            return rates, self._memory(), 1
        finally:
            trainer.close()

    def _sample(self, threads: int, seconds: float) -> Rates:
        model = engine.gpu_model(self.model(), self.gpu, self.precision)
        begun = begin(model, np.zeros(1, np.uint8))
        drawer = Drawer(model, SampleConfig(), begun, range(self.batch_size), 0)
        rates = _time(lambda: drawer.draw(DRAWN_AT_ONCE).size, seconds, self.watch)
        return rates, self._memory(), 1

    def _memory(self) -> float | None:
        """Return the bytes of GPU memory that were allocated since the GPU was found."""
        now = engine.usable(self.gpu.device)
        return None if isinstance(now, str) else float(max(0, self.gpu.free - now.free))


def _drawn(results: list[list[NDArray[np.intp]]]) -> int:
    return sum(ids.size for worker in results for ids in worker)


def _time(work: Callable[[], int], seconds: float, watch: Watch | None = None) -> list[float]:
    """Return the characters per second of each round; ``work`` runs one and returns its
    characters."""
    watch = watch or Watch()
    for _ in range(WARM_UP_ROUNDS):
        if not watch.stopped:
            work()
    rates: list[float] = []
    begun = told = time.perf_counter()
    while not rates or (time.perf_counter() < begun + seconds and not watch.stopped):
        start = time.perf_counter()
        characters = work()
        now = time.perf_counter()
        rates.append(characters / (now - start))
        if now - told >= TOLD_EVERY:
            told = now
            watch.told(f"{now - begun:.0f} of {seconds:g} s: {median(rates):,.0f} characters/s")
    return rates


def team_memory(team: Team) -> float | None:
    """Return the memory of a team's processes in bytes; shared pages count once.

    Measured while all buffers of a step are in use, it is the peak except for temporary arrays.
    None if the system does not report the memory of a process (Windows).
    """
    try:
        return sum(map(_proportional_memory, [os.getpid(), *team.process_ids]))
    except OSError:  # not Linux
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak * (1 if sys.platform == "darwin" else 1024))


def _proportional_memory(process: int) -> float:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(float(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


class _Multiplier:
    """Multiplies large matrices, to find a practical upper bound of the speed."""

    def gflops(self, seconds: float) -> float:
        """Return the best rate, in billions of operations per second."""
        a = np.ones((PEAK_SIZE, PEAK_SIZE), np.float32)
        b, out = a.copy(), a.copy()
        best = 0.0
        stop = time.perf_counter() + seconds
        while time.perf_counter() < stop or not best:
            start = time.perf_counter()
            np.matmul(a, b, out=out)
            best = max(best, 2 * PEAK_SIZE**3 / (time.perf_counter() - start) / 1e9)
        return best
