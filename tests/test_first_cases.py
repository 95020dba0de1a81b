"""The plugin that runs each value of a parameter once."""

from types import SimpleNamespace

from tests.first_cases import pytest_collection_modifyitems


def test_cases_of_known_values_are_deselected():
    deselected = []
    hook = SimpleNamespace(pytest_deselected=lambda items: deselected.extend(items))
    names = [f"a.py::one[{case}]" for case in ("x-1", "x-2", "y-1", "y-2", "1-y", "z-2")]
    names += ["a.py::two", "b.py::one[x-1]"]
    items = [SimpleNamespace(nodeid=name) for name in names]
    pytest_collection_modifyitems(SimpleNamespace(hook=hook), items)
    assert [item.nodeid for item in deselected] == ["a.py::one[y-2]"]
    assert [item.nodeid for item in items] == [n for n in names if n != "a.py::one[y-2]"]
