"""Settings in a TOML file: what it may hold, and the errors for the rest."""

import os
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.cli.options import MachineConfig
from charrnn.config import DeviceConfig, ModelConfig, TextConfig, TrainConfig
from charrnn.config.settings_file import keys_of, read_settings
from charrnn.config.toml import toml_value
from charrnn.errors import ConfigError

GROUPS = (TextConfig, ModelConfig, TrainConfig, DeviceConfig, MachineConfig)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text, path="run.toml"):
    Path(path).write_text(text, encoding="utf-8")
    return read_settings(path, GROUPS)


def refused(text):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.lists(TEXTS)
)


@given(VALUES)
def test_what_is_written_is_read_back(value):
    back = tomllib.loads(f"key = {toml_value(value)}  # why\n")["key"]
    assert back == value
    assert type(back) is type(value)


def test_every_setting_has_a_key_of_its_own():
    names = [item.name for group in GROUPS for item in fields(group)]
    keys = keys_of(GROUPS)
    assert sorted(key.name for key in keys.values()) == sorted(
        [*names, "corpus", "val", "init_from", "out"]
    )
    assert {name for name, key in keys.items() if key.negated} == {"no-ngrams"}


def test_a_key_is_the_long_name_of_an_option_or_the_field():
    assert read("hidden-size = 8\nseq_len = 4\nlines = true") == {
        "hidden_size": 8,
        "seq_len": 4,
        "lines": True,
    }
    assert read('predict = "label"\nno-ngrams = true')["ngrams"] is False


def test_a_whole_number_does_for_any_other():
    found = read("learning-rate = 1")
    assert type(found["learning_rate"]) is float


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hidden-size = 0", "run.toml: hidden-size 0 is out of range: it must be at least 1"),
        ("hidden-size = '8'", "run.toml: hidden-size '8' is not a whole number: it must be at"),
        ("hidden-size = 8.5", "run.toml: hidden-size 8.5 is not a whole number"),
        ("warmup = 'x'", "run.toml: warmup 'x' is not a number: it must be at least 0 and below 1"),
        ("warmup = nan", "run.toml: warmup nan is out of range"),
        ("lines = 1", "run.toml: lines 1 is not true or false"),
        ("items = 3", "run.toml: items 3 is not a text"),
        ("column = 2020-01-01", "run.toml: column is a date or a time: write it in quotes"),
        ("corpus = 3", "run.toml: corpus 3 is not a text"),
        ("corpus = [3]", "run.toml: corpus [3] is not of texts alone"),
        ("val = true", "run.toml: val True is not a text"),
        ("cell = 'lsm'", "run.toml: cell 'lsm' is none of rnn, lstm, gru, window, bag; did you"),
        ("device = 'gpu'", "run.toml: --device 'gpu' is none of auto, cpu"),
        ("encoding = 'x'", "run.toml: --encoding 'x' is unknown"),
        ("steps = 3\nminutes = 1", "run.toml: --steps and --minutes both set the length"),
        ("hidden-size = 8\nhidden_size = 8", "run.toml: hidden-size is there twice"),
        ("[model]\nhidden-size = 8", "run.toml: [model] is a table: write its keys without one"),
        ("hidden = 8", "run.toml: there is no setting 'hidden'; did you mean hidden-size?"),
        ("lr = 0.1", "there is no setting 'lr'; did you mean learning-rate?"),
        ("lstm = true", 'did you mean cell = "lstm"?'),
        ("bidirectional = true", "did you mean directions = 2?"),
        ("dataset = 'x'", "did you mean corpus?"),
        ("ngrams = false", "did you mean no-ngrams?"),
        ("frobnicate = 1", "'frobnicate'; charrnn train --help lists the settings"),
        ("resume = 'x'", "resume is not a setting of a run: give it on the command line, as --"),
        ("plan = true", "plan is not a setting of a run"),
        ("steps = ", "--config run.toml is not TOML: Invalid value (at end of document)"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(text, said):
    assert said in refused(text)


def test_a_file_that_cannot_be_read(folder):
    with pytest.raises(ConfigError, match=r"--config none\.toml cannot be read: No such file"):
        read_settings("none.toml", GROUPS)
    (folder / "runs").mkdir()
    with pytest.raises(ConfigError, match=r"is a folder: name a file, such as runs.run\.toml"):
        read_settings("runs", GROUPS)
    (folder / "latin.toml").write_bytes(b"items = '\xe9'")
    with pytest.raises(ConfigError, match=r"latin\.toml is not TOML: 'utf-8' codec"):
        read_settings("latin.toml", GROUPS)


def test_a_file_of_an_editor_that_marks_its_encoding(folder):
    (folder / "marked.toml").write_bytes(b"\xef\xbb\xbfsteps = 3\r\nlines = true\r\n")
    assert read_settings("marked.toml", GROUPS) == {"steps": 3, "lines": True}


def test_paths_are_relative_to_the_folder_of_the_file(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "parent").mkdir()
    text = """
    corpus = ["book.txt", "../texts/*.txt", "-", "/etc/text", "~/mine"]
    val = "held.txt"
    init-from = "parent"
    out = "new"
    """
    found = read(text, "sub/run.toml")
    assert found == {
        "corpus": [
            os.path.join("sub", "book.txt"),  # noqa: PTH118
            os.path.join("texts", "*.txt"),  # noqa: PTH118
            "-",
            "/etc/text",
            os.path.expanduser("~/mine"),  # noqa: PTH111
        ],
        "val": "sub/held.txt",
        "init_from": "sub/parent",
        "out": "sub/new",
    }


def test_the_folder_of_an_unknown_user_is_a_name_like_others():
    assert read('corpus = "~nobody-at-all/text"')["corpus"] == "~nobody-at-all/text"


def test_a_model_to_start_from_may_be_the_name_of_a_run():
    assert read('init-from = "book"')["init_from"] == "book"
