"""One recurrent layer on a GPU beside FlashRNN's (arXiv 2412.07752), in bf16, forward and backward.

    python -m tests.bench.flashrnn [--setting lstm 256 64 50] [--json]

FlashRNN (``flashrnn`` on PyPI) compiles its kernels for each setting, which takes minutes. Both
sides take the input part ``Wx x`` and the gradient of the outputs, and compute the outputs and the
gradients of the input part, the recurrent weights and the biases. FlashRNN's figure is the best of
its two backends, with inputs laid out as its kernels read them. Its calls are not recorded as one
CUDA graph: version 1.0.8 does not allow it, and what is timed after the attempt fails. Characters
per second: T * N over the time of a layer.
"""

import argparse
import importlib.util
import json
import sys
from dataclasses import asdict
from functools import partial

import numpy as np

from charrnn.config import Architecture
from charrnn.cuda.step import Networks, shape_of
from charrnn.cuda.window import Read
from charrnn.nn.model import CharModel
from charrnn.training import engine
from tests.bench.gpu import CELLS, Setting, compare, summary_of

SETTINGS = (
    ("lstm", 256, 64, 50),
    ("lstm", 512, 64, 50),
    ("lstm", 256, 256, 50),
    ("lstm", 512, 256, 50),
    ("lstm", 768, 16, 1024),
    ("gru", 256, 64, 50),
    ("gru", 512, 64, 50),
)
"""Cell, hidden units, streams, steps. FlashRNN's paper has the LSTM of 768 units."""
BACKENDS = ("cuda_fused", "cuda")


class OwnLayer:
    """A layer of charrnn, recorded as one CUDA graph.

    Parameters
    ----------
    setting : Setting
        Its sizes; its vocabulary plays no part.
    backend : Backend
        A GPU, in bf16.
    """

    def __init__(self, setting, backend):
        config = Architecture(
            cell=setting.cell, num_layers=1, hidden_size=setting.hidden_size, dropout=0.0
        )
        model = CharModel(config, setting.vocab_size)
        rng = np.random.default_rng(0)
        model.initialise(rng)
        networks = Networks(backend, model, learns=True)
        shape = shape_of(setting.seq_len, setting.batch_size)
        (network,) = networks.networks(Read(networks.buffers, shape, config))
        (self.layer,), self.backend, self.networks = network.layers, backend, networks
        cell = self.layer.cell
        self.given = backend.zeros(cell.z.values.shape)
        for array, scale in ((self.given, 1.0), (cell.dy, 0.01)):
            backend.upload(array, rng.normal(size=array.shape).astype(np.float32) * scale)
        self.again = backend.record(self.work)

    def work(self):
        """Compute the layer and its gradients once."""
        layer = self.layer
        self.backend.copy(layer.cell.z.values, self.given)
        layer.forward(0, layer.T)
        layer.cell.begin_backward()
        layer.backward(0, layer.T)
        layer.weight_gradients()

    def run(self, count):
        """Do so a number of times, and wait."""
        for _ in range(count):
            self.again()
        self.backend.synchronize()


class FlashLayer:
    """The same of FlashRNN.

    Parameters
    ----------
    setting : Setting
    kind : {"cuda_fused", "cuda"}
        Its backend.
    """

    def __init__(self, setting, kind):
        import torch
        from flashrnn import FlashRNNConfig

        # Its own way to ask for them does not compile with CUDA 13.
        sys.modules["flashrnn.flashrnn.flashrnn"].get_gpu_info = gpu_properties
        self.torch = torch
        T, N, H = setting.seq_len, setting.batch_size, setting.hidden_size
        config = self.config = FlashRNNConfig(
            hidden_dim=H, num_heads=1, batch_size=N, function=setting.cell, backend=kind
        )
        if config.backend != kind:
            raise ValueError(f"FlashRNN has no {kind} of this cell")
        sizes = {"T": T, "B": N, "H": 1, "D": H, "P": H}
        outer = ("B", "T", "G", "H", "D"), ("G", "H", "D", "P"), ("G", "H", "D")
        inner = config._internal_input_shape, config._internal_recurrent_shape
        inner = *inner, config._internal_bias_shape
        counts = config.num_gates_w, config.num_gates_r, config.num_gates_t
        scales = 1.0, H**-0.5, 0.1
        self.given = [
            self._laid_out(sizes | {"G": count}, order, wanted, scale)
            for count, order, wanted, scale in zip(counts, inner, outer, scales, strict=True)
        ]
        self.dy = self._array((T, N, 1, H), 0.01).transpose(0, 1)

    def _array(self, shape, scale):
        torch = self.torch
        return torch.randn(*shape, device="cuda").mul_(scale).to(torch.bfloat16)

    def _laid_out(self, sizes, order, wanted, scale):
        """An array in the order that FlashRNN's kernels read, seen in the one that it takes."""
        array = self._array([sizes[axis] for axis in order], scale)
        return array.permute([order.index(axis) for axis in wanted]).requires_grad_()

    def run(self, count):
        """Compute the layer and its gradients a number of times, and wait."""
        from flashrnn import flashrnn

        for _ in range(count):
            for array in self.given:
                array.grad = None
            states, _ = flashrnn(*self.given, config=self.config)
            states[0].backward(self.dy)  # the first one is h
        self.torch.cuda.synchronize()


def gpu_properties(device_id):
    """Return what FlashRNN asks of a GPU when it divides a layer."""
    import torch

    found = torch.cuda.get_device_properties(device_id)
    return {
        "maxThreadsPerBlock": 1024,  # of every NVIDIA GPU since 2010
        "regsPerMultiprocessor": found.regs_per_multiprocessor,
        "multiProcessorCount": found.multi_processor_count,
        "sharedMemPerBlockOptin": found.shared_memory_per_block_optin,
    }


def row_of(setting, rates):
    """Return a line of the table, in thousands of characters per second, and the ratio."""
    theirs = {name: rate for name, rate in rates.items() if name != "charrnn"}
    best = max(theirs, key=theirs.get, default=None)
    ratio = rates["charrnn"] / theirs[best] if best and "charrnn" in rates else None
    names = "charrnn", best
    cells = [f"{rates[name] / 1000:>10,.0f}" if name in rates else f"{'-':>10}" for name in names]
    shown = f"{ratio:>8.2f}  {best}" if ratio else f"{'-':>8}"
    return f"{setting}, {setting.seq_len} steps".ljust(40) + "".join(cells) + shown, ratio


def makers_of(setting, backend):
    """Return what makes each contender; those of FlashRNN only where it is installed."""
    makers = {"charrnn": partial(OwnLayer, setting, backend)}
    if importlib.util.find_spec("flashrnn") is not None:
        for kind in BACKENDS:
            makers[kind] = partial(FlashLayer, setting, kind)
    return makers


def parsed(arguments=None):
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--setting", nargs=4, action="append", metavar=("CELL", "UNITS", "STREAMS", "STEPS")
    )
    parser.add_argument("--seconds", type=float, default=0.25, help="of each figure, about")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="a JSON object a line, no table")
    options = parser.parse_args(arguments)
    options.settings = []
    for cell, *sizes in options.setting or SETTINGS:
        if cell not in CELLS or not all(str(size).isdecimal() and int(size) for size in sizes):
            parser.error(f"--setting {cell} {' '.join(sizes)}: give lstm or gru and three sizes")
        units, streams, steps = map(int, sizes)
        options.settings.append(Setting(cell, 1, units, streams, seq_len=steps))
    return options


def main():
    """Print the table."""
    options = parsed()
    gpu = engine.usable("cuda")
    if isinstance(gpu, str):
        sys.exit(f"no table of a GPU: {gpu}")
    if importlib.util.find_spec("flashrnn") is None:
        print("FlashRNN is not installed here: its columns stay empty", file=sys.stderr)
    print(gpu.name, file=sys.stderr)
    backend, ratios = engine.backend(gpu, "bf16"), []
    for setting in options.settings:
        makers = makers_of(setting, backend)
        rates = compare(setting, makers, seconds=options.seconds, rounds=options.rounds)
        line, ratio = row_of(setting, rates)
        ratios += [ratio] if ratio else []
        print(json.dumps(asdict(setting) | rates) if options.json else line, flush=True)
    if not options.json:
        print(summary_of(ratios))


if __name__ == "__main__":
    main()
