"""Runs that label: learned, saved, resumed, evaluated, used."""

import json
import random
import re
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest
from fuzz import labels as fuzz
from labelled_texts import TEXTS, answers, names, new, sentences, tagged
from test_checkpoint import with_meta
from typer.testing import CliRunner

import charrnn
from charrnn.cli.app import app
from charrnn.cli.signals import StopSignals
from charrnn.config import ModelConfig, TrainConfig
from charrnn.data.labels.examples import Examples, Pieces
from charrnn.data.labels.task import OFTEN
from charrnn.errors import CharrnnError, CheckpointError, ConfigError
from charrnn.evaluation.labels.evaluate import evaluate_labels
from charrnn.evaluation.labels.labeller import Labeller
from charrnn.evaluation.labels.labelling import spread
from charrnn.evaluation.labels.mixture import learned_ngrams
from charrnn.evaluation.labels.refitting import as_fitted, refitted
from charrnn.sampling.items import sample_items
from charrnn.storage.checkpoint import load, save
from charrnn.text import read_corpus
from charrnn.text.codes import to_codes, to_text
from charrnn.training.events import Notice
from charrnn.training.new import prepare
from charrnn.training.resume import resume
from charrnn.training.verdict import verdict

EACH = pytest.mark.parametrize("predict", TEXTS)


def run(*words, stdin=None):
    words = [str(word) for word in words]
    return CliRunner().invoke(app, words, prog_name="charrnn", input=stdin)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a text and a run for everything that can be predicted."""
    folder = tmp_path_factory.mktemp("labelled")
    for predict, text in TEXTS.items():
        path = folder / f"{predict}.txt"
        path.write_text(text, encoding="utf-8")
        list(new(folder / predict, path, predict=predict).train())
    return folder


@EACH
def test_it_learns_and_its_checkpoint_knows_its_labels(folder, predict):
    best = load(folder / predict / "best.npz")
    assert best.task.predict == predict
    assert best.labels == tuple(sorted(best.labels))
    assert len(best.labels) == best.architecture.num_labels == len(best.counts)
    assert best.architecture.head == ("item" if predict == "label" else "step")
    assert best.architecture.directions == (1 if predict == "label" else 2)
    assert best.vocabulary.has_unknown
    assert best.history.best_accuracy > 0.9
    found = evaluate_labels(best)
    alone = evaluate_labels(replace(best, mixture=(), ngrams=None))
    if predict != "tags":  # whose grammar makes more of them right
        judged = alone.restored.characters if alone.restored else alone.labels
        assert judged.accuracy == pytest.approx(best.history.best_accuracy)
    assert alone.nats == pytest.approx(best.history.best_nats, rel=1e-5)
    assert len(best.mixture) in ([2] if predict == "label" else [0, 3])
    mixes = best.ngrams is not None
    assert best.history.mixed_accuracy == (found.labels.accuracy if mixes else None)
    last = load(folder / predict / "last.npz").history
    assert last.mixed_accuracy == best.history.mixed_accuracy
    if best.mixture:
        most = 0.05 if predict == "label" else 1e-6  # 26 texts allow no certainty
        assert found.nats < alone.nats + most
        assert found.labels.right >= alone.labels.right
    assert found.uniform_nats == pytest.approx(log(len(best.labels)))


@EACH
def test_a_resumed_run_equals_one_that_never_stopped(folder, tmp_path, predict):
    settings = {"schedule": "constant", "warmup": 0.0, "validations": 1, "patience": 0}
    settings["ngrams"] = False  # they take most of the time, and are not compared
    found = []
    for name, stops in (("whole", [9]), ("parts", [4, 9])):
        path = folder / f"{predict}.txt"
        list(new(tmp_path / name, path, predict=predict, steps=stops[0], **settings).train())
        for steps in stops[1:]:
            list(resume(tmp_path / name, length=TrainConfig(steps=steps), threads=2).train())
        last = load(tmp_path / name / "last.npz")
        found.append({**last.weights, **last.training})
    assert all((found[0][name] == found[1][name]).all() for name in found[0])


def test_texts_are_held_out_by_their_hash_and_copies_stay_together(folder, tmp_path):
    lines = names().splitlines(keepends=True)
    (tmp_path / "twice.txt").write_text("".join(sorted(lines + lines)), encoding="utf-8")
    run = new(tmp_path / "run", tmp_path / "twice.txt", predict="label")
    task, sides = run._setup.task, run._setup.sides
    run.close()
    learned, held = (set(task.parse(side).texts) for side in (sides.learned, sides.held))
    assert learned
    assert held
    assert not learned & held
    once = load(folder / "label" / "best.npz")
    own = once.sides(read_corpus([folder / "label.txt"]))
    assert set(once.task.parse(own.held).texts) == held  # whatever the order


def test_symbols_that_are_rare_are_read_as_unknown(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(
        names() + "open\tq\u00fcx\nclosed\tq\u00fcxi\nopen\tq\u4e00a\n", encoding="utf-8"
    )
    run = new(tmp_path / "run", path, predict="label", val_fraction=0.0, validations=None)
    vocabulary = run._setup.vocabulary
    run.close()
    known = "".join(map(chr, vocabulary.symbols))
    assert "q" in known
    assert "\u4e00" not in known
    assert "\t" not in known
    assert OFTEN == 2
    assert vocabulary.encode_text("\u4e00\u03b1").tolist() == [len(known)] * 2


@EACH
def test_new_symbols_are_no_error(folder, predict):
    labeller = Labeller(load(folder / predict / "best.npz"))
    if predict == "label":
        assert labeller.label(["\u4e00\u03b1"])[0].label in labeller.task.labels
    elif predict == "tags":
        assert labeller.tag([["\u4e00", "7"]])[0].tokens == ("\u4e00", "7")
    else:
        assert labeller.restore(["\u4e00\u4e01"])[0].replace(" ", "")[:2] == "\u4e00\u4e01"


@pytest.mark.parametrize("predict", ["spaces", "case", "marks", "accents"])
def test_what_was_taken_out_is_restored(folder, predict):
    labeller = Labeller(load(folder / predict / "best.npz"))
    lines = TEXTS[predict].splitlines()[:20]
    bare = [labeller.task.restorer.remove(line)[0] for line in lines]
    assert bare != lines
    restored = labeller.restore(bare)
    assert sum(a == b for a, b in zip(restored, lines, strict=True)) >= 15
    assert labeller.restore(lines, keep=True) != bare
    assert labeller.restore([]) == []
    assert labeller.restore(["", " "])[0] == ""


def test_a_long_text_is_labelled_in_pieces(folder):
    labeller = Labeller(load(folder / "spaces" / "best.npz"))
    text = "thecatsatonamat" * 300
    (restored,) = labeller.restore([text])
    assert restored.replace(" ", "") == text
    assert restored.count("cat sat") > 250


@pytest.mark.parametrize("seq_len", [8, 20, 100, 1000])
def test_each_symbol_of_a_long_text_is_labelled_once(seq_len):
    lengths = np.array([1, 7, 250, 99, 1000])
    pieces = Pieces.of_lengths(lengths, seq_len, cut=True)
    labelled = np.concatenate(
        [
            np.arange(start + first, start + stop)
            for start, first, stop in zip(pieces.starts, pieces.first, pieces.stop, strict=True)
        ]
    )
    assert sorted(labelled.tolist()) == list(range(lengths.sum()))
    assert pieces.lengths.max() <= seq_len
    ends = np.cumsum(lengths)
    assert (pieces.starts + pieces.lengths <= ends[pieces.texts]).all()
    assert (pieces.starts >= (ends - lengths)[pieces.texts]).all()


def test_of_a_long_text_with_one_label_the_beginning_is_read():
    examples = Examples(
        ids=np.zeros(30, np.uint8),
        lengths=np.array([10, 20]),
        targets=np.array([0, 1]),
        scored=np.ones(2, bool),
        of_texts=True,
    )
    pieces = Pieces.of(examples, 12)
    assert pieces.lengths.tolist() == [10, 12]
    assert pieces.starts.tolist() == [0, 10]


def test_tags_of_words_and_of_characters(tmp_path):
    (tmp_path / "c.txt").write_text(tagged(characters=True), encoding="utf-8")
    list(new(tmp_path / "c", tmp_path / "c.txt", predict="tags").train())
    checkpoint = load(tmp_path / "c" / "best.npz")
    assert not checkpoint.settings.spaced
    (found,) = Labeller(checkpoint).tag([list("a 23")])
    assert found.tokens == ("a", " ", "2", "3")
    assert found.tags == ("O", "O", "B-N", "I-N")


def test_tags_keep_to_their_grammar(folder):
    checkpoint = load(folder / "tags" / "best.npz")
    labeller = Labeller(checkpoint)
    labeller._model.parameters.vector[...] = np.random.default_rng(0).standard_normal(
        labeller._model.num_parameters
    )
    for sentence in labeller.tag([["7", "the", "23", "451"]] * 3 + [["cat"] * 9]):
        before = "O"
        for tag in sentence.tags:
            assert not (tag == "I-N" and before == "O")
            before = tag


def test_a_label_that_is_new_is_told_and_wrong(folder, tmp_path):
    path = tmp_path / "new.tsv"
    path.write_text("open\tbada\nother\tkili\nother\tnonono\n", encoding="utf-8")
    result = run("eval", path, "--model", folder / "label", "--json")
    found = json.loads(result.stdout)
    assert found["unknown_labels"] == {"other": 2}
    assert found["labels"]["count"] == 3
    assert found["labels"]["right"] <= 1


# The commands


def test_predict_writes_what_train_reads(folder, tmp_path):
    texts = [line.split("\t")[1] for line in names(40, 9).splitlines()]
    (tmp_path / "new.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    model = ("--model", folder / "label")
    result = run("predict", tmp_path / "new.txt", *model)
    assert result.exit_code == 0, result.output
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [text for _, text in rows] == texts
    (tmp_path / "labelled.tsv").write_text(result.stdout, encoding="utf-8")
    again = run("eval", tmp_path / "labelled.tsv", *model, "--json")
    assert json.loads(again.stdout)["labels"]["accuracy"] == 1
    assert run("predict", "-", *model, stdin="\n".join(texts)).stdout == result.stdout
    given = [word for text in texts for word in ("--text", text)]
    assert run("predict", *given, *model).stdout == result.stdout


def test_an_empty_line_stays_one(folder):
    model = ("--model", folder / "label")
    result = run("predict", "-", *model, stdin="bada\n\nbidi\n")
    assert [line.partition("\t")[2] for line in result.stdout.split("\n")] == [
        "bada",
        "",
        "bidi",
        "",
    ]
    model = ("--model", folder / "spaces")
    assert run("predict", "-", *model, stdin="thecat\n\n").stdout.count("\n") == 2


def test_the_likeliest_labels_have_their_probabilities(folder):
    model = ("--model", folder / "label")
    found = json.loads(run("predict", "--text", "bada", "--top", 2, "--json", *model).stdout)
    assert found["text"] == "bada"
    plain = run("predict", "--text", "b\u00e4d\u4e00", "--json", *model).stdout
    assert plain.startswith('{"text": "b\u00e4d\u4e00", "labels": {"')
    assert list(found["labels"]) == ["open", "closed"]
    assert sum(found["labels"].values()) == pytest.approx(1)
    shown = run("predict", "--text", "bada", "--top", 2, *model).stdout
    assert shown.startswith(("open 0.9", "open 1.0"))
    assert shown.endswith("\tbada\n")


def test_a_text_in_place_of_a_file_is_told_how_to_be_given(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("predict", "the cat", "--model", folder / "label")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "error: the cat: no such file or folder: check the name, or give a text itself as --text"
    )
    Path("a[1].txt").write_text("bada\n", encoding="utf-8")
    assert run("predict", "a*.txt", "--model", folder / "label").stdout == "open\tbada\n"


def test_who_types_texts_is_told_how_they_end(folder, monkeypatch):
    words = ("predict", "-", "--model", folder / "label")
    assert "Ctrl-D" not in run(*words, stdin="bada\n").stderr
    monkeypatch.setattr("charrnn.cli.commands.predict.is_terminal", lambda stream: True)
    assert "Ctrl-D ends the input" in run(*words, stdin="bada\n").stderr


def test_tags_are_predicted_for_lines_and_for_tokens(folder):
    model = ("--model", folder / "tags")
    result = run("predict", "--text", "the 7 cat", *model)
    assert result.stdout == "the\tO\n7\tB-N\ncat\tO\n\n"
    conll = run("predict", "-", "--conll", *model, stdin="the\n7\ncat\n\n23\n")
    assert conll.stdout == "the\tO\n7\tB-N\ncat\tO\n\n23\tB-N\n\n"
    found = json.loads(run("predict", "--text", "7", "--json", *model).stdout)
    assert found["tokens"] == ["7"]
    assert found["tags"] == ["B-N"]
    assert found["probabilities"][0] > 0.5


@EACH
def test_every_command_follows_the_task(folder, predict):
    model = ("--model", folder / predict)
    shown = run("eval", *model, "--baselines")
    assert shown.exit_code == 0, shown.output
    assert "this model (gru 1x16" in shown.stdout
    assert "held out of training" in shown.stdout
    assert "labels" in run("info", folder / predict).stdout
    sampled = run("sample", *model)
    assert sampled.exit_code == 2
    assert "predict FILE --model" in sampled.stderr
    assert run("eval", *model, "--perplexity").exit_code == 2
    assert run("eval", *model, "--exact").exit_code == 2


def test_the_plan_says_what_is_predicted(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = run("train", folder / "tags.txt", "--predict", "tags", "--plan", "--steps", 5)
    assert plan.exit_code == 0, plan.output
    assert "one of 3 tags for each word" in plan.stdout
    assert "texts to learn from" in plan.stdout


def test_the_plan_gives_the_length_as_it_was_given(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("train", folder / "label.txt", "--predict", "label", "--plan")
    assert "labels best after this many steps" in run(*words, "--steps", 5).stdout
    assert "labels best after 2 min" in run(*words, "--minutes", 2, "--threads", 2).stdout


def test_the_plan_and_the_end_name_what_the_network_is_mixed_with(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("train", folder / "label.txt", "--predict", "label", "--steps", 5)
    small = ("--hidden-size", 8, "--members", 1)
    for more, mixed, kept in (
        ((), True, False),
        (("--counts",), True, True),
        (("--counts", "--no-ngrams"), True, True),
        (("--no-ngrams",), False, False),
        (("--val-fraction", 0), False, False),
    ):
        plan = run(*words, *more, "--plan").stdout
        assert ("mixed with" in plan) == mixed
        assert ("will hold all texts" in plan) == kept
        assert ("learned when the network is" in plan) == (mixed and "--no-ngrams" not in more)
    counted = run(*words, *small, "--counts", "--out", "a").stderr
    assert "notice: the checkpoint contains all texts" in counted
    assert "validation loss of the best state by the network alone: " in counted
    text = ("train", folder / "case.txt", "--steps", 5, "--counts", "--out", "c")
    assert "reveal much of the training text" in run(*text, *small).stderr
    alone = run(*words, *small, "--no-ngrams", "--out", "b").stderr
    assert "contains all texts" not in alone
    assert "of the labels right\n" in alone
    assert "validation loss of the best state: " in alone


def test_a_run_that_is_stopped_says_which_texts_its_checkpoint_contains(
    folder, tmp_path, monkeypatch
):
    class Stopping(StopSignals):
        def __enter__(self):
            self._stop()
            return super().__enter__()

    monkeypatch.setattr("charrnn.cli.commands.train.StopSignals", Stopping)
    words = ("train", folder / "label.txt", "--predict", "label", "--counts", "--hidden-size", 8)
    said = run(*words, "--steps", 4000, "--out", tmp_path / "run").stderr
    assert "notice: the checkpoint contains the training texts, which" in said


def test_the_next_step_that_train_names_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("names.tsv").write_text(names(), encoding="utf-8")
    result = run("train", "names.tsv", "--predict", "label", "--steps", 20, "--hidden-size", 8)
    assert result.exit_code == 0, result.output
    assert "next: charrnn predict FILE" in result.stderr
    assert "of the labels right" in result.stderr
    Path("FILE").write_text("bada\n", encoding="utf-8")
    assert run("predict", "FILE").stdout.endswith("\tbada\n")
    assert run("eval").exit_code == 0
    assert "names" in run("runs").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--predict", "label"], "no tab"),
        (["--predict", "tags"], "columns"),
        (["--predict", "label", "--prompted"], "give one"),
        (["--predict", "spaces", "--columns", "a,b"], "--columns"),
        (["--predict", "label", "--unit", "byte"], "--unit byte"),
        (["--predict", "label", "--split-mode", "strided"], "hash"),
        (["--predict", "spaces", "--reset", "0.1"], "zero state"),
        (["--predict", "accents"], "nothing to restore"),
        (["--predict", "label", "--items", "blank-line"], "--items line or file"),
        (["--prompted"], "after a prompt"),
        (["--prompted", "--items", "file"], "--prompted"),
        (["--directions", "2"], "--predict"),
        (["--counts", "--predict", "spaces"], "--counts"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text(sentences(), encoding="utf-8")
    result = run("train", "a.txt", *words)
    assert result.exit_code in (1, 2), result.output
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("predict", "words", "said"),
    [
        ("label", ["--keep"], "restores"),
        ("label", ["--conll"], "tags"),
        ("spaces", ["--top", "2"], "labels"),
        ("label", ["--encoding", "utf-8"], "FILE"),
    ],
)
def test_options_of_other_models_are_refused(folder, predict, words, said):
    result = run("predict", "--text", "a", *words, "--model", folder / predict)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["predict", "eval"])
def test_a_file_of_bytes_names_what_helps_a_model_of_characters(folder, tmp_path, command):
    path = tmp_path / "bytes.dat"
    path.write_bytes(bytes(range(256)) * 8)
    result = run(command, path, "--model", folder / "label")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].endswith(
        "it looks like binary data: name a text file or its --encoding, or read it with --errors "
        "replace or --errors skip"
    )


def test_a_model_of_text_predicts_no_label(tmp_path):
    (tmp_path / "a.txt").write_text(sentences(), encoding="utf-8")
    list(new(tmp_path / "run", tmp_path / "a.txt", steps=3).train())
    result = run("predict", "--text", "a", "--model", tmp_path / "run")
    assert result.exit_code == 2
    assert "--predict label" in result.stderr


# Prompts


@pytest.fixture(scope="module")
def prompted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prompted")
    (folder / "a.txt").write_text(answers(), encoding="utf-8")
    list(new(folder / "run", folder / "a.txt", prompted=True, steps=120).train())
    return folder


def test_what_follows_a_prompt_is_drawn(prompted):
    model = ("--model", prompted / "run")
    result = run("sample", "--prompt", "b", "-n", 8, *model)
    lines = result.stdout.splitlines()
    assert len(lines) == 8
    assert sum("b" in line and "a" not in line for line in lines) >= 6
    drawn = charrnn.load(prompted / "run").sample(prompt="b", num_samples=8, random_seed=1)
    assert sum("b" in line for line in drawn) >= 6
    missing = run("sample", *model)
    assert missing.exit_code == 2
    assert "--prompt TEXT" in missing.stderr
    assert run("sample", "--prompt", "a\tb", *model).exit_code == 2
    assert "U+00E9" in run("sample", "--prompt", "a\u00e9", *model).stderr


def test_a_prompt_is_read_and_not_scored(prompted):
    checkpoint = load(prompted / "run" / "best.npz")
    sides = checkpoint.sides(read_corpus([prompted / "a.txt"]))
    found = charrnn.load(prompted / "run").evaluate(baselines=True)
    texts = [line.split("\t")[1] for line in "".join(map(chr, sides.held)).splitlines()]
    assert found.characters == sum(map(len, texts)) + len(texts)
    assert found.nats_per_char == pytest.approx(checkpoint.history.best_nats, rel=1e-5)
    assert "prompt of each item is read and not scored" in found.protocol
    assert {row.kind for row in found.baselines} == {"uniform", "unigram", "ngram"}
    assert {row.characters for row in found.baselines} == {found.characters}


def test_a_prompted_run_that_is_resumed_equals_one_that_never_stopped(prompted, tmp_path):
    settings = {"schedule": "constant", "warmup": 0.0, "validations": 1, "patience": 0}
    found = []
    for name, stops in (("whole", [9]), ("parts", [4, 9])):
        path = prompted / "a.txt"
        list(new(tmp_path / name, path, prompted=True, steps=stops[0], **settings).train())
        for steps in stops[1:]:
            list(resume(tmp_path / name, length=TrainConfig(steps=steps), threads=2).train())
        found.append(load(tmp_path / name / "last.npz").weights)
    assert all((found[0][name] == found[1][name]).all() for name in found[0])


def test_questions_and_answers_between_blank_lines(tmp_path):
    pairs = "".join(f"Say {c}\n{c * 4}\n{c * 3}.\n\n" for c in "abcdefgh" * 12)
    (tmp_path / "a.txt").write_text(pairs, encoding="utf-8")
    run = new(tmp_path / "run", tmp_path / "a.txt", prompted=True, items="blank-line", steps=80)
    list(run.train())
    checkpoint = load(tmp_path / "run" / "best.npz")
    assert checkpoint.task.border == ord("\n")
    model = charrnn.load(tmp_path / "run")
    assert model.sample(prompt="Say d", temperature=0.1, random_seed=0).startswith("dddd")


def test_a_known_text_is_not_new_whatever_its_prompt(prompted):
    checkpoint = load(prompted / "run" / "best.npz")
    from charrnn.config import SampleConfig
    from charrnn.sampling.items import known_items

    known = known_items(checkpoint)
    assert "bbbx" in known
    assert not any("\t" in text for text in known)
    config = SampleConfig(num_samples=20, random_seed=3)
    drawn = list(sample_items(checkpoint, config, known=known, prompt="b\t"))
    assert any(item.new is False for item in drawn)


def test_a_prompt_that_a_text_of_labels_does_not_have_is_told(prompted, tmp_path):
    model = ("--model", prompted / "run")
    assert "the training text has no prompt" not in run("sample", "--prompt", "a", *model).stderr
    text = "".join(f"{label}\t{label[0] * n}\n" for label in ("red", "blue") for n in range(3, 40))
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    list(new(tmp_path / "run", tmp_path / "a.txt", prompted=True, steps=3).train())
    told = run("sample", "--prompt", "bleu", "--model", tmp_path / "run").stderr
    assert "the training text has no prompt 'bleu': did you mean blue?" in told


def test_a_very_long_prompt_is_shown_nowhere(tmp_path):
    long = "x" * 2000
    text = "".join(f"{prompt}\tab{n}\n" for n in range(40) for prompt in (long, "red"))
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    path = tmp_path / "run"
    settings = ("--steps", 2, "--hidden-size", 4, "--out", path)
    told = run("train", tmp_path / "a.txt", "--prompted", *settings).stderr
    assert "sample --prompt red" in told
    for prompt in ("bed", "\u4e00", "x" * 1900):
        told += run("sample", "--prompt", prompt, "--unknown", "skip", "--model", path).stderr
    assert "the training text has no prompt" in told
    assert max(map(len, told.splitlines())) < 1000


# What was held out, and what was fitted there


@pytest.mark.parametrize("ngrams", [True, False])
def test_figures_of_what_the_weights_were_fitted_on_say_so(folder, tmp_path, ngrams):
    path = folder / "label"
    if not ngrams:
        path = tmp_path / "run"
        list(new(path, folder / "label.txt", predict="label", ngrams=False, steps=3).train())
    own = json.loads(run("eval", "--model", path, "--json").stdout)
    fitted = "the weights of the mixture were" if ngrams else "the temperature was"
    assert f"and {fitted} fitted: for a fair test, run charrnn eval FILE" in own["protocol"]
    assert own["fitted_here"] is True
    (tmp_path / "test.tsv").write_text(names(60, 9), encoding="utf-8")
    other = json.loads(run("eval", tmp_path / "test.tsv", "--model", path, "--json").stdout)
    assert "fitted:" not in other["protocol"]
    assert other["fitted_here"] is False


def test_a_file_that_was_held_out_is_one_that_the_weights_were_fitted_on(folder, tmp_path):
    (tmp_path / "val.tsv").write_text(names(80, 7), encoding="utf-8")
    (tmp_path / "test.tsv").write_text(names(80, 9), encoding="utf-8")
    list(
        prepare(
            [folder / "label.txt"],
            val=[tmp_path / "val.tsv"],
            model=ModelConfig(hidden_size=8, members=1),
            train=TrainConfig(predict="label", steps=3),
            out=tmp_path / "run",
        ).train()
    )
    model = charrnn.load(tmp_path / "run")
    assert model.evaluate([tmp_path / "val.tsv"]).fitted_here
    assert not model.evaluate([tmp_path / "test.tsv"]).fitted_here


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A run with counts on labels that are partly random, which only training on a text tells."""
    folder = tmp_path_factory.mktemp("noisy")
    rng = random.Random(5)
    other = {"open": "closed", "closed": "open"}
    pairs = (line.split("\t") for line in names(400, 3).splitlines())
    lines = [f"{other[label] if rng.random() < 0.2 else label}\t{text}\n" for label, text in pairs]
    (folder / "names.tsv").write_text("".join(lines), encoding="utf-8")
    list(new(folder / "run", folder / "names.tsv", predict="label", counts=True, steps=40).train())
    return folder


def test_n_grams_are_trained_on_the_held_out_part_too_but_not_judged_by_it(noisy):
    best = load(noisy / "run" / "best.npz")
    assert best.refitted
    sides = best.sides(read_corpus([noisy / "names.tsv"]))
    learned, held = map(best.task.parse, (sides.learned, sides.held))
    before = learned_ngrams(best.task, learned, best.settings.random_seed)
    knows = learned_ngrams(best.task, learned, best.settings.random_seed, more=held)
    assert np.array_equal(best.ngrams.weights, knows.weights)
    assert best.ngrams.weights.shape != before.weights.shape
    assert best.kept.tolist() == sides.both.tolist()
    # As the weights were fitted: by n-grams that had not seen the held-out part.
    found = evaluate_labels(best)
    assert found.labels.accuracy == best.history.mixed_accuracy
    at_fitting = replace(best, ngrams=before, kept=sides.learned, refitted=False)
    assert found.nats == pytest.approx(evaluate_labels(at_fitting).nats, rel=1e-6)
    assert found.nats > evaluate_labels(replace(best, refitted=False)).nats + 0.01
    assert "with n-grams of the training part alone, on which the best" in found.protocol


def test_n_grams_are_only_trained_once_more_at_the_end_of_a_run(noisy, tmp_path):
    run_ = new(tmp_path / "run", noisy / "names.tsv", predict="label", counts=True, steps=4000)
    run_.stop()
    list(run_.train())
    best = load(tmp_path / "run" / "best.npz")
    assert not best.refitted
    assert best.kept is not None
    found = evaluate_labels(best)
    assert found.labels.accuracy == best.history.mixed_accuracy
    assert "training part alone" not in found.protocol
    list(resume(tmp_path / "run", length=TrainConfig(steps=9)).train())
    assert load(tmp_path / "run" / "best.npz").refitted


def test_a_model_without_n_grams_does_not_know_the_held_out_part(noisy, tmp_path):
    run_ = new(tmp_path / "run", noisy / "names.tsv", predict="label", ngrams=False, steps=3)
    list(run_.train())
    model = charrnn.load(tmp_path / "run")
    assert not model.checkpoint.refitted
    held = model.checkpoint.sides(read_corpus([noisy / "names.tsv"])).held
    (tmp_path / "held.tsv").write_text(to_text(held), encoding="utf-8")
    assert model.evaluate([tmp_path / "held.tsv"]).overlap == 0


@pytest.mark.parametrize("size", [90, 99, 101, 120, 199, 201, 1000])
def test_texts_beyond_the_limit_are_spread_evenly(size):
    kept = spread([1] * size, 100)
    assert len(kept) == min(size, 100)
    assert max(np.diff(kept)) - min(np.diff(kept)) <= 1
    assert sum(spread([3, 1] * size, 4 * size)) == sum(range(2 * size))
    assert list(spread([500], 100)) == [0]


def test_no_text_is_added_to_n_grams_beyond_their_limit(noisy, monkeypatch):
    best = load(noisy / "run" / "best.npz")
    sides = best.sides(read_corpus([noisy / "names.tsv"]))
    learned = sum(map(len, best.task.parse(sides.learned).texts))
    for limit, is_same in ((learned - 1, True), (learned, False)):
        monkeypatch.setattr("charrnn.evaluation.labels.mixture.LEARNED", limit)
        fitted = as_fitted(best, sides.learned)
        again = refitted(fitted, sides)
        assert (again.ngrams is fitted.ngrams) == is_same
        assert again.refitted
        assert again.kept.tolist() == sides.both.tolist()


def test_a_text_whose_n_grams_are_known_is_told_to_be(noisy, tmp_path):
    model = charrnn.load(noisy / "run")
    found = model.evaluate([noisy / "names.tsv"])
    told = "the n-grams that the model is mixed with were trained on all of this text"
    assert told in found.notices
    assert found.overlap == 1
    held = model.checkpoint.sides(read_corpus([noisy / "names.tsv"])).held
    (tmp_path / "held.tsv").write_text(to_text(held), encoding="utf-8")
    found = model.evaluate([tmp_path / "held.tsv"])
    assert found.overlap == 1
    memorized = "100 % of these texts are also in training, so the metrics partly measure how well"
    assert any(notice.startswith(memorized) for notice in found.notices)
    (tmp_path / "new.tsv").write_text(names(60, 99), encoding="utf-8")
    found = model.evaluate([tmp_path / "new.tsv"])
    assert told not in found.notices
    assert not any("memorized" in notice for notice in found.notices)


def test_files_that_are_held_out_are_never_trained_on(folder, tmp_path):
    (tmp_path / "val.tsv").write_text(names(80, 7), encoding="utf-8")
    run_ = prepare(
        [folder / "label.txt"],
        val=[tmp_path / "val.tsv"],
        model=ModelConfig(hidden_size=8, members=1),
        train=TrainConfig(predict="label", counts=True, steps=3),
        out=tmp_path / "run",
    )
    list(run_.train())
    best = load(tmp_path / "run" / "best.npz")
    assert not best.refitted
    sides = best.sides(read_corpus([folder / "label.txt", tmp_path / "val.tsv"]))
    assert best.kept.tolist() == sides.learned.tolist()
    keys = learned_ngrams(best.task, best.task.parse(sides.learned), 0).keys
    assert np.array_equal(best.ngrams.keys, keys)


def test_what_nothing_was_fitted_on_says_nothing(folder):
    alone = replace(load(folder / "tags" / "best.npz"), mixture=(), ngrams=None)
    found = evaluate_labels(alone)
    assert found.protocol.startswith("the part held out of training; ")
    assert not found.fitted_here


# Counts


@pytest.fixture(scope="module")
def counted(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("counted") / "run"
    run = new(out, folder / "label.txt", predict="label", counts=True, steps=10)
    events = list(run.train())
    assert any("mixed with n-grams" in getattr(event, "message", "") for event in events)
    return out


def test_counts_are_mixed_with_the_network(folder, counted):
    checkpoint = load(counted / "best.npz")
    assert len(checkpoint.mixture) == 4
    sides = checkpoint.sides(read_corpus([folder / "label.txt"]))
    assert checkpoint.kept.tolist() == sides.both.tolist()
    alone = evaluate_labels(replace(checkpoint, mixture=(), kept=None, ngrams=None))
    found = evaluate_labels(checkpoint)
    assert found.nats < alone.nats
    assert found.labels.right >= alone.labels.right
    shown = run("info", counted).stdout
    assert "contains all texts" in " ".join(shown.split())
    assert "contains all texts" not in run("info", folder / "label").stdout
    assert run("predict", "--text", "bada", "--model", counted).stdout == "open\tbada\n"


def test_a_checkpoint_without_counts_holds_no_text(folder):
    checkpoint = load(folder / "label" / "best.npz")
    assert checkpoint.kept is None
    assert len(checkpoint.mixture) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: {**meta, "mixture": [1.0]},
        lambda meta: {**meta, "mixture": [1.0, 2.0, float("nan")]},
        lambda meta: {**meta, "mixture": [1.0, 2.0, 1e9]},
        lambda meta: {**meta, "mixture": "abc"},
        lambda meta: {**meta, "kept": None},
        lambda meta: {**meta, "kept": [meta["kept"][0] + 1]},
        lambda meta: {**meta, "kept": [-1]},
        lambda meta: {**meta, "train": {**meta["train"], "counts": False}},
    ],
)
def test_damaged_counts_are_refused(counted, tmp_path, change):
    path = tmp_path / "damaged.npz"
    path.write_bytes(with_meta((counted / "best.npz").read_bytes(), change))
    with pytest.raises(CheckpointError):
        load(path)


@pytest.mark.parametrize("text", ["no tab\n", "a\tb", "", "a\tb\nc\n", "a\t\ud800\n", "\tb\nx"])
def test_kept_texts_that_are_none_are_refused(counted, tmp_path, text):
    checkpoint = load(counted / "best.npz")
    checkpoint.kept = np.array([ord(symbol) for symbol in text], np.uint32)
    save(tmp_path / "a.npz", checkpoint)
    with pytest.raises(CheckpointError, match="malformed"):
        load(tmp_path / "a.npz")


# N-grams


@pytest.fixture(scope="module")
def with_ngrams(folder):
    return load(folder / "label" / "best.npz")


def test_n_grams_come_back(folder, with_ngrams, tmp_path):
    for predict in ("label", "tags"):
        checkpoint = load(folder / predict / "best.npz")
        if checkpoint.ngrams is None:  # the network alone is right everywhere
            checkpoint.ngrams, checkpoint.mixture = a_chain(checkpoint), (0.5, 0.5, 1.0)
        save(tmp_path / "a.npz", checkpoint)
        again = load(tmp_path / "a.npz")
        assert again.mixture == checkpoint.mixture
        for name in ("keys", "weights", "bias", "transitions"):
            assert np.array_equal(getattr(again.ngrams, name), getattr(checkpoint.ngrams, name))
        assert load(tmp_path / "a.npz", arrays=False).mixture == checkpoint.mixture


def a_chain(checkpoint):
    task = checkpoint.task
    parsed = task.parse(to_codes(task.read([("a", TEXTS["tags"])])[0]))
    return learned_ngrams(task, parsed, 0)


def test_a_chain_of_words_keeps_to_its_grammar(folder):
    checkpoint = load(folder / "tags" / "best.npz")
    checkpoint.ngrams, checkpoint.mixture = a_chain(checkpoint), (0.0, 1.0, 1.0)
    (found,) = Labeller(checkpoint).tag([["the", "7", "23", "and", "cat"]])
    assert found.tags == ("O", "B-N", "I-N", "O", "O")
    assert min(found.probabilities) > 0.3
    assert Labeller(checkpoint).tag([]) == []
    assert len(Labeller(checkpoint).tag([["\u4e00"]])[0].tags) == 1


def test_the_network_can_be_alone(folder, tmp_path):
    run = new(tmp_path / "run", folder / "label.txt", predict="label", ngrams=False, steps=5)
    list(run.train())
    checkpoint = load(tmp_path / "run" / "best.npz")
    assert checkpoint.ngrams is None
    assert len(checkpoint.mixture) == 1


def test_a_run_that_is_stopped_before_it_was_validated_has_n_grams(folder, tmp_path):
    run = new(tmp_path / "run", folder / "label.txt", predict="label", steps=10**6, validations=1)
    for event in run.train():
        if event.kind == "progress":
            run.stop()
    assert run.history.best_nats is None
    assert load(tmp_path / "run" / "best.npz").mixture


def test_what_leaves_labels_to_the_network_needs_labels():
    with pytest.raises(ConfigError, match=r"--no-ngrams .*: it needs --predict"):
        TrainConfig(ngrams=False)


def test_too_many_labels_for_n_grams(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("charrnn.evaluation.labels.mixture.LABELS_OF_NGRAMS", 1)
    for predict in ("label", "tags"):
        new_run = new(tmp_path / predict, folder / f"{predict}.txt", predict=predict, steps=5)
        list(new_run.train())
        assert load(tmp_path / predict / "best.npz").ngrams is None
    out = tmp_path / "counted"
    list(new(out, folder / "label.txt", predict="label", steps=5, counts=True).train())
    shown = " ".join(run("info", out).stdout.split())
    assert re.search(r"weights: network [-.\d]+, Kneser-Ney n-grams [-.\d]+, naive", shown)


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: {**meta, "ngrams": None},
        lambda meta: {**meta, "ngrams": meta["ngrams"] + 1},
        lambda meta: {**meta, "ngrams": -1},
        lambda meta: {**meta, "ngrams": [meta["ngrams"]]},
        lambda meta: {**meta, "mixture": [1.0]},
        lambda meta: {**meta, "mixture": [1.0, 1.0, 1.0]},
        lambda meta: {**meta, "train": {**meta["train"], "ngrams": False}},
    ],
)
def test_damaged_n_grams_are_refused(folder, tmp_path, change):
    path = tmp_path / "damaged.npz"
    path.write_bytes(with_meta((folder / "label" / "best.npz").read_bytes(), change))
    with pytest.raises(CheckpointError):
        load(path)


def test_n_grams_that_are_not_in_order_are_refused(with_ngrams, tmp_path):
    ngrams = with_ngrams.ngrams
    save(tmp_path / "a.npz", replace(with_ngrams, ngrams=replace(ngrams, keys=ngrams.keys[::-1])))
    with pytest.raises(CheckpointError, match="not in order"):
        load(tmp_path / "a.npz")


def test_hostile_labels_are_learned_or_refused_in_a_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counts = fuzz.campaign(tmp_path, 12, seed=10)
    assert sum(counts.values()) == 12
    assert {outcome.rpartition(" ")[2] for outcome in counts} == {"learned", "refused"}


# Starting from another model


def test_a_labeller_starts_from_a_language_model(folder, tmp_path):
    text = "".join(line.split("\t")[1] + "\n" for line in names().splitlines())
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    list(new(tmp_path / "lm", tmp_path / "text.txt", lines=True, steps=30).train())
    start = load(tmp_path / "lm" / "best.npz")
    run = new(tmp_path / "run", folder / "label.txt", predict="label", init_from=tmp_path / "lm")
    model, vocabulary = run._setup.model, run._setup.vocabulary
    run.close()
    assert set(start.vocabulary.symbols) <= set(vocabulary.symbols)
    places = vocabulary.encode(start.vocabulary.symbols)
    W, U = start.weights["layers.0.W"], len(start.vocabulary)
    assert (model.parameters["layers.0.W"][:, places] == W[:, :U]).all()
    assert (model.parameters["layers.0.W"][:, len(vocabulary) :] == W[:, U:]).all()
    assert model.parameters["head.W"].shape[0] == 2
    # Both hold out the texts whose hash is low, but a model of the first 90 % has seen some.
    assert not any("--init-from model was trained on" in notice for notice in run.notices)
    settings = {"lines": True, "split_mode": "contiguous", "steps": 3}
    list(new(tmp_path / "first", tmp_path / "text.txt", **settings).train())
    again = new(
        tmp_path / "run2", folder / "label.txt", predict="label", init_from=tmp_path / "first"
    )
    again.close()
    assert any("--init-from model was trained on" in notice for notice in again.notices)
    with pytest.raises(CheckpointError, match="cannot be fine-tuned to generate"):
        new(tmp_path / "x", tmp_path / "text.txt", init_from=folder / "label")


def test_a_labeller_goes_on_with_more_text(folder, tmp_path):
    (tmp_path / "more.txt").write_text(names(200, 8), encoding="utf-8")
    start = load(folder / "label" / "best.npz")
    run = new(tmp_path / "run", tmp_path / "more.txt", predict="label", init_from=folder / "label")
    model = run._setup.model
    run.close()
    assert (model.parameters["head.W"] == start.weights["head.W"]).all()


# Files from anyone


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: {**meta, "labels": []},
        lambda meta: {**meta, "labels": meta["labels"][:1]},
        lambda meta: {**meta, "labels": [meta["labels"][0]] * 2},
        lambda meta: {**meta, "labels": [1, 2]},
        lambda meta: {**meta, "labels": ["a" * 1001, "b"]},
        lambda meta: {**meta, "labels": "ab"},
        lambda meta: {**meta, "train": {**meta["train"], "predict": ""}},
        lambda meta: {**meta, "train": {**meta["train"], "predict": "tags"}},
        lambda meta: {**meta, "model": {**meta["model"], "num_labels": 3}},
        lambda meta: {**meta, "model": {**meta["model"], "head": "step"}},
        lambda meta: {**meta, "model": {**meta["model"], "directions": 2}},
        lambda meta: {**meta, "vocabulary": {**meta["vocabulary"], "has_unknown": 1}},
        lambda meta: {**meta, "vocabulary": {**meta["vocabulary"], "has_unknown": False}},
    ],
)
def test_a_damaged_description_is_refused(folder, tmp_path, change):
    data = (folder / "label" / "best.npz").read_bytes()
    path = tmp_path / "damaged.npz"
    path.write_bytes(with_meta(data, change))
    with pytest.raises(CheckpointError) as error:
        load(path)
    assert "\n" not in str(error.value)


def test_a_hostile_label_is_refused(tmp_path):
    for label in ("\x1b[31mred", "x" * 200):
        (tmp_path / "a.txt").write_text(f"{label}\tone two\n" + names(), encoding="utf-8")
        with pytest.raises(ConfigError) as error:
            new(tmp_path / "run", tmp_path / "a.txt", predict="label")
        assert "\x1b" not in str(error.value)


def test_the_same_text_under_another_name_is_its_own(tmp_path, monkeypatch):
    """A layout that follows from a name is that of the name at training."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{a},{b}\n" for a, b in (line.split("\t") for line in names().splitlines()))
    Path("names.csv").write_text("label,text\n" + rows, encoding="utf-8")
    list(new(tmp_path / "run", "names.csv", predict="label", steps=5).train())
    Path("names.csv").rename("moved.dat")
    assert evaluate_labels(load("run/best.npz")).texts > 10


def test_names_of_files_are_labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    for label in ("open", "closed"):
        texts = [t for x, t in (line.split("\t") for line in names().splitlines()) if x == label]
        Path(f"data/{label}.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    list(new(tmp_path / "run", "data", predict="label", steps=5).train())
    assert load("run/best.npz").labels == ("closed", "open")
    assert evaluate_labels(load("run/best.npz")).texts > 10


def test_errors_are_of_charrnn(tmp_path):
    (tmp_path / "a.txt").write_text("x\ta\n" * 30, encoding="utf-8")
    with pytest.raises(CharrnnError):
        new(tmp_path / "run", tmp_path / "a.txt", predict="label")


# What went wrong once


def test_a_batch_may_have_nothing_to_predict(tmp_path):
    text = "".join(f"{'long prompt ' * 12}{n}\tanswer {n}\n" for n in range(60))
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    run = new(tmp_path / "run", tmp_path / "a.txt", prompted=True, steps=12, seq_len=24)
    events = list(run.train())
    assert events[-1].reason == "done"
    assert 0 < events[-1].train_nats < 10


def test_a_prompted_run_that_starts_from_a_model_of_items_is_prompted(tmp_path):
    text = "".join(f"Say {n}\n{'abc' * 5} {n}.\n\n" for n in range(90))
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    list(new(tmp_path / "lm", tmp_path / "a.txt", items="blank-line", steps=3).train())
    settings = {"items": "blank-line", "prompted": True, "steps": 3}
    run = new(tmp_path / "run", tmp_path / "a.txt", init_from=tmp_path / "lm", **settings)
    held = run._setup.sides.held
    list(run.train())
    checkpoint = load(tmp_path / "run" / "best.npz")
    again = checkpoint.sides(read_corpus([tmp_path / "a.txt"])).held
    assert held.tolist() == again.tolist()
    found = charrnn.load(tmp_path / "run").evaluate()
    assert found.nats_per_char == pytest.approx(checkpoint.history.best_nats, rel=1e-5)


def test_the_folder_of_a_text_is_its_label_wherever_it_lies(tmp_path, monkeypatch):
    for number, line in enumerate(names().splitlines()):
        label, text = line.split("\t")
        (tmp_path / "data" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / label / f"{number}.txt").write_text(text, encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run = new(tmp_path / "run", tmp_path / "data", predict="label", items="file", steps=3)
    list(run.train())
    assert load(tmp_path / "run" / "best.npz").labels == ("closed", "open")
    assert evaluate_labels(load(tmp_path / "run" / "best.npz")).texts > 10
    resume(tmp_path / "run", length=TrainConfig(steps=5)).close()


def test_validation_reads_what_training_reads(tmp_path):
    text = "".join(
        f"{label}\t{label[0] * 20}{other[0] * 20}{n}\n"
        for n in range(60)
        for label, other in (("red", "blue"), ("blue", "red"))
    )
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    run = new(tmp_path / "run", tmp_path / "a.txt", predict="label", seq_len=16, steps=40)
    assert any("only the beginning" in notice for notice in run.notices)
    *_, finished = run.train()
    found = evaluate_labels(load(tmp_path / "run" / "best.npz"))
    assert finished.best_accuracy == found.labels.accuracy == 1


def with_val(folder, learned, held, **train):
    """A run on labelled texts, and the texts of --val."""
    (folder / "a.txt").write_text(learned, encoding="utf-8")
    (folder / "b.txt").write_text(held, encoding="utf-8")
    return prepare(
        [folder / "a.txt"],
        val=[folder / "b.txt"],
        model=ModelConfig(hidden_size=8, members=1),
        train=TrainConfig(predict="label", **{"steps": 5, **train}),
        out=folder / "run",
    )


def test_a_label_that_is_only_held_out_leaves_the_counts_their_weights(tmp_path):
    run = with_val(tmp_path, names(), names(80, 7) + "other\tzzzz\n", counts=True)
    list(run.train())
    assert max(load(tmp_path / "run" / "best.npz").mixture[1:]) > 0.1


def test_no_opponent_is_charged_for_fewer_labels_than_the_model(tmp_path):
    run = with_val(tmp_path, names(), names(80, 7) + "other\tzzzz\n")
    assert not any("same side" in notice or "not held out" in notice for notice in run.notices)
    list(run.train())
    best = load(tmp_path / "run" / "best.npz")
    found = evaluate_labels(best, baselines=True)
    assert {rival.nats for rival in found.rivals} == {None}
    assert found.nats is not None
    fair = read_corpus([tmp_path / "a.txt"])
    found = evaluate_labels(best, corpus=fair, baselines=True)
    assert None not in {rival.nats for rival in found.rivals}


def test_a_run_is_useless_if_no_better_than_the_label_that_training_has_most_often(tmp_path):
    lines = names(200, 7).splitlines(keepends=True)
    of_open, of_closed = (
        [line for line in lines if line.startswith(label)] for label in ("open", "closed")
    )
    learned, held = of_open[:60] + of_closed[:40], of_open[60:65] + of_closed[40:60]
    setup = with_val(tmp_path, "".join(learned), "".join(held))._setup
    setup.history.best_accuracy = 0.5
    assert "useless" not in verdict(setup, 9.0, "")
    setup.history.best_accuracy = 0.2
    assert "the 20.0 % of always predicting the one most frequent in training" in verdict(
        setup, 9.0, ""
    )


@pytest.mark.parametrize(("held", "known"), [("open", "one"), ("alien", "none")])
def test_a_held_out_part_of_one_label_judges_nothing(tmp_path, held, known):
    texts = [line.split("\t")[1] for line in names(60, 7).splitlines() if "open" in line]
    run = with_val(tmp_path, names(), "".join(f"{held}\t{text}\n" for text in texts))
    said = [event.message for event in run.train() if isinstance(event, Notice)]
    assert f"not judged: the held-out part has {known} of the labels that were" in said[-1]


def test_without_a_held_out_part_nothing_is_calibrated(tmp_path):
    (tmp_path / "a.txt").write_text("".join(names().splitlines(keepends=True)[:9]), "utf-8")
    for more in ({}, {"val_fraction": 0.0, "validations": None}):
        run_ = new(tmp_path / f"{len(more)}", tmp_path / "a.txt", predict="label", **more)
        run_.close()
        assert "without a held-out part, no n-grams are mixed in and" in " ".join(run_.notices)


def test_a_verdict_names_a_run_that_can_be_resumed_but_no_folder_in_its_log(noisy, tmp_path):
    out = tmp_path / "my run"
    events = list(new(out, noisy / "names.tsv", predict="label", steps=4, validations=1).train())
    assert any(f"--resume '{out}'" in getattr(event, "message", "") for event in events)
    log = (out / "log.jsonl").read_text(encoding="utf-8")
    assert "--resume RUN" in log
    assert "my run" not in log


def test_few_different_answers_do_not_hold_out_half_of_the_text(tmp_path):
    text = "".join(f"question {n}\t{('yes', 'no', 'maybe')[n % 3]}\n" for n in range(300))
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    for key in range(5):
        run = new(tmp_path / f"{key}", tmp_path / "a.txt", prompted=True, split_key=key, steps=1)
        held, learned = (len(side) for side in (run._setup.sides.held, run._setup.sides.learned))
        run.close()
        assert 0 < held < 0.3 * (held + learned)


def test_long_names_of_labels_do_not_spoil_the_split(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    for label in ("a" * 40, "b" * 40):
        lines = {f"{x}{y}" for x in "abcdefghij" for y in "klmnopqrst"}
        Path(f"data/{label}.txt").write_text("\n".join(sorted(lines)), encoding="utf-8")
    list(new(tmp_path / "run", "data", predict="label", val_fraction=0.4, steps=2).train())
    assert load("run/best.npz").held_out > load("run/best.npz").characters / 2


def test_a_model_of_single_characters_takes_no_longer_tokens(tmp_path):
    (tmp_path / "c.txt").write_text(tagged(characters=True), encoding="utf-8")
    list(new(tmp_path / "c", tmp_path / "c.txt", predict="tags", steps=3).train())
    (tmp_path / "words.txt").write_text(tagged(9), encoding="utf-8")
    for words in (["predict", "-", "--conll"], ["eval", tmp_path / "words.txt"]):
        result = run(*words, "--model", tmp_path / "c", stdin="the\n23\n")
        assert result.exit_code == 2
        assert "single characters" in result.stderr


def test_tokens_may_have_spaces(tmp_path):
    text = tagged().replace("cat\tO", "black cat\tO")
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    list(new(tmp_path / "run", tmp_path / "a.txt", predict="tags", steps=3).train())
    result = run("eval", "--baselines", "--model", tmp_path / "run")
    assert result.exit_code == 0, result.output


def test_tokens_are_read_from_the_forms_that_train_reads(folder):
    model = ("--conll", "--model", folder / "tags")
    wanted = "the\tO\n7\tB-N\n\n"
    assert run("predict", "-", *model, stdin="the DT B-NP O\n7 CD I-NP B-N\n").stdout == wanted
    assert run("predict", "-", *model, stdin="the\tO\n7\tB-N\n").stdout == wanted
    conllu = folder / "a.conllu"
    row = "\t".join(["_"] * 8)
    conllu.write_text(f"# text = the 7\n1\tthe\t{row}\n2\t7\t{row}\n\n", encoding="utf-8")
    assert run("predict", conllu, *model).stdout == wanted


def test_texts_of_one_symbol_keep_their_labels(tmp_path):
    text = "".join(f"{symbol}\n" for symbol in "aBcDeFgHiJkLmNoPqRsTuVwXyZ" * 20)
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    run = new(tmp_path / "run", tmp_path / "a.txt", predict="case", steps=2, val_fraction=0.3)
    list(run.train())
    assert load(tmp_path / "run" / "best.npz").architecture.head == "step"


def test_one_file_of_a_folder_of_labels_may_be_held_out(tmp_path):
    for side, seed in (("a", 1), ("b", 2)):
        (tmp_path / side).mkdir()
        for label in ("open", "closed"):
            rows = [line.split("\t") for line in names(200, seed).splitlines()]
            texts = [text for own, text in rows if own == label]
            (tmp_path / side / f"{label}.txt").write_text("\n".join(texts), encoding="utf-8")
    run = prepare(
        [tmp_path / "a"],
        val=[tmp_path / "b" / "open.txt"],
        train=TrainConfig(predict="label", steps=2),
        out=tmp_path / "run",
    )
    assert set(run._setup.task.parse(run._setup.sides.held).labels) == {"open"}
    list(run.train())
    assert evaluate_labels(load(tmp_path / "run" / "best.npz")).texts > 10


def test_a_symbol_of_prompts_alone_is_never_predicted(prompted):
    checkpoint = load(prompted / "run" / "best.npz")
    symbols = dict(zip(checkpoint.vocabulary.symbols.tolist(), checkpoint.counts, strict=True))
    assert symbols[ord("\t")] == 0
    assert symbols[ord("a")] > 0


def test_empty_texts_are_counted(tmp_path):
    (tmp_path / "a.txt").write_text(names() + "open\t\nclosed\t \n", encoding="utf-8")
    run = new(tmp_path / "run", tmp_path / "a.txt", predict="label")
    run.close()
    assert "2 texts are empty and left out" in run.notices


def test_counts_need_something_to_be_fitted_on(tmp_path):
    (tmp_path / "a.txt").write_text(names(), encoding="utf-8")
    with pytest.raises(ConfigError, match="nothing is held out: hold some out, name a file"):
        new(
            tmp_path / "run",
            tmp_path / "a.txt",
            predict="label",
            counts=True,
            val_fraction=0.0,
            validations=None,
        )


@pytest.mark.parametrize(("number", "said"), [(1, "1 text is"), (4, "4 texts are")])
def test_few_held_out_texts_are_refused_not_trained_on(tmp_path, number, said):
    lines = names().splitlines(keepends=True)
    (tmp_path / "a.txt").write_text("".join(lines[10:]), encoding="utf-8")
    (tmp_path / "b.txt").write_text("".join(lines[:number]), encoding="utf-8")
    wanted = {"train": TrainConfig(predict="label", steps=1), "out": tmp_path / "run"}
    with pytest.raises(CharrnnError, match=rf"--val: {said}"):
        prepare([tmp_path / "a.txt"], val=[tmp_path / "b.txt"], **wanted)
    (tmp_path / "b.txt").write_text("".join(lines[:5]), encoding="utf-8")
    run = prepare([tmp_path / "a.txt"], val=[tmp_path / "b.txt"], **wanted)
    assert run.plan.held_out
    run.close()


def test_a_deep_language_model_begins_a_network_of_both_directions(tmp_path):
    (tmp_path / "a.txt").write_text(sentences(), encoding="utf-8")
    lm = prepare(
        [tmp_path / "a.txt"],
        model=ModelConfig(hidden_size=8, num_layers=2, members=1),
        train=TrainConfig(steps=3, lines=True),
        out=tmp_path / "lm",
    )
    list(lm.train())
    run = new(tmp_path / "run", tmp_path / "a.txt", predict="spaces", init_from=tmp_path / "lm")
    W = run._setup.model.parameters["layers.1.W"]
    run.close()
    old = load(tmp_path / "lm" / "best.npz").weights["layers.1.W"]
    assert (W[:, :8] == old[:, :8]).all()
    assert not W[:, 8:16].any()
    assert (W[:, 16:] == old[:, 8:]).all()
