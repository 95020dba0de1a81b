"""Runs are named after what was typed, whatever the files below that are called."""

import shutil
from pathlib import Path

import pytest

from charrnn.config import ModelConfig, TrainConfig
from charrnn.storage.folder import run_name
from charrnn.training.new import prepare

TEXT = "the cat sat on the mat\n" * 20


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*paths, text=TEXT):
    for path in paths:
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(text)


def name_of(*typed):
    run = prepare(
        typed,
        model=ModelConfig(hidden_size=4, num_layers=1),
        train=TrainConfig(steps=1, batch_size=4, seq_len=8, val_fraction=0.0),
    )
    list(run.train())
    return run.directory.name


def test_a_folder_or_a_pattern(here):
    write("novels/00000", "novels/00001")
    assert name_of("novels") == "novels"
    assert name_of("novels/0*1") == "novels-2"
    assert name_of(str(here / "novels" / "00001")) == "00001"


def test_the_second_file_of_a_name_has_its_folder_before_it():
    write("a/input.txt")
    write("b/input.txt", text=TEXT.upper())
    assert name_of("a/input.txt") == "input"
    assert name_of("b/input.txt") == "b-input"
    assert name_of("a/input.txt") == "input-2"  # the same text once more
    shutil.rmtree("runs/input")
    assert name_of("b/input.txt") == "input"


def test_the_number_of_a_pipe_is_no_name():
    assert run_name("/dev/fd/63") == run_name("/proc/self/fd/11") == "pipe"


def test_a_file_that_has_grown_keeps_its_name():
    write("a/input.txt")
    assert name_of("a/input.txt") == "input"
    write("a/input.txt", text=TEXT * 2)
    assert name_of("a/input.txt") == "input-2"
