"""A model on a GPU, or the emulated one, beside the same one in ``charrnn.nn``, in float64."""

import numpy as np
from emulator.backend import EmulatedBackend

from charrnn.config import Architecture
from charrnn.cuda.step import Gradient, Networks, State, shape_of
from charrnn.cuda.window import Read
from charrnn.nn.model import CharModel

V, T, N, C = 11, 5, 7, 4


def architecture(**settings):
    settings = {"cell": "gru", "hidden_size": 12, **settings}
    if settings.get("directions") == 2 or settings.get("head") == "item":
        settings.setdefault("num_labels", C)
    return Architecture(**settings)


def random_model(config, *, seed=0, dtype=np.float32, vocab_size=V):
    """A model with random weights, biases among them."""
    model = CharModel(config, vocab_size, dtype=dtype)
    rng = np.random.default_rng(seed)
    model.parameters.vector[...] = rng.normal(size=model.num_parameters) * 0.3
    return model


def in_float64(model):
    other = CharModel(model.config, model.vocab_size, dtype=np.float64)
    other.parameters.vector[...] = model.parameters.vector
    return other


def random_window(config, *, seed=1, T=T, N=N, vocab_size=V):
    """ids, targets, scored, lengths and state of a window."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(vocab_size, size=(T, N))
    lengths = np.sort(rng.integers(1, T + 1, size=N))
    classes = config.num_labels or vocab_size
    shape = (1, N) if config.head == "item" else (T, N)
    targets = rng.integers(classes, size=shape)
    scored = rng.random(shape) < 0.8
    model = CharModel(config, vocab_size)
    state = model.zero_state(N)
    state[...] = rng.normal(size=state.shape) * 0.5
    return ids, targets, scored, lengths, state


class OnGpu:
    """A model whose gradient of a window the emulated GPU computes."""

    def __init__(
        self, model, *, precision="float32", T=T, N=N, predictions=17.0, backend=None, **options
    ):
        self.backend = backend or EmulatedBackend(precision)
        self.networks = Networks(self.backend, model, learns=True, random_seed=3)
        self.shape = shape_of(T, N)
        self.count = N
        self.read = Read(self.networks.buffers, self.shape, model.config)
        self.gradient = Gradient(self.networks, self.read, predictions, **options)
        self.state = State(self.networks, self.shape.N, N)
        self.model = model

    def put(self, ids, targets, scored, lengths, state):
        T, N, count = self.shape.T, self.shape.N, self.count
        wide = np.zeros((T, N), np.int32)
        wide[:, :count] = ids
        self.backend.upload(self.read.ids, wide.reshape(-1))
        M = 1 if self.model.config.head == "item" else T
        for array, values in ((self.read.targets, targets), (self.read.weight, scored)):
            wide = np.zeros((M, N), array.dtype)
            wide[:, :count] = values
            self.backend.upload(array, wide.reshape(-1))
        self.backend.upload(self.read.keep, np.ones(N, np.float32))
        wide = np.full(N, T, np.int32)
        wide[:count] = lengths
        self.backend.upload(self.read.lengths, wide)
        self.state.upload(state)

    def compute(self):
        """Return the summed loss, the gradient as ``nn`` has it, and the state after."""
        self.state.begin(self.gradient.layers, self.read)
        self.networks.copy_weights()
        self.gradient.compute()
        self.state.carry(self.gradient.layers, self.networks.control)
        if isinstance(self.backend, EmulatedBackend):
            self.backend.check()
        grad = self.networks.layout.from_gpu(self.backend.download(self.networks.grad.array))
        nats = float(self.backend.download(self.gradient.nats)[0]) / len(self.gradient.members)
        return nats, grad, self.state.download()


def expected(model, window, predictions=17.0):
    ids, targets, scored, lengths, state = window
    other = in_float64(model)
    nats, after = other.loss_and_gradient(
        ids,
        targets,
        state.astype(np.float64),
        predictions=predictions,
        scored=scored,
        lengths=lengths,
    )
    return nats, other.grads.vector, after


def error(found, wanted):
    """Return the relative error of a vector."""
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
