"""Resuming a run with another length, or with a setting that changes no step."""

import re

import pytest
from test_training import by_frequency, go, here, new, of_kind, train_config

from charrnn.api.runs import resume as resume_by_name
from charrnn.config import TrainConfig
from charrnn.errors import ConfigError, RunError
from charrnn.storage.checkpoint import load, save
from charrnn.storage.log import read_log
from charrnn.training.events import Finished
from charrnn.training.resume import resume
from charrnn.training.verdict import verdict

assert here  # a fixture


def settings_of(folder):
    return load(folder / "last.npz").settings


def test_a_run_is_trained_once(here):
    run = new(None)
    go(run)
    with pytest.raises(RunError, match="already trained: resume it, or prepare another"):
        next(run.train())
    assert [path.name for path in (here / "runs").iterdir()] == ["corpus"]


def test_the_verdict_on_a_run_of_epochs_advises_epochs(here):
    def advice(run):
        setup, start = run._setup, by_frequency()
        losses = [start * (1 - n / 20) for n in range(1, 11)]
        setup.history.rows = [(100 * n, loss, loss) for n, loss in enumerate(losses, 1)]
        return verdict(setup, setup.steps_per_epoch, "")

    assert advice(new(None, train=train_config(epochs=2.0))).endswith("Try --epochs 4")
    assert advice(new(None, train=train_config(steps=20))).endswith("Try --steps 40")
    go(new(here / "run", train=train_config(epochs=1.0)))
    run = resume(here / "run", length=TrainConfig(epochs=3.0))
    assert advice(run).endswith("--epochs 6")
    run.close()


def test_how_often_it_saves_and_how_patient_it_is_may_change(here):
    go(new(here / "run", train=train_config(steps=12)), stop_after=4)
    go(resume(here / "run", save_every=7.0), stop_after=8)
    assert (settings_of(here / "run").save_every, settings_of(here / "run").patience) == (7.0, 0)
    with resume_by_name(here / "run", patience=3, threads=1) as run:
        list(run)
    assert (settings_of(here / "run").save_every, settings_of(here / "run").patience) == (7.0, 3)
    with pytest.raises(ConfigError, match="--save-every"):
        resume_by_name(here / "run", save_every=-1.0)
    with pytest.raises(ConfigError, match="--patience"):
        resume_by_name(here / "run", patience=-1)


def test_more_patience_is_a_reason_to_go_on(here):
    settings = {"steps": 60, "validations": 30, "patience": 2, "learning_rate": 0.4}
    assert go(new(here / "run", train=train_config(**settings)))[-1].reason == "no longer improving"
    with pytest.raises(RunError, match="is finished"):
        resume(here / "run")
    with pytest.raises(RunError, match="is finished"):
        resume(here / "run", save_every=2.0)
    before = load(here / "run" / "last.npz").history.step
    assert go(resume(here / "run", patience=0))[-1].step == 60 > before


def notices_of(folder, **length):
    run = resume(folder, length=train_config(**length))
    run.close()
    return [notice for notice in run.notices if "in total" in notice]


def test_a_new_length_says_what_becomes_of_the_learning_rate(here):
    go(new(here / "run", train=train_config(steps=12, schedule="cosine")))
    assert notices_of(here / "run", steps=24) == [
        "24 steps in total, of which 12 are done: the learning rate rises from 0 to 0.0052 at once"
    ]
    constant = load(here / "run" / "last.npz")
    constant.settings = train_settings(constant.settings, schedule="constant")
    save(here / "run" / "last.npz", constant)
    assert notices_of(here / "run", steps=24) == ["24 steps in total, of which 12 are done"]
    (said,) = notices_of(here / "run", minutes=2.0)
    assert re.match(r"2 minutes in total, of which [\d.e-]+ have passed", said)


def train_settings(settings, **changes):
    return type(settings).from_json({**settings.to_json(), **changes})


def test_a_run_that_goes_on_as_it_was_says_nothing_of_its_length(here):
    go(new(here / "run", train=train_config(steps=12)), stop_after=4)
    run = resume(here / "run")
    assert not any("in total" in notice for notice in run.notices)
    assert of_kind(go(run), Finished)[0].step == 12


def test_every_row_of_the_log_can_be_drawn_by_time_or_by_characters(here):
    go(new(here / "run"), stop_after=4)
    go(resume(here / "run"))
    rows = read_log(here / "run")
    assert {row["event"] for row in rows} >= {"validated", "progress", "sampled", "finished"}
    for name in ("seconds", "characters", "step"):
        column = [row[name] for row in rows]
        assert column == sorted(column)
        assert column[-1] > column[0]
    # 8 streams of 5 characters.
    assert {row["characters"] for row in rows} == {40 * row["step"] for row in rows}
