"""A run made ready: what it is told of its text, and what it takes from a model to start from."""

import random
import unicodedata

import numpy as np
import pytest

from charrnn.config import ModelConfig, TextConfig, TrainConfig
from charrnn.errors import ConfigError
from charrnn.storage.checkpoint import load
from charrnn.training.new import prepare
from charrnn.training.resume import resume

NAMES = [
    "".join(random.Random(n).choices("aeioubdfglmnrst", k=4 + n % 5)).capitalize()
    for n in range(1500)
]
SMALL = ModelConfig(hidden_size=8, num_layers=1, dropout=0.0, weight_dropout=0.0)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(here, name, text, **more):
    (here / name).write_text(text, encoding="utf-8", **more)
    return name


def new(path, *, model=SMALL, text=None, init_from=None, out=None, **train):
    settings = {"steps": 2, "batch_size": 8, **train}
    return prepare(
        [path],
        model=model,
        text=text,
        train=TrainConfig(**settings),
        init_from=init_from,
        out=None if out is None else out,
    )


def trained(path, here, out="runs/start", **more):
    run = new(path, out=here / out, **more)
    list(run.train())
    return here / out


def said(run):
    run.close()
    return "\n".join(run.notices)


def held_out(run):
    sides = run._setup.sides
    run.close()
    return set("".join(map(chr, sides.held.tolist())).split())


# Lists


def test_the_order_of_a_list_does_not_matter(here):
    write(here, "sorted.txt", "\n".join(sorted(NAMES)) + "\n")
    write(here, "shuffled.txt", "\n".join(NAMES) + "\n")
    sides = [held_out(new(name, lines=True)) for name in ("sorted.txt", "shuffled.txt")]
    assert sides[0] == sides[1]
    assert 0.07 < len(sides[0]) / len(set(NAMES)) < 0.13
    first = sorted(sides[0])[0]
    assert first < "C"  # not the end of the alphabet


def test_only_the_key_changes_what_is_held_out(here):
    write(here, "names.txt", "\n".join(NAMES) + "\n")
    usual = held_out(new("names.txt", lines=True))
    assert held_out(new("names.txt", lines=True, random_seed=7)) == usual
    assert held_out(new("names.txt", lines=True, split_key=7)) != usual
    write(here, "grown.txt", "\n".join([*NAMES[::-1], *(f"{name}x" for name in NAMES)]) + "\n")
    grown = held_out(new("grown.txt", lines=True))
    assert grown & set(NAMES) == usual
    path = trained("names.txt", here, lines=True, split_key=7)
    assert load(path / "best.npz").settings.split_key == 7


def test_too_few_different_lines_hold_nothing_out(here):
    write(here, "two.txt", "ab\nabb\n" * 300)
    run = new("two.txt", lines=True, val_fraction=0.1)
    assert "too few distinct items" in said(run)
    assert run.plan.held_out == 0


@pytest.mark.parametrize("text", [TextConfig(newlines="keep")])
def test_lines_need_their_ends(here, text):
    write(here, "names.txt", "\n".join(NAMES) + "\n")
    with pytest.raises(ConfigError, match="--newlines keep conflicts with --lines"):
        new("names.txt", lines=True, text=text)


def test_bytes_keep_their_line_ends(here):
    (here / "crlf.txt").write_bytes(b"some line of text\r\n" * 100)
    run = new("crlf.txt", text=TextConfig(unit="byte"))
    assert bytes(run._setup.corpus.codes).count(b"\r\n") == 100
    assert run.plan.distinct == 256
    run.close()
    with pytest.raises(ConfigError, match="bytes are never changed"):
        new("crlf.txt", text=TextConfig(unit="byte", newlines="lf"))


# Notices about a text


def test_copies_are_noticed(here):
    rng = random.Random(1)
    once = " ".join("".join(rng.choices("abcdefgh", k=5)) for _ in range(400))
    write(here, "once.txt", once)
    write(here, "four.txt", f"{once}\n" * 4)
    run = new("once.txt")
    assert run.plan.overlap < 0.05
    assert "word for word" not in said(run)
    run = new("four.txt")
    assert run.plan.overlap > 0.9
    assert "of the held-out text is also in the training part, word for word" in said(run)


def test_an_end_that_is_unlike_the_rest_is_noticed(here):
    rng = random.Random(1)
    english = " ".join(
        rng.choices(["the", "rain", "in", "spain", "stays", "mainly", "on", "the", "plain"], k=4000)
    )
    code = "".join(f"if (x[{i}] != {i % 7}) {{ return {i}; }}\n" for i in range(60))
    write(here, "mixed.txt", english + code)
    assert "--split-mode strided" in said(new("mixed.txt"))
    write(here, "plain.txt", english)
    assert "--split-mode strided" not in said(new("plain.txt"))


# A model to start from


def test_a_model_to_start_from_keeps_its_split(here):
    write(here, "names.txt", "\n".join(NAMES) + "\n")
    start = trained("names.txt", here, lines=True, split_key=3, val_fraction=0.25)
    run = new("names.txt", init_from=start, lines=True, model=ModelConfig())
    train = run._setup.train
    assert (train.split_key, train.val_fraction) == (3, 0.25)
    assert "was trained on" not in said(run)
    other = new("names.txt", init_from=start, lines=True, split_key=4, model=ModelConfig())
    assert "the --init-from model was trained on 7" in said(other)  # about three quarters


def test_what_a_model_to_start_from_has_seen_is_told(here):
    rng = random.Random(1)
    words = " ".join("".join(rng.choices("abcdefgh", k=5)) for _ in range(2000))
    write(here, "text.txt", words)
    start = trained("text.txt", here)
    assert "was trained on" not in said(new("text.txt", init_from=start, model=ModelConfig()))
    more = new("text.txt", init_from=start, model=ModelConfig(), val_fraction=0.3)
    assert "the --init-from model was trained on 6" in said(more)  # two thirds
    (here / "text.txt").rename(here.parent / f"{here.name}-gone.txt")
    write(here, "other.txt", words[::-1])
    gone = new("other.txt", init_from=start, model=ModelConfig())
    assert "the training text of the --init-from model was not found" in said(gone)


def test_a_text_is_read_in_the_form_that_the_model_knows(here):
    line = "l'été à la forêt, un élève rêve déjà\n"
    write(here, "nfd.txt", unicodedata.normalize("NFD", line) * 60)
    write(here, "nfc.txt", unicodedata.normalize("NFC", line) * 60)
    start = trained("nfd.txt", here)
    run = new("nfc.txt", init_from=start, model=ModelConfig())
    assert "read with --normalize nfd, the form that the model knows" in said(run)
    assert set(run._setup.vocabulary.symbols) == set(load(start / "best.npz").vocabulary.symbols)


def test_a_symbol_that_neither_text_has_is_not_learned(here):
    write(here, "a.txt", "abcabd" * 300 + "x" * 10)  # x is held out
    start = trained("a.txt", here)
    write(here, "b.txt", "abdbad" * 300 + "y" * 10)
    path = trained("b.txt", here, out="runs/next", init_from=start, model=ModelConfig())
    checkpoint = load(path / "best.npz")
    unseen = checkpoint.vocabulary.symbols[checkpoint.unseen]
    assert "".join(map(chr, unseen)) == "xy"
    assert np.isfinite(checkpoint.weights["head.W"]).all()


def test_a_one_hot_model_stays_one_hot_however_much_it_grows(here):
    write(here, "ascii.txt", "plain words of a text\n" * 60)
    start = trained("ascii.txt", here)
    write(here, "many.txt", "".join(map(chr, range(0xAC00, 0xAC00 + 400))) * 4)
    path = trained("many.txt", here, out="runs/many", init_from=start, model=ModelConfig())
    checkpoint = load(path / "best.npz")
    assert checkpoint.architecture.embedding_size == 0
    assert len(checkpoint.vocabulary) > 400


def test_a_model_of_hashed_items_may_be_split_in_another_way(here):
    write(here, "names.txt", "\n".join(NAMES) + "\n")
    start = trained("names.txt", here, lines=True)
    given = {"init_from": start, "lines": True, "split_mode": "contiguous"}
    run = new("names.txt", model=ModelConfig(), **given)
    assert run.plan.train.split_mode == "contiguous"
    run.close()


def test_a_split_key_needs_lines(here):
    write(here, "names.txt", "\n".join(NAMES) + "\n")
    for settings in ({}, {"lines": True, "split_mode": "contiguous"}):
        with pytest.raises(ConfigError, match="--split-key needs --items"):
            new("names.txt", split_key=3, **settings)


def test_a_run_knows_whether_the_end_of_its_text_is_unlike_the_rest(here):
    prose = " ".join(NAMES) + "\n"
    code = "".join(f"for (int i{n} = {n * 37}; i{n} < {n}; i{n}++) " + "{};\n" for n in range(28))
    for name, text, unlike in (("like.txt", prose, False), ("unlike.txt", prose + code, True)):
        run = new(write(here, name, text), out=here / name[:-4])
        assert run._setup.unlike is unlike
        list(run.train())
        again = resume(here / name[:-4], length=TrainConfig(steps=4))
        assert again._setup.unlike is unlike
        again.close()
