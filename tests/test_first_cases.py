"""The plugin that runs one case of each test."""

from types import SimpleNamespace

from tests.first_cases import pytest_collection_modifyitems


def test_the_further_cases_of_a_test_are_deselected():
    deselected = []
    hook = SimpleNamespace(pytest_deselected=lambda items: deselected.extend(items))
    names = ["a.py::one[1]", "a.py::one[2]", "a.py::two", "b.py::one[1]", "a.py::one[3]"]
    items = [SimpleNamespace(nodeid=name) for name in names]
    pytest_collection_modifyitems(SimpleNamespace(hook=hook), items)
    assert [item.nodeid for item in items] == ["a.py::one[1]", "a.py::two", "b.py::one[1]"]
    assert [item.nodeid for item in deselected] == ["a.py::one[2]", "a.py::one[3]"]
