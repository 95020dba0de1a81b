"""The same model and the same work in PyTorch, timed; prints characters a second as JSON."""

import argparse
import json
import statistics
import time

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--job", choices=["train", "sample"], default="train")
parser.add_argument("--cell", choices=["rnn", "lstm", "gru"], default="lstm")
parser.add_argument("--hidden-size", type=int, default=128)
parser.add_argument("--num-layers", type=int, default=2)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--seq-len", type=int, default=50)
parser.add_argument("--vocab-size", type=int, default=65)
parser.add_argument("--seconds", type=float, default=3.0)
options = parser.parse_args()
V, T, N = options.vocab_size, options.seq_len, options.batch_size

layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[options.cell]
stack = layer(V, options.hidden_size, options.num_layers)
head = nn.Linear(options.hidden_size, V)
weights = [*stack.parameters(), *head.parameters()]


def logits_of(ids, state):
    y, state = stack(nn.functional.one_hot(ids, V).float(), state)
    return head(y), state


def cut(state):
    """Let no gradient pass into the window before."""
    return tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()


def train(state):
    ids = torch.randint(V, (T + 1, N))
    logits, state = logits_of(ids[:-1], state)
    optimizer.zero_grad(set_to_none=True)
    nn.functional.cross_entropy(logits.reshape(-1, V), ids[1:].reshape(-1)).backward()
    nn.utils.clip_grad_norm_(weights, 5.0)
    optimizer.step()
    return cut(state), T * N


@torch.inference_mode()
def sample(state):
    ids = torch.zeros(1, 1, dtype=torch.long)
    for _ in range(200):
        logits, state = logits_of(ids, state)
        ids = torch.multinomial(logits[0].softmax(-1), 1)
    return state, 200


optimizer = torch.optim.Adam(weights, 0.002)
work = train if options.job == "train" else sample
rates: list[float] = []
state = None
for _ in range(3):
    state, _ = work(state)
stop = time.perf_counter() + options.seconds
while time.perf_counter() < stop:
    start = time.perf_counter()
    state, characters = work(state)
    rates.append(characters / (time.perf_counter() - start))
print(json.dumps({"chars_per_second": statistics.median(rates), "torch": torch.__version__}))
