"""Exported pages in tests: models with rounded weights, and a page's engine run by node."""

import json
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from charrnn.config import Architecture, TextConfig, TrainingSettings, ValidationSettings
from charrnn.exports.page import page_of
from charrnn.nn.model import CharModel
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.history import History
from charrnn.text import Source, Vocabulary

NODE = """
const { readFileSync } = require("node:fs");
const { runInThisContext } = require("node:vm");
const { page, program } = JSON.parse(readFileSync(0, "utf8"));
const block = (id) => page.match(new RegExp(`<script id="${id}"[^>]*>([^]*?)</script>`))[1];
const said = [];
globalThis.postMessage = (message) => said.push(message);
runInThisContext(block("engine"));
onmessage({ data: { kind: "load", model: JSON.parse(block("model")), weights: block("weights") } });
globalThis.said = said;
Promise.resolve(runInThisContext(`(async () => { ${program} })()`)).then(
  (result) => process.stdout.write(JSON.stringify(result)));
"""
"""Runs a program behind the engine of a page, loaded with its model; what it returns is printed."""


def rounded(checkpoint):
    """Return a checkpoint with its weights rounded to float16."""
    weights = {
        name: values.astype(np.float16).astype(np.float32)
        for name, values in checkpoint.weights.items()
    }
    return replace(checkpoint, weights=weights)


def run_engine(checkpoint, program, title="test"):
    """Return what a program returns that runs behind the engine of a checkpoint's page."""
    if shutil.which("node") is None:
        pytest.skip("no node")
    page = page_of(checkpoint, title).decode()
    done = subprocess.run(
        ["node", "-e", NODE],
        input=json.dumps({"page": page, "program": program}),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert not done.stderr, done.stderr
    return json.loads(done.stdout)


def block(page, name):
    """Return what a page has in one of its data blocks."""
    return re.search(rf'<script id="{name}"[^>]*>(.*?)</script>', page.decode(), re.S)[1]


def untrained(
    symbols="\n abcdefghij",
    *,
    seed=3,
    settings=None,
    vocabulary=None,
    labels=(),
    scale=0.6,
    **model,
):
    """Return a checkpoint of a network with random weights, whose text wanders."""
    vocabulary = vocabulary or Vocabulary(
        np.array(sorted(map(ord, symbols)), np.uint32), has_unknown=bool(labels)
    )
    architecture = Architecture(
        **{"cell": "gru", "hidden_size": 16, "num_labels": len(labels), **model}
    )
    network = CharModel(architecture, len(vocabulary))
    rng = np.random.default_rng(seed)
    network.parameters.vector[...] = scale * rng.standard_normal(network.num_parameters)
    return Checkpoint(
        text=TextConfig(normalize=vocabulary.normalize, unit=vocabulary.unit),
        architecture=architecture,
        settings=settings or decided(),
        validation=ValidationSettings(validations=1, val_characters=100),
        vocabulary=vocabulary,
        sources=(Source("/texts/text.txt", "0" * 64, 100, "utf-8"),),
        characters=100,
        held_out=0,
        history=History(),
        weights=dict(network.parameters),
        labels=tuple(labels),
    )


def decided(**settings):
    """Return the settings of a run of which nothing matters but these."""
    return TrainingSettings(**{**USUAL, **settings})


USUAL = {
    "max_epochs": 0.0,
    "batch_size": 8,
    "seq_len": 24,
    "shards": 1,
    "reset": 0.0,
    "items": "",
    "item_end": 10,
    "val_files": 0,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "schedule": "constant",
    "warmup": 0.0,
    "val_fraction": 0.0,
    "split_mode": "contiguous",
    "split_key": 0,
    "patience": 0,
    "save_every": 60.0,
    "random_seed": 0,
}
