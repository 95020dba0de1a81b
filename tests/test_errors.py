"""Errors reach the caller of a worker with all that they say."""

import importlib
import pickle
import pkgutil
from pathlib import Path

import pytest

import charrnn
from charrnn.errors import CharrnnError
from charrnn.evaluation.lines.scoring import NoPrompt
from charrnn.system.files import WriteError
from charrnn.text.decoding import Misfit

MADE = {
    WriteError: lambda: WriteError(Path("run/last.npz"), PermissionError(13, "Denied"), "wait"),
    Misfit: lambda: Misfit("a.txt", "byte 7 (line 1)", "utf-8", surrogate=0xD800),
    NoPrompt: lambda: NoPrompt(6, "a tab"),
}
"""How those are made that have more than a message."""


def kinds():
    for module in pkgutil.walk_packages(charrnn.__path__, "charrnn."):
        if not module.name.startswith(("charrnn.cuda", "charrnn.__main__")):
            importlib.import_module(module.name)
    found, rest = set(), [CharrnnError]
    while rest:
        found.add(kind := rest.pop())
        rest += kind.__subclasses__()
    return {kind for kind in found if kind.__module__.startswith("charrnn")}


def test_every_error_can_be_sent():
    found = kinds()
    assert found >= MADE.keys()
    for kind in found:
        error = MADE.get(kind, lambda kind=kind: kind("what to do"))()
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            other = pickle.loads(pickle.dumps(error, protocol))
            assert type(other) is kind
            assert str(other) == str(error)
            assert other.__dict__.keys() == error.__dict__.keys()
    with pytest.raises(PermissionError):
        raise pickle.loads(pickle.dumps(MADE[WriteError]())).cause
