"""Sums of what small runs of every kind compute, alone or on ranks.

    mpiexec -n 3 python -m tests.rank_sums 0,0,1

The argument names the machine of each rank; without it, this process is alone. Printed are, as
JSON,
the SHA-256 of weights, optimizer state and streams at the end of each run, and what was scored.
"""

import hashlib
import json
import sys

import numpy as np

from charrnn.config import ModelConfig, TrainConfig
from charrnn.storage.store import MemoryStore
from charrnn.system.machine import available_cores
from charrnn.training.new import prepare
from tests.labelled_texts import answers, names, sentences

TEXT = "".join(f"{i} bottles of beer on the wall, {i * i} bottles of beer\n" for i in range(150))
DROPPED = {"dropout": 0.2, "weight_dropout": 0.1}
CASES = {
    "rnn": ({"cell": "rnn"}, {"optimizer": "adamw"}),
    "lstm": ({"cell": "lstm", **DROPPED}, {"optimizer": "muon"}),
    "gru": ({"cell": "gru", **DROPPED}, {"optimizer": "muon", "reset": 0.2}),
    "gru-layers": ({"cell": "gru", "num_layers": 2, "members": 2}, {"optimizer": "adamw"}),
    "window": ({"cell": "window"}, {"optimizer": "muon"}),
    "bag": ({"cell": "bag", "embedding_size": 6}, {"optimizer": "sgd"}),
    "groups": ({"cell": "gru", "hidden_size": 8}, {"batch_size": 570, "seq_len": 4}),
    "one-shard": ({"cell": "gru"}, {"batch_size": 8}),
    "clipped": ({"cell": "gru"}, {"max_grad_norm": 0.01}),
    "not-finite": (
        {"cell": "rnn", "nonlinearity": "relu"},
        {"optimizer": "sgd", "learning_rate": 1e6, "max_grad_norm": 0.0, "steps": 12},
    ),
    "counts": ({"cell": "gru", **DROPPED}, {"counts": True}),
    "lines": ({"cell": "gru", **DROPPED}, {"items": "line"}),
    "labels": ({"cell": "gru", **DROPPED}, {"predict": "label", "batch_size": 40}),
    "spaces": ({"cell": "gru"}, {"predict": "spaces", "batch_size": 40}),
    "prompted": ({"cell": "lstm"}, {"prompted": True, "batch_size": 40}),
}
"""The shape and the training of each run, where not as in all of them."""
TEXTS = {"labels": names(), "spaces": sentences(), "prompted": answers()}
SHAPE = {"hidden_size": 16, "num_layers": 1, "dropout": 0.0, "weight_dropout": 0.0}
TRAINING = {"steps": 4, "batch_size": 70, "seq_len": 8, "validations": 2}


def trained(text, shape, training, start=None):
    """Train to the end; return what the store keeps."""
    store = MemoryStore()
    run = prepare(
        [],
        content=text,
        model=ModelConfig(**{**SHAPE, **shape}) if start is None else None,
        train=TrainConfig(**{**TRAINING, **training}),
        init_from=start,
        store=store,
        threads=available_cores(),
        cache=False,
    )
    list(run.train())
    return store


def sum_of(store):
    """Return the SHA-256 of all that a resume needs, and the losses."""
    last = store.load_last()
    arrays = {**last.weights, **last.training}
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return f"{found.hexdigest()[:32]} {last.history.best_nats!r}"


def sums(cases=tuple(CASES)):
    """Return the sum of each run by its name."""
    found = {name: sum_of(trained(TEXTS.get(name, TEXT), *CASES[name])) for name in cases}
    # Symbols that the new text lacks keep their weights.
    start = trained(TEXT + "ABCDEFG\n" * 9, {}, {}).load_last()
    return {**found, "started": sum_of(trained(TEXT, {}, {}, start))}


def main():
    """Print the sums on rank 0."""
    if len(sys.argv) < 2:
        print(json.dumps(sums()))
        return
    from mpi4py import MPI

    from charrnn.parallel import crew
    from charrnn.parallel.ranks import join

    machines = [int(machine) for machine in sys.argv[1].split(",")]
    ranks = join(MPI.COMM_WORLD, machines[MPI.COMM_WORLD.Get_rank()])
    if ranks.number:
        crew.serve(ranks)
        return
    try:
        print(json.dumps(sums()))
    finally:
        crew.end(ranks, 1)


if __name__ == "__main__":
    main()
