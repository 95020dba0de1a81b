"""Tests that need a browser: ``make check-browser`` runs them; elsewhere they are not collected."""

import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))
if importlib.util.find_spec("selenium") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Return a browser; one serves all tests."""
    from driver import Browser

    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()
