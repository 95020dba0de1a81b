"""A run and its text: moved, copied, renamed or grown, it is found by what is in it."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from charrnn.config import EvalConfig, ModelConfig, TrainConfig
from charrnn.errors import CorpusError
from charrnn.evaluation.evaluate import evaluate_checkpoint
from charrnn.storage.checkpoint import load
from charrnn.storage.own_text import SOURCES, STDIN, find_own_text, portable, write_sources
from charrnn.text import Corpus, Source, read_corpus
from charrnn.training.new import prepare
from charrnn.training.resume import resume

WORDS = ["sow", "the", "seed", "in", "rows", "and", "wait", "for", "rain", "again"]
TEXT = " ".join(np.random.default_rng(0).choice(WORDS, 400).tolist()) + "\n"
LENGTH = TrainConfig(steps=4)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Be in a folder with a text, away from home."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    (tmp_path / "project" / "corpus.txt").write_text(TEXT)
    return tmp_path / "project"


def train(paths=("corpus.txt",), out="runs/run", **more):
    run = prepare(
        list(paths),
        model=ModelConfig(hidden_size=8, num_layers=1, dropout=0.0),
        train=TrainConfig(steps=2, batch_size=4, seq_len=8),
        out=None if out is None else Path(out),
        **more,
    )
    list(run.train())
    return run.directory


def goes_on(run, corpus=()):
    """Whether the run can be evaluated and resumed."""
    held_out = evaluate_checkpoint(load(run / "best.npz")).characters
    assert held_out == int(len(TEXT) * 0.1)
    other = run.with_name("again")
    shutil.copytree(run, other)
    list(resume(other, corpus=corpus, length=LENGTH).train())
    assert load(other / "last.npz").history.step == 4
    shutil.rmtree(other)
    return True


def move(here):
    (here / "corpus.txt").rename(here / "elsewhere.txt")


def move_to_a_folder(here):
    (here / "texts").mkdir()
    (here / "corpus.txt").rename(here / "runs" / "kept.txt")


def grow(here):
    with (here / "corpus.txt").open("a") as file:
        file.write("and more of it\n")


@pytest.mark.parametrize("change", [lambda here: None, move, move_to_a_folder, grow])
def test_a_text_is_found_again(here, change):
    run = train()
    change(here)
    assert goes_on(here / run)


def test_a_project_may_move_as_a_whole(here, monkeypatch):
    train()
    there = here.rename(here.parent / "moved")
    monkeypatch.chdir(there.parent)  # and be used from elsewhere
    assert goes_on(there / "runs" / "run")


def test_a_text_that_is_found_nowhere_can_be_named(here):
    run = here / train()
    far = here.parent / "far" / "away.txt"
    far.parent.mkdir()
    (here / "corpus.txt").rename(far)
    with pytest.raises(
        CorpusError, match=r"corpus.txt.* is missing: name it, as in: charrnn train"
    ):
        resume(run, length=LENGTH)
    with pytest.raises(CorpusError, match="is missing: name the file to score"):
        evaluate_checkpoint(load(run / "best.npz"))
    list(resume(run, corpus=[far], length=LENGTH).train())
    # From then on it is known where it is.
    assert evaluate_checkpoint(load(run / "best.npz")).characters == int(len(TEXT) * 0.1)


def test_another_text_is_refused(here):
    run = here / train()
    (here / "corpus.txt").write_text(TEXT.replace("rain", "snow"))
    with pytest.raises(CorpusError, match="has changed since this run was trained"):
        resume(run, length=LENGTH)
    (here / "other.txt").write_text("something else\n" * 50)
    with pytest.raises(CorpusError, match=r"corpus.txt has changed|not a file that this"):
        resume(run, corpus=["other.txt"], length=LENGTH)


def test_what_has_grown_is_told(here):
    train()
    grow(here)
    checkpoint = load(here / "runs" / "run" / "best.npz")
    corpus, notices = find_own_text(checkpoint)
    assert corpus.text() == TEXT
    (notice,) = notices
    assert notice.startswith("corpus.txt has grown since this run was trained: only its first")
    assert notice.endswith(
        f"to train on all of it: charrnn train corpus.txt --init-from {checkpoint.folder}"
    )
    run = resume(here / "runs" / "run", length=LENGTH)
    assert any("has grown" in notice for notice in run.notices)
    run.close()


def test_what_has_changed_has_one_command_too(here):
    run = train()
    (here / "corpus.txt").write_text(TEXT.upper())
    command = f"charrnn train FILE --init-from {run}$"
    with pytest.raises(CorpusError, match=command):
        resume(run, length=LENGTH)
    with pytest.raises(CorpusError, match=f": charrnn train corpus.txt --init-from {run}$"):
        resume(run, corpus=["corpus.txt"], length=LENGTH)


def test_standard_input_is_kept(here):
    run = here / train(["-"], stdin=io.BytesIO(TEXT.encode()))
    assert (run / STDIN).stat().st_size < len(TEXT) / 2
    (here / "corpus.txt").unlink()  # which has the same text
    assert goes_on(run)
    shutil.copytree(run, here.parent / "copy")
    assert goes_on(here.parent / "copy")


def test_checkpoints_do_not_say_where_their_user_lives(here):
    (here.parent / "private").mkdir()
    (here.parent / "private" / "diary.txt").write_text(TEXT)
    run = train(["corpus.txt", here.parent / "private" / "diary.txt"])
    secret = str(here.parent).encode()
    for name in ("best.npz", "last.npz", "log.jsonl"):
        assert secret not in (run / name).read_bytes(), name
    assert [source.path for source in load(run / "best.npz").sources] == ["corpus.txt", "diary.txt"]
    assert str(here.parent) in (run / SOURCES).read_text()
    assert len(find_own_text(load(run / "best.npz"))[0]) == 2 * len(TEXT)


def test_a_text_in_memory_is_found_where_it_is_named(here):
    checkpoint = load(train() / "best.npz")
    checkpoint.sources = Corpus.from_text(TEXT).sources
    write_sources(checkpoint.folder, checkpoint.sources)
    assert json.loads((checkpoint.folder / SOURCES).read_text()) == {}
    with pytest.raises(
        CorpusError, match="trained on text in memory, which is not available: name the f"
    ):
        find_own_text(checkpoint)
    corpus, notices = find_own_text(checkpoint, named=["corpus.txt"])
    assert (corpus.text(), notices) == (TEXT, [])
    write_sources(checkpoint.folder, corpus.sources)  # as a run that goes on does
    assert find_own_text(checkpoint)[0].text() == TEXT


def test_what_was_held_out_is_at_the_end_again(here):
    (here / "val").mkdir()
    (here / "val" / "b.txt").write_text("the end\n")
    (here / "val" / "a.txt").write_bytes("l'été à la forêt".encode("cp1252"))
    checkpoint = load(train() / "best.npz")
    first = read_corpus(["corpus.txt"], held_out=["val"])
    checkpoint.sources, checkpoint.characters = portable(first.sources), len(first)
    write_sources(checkpoint.folder, first.sources)
    (here / "val").rename(here / "runs" / "moved")
    with pytest.raises(CorpusError, match=r"val/a.txt, which this run was trained on, is missing"):
        find_own_text(checkpoint)
    corpus, _ = find_own_text(checkpoint, named=["runs/moved", "corpus.txt"])
    assert corpus.text() == first.text()
    assert corpus.starts == first.starts
    assert corpus.text(len(corpus) - first.held_out) == "l'été à la forêt\nthe end\n"


@pytest.mark.parametrize(
    "content", ["", "no json", "[]", "[" * 10_000, '{"a": 5}', "{}", '{"x": "\\u0000"}']
)
def test_a_strange_list_of_sources_does_no_harm(here, content):
    run = here / train()
    (run / SOURCES).write_text(content)
    assert len(find_own_text(load(run / "best.npz"))[0]) == len(TEXT)


def test_a_list_of_sources_may_hold_any_name(here):
    source = Source("/no/such/\udcff한.txt", "0" * 64, 5)
    write_sources(here, [source, Source("-", "1" * 64, 5)])
    assert json.loads((here / SOURCES).read_text()) == {"0" * 64: source.path}


def test_a_text_that_reads_differently_is_refused(here):
    checkpoint = load(train() / "best.npz")
    checkpoint.characters += 1
    with pytest.raises(CorpusError, match=r"has .* characters here, and had"):
        find_own_text(checkpoint)


# Scoring it


def test_a_text_that_was_learned_is_recognised(here):
    checkpoint = load(train() / "best.npz")
    held_out = evaluate_checkpoint(checkpoint).nats_per_char
    for path in ("corpus.txt", shutil.copy("corpus.txt", "copy.txt")):
        found = evaluate_checkpoint(checkpoint, [path])
        assert found.learned == pytest.approx(0.9, abs=0.01)
        assert found.held_out_nats == pytest.approx(held_out, rel=1e-9)
        assert any(f"was trained on 90 % of this text: {path}" in n for n in found.notices)
    piped = evaluate_checkpoint(checkpoint, ["-"], stdin=io.BytesIO(TEXT.encode()))
    assert piped.held_out_nats == pytest.approx(held_out, rel=1e-9)
    grow(here)
    found = evaluate_checkpoint(checkpoint, ["corpus.txt"])
    assert found.notices == (
        "this text starts with a file from the corpus of the model: corpus.txt",
    )
    assert found.held_out_nats is None
    (here / "other.txt").write_text("the rain in rows")
    other = evaluate_checkpoint(checkpoint, ["other.txt"])
    assert (other.learned, other.held_out_nats, other.notices) == (0.0, None, ())


def test_one_file_of_several_is_recognised(here):
    (here / "second.txt").write_text(TEXT[::-1])
    checkpoint = load(train(["corpus.txt", "second.txt"]) / "best.npz")
    found = evaluate_checkpoint(checkpoint, ["corpus.txt"], config=EvalConfig(exact=True))
    # What share of it was learned is not known, and no figure says so.
    assert found.notices == ("this text was in the corpus of the model: corpus.txt",)
    assert (found.learned, found.held_out_nats) == (0.0, None)
    assert found.overlap > 0.9
