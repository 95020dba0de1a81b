"""The interface for programs: a run is an iterator of events and ends with a model."""

import gc
import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from programs import SMALL, TEXT, files, trained

import charrnn
from charrnn.backend.arrays import FORKS
from charrnn.errors import CheckpointError, ConfigError, CorpusError, RunError
from charrnn.storage import own_text
from charrnn.storage.store import MemoryStore
from charrnn.training.step import ShardTrainer

WIDE = {**SMALL, "batch_size": 128, "seq_len": 2, "threads": 2}
"""Enough streams for two workers."""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def model():
    return trained()


def test_a_run_in_memory_leaves_no_file(here):
    run = charrnn.train(text=TEXT, steps=5, **SMALL)
    assert run.directory is None
    events = list(run)
    assert [event.kind for event in events[-2:]] == ["saved", "finished"]
    assert events[-1] == run.finished
    assert run.model.path is None
    assert not files()
    assert list(run) == []


def test_a_model_is_asked_for_at_once():
    run = charrnn.train(text=TEXT, steps=5, **SMALL)
    assert run.model.checkpoint.history.step == 5
    assert run.finished.reason == "done"
    assert run.model is run.model


def test_a_run_in_memory_learns_as_one_in_a_folder(here):
    Path("text.txt").write_text(TEXT)
    settings = {"steps": 30, **SMALL, "random_seed": 7}
    one = charrnn.train(text=TEXT, **settings).model
    with charrnn.train("text.txt", out="runs/a", **settings) as run:
        assert next(run).path == str(Path("runs/a/last.npz"))
        list(run)
    assert run.directory == Path("runs/a")
    assert run.model.path == Path("runs/a/best.npz")
    two, three = run.model, charrnn.load("runs/a")
    for name, weights in one.network.parameters.items():
        assert np.array_equal(weights, two.network.parameters[name])
        assert np.array_equal(weights, three.network.parameters[name])
    assert two.evaluate().total_nats == three.evaluate().total_nats


def test_the_best_model_so_far():
    run = charrnn.train(text=TEXT, steps=200, validations=20, patience=0, **SMALL)
    for event in run:
        if event.kind == "saved" and event.step == 0:
            with pytest.raises(RunError, match="has made no step"):
                run.model  # noqa: B018
        if event.kind == "validated":
            break
    early = run.model
    assert early.checkpoint.history.step == event.step
    assert early.evaluate().nats_per_char == pytest.approx(event.nats, abs=1e-6)
    before = early.score("box").nats.copy()
    list(run)
    assert run.model.checkpoint.history.step > early.checkpoint.history.step
    assert np.array_equal(early.score("box").nats, before)


def test_the_present_model_where_nothing_is_validated():
    run = charrnn.train(text=TEXT, steps=100_000, val_fraction=0, **SMALL)
    next(event for event in run if event.kind == "progress")
    step = run.model.checkpoint.history.step
    assert 0 < step < 100_000
    held = run.model
    next(event for event in run if event.kind in ("progress", "saved"))
    assert held.checkpoint.history.step == step
    run.close()
    assert run.model.checkpoint.history.step > step


def test_a_run_is_stopped(here):
    Path("text.txt").write_text(TEXT)
    settings = {"steps": 40, "patience": 0, **SMALL}
    whole = charrnn.train("text.txt", out="runs/whole", **settings).model
    run = charrnn.train("text.txt", out="runs/part", **settings)
    for event in run:
        if event.kind == "validated":
            run.stop()
    assert run.finished.reason == "interrupted"
    assert 0 < run.finished.step < 40
    with charrnn.resume("part", threads=2) as rest:
        assert rest.plan.resumed_at == run.finished.step
        list(rest)
    assert np.array_equal(rest.model.network.parameters.vector, whole.network.parameters.vector)
    for name in ("stop", "close"):
        getattr(rest, name)()


def test_a_text_in_memory_is_kept_for_a_resume(here):
    list(charrnn.train(text=TEXT, out="runs/a", steps=5, **SMALL))
    assert (Path("runs/a") / own_text.STDIN).exists()
    assert charrnn.load("a").evaluate().characters == 120
    run = charrnn.resume("a", steps=8)
    assert list(run)[-1].step == 8
    assert run.model.evaluate().characters == 120


needs_forks = pytest.mark.skipif(not FORKS, reason="workers are threads here")


def workers():
    return multiprocessing.active_children()


def begun():
    run = charrnn.train(text=TEXT, steps=5000, **WIDE)
    next(event for event in run if event.kind == "progress")
    assert run.plan.threads == 2
    assert len(workers()) == 1
    return run


def close(run):
    run.close()


def leave(run):
    with pytest.raises(ZeroDivisionError), run:
        next(run).step / 0


def finish(run):
    run.stop()
    list(run)


@needs_forks
@pytest.mark.parametrize("end", [close, leave, finish])
def test_workers_end_with_their_run(end):
    run = begun()
    end(run)
    assert not workers()
    assert run.model.checkpoint.history.step > 0
    assert list(run) == []


@needs_forks
def test_workers_end_with_a_run_that_is_forgotten():
    run = begun()
    del run
    gc.collect()
    assert not workers()


@needs_forks
def test_an_interrupt_leaves_the_model(monkeypatch):
    run, steps, step = begun(), [], ShardTrainer.step

    def interrupted(self, rate):
        steps.append(rate)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return step(self, rate)

    monkeypatch.setattr(ShardTrainer, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(run)
    assert not workers()
    assert run.finished is None
    assert run.model.checkpoint.history.step > 0
    assert "closed" in repr(run)


def test_a_run_that_is_over_holds_its_text_and_its_model_alone():
    run = charrnn.train(text=TEXT, steps=5, **SMALL)
    list(run)
    assert run._run is None
    assert not run._outcome.training


def test_a_run_that_never_began(here):
    run = charrnn.train(text=TEXT, out="runs/a", steps=5, **SMALL)
    run.close()
    run.stop()
    assert list(run) == []
    assert repr(run) == "TrainingRun(closed)"
    with pytest.raises(RunError, match="has no model yet, as it has made no step"):
        run.model  # noqa: B018
    assert not files()


def test_a_folder_that_was_taken_meanwhile(here):
    run = charrnn.train(text=TEXT, out="runs/a", steps=5, **SMALL)
    Path("runs").write_text("a file")
    with pytest.raises(RunError, match="cannot be created"):
        next(run)
    with pytest.raises(RunError, match="has made no step"):
        run.model  # noqa: B018


def test_a_lost_best_state_is_told_of(here):
    run = charrnn.train(text=TEXT, out="runs/a", steps=400, validations=20, **SMALL)
    next(event for event in run if event.kind == "validated")
    Path("runs/a/best.npz").write_bytes(b"damaged")
    run.close()
    with pytest.raises(CheckpointError, match="is not a usable checkpoint"):
        run.model  # noqa: B018


def test_a_run_shows_itself():
    run = charrnn.train(text=TEXT, steps=40, validations=4, **SMALL)
    assert repr(run) == "TrainingRun(not begun)"
    assert "not begun" in run._repr_html_()
    assert "<svg" not in run._repr_html_()
    for event in run:
        if event.kind == "validated" and event.step >= 20:
            break
    halfway = run._repr_html_()
    assert "validation" in halfway
    list(run)
    assert repr(run).startswith("TrainingRun(done after step 40; training ")
    html = run._repr_html_()
    assert html.count("<polyline") == 2
    assert f"best {run.finished.best_nats:.3f}" in html
    assert html != halfway


def test_a_run_that_goes_on_shows_what_was_before(here):
    list(charrnn.train(text=TEXT, out="runs/a", steps=40, **SMALL))
    run = charrnn.resume("a", steps=50)
    assert "<polyline" in run._repr_html_()
    assert "best" in run._repr_html_()
    run.close()


def test_samples_are_asked_for():
    run = charrnn.train(text=TEXT, steps=5, samples=True, **SMALL)
    assert [len(event.text) for event in run if event.kind == "sampled"] == [30]  # see conftest


def test_the_notices_of_a_run():
    run = charrnn.train(text=TEXT.replace("\n", "\r\n"), steps=1, **SMALL)
    assert any("CR LF" in notice for notice in run.notices)
    run.close()


def test_a_model_is_trained_further(model):
    other = trained("zäh wie öl\n" * 60, init_from=model, steps=5, hidden_size=None)
    assert other.checkpoint.architecture.hidden_size == 16
    assert set("äö") <= set(map(chr, other.vocabulary.symbols))
    run = charrnn.train(text=TEXT, init_from=model, steps=1, threads=1)
    assert any("was trained on" in notice for notice in run.notices)
    run.close()


def test_files_of_their_own_are_held_out(here):
    Path("a.txt").write_text(TEXT)
    Path("b.txt").write_text(TEXT[:400][::-1])
    run = charrnn.train("a.txt", val="b.txt", steps=3, **SMALL)
    assert run.plan.held_out == 400
    assert run.model.evaluate().characters == 400


def test_numbers_of_numpy_are_numbers():
    run = charrnn.train(
        text=TEXT, steps=np.int64(3), learning_rate=np.float32(0.01), cell=None, batch_size=4
    )
    assert run.plan.train.steps == 3
    assert run.plan.train.learning_rate == pytest.approx(0.01)
    run.close()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ConfigError, "give paths, or the text itself as text=..."),
        ({"paths": "a.txt", "text": TEXT}, ConfigError, "paths and text cannot be combined"),
        ({"val": "a.txt", "text": TEXT}, ConfigError, "val and text cannot be combined"),
        ({"text": TEXT, "hiden_size": 4}, ConfigError, "train has no setting .* mean hidden_size?"),
        ({"text": TEXT, "hidden_size": "4"}, ConfigError, "is not a whole number"),
        ({"text": TEXT, "steps": 1, "minutes": 1}, ConfigError, "both set the length"),
        ({"text": TEXT, "out": "a.txt"}, RunError, "a.txt is a file"),
        ({"text": TEXT, "init_from": "gone"}, RunError, "neither a checkpoint nor a run"),
        ({"text": ""}, CorpusError, "text in memory is empty"),
        ({"text": b"abc"}, CorpusError, "text is bytes, and the unit is char"),
        ({"text": "a\nb", "items": "file"}, ConfigError, "finds 1 item"),
        ({"paths": "gone.txt"}, CorpusError, "gone.txt"),
    ],
)
def test_a_run_that_cannot_be(here, arguments, error, message):
    Path("a.txt").write_text(TEXT)
    with pytest.raises(error, match=message) as caught:
        charrnn.train(**arguments)
    assert "\n" not in str(caught.value)
    assert files() == ["a.txt"]


def test_a_run_that_cannot_go_on(here):
    with pytest.raises(RunError, match="is not a run"):
        charrnn.resume("gone")


# In memory


def test_states_are_kept_in_the_same_arrays(model):
    """So a save takes no memory."""
    store, network = MemoryStore(), model.checkpoint.model()
    with pytest.raises(RunError, match="no best state"):
        store.load_best()
    with pytest.raises(RunError, match="has not started"):
        store.load_last()
    weights, state = network.parameters, {"state": np.zeros(3, np.float32)}
    history = replace(model.checkpoint.history, rows=[])
    now = replace(model.checkpoint, weights=weights, training=state, history=history)
    store.save_last(now)
    store.save_best(now)
    last, best = store.load_last(), store.load_best()
    weights.vector[...] = 2
    state["state"] += 1
    history.rows.append((99, 1.0, None))
    for kept in (last, best):
        assert np.array_equal(kept.weights["head.W"], model.network.parameters["head.W"])
        assert kept.training["state"].tolist() == [0, 0, 0]
        assert kept.history.rows == []
    store.save_last(now)
    assert store.load_last().weights["head.W"] is last.weights["head.W"]
    assert store.load_last().training["state"] is last.training["state"]
    assert store.load_last().history.rows == history.rows
    assert (last.weights["head.W"] == 2).all()
    assert np.array_equal(best.weights["head.W"], model.network.parameters["head.W"])
    store.save_best(now)
    assert store.load_best().weights["head.W"] is best.weights["head.W"]


def test_weights_that_are_lost_come_back_from_memory(monkeypatch):
    update = ShardTrainer.step

    def spoiled(self, rate):
        result = update(self, rate)
        if self.step_count == 3:
            self.model.parameters.vector[...] = np.inf
            return type(result)(result.nats, result.grad_norm, False)
        return result

    monkeypatch.setattr(ShardTrainer, "step", spoiled)
    run = charrnn.train(text=TEXT, steps=6, **SMALL)
    told = [event.message for event in run if event.kind == "notice"]
    assert any("the weights go back to step 0" in message for message in told)
    assert np.isfinite(run.model.network.parameters.vector).all()


def test_a_text_in_the_place_of_paths_is_named_and_not_repeated():
    with pytest.raises(ConfigError, match=r"give it as text=") as caught:
        charrnn.train("one line\n" * 500)
    assert len(str(caught.value)) < 100
