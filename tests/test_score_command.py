"""``charrnn score``: rows on stdout, in a form that other programs read."""

import json
import math
import re

import pytest
from item_texts import trained as train_items
from rich.cells import cell_len
from typer.testing import CliRunner

import charrnn
from charrnn.cli.app import app
from charrnn.cli.show.heat import heat
from charrnn.cli.show.rows import Output, RowWriter
from charrnn.evaluation.lines.models import Figures
from charrnn.views.heat import Cell

TEXT = "pack my box with five dozen liquor jugs\n" * 30
LINES = "pack my box\n\npack my bxo\njugs é\n"
SMALL = {"hidden_size": 16, "num_layers": 1, "batch_size": 4, "threads": 1, "steps": 60}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with texts and runs."""
    folder = tmp_path_factory.mktemp("score")
    (folder / "lines.txt").write_text(LINES)
    (folder / "other.txt").write_text("five jugs\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, settings in (("box", {}), ("byte", {"unit": "byte"})):
            (folder / f"{name}.corpus").write_text(TEXT)
            list(charrnn.train(f"{name}.corpus", out=f"runs/{name}", **SMALL, **settings))
        (folder / "poems.corpus").write_text("ab\ncd\n\nef\ngh\n\n" * 30)
        train_items(folder / "runs" / "poems", folder / "poems.corpus", items="blank-line")
    return folder


@pytest.fixture(autouse=True)
def here(folder, monkeypatch):
    """Be there."""
    monkeypatch.chdir(folder)


def score(*words, model="box", input=None):
    command = ["score", *words, *(["--model", model] if model else [])]
    return CliRunner().invoke(app, command, input=input)


def rows(*words, **more):
    result = score(*words, **more)
    assert result.exit_code == 0, result.output
    return [line.split("\t") for line in result.stdout.splitlines()]


def test_a_row_is_bits_bits_per_character_unknown_symbols_and_the_line():
    found = rows("lines.txt")
    model = charrnn.load("box")
    assert [row[3] for row in found] == LINES.splitlines()
    assert [row[2] for row in found] == ["0", "0", "0", "1"]
    for bits, mean, _, line in found:
        alone = model.score(line + "\n")
        assert float(bits) == pytest.approx(alone.total_nats / math.log(2), abs=1e-3)
        assert float(mean) == pytest.approx(alone.bits_per_char, abs=1e-3)


@pytest.mark.parametrize("words", [["-"], ["-", "--flush"]])
def test_lines_come_from_a_file_from_stdin_or_are_given(words):
    from_file = rows("lines.txt")
    for found in (
        rows(*words, input=LINES),
        rows(*words, input=LINES.replace("\n", "\r\n")),
        rows(*(word for line in LINES.splitlines() for word in ("--text", line))),
    ):
        assert [row[2:] for row in found] == [row[2:] for row in from_file]
        for row, other in zip(found, from_file, strict=True):
            assert float(row[0]) == pytest.approx(float(other[0]), abs=1e-3)


def test_json_has_all_of_a_row():
    result = score("lines.txt", "--json")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["text"] for row in found] == LINES.splitlines()
    assert [row["line"] for row in found] == [1, 2, 3, 4]
    last = found[-1]
    assert last.keys() == {
        "file",
        "line",
        "text",
        "log_probability",
        "bits",
        "bits_per_char",
        "perplexity",
        "characters",
        "unknown",
        "per",
    }
    assert last["file"] == "lines.txt"
    assert (last["characters"], last["unknown"]) == (7, 1)
    assert last["log_probability"] == pytest.approx(-last["bits"] * math.log(2))
    assert last["perplexity"] == pytest.approx(2 ** last["bits_per_char"])
    assert "file" not in json.loads(score("--text", "box", "--json").stdout)


def test_words_and_characters_have_their_place():
    words = rows("--text", "pack my", "--per-word")
    (whole,) = rows("--text", "pack my")
    assert [row[3:] for row in words] == [["1", "1", "pack"], ["1", "6", "my"]]
    assert sum(float(row[0]) for row in words) == pytest.approx(float(whole[0]), abs=1e-3)
    found = rows("--text", "a\tb", "--per-char")
    assert [row[3:] for row in found] == [
        ["1", "1", "a"],
        ["1", "2", "\\t"],
        ["1", "3", "b"],
        ["1", "4", "\\n"],
    ]


def test_a_file_is_a_row():
    found = rows("lines.txt", "other.txt", "--per-file")
    assert [row[2:] for row in found] == [["1", "lines.txt"], ["0", "other.txt"]]
    data = json.loads(score("other.txt", "--per-file", "--json").stdout)
    assert (data["file"], data["characters"]) == ("other.txt", 10)
    assert "line" not in data
    assert data["bits"] == pytest.approx(float(found[1][0]), abs=1e-3)
    assert rows("-", "--per-file", input=LINES)[0][:3] == found[0][:3]


def test_a_row_of_several_files_says_where_it_is():
    found = rows("lines.txt", "other.txt")
    wanted = [*(f"lines.txt:{number}" for number in range(1, 5)), "other.txt:1"]
    assert [row[3] for row in found] == wanted
    assert [row[4] for row in found] == [*LINES.splitlines(), "five jugs"]
    assert [row[:4] for row in found[:4]] == [
        [*row[:3], place] for row, place in zip(rows("lines.txt"), wanted, strict=False)
    ]
    assert rows("lines.txt", "other.txt", "--top", "1", "--by", "line")[0][3] == "lines.txt:4"
    assert rows("lines.txt", "other.txt", "--per-word")[-1][3:] == ["1", "6", "other.txt:1", "jugs"]
    assert rows("lines.txt", "other.txt", "--model", "byte")[-1][3:] == ["other.txt:1", "five jugs"]


def drawn(monkeypatch, capsys, row, files, noun="line"):
    monkeypatch.setattr("charrnn.cli.show.rows.is_terminal", lambda file: True)
    monkeypatch.setenv("COLUMNS", "100")
    writer = RowWriter(["m"], noun, files=files, as_json=False)
    writer.write([row])
    return capsys.readouterr().out.splitlines()


def test_a_terminal_shows_the_file_where_there_are_several(monkeypatch, capsys):
    row = Output("box", [Figures(2.0, 4, 0)], 1234, "a.txt")
    assert re.search(r"line +text", drawn(monkeypatch, capsys, row, [])[0])
    head, shown = drawn(monkeypatch, capsys, row, ["a.txt", "b.txt"])
    assert re.search(r"place +text", head)
    assert shown.endswith(" a.txt:1234  box" + " " * (len(shown) - len(shown.rstrip())))
    part = row._replace(column=5)
    assert "  a.txt:1234:5  box" in drawn(monkeypatch, capsys, part, ["a.txt", "b.txt"], "word")[1]
    long = "a/folder/with/a/long/name/and/한글.txt"
    shown = drawn(monkeypatch, capsys, row._replace(source=long), [long, "b.txt"])[1]
    assert "  …" in shown
    assert "/and/한글.txt:1234  box" in shown


def test_a_context_that_is_not_read_is_said():
    result = score("--text", "box", "--context", "§")
    assert "notice: left out of the context: '§' (U+00A7), which the model" in result.stderr
    assert result.exit_code == 0


def test_the_strangest_lines_come_first():
    line, character = (rows("lines.txt", "--top", "4", "--by", by) for by in ("line", "character"))
    assert line[0][3] == "jugs é"
    assert sorted(line) == sorted(character) == sorted(rows("lines.txt"))
    found = score("lines.txt", "--top", "2", "--json").stdout.splitlines()
    shown = [(json.loads(row)["strange"], json.loads(row)["text"]) for row in found]
    assert shown[0] == ("character", character[0][3])
    if shown[1][0] == "line":  # else the same line leads both lists
        assert shown[1][1] == line[0][3]
    else:
        assert (line[0][3], shown[1][1]) == (shown[0][1], character[1][3])
    assert rows("lines.txt", "--top", "1", "--per-word")[0][5] == "bxo"


def test_a_typo_has_a_correction():
    typo = TEXT.replace("liquor", "lqiuor", 1)
    (found,) = score("-", "--top", "1", "--json", input=typo).stdout.splitlines()
    assert json.loads(found)["correction"] == "pack my box with five dozen liquor jugs"
    (byte,) = score("-", "--top", "1", "--json", input=typo, model="byte").stdout.splitlines()
    assert json.loads(byte)["correction"] == json.loads(found)["correction"]
    (same,) = score("-", "--top", "1", "--json", input=TEXT).stdout.splitlines()
    assert "correction" not in json.loads(same)
    assert rows("-", "--top", "1", input=typo)[0][3] == typo.split("\n")[0]  # columns stay


@pytest.mark.parametrize(
    ("text", "correction", "shown"),
    [
        ("my bxo is", "my box is", "bxo should perhaps be box"),
        ("x my box", " my box", "perhaps:  my box"),
        ("box\x1b", "boxes", "box\\x1b should perhaps be boxes"),
    ],
)
def test_a_terminal_shows_the_word_that_a_correction_changes(
    monkeypatch, capsys, text, correction, shown
):
    row = Output(text, [Figures(2.0, 4, 0)], 1, "", why="character", correction=correction)
    assert drawn(monkeypatch, capsys, row, [])[2].strip() == shown


def test_candidates_are_ranked_by_their_probability():
    texts = ["box my pack", "pack my box", "my pack box"]
    found = rows(*(word for text in texts for word in ("--text", text)), "--rank")
    assert found[0][3] == "pack my box"
    assert sorted(float(row[0]) for row in found) == [float(row[0]) for row in found]


def test_several_models_have_a_column_each_and_the_best_is_named():
    found = rows("lines.txt", "--model", "byte")
    alone = rows("other.txt", model="byte")[0]
    assert [len(row) for row in found] == [4] * 4
    for first, second, best, _ in found:
        assert best == ("byte" if float(first) <= float(second) else "box")
    data = json.loads(score("other.txt", "--model", "byte", "--json").stdout)
    assert data["best"] in data["models"]
    assert data["models"]["byte"]["bits"] == pytest.approx(float(alone[0]), abs=1e-3)


def test_the_context_is_read_before_each_line():
    without, after = rows("--text", "jugs"), rows("--text", "jugs", "--context", "liquor ")
    assert float(after[0][0]) < float(without[0][0])


def test_an_item_of_several_lines_is_a_row():
    (row, *rest) = rows("poems.corpus", model="poems")
    assert row[3] == "ab\\ncd"
    assert len(rest) == 59
    data = json.loads(score("--text", "ab\ncd", "--json", model="poems").stdout)
    assert (data["item"], data["text"]) == (1, "ab\ncd")
    assert rows("-", model="poems", input="ab\ncd\n\nef\n")[1][3] == "ef"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give a FILE, - for stdin, or --text TEXT"),
        (["lines.txt", "--text", "x"], "both say what to score"),
        (["--text", "x", "--encoding", "cp949"], "--encoding says how to read a FILE"),
        (["lines.txt", "--per-char", "--per-word"], "--per-char and --per-word both say"),
        (["lines.txt", "--rank", "--top", "3"], "--rank and --top are opposite"),
        (["lines.txt", "--rank", "--per-word"], "leave out --per-word"),
        (["lines.txt", "--by", "line"], "--by says what --top looks for"),
        (["lines.txt", "--by", "line", "--top", "2", "--per-char"], "--by applies only to lines"),
        (["--text", "x", "--per-file"], "--per-file applies only to files"),
        (["-", "lines.txt"], "- is scored alone"),
        (["lines.txt", "--flush"], "--flush applies only to standard input: give -"),
        (["-", "--flush", "--top", "2"], "--top needs all of the text first"),
        (["-", "--flush", "--rank"], "--rank needs all of the text first"),
        (["-", "--flush", "--per-file"], "--per-file needs all of the text first"),
        (["lines.txt", "--model", "byte", "--top", "1"], "--top applies only to one model"),
        (["lines.txt", "--model", "byte", "--per-char"], "--per-char applies only to one model"),
        (["lines.txt", "--model", "poems"], "compare models that divide texts in the same way"),
        (["missing.txt"], "missing.txt"),
        (["-"], "standard input"),
    ],
)
def test_what_cannot_be_done_is_one_line(words, message):
    result = score(*words, input="" if "-" in words else None)
    assert result.exit_code in (1, 2)
    said = result.stderr.splitlines()
    assert message in said[-1]
    assert said[-1].startswith("error: ")
    assert result.stdout == ""


def test_a_model_of_items_takes_no_flush():
    result = score("-", "--flush", model="poems", input="ab\n")
    assert "--flush applies only to lines" in result.stderr.splitlines()[-1]


def styles(*cells):
    text = heat(cells)
    return [(text.plain[span.start : span.end], str(span.style)) for span in text.spans]


def test_the_heat_map_is_dim_where_the_model_expected_it():
    bit = math.log(2)
    found = styles(Cell("a", 0.1 * bit), Cell("b", 4 * bit), Cell("c", 9 * bit))
    assert found == [("a", "dim"), ("b", "#d7af00"), ("c", "bold #ff0000")]
    assert styles(Cell("é", 0.0, unknown=True)) == [("é", "reverse")]


def test_the_heat_map_keeps_marks_on_their_letters_and_obeys_nothing():
    bit = math.log(2)
    assert styles(Cell("e", 0.1 * bit), Cell("\u0301", 9 * bit)) == [("e\u0301", "bold #ff0000")]
    assert heat([Cell("\x1b", 0.0), Cell("\t", 0.0), Cell("\u202e", 0.0)]).plain == (
        "\\x1b\\t\\u202e"
    )
    assert cell_len(heat([Cell("한", 0.0), Cell("글", 9.0)]).plain) == 4
    family = "👩\u200d👧"
    assert len(styles(*(Cell(part, 9.0) for part in family))) == 1
    assert re.fullmatch("x\\\\n\u0301", heat([Cell("x\n", 0.0), Cell("\u0301", 0.0)]).plain)
