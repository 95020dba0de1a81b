"""Reports of runs: what is in them, for every kind of model, and what they refuse."""

import base64
import hashlib
import json
import os
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from math import nan

import numpy as np
import pytest
from hostile import ALL
from labelled_texts import names as labelled_names
from programs import NAMES
from typer.testing import CliRunner

import charrnn
from charrnn.api import report, report_text
from charrnn.api.report_log import moments_of, samples_of
from charrnn.cli.app import app
from charrnn.errors import CharrnnError
from charrnn.storage.checkpoint import load, save
from charrnn.storage.history import History
from charrnn.storage.log import read_log, write_log
from charrnn.views.report.charts import charts
from charrnn.views.report.content import Letter, Moment, Passage, RunContent
from charrnn.views.report.page import GENERATOR, report_page

pytest.importorskip("matplotlib")

TEXT = "".join(
    f'The "{chr(97 + n % 26)}quick" (brown) fox, No. {n}, jumps.\nOVER {n % 7} lazy dogs!\n\n'
    for n in range(250)
)
WORDS = NAMES.split()
KOREAN = "".join(f"나는 학교에 간다. 너는 {n} 있니?\n오늘은 7월 3일이다.\n" for n in range(120))
SMALL = {
    "hidden_size": 8,
    "num_layers": 1,
    "batch_size": 4,
    "seq_len": 16,
    "dropout": 0.0,
    "threads": 1,
    "validations": 4,
}
KINDS = {
    "stream": (TEXT, {}),
    "counts": (TEXT, {"counts": True}),
    "deep": (TEXT, {"num_layers": 2, "members": 2}),
    "lines": ("".join(f"{a}{b}\n" for a in WORDS[::4] for b in WORDS[::9]), {"items": "line"}),
    "blocks": (TEXT, {"items": "blank-line"}),
    "prompted": ("".join(f"{n}\t{n}{n}\n" for n in range(900)), {"prompted": True}),
    "bytes": (KOREAN, {"unit": "byte"}),
    "jamo": (KOREAN, {"normalize": "nfd"}),
    "label": (labelled_names(), {"predict": "label"}),
    "spaces": (TEXT, {"predict": "spaces"}),
}

EMPTY = RunContent("", "", "", [], [], "character", "", "")


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in ("report", *words)], prog_name="charrnn")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a text and a run for every kind of model."""
    folder = tmp_path_factory.mktemp("report")
    for kind, (text, settings) in KINDS.items():
        (folder / f"{kind}.txt").write_text(text, encoding="utf-8")
        out, steps = folder / "runs" / kind, 40
        list(charrnn.train(folder / f"{kind}.txt", out=out, steps=steps, **{**SMALL, **settings}))
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(report_text, "LEAST_HALF", 50)
    return folder


class Page(HTMLParser):
    """The elements of a page, the text of each kind of them, and what a browser would run."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.attributes, self.open = [], {}, [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        for tag in set(self.open[-1:]):
            self.texts.setdefault(tag, []).append(data)

    @property
    def data(self):
        """What the script reads."""
        return json.loads(self.texts["script"][0])


def page_of(*models, **settings):
    path = charrnn.report(models, "page.html", **settings)
    text = path.read_text("utf-8")
    path.unlink()
    return text


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model(here, kind):
    text = page_of(kind)
    page = Page(text)
    assert page.texts["h1"] == [kind]
    headings = [
        "Learning curves",
        "Samples during training",
        "Surprise by character",
        "Interpretable units",
    ]
    assert page.texts["h2"] == [*headings, "Results", "Settings"]
    assert len(text.encode()) < 2_000_000
    assert page.tags.count("svg") >= 3
    assert page.tags.count("script") == 2
    assert len(page.data["samples"][0]) == len(
        [event for event in read_log(here / "runs" / kind) if event["event"] == "sampled"]
    )
    labelled = KINDS[kind][1].get("predict")
    assert len(page.data["passages"]) == (not labelled)
    if labelled:
        assert "predicts" in " ".join(page.texts["p"])
        assert "matrix" in [value for *_, value in page.attributes]
    else:
        assert "Kneser-Ney" in text
        letters = page.data["passages"][0]
        spans = re.search(r'<div class="text[^>]*role="group"[^>]*>(.*?)</div>', text, re.DOTALL)
        assert spans[1].count("<span") == len(letters)
        for _, nats, expected in letters:
            assert (nats is None) == (not expected)
            for guesses in expected:
                shares = [share for _, share in guesses]
                assert len(shares) == 5
                assert shares == sorted(shares, reverse=True)
                assert sum(shares) <= 1.001
    assert "untrained" in text


def test_what_a_character_cost_is_what_the_model_scores(here):
    letters = Page(page_of("stream", text="stream.txt")).data["passages"][0]
    shown = "".join(text.replace("\\n", "\n") for text, *_ in letters)
    start = TEXT.index(shown[:60])
    model = charrnn.load("stream")
    scores = model.score(TEXT[: start + len(shown)]).nats[start:]
    # Other than score, a passage begins with the first character of what is read before it.
    for (_, nats, (guesses,)), cost in list(zip(letters, scores, strict=True))[50:]:
        assert nats == pytest.approx(cost, abs=2e-2)
        assert guesses[0][1] >= 2.718**-nats - 0.01


def test_prompts_are_read_and_not_scored(here):
    letters = Page(page_of("prompted")).data["passages"][0]
    lines = "".join(
        "?" if nats is None else text.replace("\\n", "\n") for text, nats, _ in letters
    ).split("\n")
    assert all(re.fullmatch(r"\?+\d+", line) for line in lines[:-1])


def test_whole_characters_of_bytes_and_jamo(here):
    for kind, symbols in (("bytes", 3), ("jamo", 2)):
        letters = Page(page_of(kind)).data["passages"][0]
        assert {text for text, *_ in letters} <= {*KOREAN, "\\n"}
        assert max(len(expected) for *_, expected in letters) >= symbols


def test_counts_are_mixed_in_results_and_left_out_of_the_passage(here):
    text = page_of("counts")
    page = Page(text)
    assert {"this model (gru 1x8), with counts", "this model (gru 1x8)"} <= {*page.texts["td"]}
    assert "This is the network alone" in text
    assert "This is the network alone" not in page_of("stream")


def test_runs_are_compared(here, monkeypatch):
    measured = []
    of_text = report.of_text

    def watched(evaluation, model):
        measured.append(evaluation.baselines)
        return of_text(evaluation, model)

    monkeypatch.setattr(report, "of_text", watched)
    text = page_of("stream", "deep")
    assert len(measured[0]) > 3
    assert measured[0] is measured[1]  # measured once
    page = Page(text)
    assert page_of("stream", "deep", baselines=False).count("Baselines were left out") == 1
    assert page.texts["h1"] == ["2 runs"]
    assert any(heading.startswith("Compared: ") for heading in page.texts["h2"])
    assert "only losses within a group" not in text
    assert "members" in page.texts["td"]
    assert len(page.data["passages"]) == 2
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_losses_of_other_splits_are_kept_apart(here):
    text = page_of("stream", "lines", "bytes")
    page = Page(text)
    assert "only losses within a group can be compared" in text
    assert not any(heading.startswith("Compared") for heading in page.texts["h2"])
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_files_in_another_order_are_another_split(here, tmp_path):
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for file, text in zip(files, (TEXT[:4000], TEXT[4000:8000]), strict=True):
        file.write_text(text)
    list(charrnn.train(files, out=tmp_path / "ab", steps=2, **SMALL))
    list(charrnn.train(files[::-1], out=tmp_path / "ba", steps=2, **SMALL))
    text = page_of(tmp_path / "ab", tmp_path / "ba", baselines=False)
    assert "only losses within a group can be compared" in text


def test_networks_are_compared_with_networks(here):
    page = Page(page_of("stream", "counts", baselines=False))
    assert any(heading.startswith("Compared: ") for heading in page.texts["h2"])
    assert "held-out part, with counts" in page.texts["th"]
    found = charrnn.load("counts").evaluate(counts=True)
    for cost in (found.network, found):
        assert f"{cost.nats_per_char:.4f}" in page.texts["td"]
    plain = charrnn.load("stream").evaluate().nats_per_char
    row = page.texts["td"].index("stream")
    assert page.texts["td"][row + 3 : row + 5] == [f"{plain:.4f}", "\u2013"]
    assert "best validation of the network alone" in page.texts["dt"]


def test_a_model_that_diverged(here, tmp_path):
    wild = load(here / "runs" / "stream" / "best.npz")
    wild.weights = {
        name: np.where(np.arange(array.size).reshape(array.shape) % 2, 3e38, -3e38).astype("f4")
        for name, array in wild.weights.items()
    }
    save(tmp_path / "wild.npz", wild)
    page = Page(page_of(tmp_path / "wild.npz", text="stream.txt"))
    assert report_text.DIVERGED in page.texts["p"]
    assert page.data["passages"] == []
    with pytest.raises(ValueError, match="not JSON compliant"):
        report_page([replace(EMPTY, passage=Passage([Letter("a", nan)], ""))])


def test_only_its_own_script_runs(here):
    text = page_of("stream")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[-1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert not re.findall(r"(?:https?:)?//(?!www\.w3\.org/)[\w.]+\.\w+/", text)


def test_a_hostile_run_is_only_shown(here, tmp_path):
    name = "<img src=x onerror=attack()>\u202e & $x_"
    hostile = tmp_path / name
    shutil.copytree(here / "runs" / "stream", hostile)
    log = read_log(hostile)
    for event in log:
        if event["event"] == "sampled":
            event["text"] = ALL
    write_log(hostile, [*log, {"event": "sampled", "step": 10**400, "text": "x"}, {"step": -1}])
    text = page_of(hostile)
    page = Page(text)
    assert page.tags.count("script") == 2
    assert "img" not in page.tags
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert "attack()" in page.texts["h1"][0]
    assert not set(text) & {"\u202e", "\x00", "\x07", "\u2028", "\ud800", "\u2066"}
    assert "<" not in page.texts["script"][0]
    assert any("\\u202e" in sample for _, sample in page.data["samples"][0])


def test_an_old_log_and_none(here, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(here / "runs" / "stream", old)
    kept = ("step", "nats", "best", "accuracy", "train_nats", "rate", "norm", "event")
    events = [
        {name: event[name] for name in kept}
        for event in read_log(old)
        if event["event"] == "validated"
    ]
    write_log(old, events)
    page = Page(page_of(old))
    titles = page.texts["figcaption"]
    assert any(title.startswith("Loss by step") for title in titles)
    assert not any("time" in title for title in titles)
    assert "The log of this run has no samples" in " ".join(page.texts["p"])
    write_log(old, [])
    assert any(title.startswith("Loss by step") for title in Page(page_of(old)).texts["figcaption"])
    moments = moments_of([], History(rows=[(3, 1.5, None)]))
    assert [(moment.step, moment.training, moment.validation) for moment in moments] == [
        (3, 1.5, None)
    ]


def test_numbers_of_a_log_that_are_none():
    events = [
        {"event": "progress", "step": 1, "nats": True, "grad_norm": 1e300, "learning_rate": "x"},
        {"event": "validated", "step": 2, "nats": None, "seconds": 10**400},
        {"event": "validated", "step": 1.5, "nats": 1.0},
        {"event": "other", "step": 3},
    ]
    moments = moments_of([events[0]] * 2 + events, History())
    assert [moment.step for moment in moments] == [1, 1, 1, 2]
    for moment in moments:
        assert (moment.seconds, moment.training, moment.validation) == (None, None, None)
        assert (moment.norm, moment.rate) == (None, None)


def test_times_before_a_run_are_unknown():
    event = {"event": "validated", "step": 2, "nats": 1.0, "seconds": -5}
    (moment,) = moments_of([event, {**event, "step": -2}], History())
    assert moment == Moment(2, validation=1.0)
    (moment,) = moments_of([], History(rows=[(2, 10**400, None)]))
    assert moment == Moment(2)
    # A chart has no need to know.
    drawn = charts([replace(EMPTY, moments=[Moment(-2, seconds=-5, validation=1.0)])], [0])
    assert len(drawn) == 2


def test_validations_stand_in_for_progress_where_that_is_sparse():
    progress = {"event": "progress", "step": 9, "nats": 1.0}
    validated = {"event": "validated", "step": 4, "nats": 2.0, "train_nats": 3.0, "norm": 0.5}
    for count, expected in ((1, [3.0, 3.0]), (3, [None, None, 1.0, 1.0, 1.0])):
        moments = moments_of([validated] * 2 + [progress] * count, History())
        assert [moment.training for moment in moments] == expected


def test_samples_are_thinned_evenly():
    events = [{"event": "sampled", "step": step, "text": "a" * step} for step in range(100)]
    found = samples_of(events, 4)
    assert [step for step, _ in found] == [0, 33, 66, 99]
    assert samples_of(events[:3], 4) == [(0, ""), (1, "a"), (2, "aa")]


def test_the_text_is_gone(here, tmp_path, monkeypatch):
    moved = tmp_path / "a" / "b" / "moved"
    shutil.copytree(here / "runs" / "stream", moved)
    (moved / "sources.json").unlink()
    elsewhere = tmp_path / "elsewhere" / "text.txt"
    elsewhere.parent.mkdir(parents=True)
    shutil.move(here / "stream.txt", elsewhere)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")  # other texts beside the old one are the same
    try:
        text = page_of(moved)
        assert text.count("not available") >= 3
        named = Page(page_of(moved, text=str(elsewhere)))
        assert len(named.data["passages"]) == 1
    finally:
        shutil.move(elsewhere, here / "stream.txt")


def test_an_untrained_run_without_a_best_state(here, tmp_path):
    new = tmp_path / "new"
    events = iter(charrnn.train(here / "stream.txt", out=new, steps=3, **SMALL))
    next(events)
    events.close()
    assert not (new / "best.npz").exists()
    text = page_of(new)
    assert "untrained" in text
    assert "The log has no losses yet." in text
    assert len(Page(text).data["passages"]) == 1


def test_a_text_too_small_to_hold_out(here, tmp_path):
    (tmp_path / "small.txt").write_text("abc abd " * 12)
    list(charrnn.train(tmp_path / "small.txt", out=tmp_path / "run", steps=2, **SMALL))
    text = page_of(tmp_path / "run")
    assert text.count("Nothing was held out") >= 2 or "too short" in text


def test_the_command(here):
    result = run("stream", "--no-baselines")
    assert result.exit_code == 0, result.output
    path = here / "runs" / "stream" / "report.html"
    assert result.stdout == f"{path.relative_to(here)}\n"
    assert "--no-baselines" in path.read_text("utf-8")
    assert run("stream", "--no-baselines").exit_code == 0  # an earlier report is replaced
    path.unlink()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stream", "-o", "stream.txt"], "stream.txt exists and is not a report"),
        (["stream", "-o", "runs"], "cannot be replaced"),
        (["stream", "-o", "gone/page.html"], "the folder gone does not exist"),
        (["nothing"], "neither a checkpoint nor a run"),
        (["label", "--text", "stream.txt", "-o", "x.html"], "--text applies to models that"),
        (["stream", "--text", "gone.txt", "-o", "x.html"], "gone.txt"),
        ([f"{number}" for number in range(21)], "at most 20 runs"),
    ],
)
def test_what_is_refused_in_one_line(here, words, said):
    before = (here / "stream.txt").read_text()
    result = run(*words)
    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert (here / "stream.txt").read_text() == before


def test_nothing_is_written_through_a_link(here, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(here / "runs" / "stream", folder)
    target, path = tmp_path / "target.html", folder / "report.html"
    path.symlink_to("../target.html")
    for _ in ("a dangling link", "a link to a report"):
        with pytest.raises(CharrnnError, match="is a symbolic link"):
            charrnn.report(folder, baselines=False)
        assert not target.exists() or target.read_text() == GENERATOR
        target.write_text(GENERATOR)
    path.unlink()
    os.link(target, path)
    charrnn.report(folder, baselines=False)
    assert "Learning" in path.read_text("utf-8")
    assert target.read_text() == GENERATOR
    assert sorted(item.name for item in tmp_path.iterdir()) == ["run", "target.html"]


def test_without_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CharrnnError, match="there is no run under"):
        charrnn.report()


def test_without_matplotlib(here, monkeypatch):
    from charrnn.views.report import charts

    monkeypatch.setattr(charts, "find_spec", lambda name: None)
    result = run("stream")
    assert result.exit_code == 1
    assert "pip install matplotlib" in result.stderr


def test_the_samples_and_the_progress_of_a_run_are_logged(here):
    for kind in KINDS:
        log = read_log(here / "runs" / kind)
        samples = [event for event in log if event["event"] == "sampled"]
        assert samples[-1]["step"] == 40
        assert 0 < len(samples[-1]["text"]) <= 1000
        progress = [event for event in log if event["event"] == "progress"]
        assert progress
        assert all(event["seconds"] > 0 for event in log if event["event"] == "validated")
