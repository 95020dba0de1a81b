"""Settings: ranges, types, the way to JSON and back."""

import json
import math
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from types import NoneType
from typing import get_args, get_type_hints

import pytest

from charrnn.cli.options import MachineConfig
from charrnn.config import (
    Architecture,
    BenchConfig,
    Cell,
    EvalConfig,
    ModelConfig,
    OptimizerName,
    SampleConfig,
    ScheduleName,
    TextConfig,
    TrainConfig,
    codec_name,
    option_name,
    range_text,
)
from charrnn.errors import CharrnnError, ConfigError
from charrnn.nn.cells import CELLS
from charrnn.optimizers import OPTIMIZERS

GROUPS = [
    TextConfig,
    ModelConfig,
    TrainConfig,
    SampleConfig,
    EvalConfig,
    BenchConfig,
    MachineConfig,
]
NEEDS = {
    "nonlinearity": {"cell": "rnn"},
    "context": {"cell": "window"},
    "dynamic_window": {"dynamic": True},
    "dynamic_rate": {"dynamic": True},
}
"""What must be given with a setting."""


def made(group, name, value):
    return group(**{name: value}, **(NEEDS.get(name, {}) if value is not None else {}))


def kinds(group, item):
    hint = get_type_hints(group)[item.name]
    return set(get_args(hint) or (hint,))


EVERY = [(group, item) for group in GROUPS for item in fields(group)]
NUMERIC = [(group, item) for group, item in EVERY if kinds(group, item) & {int, float}]
EACH_NUMBER = pytest.mark.parametrize(
    ("group", "item"), NUMERIC, ids=lambda value: getattr(value, "name", None)
)
HUGE = 10**400


def allowed(item, value):
    """Whether a number is in the range that the field declares."""
    limits = item.metadata
    return (
        (limits["low"] is None or value >= limits["low"])
        and (limits["high"] is None or value <= limits["high"])
        and (limits["above"] is None or value > limits["above"])
        and (limits["below"] is None or value < limits["below"])
    )


def test_there_are_numeric_settings():
    assert len(NUMERIC) > 20


def assert_refused(group, item, value):
    """It is a ConfigError that names the option and its range, in one short line."""
    with pytest.raises(ConfigError) as caught:
        made(group, item.name, value)
    message = str(caught.value)
    assert message.startswith(option_name(item.name) + " ")
    assert range_text(item.metadata) in message
    assert "\n" not in message
    assert len(message) < 200


@EACH_NUMBER
def test_numbers_out_of_range_are_errors_that_name_the_range(group, item):
    refused = 0
    fractions = float in kinds(group, item)
    for value in (0, -1, 10**15, 2**63, 0.0, -1.0, 1.5, 1e308, -1e308):
        if allowed(item, value) and (fractions or isinstance(value, int)):
            assert getattr(made(group, item.name, value), item.name) == value
        else:
            assert_refused(group, item, value)
            refused += 1
    assert refused >= 2


@EACH_NUMBER
def test_numbers_too_large_for_a_float_are_no_traceback(group, item):
    assert_refused(group, item, -HUGE)
    if not allowed(item, HUGE) or float in kinds(group, item):
        assert_refused(group, item, HUGE)


@EACH_NUMBER
def test_what_is_no_number_is_an_error_that_names_the_range(group, item):
    for value in (math.nan, math.inf, -math.inf, "word", "1", True, False, [1], (), {}, b"1", 1j):
        assert_refused(group, item, value)


@EACH_NUMBER
def test_the_ends_of_the_range(group, item):
    limits = item.metadata
    whole = float not in kinds(group, item)
    for name, sign in (("low", -1), ("high", 1), ("above", -1), ("below", 1)):
        limit = limits[name]
        if limit is None:
            continue
        inside, outside = name in ("low", "high"), limit + sign if whole else None
        if outside is None:
            outside = math.nextafter(limit, sign * math.inf)
        if inside:
            assert getattr(made(group, item.name, limit), item.name) == limit
        else:
            with pytest.raises(ConfigError, match="out of range"):
                made(group, item.name, limit)
            nearest = limit - sign if whole else math.nextafter(limit, -sign * math.inf)
            assert getattr(made(group, item.name, nearest), item.name) == nearest
        with pytest.raises(ConfigError, match="out of range"):
            made(group, item.name, outside)


@EACH_NUMBER
def test_none_stands_for_automatic_where_it_may(group, item):
    if NoneType in kinds(group, item):
        assert getattr(made(group, item.name, None), item.name) is None
    else:
        with pytest.raises(ConfigError, match=option_name(item.name)):
            made(group, item.name, None)


def test_whole_numbers_do_for_fractions_but_not_the_other_way():
    config = TrainConfig(warmup=0, epochs=3)
    assert (config.warmup, config.epochs) == (0.0, 3.0)
    assert type(config.warmup) is type(config.epochs) is float
    with pytest.raises(ConfigError, match="--batch-size"):
        TrainConfig(batch_size=32.0)


@pytest.mark.parametrize(("group", "item"), EVERY, ids=lambda value: getattr(value, "name", None))
def test_words(group, item):
    if kinds(group, item) & {int, float}:
        return
    for value in (1, 1.5, True, None, b"utf-8", ["lf"]):
        if (value is None and NoneType in kinds(group, item)) or type(value) in kinds(group, item):
            continue
        if isinstance(value, list) and tuple[str, ...] in kinds(group, item):
            assert getattr(made(group, item.name, value), item.name) == tuple(value)
            value = [1]
        with pytest.raises(ConfigError, match=option_name(item.name)):
            made(group, item.name, value)


@pytest.mark.parametrize(
    ("group", "name", "choices"),
    [
        (ModelConfig, "cell", get_args(Cell)),
        (ModelConfig, "nonlinearity", ("tanh", "relu")),
        (TrainConfig, "optimizer", get_args(OptimizerName)),
        (TrainConfig, "schedule", get_args(ScheduleName)),
        (TextConfig, "errors", ("strict", "replace", "skip")),
        (TextConfig, "newlines", ("keep", "lf")),
        (TextConfig, "normalize", ("none", "nfc", "nfd", "nfkc")),
        (TextConfig, "unit", ("char", "byte")),
        (EvalConfig, "unknown", ("error", "skip", "score")),
        (BenchConfig, "job", ("train", "sample")),
    ],
)
def test_choices(group, name, choices):
    for choice in choices:
        assert getattr(made(group, name, choice), name) == choice
    for wrong in ("", "x", choices[0].upper(), choices[0] + " "):
        with pytest.raises(ConfigError) as caught:
            group(**{name: wrong})
        assert option_name(name) in str(caught.value)
        assert all(choice in str(caught.value) for choice in choices)


def test_line_ends_follow_the_unit():
    assert TextConfig().newlines == "lf"
    assert TextConfig(unit="byte").newlines == "keep"
    assert TextConfig(newlines="keep").newlines == "keep"


def test_bytes_are_not_changed_in_a_new_corpus():
    old = TextConfig(unit="byte", newlines="lf")  # an old checkpoint may say so
    with pytest.raises(ConfigError, match=r"--newlines lf and --unit byte .* never changed"):
        old.check_new()
    TextConfig(unit="byte").check_new()
    TextConfig().check_new()
    with pytest.raises(ConfigError, match="--normalize nfc needs characters"):
        TextConfig(unit="byte", normalize="nfc")


@pytest.mark.parametrize("group", [ModelConfig, Architecture])
@pytest.mark.parametrize("cell", ["window", "bag"])
def test_a_window_has_a_context_and_no_recurrent_weights(group, cell):
    size = {} if group is ModelConfig else {"hidden_size": 4}
    assert group(cell=cell, context=5, **size).context == 5
    with pytest.raises(ConfigError, match="--context 5 needs --cell window or bag"):
        group(cell="gru", context=5, **size)
    with pytest.raises(ConfigError, match=f"--weight-dropout .* --cell {cell} has no recurrent"):
        group(cell=cell, context=5, weight_dropout=0.1, **size)
    assert group(cell=cell, context=5, weight_dropout=0.0, **size).weight_dropout == 0


def test_the_cell_of_a_context_is_named():
    with pytest.raises(ConfigError, match="--context 5 needs --cell window or bag"):
        ModelConfig(context=5)
    with pytest.raises(ConfigError, match="--cell window needs --context"):
        Architecture(cell="window", hidden_size=4)


def test_an_old_checkpoint_keeps_its_meaning():
    old = {"encoding": "utf-8", "newlines": "keep", "normalize": "none", "unit": "char"}
    config = TextConfig.from_json(old)
    assert (config.encoding, config.errors, config.newlines) == ("utf-8", "strict", "keep")


@pytest.mark.parametrize(
    ("given", "name"),
    [("UTF8", "utf-8"), ("Latin1", "latin-1"), ("EUC-KR", "euc-kr"), ("auto", "auto")],
)
def test_an_encoding_has_one_name(given, name):
    assert TextConfig(encoding=given).encoding == codec_name(given) == name


def test_choices_are_what_is_registered():
    assert get_args(Cell) == tuple(CELLS)
    assert get_args(OptimizerName) == tuple(OPTIMIZERS)


@pytest.mark.parametrize(
    "given", [("epochs", "steps"), ("steps", "minutes"), ("epochs", "minutes")]
)
def test_a_run_has_one_length(given):
    with pytest.raises(ConfigError, match=f"--{given[0]} and --{given[1]}"):
        TrainConfig(**dict.fromkeys(given, 5))


# JSON


@pytest.mark.parametrize("group", GROUPS)
def test_defaults_are_valid_and_go_to_json_and_back(group):
    config = group()
    data = json.loads(json.dumps(config.to_json(), allow_nan=False))
    assert set(data) == {item.name for item in fields(group)}
    assert group.from_json(data) == config


def test_settings_go_to_json_and_back():
    for config in (
        TextConfig(encoding="cp949", newlines="keep", normalize="nfd", errors="skip"),
        TextConfig(newlines="lf", unit="byte"),
        ModelConfig(cell="rnn", nonlinearity="relu", num_layers=3, dropout=0.25),
        TrainConfig(epochs=2.5, learning_rate=1e-5, random_seed=2**63 - 1, patience=0),
        SampleConfig(stop=("a", "b"), allow="ab"),
        SampleConfig(stop="\n\x00한", top_k=5, top_p=1.0, min_p=0.0, random_seed=0),
        EvalConfig(unknown="skip", dynamic=True, dynamic_window=7, dynamic_rate=1e-5),
        EvalConfig(adapt="both", dynamic_window=7),
    ):
        data = json.loads(json.dumps(config.to_json(), allow_nan=False))
        again = type(config).from_json(data)
        assert again == config
        assert repr(again) == repr(config)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("name", ["hidden", "", "__init__", "Hidden_Size", "to_json"])
def test_unknown_names_are_errors_that_list_the_known(group, name):
    with pytest.raises(ConfigError, match="unknown setting") as caught:
        group.from_json({name: 1})
    assert repr(name) in str(caught.value)
    assert all(item.name in str(caught.value) for item in fields(group))


def test_values_from_json_are_checked():
    for data in ({"hidden_size": "big"}, {"hidden_size": 0}, {"dropout": [0.5]}, {"cell": 1}):
        with pytest.raises(ConfigError, match=option_name(next(iter(data)))):
            ModelConfig.from_json(data)
    with pytest.raises(CharrnnError):
        TrainConfig.from_json({"epochs": 1, "steps": 1})


# Declarations


@pytest.mark.parametrize("group", GROUPS)
def test_settings_cannot_be_changed(group):
    config = group()
    with pytest.raises(FrozenInstanceError):
        setattr(config, fields(group)[0].name, None)
    assert hash(config) == hash(group())


@pytest.mark.parametrize(("group", "item"), EVERY, ids=lambda value: getattr(value, "name", None))
def test_every_setting_is_explained(group, item):
    text = item.metadata["help"]
    assert text.endswith(".")
    assert text[0].isupper()
    if kinds(group, item) & {int, float}:
        assert range_text(item.metadata)  # no numeric setting is without bounds


def test_names_are_settings_of_one_group_only():
    names = [
        item.name
        for group, item in EVERY
        if item.name not in ("random_seed", "counts")  # of several commands, with one meaning
        and group is not BenchConfig  # it stands alone
    ]
    assert len(names) == len(set(names))


def test_ranges_in_words():
    limits = {"low": None, "high": None, "above": None, "below": None}
    assert range_text({**limits, "low": 1}) == "at least 1"
    assert range_text({**limits, "low": 0, "below": 1}) == "at least 0 and below 1"
    assert range_text({**limits, "above": 0, "high": 1e6}) == "above 0 and at most 1e+06"
    assert range_text(limits) == ""


def test_the_settings_need_the_standard_library_alone():
    code = "import sys, charrnn.config; sys.exit('numpy' in sys.modules or 'rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
