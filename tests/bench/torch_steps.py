"""Whole training steps of PyTorch, step by step or as one CUDA graph, for ``tests.bench.gpu``.

A step reads a window of ids, one-hot, goes through nn.LSTM or nn.GRU (cuDNN) and a linear layer,
clips the gradient by its norm, makes an update of fused AdamW and carries the state to the next
window. The window is always the same one, which spares PyTorch gathering it.
"""

import torch
from torch import nn

LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU}


def recorded(step):
    """Return what replays a step as one CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


class TorchSteps:
    """Steps of one network.

    Parameters
    ----------
    setting : Setting
        Its sizes.
    precision : {"float32", "tf32", "bf16"}
        bf16 is by autocast.
    graph : bool
        Whether a step is replayed as one CUDA graph.
    device : str
    """

    def __init__(self, setting, precision, *, graph=False, device="cuda"):
        tf32 = precision != "float32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        self.device, self.V, self.graph = device, setting.vocab_size, graph
        self.autocast = torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")
        T, N, H = setting.seq_len, setting.batch_size, setting.hidden_size
        self.layer = LAYERS[setting.cell](self.V, H, setting.num_layers, device=device)
        self.head = nn.Linear(H, self.V, device=device)
        self.weights = [*self.layer.parameters(), *self.head.parameters()]
        more = {"capturable": True} if graph else {}
        self.optimizer = torch.optim.AdamW(self.weights, 1e-3, fused=True, **more)
        ids = torch.randint(self.V, (T + 1, N), device=device)
        self.ids, self.targets = ids[:-1].contiguous(), ids[1:].reshape(-1)
        count = 2 if setting.cell == "lstm" else 1
        shape = setting.num_layers, N, H
        self.state = [torch.zeros(shape, device=device) for _ in range(count)]
        self.step = recorded(self._step) if graph else self._step

    def run(self, count):
        """Make so many steps, and wait for them."""
        for _ in range(count):
            self.step()
        if self.device == "cuda":
            torch.cuda.synchronize()

    def _one_hot(self):
        if not self.graph:
            return nn.functional.one_hot(self.ids, self.V).float()
        zeros = torch.zeros(*self.ids.shape, self.V, device=self.device)
        return zeros.scatter_(2, self.ids[..., None], 1.0)  # the other one waits for the GPU

    def _step(self):
        self.optimizer.zero_grad(set_to_none=not self.graph)
        with self.autocast:
            state = tuple(self.state) if len(self.state) > 1 else self.state[0]
            y, after = self.layer(self._one_hot(), state)
            logits = self.head(y).reshape(-1, self.V)
        self.loss = nn.functional.cross_entropy(logits.float(), self.targets)
        self.loss.backward()
        nn.utils.clip_grad_norm_(self.weights, 5.0)
        self.optimizer.step()
        after = after if len(self.state) > 1 else [after]
        with torch.no_grad():
            for part, new in zip(self.state, after, strict=True):
                part.copy_(new)
