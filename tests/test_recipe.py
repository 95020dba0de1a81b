"""The rule for settings that were left out."""

from dataclasses import fields
from math import ceil, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config import ModelConfig, TrainConfig
from charrnn.evaluation.verdict import MAX_EPOCHS
from charrnn.optimizers import OPTIMIZERS
from charrnn.parallel.sharding import LEAST_STREAMS
from charrnn.text.codes import LINE_END
from charrnn.training.labelling import LabelFacts
from charrnn.training.recipe import (
    FASTER,
    HELD_OUT_LEAST,
    MEMORIZED,
    MOST_DECAY,
    ItemFacts,
    complete,
)
from charrnn.training.shaping import ONE_HOT_LIMIT, UNITS, WINDOW_EMBEDDING
from charrnn.training.validation import EVEN_SHARE, choose

ANY_LENGTH = [1, 2, 5, 100, 999, 1000, 1001, 20_000, 30_000, 10**6, 10**9]


def recipe(characters=10**6, distinct=65, model=None, train=None):
    return complete(
        ModelConfig(**(model or {})),
        TrainConfig(**(train or {})),
        characters=characters,
        distinct=distinct,
    )


@pytest.mark.parametrize("characters", ANY_LENGTH)
@pytest.mark.parametrize("length", [{}, {"steps": 10}, {"minutes": 1.0}, {"epochs": 2.0}])
def test_nothing_is_left_open(characters, length):
    done = recipe(characters, train=length)
    for config in (done.model, done.train):
        for item in fields(config):
            assert getattr(config, item.name) is not None, item.name
    assert (done.train.steps == 0) != (done.train.minutes == 0)


@given(
    st.integers(1, 10**7),
    st.sampled_from([0.0, 0.1, 0.5, 0.999, 0.9999999999999999]),
    st.integers(1, 5000),
    st.integers(1, 5000),
)
@settings(deadline=None)
def test_the_batch_fits_into_the_training_part(characters, val_fraction, seq_len, batch_size):
    done = recipe(
        characters,
        train={"val_fraction": val_fraction, "seq_len": seq_len, "batch_size": batch_size},
    )
    length = characters - done.held_out
    assert length >= 1
    assert done.held_out == 0 or done.held_out >= HELD_OUT_LEAST
    assert done.train.seq_len == min(seq_len, length)
    assert 1 <= done.train.batch_size <= batch_size
    assert done.train.seq_len * done.train.batch_size <= length
    for name, wanted in (("seq_len", seq_len), ("batch_size", batch_size)):
        option = f"--{name.replace('_', '-')} {wanted} "
        says = any(notice.startswith(option) for notice in done.notices)
        assert says == (getattr(done.train, name) < wanted)
    # One stream more would be too many.
    if done.train.batch_size < batch_size:
        assert done.train.seq_len * (done.train.batch_size + 1) > length


@pytest.mark.parametrize("characters", ANY_LENGTH)
def test_what_is_chosen_automatically_shrinks_without_naming_an_option(characters):
    done = recipe(characters)
    assert not any("--" in notice or "allow" in notice for notice in done.notices)
    assert done.train.seq_len * done.train.batch_size <= characters - done.held_out


@pytest.mark.parametrize(
    ("characters", "held_out", "says"),
    [(999, 0, True), (1000, 100, False), (1009, 100, False), (9, 0, False), (10**6, 10**5, False)],
)
def test_the_held_out_part(characters, held_out, says):
    done = recipe(characters)
    assert done.held_out == held_out
    assert any("too few to hold out" in notice for notice in done.notices) == says


def test_nothing_is_held_out_where_that_was_asked_for():
    done = recipe(10**6, train={"val_fraction": 0})
    assert done.held_out == 0
    assert not done.notices


@pytest.mark.parametrize("characters", ANY_LENGTH)
def test_what_is_given_stays(characters):
    model = {
        "cell": "gru",
        "members": 4,
        "num_layers": 3,
        "hidden_size": 77,
        "embedding_size": 9,
        "dropout": 0.25,
        "weight_dropout": 0.125,
    }
    train = {
        "steps": 123,
        "seq_len": 1,
        "batch_size": 1,
        "optimizer": "momentum",
        "learning_rate": 0.123,
        "weight_decay": 0.456,
        "max_epochs": 0.0,
        "split_mode": "contiguous",
        "val_fraction": 0.2,
        "reset": 0.5,
        "patience": 3,
        "schedule": "step",
        "warmup": 0.2,
        "random_seed": 5,
    }
    done = recipe(characters, model=model, train=train)
    assert {name: getattr(done.model, name) for name in model} == model
    assert {name: getattr(done.train, name) for name in train} == train
    assert not done.reasons
    assert not [notice for notice in done.notices if "hold out" not in notice]


def test_a_given_zero_is_not_taken_for_left_out():
    done = recipe(
        10**6,
        model={"dropout": 0.0, "weight_dropout": 0.0},
        train={"weight_decay": 0.0, "reset": 0.0, "epochs": 40.0},
    )
    assert (done.model.dropout, done.model.weight_dropout) == (0, 0)
    assert (done.train.weight_decay, done.train.reset) == (0, 0)


@pytest.mark.parametrize(("characters", "held_out"), [(5000, 0), (100_000, 9728)])
def test_every_stream_holds_out_as_much(characters, held_out):
    done = recipe(characters, train={"split_mode": "strided", "batch_size": 512, "seq_len": 8})
    assert done.held_out == held_out


def test_a_batch_of_a_few_items_reads_the_text_once():
    done = complete(
        ModelConfig(),
        TrainConfig(steps=60, items="blank-line"),
        characters=1_260,
        distinct=20,
        items=ItemFacts("blank-line", 0x1E, 105.0, 130),
    )
    assert not any("would be" in notice for notice in done.notices)


def test_lines_count_by_their_mean_length():
    by_lines = complete(
        ModelConfig(),
        TrainConfig(steps=10_000, batch_size=32, lines=True),
        characters=200_000,
        distinct=27,
        items=ItemFacts("line", LINE_END, 7.0, 15),
    )
    assert by_lines.reasons["dropout"].startswith("for about 12 epochs, ")
    running = complete(
        ModelConfig(),
        TrainConfig(epochs=12.0, batch_size=32),
        characters=200_000,
        distinct=27,
    )
    assert 0 < by_lines.model.dropout < running.model.dropout


def test_reasons_say_numbers_as_people_do():
    for train in (
        {"minutes": 120.0},
        {"minutes": 1440.0},
        {"minutes": 1e6},
        {"steps": 1},
        {"epochs": 300.0},
    ):
        reasons = recipe(10**6, model={"num_layers": 2}, train=train).reasons
        assert not any("e+" in why or "e-" in why for why in reasons.values())
    long = recipe(10**8, train={"minutes": 120.0}).reasons
    assert long["hidden_size"] == "lowest loss after 120 min"
    shared = recipe(train={"minutes": 120.0}).reasons
    assert shared["hidden_size"] == "lowest loss after 60 min each"
    asked = recipe(train={"steps": 1}).reasons
    assert asked["hidden_size"] == "lowest loss after 1,536 characters"
    assert asked["dropout"].startswith("for about 0.0017 epochs, ")


def test_every_choice_has_its_reason():
    done = recipe(10**6)
    given = {**ModelConfig().to_json(), **TrainConfig().to_json()}
    after = {**done.model.to_json(), **done.train.to_json()}
    # What has no option of its own, or one that only some texts and models have.
    silent = {"steps", "embedding_size", "nonlinearity", "split_key", "shards"}
    silent |= {"items", "item_end", "val_files", "context"}
    silent |= {"directions", "head", "num_labels", "predict", "columns", "spaced", "apart_at_end"}
    left_open = {name for name in after if given.get(name) is None} - silent
    assert left_open == set(done.reasons)
    assert all(done.reasons.values())


@pytest.mark.parametrize("cell", ["window", "bag"])
def test_a_window_reads_8_steps_by_an_embedding_and_drops_no_weight(cell):
    done = recipe(10**5, model={"cell": cell}, train={"minutes": 5.0})
    assert (done.model.context, done.model.embedding_size) == (8, WINDOW_EMBEDDING)
    assert done.model.dropout > 0.1
    assert done.model.weight_dropout == 0
    assert {"context", "embedding_size", "dropout"} <= set(done.reasons)
    assert "weight_dropout" not in done.reasons
    given = recipe(10**5, model={"cell": cell, "context": 3, "embedding_size": 7})
    assert (given.model.context, given.model.embedding_size) == (3, 7)
    assert not {"context", "embedding_size"} & set(given.reasons)
    assert recipe(10**5).model.context == 0


def test_the_more_a_unit_of_a_window_reads_the_lower_is_the_rate():
    shapes = [{"cell": "window", "context": context, "hidden_size": 128} for context in (4, 8, 16)]
    rates = [recipe(10**6, model=shape).train.learning_rate for shape in shapes]
    faster = recipe(10**6, model={"hidden_size": 128}).train.learning_rate  # reads one-hot
    assert rates[0] == pytest.approx(faster / FASTER)
    assert rates == pytest.approx([rates[0], rates[0] / 2, rates[0] / 4], rel=1e-3)


def test_the_more_often_a_text_is_read_the_more_is_held_back():
    rates = [
        (done.model.dropout, done.model.weight_dropout)
        for epochs in (0.1, 5, 6, 8, 10, 12, 20, 40, 1000)
        for done in [recipe(10**6, model={"hidden_size": 512}, train={"epochs": epochs})]
    ]
    for column in zip(*rates, strict=True):
        assert list(column) == sorted(column)
    assert rates[0] == (0, 0)
    assert rates[6] == (0.37, 0.12)
    assert rates[-1] == (0.5, 0.18)
    assert recipe(10**6, train={"minutes": 5.0}).model.dropout > 0.1
    assert recipe(10**8, train={"minutes": 5.0}).model.dropout == 0
    assert recipe(1000).model.dropout == 0.5


def test_the_more_weights_a_character_the_more_is_held_back():
    rates = [
        recipe(10**6, distinct=distinct, model={"hidden_size": size}).model.dropout
        for size, distinct in ((64, 65), (384, 65), (384, 250), (384, 5000))
    ]
    assert rates == sorted(rates)
    assert rates[0] == 0
    for size in (64, 128):  # too small to learn the text by heart, however often they read it
        small = recipe(10**6, model={"hidden_size": size}, train={"minutes": 480.0})
        assert small.model.dropout <= 0.02
    assert 0.1 < rates[1] < rates[3]


def test_the_longer_the_larger():
    sizes = [recipe(train={"minutes": minutes}).model.hidden_size for minutes in (1.0, 5.0, 40.0)]
    assert sizes == sorted(set(sizes))
    for length, size in (("steps", 300), ("steps", 3000), ("epochs", 1e3)):
        sizes.append(recipe(train={length: size}).model.hidden_size)
    assert sizes == [256, 384, 512, 128, 256, 512]


def test_several_members_where_one_would_learn_by_heart():
    def members(characters, **train):
        return recipe(characters, train=train).model.members

    assert members(10**6, minutes=1.0) == members(10**8, minutes=60.0) == 1
    assert members(10**6, minutes=25.0) == members(300_000, minutes=5.0) == 2
    assert members(60_000, minutes=1.0) == 1  # not worth it
    assert members(60_000, minutes=2.0) == 2
    assert members(1000) == members(20_000) == members(20_000, minutes=1.0) == 3
    assert members(20_000, minutes=0.1) == 1
    assert members(10**6, epochs=1000.0) == 1  # so many readings take one member's time
    assert members(10**6, minutes=8.0) == 1


def test_the_number_of_members_has_its_reason():
    def why(characters=10**6, *, minutes=25.0, size=None, **train):
        model = {"hidden_size": size}
        train = train or {"minutes": minutes}
        return recipe(characters, model=model, train=train).reasons["members"]

    assert why() == "a single network would memorize the text"
    assert why(minutes=8.0) == "more members gain little in this time"
    assert why(1000) == "each member has time for all useful epochs"
    assert why(epochs=100.0) == "more members would take longer per character"
    assert why(size=512) == "a single network, since its size was given"


def test_members_share_the_time():
    one, four = (recipe(model={"members": n}, train={"minutes": 40.0}).model for n in (1, 4))
    assert (one.hidden_size, four.hidden_size) == (512, 384)
    same = {"model": {"members": 4}, "train": {"epochs": 100.0}}
    assert recipe(**same).model.hidden_size == 512


def test_members_drop_less_but_for_the_limit():
    def dropout(members, size):
        model = {"members": members, "hidden_size": size, "cell": "gru"}
        return recipe(model=model, train={"epochs": 20.0}).model.dropout

    assert dropout(4, 384) == pytest.approx(dropout(1, 384) / 2, abs=0.011)
    assert dropout(1, 384) > 0.05
    assert dropout(4, 8192) == dropout(1, 8192) == 0.5  # far beyond it


def test_many_symbols_get_an_embedding():
    assert recipe(distinct=ONE_HOT_LIMIT).model.embedding_size == 0
    assert recipe(distinct=ONE_HOT_LIMIT + 1).model.embedding_size
    assert recipe(distinct=20_992, model={"embedding_size": 5}).model.embedding_size == 5


@pytest.mark.parametrize("epochs", [1e-9, 0.5, 1.0, 3.3, 1e9])
def test_epochs_become_steps(epochs):
    done = recipe(50_000, train={"epochs": epochs, "batch_size": 30, "seq_len": 20})
    assert done.train.steps == max(1, ceil(epochs * 45_000 / 600))


@pytest.mark.parametrize("characters", ANY_LENGTH)
def test_a_run_is_of_eight_minutes_if_nothing_is_said(characters):
    assert recipe(characters).train.minutes == 8
    assert recipe(characters).train.steps == 0


@pytest.mark.parametrize(
    ("characters", "most"),
    [(6, MEMORIZED), (999, MEMORIZED), (1000, MAX_EPOCHS), (10**9, MAX_EPOCHS)],
)
def test_a_run_ends_when_the_text_was_read_often_enough(characters, most):
    done = recipe(characters)
    assert done.train.max_epochs == most
    asked = recipe(characters, train={"epochs": 10 * most})
    assert asked.train.steps * asked.train.batch_size * asked.train.seq_len > 9 * most * (
        characters - asked.held_out
    )
    assert any("--max-epochs 0 removes this limit" in notice for notice in asked.notices)
    assert not any(
        "removes this limit" in notice for notice in recipe(characters, train={"steps": 1}).notices
    )
    free = recipe(characters, train={"epochs": 10 * most, "max_epochs": 0.0})
    assert not any("removes this limit" in notice for notice in free.notices)
    # What it would read beyond that changes no other choice.
    assert asked.model == recipe(characters, train={"epochs": 11 * most}).model


def test_hidden_units_follow_from_the_length_of_a_short_text():
    lengths = [500, 1000, 5_000, 10_000, 20_000, 50_000, 10**6]
    sizes = [recipe(length).model.hidden_size for length in lengths]
    assert sizes == [32, 32, 64, 96, 128, 224, 384]
    assert all(size % UNITS == 0 for size in sizes)
    assert recipe(20_000, train={"minutes": 0.1}).model.hidden_size == 128


def test_the_fewer_characters_a_weight_has_the_more_it_decays():
    decays = [recipe(length).train.weight_decay for length in (10**6, 50_000, 5_000)]
    assert decays == sorted(decays)
    assert decays[0] == 0.05
    assert 0.2 < decays[-1] < 0.3
    assert recipe(5_000, train={"epochs": 1.0}).train.weight_decay == 0.05  # few readings
    assert recipe(1_000, distinct=900).train.weight_decay == MOST_DECAY
    # The rule is of Muon alone.
    assert recipe(5_000, train={"optimizer": "adamw"}).train.weight_decay == 0.01


def test_validations_are_chosen_for_a_share_of_the_run():
    done, share = choose(100_000, 480.0, 1e-5)
    assert (done.validations, done.val_characters) == (14, 100_000)
    assert 0.02 < share <= EVEN_SHARE
    cheap, _ = choose(500, 480.0, 1e-5)
    assert (cheap.validations, cheap.val_characters) == (20, 500)
    kept, _ = choose(100_000, 480.0, 1e-5, times=3, characters=77)
    assert (kept.validations, kept.val_characters) == (3, 77)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_defaults_of_the_optimizers(optimizer):
    done = recipe(model={"hidden_size": 512}, train={"optimizer": optimizer, "epochs": 0.5})
    assert done.train.weight_decay == OPTIMIZERS[optimizer].default_weight_decay
    rate = OPTIMIZERS[optimizer].default_learning_rate / 2
    rate *= FASTER if optimizer == "muon" else 1
    assert done.train.learning_rate == pytest.approx(rate, rel=1e-3)


def of_cores(cores, characters=10**6, **train):
    settings = TrainConfig(**train)
    return complete(ModelConfig(), settings, characters=characters, distinct=65, cores=cores)


def test_shards_of_a_wide_network():
    wide = {"cell": "lstm", "num_layers": 2, "hidden_size": 512}
    for seq_len, shards in ((24, 2), (50, 2), (200, 4)):
        done = recipe(model=wide, train={"steps": 10, "batch_size": 64, "seq_len": seq_len})
        assert done.train.shards == shards


def test_a_run_of_minutes_gives_every_core_a_shard():
    for cores, streams in ((1, 64), (2, 64), (3, 64), (4, 128), (6, 192), (8, 256), (16, 256)):
        done = of_cores(cores)
        assert done.train.batch_size == streams, cores
        assert done.train.shards == max(2, cores), cores
        assert done.train.batch_size // done.train.shards >= LEAST_STREAMS
        if streams > 64:
            assert done.reasons["batch_size"].startswith(f"{cores} cores have work")
    assert of_cores(64).train.shards == 16  # fewer streams a shard would waste more than they gain
    assert of_cores(8, batch_size=32).train.batch_size == 32
    assert of_cores(8, batch_size=32).train.shards == 2


def test_a_short_text_keeps_its_steps_whatever_the_cores():
    few, many = of_cores(2, 60_000).train, of_cores(16, 60_000).train
    assert many.batch_size == few.batch_size
    assert many.shards == 4


@pytest.mark.parametrize("length", [{"steps": 1000}, {"epochs": 3.0}])
def test_nothing_in_a_run_of_steps_follows_from_the_machine(length):
    recipes = [of_cores(cores, **length) for cores in (1, 2, 4, 64)]
    assert all(each == recipes[0] for each in recipes)


def test_more_cores_read_more_and_that_is_counted():
    alone, many = of_cores(1, minutes=8.0), of_cores(8, minutes=8.0)
    assert many.model.hidden_size > alone.model.hidden_size or (
        many.model.dropout > alone.model.dropout
    )
    assert "(typical of 8 cores)" in many.reasons["dropout"]


@pytest.mark.parametrize(
    ("characters", "distinct", "more", "times"),
    [
        (10**6, 65, {}, FASTER),
        (20_000 / 0.9, 65, {}, FASTER),
        (10_000 / 0.9, 65, {}, 1 + (FASTER - 1) / 2),
        (10**6, 2000, {}, 1),  # embedded
        (10**6, 65, {"items": ItemFacts("line", LINE_END, 24.0, 24)}, 1),
    ],
)
def test_running_text_that_is_read_one_hot_is_learned_faster(characters, distinct, more, times):
    done = complete(
        ModelConfig(hidden_size=256),
        TrainConfig(batch_size=64, seq_len=24),
        characters=round(characters),
        distinct=distinct,
        **more,
    ).train
    usual = 0.026 * sqrt(done.batch_size * done.seq_len / (64 * 24))
    assert done.learning_rate == pytest.approx(usual * times, rel=2e-3)


def test_smaller_batches_learn_at_a_lower_rate():
    rates = [
        recipe(10**6, train={"batch_size": streams}).train.learning_rate
        for streams in (1, 32, 64, 256, 512)
    ]
    assert rates[0] < rates[1] < rates[2]
    assert rates[3] == rates[4] == pytest.approx(2 * rates[2], rel=1e-3)
    short = recipe(10**6, train={"batch_size": 64, "seq_len": 6}).train.learning_rate
    assert short == pytest.approx(rates[2] / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("optimizer", "characters", "cell", "streams", "rate"),
    [
        ("muon", 10**6, "gru", 64, 0.039),
        ("muon", 10**6, "rnn", 64, 0.039),
        ("muon", 15_000, "gru", 64, 0.026 * (1 + 0.5 * 13_500 / 20_000)),
        ("muon", 900, "gru", 37, 0.026 * sqrt(37 / 64) * (1 + 0.5 * 900 / 20_000)),
        ("adamw", 10**6, "gru", 32, 0.008),
        ("adam", 10**6, "rnn", 32, 0.004),
        ("sgd", 10**6, "lstm", 32, 4.0),
        ("rmsprop", 10**6, "rnn", 32, 0.0025),
    ],
)
def test_streams_and_rate_of_an_optimizer(optimizer, characters, cell, streams, rate):
    model = {"hidden_size": 256, "cell": cell}
    done = recipe(characters, model=model, train={"optimizer": optimizer}).train
    assert done.batch_size == streams
    assert done.learning_rate == pytest.approx(rate, rel=1e-3)


def test_larger_layers_learn_at_lower_rates():
    rates = [
        recipe(model={"hidden_size": size}).train.learning_rate for size in (64, 256, 512, 2048)
    ]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < rates[0]
    assert recipe(model={"hidden_size": 16384}).train.learning_rate > 0


def on_gpu(characters=10**6, model=None, **train):
    return complete(
        ModelConfig(**(model or {})),
        TrainConfig(**train),
        characters=characters,
        distinct=65,
        cores=16,
        gpu=True,
    )


@pytest.mark.parametrize(("minutes", "units"), [(0.008, 256), (0.04, 384), (0.1, 512), (1.0, 512)])
def test_a_gpu_has_larger_layers_in_the_same_time(minutes, units):
    done = on_gpu(minutes=minutes)
    assert done.model.hidden_size == units
    assert done.model.cell == "lstm"
    assert done.train.batch_size == 256
    assert "GPU" in done.reasons["hidden_size"]
    assert "GPU" in done.reasons["dropout"]
    assert "a GPU" in done.reasons["batch_size"]


def test_a_gpu_keeps_the_streams_of_a_short_text():
    assert on_gpu(20_000, minutes=1.0).train.batch_size == 64


def test_an_lstm_of_a_gpu_learns_at_one_rate_whatever_its_size():
    rates = {on_gpu(minutes=1.0, model={"hidden_size": H}).train.learning_rate for H in (256, 512)}
    assert len(rates) == 1
    rates = {
        on_gpu(minutes=1.0, model={"hidden_size": H, "cell": "gru"}).train.learning_rate
        for H in (256, 512)
    }
    assert len(rates) == 2


def test_each_stream_of_an_lstm_on_a_gpu_counts_as_two_in_the_rate():
    def rate(streams, **model):
        model = {"hidden_size": 256, "cell": "lstm"} | model
        return on_gpu(minutes=1.0, batch_size=streams, model=model).train.learning_rate

    assert rate(64) == pytest.approx(0.026 * sqrt(2), abs=1e-5)
    assert rate(128) == rate(256) == pytest.approx(2 * 0.026)
    assert rate(64, cell="gru") == pytest.approx(0.026)
    model = ModelConfig(cell="lstm", hidden_size=256)
    train = TrainConfig(minutes=1.0, batch_size=64)
    text = {"characters": 10**6, "distinct": 65, "items": ItemFacts("line", 10, 24.0, 24)}
    text["labels"] = LabelFacts(count=4, head="item", directions=1)
    rates = [complete(model, train, gpu=gpu, **text).train.learning_rate for gpu in (True, False)]
    assert rates[0] == rates[1]


@pytest.mark.parametrize("length", [{"steps": 1000}, {"epochs": 3.0}])
def test_nothing_in_a_run_of_steps_follows_from_a_gpu(length):
    done, usual = on_gpu(**length), recipe(train=length)
    assert (done.model, done.train) == (usual.model, usual.train)


def labelled(characters, **train):
    return complete(
        ModelConfig(),
        TrainConfig(predict="label", **train),
        characters=characters,
        distinct=100,
        held_out=characters // 10,
        items=ItemFacts("line", 10, 31.0, 60),
        labels=LabelFacts(20, "item", 1),
    )


def test_what_labels_is_read_less_often_and_then_less_is_dropped():
    def dropped(characters, **train):
        return labelled(characters, **train).model.dropout

    assert dropped(500_000, epochs=3.0) == 0
    assert dropped(500_000, epochs=6.0) == pytest.approx(0.2, abs=0.01)
    assert dropped(500_000, epochs=100.0) == 0.5
    # In minutes, a third of what running text would be read.
    assert 0 < dropped(500_000, minutes=2.0) < 0.3
    assert dropped(100_000, minutes=2.0) == 0.5


@pytest.mark.parametrize(
    ("characters", "length", "epochs"),
    [
        (500_000, {"minutes": 8.0}, 24),  # 202 steps each
        (62_000, {"minutes": 8.0}, 2000 / 25),  # 25 steps each
        (31_000, {"minutes": 8.0}, 100),
        (500_000, {"minutes": 8.0, "max_epochs": 50.0}, 50),
        (500_000, {"steps": 10_000}, 100),
        (500_000, {"epochs": 50.0}, 100),
    ],
)
def test_a_run_of_minutes_that_learns_labels_ends_before_it_overfits(characters, length, epochs):
    done = labelled(characters, **length)
    assert done.train.max_epochs == pytest.approx(epochs, rel=0.15)
