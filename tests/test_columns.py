"""One column of a CSV or TSV file as a text: no row is dropped without a word."""

import csv
import gzip
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import charrnn
from charrnn.cli.app import app
from charrnn.config import TextConfig
from charrnn.errors import ConfigError, CorpusError
from charrnn.text import Corpus, read_corpus
from charrnn.text.codes import to_codes, to_text
from charrnn.text.columns import cells_of, is_table
from charrnn.text.decoding import Findings

ROWS = 'name,text,n\nAnn,"He said ""no"", twice",1\nBo,plain,2\n"C,D",third,3\n'


def text_of(content, column, **options):
    return Corpus.from_text(content, TextConfig(column=column, **options)).text()


@pytest.mark.parametrize(
    ("content", "column", "text"),
    [
        (ROWS, "text", 'He said "no", twice\nplain\nthird\n'),
        (ROWS, "name", "Ann\nBo\nC,D\n"),
        (ROWS, "1", "name\nAnn\nBo\nC,D\n"),
        ("a\tb\n1\tx, y\n2\tz\n", "b", "x, y\nz\n"),
        ("a;b\n1;x, y, z\n", "b", "x, y, z\n"),
        ("a|b\n1|x\n", "2", "b\nx\n"),
        ("\n\na,b\n\n1,x\n\n2,y\n", "b", "x\ny\n"),
        (" a , b \n1,x\n", "b", "x\n"),
        ("a,b\r\n1,x\r\n2,y\r\n", "b", "x\ny\n"),
        ("a,2\n1,x\n", "2", "x\n"),
        ("a,b\r1,x\r2,y\r", "b", "x\ny\n"),
        ("\ufeffb,a\n1,x\n", "b", "1\n"),
        ('\ufeff"b, c",a\n1,x\n', "b, c", "1\n"),
        ("\ufeffb,a\n1,x\n", "1", "b\n1\n"),
        ('a,b\r1,"x\ry"\r', "b", "x y\n"),
        ("only\none\ntwo\n", "only", "one\ntwo\n"),
        ("a,b\n1,x,,\n", "b", "x\n"),
        ("a,b\n1,x", "b", "x\n"),
        ("이름,글\n1,나는 간다\n", "글", "나는 간다\n"),
    ],
)
def test_the_cells_of_a_column_are_lines(content, column, text):
    assert text_of(content, column) == text
    assert text_of(content, column, unit="byte") == text


@given(
    st.lists(
        st.tuples(st.text("ab,;\"'\n\té한", max_size=5), st.text('ab,"\n 한', min_size=1)),
        min_size=1,
    ),
    st.integers(1, 7),
)
@settings(deadline=None)
def test_what_csv_writes_is_read_however_it_arrives(rows, size):
    file = io.StringIO()
    csv.writer(file).writerows([("head,one", "text,,,"), *rows])
    codes = to_codes(file.getvalue().replace("\r\n", "\n"))
    pieces = (codes[start : start + size] for start in range(0, len(codes), size))
    cells = cells_of(pieces, "text,,,", "x.csv", "strict", Findings())
    found = to_text(np.concatenate([to_codes(""), *cells]))
    wanted = [cell.replace("\n", " ") for _, cell in rows if cell.strip()]
    assert found == "".join(f"{cell}\n" for cell in wanted)


def test_what_is_left_out_or_changed_is_said():
    corpus = Corpus.from_text('a,b\n1,\n2,"x\ny"\n3, \n', TextConfig(column="b"))
    assert corpus.text() == "x y\n"
    notices = " ".join(corpus.notices)
    assert "2 empty cells of column 'b' left out" in notices
    assert "1 cell with newlines, which were replaced by spaces" in notices
    corpus = Corpus.from_text("a,b\n1,x\n", TextConfig(column="2"))
    assert "first row is read as data, with 'b' as text" in " ".join(corpus.notices)


@pytest.mark.parametrize(
    ("content", "column", "message"),
    [
        ("THE END\nof all\n", "text", "has no column 'text', only 'THE END': leave"),
        (ROWS, "Text", "name one of 'name', 'text', 'n', or a number from 1 to 3"),
        (ROWS, "4", "or a number from 1 to 3"),
        (ROWS, "0", "or a number from 1 to 3"),
        ("a,a\n1,2\n", "a", "has 2 columns named 'a': give its number"),
        ("a,b\n1,x\n2\n3,y,z\n4,w\n", "b", "2 rows do not match the first: line 3 has 1 of 2 "
         "columns; line 4 has 3 columns and not 2: repair them (quote cells that contain the "
         "separator)"),
        ('a,b\n1,"x" y\n2,z\n', "b", "1 row does not match the first: line 2 is not valid CSV"),
        ('a,b\n1,x\n2,"y\n3,z\n', "b", "line 3: a quoted cell is never closed"),
        ("a,b\n", "b", "is empty"),
        ("a,b\n" + "1\n" * 5, "b", "; and 2 more"),
    ],
)  # fmt: skip
def test_what_is_no_such_column_is_refused(content, column, message):
    with pytest.raises(CorpusError) as caught:
        text_of(content, column)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rows_are_left_out_where_that_is_asked_for_and_counted():
    corpus = Corpus.from_text('a,b\n1,x\n2\n3,"y" z\n4,w\n', TextConfig(column="b", errors="skip"))
    assert corpus.text() == "x\nw\n"
    assert "2 rows left out, not matching the first: line 3 has 1 of 2" in corpus.notices[0]


@pytest.mark.parametrize("errors", ["strict", "skip"])
def test_a_first_row_that_is_no_csv_is_refused(errors):
    with pytest.raises(
        CorpusError,
        match=r"line 2: the first row, which names the columns, is not valid CSV .* repair it",
    ):
        text_of('\n"a"x,b\n1,b\n2,z\n', "b", errors=errors)


def test_files_are_decoded_and_unpacked_first(tmp_path):
    path = tmp_path / "ko.csv.gz"
    path.write_bytes(gzip.compress("이름,글\n1,나는 학교에 간다\n2,값이 없다\n".encode("cp949")))
    (tmp_path / "b.csv").write_text("n,글\n3,닭\n", "utf-8")
    corpus = read_corpus([path, tmp_path / "b.csv"], column="글")
    assert corpus.text() == "나는 학교에 간다\n값이 없다\n닭\n"
    assert corpus.starts == (0, 16)
    assert corpus.column == "글"


def test_names_of_tables():
    tables = [path for path in ("a.csv", "A.TSV", "b.csv.gz", "c.txt", "d", "-") if is_table(path)]
    assert tables == ["a.csv", "A.TSV", "b.csv.gz"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f'{n},"five, jugs {n % 7}"\n' for n in range(400))
    (tmp_path / "t.csv").write_text("n,text\n" + rows)
    (tmp_path / "plain.txt").write_text("five, jugs 3\n")
    (tmp_path / "new.csv").write_text('n,text\n9,"five, jugs 3"\n')
    events = charrnn.train("t.csv", column="text", out="run", steps=4, hidden_size=4, threads=1)
    list(events)
    return charrnn.load("run")


def test_a_run_on_a_column_evaluates_and_resumes_on_it(run):
    assert run.checkpoint.text.column == "text"
    assert run.checkpoint.characters == 400 * len("five, jugs 3\n")
    assert run.evaluate().characters == run.checkpoint.held_out
    list(charrnn.resume("run", steps=6))
    assert charrnn.load("run").checkpoint.history.step >= 4


def test_new_files_are_read_by_column_where_they_are_tables(run):
    plain = run.evaluate("plain.txt").total_nats
    assert run.evaluate("new.csv").total_nats == plain
    assert run.evaluate(text="five, jugs 3\n").total_nats == plain
    assert run.evaluate("new.csv", column="n").characters == 2
    with pytest.raises(CorpusError, match="has no column 'text'"):
        run.evaluate("plain.txt", column="text")


def test_the_commands_take_a_column(run):
    def invoke(*words, input=None):
        return CliRunner().invoke(app, [*words, "--model", "run"], input=input)

    by_line = invoke("score", "new.csv").stdout
    assert by_line.endswith("\tfive, jugs 3\n")
    content = 'n,text\n9,"five, jugs 3"\n'
    assert invoke("score", "-", "--column", "text", input=content).stdout == by_line
    result = invoke("score", "-", "--column", "text", "--flush", input=content)
    assert (result.exit_code, "leave one out" in result.stderr) == (2, True)


def test_a_column_is_no_label():
    for predict in ("label", "tags"):
        with pytest.raises(ConfigError, match="--columns LABEL,TEXT"):
            charrnn.train(text=ROWS, column="text", predict=predict, steps=1)
    with pytest.raises(ConfigError, match="--column is empty"):
        TextConfig(column="")


def test_a_csv_that_is_read_whole_is_told_of_the_option(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(ROWS * 20)
    told = [*charrnn.train(path, steps=1, hidden_size=4).notices]
    assert any("--column NAME trains on one column" in notice for notice in told)
    told = [*charrnn.train(path, column="text", steps=1, hidden_size=4, errors="skip").notices]
    assert not any("CSV, and all of it" in notice for notice in told)
