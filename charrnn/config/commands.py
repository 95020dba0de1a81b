"""Settings for sampling, scoring and timing, and for the device."""

import re
from dataclasses import dataclass
from typing import Literal

from charrnn.config.fields import Settings, option_name, setting
from charrnn.config.similar import did_you_mean
from charrnn.errors import ConfigError

Precision = Literal["float32", "tf32", "bf16"]


@dataclass(frozen=True, kw_only=True)
class DeviceConfig(Settings):
    """The device that computes, and its precision."""

    device: str | None = setting(
        None,
        "Compute on the CPU or on an NVIDIA GPU. auto uses a GPU if there is one and it is "
        "faster; cuda:N is GPU number N.",
        auto="auto for training runs of minutes, else cpu",
        form="auto|cpu|cuda[:N]",
    )
    precision: Precision | None = setting(
        None,
        "Precision of matrix products on a GPU; sums and weights are always float32.",
        auto="float32 on the CPU, tf32 on a GPU",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.device is not None and not re.fullmatch("auto|cpu|cuda(:[0-9]{1,3})?", self.device):
            raise ConfigError(_no_device(self.device))
        if self.device == "cpu" and self.precision not in (None, "float32"):
            raise ConfigError(
                f"--precision {self.precision} needs a GPU, and the CPU computes in float32: give "
                "--device cuda, or leave it out"
            )

    @property
    def is_gpu(self) -> bool:
        """Whether it must be a GPU."""
        return self.device is not None and self.device.startswith("cuda")

    @property
    def may_be_gpu(self) -> bool:
        """Whether it may be a GPU, where one is faster."""
        return self.device != "cpu"

    def beside(self, threads: int | None) -> "DeviceConfig":
        """Return the settings for a given number of threads, which apply only to the CPU.

        Raises
        ------
        ConfigError
            If it must be a GPU.
        """
        if threads is None:
            return self
        if self.is_gpu:
            raise ConfigError(
                f"--threads applies only to the CPU, and --device {self.device} computes on a "
                "GPU: leave one of them out"
            )
        if self.precision not in (None, "float32"):
            raise ConfigError(
                f"--threads applies only to the CPU, and --precision {self.precision} needs a "
                "GPU: leave one of them out"
            )
        return DeviceConfig(device="cpu", precision=self.precision)


def _no_device(name: str) -> str:
    """Return the error for an unknown device, with a suggestion."""
    hint = did_you_mean(name, ("auto", "cpu", "cuda"))
    if re.fullmatch("cuda:[0-9]+", name):
        hint = "; GPUs have numbers from 0 to 999, which nvidia-smi lists"
    elif name.lower().startswith(("gpu", "nvidia")):
        hint = "; did you mean cuda?"
    elif name.lower() in ("mps", "metal", "rocm", "xpu", "tpu"):
        hint = "; only NVIDIA GPUs are supported: use cpu elsewhere"
    return f"--device {name!r:.40} is none of auto, cpu, cuda, cuda:N{hint}"


@dataclass(frozen=True, kw_only=True)
class SampleConfig(Settings):
    """How text is sampled."""

    length: int = setting(
        500, "Length of the sample, in characters as people count them.", low=0, high=10**12
    )
    temperature: float = setting(
        1.0,
        "Below 1: more predictable; above 1: more varied; 0: always the most likely character.",
        low=0,
        high=1e6,
    )
    top_k: int | None = setting(
        None, "Sample only from this many of the most likely characters.", low=1
    )
    top_p: float | None = setting(
        None,
        "Sample only from the most likely characters that together have this probability.",
        above=0,
        high=1,
    )
    min_p: float | None = setting(
        None,
        "Sample only from characters at least this likely, relative to the most likely one.",
        low=0,
        high=1,
    )
    stop: str | tuple[str, ...] | None = setting(
        None,
        "Stop after this text. May be given several times: the first text to appear ends the "
        "sample.",
    )
    allow: str | None = setting(
        None, "Sample only these characters, as in --allow 0123456789.", form="CHARS"
    )
    counts: bool = setting(False, "Mix in the n-grams that train --counts counted.")
    num_samples: int = setting(
        1, "Number of samples, generated in parallel.", low=1, high=100_000, short="-n"
    )
    random_seed: int | None = setting(
        None, "Random seed of the samples.", low=0, high=2**63 - 1, auto="a new one each time"
    )

    @property
    def stops(self) -> tuple[str, ...]:
        """All stop texts."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else self.stop


@dataclass(frozen=True, kw_only=True)
class EvalConfig(Settings):
    """How a text is scored."""

    unknown: Literal["error", "skip", "score"] = setting(
        "score",
        "Characters that the model does not know: stop with an error, skip them, or score "
        "them by the share of new symbols in the training text.",
    )
    exact: bool = setting(
        False, "Score the text as a single stream, not as parallel streams with a warm-up each."
    )
    cold_windows: int | None = setting(
        None,
        "Score in windows of this many characters, each from a zero state.",
        low=1,
        high=10**9,
        auto="the state is carried",
    )
    counts: bool = setting(
        False, "Mix in the n-grams that train --counts counted, and show both results."
    )
    adapt: Literal["counts", "network", "both"] | None = setting(
        None,
        "Adapt to the text as it is scored: n-gram counts and an output layer that learn beside "
        "the network, a copy of the network as with --dynamic, or both.",
        auto="the model does not change",
    )
    dynamic: bool = setting(
        False,
        "Dynamic evaluation: a copy of the model learns from each window after it is "
        "scored; same as --adapt network.",
    )
    dynamic_window: int | None = setting(
        None, "Characters per update of --dynamic.", low=1, high=65536, auto="20"
    )
    dynamic_rate: float | None = setting(
        None, "Learning rate of --dynamic.", above=0, high=1e3, auto="0.0005"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("exact", "cold_windows", "adapt", "dynamic")
        ways = [name for name in names if getattr(self, name)]
        if len(ways) > 1:
            one, other = map(option_name, ways[:2])
            raise ConfigError(f"{one} and {other} both say how to score: give one of them")
        if self.counts and self.adapts:
            option = "--dynamic" if self.dynamic else "--adapt"
            raise ConfigError(
                f"--counts does not change while it scores, and {option} learns from the text: "
                "give one of them"
            )
        for name in ("dynamic_window", "dynamic_rate"):
            if getattr(self, name) is not None and not self.adapts_network:
                raise ConfigError(f"{option_name(name)} needs --adapt network or --adapt both")

    @property
    def adapts(self) -> bool:
        """Whether anything is learned from the text."""
        return self.dynamic or self.adapt is not None

    @property
    def adapts_network(self) -> bool:
        """Whether the network learns from the text."""
        return self.dynamic or self.adapt in ("network", "both")

    @property
    def adapts_counts(self) -> bool:
        """Whether counts that grow with the text are mixed in."""
        return self.adapt in ("counts", "both")


@dataclass(frozen=True, kw_only=True)
class BenchConfig(Settings):
    """What is timed."""

    job: Literal["train", "sample"] = setting("train", "What to time.")
    batch_size: int | None = setting(
        None, "Parallel streams.", low=1, high=65536, auto="64 to train, 1 to sample"
    )
    seq_len: int | None = setting(
        None, "Characters per window of a training step.", low=1, high=65536, auto="50"
    )
    vocab_size: int = setting(65, "Number of distinct characters.", low=1, high=50_000)
    seconds: float = setting(3.0, "How long to time, in seconds.", above=0, high=3600)
