"""Evaluations: units, protocols, the opponents beside the model, texts of every kind."""

import json
from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
from scores import score_ids
from typer.testing import CliRunner

from charrnn.cli.app import app
from charrnn.config import Architecture, EvalConfig, ModelConfig, TextConfig, TrainConfig
from charrnn.errors import CheckpointError, ConfigError, CorpusError, VocabularyError
from charrnn.evaluation.adapting.model import adapting_nats
from charrnn.evaluation.compressors import compressed_nats_given
from charrnn.evaluation.cost import Cost
from charrnn.evaluation.evaluate import evaluate_checkpoint
from charrnn.evaluation.ngrams import best_ngram, uniform, unigram
from charrnn.evaluation.novelty import Novelty
from charrnn.evaluation.pieces import Pieces
from charrnn.evaluation.scored_text import read_like
from charrnn.evaluation.scorers import TextScorer
from charrnn.evaluation.verdict import MAX_EPOCHS
from charrnn.evaluation.written import text_bytes, written_length
from charrnn.nn.model import CharModel
from charrnn.storage.checkpoint import load
from charrnn.text import Corpus, Vocabulary
from charrnn.text.codes import to_codes
from charrnn.training.new import prepare

WORDS = ["the", "cat", "dog", "sat", "ran", "on", "under", "mat", "log", "한국어", "각막", "é"]
TEXT = " ".join(np.random.default_rng(0).choice(WORDS, 1000).tolist())
FORMS = {
    "char": TextConfig(),
    "byte": TextConfig(unit="byte"),
    "nfd": TextConfig(normalize="nfd"),
    "nfkc": TextConfig(normalize="nfkc"),
}


def train(folder, name, **settings):
    (folder / f"{name}.txt").write_text(TEXT)
    run = prepare(
        [folder / f"{name}.txt"],
        model=ModelConfig(num_layers=1, hidden_size=8, dropout=0.0),
        train=TrainConfig(steps=2, validations=1, batch_size=4, seq_len=8),
        out=folder / name,
        **settings,
    )
    list(run.train())
    return load(folder / name / "best.npz")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    for name, text in FORMS.items():
        train(folder, name, text=text)
    return folder


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="charrnn")


# Units


def test_the_units_of_a_cost_agree():
    cost = Cost(total_nats=50 * log(8), characters=50, num_bytes=75)
    assert cost.nats_per_char == pytest.approx(log(8))
    assert cost.bits_per_char == pytest.approx(3)
    assert cost.bits_per_byte == pytest.approx(2)
    assert cost.perplexity == pytest.approx(8)
    assert Cost(1e6, 1, 1).perplexity == exp(700)  # no number is infinite


def test_bytes_are_those_of_the_text_as_it_is_written():
    text = "각한 é 👩\n" * 20_000
    for normalize in ("none", "nfc", "nfd"):
        vocabulary = Vocabulary(np.arange(0xD800), normalize=normalize)
        codes = to_codes(text) if normalize != "nfd" else vocabulary.text_to_codes(text)
        assert text_bytes(codes, vocabulary) == text.encode()
        assert written_length(codes, vocabulary) == len(text.encode())
    codes, vocabulary = np.frombuffer(text.encode(), np.uint8), Vocabulary(np.arange(256), "byte")
    assert text_bytes(codes, vocabulary) == text.encode()
    assert written_length(codes, vocabulary) == len(text.encode())


# Cold windows


def make(V=7):
    model = CharModel(Architecture(cell="gru", num_layers=2, hidden_size=6, dropout=0.5), V)
    model.initialise(np.random.default_rng(0))
    model.parameters["head.W"][...] = np.random.default_rng(1).standard_normal(
        model.parameters["head.W"].shape
    )
    return model


@pytest.mark.parametrize("window", [1, 2, 3, 63, 64, 65, 100, 129, 499, 500, 10_000])
@pytest.mark.parametrize("length", [1, 2, 3, 501])
def test_cold_windows_score_every_character_once_from_a_zero_state(window, length):
    model = make()
    ids = np.random.default_rng(2).integers(0, 7, length).astype(np.uint8)
    wanted = log(7)
    for start in range(0, length - 1, window):
        piece = ids[start : start + window + 1]
        wanted += score_ids(model, piece, exact=True) - log(7)
    assert score_ids(model, ids, cold_windows=window) == pytest.approx(wanted, rel=1e-5)


def test_cold_windows_do_not_depend_on_the_threads():
    model = make()
    ids = np.random.default_rng(2).integers(0, 7, 9000).astype(np.uint8)
    assert TextScorer(Pieces.windows(ids, 32)).num_shards > 3
    one = score_ids(model, ids, cold_windows=32)
    assert score_ids(model, ids, cold_windows=32, threads=3) == one


def test_the_protocol_says_how(folder):
    checkpoint = load(folder / "char" / "best.npz")
    cold = evaluate_checkpoint(checkpoint, config=EvalConfig(cold_windows=16))
    assert "in cold windows of 16 characters, each from a zero state" in cold.protocol
    assert "the state carried, in one stream" in evaluate_checkpoint(checkpoint).protocol
    with pytest.raises(ConfigError, match="--exact and --cold-windows"):
        EvalConfig(exact=True, cold_windows=16)


# The opponents


def test_all_score_the_same_text(folder, form):
    checkpoint = load(folder / form / "best.npz")
    found = evaluate_checkpoint(checkpoint, baselines=True)
    assert len(found.baselines) == 7
    assert {(row.characters, row.num_bytes) for row in found.baselines} == {
        (found.characters, found.num_bytes)
    }
    nats = [row.nats_per_char for row in found.baselines]
    assert nats == sorted(nats)
    uniform = next(row for row in found.baselines if row.name == "uniform")
    assert uniform.perplexity == pytest.approx(len(checkpoint.vocabulary))


def test_they_learn_from_the_training_part_alone(folder):
    checkpoint = load(folder / "char" / "best.npz")
    cut = len(TEXT) - checkpoint.held_out
    ids, V = checkpoint.vocabulary.encode_text(TEXT), len(checkpoint.vocabulary)
    train, held_out, codes = ids[:cut], ids[cut:], checkpoint.vocabulary.text_to_codes(TEXT)
    found = evaluate_checkpoint(checkpoint, baselines=True).baselines
    assert {row.name: row.total_nats for row in found} == {
        "uniform": uniform(V, len(held_out)),
        "unigram": unigram(train, held_out, V),
        **dict([best_ngram(train, held_out, V)]),
        "counts that adapt": adapting_nats(codes[:cut], held_out, checkpoint.vocabulary).sum(),
        **compressed_nats_given(TEXT[:cut].encode(), TEXT[cut:].encode()),
    }
    kinds = {row.name: row.kind for row in found}
    assert kinds.pop("xz -9e") == kinds.pop("gzip -9") == kinds.pop("bzip2 -9") == "compressor"
    assert sorted(kinds.values()) == ["adapting", "ngram", "uniform", "unigram"]


def test_a_file_is_scored_without_what_the_model_does_not_know(folder, form):
    checkpoint = load(folder / form / "best.npz")
    path = folder / "other.txt"
    path.write_text("the Zcat XsatX on the 각Z mat" * 9)
    if form == "byte":  # which knows every text
        assert evaluate_checkpoint(checkpoint, [path]).unknown == {}
        return
    with pytest.raises(VocabularyError, match="first at line 1, column 5"):
        evaluate_checkpoint(checkpoint, [path], config=EvalConfig(unknown="error"))
    skip = EvalConfig(unknown="skip")
    other = evaluate_checkpoint(checkpoint, [path], baselines=True, config=skip)
    path.write_text("the cat sat on the 각 mat" * 9)
    same = evaluate_checkpoint(checkpoint, [path], baselines=True)
    assert other.baselines == same.baselines
    assert other.num_bytes == same.num_bytes == len(path.read_bytes())


def test_without_the_corpus_a_file_has_no_opponents(tmp_path):
    checkpoint = train(tmp_path, "gone")
    (tmp_path / "other.txt").write_text("the cat")
    (tmp_path / "gone.txt").unlink()
    assert evaluate_checkpoint(checkpoint, [tmp_path / "other.txt"]).baselines == ()
    with pytest.raises(CorpusError, match="the baselines are trained on it"):
        evaluate_checkpoint(checkpoint, [tmp_path / "other.txt"], baselines=True)


# The command


def test_eval_with_baselines(folder, monkeypatch):
    monkeypatch.chdir(folder)
    files = sorted(path.name for path in (folder / "char").iterdir())
    result = run("eval", "--model", "char", "--baselines")
    assert result.exit_code == 0, result.output
    rows = [line for line in result.stdout.splitlines() if "  " in line]
    assert any(line.startswith("this model (gru 1x8)") for line in rows)
    assert any(line.startswith("Kneser-Ney") for line in rows)
    last = result.stdout.splitlines()[-1]
    assert "gram predicts this text better" in last
    assert "train longer" in last
    assert sorted(path.name for path in (folder / "char").iterdir()) == files
    data = json.loads(run("eval", "--model", "char", "--baselines", "--json").stdout)
    assert len(data["baselines"]) == 7
    assert data["baselines"][-1]["name"] == "uniform"
    assert {"nats_per_char", "bits_per_char", "bits_per_byte", "perplexity"} <= set(
        data["baselines"][0]
    )
    assert data["comparison"] == last
    data = json.loads(run("eval", "--model", "char", "--json").stdout)
    assert (data["baselines"], data["comparison"]) == ([], "")
    assert run("eval", "--model", "char", "--baselines", "--nats").exit_code == 2
    result = run("eval", "--model", "char", "--cold-windows", "9", "--nats")
    assert result.exit_code == 0
    assert run("eval", "--model", "char", "--cold-windows", "0").exit_code == 2


# Symbols that the model does not know, or has never met


def test_an_unknown_symbol_is_charged_what_is_expected_of_new_ones(folder):
    checkpoint = load(folder / "char" / "best.npz")
    path = folder / "odd.txt"
    path.write_text("the cat §sat on the mat!" * 9)
    known = evaluate_checkpoint(checkpoint, [path], config=EvalConfig(unknown="skip"))
    found = evaluate_checkpoint(checkpoint, [path], baselines=True)
    assert sum(found.unknown.values()) == 18
    assert found.characters == known.characters + 18 == 9 * 24
    assert found.num_bytes == len(path.read_bytes())
    learned = int(checkpoint.counts.sum())
    once = max(1, int((checkpoint.counts == 1).sum()))
    share = once / (learned + 1)
    assert found.unknown_cost == pytest.approx(-log(share))
    # The known symbols have the rest: together they are a whole distribution.
    wanted = known.total_nats - known.characters * log(1 - share) - 18 * log(share)
    assert found.total_nats == pytest.approx(wanted, rel=1e-9)
    assert f"any other is charged {found.unknown_cost:.2f} nats" in found.protocol
    assert "any other" not in known.protocol
    # Counting opponents are charged the same, and compressors read all of it.
    extra = found.total_nats - known.total_nats
    without = evaluate_checkpoint(
        checkpoint, [path], config=EvalConfig(unknown="skip"), baselines=True
    )
    before = {row.name: row for row in without.baselines}
    for row in found.baselines:
        assert row.characters == found.characters
        if row.kind != "compressor":
            assert row.total_nats == pytest.approx(before[row.name].total_nats + extra)
        else:
            assert row.num_bytes == found.num_bytes


def test_the_cost_of_new_symbols_is_known_without_counts(folder, tmp_path):
    checkpoint = load(folder / "char" / "best.npz")
    checkpoint.counts = None  # a file of format 1
    (tmp_path / "odd.txt").write_text("the §")
    found = evaluate_checkpoint(checkpoint, [tmp_path / "odd.txt"])
    assert found.unknown_cost == pytest.approx(log(checkpoint.characters - checkpoint.held_out + 1))
    assert found.unseen == 0


def test_a_symbol_that_only_the_held_out_part_has_is_part_of_the_loss(tmp_path):
    (tmp_path / "text.txt").write_text("a line of words\n" * 100 + "Q: §\n" * 30)
    words = ["train", tmp_path / "text.txt", "--steps", "5", "--out", tmp_path / "run"]
    assert run(*words, "--hidden-size", "8", "--threads", "1").exit_code == 0
    found = evaluate_checkpoint(load(tmp_path / "run" / "best.npz"), baselines=True)
    assert found.unknown == {}
    assert found.unseen == 3 * 30
    assert 0 < found.unseen_nats < found.total_nats
    result = run("eval", "--model", tmp_path / "run")
    assert f"90 characters, {found.unseen_nats:,.1f} of all {found.total_nats:,.1f} nats" in (
        result.stdout
    )
    assert found.characters == {row.characters for row in found.baselines}.pop()


def test_other_line_ends_than_those_that_were_learned_are_noticed(tmp_path):
    (tmp_path / "crlf.txt").write_bytes(b"some words\r\nand more\r\n" * 60)
    (tmp_path / "lf.txt").write_bytes(b"some words\nand more\n" * 60)
    costs = {}
    for newlines in ("lf", "keep"):
        run = prepare(
            [tmp_path / "crlf.txt"],
            text=TextConfig(newlines=newlines),
            model=ModelConfig(num_layers=1, hidden_size=8, dropout=0.0),
            train=TrainConfig(steps=30, batch_size=4, seq_len=8),
            out=tmp_path / newlines,
        )
        list(run.train())
        found = evaluate_checkpoint(load(tmp_path / newlines / "best.npz"), [tmp_path / "lf.txt"])
        costs[newlines] = found.nats_per_char
        assert any("CR LF" in notice for notice in found.notices) == (newlines == "keep")
    assert costs["lf"] < costs["keep"]


# Texts that repeat the training part


def test_a_text_that_comes_several_times_is_noticed(tmp_path):
    rng = np.random.default_rng(2)
    once = "".join(rng.choice(list("abcdefgh "), 1500).tolist())
    (tmp_path / "four.txt").write_text(f"{once}\n" * 4)
    words = ["train", tmp_path / "four.txt", "--steps", "5", "--out", tmp_path / "run"]
    result = run(*words, "--hidden-size", "8", "--threads", "1")
    assert "in the training part too" in result.stderr
    found = evaluate_checkpoint(load(tmp_path / "run" / "best.npz"), baselines=True)
    assert found.overlap > 0.9
    assert all(row.total_nats > 0 and row.perplexity > 1 for row in found.baselines)
    result = run("eval", "--model", tmp_path / "run")
    assert "also in training" in result.stdout
    assert "of this text is also in the training part, word for word" in result.stderr


# A text that a program gives


@pytest.mark.parametrize("form", ["char", "nfd", "byte"])
def test_a_text_in_memory_is_scored_as_a_file_of_it(folder, form):
    checkpoint = load(folder / form / "best.npz")
    text = "the cat sat on the 각 mat\r\n" * 9
    path = folder / "memory.txt"
    path.write_bytes(text.encode())
    corpus = Corpus.from_text(text, read_like(checkpoint.text, {}))
    found = evaluate_checkpoint(checkpoint, corpus=corpus, baselines=True)
    named = evaluate_checkpoint(checkpoint, [path], baselines=True)
    assert found.to_json() == named.to_json() | {
        "seconds": found.seconds,
        "notices": found.to_json()["notices"],
    }
    assert len(found.notices) == len(named.notices)
    assert found.file_bytes == len(text.encode())


def test_the_text_that_was_learned_is_known_in_memory_too(folder):
    checkpoint = load(folder / "char" / "best.npz")
    found = evaluate_checkpoint(checkpoint, corpus=Corpus.from_text(TEXT))
    assert found.learned == pytest.approx(0.9, abs=0.01)
    assert found.notices == ("the model was trained on 90 % of this text: text in memory",)
    assert found.held_out_nats == pytest.approx(evaluate_checkpoint(checkpoint).nats_per_char)


def test_a_corpus_takes_the_place_of_files(folder):
    checkpoint, corpus = load(folder / "char" / "best.npz"), Corpus.from_text("the cat")
    for more in ({"paths": ["a.txt"]}, {"text": {"newlines": "keep"}}):
        with pytest.raises(ConfigError, match="give one or the other"):
            evaluate_checkpoint(checkpoint, corpus=corpus, **more)
    with pytest.raises(
        ConfigError, match="read with unit char, but the model was trained with byte"
    ):
        evaluate_checkpoint(load(folder / "byte" / "best.npz"), corpus=corpus)


def test_a_file_is_read_as_the_corpus_was():
    own = TextConfig(newlines="keep", normalize="nfd", encoding="utf-8")
    assert read_like(own, {}) == TextConfig(newlines="keep", normalize="nfd", encoding="auto")
    assert read_like(own, {"encoding": "cp949"}).encoding == "cp949"
    assert read_like(TextConfig(encoding="utf-8", errors="skip"), {}).encoding == "utf-8"


# What cannot be scored


def test_a_run_that_held_nothing_out(folder):
    checkpoint = replace(load(folder / "char" / "best.npz"), held_out=0)
    with pytest.raises(CorpusError, match="nothing was held out of training"):
        evaluate_checkpoint(checkpoint)
    found = evaluate_checkpoint(checkpoint, corpus=Corpus.from_text(TEXT))
    assert (found.learned, found.held_out_nats) == (1, None)


def test_a_text_of_which_the_model_knows_nothing(folder):
    checkpoint = load(folder / "char" / "best.npz")
    for config in (EvalConfig(), EvalConfig(exact=True), EvalConfig(cold_windows=3)):
        with pytest.raises(
            CorpusError, match=r"the model knows none of the characters: '§' \(U\+00A7\), '!'"
        ):
            evaluate_checkpoint(checkpoint, corpus=Corpus.from_text("§!§"), config=config)


def test_a_model_that_predicts_nothing_finite(folder):
    checkpoint = load(folder / "char" / "best.npz")
    weights = {name: array.copy() for name, array in checkpoint.weights.items()}
    weights["head.W"][:] = np.inf
    with pytest.raises(CheckpointError, match="predictions are not finite"):
        evaluate_checkpoint(replace(checkpoint, weights=weights))


def test_more_training_is_no_advice_after_the_epochs_that_are_of_use(folder):
    checkpoint = load(folder / "char" / "best.npz")
    assert evaluate_checkpoint(checkpoint, baselines=True).longer_helps
    learned = checkpoint.characters - checkpoint.held_out
    steps = int(MAX_EPOCHS * learned / checkpoint.settings.batch_size / checkpoint.settings.seq_len)
    history = replace(checkpoint.history, step=steps)
    found = evaluate_checkpoint(replace(checkpoint, history=history), baselines=True)
    assert not found.longer_helps
    assert "more text would help most" in found.comparison
    settings = replace(checkpoint.settings, max_epochs=0.0)
    assert evaluate_checkpoint(replace(checkpoint, history=history, settings=settings)).longer_helps


# New symbols, by Good and Turing


def test_the_share_of_new_symbols_is_that_of_those_that_occurred_once():
    counts = np.array([1, 5, 1, 0, 12])
    assert Novelty.of(counts, 99).share == 2 / 20
    assert Novelty.of(np.array([3, 4]), 99).share == 1 / 8  # none did: as if one had
    assert Novelty.of(None, 99).share == 1 / 100


def test_known_and_new_symbols_are_one_distribution():
    novelty = Novelty(0.25)
    assert novelty.charge(0, 1) == novelty.cost == -log(0.25)
    assert novelty.charge(1, 0) == 0  # nothing new, and nothing is charged
    assert novelty.charge(3, 2) == pytest.approx(-2 * log(0.25) - 3 * log(0.75))
