"""The lowest versions that pyproject.toml promises, for a run of the tests with exactly these.

``python tests/floors.py`` prints what ``pip install`` needs: each dependency at its floor, and the
tools of the tests. With ``--check`` it prints the versions of this environment, and exits with 1 if
one of them is not its floor.
"""

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"
TOOLS = ("hypothesis", "pytest", "pytest-xdist", "safetensors")
"""Of the development group, what the tests need."""


def floors(project: Path = PROJECT) -> dict[str, str]:
    """Return the lowest version of each dependency.

    Raises
    ------
    SystemExit
        If a dependency has another form than ``name>=version``, and so no floor that is known.
    """
    found = {}
    for line in tomllib.loads(project.read_text())["project"]["dependencies"]:
        match = re.fullmatch(r"([\w.-]+)>=([\d.]+)", line)
        if match is None:
            sys.exit(f"{project}: {line!r} is not of the form name>=version: give its floor")
        found[match[1]] = match[2]
    return found


def tools(project: Path = PROJECT) -> list[str]:
    """Return the requirements of the tests themselves."""
    group = tomllib.loads(project.read_text())["dependency-groups"]["dev"]
    return [line for line in group if re.match(r"[\w.-]+", line)[0] in TOOLS]


def same(one: str, other: str) -> bool:
    """Return whether two versions are equal: 13 is 13.0.0."""
    return re.sub(r"(\.0)+$", "", one) == re.sub(r"(\.0)+$", "", other)


def check() -> int:
    """Print the versions in use; return 1 if one is not its floor."""
    wrong = 0
    for name, floor in floors().items():
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "missing"
        wrong += not same(found, floor)
        print(f"{name} {found}" + ("" if same(found, floor) else f", where {floor} is the floor"))
    return int(wrong > 0)


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(check())
    print(*(f"{name}=={floor}" for name, floor in floors().items()), *tools())
