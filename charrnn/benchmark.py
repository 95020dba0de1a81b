"""How fast charrnn is on this machine: training and sampling on random text.

Rates are medians of timed rounds; a round is a training step, or 200 drawn characters of every
stream. Floating-point operations are counted, not measured, and set beside the rate at which as
many workers multiply large matrices in the same run.
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
"""Characters a second of each round, the memory in bytes where it is known, the workers used."""
TEXT_LENGTH = 200_000
DRAWN_AT_ONCE = 200
PEAK_SIZE = 2048
WARM_UP_ROUNDS = 3
TOLD_EVERY = 2.0
"""Seconds between two messages of how far a measurement is."""


@dataclass(frozen=True)
class Benchmark:
    """What was measured, and for what.

    ``chars_per_second`` is the median of the timed rounds and ``best`` the best of them;
    ``gflops`` belongs to the median; ``peak_gflops`` is what ``threads`` workers reach in large
    matrix products; ``peak_memory_mb`` counts memory that workers share once, and is None where
    the system does not tell. Of a GPU, ``blas_kernel`` is its name, ``precision`` that of its
    products, and the memory is its own. What was ``interrupted`` has fewer rounds, and no peak.
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
        """Return it as JSON types."""
        return asdict(self)


@dataclass
class Watch:
    """Hears what is being measured, and may end it.

    Attributes
    ----------
    told : callable
        Gets each message.
    stopped : bool
        Whether to measure no more: what there is so far is the result.
    """

    told: Callable[[str], None] = lambda message: None
    stopped: bool = False

    def stop(self) -> None:
        """Let the round end that is being timed, and begin no other."""
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
    """Measure one setting.

    Parameters
    ----------
    job : "train" or "sample"
        What to time.
    model : Architecture
        The network.
    batch_size : int
        Streams trained on or drawn in parallel.
    seq_len : int
        Window of a training step.
    vocab_size : int
        Distinct characters of the random text.
    threads : int, optional
        Workers, at most one a core; if left out, what is fastest of one and every core is found
        first.
    seconds : float
        How long to time.
    peak_seconds : float
        How long to multiply large matrices.
    gpu : Gpu, optional
        What computes, in place of the CPU; it has no threads.
    precision : {"float32", "tf32", "bf16"}
        Of what it multiplies.
    watch : Watch, optional
        Hears how far it is, and may end it.
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
        gc.collect()  # the parts of a trainer refer to each other: its memory must not count
    if watch.stopped and quick:
        rates, memory, threads = quick[threads]
    else:
        watch.told(f"timing for {seconds:g} s")
        # More than the cores would only wait; few streams have work for fewer.
        rates, memory, threads = setting.rates(min(threads, cores), seconds)
    interrupted = watch.stopped
    rate = median(rates)
    peak = None
    if not interrupted:
        watch.told("timing large products, to compare with")
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
        """Return at how many billions of operations a second large matrices are multiplied."""
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
        # Backward costs the same for the weights and again for what is below them.
        lowest = [member.body.layers[0].Wx.size for member in model.members.values()]
        return 3 * forward - 2 * (0 if self.config.embedding_size else sum(lowest))

    def rates(self, threads: int, seconds: float) -> Rates:
        """Return the characters a second of each round, with what they took."""
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
            shards=shard_count(self.batch_size, size),
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
    """The same on a GPU: a round is as many steps as it is best asked for at once."""

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
            optimizer="adamw",  # without decay it is Adam
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
        """Return the bytes of the GPU that are in use now and were not when it was found."""
        now = engine.usable(self.gpu.device)
        return None if isinstance(now, str) else float(max(0, self.gpu.free - now.free))


def _drawn(results: list[list[NDArray[np.intp]]]) -> int:
    return sum(ids.size for worker in results for ids in worker)


def _time(work: Callable[[], int], seconds: float, watch: Watch | None = None) -> list[float]:
    """Return the characters a second of each round; one of work returns how many there were."""
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
    """Return the bytes of a team's processes; a page that n of them share counts once.

    Taken when the buffers of a step are all in use, it is the peak but for passing arrays. None
    where the system tells a process nothing of its memory (Windows).
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
    """Multiplies large matrices, to find the speed that nothing here can exceed by much."""

    def gflops(self, seconds: float) -> float:
        """Return the best rate in billions of operations a second."""
        a = np.ones((PEAK_SIZE, PEAK_SIZE), np.float32)
        b, out = a.copy(), a.copy()
        best = 0.0
        stop = time.perf_counter() + seconds
        while time.perf_counter() < stop or not best:
            start = time.perf_counter()
            np.matmul(a, b, out=out)
            best = max(best, 2 * PEAK_SIZE**3 / (time.perf_counter() - start) / 1e9)
        return best
