"""A pipe that is named as a file, as process substitution names one, is read as stdin is."""

import os
import threading
import unicodedata
from contextlib import contextmanager
from pathlib import Path

import pytest
from programs import trained
from typer.testing import CliRunner

import charrnn
from charrnn.cli.app import app
from charrnn.config import STDIN
from charrnn.errors import CorpusError
from charrnn.text import read_corpus, trained_on

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")

TEXT = "pack my box with five dozen liquor jugs\n"


@contextmanager
def pipe(path, data):
    """A pipe through which some bytes come, once."""
    os.mkfifo(path)

    def write():
        with Path(path).open("wb") as file:
            file.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    yield path
    writer.join(10)
    assert not writer.is_alive()


def test_a_pipe_is_read(tmp_path):
    with pipe(tmp_path / "pipe", "é\r\n".encode()) as path:
        corpus = read_corpus([path])
    assert corpus.text() == "é\n"
    assert [source.path for source in corpus.sources] == [STDIN]
    assert corpus.stdin.read() == "é\r\n".encode()


def test_a_pipe_among_files_keeps_its_place(tmp_path):
    (tmp_path / "a.txt").write_text("a\n")
    (tmp_path / "z.txt").write_text("z\n")
    with pipe(tmp_path / "pipe", b"p\n") as path:
        assert read_corpus([tmp_path / "z.txt", path, tmp_path / "a.txt"]).text() == "z\np\na\n"
    with pipe(tmp_path / "other", b"held\n") as path:
        corpus = read_corpus(tmp_path / "a.txt", held_out=path)
    assert (corpus.text(), corpus.held_out) == ("a\nheld\n", 5)


def test_what_can_be_read_only_once_is_named_once(tmp_path):
    for name in ("one", "two"):
        os.mkfifo(tmp_path / name)
    for other in (tmp_path / "two", STDIN):
        with pytest.raises(CorpusError, match="can each be read only once: name one of them"):
            read_corpus([tmp_path / "one", other])


def test_a_text_from_a_pipe_is_brought_into_the_form_of_the_model(tmp_path):
    model = trained(text="un élève à la forêt\n" * 40, steps=5)
    text = "à la forêt un élève"
    with pipe(tmp_path / "pipe", unicodedata.normalize("NFD", text).encode()) as path:
        found = model.evaluate(path)
    assert found.unknown == {}
    assert found.characters == len(text)
    assert any("--normalize nfc" in notice for notice in found.notices)


@pytest.mark.parametrize("command", ["eval", "score"])
def test_commands_read_a_pipe(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    trained(steps=5).save("model.npz")
    with pipe(tmp_path / "pipe", TEXT.encode()) as path:
        result = CliRunner().invoke(app, [command, str(path), "--model", "model.npz"])
    assert result.exit_code == 0, result.output
    assert TEXT.strip() in result.stdout or "characters" in result.stdout


def test_a_run_on_a_pipe_keeps_its_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pipe(tmp_path / "pipe", (TEXT * 200).encode()) as path:
        list(charrnn.train(path, out="runs/p", steps=3, hidden_size=4, threads=1))
    assert charrnn.load("runs/p").evaluate().characters == len(TEXT) * 20


def test_looking_for_the_training_text_opens_no_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    sources = read_corpus(_file(tmp_path)).sources
    assert not trained_on(sources, [tmp_path / "pipe"])


def _file(folder):
    path = folder / "a.txt"
    path.write_text(TEXT)
    return path
