"""How much memory a run is taken to need: what takes it, and what is refused."""

from dataclasses import replace

import pytest

from charrnn.config import Architecture, ModelConfig, TrainConfig
from charrnn.data.sides import Sides
from charrnn.errors import ConfigError
from charrnn.nn.model import CharModel
from charrnn.storage.store import FolderStore, MemoryStore
from charrnn.text import Corpus
from charrnn.training import memory
from charrnn.training.memory import check_memory, text_bytes, training_memory
from charrnn.training.new import prepare
from charrnn.training.recipe import complete

SHAPE = Architecture(cell="gru", num_layers=2, hidden_size=64, dropout=0.0)


def settings(**train):
    config = TrainConfig(steps=1, batch_size=64, seq_len=16, **train)
    return complete(ModelConfig(), config, characters=10**6, distinct=50).train


@pytest.mark.parametrize(("optimizer", "slots"), [("sgd", 0), ("momentum", 1), ("adam", 2)])
def test_both_states_of_a_run_may_be_kept_in_memory(optimizer, slots):
    train, P = settings(optimizer=optimizer), CharModel.size_of(SHAPE, 50)
    folder, kept = (training_memory(SHAPE, train, 50, 1, in_memory=kept) for kept in (False, True))
    # Of a folder, each file is read back once. The last state has the optimizer's vectors too.
    assert kept - folder == 4 * P * slots


def test_a_plan_knows_where_a_run_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shape, train = ModelConfig(hidden_size=64), TrainConfig(steps=2, optimizer="adam")
    runs = [
        prepare([], content="abc " * 200, model=shape, train=train, store=store)
        for store in (FolderStore(None), MemoryStore())
    ]
    folder, kept = (run.plan for run in runs)
    assert kept.memory_mb - folder.memory_mb == pytest.approx(8e-6 * folder.parameters, abs=0.2)
    for run in runs:
        run.close()


def labels_memory(learned, held, *, C=4, head="item", **train):
    """What a labelled text takes, and what is mixed with its network."""
    shape = Architecture(cell="gru", hidden_size=8, head=head, num_labels=C)
    decided = replace(settings(), predict="label" if head == "item" else "tags", **train)
    corpus = Corpus.from_text("a\tb\n" * ((learned + held) // 4))
    sides = Sides(corpus.codes[:learned], corpus.codes[learned:])
    return text_bytes(corpus, sides, model=shape, train=decided)


def test_what_is_mixed_with_a_network_of_labels_takes_memory():
    n, held = 500_000, 50_000
    alone = labels_memory(n, held)
    assert labels_memory(n, held, ngrams=True) - alone == 110 * (n + held) + 8 * 4 * held
    assert labels_memory(n, held, counts=True) - alone == 260 * n + 24 * 4 * held
    # One after the other.
    assert labels_memory(n, held, counts=True, ngrams=True) == labels_memory(n, held, counts=True)
    # No more is learned from than a linear model takes, and of too many labels none is learned.
    assert labels_memory(3 * n, 0, ngrams=True) - labels_memory(3 * n, 0) == 110 * 1_000_000
    assert labels_memory(n, 0, C=200, ngrams=True) - labels_memory(n, 0, C=200) == 110 * 50_000
    assert labels_memory(n, held, C=257, ngrams=True) == labels_memory(n, held, C=257)
    # The symbols have more labels than the texts.
    assert labels_memory(n, held, head="step") > alone


@pytest.mark.parametrize(
    ("n", "nbytes"), [(100_000, 370 * 100_000), (900_000, 370 * 500_000), (4_000, 370 * 4_000)]
)
def test_letters_take_more_memory_and_half_as_many_are_read(n, nbytes):
    more = {"head": "step", "C": 2}
    assert labels_memory(n, 0, ngrams=True, **more) - labels_memory(n, 0, **more) == nbytes


def test_what_needs_more_memory_than_there_is_is_refused(monkeypatch):
    train = settings(optimizer="adam")
    needed = training_memory(SHAPE, train, 50, 1, text_bytes=1000)
    monkeypatch.setattr(memory, "installed_memory", lambda: needed)
    check_memory(SHAPE, train, 50, 1, text_bytes=1000)
    for more in ({"text_bytes": 1001}, {"text_bytes": 1000, "in_memory": True}):
        with pytest.raises(ConfigError, match="this machine has"):
            check_memory(SHAPE, train, 50, 1, **more)


def test_a_run_that_needs_more_is_refused_before_it_begins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "".join(f"{'ab'[i % 2]}\t{i * i} bottles\n" for i in range(3000))
    shape, train = ModelConfig(hidden_size=8), TrainConfig(steps=2, predict="label")
    run = prepare([], content=text, model=shape, train=train, store=MemoryStore())
    run.close()
    monkeypatch.setattr(memory, "installed_memory", lambda: 1e6 * run.plan.memory_mb - 1e6)
    with pytest.raises(ConfigError, match="this machine has"):
        prepare([], content=text, model=shape, train=train, store=MemoryStore())
    alone = replace(train, ngrams=False)
    prepare([], content=text, model=shape, train=alone, store=MemoryStore()).close()
