"""Runs through the API: exact resumption, what is learned, explosions, the best, other weights."""

import json
import os
from dataclasses import asdict, replace
from math import inf, log
from pathlib import Path

import numpy as np
import pytest
from scores import score_ids

from charrnn.config import ModelConfig, SampleConfig, TextConfig, TrainConfig
from charrnn.errors import CheckpointError, CorpusError, RunError
from charrnn.evaluation.evaluate import evaluate_checkpoint
from charrnn.nn.cells import CELLS
from charrnn.optimizers import OPTIMIZERS
from charrnn.sampling.drawing import generate
from charrnn.storage import checkpoint as checkpoint_module
from charrnn.storage.checkpoint import load, save
from charrnn.storage.log import read_log
from charrnn.training import glimpse
from charrnn.training import resume as resuming
from charrnn.training import run as training
from charrnn.training.events import Finished, Notice, Progress, Sampled, Saved, Validated
from charrnn.training.new import prepare
from charrnn.training.resume import resume

WORDS = ["the", "cat", "dog", "sat", "ran", "on", "under", "mat", "log", "and", "a", "big", "hat"]
TEXT = " ".join(np.random.default_rng(0).choice(WORDS, 450).tolist())
assert len(set(TEXT)) == 17  # and all of them are in the training part
TIMES = ("seconds", "overhead", "stopped")
EACH_CELL = pytest.mark.parametrize("cell", CELLS)
EACH_ORDERED_CELL = pytest.mark.parametrize("cell", [cell for cell in CELLS if cell != "bag"])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Be in an empty folder with a corpus, and hear of every step."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "PROGRESS_EVERY", -1.0)
    monkeypatch.setattr(os, "fsync", lambda file: None)
    (tmp_path / "corpus.txt").write_text(TEXT)
    return tmp_path


def model_config(**settings):
    return ModelConfig(**{"num_layers": 2, "hidden_size": 8, "dropout": 0.0, **settings})


def train_config(**settings):
    defaults = {
        "batch_size": 8,
        "seq_len": 5,
        "learning_rate": 0.01,
        "validations": 5,
        "patience": 0,
    }
    if not {"steps", "epochs", "minutes"} & set(settings):
        defaults["steps"] = 12
    return TrainConfig(**{**defaults, **settings})


def new(out, *, model=None, train=None, corpus="corpus.txt", **options):
    return prepare(
        [corpus], model=model or model_config(), train=train or train_config(), out=out, **options
    )


def by_frequency():
    """Return the nats per character of the training part to one who knows the frequencies."""
    kept = TEXT[: len(TEXT) - int(len(TEXT) * 0.1)]
    shares = np.array([kept.count(c) for c in sorted(set(kept))]) / len(kept)
    return float(-(shares * np.log(shares)).sum())


def go(run, *, stop_after=None):
    """Train to the end, or ask to stop so that ``stop_after`` is the last step."""
    events = []
    if stop_after == run._history.step + 1:
        run.stop()
    for event in run.train():
        events.append(event)
        if isinstance(event, Progress) and event.step + 1 == stop_after:
            run.stop()
    return events


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


def content(path):
    """All of a checkpoint but the time it took."""
    checkpoint = load(path)
    history = asdict(checkpoint.history)
    for name in TIMES:
        history.pop(name, None)
    arrays = {
        name: array.tobytes()
        for name, array in [*checkpoint.weights.items(), *checkpoint.training.items()]
    }
    return arrays, history, checkpoint.settings, checkpoint.architecture, checkpoint.sources


def log_of(directory):
    """The log but the time it took, what is only in it now and then, and the interruptions."""
    return [
        {name: value for name, value in event.items() if name not in TIMES}
        for event in read_log(directory)
        if event.get("reason") != "interrupted" and event["event"] not in ("sampled", "progress")
    ]


def assert_same_run(one, other):
    for name in ("last.npz", "best.npz"):
        for first, second in zip(content(one / name), content(other / name), strict=True):
            assert first == second, name
    assert log_of(one) == log_of(other)
    assert log_of(one)


# Exact resumption


SCHEDULES = ("cosine", "step", "plateau", "constant")
CASES = [
    (cell, optimizer, (0.0, 0.3)[turn % 2], SCHEDULES[turn % 4], (1, 2)[turn // 2 % 2])
    for rounds in (0, 1)  # in the second, each optimizer has another cell and all else
    for i, optimizer in enumerate(OPTIMIZERS)
    for turn in (i + rounds,)
    for cell in (list(CELLS)[(i + 3 * rounds) % len(CELLS)],)
]
assert {cell for cell, *_ in CASES} == set(CELLS)


@pytest.mark.parametrize(("cell", "optimizer", "dropout", "schedule", "threads"), CASES)
def test_a_run_goes_on_as_if_it_had_never_stopped(
    here, cell, optimizer, dropout, schedule, threads
):
    settings = {
        "model": model_config(cell=cell, dropout=dropout, members=2 if dropout else 1),
        "train": train_config(
            optimizer=optimizer, schedule=schedule, steps=10, batch_size=16, validations=4
        ),
    }
    go(new(here / "straight", **settings))
    run = new(here / "stopped", threads=threads, **settings)
    last = go(run, stop_after=5)[-1]
    assert (last.reason, last.step) == ("interrupted", 5)
    last = go(resume(here / "stopped", threads=3 - threads))[-1]
    assert (last.reason, last.step) == ("done", 10)
    assert_same_run(here / "straight", here / "stopped")


@EACH_CELL
def test_a_run_that_is_stopped_after_every_step(here, cell):
    settings = {
        "model": model_config(cell=cell, dropout=0.4, embedding_size=3),
        "train": train_config(steps=7, validations=3, schedule="plateau"),
    }
    go(new(here / "straight", **settings))
    go(new(here / "stopped", **settings), stop_after=1)
    for step in range(2, 8):
        assert go(resume(here / "stopped"), stop_after=step)[-1].step == step
    assert_same_run(here / "straight", here / "stopped")


def test_a_run_can_be_stopped_at_any_step(here):
    # Patience, a rate that falls and the best so far are remembered too.
    settings = {
        "model": model_config(num_layers=1),
        "train": train_config(
            steps=60, validations=60, patience=3, schedule="plateau", learning_rate=0.4
        ),
    }
    straight = go(new(here / "straight", **settings))[-1]
    assert straight.reason == "no longer improving"
    assert 5 < straight.step < 40
    for step in range(1, straight.step, 2):
        stopped = here / str(step)
        assert go(new(stopped, **settings), stop_after=step)[-1].reason == "interrupted"
        go(resume(stopped))
        assert_same_run(here / "straight", stopped)


def test_a_run_without_held_out_text_goes_on_too(here):
    settings = {"train": train_config(val_fraction=0.0, validations=None, steps=6)}
    go(new(here / "straight", **settings))
    go(new(here / "stopped", **settings), stop_after=3)
    go(resume(here / "stopped"))
    assert_same_run(here / "straight", here / "stopped")


@pytest.mark.parametrize("step", [1, 4, 9])
def test_what_was_done_since_the_last_save_happens_again_after_a_crash(here, step):
    go(new(here / "straight"))
    run = new(here / "crashed")
    events = run.train()
    for event in events:  # the log and best.npz run ahead of last.npz, which stays at step 0
        if isinstance(event, Progress) and event.step == step:
            break
    events.close()
    assert load(here / "crashed" / "last.npz").history.step == 0
    go(resume(here / "crashed"))
    assert_same_run(here / "straight", here / "crashed")


def test_saves_on_the_way_change_nothing(here):
    go(new(here / "once"))
    events = go(new(here / "often", train=train_config(save_every=1e-9)))
    assert [event.step for event in of_kind(events, Saved)] == [*range(12), 12]
    once, often = content(here / "once" / "last.npz"), content(here / "often" / "last.npz")
    assert once[:2] == often[:2]


def test_evaluating_more_or_less_often_changes_no_weight(here):
    weights = []
    for validations in (1, 3, 12):
        out = here / str(validations)
        go(new(out, train=train_config(validations=validations)))
        weights.append(content(out / "last.npz")[0])
    assert weights[0] == weights[1] == weights[2]


def test_samples_on_the_way_change_no_weight(here, monkeypatch):
    train = train_config(steps=4)
    go(new(here / "silent", train=train))
    monkeypatch.setattr(training, "SAMPLE_EVERY", 0.0)
    monkeypatch.setattr(training, "SMALL_SHARE", inf)
    events = list(new(here / "talking", train=train).train(samples=True))
    assert [event.step for event in of_kind(events, Sampled)] == [1, 2, 3]
    assert_same_run(here / "silent", here / "talking")


def test_a_sample_on_the_way_has_no_empty_line(here, monkeypatch):
    (here / "lines.txt").write_text("a\nb\nab\n" * 60)  # an end is likelier than any letter
    monkeypatch.setattr(training, "SAMPLE_EVERY", 0.0)
    monkeypatch.setattr(training, "SMALL_SHARE", inf)
    train = train_config(lines=True, seq_len=None, steps=3, learning_rate=1e-6)
    events = list(new(here / "run", corpus="lines.txt", train=train).train(samples=True))
    samples = [event.text for event in of_kind(events, Sampled)]
    assert len(samples) == 2
    for text in samples:
        lines = text.removesuffix("\n").split("\n")
        assert len(lines) == glimpse.SAMPLE_ITEMS
        assert all(lines)


def test_threads_change_nothing(here):
    settings = {
        "model": model_config(dropout=0.3),
        "train": train_config(batch_size=70, seq_len=3, steps=6),
    }
    for threads in (1, 2, 3):
        go(new(here / str(threads), threads=threads, **settings))
    assert_same_run(here / "1", here / "2")
    assert_same_run(here / "1", here / "3")


def test_the_same_seed_gives_the_same_run_and_another_does_not(here):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        go(new(here / name, train=train_config(random_seed=seed, steps=2)))
    assert_same_run(here / "a", here / "b")
    assert content(here / "a" / "last.npz")[0] != content(here / "c" / "last.npz")[0]


def test_seconds_go_on(here):
    go(new(here / "run"), stop_after=2)
    first = load(here / "run" / "last.npz").history.seconds
    assert first > 0
    assert go(resume(here / "run"))[-1].seconds > first


# What cannot be resumed


def test_a_finished_run_needs_a_longer_length(here):
    go(new(here / "run"))
    with pytest.raises(RunError, match="is finished"):
        resume(here / "run")
    last = go(resume(here / "run", length=TrainConfig(steps=15)))[-1]
    assert (last.reason, last.step) == ("done", 15)


def test_a_run_of_another_length_has_its_schedule(here):
    go(new(here / "run", train=train_config(schedule="cosine", warmup=0.0, steps=8)), stop_after=4)
    events = go(resume(here / "run", length=TrainConfig(epochs=1)))
    characters = len(TEXT) - int(len(TEXT) * 0.1)
    assert events[-1].step == -(-characters // 40)
    rates = [event.learning_rate for event in of_kind(events, Progress)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-5)


def test_a_changed_corpus_is_an_error(here):
    go(new(here / "run"), stop_after=2)
    (here / "corpus.txt").write_text(TEXT.replace("cat", "cow"))
    with pytest.raises(CorpusError, match=r"corpus\.txt"):
        resume(here / "run")
    (here / "corpus.txt").unlink()
    with pytest.raises(CorpusError, match=r"corpus\.txt"):
        resume(here / "run")
    (here / "corpus.txt").write_text(TEXT)
    assert go(resume(here / "run"))[-1].step == 12


def test_a_run_in_use_is_an_error(here):
    go(new(here / "run"), stop_after=2)
    run = resume(here / "run")
    with pytest.raises(RunError, match="in use by process"):
        resume(here / "run")
    run.close()
    resume(here / "run").close()


def test_nothing_to_resume_is_an_error(here):
    with pytest.raises(RunError, match="is not a run"):
        resume(here / "nothing")
    (here / "empty").mkdir()
    with pytest.raises(RunError, match=r"last\.npz"):
        resume(here / "empty")
    go(new(here / "run"), stop_after=2)
    (here / "run" / "best.npz").replace(here / "run" / "last.npz")
    with pytest.raises(RunError, match="has no training state to resume from"):
        resume(here / "run")


def test_nothing_is_written_before_the_run_begins(here):
    before = sorted(here.rglob("*"))
    new(here / "run").close()
    assert sorted(here.rglob("*")) == before


def test_a_run_is_never_overwritten(here):
    go(new(here / "run"), stop_after=1)
    with pytest.raises(RunError, match="already has a run"):
        go(new(here / "run"))
    for name in ("corpus", "corpus-2", "corpus-3"):
        assert not (here / "runs" / name).exists()
        go(new(None), stop_after=1)
        assert (here / "runs" / name / "last.npz").exists()


# What is learned


def greedy(directory, seed, length):
    checkpoint = load(directory / "best.npz")
    config = SampleConfig(length=length, temperature=0)
    pieces = generate(checkpoint.model(), checkpoint.vocabulary, config, seed=seed)
    return "".join(text for _, text in pieces)


@pytest.mark.parametrize(("word", "seed"), [("pytorch", "pyt"), ("한국어\n", "한")])
def test_a_single_word_is_learned(here, word, seed):
    (here / "word.txt").write_text(word)
    run = prepare(["word.txt"], out=here / "run")
    assert run.plan.train_characters == len(word)
    go(run)
    rest = word.removeprefix(seed)
    assert greedy(here / "run", seed, len(rest)) == rest


@EACH_ORDERED_CELL
def test_one_line_is_learned_to_nearly_nothing(here, cell):
    line = "The quick brown fox jumps over the lazy dog, and goes home.\n"
    (here / "line.txt").write_text(line)
    last = go(
        new(
            here / "run",
            corpus="line.txt",
            model=model_config(cell=cell, num_layers=1, hidden_size=48, weight_dropout=0.0),
            train=train_config(
                seq_len=15,
                batch_size=4,
                steps=500,
                learning_rate=0.01,
                weight_decay=0.05,
                reset=0.0,
                warmup=0.0,
            ),
        )
    )[-1]
    assert last.train_nats < 0.02
    text = greedy(here / "run", line + line[:10], 2 * len(line) - 10)
    assert text == (line + line)[10:]


@EACH_ORDERED_CELL
def test_the_order_of_letters_matters(here, cell):
    rng = np.random.default_rng(0)
    words = rng.choice(["TRIANGLE", "INTEGRAL"], 300).tolist()
    (here / "words.txt").write_text("\n".join(words) + "\n")
    go(
        new(
            here / "run",
            corpus="words.txt",
            model=model_config(cell=cell, num_layers=1, hidden_size=32),
            train=train_config(seq_len=16, steps=350, reset=0.05),
        )
    )
    checkpoint = load(here / "run" / "best.npz")
    model, vocabulary = checkpoint.model(), checkpoint.vocabulary

    def log_probability(word):
        return -score_ids(model, vocabulary.encode_text(f"\n{word}\n"), exact=True)

    others = {"".join(rng.permutation(list("TRIANGLE"))) for _ in range(150)}
    others |= {"TRIANGEL", "RTIANGLE", "INTEGRLA", "ALTERING", "RELATING"}
    others -= {"TRIANGLE", "INTEGRAL"}
    highest = max(map(log_probability, others))
    for word in ("TRIANGLE", "INTEGRAL"):
        assert log_probability(word) > -log(9) - 2  # the line end, then one of two words
        assert log_probability(word) > highest + 5


# Explosions


EXPLOSIONS = [
    ({"cell": cell}, {"optimizer": optimizer, "learning_rate": rate})
    for i, cell in enumerate(CELLS)
    for optimizer, rate in (
        ("adamw", (100, 1e6)[i % 2]),
        ("muon", (1e6, 100)[i % 2]),
        ("sgd", 100),
    )
] + [
    ({"cell": "rnn", "nonlinearity": "relu"}, {"optimizer": optimizer, "learning_rate": 100})
    for optimizer in OPTIMIZERS
]
# The new weights themselves are too large for float32.
OVERFLOWS = [
    ({"cell": cell}, {"optimizer": optimizer, "learning_rate": 1e6, "weight_decay": decay})
    for i, cell in enumerate(CELLS)
    for optimizer, decay in ((("adamw", 1.0), ("muon", 1.0), ("momentum", 1000.0))[i % 3],)
]


def explode(out, shape, settings):
    settings = {"max_grad_norm": 0, "schedule": "constant", "warmup": 0.0, "steps": 40, **settings}
    return new(out, model=model_config(**shape), train=train_config(**settings))


def assert_finite(directory):
    for path in directory.glob("*.npz"):
        checkpoint = load(path)
        arrays = [*checkpoint.weights.values(), *checkpoint.training.values()]
        assert all(np.isfinite(array).all() for array in arrays)


@pytest.mark.parametrize(("shape", "settings"), EXPLOSIONS)
def test_an_explosion_never_reaches_the_weights(here, shape, settings):
    events = go(explode(here / "run", shape, settings))
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.reason in ("done", "diverged")
    assert_finite(here / "run")
    messages = [event.message for event in of_kind(events, Notice)]
    assert messages
    assert all("learning" in message and "rate" in message for message in messages)
    assert (here / "run" / "best.npz").exists()
    # Nothing is less than NaN: it must not stay the best for ever.
    assert last.best_nats is None or not np.isnan(last.best_nats)


@pytest.mark.parametrize(("shape", "settings"), OVERFLOWS)
def test_weights_that_overflow_are_not_saved(here, shape, settings):
    # Whether the run ends or goes on, it says what to change.
    said = ""
    try:
        events = go(explode(here / "run", shape, settings))
        said = " ".join(event.message for event in of_kind(events, Notice))
    except CheckpointError as error:
        said = str(error)
    assert "learning-rate" in said
    assert_finite(here / "run")


def test_steps_that_are_not_finite_are_undone_and_the_rate_is_halved(here):
    shape = {"cell": "rnn", "nonlinearity": "relu"}
    events = go(explode(here / "run", shape, {"learning_rate": 1e6}))
    halved = [event for event in of_kind(events, Notice) if "halved" in event.message]
    assert len(halved) >= 8
    assert any("the step is undone" in event.message for event in halved)
    assert events[-1].reason == "diverged"
    history = load(here / "run" / "last.npz").history
    assert history.rate_factor == 0.5 ** len(halved)
    assert history.finished == "diverged"
    rates = [event.learning_rate for event in of_kind(events, Progress)]
    assert rates[0] in (1e6, rates[-1])  # they are shown by the clock
    assert rates[-1] == 1e6 * 0.5 ** (len(halved) - 1)
    logged = [event for event in read_log(here / "run") if event["event"] == "notice"]
    assert [event["message"] for event in logged[: len(halved)]] == [e.message for e in halved]


def test_a_run_recovers_from_a_single_bad_step(here, monkeypatch):
    run = new(here / "run")
    step = run._trainer.step

    def bad_once(rate):
        if run._trainer.step_count == 4:
            run._trainer.state[...] = np.nan
        return step(rate)

    monkeypatch.setattr(run._trainer, "step", bad_once)
    events = go(run)
    assert ["step 5" in event.message for event in of_kind(events, Notice)][:1] == [True]
    assert events[-1].reason == "done"
    assert load(here / "run" / "last.npz").history.rate_factor == 0.5
    assert load(here / "run" / "last.npz").history.failures == 0


def test_the_log_is_json_even_after_an_explosion(here):
    go(explode(here / "run", {"cell": "rnn", "nonlinearity": "relu"}, {"learning_rate": 1e6}))

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    for line in (here / "run" / "log.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=refuse)


def test_what_a_run_cannot_read_back_it_does_not_call_saved(here, monkeypatch):
    write = checkpoint_module.write_arrays

    def damaged(file, arrays):
        write(file, {**arrays, "more": np.zeros(1, np.float32)})

    go(new(here / "old"), stop_after=3)
    before = (here / "old" / "last.npz").read_bytes()
    monkeypatch.setattr(checkpoint_module, "write_arrays", damaged)
    for run in (new(here / "run"), resume(here / "old")):
        events = []
        with pytest.raises(CheckpointError, match=r"last\.npz was not written.*read back"):
            events.extend(run.train())
        assert not of_kind(events, Saved)
    assert not (here / "run" / "last.npz").exists()
    assert (here / "old" / "last.npz").read_bytes() == before


def test_a_run_reads_back_the_first_of_its_files(here, monkeypatch):
    read = []

    def count(path):
        read.append(path.name.split(".")[1])
        return load(path)

    monkeypatch.setattr(checkpoint_module, "load", count)
    run = new(here / "run", train=train_config(steps=12, validations=6, save_every=1e-9))
    assert len(of_kind(go(run, stop_after=6), Saved)) > 3
    assert sorted(read) == ["best", "last"]
    assert len(of_kind(go(resume(here / "run")), Saved)) > 3
    assert sorted(read) == ["best", "best", "last", "last"]


# The best, and the end


def test_best_is_the_best_validation(here):
    # Random pairs of letters: there is something to learn, then only to memorise.
    text = "".join(np.random.default_rng(0).choice(["ab", "ac", "db", "dc", "ed"], 550).tolist())
    (here / "short.txt").write_text(text)
    run = new(
        here / "run",
        corpus="short.txt",
        model=model_config(hidden_size=48, num_layers=1),
        train=train_config(steps=240, validations=24, learning_rate=0.02),
    )
    validated = of_kind(go(run), Validated)
    nats = [event.nats for event in validated]
    best, last = load(here / "run" / "best.npz"), load(here / "run" / "last.npz")
    assert len(nats) == 24
    assert 0 < nats.index(min(nats)) < 23
    assert [event.best for event in validated] == [
        value == min(nats[: index + 1]) for index, value in enumerate(nats)
    ]
    assert last.history.best_nats == min(nats)
    assert last.history.best_step == best.history.step == validated[nats.index(min(nats))].step
    held_out = best.vocabulary.encode_text(text)[-best.held_out :]
    assert score_ids(best.model(), held_out) / len(held_out) == pytest.approx(min(nats), rel=1e-9)
    assert score_ids(last.model(), held_out) / len(held_out) == pytest.approx(nats[-1], rel=1e-9)
    assert [row[2] for row in last.history.rows] == nats


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_stops_early(here, patience):
    # At this rate no weight moves: no validation is better than the first.
    train = train_config(steps=100, validations=50, patience=patience, learning_rate=1e-30)
    events = go(new(here / "run", train=train))
    assert events[-1].reason == "no longer improving"
    assert len(of_kind(events, Validated)) == 1 + patience
    assert events[-1].step == 2 * (1 + patience)
    assert events[-1].best_step == 2
    assert load(here / "run" / "last.npz").history.finished == "no longer improving"


def test_no_patience_goes_on(here):
    train = train_config(steps=40, validations=40, patience=0, learning_rate=1e-30)
    events = go(new(here / "run", train=train))
    assert events[-1].reason == "done"
    assert len(of_kind(events, Validated)) == 40


def test_the_plateau_schedule_halves_the_rate(here):
    train = train_config(
        steps=12, validations=12, schedule="plateau", learning_rate=1e-30, warmup=0.0
    )
    rates = [event.learning_rate for event in of_kind(go(new(here / "run", train=train)), Progress)]
    # The second validation is the first without improvement, the third the second.
    assert rates == [1e-30 / 2 ** max(0, (step - 2) // 2) for step in range(1, 13)]


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine"])
def test_the_schedule_ends_with_the_run(here, schedule):
    train = train_config(steps=20, schedule=schedule, warmup=0.2, learning_rate=0.01)
    rates = [event.learning_rate for event in of_kind(go(new(here / "run", train=train)), Progress)]
    assert len(rates) == 20
    assert rates[:4] == pytest.approx([0.00125, 0.00375, 0.00625, 0.00875])
    end = {"constant": 0.01, "step": 1e-4, "cosine": 0}[schedule]
    assert rates[-1] == pytest.approx(end, abs=3e-5)
    assert rates[-1] > 0


def test_a_run_of_minutes_ends_in_time(here):
    events = go(new(here / "run", train=train_config(minutes=0.005)))
    assert events[-1].reason == "done"
    assert events[-1].seconds >= 0.3
    *before, last = of_kind(events, Progress)
    assert all(event.done < 1 for event in before)  # with the first step after that, it ends
    assert last.done == 1


def test_a_run_of_epochs(here):
    run = new(here / "run", train=train_config(epochs=0.5))
    characters = len(TEXT) - int(len(TEXT) * 0.1)
    assert run.plan.train.steps == -(-characters // 80)
    assert go(run)[-1].step == run.plan.train.steps


def test_progress_adds_up(here):
    events = of_kind(go(new(here / "run")), Progress)
    assert [event.step for event in events] == [*range(1, 13)]
    assert [event.steps for event in events] == [12] * 12
    assert events[-1].done == 1
    characters = len(TEXT) - int(len(TEXT) * 0.1)
    assert events[-1].epoch == pytest.approx(12 * 40 / characters)
    assert events[0].nats == pytest.approx(by_frequency(), rel=0.05)
    assert all(event.grad_norm > 0 and event.chars_per_second > 0 for event in events)
    seconds = [event.seconds for event in events]
    assert seconds == sorted(seconds)


# Weights from elsewhere


NO_STEP = {"steps": 1, "learning_rate": 1e-30, "optimizer": "sgd"}


@pytest.mark.parametrize(("cell", "members"), [(cell, 1 + i % 2) for i, cell in enumerate(CELLS)])
def test_init_from_starts_with_those_weights(here, cell, members):
    go(new(here / "old", model=model_config(cell=cell, members=members, embedding_size=4)))
    for start in (here / "old", here / "old" / "best.npz", here / "old" / "last.npz"):
        out = here / f"new-{start.name}"
        go(new(out, model=ModelConfig(), train=train_config(**NO_STEP), init_from=start))
        given = load(start / "best.npz" if start.is_dir() else start)
        taken = load(out / "last.npz")
        assert {n: a.tobytes() for n, a in taken.weights.items()} == {
            n: a.tobytes() for n, a in given.weights.items()
        }
        assert taken.architecture == given.architecture
        assert taken.vocabulary == given.vocabulary
        assert taken.history.step == 1


def test_init_from_a_window_keeps_its_context(here):
    go(new(here / "old", model=model_config(cell="window", context=3), train=train_config(steps=2)))
    go(
        new(
            here / "new", model=ModelConfig(), train=train_config(**NO_STEP), init_from=here / "old"
        )
    )
    assert load(here / "new" / "last.npz").architecture.context == 3
    with pytest.raises(CheckpointError, match="with --context 3, which cannot be changed to 4"):
        new(here / "no", model=ModelConfig(cell="window", context=4), init_from=here / "old")


def test_init_from_begins_at_the_loss_of_those_weights(here):
    learned = of_kind(
        go(new(here / "old", train=train_config(learning_rate=0.03, steps=150))), Progress
    )
    begun = of_kind(go(new(here / "new", init_from=here / "old")), Progress)
    assert learned[0].nats == pytest.approx(by_frequency(), rel=0.05)
    assert begun[0].nats < 2.3


def test_init_from_takes_the_vocabulary_with_it(here):
    go(new(here / "old"))
    (here / "other.txt").write_text("the cat sat on a hat " * 60)
    go(new(here / "new", corpus="other.txt", init_from=here / "old"), stop_after=2)
    assert load(here / "new" / "best.npz").vocabulary == load(here / "old" / "best.npz").vocabulary


def test_init_from_may_change_dropout_but_no_size(here):
    go(new(here / "old"))
    wanted = ModelConfig(dropout=0.5, weight_dropout=0.25, hidden_size=8)
    run = new(here / "new", model=wanted, init_from=here / "old")
    assert (run.plan.model.dropout, run.plan.model.weight_dropout) == (0.5, 0.25)
    assert (run.plan.model.hidden_size, run.plan.model.num_layers) == (8, 2)
    run.close()
    others = ({"hidden_size": 9}, {"num_layers": 1}, {"embedding_size": 4}, {"cell": "rnn"})
    for wanted in others:
        with pytest.raises(CheckpointError, match=str(next(iter(wanted.values())))):
            new(here / "new", model=ModelConfig(**wanted), init_from=here / "old")


def test_init_from_notices_a_default_that_was_asked_for(here):
    shape = {"cell": "rnn", "nonlinearity": "relu", "num_layers": 1}
    go(new(here / "old", model=model_config(**shape)))
    for wanted in ({"cell": "gru"}, {"cell": "rnn", "nonlinearity": "tanh"}):
        with pytest.raises(CheckpointError, match="leave the option out"):
            new(here / "new", model=ModelConfig(**wanted), init_from=here / "old")


@pytest.mark.parametrize(
    "settings", [{"val_fraction": 0.0, "validations": None}, {"validations": 1}], ids=["no", "one"]
)
def test_without_a_validation_the_newest_state_is_the_best(here, settings):
    run = new(here / "run", train=train_config(steps=2_000, save_every=1e-9, **settings))
    go(run, stop_after=3)
    again = resume(here / "run")
    go(again, stop_after=again.history.step + 4)
    best, last = (load(here / "run" / name) for name in ("best.npz", "last.npz"))
    assert best.history.step == last.history.step > 4
    assert best.history.best_nats is None
    assert all((best.weights[name] == last.weights[name]).all() for name in last.weights)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"PK")])
def test_a_best_state_that_is_lost_is_told_and_replaced(here, damage):
    go(new(here / "run", train=train_config(steps=20)), stop_after=12)
    lost = load(here / "run" / "best.npz").history.best_nats
    last = load(here / "run" / "last.npz")
    rng = np.random.default_rng(0)
    worse = {n: a + rng.standard_normal(a.shape).astype(a.dtype) for n, a in last.weights.items()}
    mixed = replace(last.history, mixed_nats=0.5)  # of the state that is lost
    save(here / "run" / "last.npz", replace(last, weights=worse, history=mixed))
    damage(here / "run" / "best.npz")
    run = resume(here / "run")
    assert "the best state is lost" in run.notices[0]
    assert run.history.mixed_nats is None
    go(run)
    best = load(here / "run" / "best.npz")
    assert best.history.best_nats == load(here / "run" / "last.npz").history.best_nats > lost
    again = resume(here / "run", length=TrainConfig(steps=22))
    assert not any("best state" in notice for notice in again.notices)
    again.close()


def test_a_best_state_that_is_damaged_is_kept_and_one_that_only_cannot_be_read_is_not_lost(
    here, monkeypatch
):
    go(new(here / "run", train=train_config(steps=20)), stop_after=12)
    best = here / "run" / "best.npz"
    sound = best.read_bytes()

    def busy(path):
        raise CheckpointError(f"{path}: no") from OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(resuming, "load", busy)
        with pytest.raises(CheckpointError, match="best"):
            resume(here / "run")
    assert best.read_bytes() == sound
    best.write_bytes(b"PK")
    resume(here / "run").close()
    assert (here / "run" / "best.npz.damaged").read_bytes() == b"PK"


def test_a_resumed_run_says_from_where(here):
    run = new(here / "run")
    assert run.plan.resumed_at is None
    go(run)
    run = resume(here / "run", length=TrainConfig(steps=20))
    assert run.plan.resumed_at == 12
    run.close()
    (here / "run" / "last.npz").write_bytes(b"damaged")
    with pytest.raises(RunError, match="with --init-from"):
        resume(here / "run", length=TrainConfig(steps=20))


def test_a_run_of_lines_begins_at_the_frequencies_in_its_lines(here):
    (here / "lines.txt").write_text("ab\n\n\n\nabb\n\n\n" * 60)
    settings = train_config(lines=True, seq_len=None, val_fraction=0.0, validations=None)
    run = new(here / "run", corpus="lines.txt", train=settings)
    bias = run._setup.model.members[""].head.b
    a, b, end = (bias[run._setup.vocabulary.encode_text(c)[0]] for c in "ab\n")
    assert a == pytest.approx(end, abs=1e-2)  # as many ends as lines, each with one a
    assert b - a == pytest.approx(log(1.5), abs=1e-2)
    run.close()


def test_init_from_drops_as_the_new_text_asks(here):
    dropped = ModelConfig(cell="rnn", hidden_size=8, num_layers=1, dropout=0.7)
    go(new(here / "old", model=dropped))
    run = new(here / "new", init_from=here / "old", model=ModelConfig())
    assert run.plan.model.dropout == 0  # the text is tiny
    assert "dropout" in run.plan.reasons
    run.close()


def test_init_from_grows_by_the_new_symbols_of_the_text(here):
    go(new(here / "old"))
    (here / "other.txt").write_text("the cat sat on a hat " * 60 + "Zebra Q" + "the cat " * 200)
    run = new(
        here / "new", corpus="other.txt", train=train_config(**NO_STEP), init_from=here / "old"
    )
    assert "2 new symbols are added to the model: 'Q' (U+0051), 'Z' (U+005A)" in run.notices
    go(run)
    old, grown = (load(here / name / "last.npz") for name in ("old", "new"))
    assert set(grown.vocabulary.symbols) == {*old.vocabulary.symbols, ord("Q"), ord("Z")}
    seed = "the cat sat"
    before = score_ids(old.model(), old.vocabulary.encode_text(seed))
    after = score_ids(grown.model(), grown.vocabulary.encode_text(seed))
    assert after == pytest.approx(before, rel=0.1)  # a little goes to the new symbols
    assert after != before
    assert "".join(
        text
        for _, text in generate(
            grown.model(), grown.vocabulary, SampleConfig(length=5, random_seed=0), seed="ZQ"
        )
    )


def test_init_from_reads_the_text_in_the_units_of_its_model(here):
    go(
        prepare(
            ["corpus.txt"],
            text=TextConfig(unit="byte"),
            model=model_config(),
            train=train_config(steps=2),
            out=here / "old",
        )
    )
    (here / "other.txt").write_text("the cat sat on a hat " * 60)
    run = new(here / "new", corpus="other.txt", init_from=here / "old")
    go(run)
    checkpoint = load(here / "new" / "last.npz")
    assert (checkpoint.text.unit, checkpoint.vocabulary.unit) == ("byte", "byte")


# Small texts


@pytest.mark.parametrize("text", ["a", "ab", "aaaaaaaaaaaaaaaa", "hello", "\n", "\x00\x01"])
def test_the_smallest_texts_train(here, text):
    (here / "small.txt").write_text(text)
    run = prepare(["small.txt"], out=here / "run", train=TrainConfig(steps=3))
    events = go(run)
    assert events[-1].reason == "done"
    assert load(here / "run" / "best.npz").characters == len(text)
    if len(set(text)) == 1:
        assert any("single distinct character" in notice for notice in run.notices)
        assert events[-1].train_nats == 0


def test_the_vocabulary_is_that_of_the_whole_text(here):
    (here / "two.txt").write_text("ab" * 500 + "abz" * 30 + "q")
    run = new(here / "run", corpus="two.txt")
    assert run.plan.distinct == 4
    assert run.plan.unseen == 2
    best = go(run)[-1].best_nats
    checkpoint = load(here / "run" / "best.npz")
    assert checkpoint.counts.sum() == checkpoint.characters - checkpoint.held_out
    assert checkpoint.unseen.tolist() == [False, False, True, True]
    found = evaluate_checkpoint(checkpoint)
    assert found.nats_per_char == pytest.approx(best, rel=1e-6)
    assert (found.unseen, found.unknown) == (31, {})
    assert 31 * 1.0 < found.unseen_nats < found.total_nats
    assert "4 symbols, those of the whole corpus" in found.protocol


def test_a_batch_too_large_for_the_text_is_shrunk_with_a_notice(here):
    (here / "small.txt").write_text("hello world " * 5)
    run = new(here / "run", corpus="small.txt", train=train_config(batch_size=64, seq_len=20))
    assert (run.plan.train.batch_size, run.plan.train.seq_len) == (3, 20)
    assert any("--batch-size 64" in notice for notice in run.notices)
    run.close()
    run = new(here / "run", corpus="small.txt", train=train_config(batch_size=64, seq_len=100))
    assert (run.plan.train.batch_size, run.plan.train.seq_len) == (1, 60)
    run.close()
