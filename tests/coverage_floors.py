"""The least share of lines and of branches that the tests must run.

``coverage json -q -o - | python tests/coverage_floors.py`` prints both and the files that lack
most, and exits with 1 if one is below its floor. Coverage's own ``fail_under`` mixes the two. As
not all tests are traced (see tracing.py), some of these lines are run all the same.
"""

import json
import sys

FLOORS = {"lines": 95.0, "branches": 90.0}
WORST = 10
"""Files that are named."""


def shares(summary):
    """Return the percentage of the lines and of the branches that were run."""
    pairs = {
        "lines": (summary["covered_lines"], summary["num_statements"]),
        "branches": (summary["covered_branches"], summary["num_branches"]),
    }
    return {name: 100 * run / max(1, all_) for name, (run, all_) in pairs.items()}


def main():
    """Read the report from stdin and compare."""
    report = json.load(sys.stdin)
    missed = {
        name: file["summary"]["missing_lines"] + file["summary"]["missing_branches"]
        for name, file in report["files"].items()
    }
    for name in sorted(missed, key=missed.get, reverse=True)[:WORST]:
        file = report["files"][name]
        print(f"{name}: lines {', '.join(map(str, file['missing_lines'])) or 'all'}")
    found = shares(report["totals"])
    for name, floor in FLOORS.items():
        print(f"{name}: {found[name]:.1f} %, at least {floor:.0f} % wanted")
    return int(any(found[name] < floor for name, floor in FLOORS.items()))


if __name__ == "__main__":
    sys.exit(main())
