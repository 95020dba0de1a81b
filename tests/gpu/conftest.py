"""Tests that need an NVIDIA GPU: ``make check-gpu`` runs them; elsewhere they are not collected."""

import sys
from pathlib import Path

import pytest

from charrnn.cuda.device import usable

sys.path.insert(0, str(Path(__file__).parent.parent / "cuda"))
GPU = usable()
if isinstance(GPU, str):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def backends():
    """Return the backend of a precision; one each serves all tests."""
    from charrnn.cuda.gpu import CupyBackend

    made = {}

    def backend(precision):
        if precision not in made:
            made[precision] = CupyBackend(GPU, precision)
        return made[precision]

    return backend
