"""Labels of texts in PyTorch, with packed sequences: texts a second in training, as JSON."""

import json
import random
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

path, seconds, threads = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
pairs = [line.split("\t", 1) for line in Path(path).read_text("utf-8").splitlines() if line]
labels = {label: n for n, label in enumerate(sorted({label for label, _ in pairs}))}
symbols = {symbol: n for n, symbol in enumerate(sorted({s for _, text in pairs for s in text}))}
data = [(torch.tensor([symbols[s] for s in text]), labels[label]) for label, text in pairs if text]
BATCH = 64
embedding = nn.Embedding(len(symbols), 64)
gru = nn.GRU(64, 128, bidirectional=True)
head = nn.Linear(256, len(labels))
dropout = nn.Dropout(0.3)
weights = [*embedding.parameters(), *gru.parameters(), *head.parameters()]
optimizer = torch.optim.AdamW(weights, lr=1e-3)


def batches():
    """Yield batches of texts of similar length, shuffled, without end."""
    while True:
        order = random.sample(range(len(data)), len(data))
        for start in range(0, len(order), 8 * BATCH):
            chunk = sorted(order[start : start + 8 * BATCH], key=lambda n: -len(data[n][0]))
            for first in range(0, len(chunk), BATCH):
                yield [data[n] for n in chunk[first : first + BATCH]]


def step(batch):
    """Learn from one batch."""
    packed = pack_sequence([ids for ids, _ in batch])
    x = nn.utils.rnn.PackedSequence(embedding(packed.data), packed.batch_sizes)
    _, h = gru(x)
    logits = head(dropout(torch.cat([h[0], h[1]], dim=1)))
    loss = nn.functional.cross_entropy(logits, torch.tensor([label for _, label in batch]))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(weights, 1.0)
    optimizer.step()


stream = batches()
for _ in range(20):
    step(next(stream))
count, start = 0, time.perf_counter()
while time.perf_counter() - start < seconds:
    batch = next(stream)
    step(batch)
    count += len(batch)
print(json.dumps({"texts_per_second": count / (time.perf_counter() - start)}))
