"""The plans that ``docs/defaults.md`` works through are those of the rule."""

import re
from pathlib import Path

import pytest

from charrnn.config import ModelConfig, TrainConfig
from charrnn.training.recipe import complete

DOC = (Path(__file__).parent.parent / "docs" / "defaults.md").read_text("utf-8")
PLANS = re.findall(r"^```text\n(\$ .*?)^```", DOC, re.M | re.S)
TEXT = re.compile(r"^corpus +\S+ ([\d,]+) characters, (\d+) symbols", re.M)
ROW = re.compile(r"^(\w+) +(\S+) {2,}(\S.*)$")


def test_there_are_two_plans():
    assert len(PLANS) == 2


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_has_the_values_and_reasons_of_the_rule(plan):
    characters, distinct = (int(number.replace(",", "")) for number in TEXT.search(plan).groups())
    found = complete(ModelConfig(), TrainConfig(), characters=characters, distinct=distinct)
    rows = [ROW.match(line) for line in plan.split("setting ")[1].splitlines()[1:]]
    shown = [row.groups() for row in rows if row]
    assert len(shown) >= 7
    for name, value, why in shown:
        group = found.train if hasattr(found.train, name) else found.model
        assert (value, why) == (str(getattr(group, name)), found.reasons[name])
