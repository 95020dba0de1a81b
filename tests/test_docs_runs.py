"""What ``docs/runs.md`` says of a run's files and of its log is so."""

import json
import re
from pathlib import Path

import pytest
from labelled_texts import names
from typer.testing import CliRunner

from charrnn.cli.app import app
from charrnn.training.events import Finished, Notice, Progress, Sampled, Validated

DOC = (Path(__file__).parent.parent / "docs" / "runs.md").read_text("utf-8")
TINY = ["--hidden-size", "8", "--num-layers", "1", "--threads", "1", "--validations", "2"]


def documented():
    """The fields of each event, from the table; those of "all" are added to each."""
    fields, event = {}, ""
    for row in re.findall(r"^\| (`?\w*`?) ?\| (`.*?) \|", DOC.split("## The log")[1], re.M):
        event = row[0].strip("`") or event
        fields.setdefault(event, set()).update(re.findall(r"`(\w+)`", row[1]))
    both = fields.pop("all")
    return {event: both | own for event, own in fields.items()}


def train(*words):
    result = CliRunner().invoke(app, ["train", *words], prog_name="charrnn")
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A run on a text that was resumed, and one on labels."""
    folder = tmp_path_factory.mktemp("documented")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("text.txt").write_text("the cat sat on the mat and saw a rat\n" * 40)
        Path("labels.txt").write_text(names(60))
        train("text.txt", "--steps", "6", *TINY)
        train("--resume", "text", "--steps", "12")
        train("labels.txt", "--predict", "label", "--steps", "6", *TINY)
    return [folder / "runs" / name for name in ("text", "labels")]


def events_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]


def test_every_event_of_the_log_has_the_fields_that_are_documented(folders):
    known = documented()
    assert set(known) == {event.kind for event in (Validated, Progress, Sampled, Notice, Finished)}
    seen = set()
    for folder in folders:
        events = events_of(folder)
        seen |= {event["event"] for event in events}
        for event in events:
            assert set(event) == known[event["event"]]
            # A table takes a value for each field.
            assert all(
                value is None or type(value) in (str, int, float, bool) for value in event.values()
            )
    assert seen == set(known)


def test_the_lines_of_the_log_are_in_the_order_of_their_steps(folders):
    events = events_of(folders[0])
    steps = [event["step"] for event in events if event["event"] == "validated"]
    assert steps == sorted(set(steps))
    assert [event["step"] for event in events if event["event"] == "finished"] == [6, 12]


def test_every_file_of_a_run_is_documented(folders):
    table = DOC.split("## The list")[0]
    named = set(re.findall(r"^\| `([\w.]+)` \|", table, re.M))
    for folder in folders:
        assert {path.name for path in folder.iterdir()} == named - {"stdin.gz"}
