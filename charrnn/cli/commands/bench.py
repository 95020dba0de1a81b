"""``charrnn bench``: how fast charrnn is on this machine."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.options import MachineConfig, takes
from charrnn.cli.show.console import say, write_json, write_table
from charrnn.cli.show.words import count, shape
from charrnn.cli.signals import StopSignals
from charrnn.config import (
    CONTEXT,
    WINDOWED,
    Architecture,
    BenchConfig,
    DeviceConfig,
    ModelConfig,
    Settings,
    option_name,
    pick,
)
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.benchmark import Benchmark

NUM_LAYERS, HIDDEN_SIZE, SEQ_LEN = 2, 128, 50
"""The model and the window of a training step, unless options say otherwise."""
DEFAULTS: Mapping[type[Settings] | str, str] = {
    "cell": "gru",
    "num_layers": f"{NUM_LAYERS}",
    "hidden_size": f"{HIDDEN_SIZE}",
    "directions": "1",
    "members": "1",
    "embedding_size": "one-hot",
    "dropout": "0",
    "weight_dropout": "0",
    "device": "cpu",
}
"""What the help says of options whose default is not that of training."""


@takes(
    ModelConfig,
    BenchConfig,
    DeviceConfig,
    MachineConfig,
    defaults=DEFAULTS,
)
def command(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    **settings: Any,
) -> None:
    """Measure the speed of charrnn on this machine.

    It trains on random text with Adam. If you report a problem with speed, include the table.
    """
    from charrnn.benchmark import Watch, benchmark
    from charrnn.training.devices import timed
    from charrnn.training.shaping import WINDOW_EMBEDDING

    model = pick(ModelConfig, settings)
    windowed = model.cell in WINDOWED
    config, machine = pick(BenchConfig, settings), pick(MachineConfig, settings)
    both = model.directions == 2
    if both and config.job == "sample":
        raise ConfigError("--directions 2 reads ahead, so it cannot generate text: leave out --job")
    network = Architecture.of(
        model,
        num_labels=config.vocab_size if both else 0,  # as many labels as symbols
        cell=model.cell or "gru",
        context=model.context or (CONTEXT if windowed else 0),
        embedding_size=model.embedding_size or (WINDOW_EMBEDDING if windowed else 0),
        num_layers=model.num_layers or NUM_LAYERS,
        hidden_size=model.hidden_size or HIDDEN_SIZE,
    )
    _check_job(model, config)
    device = pick(DeviceConfig, settings).beside(machine.threads)
    gpu = timed(device, network)
    if gpu is not None and config.job == "sample" and (config.batch_size or 1) == 1:
        raise ConfigError("--job sample needs many samples at once on a GPU: give --batch-size")
    watch = Watch(lambda message: say(message, dim=True))
    with StopSignals(watch.stop) as signals:
        result = benchmark(
            config.job,
            network,
            batch_size=config.batch_size or (64 if config.job == "train" else 1),
            seq_len=config.seq_len or SEQ_LEN,
            vocab_size=config.vocab_size,
            threads=machine.threads,
            seconds=config.seconds,
            gpu=gpu,
            precision="float32" if gpu is None else device.precision or "tf32",
            watch=watch,
        )
    if signals.received is not None:
        say("notice: interrupted: the figures cover only what was timed until then")
    if as_json:
        write_json(result.to_json())
    else:
        _write(result, None if gpu is None else gpu.name, chosen=machine.threads is not None)
    if signals.received is not None:
        raise typer.Exit(128 + signals.received)


def _check_job(model: ModelConfig, config: BenchConfig) -> None:
    """Refuse what only training has, where it is not timed.

    Raises
    ------
    ConfigError
        If there is such an option.
    """
    if config.job == "train":
        return
    of_training = {
        "seq_len": config.seq_len,
        "dropout": model.dropout,
        "weight_dropout": model.weight_dropout,
    }
    for name, value in of_training.items():
        if value is not None:
            raise ConfigError(
                f"{option_name(name)} applies only to training, and --job {config.job} does "
                "not train: leave one of them out"
            )


def _write(result: "Benchmark", gpu: str | None, *, chosen: bool) -> None:
    """Write a table; ``chosen`` says that the user chose the number of threads."""
    memory = result.peak_memory_mb
    write_table(
        (),
        [
            ("job", f"{result.job} {shape(result.model)}, {result.parameters:,} parameters"),
            ("streams", f"{result.batch_size}"),
            ("window", f"{result.seq_len} characters" if result.job == "train" else "1 character"),
            ("processor", f"{result.processor}, {count(result.cores, 'core')}"),
            *(
                [
                    (
                        "threads",
                        f"{result.threads}"
                        + ("" if chosen or result.interrupted else ", the best here"),
                    )
                ]
                if gpu is None
                else [("GPU", f"{gpu}, {result.precision}")]
            ),
            (
                "characters/s",
                f"{result.chars_per_second:,} (best round {result.best:,} of {result.rounds})",
            ),
            (
                "GFLOP/s",
                f"{result.gflops:,.1f}"
                if result.share_of_peak is None
                else f"{result.gflops:,.1f}, {result.share_of_peak:.0%} of the "
                f"{result.peak_gflops:,.0f} of a large product",
            ),
            ("memory", "unknown" if memory is None else f"{memory:,.0f} MB"),
            *(
                [("BLAS kernel, NumPy", f"{result.blas_kernel}, {result.numpy}")]
                if gpu is None
                else []
            ),
        ],
    )
