"""A GPU that is none: what finds and uses one is replaced, and the CPU does the work."""

from detached import DetachedTrainer

from charrnn.cuda.device import Gpu
from charrnn.errors import ConfigError
from charrnn.optimizers import OPTIMIZERS
from charrnn.training import engine

NAME = "NVIDIA Pretended 9000"


def gpu(index=0, free=10**9):
    """A small GPU."""
    return Gpu(index, NAME, 2 * 10**9, free, 16, 99_000, (9, 0))


class FakeEngine:
    """Counts what is asked of it.

    Attributes
    ----------
    found : Gpu or str
        What there is, or why there is none.
    unsupported : str
        What the engine says to everything; empty where it trains it.
    megabytes : float
        What everything takes.
    """

    def __init__(self, monkeypatch):
        self.found, self.unsupported, self.megabytes = gpu(), "", 100.0
        self.looked, self.trained, self.models = [], [], []
        monkeypatch.setattr(engine, "usable", self._usable)
        monkeypatch.setattr(engine, "check_supported", self._check)
        monkeypatch.setattr(engine, "megabytes", lambda *work: self.megabytes)
        monkeypatch.setattr(engine, "gpu_trainer", self._trainer)
        monkeypatch.setattr(engine, "gpu_model", self._model)
        monkeypatch.setattr(engine, "peak_gflops", lambda gpu, precision, seconds: 1000.0)

    def _usable(self, device):
        self.looked.append(device)
        return self.found

    def _check(self, model):
        if self.unsupported:
            raise ConfigError(self.unsupported)

    def _trainer(self, model, batches, *, gpu, precision, optimizer, **settings):
        self.trained.append((gpu, precision))
        return DetachedTrainer(model, batches, optimizer=OPTIMIZERS[optimizer], **settings)

    def _model(self, model, gpu, precision):
        self.models.append((gpu, precision))
        return model.replica()
