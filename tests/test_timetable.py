"""Many steps asked for at once: the same run as step by step, and no step too many."""

from dataclasses import replace

import numpy as np
import pytest
from detached import DetachedTrainer
from test_training import (
    assert_same_run,
    go,
    here,
    model_config,
    new,
    of_kind,
    train_config,
)

from charrnn.optimizers import learning_rate_factor
from charrnn.storage.checkpoint import load
from charrnn.training import assembly
from charrnn.training import run as training
from charrnn.training.events import Notice, Progress, Sampled, Validated
from charrnn.training.resume import resume
from charrnn.training.step import ShardTrainer

assert here  # a fixture


@pytest.fixture(params=[7, 1000])
def in_chunks(request, monkeypatch):
    """Return what makes runs be trained in chunks from here on."""

    def begin():
        monkeypatch.setattr(assembly, "ShardTrainer", DetachedTrainer)
        monkeypatch.setattr(DetachedTrainer, "chunk", request.param)
        return request.param

    return begin


LENGTHS = {
    "steps": {"steps": 40},
    "epochs": {"epochs": 3.3},
    "early": {"steps": 60, "validations": None, "val_characters": 40},
    "patience": {"steps": 60, "validations": 30, "patience": 3, "learning_rate": 0.4},
    "plateau": {"steps": 30, "schedule": "plateau", "validations": 10, "learning_rate": 0.4},
    "nothing held out": {"steps": 23, "val_fraction": 0.0, "validations": None},
}


@pytest.mark.parametrize(
    ("length", "in_chunks"),
    [*((length, 7) for length in LENGTHS), ("steps", 1000), ("patience", 1000)],
    indirect=["in_chunks"],
)
def test_chunks_change_nothing(here, in_chunks, length):
    settings = {
        "model": model_config(num_layers=1, dropout=0.2),
        "train": train_config(**{"schedule": "step", **LENGTHS[length]}),
    }
    go(new(here / "single", **settings))
    chunk = in_chunks()
    run = new(here / "chunks", **settings)
    go(run)
    assert_same_run(here / "single", here / "chunks")
    asked = run._trainer.asked
    assert max(asked) == min(chunk, max(asked)) > 1
    assert sum(asked) == load(here / "single" / "last.npz").history.step  # and none was in vain


@pytest.mark.parametrize("step", [6, 24])
def test_a_run_in_chunks_that_was_killed_goes_on_step_by_step_and_the_other_way(
    here, in_chunks, step, monkeypatch
):
    monkeypatch.setattr(training, "PROGRESS_EVERY", 1000.0)
    settings = {"train": train_config(steps=30, validations=6), "model": model_config(dropout=0.2)}

    def killed(name, save_every=60.0):
        run = new(here / name, **settings)
        run._train = replace(run._train, save_every=save_every)
        for event in run.train():
            if isinstance(event, Validated) and event.step >= step:
                break
        run.close()

    go(new(here / "straight", **settings))
    killed("single")
    in_chunks()
    go(resume(here / "single"))
    assert_same_run(here / "straight", here / "single")
    killed("chunks")
    killed("saved", 1e-9)
    assert load(here / "saved" / "last.npz").history.step > 0
    monkeypatch.setattr(assembly, "ShardTrainer", ShardTrainer)
    for name in ("chunks", "saved"):
        go(resume(here / name))
        assert_same_run(here / "straight", here / name)


def test_a_chunk_ends_at_a_step_that_is_not_finite(here, in_chunks, monkeypatch):
    def broken_twice(trainer):
        step = trainer.step

        def bad(rate):
            if trainer.step_count in (4, 9):
                trainer.state[...] = np.nan
            rates.append(rate)
            return step(rate)

        monkeypatch.setattr(trainer, "step", bad)

    logs, settings = [], {"train": train_config(steps=20, schedule="constant", warmup=0.0)}
    for name in ("single", "chunks"):
        rates: list[float] = []
        run = new(here / name, **settings)
        broken_twice(run._trainer)
        events = go(run)
        logs.append([event.message for event in of_kind(events, Notice)])
        assert rates == [0.01] * 5 + [0.005] * 5 + [0.0025] * 10
        in_chunks()
    assert logs[0] == logs[1]
    assert len(logs[0]) >= 2
    assert_same_run(here / "single", here / "chunks")


def test_weights_that_are_lost_come_back(here, in_chunks, monkeypatch):
    in_chunks()
    run = new(here / "run", train=train_config(steps=20, save_every=1e-9))
    step = run._trainer.step

    def lost_once(rate):
        result = step(rate)
        if run._trainer.step_count == 8:
            run._trainer.model.parameters.vector[...] = np.inf
            return type(result)(result.nats, result.grad_norm, False)
        return result

    monkeypatch.setattr(run._trainer, "step", lost_once)
    notices = [event.message for event in of_kind(go(run), Notice)]
    assert "the weights go back to step" in notices[0]
    last = load(here / "run" / "last.npz")
    assert last.history.step == 20
    assert np.isfinite(last.weights["head.W"]).all()


def test_samples_and_the_best_are_of_the_weights_as_they_are(here, in_chunks, monkeypatch):
    monkeypatch.setattr(training, "SAMPLE_EVERY", 0.0)
    monkeypatch.setattr(training, "SMALL_SHARE", float("inf"))
    in_chunks()
    run, seen = new(here / "run", train=train_config(steps=30)), []

    def look(setup):
        seen.append(setup.model.parameters.vector.copy())
        return "a sample"

    monkeypatch.setattr(training, "live_sample", look)
    for event in run.train(samples=True):
        if isinstance(event, Sampled):
            assert (seen[-1] == run._trainer.model.parameters.vector).all()
    assert seen
    other = new(here / "other", train=train_config(steps=5000, validations=1))
    events = other.train()
    next(event for event in events if isinstance(event, Progress))
    assert (other.best().weights.vector == other._trainer.model.parameters.vector).all()
    events.close()


def test_speed_is_measured_in_chunks(here, in_chunks):
    chunk = in_chunks()
    run = new(here / "run", train=train_config(minutes=1))
    assert run.measure_speed(0.01) > 0
    assert run._trainer.asked[:2] == [1, chunk]
    run.close()


# A run of minutes


@pytest.fixture
def timetable(here):
    """That of a run of a minute without a validation on the way."""
    run = new(here / "run", train=train_config(minutes=1, validations=1, val_characters=40))
    yield run._timetable
    run.close()


def rate_at(seconds):
    return 0.01 * learning_rate_factor("cosine", seconds / 60, 0.03)


def test_the_rates_of_a_chunk_go_on_by_the_time_that_a_step_takes(timetable):
    assert timetable.rates(30.0, 0.001, 1) == [rate_at(30.0)]
    rates = timetable.rates(30.0, 0.001, 50)
    assert rates == [rate_at(30 + n * 0.001) for n in range(50)]


def test_a_chunk_ends_where_the_time_will_be_over(timetable):
    assert len(timetable.rates(59.9901, 0.001, 50)) == 10
    assert len(timetable.rates(60.0, 0.001, 50)) == 1  # one at the least, and it is the last


def test_first_steps_that_took_long_say_nothing_of_the_next(timetable):
    # Kernels are compiled in the first: 50 steps are asked for because they take less than 0.1 s.
    rates = timetable.rates(10.0, 5.0, 50)
    assert len(rates) == 50
    assert rates[-1] == rate_at(10.0 + 49 * 0.1 / 50)
    assert timetable.rates(10.0, 0.0, 3) == [rate_at(10.0)] * 3


def test_a_chunk_ends_where_a_validation_will_be_due(here):
    run = new(here / "run", train=train_config(minutes=1, validations=60))
    assert len(run._timetable.rates(0.999, 0.0001, 500)) == 10
    run.close()


def test_a_run_of_minutes_validates_early_however_long_its_text_is(here):
    run = new(here / "run", train=train_config(minutes=10, validations=None, val_characters=40))
    timetable, history = run._timetable, run.history
    history.next_pass, timetable.validation_seconds = 1e9, 0.5
    due = [second for second in range(600) if timetable.is_validation_due(second / 600, 1, second)]
    assert due[0] == 12
    timetable.validation_seconds = 5.0  # as soon as its share of the time allows one
    due = [second for second in range(600) if timetable.is_validation_due(second / 600, 1, second)]
    assert due[0] == 100
    history.rows.append((1, 2.0, 2.0))
    history.validations = 20
    assert not timetable.is_validation_due(0.5, 1, 300.0)
    run.close()
