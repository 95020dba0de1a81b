"""Runs with counts: trained, resumed, stored, scored and sampled."""

import dataclasses
import json
import zipfile

import numpy as np
import pytest
from typer.testing import CliRunner

import charrnn
from charrnn.api.report_facts import facts_of
from charrnn.cli.app import app
from charrnn.config import TrainConfig
from charrnn.counts.mixing import EVEN
from charrnn.data.apart import LEAST, MOST, set_apart, size_apart, without_copies
from charrnn.data.sides import Sides
from charrnn.data.tasks import PromptedItems, RunningText, SeparateItems
from charrnn.errors import CheckpointError, ConfigError
from charrnn.evaluation.scorers import Score
from charrnn.evaluation.usual import usual_scorer
from charrnn.storage.checkpoint import load, save
from charrnn.text.codes import to_codes, to_text
from charrnn.training import counting
from charrnn.training.clock import Clock
from charrnn.training.counting import Counting, takes_end
from charrnn.training.events import Finished
from charrnn.training.new import prepare
from charrnn.training.timetable import Timetable

SONG = "the sea was calm and the ship lay still while men sang of a land they had left"
WORDS = SONG.split()
DRAWN = np.random.default_rng(0).zipf(1.4, 2_500) % len(WORDS)
TEXT = "".join(WORDS[number] + (". " if number == 5 else " ") for number in DRAWN)
SHORT = {"hidden_size": 12, "steps": 30, "seq_len": 16, "batch_size": 8}


def trained(*args, **settings):
    """Train to the end; return the model, and what was said."""
    run = charrnn.train(*args, **settings)
    return run, [event.message for event in run if hasattr(event, "message")]


@pytest.fixture(scope="module")
def run():
    return trained(text=TEXT, counts=True, **SHORT)[0]


def test_sizes_of_what_is_set_apart():
    assert [size_apart(n) for n in (0, 4, 100, 1_000, 5_000, 20_000)] == [0, 0, 20, 200, 1000, 1000]
    assert size_apart(10**5) == 5_000
    assert size_apart(10**8) == MOST
    sizes = [size_apart(n) for n in range(0, 300_000, 37)]
    assert sizes == sorted(sizes)
    assert sizes[-1] >= LEAST


@pytest.mark.parametrize("n", [0, 1, 4, 1_001, 50_000])
def test_the_middle_of_running_text_is_set_apart(n):
    codes = np.arange(n, dtype=np.uint32)
    sides, apart = set_apart(Sides(codes, codes[:0]), RunningText())
    assert len(apart) == size_apart(n)
    before = (n - len(apart)) // 2
    np.testing.assert_array_equal(np.insert(sides.learned, before, apart), codes)


def test_the_end_of_running_text_is_set_apart_without_a_copy():
    codes = np.arange(50_000, dtype=np.uint32)
    sides, apart = set_apart(Sides(codes, codes[:0]), RunningText(), at_end=True)
    assert apart[0] == len(sides.learned) == 47_500
    assert np.shares_memory(sides.learned, codes)
    assert np.shares_memory(apart, codes)


def test_the_end_is_set_apart_where_the_middle_is_not_counted(monkeypatch):
    assert not takes_end(10_000_000, 0)
    assert takes_end(10_000_001, 0)
    assert not takes_end(10_000_000, 1)
    assert takes_end(5_000_000, 5 / 60)
    monkeypatch.setattr(counting, "SYMBOLS_PER_MINUTE", 4_000)
    for minutes, at_end in ((1.0, True), (10.0, False)):
        assert begun(TEXT, minutes=minutes).train.apart_at_end == at_end


def begun(text, start=None, **settings):
    """The setup of a run with counts."""
    train = TrainConfig(counts=True, **(settings or {"steps": 1}))
    return prepare([], content=text, train=train, init_from=start and start.checkpoint)._setup


LEARNED = "the --init-from model was trained on the text that is set apart"


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("sea", "see", 1)], ids=["same", "corrected"])
def test_a_run_from_a_model_with_counts_sets_apart_the_same(run, text):
    first, second = begun(text), begun(text, run.model)
    assert first.apart.tolist() == second.apart.tolist()
    assert not second.train.apart_at_end
    assert not any(LEARNED in notice for notice in second.notices)


def test_a_run_on_a_grown_text_sets_apart_its_new_end(run):
    setup = begun(TEXT + TEXT[::-1][:8_000], run.model)
    assert setup.train.apart_at_end
    assert to_text(setup.apart) not in TEXT
    assert not any(LEARNED in notice for notice in setup.notices)


def test_a_run_on_another_text_sets_apart_its_middle(run):
    setup = begun(TEXT[::-1], run.model)
    assert not setup.train.apart_at_end
    assert not any(LEARNED in notice for notice in setup.notices)


def test_a_model_that_has_learned_what_is_set_apart_is_told():
    plain = trained(text=TEXT, **{**SHORT, "steps": 2})[0]
    for more in ({}, {"steps": 1, "val_fraction": 0.2}):
        assert any(LEARNED in notice for notice in begun(TEXT, plain.model, **more).notices)
    lines = "\n".join(sorted({TEXT[n : n + 9] for n in range(0, 9000, 7)}))
    plain = trained(text=lines, items="line", **{**SHORT, "steps": 2})[0]
    setup = begun(lines, plain.model, items="line", steps=1)
    assert any(LEARNED in notice for notice in setup.notices)
    assert not setup.train.apart_at_end


def test_items_are_set_apart_whole_from_all_over_a_list():
    lines = [f"{number:05}\n" for number in range(4_000)]
    codes = np.frombuffer("".join(lines).encode(), np.uint8)
    sides, apart = set_apart(Sides(codes, codes[:0]), SeparateItems("line", 10))
    taken = apart.tobytes().decode().splitlines(keepends=True)
    left = sides.learned.tobytes().decode().splitlines(keepends=True)
    assert sorted(taken + left) == lines
    places = [int(line) for line in taken]
    assert len(places) == pytest.approx(200, abs=2)
    assert max(np.diff(places)) < 30


def in_lines(codes):
    return codes.tobytes().decode().splitlines()


def test_an_item_is_set_apart_with_all_its_copies():
    lines = np.random.default_rng(0).permutation([f"{n:04}" for n in range(300)] * 10).tolist()
    codes = np.frombuffer("".join(f"{line}\n" for line in lines).encode(), np.uint8)
    sides, apart = set_apart(Sides(codes, codes[:0]), SeparateItems("line", 10))
    assert len(in_lines(apart)) == pytest.approx(size_apart(len(codes)) / 5, rel=0.1)
    assert not set(in_lines(apart)) & set(in_lines(sides.learned))


def test_a_frequent_item_is_not_set_apart():
    codes = np.frombuffer(
        ("yes\n" * 900 + "".join(f"{n}\n" for n in range(100))).encode(), np.uint8
    )
    _, apart = set_apart(Sides(codes, codes[:0]), SeparateItems("line", 10))
    assert "yes" not in in_lines(apart)
    assert len(apart) > 4


@pytest.mark.parametrize("answers", [2, 300])
def test_prompted_items_are_set_apart_by_what_follows_the_prompt(answers):
    lines = [f"{n}\t{n * 7 % answers}" for n in range(3_000)]
    codes = np.frombuffer("".join(f"{line}\n" for line in lines).encode(), np.uint8)
    sides, apart = set_apart(Sides(codes, codes[:0]), PromptedItems("line", 10))
    assert len(apart) == pytest.approx(size_apart(len(codes)), rel=0.2)
    learned, taken = (
        {line.split("\t")[1] for line in in_lines(part)} for part in (sides.learned, apart)
    )
    assert bool(learned & taken) == (answers == 2)  # with few answers, whole items


def test_a_mixture_is_fitted_on_one_copy_of_each_item():
    lines = b"one\ttwo\nx\none\ttwo\nthree\ttwo\nx\n"
    codes = np.frombuffer(lines, np.uint8)
    for task in (SeparateItems("line", 10), PromptedItems("line", 10)):
        assert without_copies(codes, task).tobytes() == b"one\ttwo\nx\nthree\ttwo\n"
    assert without_copies(codes, RunningText()) is codes
    assert not len(without_copies(codes[:0], SeparateItems("line", 10)))


def test_counts_that_do_not_help_are_not_recommended(monkeypatch):
    for mixed, words in ((1.0, "score and sample mix them"), (3.0, "leave --counts out of eval")):
        values = iter([Score(2.0, 1), Score(mixed, 1)])
        monkeypatch.setattr(counting, "score", lambda *_, values=values, **__: next(values))
        setup = begun(TEXT)
        setup.history.best_nats = 2.0
        found, message = Counting(setup).mixed(setup.checkpoint(None), 1)
        assert words in message
        assert found.history.mixed_nats == mixed


def test_the_protocol_says_how_the_weights_were_found(run):
    fitted = run.model.evaluate(counts=True).protocol
    assert "with weights fitted on a piece of that part" in fitted
    even = trained(text="ab", counts=True, **{**SHORT, "steps": 1})[0].model
    assert "with equal weights" in even.evaluate(text="ab", counts=True).protocol


def test_many_copies_leave_most_of_a_short_list_to_learn_from():
    lines = [f"{n:04}" for n in range(100)]
    lines[4:4] = ["aaaa"] * 150
    codes = np.frombuffer("".join(f"{line}\n" for line in lines).encode(), np.uint8)
    _, apart = set_apart(Sides(codes, codes[:0]), SeparateItems("line", 10))
    assert 0 < len(apart) <= size_apart(len(codes))


def test_a_long_item_without_copies_changes_nothing():
    lengths = [400] * 100 + [20_000] + [400] * 100
    lines = [f"{n:03}".ljust(length, "x") for n, length in enumerate(lengths)]
    codes = np.frombuffer("".join(f"{line}\n" for line in lines).encode(), np.uint8)
    _, apart = set_apart(Sides(codes, codes[:0]), SeparateItems("line", 10))
    count = round(201 * size_apart(len(codes)) / len(codes))
    expected = np.linspace(0, 200, count + 2, dtype=np.int64)[1:-1]  # as in all older versions
    assert [int(line[:3]) for line in in_lines(apart)] == expected.tolist()


@pytest.mark.parametrize(
    ("text", "more"), [("ab", {}), ("\n".join("abcdefgh" * 2_000), {"items": "line"})]
)
def test_where_nothing_can_be_set_apart_it_is_said(text, more):
    setup = begun(text, steps=1, **more)
    assert not len(setup.apart)
    assert any("both get equal weights" in said for said in setup.notices)


def test_counting_is_no_overhead(monkeypatch):
    def lap(self, kind, work=1.0):
        return 100.0 if kind == "counting" else 0.0

    monkeypatch.setattr(Clock, "lap", lap)
    run = charrnn.train(text=TEXT, counts=True, **SHORT)
    timetable = run._run._timetable
    *_, finished = run
    assert finished.overhead == 0
    assert timetable.reserved > 0


def test_a_run_of_minutes_reserves_time_to_mix():
    setup = begun(TEXT, minutes=1.0)
    scorer = setup.scorer(1_000)
    timetable = Timetable(setup, scorer, 0.5)
    assert timetable.done(9, 45) == pytest.approx(0.75)
    timetable.reserve_for_mixing(2.0, scorer.characters)
    assert timetable.reserved == 2.0 + 8.5 * 0.5
    assert timetable.done(9, 45) == pytest.approx(45 / 53.75)
    timetable.validation_seconds = 0.1  # as measured since
    assert timetable.reserved == pytest.approx(2.0 + 8.5 * 0.1)
    timetable.reserve_for_mixing(200.0, scorer.characters)
    assert timetable.done(9, 30) == 1  # half of the time is for training


def test_a_network_that_has_diverged_is_mixed_with_equal_weights(tmp_path):
    setup = begun(TEXT)
    best = setup.checkpoint(None)
    rng = np.random.default_rng(0)
    broken = {
        name: rng.choice([-1e38, 1e38], array.shape).astype(array.dtype)
        for name, array in best.weights.items()
    }
    mixed, message = Counting(setup).mixed(dataclasses.replace(best, weights=broken), 1)
    assert mixed.counting == EVEN
    assert message == ""
    assert mixed.history.mixed_nats is None
    save(tmp_path / "model.npz", mixed)
    assert load(tmp_path / "model.npz").table is not None


def test_what_is_held_out_has_no_influence_on_the_counts():
    cut = len(TEXT) - len(TEXT) // 10
    held = list(TEXT[cut:])
    np.random.default_rng(1).shuffle(held)
    one, two = (
        trained(text=text, counts=True, patience=0, validations=1, **SHORT)[0].model.checkpoint
        for text in (TEXT, TEXT[:cut] + "".join(held))
    )
    assert one.history.best_nats != two.history.best_nats
    assert one.counting == two.counting != EVEN
    for name in ("symbols", "shares", "children"):
        np.testing.assert_array_equal(getattr(one.table, name), getattr(two.table, name))


def test_no_string_of_a_run_of_items_goes_on_after_the_end_of_one():
    lines = "\n".join(sorted({TEXT[n : n + 5] for n in range(0, 6000, 7)}))
    model = trained(text=lines, items="line", counts=True, **{**SHORT, "steps": 2})[0].model
    table = model.checkpoint.table
    first, last = table.sizes[0], sum(table.sizes[:-1])
    end = model.vocabulary.encode(np.array([10], np.uint8))[0]
    assert (table.symbols[first:last] == end).any()
    assert not table.children[first:][table.symbols[first:last] == end].any()


def test_counts_lower_the_loss_of_a_short_run(run):
    mixed = run.model.evaluate(counts=True)
    alone = run.model.evaluate()
    assert mixed.network_nats == pytest.approx(alone.total_nats)
    assert mixed.network.nats_per_char == pytest.approx(alone.nats_per_char)
    assert mixed.nats_per_char < alone.nats_per_char - 0.1
    assert "mixed with counts" in mixed.protocol
    assert "counts" not in alone.protocol


def test_the_end_says_what_counts_gain():
    _, notices = trained(text=TEXT, counts=True, **SHORT)
    assert any("mixed with counts of the training part" in message for message in notices)


def test_the_loss_with_counts_is_kept(run):
    finished, history = run.finished, run.model.checkpoint.history
    assert finished.val_characters == finished.held_out
    assert finished.mixed_nats == history.mixed_nats < finished.best_nats
    assert finished.mixed_nats == pytest.approx(run.model.evaluate(counts=True).nats_per_char)
    assert trained(text=TEXT, **SHORT)[0].finished.mixed_nats is None


def test_a_report_without_the_text_has_the_loss_with_counts(run):
    checkpoint = run.model.checkpoint
    facts = dict(facts_of(checkpoint, "its text is gone", checkpoint.history))
    assert facts["the same, with counts"].startswith(f"{checkpoint.history.mixed_nats:.3f} nats")
    facts = dict(facts_of(checkpoint, run.model.evaluate(counts=True), checkpoint.history))
    assert "the same, with counts" not in facts  # the figures of the whole text stand there
    assert "with counts" in repr(run)


def test_a_better_state_is_not_yet_mixed_with_counts():
    run = prepare([], content=TEXT, train=TrainConfig(counts=True, steps=3))
    run.history.mixed_nats = 0.5  # of the end of this run before it was resumed
    for event in run.train():
        if event.kind == "validated" and event.best:
            assert run.history.mixed_nats is None
            return
    raise AssertionError("no validation was the best")


def test_counts_are_never_worse_than_the_opponent(run):
    mixed = run.model.evaluate(counts=True, baselines=True)
    ngram = next(row for row in mixed.baselines if row.name.startswith("Kneser-Ney"))
    assert mixed.nats_per_char < ngram.nats_per_char + 0.02


def test_workers_change_no_score(run):
    text = TEXT * 4
    scored = usual_scorer(to_codes(text), run.model.vocabulary, task=RunningText())
    assert scored.num_shards == 2
    one, two = (
        run.model.evaluate(text=text, counts=True, threads=threads).total_nats for threads in (1, 2)
    )
    assert one == two


def test_a_resumed_run_has_the_same_counts(tmp_path):
    corpus = tmp_path / "text.txt"
    corpus.write_text(TEXT)
    whole, _ = trained([corpus], counts=True, out=tmp_path / "whole", **SHORT)
    half = charrnn.train([corpus], counts=True, out=tmp_path / "half", **SHORT)
    half.stop()
    *_, last = half
    assert last.step < 30
    assert charrnn.load(tmp_path / "half").evaluate(counts=True).network is not None
    resumed = charrnn.resume(tmp_path / "half")
    one, two = whole.model.checkpoint, resumed.model.checkpoint
    assert one.counting == two.counting
    for name in ("symbols", "shares", "children"):
        np.testing.assert_array_equal(getattr(one.table, name), getattr(two.table, name))


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("\n".join(sorted({TEXT[n : n + 5] for n in range(0, 6000, 7)})), {"items": "line"}),
        ("".join(f"{'ab'[n % 2]}\t{'xy'[n % 2] * 3}{n}\n" for n in range(400)), {"prompted": True}),
        (TEXT[:3000], {"unit": "byte"}),
        ("나는 학교에 간다. 너는 집에 온다. " * 60, {"normalize": "nfd"}),
        (TEXT[:3000], {"members": 2}),
        (TEXT[:3000], {"split_mode": "strided"}),
        (TEXT[:3000], {"val_fraction": 0.0}),
        ("ab", {}),
        *[("abcadbeafc"[:n], {}) for n in (3, 4, 6, 10)],
        ("a" * 300, {}),
        ("ab" * 60, {}),
    ],
)
def test_every_kind_of_text_can_be_counted(text, more):
    run = charrnn.train(text=text, counts=True, **{**SHORT, "steps": 8, **more})
    scored = run.model.evaluate(text=text, counts=True)
    assert np.isfinite(scored.nats_per_char)
    assert scored.network is not None
    prompt = {"prompt": "a"} if "prompted" in more else {}
    assert len(run.model.sample(num_samples=3, length=8, counts=True, **prompt)) == 3


def test_a_model_without_counts_has_none_to_mix():
    plain = charrnn.train(text=TEXT[:2000], **{**SHORT, "steps": 2}).model
    for call in (plain.evaluate, plain.sample):
        with pytest.raises(ConfigError, match="train one with --counts"):
            call(counts=True)


def test_counts_are_of_text_or_labels_alone():
    with pytest.raises(ConfigError, match="--predict spaces do not go together"):
        charrnn.train(text=TEXT, counts=True, predict="spaces", steps=2)
    pairs = "".join(f"{'ab'[n % 2]}\t{'xy'[n % 2]}{n}\n" for n in range(200))
    labels = charrnn.train(text=pairs, counts=True, predict="label", steps=4, hidden_size=8).model
    with pytest.raises(ConfigError, match="predicts label"):
        labels.evaluate(counts=True)


def test_scores_are_those_of_the_mixture(run):
    model = run.model
    one = model.score("the ship ", counts=True)
    assert one.total_nats != model.score("the ship ").total_nats
    several = model.score(["the ship ", "the sea"], counts=True)
    assert several.total_nats[0] == pytest.approx(one.total_nats, rel=1e-5)
    begun = model.score("the ship ", context="the men sang of ", counts=True)
    evaluated = model.evaluate(
        text="the ship ", context="the men sang of ", counts=True, exact=True
    )
    assert begun.total_nats == pytest.approx(evaluated.total_nats, rel=1e-5)


def test_the_likeliest_symbol_of_the_mixture_is_drawn(run):
    model = run.model
    drawn = model.sample("the ", length=12, temperature=0, counts=True)[4:]
    for place, symbol in enumerate(drawn):
        before = "the " + drawn[:place]
        costs = {
            chr(code): model.score(chr(code), context=before, counts=True).total_nats
            for code in model.vocabulary.symbols
        }
        assert min(costs, key=costs.__getitem__) == symbol


def test_dynamic_evaluation_has_no_counts(run):
    with pytest.raises(ConfigError, match="--dynamic"):
        run.model.evaluate(counts=True, dynamic=True)


def test_counts_survive_a_file(run, tmp_path):
    path = tmp_path / "model.npz"
    run.model.save(path)
    again = charrnn.load(path)
    assert again.evaluate(text=TEXT[:500], counts=True).total_nats == pytest.approx(
        run.model.evaluate(text=TEXT[:500], counts=True).total_nats, rel=1e-12
    )


def test_info_shows_the_counts(run, tmp_path):
    run.model.save(tmp_path / "model.npz")
    shown = CliRunner().invoke(app, ["info", str(tmp_path / "model.npz"), "--json"]).stdout
    counts, checkpoint = json.loads(shown)["counts"], run.model.checkpoint
    assert counts["sizes"] == list(checkpoint.table.sizes)
    assert counts["temperature"] == checkpoint.counting.temperature
    rows = CliRunner().invoke(app, ["info", str(tmp_path / "model.npz")]).stdout
    assert f", with counts {checkpoint.history.mixed_nats:.3f} nats" in rows


def test_a_run_prints_the_loss_with_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT)
    small = ["--counts", "--steps", "30", "--hidden-size", "12", "--seq-len", "16", "--json"]
    result = CliRunner().invoke(app, ["train", "text.txt", *small])
    assert result.exit_code == 0, result.output
    finished = json.loads(result.stdout)
    assert finished["mixed_nats"] < finished["best_nats"]
    assert f"the validation loss is {finished['mixed_nats']:.3f} nats" in result.stderr
    alone, mixed = finished["best_nats"], finished["mixed_nats"]
    assert f"best validation loss: {alone:.3f} nats" in result.stderr
    assert f" per character, with counts {mixed:.3f} nats" in result.stderr
    assert "next: charrnn sample --counts\n      charrnn eval --counts\n" in result.stderr


def test_the_next_steps_use_counts_unless_they_do_harm():
    ended = Finished("done", 1, 1.0, 2.0, 2.0, 1)
    for best, mixed, help_ in ((2.0, 1.0, True), (1.0, 2.0, False), (None, None, None)):
        found = dataclasses.replace(ended, best_nats=best, mixed_nats=mixed)
        assert found.counts_help is help_


def test_the_next_steps_of_a_run_without_a_held_out_part_use_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT[:3_000])
    small = ["--counts", "--steps", "3", "--hidden-size", "12", "--val-fraction", "0"]
    result = CliRunner().invoke(app, ["train", "text.txt", *small])
    assert "next: charrnn sample --counts\n      charrnn eval text.txt --counts\n" in result.stderr
    for words in (["sample", "--counts", "--length", "1"], ["eval", "text.txt", "--counts"]):
        assert CliRunner().invoke(app, words).exit_code == 0


def changed(path, member, change):
    """Write a file again with one member changed."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members[member] = change(members[member])
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def array_changed(change):
    def apply(data):
        head, body = data[:128], data[128:]
        return head + change(body)

    return apply


def of_meta(**more):
    def apply(data):
        text = data[data.index(b"\n") + 1 :]
        meta = json.loads(text)
        meta["table"] |= more
        body = json.dumps(meta).encode()
        head = data[: data.index(b"\n") + 1]
        size = str(len(text)).encode()
        padded = head.replace(b"(" + size + b",)", b"(" + str(len(body)).encode() + b",)")
        padded = padded[:-1].rstrip(b" ")
        return padded.ljust(len(head) - 1) + b"\n" + body

    return apply


@pytest.mark.parametrize(
    ("member", "change", "message"),
    [
        ("table.symbols.npy", array_changed(lambda body: body[::-1]), "not in order"),
        ("table.symbols.npy", array_changed(lambda body: b"\xff" * len(body)), "unknown symbols"),
        ("table.shares.npy", array_changed(lambda body: bytes(len(body))), "not probabilities"),
        ("table.children.npy", array_changed(lambda body: bytes(len(body))), "not a tree"),
        ("table.children.npy", array_changed(lambda body: b"\xff" * len(body)), "not a tree"),
        ("table.shares.npy", array_changed(lambda body: body[:-2]), "malformed"),
        ("meta.npy", of_meta(sizes=[]), "malformed"),
        ("meta.npy", of_meta(sizes=[10**12] * 3), "larger than any"),
        ("meta.npy", of_meta(sizes=[-1, 5]), "malformed"),
        ("meta.npy", of_meta(sizes=[1] * 100), "malformed"),
        ("meta.npy", of_meta(temperature=0.0), "impossible"),
        ("meta.npy", of_meta(temperature="hot"), "malformed"),
        ("meta.npy", of_meta(weights=[1e300] * 6), "malformed"),
        ("meta.npy", of_meta(weights=[0.0] * 5), "malformed"),
        ("meta.npy", of_meta(weights=None), "malformed"),
    ],
)
def test_a_hostile_table_is_refused(run, tmp_path, member, change, message):
    path = tmp_path / "model.npz"
    run.model.save(path)
    load(path)
    changed(path, member, change)
    with pytest.raises(CheckpointError, match=message):
        load(path)


def test_a_table_larger_than_any_of_charrnn_is_refused(run, tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    run.model.save(path)
    most = run.model.checkpoint.table.num_bytes
    monkeypatch.setattr("charrnn.storage.counts.MOST_BYTES", most)
    load(path)
    monkeypatch.setattr("charrnn.storage.counts.MOST_BYTES", most - 1)
    with pytest.raises(CheckpointError, match="its counts are larger than any"):
        load(path)


def test_a_state_that_was_never_mixed_names_the_one_that_is(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT[:2000])
    settings = {**SHORT, "steps": 3}
    trained([tmp_path / "text.txt"], counts=True, out=tmp_path / "run", **settings)
    with pytest.raises(ConfigError, match=r"best\.npz"):
        charrnn.load(tmp_path / "run" / "last.npz").evaluate(counts=True)


def test_a_table_needs_the_setting(run, tmp_path):
    checkpoint = run.model.checkpoint
    settings = dataclasses.replace(checkpoint.settings, counts=False)
    path = tmp_path / "model.npz"
    save(path, dataclasses.replace(checkpoint, settings=settings))
    with pytest.raises(CheckpointError, match="do not match its settings"):
        load(path)


def test_a_mixture_that_is_worse_than_guessing_is_not_blamed_on_the_network(
    run, tmp_path, monkeypatch
):
    run.model.save(tmp_path / "model.npz")
    found = run.model.evaluate(text=TEXT[:500], counts=True)
    worse = dataclasses.replace(found, total_nats=99.0 * found.characters)
    monkeypatch.setattr("charrnn.api.model.Model.evaluate", lambda *_, **__: worse)
    shown = CliRunner().invoke(app, ["eval", "--model", str(tmp_path / "model.npz"), "--counts"])
    assert ": leave out --counts" in " ".join(shown.stderr.split())


@pytest.mark.parametrize(
    ("alone", "mixed", "words", "advice"),
    [
        (99.0, 1.0, [], "add --counts"),
        (1.0, 99.0, ["--counts"], "leave out --counts"),
        (99.0, 98.0, ["--counts"], "train again, "),
        (99.0, 1.0, ["--counts"], ""),
        (1.0, 99.0, [], ""),
    ],
)
def test_a_sample_is_judged_by_what_it_is_drawn_from(run, tmp_path, alone, mixed, words, advice):
    checkpoint = run.model.checkpoint
    history = dataclasses.replace(checkpoint.history, best_nats=alone, mixed_nats=mixed)
    save(tmp_path / "model.npz", dataclasses.replace(checkpoint, history=history))
    asked = ["sample", "--model", str(tmp_path / "model.npz"), "--length", "1", *words]
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0, shown.output
    assert ("notice: " in shown.stderr) == bool(advice)
    assert advice in shown.stderr


def test_a_useless_network_is_advised_to_use_its_counts(run, tmp_path, monkeypatch):
    run.model.save(tmp_path / "model.npz")
    worse = dataclasses.replace(run.model.evaluate(), total_nats=99.0 * len(TEXT))
    monkeypatch.setattr("charrnn.api.model.Model.evaluate", lambda *_, **__: worse)
    shown = CliRunner().invoke(app, ["eval", "--model", str(tmp_path / "model.npz")])
    assert ": add --counts" in " ".join(shown.stderr.split())
