"""Which texts look like lists, so that --lines may be what is meant."""

import random
from pathlib import Path

import pytest

import charrnn
from charrnn.config import TextConfig
from charrnn.data.lists import looks_like_list
from charrnn.data.tasks import RunningText, task_for
from charrnn.text import Corpus

HERE = Path(__file__).parent.parent
RNG = random.Random(0)
SYLLABLES = [a + b for a in "bdfgklmnprst" for b in "aeiou"]


def name():
    return "".join(RNG.choices(SYLLABLES, k=RNG.randint(2, 4))).capitalize()


LISTS = {
    "names": [name() for _ in range(400)],
    "two words": [f"{name()} {name()}" for _ in range(400)],
    "numbers": [str(RNG.randrange(10**9)) for _ in range(100)],
    "many": [f"{name()}-{name()}" for _ in range(30_000)],
    "Korean": [chr(0xAC00 + RNG.randrange(11_172)) * 2 for _ in range(100)],
}
PLANETS = ["Mercury", "Venus", "Earth"]
OTHERS = {
    "few": LISTS["names"][:40],
    "copies": PLANETS * 100,
    "sentences": [f"{name()} went to {name()}." for _ in range(200)],
    "verse": [f"{name()} {name()}{',' * (n % 2)}" for n in range(200)],
    "blocks": [line for _ in range(80) for line in (name(), name(), name(), "")],
    "wrapped": [" ".join(name() for _ in range(8))[:70] for _ in range(200)],
    "indented": [f"{'  ' * (n % 3)}{name()}" for n in range(200)],
    "Chinese": [chr(0x4E00 + n) + chr(0x5E00 + n % 50) * 3 + "\u3002" for n in range(200)],
    "long ones": [name() * (1 + 20 * (n % 10 == 0)) for n in range(200)],
}


def corpus_of(lines, **options):
    return Corpus.from_text("\n".join(lines) + "\n", TextConfig(**options))


@pytest.mark.parametrize("lines", LISTS.values(), ids=LISTS)
def test_short_lines_that_differ_are_a_list(lines):
    assert looks_like_list(corpus_of(lines))
    assert looks_like_list(corpus_of(lines, unit="byte"))


@pytest.mark.parametrize("lines", OTHERS.values(), ids=OTHERS)
def test_what_is_no_list(lines):
    assert not looks_like_list(corpus_of(lines))
    assert not looks_like_list(corpus_of(lines, unit="byte"))


def test_texts_and_programs_are_no_lists():
    paths = [*HERE.glob("corpora/*.txt"), *HERE.glob("*.md"), *HERE.glob("charrnn/text/*.py")]
    assert len(paths) > 20
    for path in paths:
        assert not looks_like_list(Corpus.from_text(path.read_text("utf-8"))), path


def test_training_on_a_list_names_the_option(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("\n".join(LISTS["names"]) + "\n")
    told = charrnn.train(path, steps=1, hidden_size=4).notices
    assert any("names.txt looks like a list" in notice and "--lines" in notice for notice in told)
    assert not any("--lines" in n for n in charrnn.train(path, lines=True, steps=1).notices)


def test_the_notice_is_of_running_text_alone():
    from charrnn.config import TrainConfig

    corpus = corpus_of(LISTS["names"])
    assert isinstance(task_for(TrainConfig(), corpus), RunningText)
    assert task_for(TrainConfig(), corpus).hints
    assert task_for(TrainConfig(lines=True), corpus).hints == ()
