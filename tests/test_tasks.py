"""Tasks: the two that there are, and a new one, added in the places that CONTRIBUTING.md names."""

import re
from collections.abc import Sequence
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest

from charrnn.config import ModelConfig, TextConfig, TrainConfig
from charrnn.data.dividing import texts_of
from charrnn.data.overlap import overlap
from charrnn.data.sides import Sides
from charrnn.data.splits import Split
from charrnn.data.streams import Streams
from charrnn.data.task import Task
from charrnn.data.tasks import RunningText, SeparateItems, task_for, task_of
from charrnn.storage.store import MemoryStore
from charrnn.text import Corpus, Vocabulary, read_corpus
from charrnn.text.codes import to_text
from charrnn.training.assembly import assemble
from charrnn.training.new import ready
from charrnn.training.recipe import ItemFacts, complete

TEXT = "to be or not to be, that is the question. " * 60


@pytest.fixture
def files(tmp_path):
    """Four files, of which the last two are held out; some end without a line end."""
    texts = {"a": "one\n\ntwo", "b": "three\n", "c": "\n\nfour\n\nfive", "d": "six\n\nseven\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return read_corpus([tmp_path / "a", tmp_path / "b"], held_out=[tmp_path / "c", tmp_path / "d"])


def test_running_text_is_the_corpus_itself(files):
    task = task_for(TrainConfig(), files)
    codes, held, _ = task.text(files, 2)
    assert codes is files.codes
    assert to_text(codes[len(codes) - held :]) == "\n\nfour\n\nfive\nsix\n\nseven\n"
    assert task.text(files) == (files.codes, 0, ())
    assert task.first(Vocabulary.from_codes(codes)) is None
    assert not task.separate


@pytest.mark.parametrize(
    ("items", "learned", "held"),
    [
        ("line", ["one", "two", "three"], ["four", "five", "six", "seven"]),
        ("blank-line", ["one", "two", "three"], ["four", "five", "six", "seven"]),
        ("file", ["one\n\ntwo", "three"], ["four\n\nfive", "six\n\nseven"]),
        ("e", ["on", "two", "thr"], ["four\n\nfiv", "six\n\ns", "v", "n"]),
    ],
)
def test_items_of_the_files_that_are_held_out_come_last(files, items, learned, held):
    task = task_for(TrainConfig(items=items), files)
    codes, count, _ = task.text(files, 2)
    border = len(codes) - count
    assert texts_of(codes[:border], task.end) == learned
    assert texts_of(codes[border:], task.end) == held
    assert texts_of(task.text(files)[0], task.end) == learned + held
    vocabulary = Vocabulary.from_codes(codes)
    assert vocabulary.symbols[task.first(vocabulary)] == task.end


def settings(items, end):
    """Decided settings of a run on such items."""
    facts = ItemFacts(items, end, 5.0, 9) if items else None
    config = TrainConfig(items=items or None)
    return complete(ModelConfig(), config, characters=500, distinct=9, items=facts).train


def test_the_task_of_a_run_follows_from_its_settings():
    assert isinstance(task_of(settings("", 10)), RunningText)
    task = task_of(settings("\n%\n", 0x1D))
    assert isinstance(task, SeparateItems)
    assert (task.items, task.end, task.separate) == ("\n%\n", 0x1D, True)


def test_items_of_which_nothing_is_known_are_left_out():
    task = task_of(settings("file", 0x1E))
    text = Corpus.from_text("\x1e\x1eab\x1e\x1ec\x1e").codes
    assert to_text(task.known_part(text)) == "ab\x1ec\x1e"


# A new task


class Cold(Streams):
    """Windows that have nothing to do with each other."""

    def window(self, step, columns):
        """Return some columns, each of which begins from a zero state."""
        window = super().window(step, columns)
        begins = np.ones(window.ids.shape[1], np.bool_)
        return window._replace(begins=begins, carried=False)


class ColdWindows(Task):
    """The next character in windows of fixed size, as nanoGPT learns it."""

    other_split = "strided"

    def divided(self, codes, starts: Sequence[int], unit):
        """Return the text as it is."""
        return codes

    def known_part(self, known):
        """Return all of it."""
        return known

    def held_out(self, codes, mode, fraction, key, unit):
        """Return None: a share of the characters."""
        return

    def sides(self, codes, settings, held_out, unit):
        """Hold out the end."""
        return Sides.of(Split(len(codes), held_out), codes)

    def batches(self, learned, vocabulary, settings):
        """Return windows from a zero state."""
        return Cold(learned, vocabulary, settings.batch_size, settings.seq_len)

    def steps_per_pass(self, learned, settings):
        """Return the characters over those of a step."""
        return len(learned) / (settings.batch_size * settings.seq_len)

    def overlap(self, learned, held):
        """Return the share of the characters that stand in long repeats."""
        return overlap(learned, held)


def run_of(task, *, steps=60, threads=1):
    """Return a run of a task, put together from what one of running text is made of."""
    text = TextConfig()
    model = ModelConfig(hidden_size=16, num_layers=1, dropout=0.1)
    train = TrainConfig(steps=steps, batch_size=8, seq_len=12, validations=2, reset=0.0)
    store = MemoryStore()
    run = ready(Corpus.from_text(TEXT, text), text, model, train, store)
    run.close()
    return assemble(replace(run._setup, task=task), store, threads=threads), store


def test_a_new_task_is_trained():
    run, store = run_of(ColdWindows())
    list(run.train())
    assert store.best.history.best_nats < 0.8 * log(15)
    assert not store.last.training["state"].any()  # nothing is carried
    carried, of_text = run_of(RunningText())
    list(carried.train())
    assert of_text.last.training["state"].any()
    assert store.last.history.rows != of_text.last.history.rows


def test_a_new_task_has_the_bits_of_any_number_of_threads():
    weights = []
    for threads in (1, 2):
        run, store = run_of(ColdWindows(), steps=6, threads=threads)
        list(run.train())
        weights.append(store.last.weights)
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])


def test_contributing_names_the_places_and_they_exist():
    root = Path(__file__).parent.parent
    text = (root / "CONTRIBUTING.md").read_text()
    (section,) = re.findall(r"^## A task\n(.*?)^## ", text, re.DOTALL | re.MULTILINE)
    paths = re.findall(r"`((?:charrnn|tests)/[\w/]+\.py)`", section)
    assert {"charrnn/data/task.py", "charrnn/data/tasks.py"} <= set(paths)
    assert all((root / path).is_file() for path in paths)
