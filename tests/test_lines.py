"""Lines as items: batches, masks, scores, whole runs, and what is drawn."""

import json
from dataclasses import replace
from math import log

import numpy as np
import pytest
from scores import score_ids
from typer.testing import CliRunner

from charrnn.backend.arrays import shared_zeros
from charrnn.cli.app import app
from charrnn.config import (
    Architecture,
    EvalConfig,
    ModelConfig,
    SampleConfig,
    TextConfig,
    TrainConfig,
)
from charrnn.data.items import Items, as_lines, lines_from_end, steps_of
from charrnn.errors import CharrnnError, ConfigError
from charrnn.evaluation.evaluate import evaluate_checkpoint
from charrnn.evaluation.scorers import ColdScorer
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharModel
from charrnn.optimizers import OPTIMIZERS
from charrnn.sampling.drawing import generate
from charrnn.sampling.items import draw_items, known_items
from charrnn.storage.checkpoint import load
from charrnn.text import Vocabulary
from charrnn.text.vocabulary import to_codes, to_text
from charrnn.training.new import prepare
from charrnn.training.resume import resume
from charrnn.training.step import ShardTrainer

RNG = np.random.default_rng(0)
NAMES = ["".join(RNG.choice(list("abcdef"), RNG.integers(1, 12))) for _ in range(200)]
TEXT = "\n".join(NAMES) + "\n"
EACH_CELL = pytest.mark.parametrize("cell", CELLS)


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="charrnn")


def items(text=TEXT, batch_size=16, random_seed=0):
    codes = as_lines(to_codes(text))
    return Items(codes, Vocabulary.from_codes(codes), batch_size, random_seed)


def make(cell="lstm", V=7, dtype=np.float64, dropout=0.0, zeros=np.zeros):
    config = Architecture(cell=cell, num_layers=2, hidden_size=5, dropout=dropout)
    model = CharModel(config, V, dtype=dtype, zeros=zeros)
    model.initialise(np.random.default_rng(0))
    model.parameters["head.W"][...] = np.random.default_rng(1).standard_normal(
        model.parameters["head.W"].shape
    )
    return model


# The text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a\nb\n", "a\nb\n"),
        ("a\nb", "a\nb\n"),
        ("\n\na\n\n\nbc\n\n", "a\nbc\n"),
        ("", ""),
        ("\n\n", ""),
        ("한\n\n국", "한\n국\n"),
    ],
)
def test_lines_have_an_end_and_none_is_empty(text, wanted):
    assert to_text(as_lines(to_codes(text))) == wanted


def test_the_last_lines_are_held_out_whole():
    codes = to_codes("aaaa\nb\n\ncc\nd\n")
    assert [lines_from_end(codes, share) for share in (0, 0.1, 0.25, 0.5, 0.75)] == [0, 0, 2, 5, 8]
    assert lines_from_end(codes[:-1], 0.25) == 1


# Batches


def read(source, step, columns=slice(None)):
    """The items of a batch, read back from inputs, targets and mask."""
    window = source.window(step, columns)
    texts = []
    for ids, targets, scored in zip(*(array.T for array in window), strict=True):
        assert ids[0] == 0  # the line end is the first symbol here
        count = int(scored.sum())
        assert scored[:count].all()
        if count:
            assert targets[count - 1] == 0
            assert (ids[1:count] == targets[: count - 1]).all()
            texts.append(source.vocabulary.decode(targets[: count - 1]))
    return texts


@pytest.mark.parametrize("batch_size", [1, 3, 16, 199, 200, 500])
def test_every_item_comes_once_an_epoch_in_another_order(batch_size):
    source = items(batch_size=batch_size)
    steps = source.steps_per_epoch
    epochs = [
        [read(source, epoch * steps + step + 1) for step in range(steps)] for epoch in range(2)
    ]
    flat = [[name for batch in epoch for name in batch] for epoch in epochs]
    assert sorted(flat[0]) == sorted(flat[1]) == sorted(NAMES)
    assert flat[0] != flat[1]
    assert flat[0] != NAMES
    symbols = sum(source.symbols(step + 1) for step in range(steps))
    assert symbols == len(TEXT)
    assert source.symbols_per_step * steps == pytest.approx(symbols)


def test_the_order_follows_from_seed_and_step_alone():
    first, second = items(), items()
    for step in (30, 1, 14, 13, 27):
        assert read(first, step) == read(second, step)
    assert read(first, 1) != read(items(random_seed=1), 1)


def test_shards_are_columns_of_one_batch():
    source = items()
    whole = source.window(3, slice(None))
    for columns in (slice(0, 5), slice(5, 16)):
        part = source.window(3, columns)
        assert all((a == b[:, columns]).all() for a, b in zip(part, whole, strict=True))


def test_little_is_padding():
    source = items(TEXT * 10, batch_size=16)
    shapes = [source.window(step, slice(None)) for step in range(1, source.steps_per_epoch + 1)]
    assert sum(w.scored.sum() for w in shapes) / sum(w.scored.size for w in shapes) > 0.75
    assert max(len(w.ids) for w in shapes) == steps_of(max(map(len, NAMES)))


# Gradients


@EACH_CELL
def test_the_gradient_is_that_of_the_items_one_by_one(cell):
    model, source = make(cell), items()
    ids, targets, scored = source.window(1, slice(None))
    N = ids.shape[1]
    loss, _ = model.loss_and_gradient(
        ids, targets, model.zero_state(N), predictions=10, scored=scored
    )
    found = model.grads.vector.copy()
    wanted_loss, wanted = 0.0, np.zeros_like(found)
    for n in range(N):
        count = int(scored[:, n].sum())
        part = slice(0, count), slice(n, n + 1)
        one, _ = model.loss_and_gradient(
            ids[part], targets[part], model.zero_state(1), predictions=10
        )
        wanted_loss += one
        wanted += model.grads.vector
    assert loss == pytest.approx(wanted_loss, rel=1e-12)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@EACH_CELL
def test_the_gradient_is_that_of_finite_differences(cell):
    model, source = make(cell), items()
    ids, targets, scored = source.window(2, slice(0, 4))
    state = model.zero_state(4)

    def loss():
        return model.loss_and_gradient(ids, targets, state, predictions=1, scored=scored)[0]

    loss()
    grad, theta = model.grads.vector.copy(), model.parameters.vector
    for place in np.random.default_rng(3).choice(len(theta), 60, replace=False):
        kept = theta[place]
        theta[place] = kept + 1e-5
        above = loss()
        theta[place] = kept - 1e-5
        below = loss()
        theta[place] = kept
        assert grad[place] == pytest.approx((above - below) / 2e-5, rel=1e-5, abs=1e-7)


def test_training_does_not_depend_on_the_threads():
    vectors = []
    for threads in (1, 2):
        model = make(dtype=np.float32, dropout=0.3, zeros=shared_zeros)
        trainer = ShardTrainer(
            model,
            items(batch_size=32),
            optimizer=OPTIMIZERS["adamw"],
            reset=1.0,
            max_grad_norm=1.0,
            weight_decay=0.0,
            random_seed=0,
            threads=threads,
        )
        losses = [trainer.step(0.01).nats for _ in range(8)]
        trainer.state[...] = threads  # no item reads it
        losses.append(trainer.step(0.01).nats)
        trainer.close()
        vectors.append([*losses, *model.parameters.vector])
    assert vectors[0] == vectors[1]


# Scores


@EACH_CELL
def test_each_line_is_scored_from_a_zero_state(cell):
    model = make(cell)
    vocabulary = items().vocabulary
    text = "\n".join([*NAMES[:150], "abc" * 60, "f"]) + "\n"
    ids = vocabulary.encode_text(text)
    wanted = 0.0
    for line in text.splitlines():
        piece = vocabulary.encode_text("\n" + line + "\n")
        wanted += score_ids(model, piece, exact=True) - log(7)
    assert ColdScorer.of_lines(ids, 0).num_shards > 1
    assert score_ids(model, ids, line_end=0) == pytest.approx(wanted, rel=1e-9)
    assert score_ids(model, ids, line_end=0, threads=2) == score_ids(model, ids, line_end=0)


# Runs


def new(out, corpus, text=None, **settings):
    defaults = {"batch_size": 16, "validations": 2, "lines": True, "val_fraction": 0.2}
    if not {"steps", "epochs"} & set(settings):
        defaults["steps"] = 20
    return prepare(
        [corpus],
        text=text,
        model=ModelConfig(num_layers=1, hidden_size=16, dropout=0.2, weight_dropout=0.0),
        train=TrainConfig(**{**defaults, **settings}),
        out=out,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lines")
    (folder / "names.txt").write_text(TEXT)
    list(new(folder / "run", folder / "names.txt").train())
    return folder


def test_whole_lines_are_held_out(folder):
    checkpoint = load(folder / "run" / "best.npz")
    assert checkpoint.settings.lines
    held = checkpoint.split.held(to_codes(TEXT))
    lines = to_text(held).splitlines()
    assert checkpoint.held_out == len(held)
    assert 0.1 < len(lines) / len(NAMES) < 0.3
    assert set(lines) < set(NAMES)
    assert not set(lines) & set(to_text(checkpoint.split.learned(to_codes(TEXT))).splitlines())
    assert known_items(checkpoint) == set(NAMES)  # what is held out is the user's own too
    found = evaluate_checkpoint(checkpoint, baselines=True)
    assert found.nats_per_char == pytest.approx(checkpoint.history.best_nats, rel=1e-6)
    assert found.characters == found.num_bytes == checkpoint.held_out
    assert "each line is an item" in found.protocol
    assert {row.characters for row in found.baselines} == {checkpoint.held_out}


def test_a_resumed_run_equals_one_that_never_stopped(folder, tmp_path):
    settings = {"schedule": "constant", "warmup": 0.0, "validations": 1, "patience": 0}
    weights = []
    for name, stops in (("whole", [20]), ("parts", [7, 13, 20])):  # an epoch has 10 steps
        list(new(tmp_path / name, folder / "names.txt", steps=stops[0], **settings).train())
        for steps in stops[1:]:
            list(resume(tmp_path / name, length=TrainConfig(steps=steps)).train())
        weights.append(load(tmp_path / name / "last.npz").weights)
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])


def test_epochs_count_items(folder, tmp_path):
    settings = {"split_mode": "contiguous"}
    run = new(tmp_path / "run", folder / "names.txt", epochs=2.5, **settings)
    assert run.plan.train.steps == 25
    assert run.plan.train.seq_len == steps_of(max(map(len, NAMES[:160])))
    assert run.plan.held_out == len("\n".join(NAMES[160:]) + "\n")
    list(run.train())
    longer = resume(tmp_path / "run", length=TrainConfig(epochs=3))
    assert longer.plan.train.steps == 30
    longer.close()


def test_it_learns(tmp_path):
    (tmp_path / "two.txt").write_text("abcde\nedcba\n" * 90)
    settings = {"split_mode": "contiguous", "learning_rate": 0.02}
    run = new(tmp_path / "run", tmp_path / "two.txt", steps=150, **settings)
    list(run.train())
    found = evaluate_checkpoint(load(tmp_path / "run" / "best.npz"))
    assert found.nats_per_char == pytest.approx(log(2) / 6, abs=0.03)


def test_line_ends_of_windows_and_text_without_a_last_one(tmp_path):
    (tmp_path / "crlf.txt").write_bytes(TEXT.removesuffix("\n").replace("\n", "\r\n").encode())
    run = new(tmp_path / "run", tmp_path / "crlf.txt")
    list(run.train())
    checkpoint = load(tmp_path / "run" / "best.npz")
    assert checkpoint.text.newlines == "lf"
    assert "\r" not in checkpoint.vocabulary.decode(np.arange(len(checkpoint.vocabulary)))
    found = evaluate_checkpoint(checkpoint)
    assert found.characters == checkpoint.held_out
    assert checkpoint.characters == len(TEXT) - 1
    run = new(tmp_path / "end", tmp_path / "crlf.txt", split_mode="contiguous")
    list(run.train())
    checkpoint = load(tmp_path / "end" / "best.npz")
    found = evaluate_checkpoint(checkpoint)
    assert found.characters == checkpoint.held_out + 1  # the end of the last line too


@pytest.mark.parametrize(
    ("text", "settings", "said"),
    [
        ("abcdef" * 100, {}, "several lines"),
        ("a" * 10_001 + "\n" + TEXT, {}, "too many to be learned whole"),
        (TEXT, {"seq_len": 5}, "--seq-len and --lines"),
        (TEXT, {"reset": 0.5}, "--reset and --lines"),
    ],
)
def test_what_is_refused(tmp_path, text, settings, said):
    (tmp_path / "text.txt").write_text(text)
    with pytest.raises(ConfigError, match=said):
        new(tmp_path / "run", tmp_path / "text.txt", **settings)


def test_eval_of_a_file(folder):
    checkpoint = load(folder / "run" / "best.npz")
    (folder / "other.txt").write_text("abc\n\nfeZd")
    skip = EvalConfig(unknown="skip")
    found = evaluate_checkpoint(checkpoint, [folder / "other.txt"], config=skip, baselines=True)
    assert (found.characters, found.num_bytes) == (8, 8)
    assert sum(found.unknown.values()) == 1
    charged = evaluate_checkpoint(checkpoint, [folder / "other.txt"])
    assert (charged.characters, charged.num_bytes) == (9, 9)
    assert charged.total_nats > found.total_nats + charged.unknown_cost
    (folder / "other.txt").write_text("\n\n")
    with pytest.raises(CharrnnError, match="no line"):
        evaluate_checkpoint(checkpoint, [folder / "other.txt"])
    for config in ({"exact": True}, {"cold_windows": 5}, {"dynamic": True}):
        with pytest.raises(ConfigError, match="--lines"):
            evaluate_checkpoint(checkpoint, config=EvalConfig(**config))


def test_a_checkpoint_from_before_there_were_lines_has_none():
    settings = TrainConfig(steps=1).to_json()
    del settings["lines"]
    assert TrainConfig.from_json(settings).lines is False


def test_a_line_of_unknown_symbols_alone_is_charged_and_its_end_is_not(folder):
    checkpoint = load(folder / "run" / "best.npz")
    path = folder / "odd.txt"
    path.write_text("ab\n日\n")
    skipped = evaluate_checkpoint(checkpoint, [path], config=EvalConfig(unknown="skip"))
    assert (skipped.characters, skipped.num_bytes) == (3, 3)
    charged = evaluate_checkpoint(checkpoint, [path], baselines=True)
    assert (charged.characters, charged.num_bytes) == (4, 6)
    assert {row.characters for row in charged.baselines} == {4}


# What is drawn


def test_items_are_whole_and_said_to_be_new_or_not(folder):
    checkpoint = load(folder / "run" / "best.npz")
    config = SampleConfig(num_samples=40, random_seed=0)
    drawn = list(draw_items(checkpoint, config, known=known_items(checkpoint)))
    assert len(drawn) == 40
    texts = [""] * 40
    options = SampleConfig(num_samples=40, random_seed=0, stop="\n")
    for number, text in generate(
        checkpoint.model(), checkpoint.vocabulary, options, seed="\n", never_first=0
    ):
        texts[number] += text
    assert [item.text + "\n" for item in drawn] == texts
    assert all(item.new == (item.text not in NAMES) for item in drawn)
    assert {item.new for item in draw_items(checkpoint, config, known=None)} == {None}


@pytest.mark.parametrize("temperature", [0, 0.5, 1, 3])
def test_no_item_is_empty(folder, temperature):
    checkpoint = load(folder / "run" / "best.npz")
    config = SampleConfig(num_samples=100, random_seed=0, temperature=temperature)
    # Weights that are sure of a line end, wherever it can be drawn.
    head = checkpoint.weights["head.W"].copy()
    head[checkpoint.vocabulary.encode_text("\n")[0], 0] += 200  # the bias is the first column
    sure = replace(checkpoint, weights={**checkpoint.weights, "head.W": head})
    for seed, length in (("", 1), ("a", 1), ("Z", 2)):  # Z is not known, and so begins nothing
        drawn = list(draw_items(sure, config, known=None, seed=seed, unknown="skip"))
        assert {len(item.text) for item in drawn} == {length}
        assert all(item.text.startswith(seed) for item in drawn)


def test_novel_items_are_new_and_distinct(folder):
    checkpoint = load(folder / "run" / "best.npz")
    config = SampleConfig(num_samples=70, random_seed=0)
    known = known_items(checkpoint)
    drawn = list(draw_items(checkpoint, config, known=known, novel=True))
    assert len({item.text for item in drawn}) == 70
    assert all(item.new and item.text not in known for item in drawn)
    certain = SampleConfig(num_samples=2, temperature=0, random_seed=0)
    with pytest.raises(CharrnnError, match="of 2 items are new"):
        list(draw_items(checkpoint, certain, known=known, novel=True))


@pytest.mark.parametrize("text", [TextConfig(normalize="nfd"), TextConfig(unit="byte")])
def test_items_are_known_as_they_are_written(tmp_path, text):
    (tmp_path / "ko.txt").write_text("한국\n각막\n" * 30)
    settings = {"steps": 150, "val_fraction": 0, "learning_rate": 0.02}
    list(new(tmp_path / "run", tmp_path / "ko.txt", text=text, **settings).train())
    checkpoint = load(tmp_path / "run" / "best.npz")
    known = known_items(checkpoint)
    assert known == {"한국", "각막"}
    config = SampleConfig(num_samples=20, temperature=0.3, random_seed=0)
    assert any(not item.new for item in draw_items(checkpoint, config, known=known))
    # Of jamo, the next one drawn may complete the syllable.
    seed = "하" if text.normalize == "nfd" else "한"
    drawn = list(draw_items(checkpoint, config, known=known, seed=seed))
    assert all(item.text.startswith((seed, "한")) for item in drawn)


def test_the_commands(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text(TEXT)
    tiny = ["--steps", "20", "--hidden-size", "8", "--threads", "1"]
    result = run("train", "names.txt", "--lines", *tiny)
    assert result.exit_code == 0, result.output
    assert "lines to learn from, each an item of its own" in result.stderr
    result = run("sample", "-n", "20", "--random-seed", "1")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 20
    assert "of 20 new" in result.stderr
    rows = [json.loads(row) for row in run("sample", "-n", "5", "--json").stdout.splitlines()]
    assert [row["sample"] for row in rows] == [1, 2, 3, 4, 5]
    assert all(row["new"] is (row["text"] not in NAMES) for row in rows)
    result = run("sample", "-n", "3000", "--random-seed", "1", "--temperature", "1.2")
    line = next(line for line in result.stderr.splitlines() if "of 3,000 new" in line)
    old = dict.fromkeys(text for text in result.stdout.splitlines() if text in NAMES)
    assert len(old) > 10
    listed = ", ".join(list(old)[:10])
    assert line.endswith(f"; in the text: {listed} and {len(old) - 10:,} more")
    result = run("sample", "-n", "3", "--novel", "--seed", "ab")
    assert all(line.startswith("ab") for line in result.stdout.splitlines())
    assert run("sample", "--stop", "a").exit_code == 2
    assert run("sample", "--seed", "a\nb").exit_code == 2
    (tmp_path / "names.txt").write_text("other\n")
    result = run("sample", "-n", "2")
    assert result.exit_code == 0
    assert "to see which items are new" in result.stderr
    assert run("sample", "--novel").exit_code == 1


def test_novel_needs_a_model_of_lines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text(TEXT)
    assert run("train", "names.txt", "--steps", "2", "--hidden-size", "8").exit_code == 0
    result = run("sample", "--novel")
    assert result.exit_code == 2
    assert "--lines" in result.stderr
