"""The plan of a run in words: the corpus and its split are given in the same unit."""

import pytest
from labelled_texts import names
from typer.testing import CliRunner

from charrnn.cli.app import app
from charrnn.cli.show import plan as plans

TINY = ["--hidden-size", "4", "--num-layers", "1", "--threads", "1"]
LINES = "".join(f"{'ab' * (n % 7)}{n}\n" for n in range(200))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("charrnn.cli.commands.train.SPEED_SECONDS", 0.0)
    (tmp_path / "lines.txt").write_text(LINES)
    (tmp_path / "blocks.txt").write_text(LINES.replace("0\n", "0\n\n\n"))
    (tmp_path / "labels.txt").write_text(names(200))
    return tmp_path


def planned(*words):
    result = CliRunner().invoke(app, ["train", *words, "--plan", *TINY], prog_name="charrnn")
    assert result.exit_code == 0, result.output
    rows = [line.split(None, 1) for line in result.stdout.split("\n\n")[0].split("\n")]
    return {row[0]: row[1] for row in rows if len(row) == 2}


def numbers(words):
    return [int(word.replace(",", "")) for word in words.split() if word[0].isdigit()]


def test_a_text_is_counted_in_characters():
    rows = planned("lines.txt", "--steps", "50")
    whole = len(LINES)
    assert rows["corpus"] == f"lines.txt: {whole:,} characters, 13 symbols"
    assert rows["split"] == (
        f"{whole - whole // 10:,} characters to learn from, {whole // 10:,} (10 %) held out for "
        "validation"
    )


def test_items_are_counted_as_items():
    rows = planned("lines.txt", "--lines", "--steps", "50")
    assert rows["corpus"].endswith("13 symbols, 200 lines")
    learned, held = numbers(rows["split"])[:2]
    assert learned + held == 200
    assert f"{learned} lines to learn from, {held} (" in rows["split"]
    assert ", by their hash) held out for validation" in rows["split"]
    rows = planned("blocks.txt", "--items", "blank-line", "--steps", "5", "--val-fraction", "0")
    assert rows["corpus"].endswith(", 21 items (text between blank lines)")
    assert rows["split"] == "21 items to learn from, nothing held out"


def test_texts_with_labels_are_counted_as_texts():
    rows = planned("labels.txt", "--predict", "label", "--steps", "50")
    learned, held = numbers(rows["split"])[:2]
    assert rows["corpus"].endswith(f", {learned + held} texts")


def test_what_counts_need_is_part_of_the_split():
    rows = planned("lines.txt", "--counts", "--steps", "50")
    assert "to fit the mixture with counts" in rows["split"]
    learned, apart, held = numbers(rows["split"])[:3]
    assert learned + apart + held == len(LINES)
    rows = planned("lines.txt", "--lines", "--counts", "--steps", "50")
    assert rows["corpus"].endswith(", 200 lines")
    assert sum(numbers(rows["split"])[:3]) == 200


def test_one_word_for_a_pass_over_the_text():
    rows = planned("lines.txt", "--epochs", "2", "--batch-size", "8")
    assert " steps, 2.0" in rows["length"] or " steps, 2 epochs" in rows["length"]
    assert rows["length"].endswith(" epochs")
    assert planned("lines.txt", "--minutes", "1")["length"] == "1 min, or 100 epochs"
    assert planned("lines.txt", "--minutes", "1", "--max-epochs", "1")["length"].endswith("1 epoch")


def test_a_line_of_the_plan_is_wrapped_at_words_on_a_terminal(monkeypatch, capsys):
    class Run:
        plan = None
        notices = ()

    monkeypatch.setattr(plans, "plan_rows", lambda plan: [("validation", "word " * 30), ("b", "x")])
    monkeypatch.setattr(plans, "is_terminal", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "80")
    plans.say_plan(Run())
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("validation  word word")
    assert lines[1].startswith("            word")
    assert all(len(line) < 80 for line in lines)
    assert lines[-1] == "b           x"
