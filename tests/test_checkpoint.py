"""Checkpoints: what is written is read; what comes from anyone is refused or right."""

import json
import os
import socket
import struct
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fuzz import checkpoints as fuzz
from scores import score_ids

import charrnn
from charrnn.config import Architecture, SampleConfig, TrainConfig
from charrnn.errors import CharrnnError, CheckpointError
from charrnn.evaluation.evaluate import evaluate_checkpoint
from charrnn.evaluation.labels.labeller import Labeller
from charrnn.nn.model import CharModel
from charrnn.sampling.drawing import generate
from charrnn.storage import checkpoint as module
from charrnn.storage import meta as meta_module
from charrnn.storage import npz
from charrnn.storage.checkpoint import load, save
from charrnn.storage.counts import ARRAYS
from charrnn.storage.formats import upgraded
from charrnn.storage.history import ACCURACIES, LATER
from charrnn.text import read_corpus
from charrnn.training.resume import resume
from tests.launching import PATIENCE
from tests.tracing import untraced

DATA = Path(__file__).parent / "data"
PLACE = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """The bytes of last.npz and best.npz of a run of each cell."""
    return fuzz.make_bases(tmp_path_factory.mktemp("bases"))


@pytest.fixture
def last(bases, tmp_path):
    path = tmp_path / "last.npz"
    path.write_bytes(bases[2])
    return path


def members_of(data):
    return {member.name.decode(): member for member in fuzz.split(data)}


def with_meta(data, change):
    """Return a checkpoint with another description, its sums right."""
    members = members_of(data)
    meta = json.loads(fuzz.body(members["meta.npy"]))
    changed = change(meta)
    text = changed if isinstance(changed, bytes) else json.dumps(changed or meta).encode()
    members["meta.npy"].data = meta_member(text)
    return fuzz.join(list(members.values()))


def meta_member(text):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({len(text)},), }}"
    return fuzz.npy(text, header)


def error_of(path):
    with pytest.raises(CheckpointError) as caught:
        load(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 1000
    assert not isinstance(caught.value.__cause__, fuzz.UNEXPECTED)
    return message


# What is written is read


def test_a_round_trip(bases, tmp_path):
    for number, data in enumerate(bases):
        path = tmp_path / f"{number}.npz"
        path.write_bytes(data)
        checkpoint = load(path)
        again = tmp_path / "again.npz"
        save(again, checkpoint)
        assert again.read_bytes() == data
        assert fuzz.same(load(again), checkpoint)
        assert bool(checkpoint.training) == (number % 2 == 0)


def test_the_first_format_goes_on_loading():
    checkpoint = load(DATA / "format-1.npz")
    assert checkpoint.vocabulary.decode(range(10)) == "\n ,aefortw"
    assert checkpoint.sources[0].path == "/corpora/tea.txt"
    assert (checkpoint.characters, checkpoint.held_out) == (1500, 150)
    assert (checkpoint.architecture.cell, checkpoint.architecture.hidden_size) == ("lstm", 4)
    assert [row[0] for row in checkpoint.history.rows] == [100, 200, 300, 400]
    assert sorted(checkpoint.training) == ["m", "state", "v"]
    ids = checkpoint.vocabulary.encode_text("tea for two, two for tea\n")
    assert score_ids(checkpoint.model(), ids) == pytest.approx(16.7663, abs=2e-3)
    config = SampleConfig(length=12, temperature=0)
    drawn = generate(checkpoint.model(), checkpoint.vocabulary, config)
    assert "".join(text for _, text in drawn) == "or twor twor"


def test_the_second_format_goes_on_loading():
    checkpoint = load(DATA / "format-2.npz")
    assert (checkpoint.characters, checkpoint.held_out) == (1016, 101)
    assert checkpoint.architecture == Architecture(cell="lstm", hidden_size=4)
    settings = checkpoint.settings
    assert (settings.steps, settings.minutes, settings.batch_size) == (400, 0, 8)
    assert (settings.shards, settings.items, settings.split_mode) == (1, "", "contiguous")
    assert checkpoint.validation.validations == 4
    assert [row[0] for row in checkpoint.history.rows] == [100, 200, 300, 400]
    ids = checkpoint.vocabulary.encode_text("tea for two, two for tea\n")
    assert score_ids(checkpoint.model(), ids) == pytest.approx(23.4521, abs=2e-3)
    config = SampleConfig(length=12, temperature=0)
    drawn = generate(checkpoint.model(), checkpoint.vocabulary, config)
    assert "".join(text for _, text in drawn) == "t for tetete"


@pytest.mark.parametrize(("hidden_size", "shards"), [(256, 2), (512, 4)])
def test_a_wide_run_of_the_second_format_keeps_its_shards(hidden_size, shards):
    meta = json.loads(fuzz.body(members_of((DATA / "format-2.npz").read_bytes())["meta.npy"]))
    meta["model"] |= {"hidden_size": hidden_size, "num_layers": 2}
    meta["train"] |= {"batch_size": 64, "seq_len": 50}
    assert upgraded(meta)["train"]["shards"] == shards


def test_a_run_of_the_second_format_goes_on(tmp_path, monkeypatch):
    # A list, half trained by the charrnn that wrote it; it went on to this loss.
    ends = ["x", "y", "za", "mo", "ne"]
    begins = [a + b for a in ("an", "be", "co", "da") for b in ("na", "li", "ri", "to")]
    names = [begin + end for begin in begins for end in ends]
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    Path("run").mkdir()
    Path("run/last.npz").write_bytes((DATA / "format-2-lines.npz").read_bytes())
    run = resume("run", length=TrainConfig(steps=60))
    assert run.plan.resumed_at == 30
    for _ in run.train():
        pass
    last = load("run/last.npz")
    assert last.history.step == 60
    assert evaluate_checkpoint(last).nats_per_char == pytest.approx(0.94704, abs=2e-3)


def test_the_third_format_goes_on_loading():
    checkpoint = load(DATA / "format-3.npz")
    assert (checkpoint.characters, checkpoint.held_out) == (1114, 111)
    assert checkpoint.architecture == Architecture(
        cell="gru", num_layers=2, hidden_size=4, dropout=0.2
    )
    assert checkpoint.architecture.context == 0
    assert [row[0] for row in checkpoint.history.rows] == [15, 30]
    ids = checkpoint.vocabulary.encode_text("tea for two two for tea\n")
    assert score_ids(checkpoint.model(), ids) == pytest.approx(35.1554, abs=2e-3)


def test_a_run_of_the_third_format_goes_on(tmp_path, monkeypatch):
    words = ["tea", "for", "two", "and", "me", "at", "four"]
    text = "".join(words[i * i % 7] + (" " if i % 5 else "\n") for i in range(300))
    monkeypatch.chdir(tmp_path)
    Path("tea.txt").write_text(text, encoding="utf-8")
    Path("run").mkdir()
    Path("run/last.npz").write_bytes((DATA / "format-3.npz").read_bytes())
    run = resume("run", length=TrainConfig(steps=60))
    assert run.plan.resumed_at == 30
    for _ in run.train():
        pass
    # What the charrnn that wrote it went on to.
    assert evaluate_checkpoint(load("run/last.npz")).nats_per_char == pytest.approx(
        0.90597, abs=2e-3
    )


def test_the_fourth_format_goes_on_loading():
    checkpoint = load(DATA / "format-4.npz")
    assert checkpoint.labels == ("closed", "open")
    assert checkpoint.ngrams is None
    assert not checkpoint.settings.ngrams
    assert len(checkpoint.mixture) == 3
    found = Labeller(checkpoint).label(["bada", "todi"])
    assert found[0].labels == {"open": pytest.approx(0.99989, abs=1e-5)}
    assert found[1].labels == {"closed": pytest.approx(0.99997, abs=1e-5)}


def test_the_sixth_format_goes_on_loading():
    model = charrnn.load(DATA / "format-6.npz")
    assert model.checkpoint.text.column is None
    assert model.score("jugs").total_nats == pytest.approx(13.24701, abs=1e-4)
    assert model.score("jugs", counts=True).total_nats == pytest.approx(10.17344, abs=1e-4)


def test_a_run_of_the_seventh_format_goes_on(tmp_path, monkeypatch):
    # The end of its training part was set apart to fit the counts; it went on to this loss.
    monkeypatch.chdir(tmp_path)
    text = "".join(f"{number} cups of tea for two, " for number in range(60))
    Path("tea.txt").write_text(text, encoding="utf-8")
    Path("run").mkdir()
    Path("run/last.npz").write_bytes((DATA / "format-7.npz").read_bytes())
    for _ in resume("run", length=TrainConfig(steps=20)).train():
        pass
    model = charrnn.load("run")
    assert model.checkpoint.settings.apart_at_end
    assert model.evaluate().nats_per_char == pytest.approx(0.78302, abs=1e-4)
    assert model.evaluate(counts=True).nats_per_char == pytest.approx(0.32456, abs=1e-4)


@pytest.mark.parametrize(
    ("format_", "change", "at_end"),
    [
        (7, {"counts": True}, True),
        (8, {"counts": True, "apart_at_end": False}, False),
        (8, {"counts": True, "apart_at_end": True}, True),
        (8, {"counts": True, "apart_at_end": False, "characters": 11_200_000}, True),
        (8, {"counts": True, "apart_at_end": False, "characters": 11_000_000}, False),
        (7, {"counts": False}, False),
        (7, {"counts": True, "items": "line"}, False),
        (7, {"counts": True, "predict": "label"}, False),
    ],
    ids=str,
)
def test_where_older_runs_set_apart_text_for_counts(format_, change, at_end):
    plain = {"counts": False, "predict": "", "prompted": False, "items": ""}
    sizes = {"characters": change.get("characters", 9_000), "held_out": 1_100_000}
    meta = {"format": format_, "train": {**plain, **change}, **sizes}
    assert upgraded(meta)["train"]["apart_at_end"] == at_end


def test_a_model_of_the_eighth_format_has_n_grams_of_its_training_part(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = (f"{'tea' if n % 3 else 'milk'}\t{n} cups for {n * n % 7}\n" for n in range(90))
    Path("cups.tsv").write_text("".join(lines), encoding="utf-8")
    model = charrnn.load(DATA / "format-8.npz")
    assert not model.checkpoint.refitted
    found = model.evaluate(["cups.tsv"], baselines=True)
    assert not any("n-grams" in notice for notice in found.notices)
    found = model.predict(["12 cups for 4"], top=2)[0].labels
    assert found == pytest.approx({"milk": 0.64137, "tea": 0.35863}, abs=1e-4)
    own = model.checkpoint.sides(read_corpus(["cups.tsv"]))
    assert model.checkpoint.kept.tolist() == own.learned.tolist()


def test_every_number_of_a_history_comes_back(last, tmp_path):
    checkpoint = load(last)
    checkpoint.history.rows = [(3, -1e-9, None), (4, 1.5, float("inf")), (5, 0.0, 2.5)]
    checkpoint.history.best_nats, checkpoint.history.best_step = None, None
    save(tmp_path / "a.npz", checkpoint)
    assert repr(load(tmp_path / "a.npz").history) == repr(checkpoint.history)


def test_a_validation_that_was_no_number_costs_infinitely_much(last, tmp_path):
    checkpoint = load(last)
    checkpoint.history.rows = [(3, 1.5, float("nan"))]  # as files of before have it
    save(tmp_path / "a.npz", checkpoint)
    assert load(tmp_path / "a.npz").history.rows == [(3, 1.5, float("inf"))]


AMOUNTS = ("seconds", "nats_sum", "rate_factor", "best_interval", "overhead", "stopped")


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), float("-inf")], ids=repr)
@pytest.mark.parametrize("name", [*AMOUNTS, "best_nats", "next_pass", "mixed_nats", *ACCURACIES])
def test_no_number_of_a_history_is_negative_or_none_at_all(last, name, value):
    data = with_meta(last.read_bytes(), lambda meta: meta["history"].update({name: value}))
    last.write_bytes(data)
    assert f"its history has an impossible {name}" in error_of(last)


@pytest.mark.parametrize(
    "row",
    [
        [1, float("nan"), 2.0],
        [1, float("inf"), 2.0],
        [1, -1.0, 2.0],
        [1, 1.0, -1.0],
        [1, 1.0, float("-inf")],
        [-1, 1.0, 1.0],
    ],
    ids=repr,
)
def test_no_validation_of_a_history_is_negative_or_of_a_loss_that_is_no_number(last, row):
    last.write_bytes(with_meta(last.read_bytes(), lambda meta: meta["history"].update(rows=[row])))
    assert "its history has an impossible rows" in error_of(last)


@pytest.mark.parametrize("name", ACCURACIES)
def test_no_share_of_a_history_is_above_all(last, name):
    change = {name: 1.01}
    last.write_bytes(with_meta(last.read_bytes(), lambda meta: meta["history"].update(change)))
    assert f"impossible {name}" in error_of(last)


def test_what_could_not_be_read_is_not_written(last, monkeypatch):
    before = last.read_bytes()
    checkpoint = load(last)
    for name in checkpoint.weights:
        broken = {**checkpoint.weights, name: checkpoint.weights[name] * np.float32("nan")}
        with pytest.raises(CheckpointError, match=f"{name} has values that are not finite"):
            save(last, replace(checkpoint, weights=broken))
    monkeypatch.setattr(meta_module, "META_LIMIT", 100)
    with pytest.raises(CheckpointError, match="join the files"):
        save(last, checkpoint)
    assert last.read_bytes() == before
    assert os.listdir(last.parent) == ["last.npz"]  # noqa: PTH208


def test_what_has_another_type_is_not_written(last):
    checkpoint = load(last)
    before = last.read_bytes()
    model = CharModel(checkpoint.architecture, len(checkpoint.vocabulary), dtype=np.float64)
    model.parameters.fill(checkpoint.weights)
    with pytest.raises(
        CheckpointError, match=r"is float64, and a checkpoint stores float32: create"
    ):
        save(last, replace(checkpoint, weights=model.parameters))
    state = {**checkpoint.training, "state": checkpoint.training["state"].astype("f2")}
    with pytest.raises(CheckpointError, match=r"training\.state is float16"):
        save(last, replace(checkpoint, training=state))
    assert last.read_bytes() == before


def test_the_bytes_are_those_of_numpy(last, tmp_path):
    """And so they follow from the arrays alone, on every day and with every NumPy."""
    with np.load(last) as archive:
        np.savez(tmp_path / "numpy.npz", **archive)
    assert (tmp_path / "numpy.npz").read_bytes() == last.read_bytes()


def test_an_array_may_lie_in_any_order(last, tmp_path):
    checkpoint = load(last)
    turned = {name: np.asfortranarray(array) for name, array in checkpoint.weights.items()}
    striped = {name: np.repeat(array, 2, 0)[::2] for name, array in checkpoint.training.items()}
    save(tmp_path / "a.npz", replace(checkpoint, weights=turned, training=striped))
    assert (tmp_path / "a.npz").read_bytes() == last.read_bytes()


def test_what_cannot_be_read_back_takes_no_files_place(last, monkeypatch):
    checkpoint, before = load(last), last.read_bytes()
    write = module.write_arrays

    def with_one_more(file, arrays):
        write(file, {**arrays, "more": np.array(False)})

    monkeypatch.setattr(module, "write_arrays", with_one_more)
    with pytest.raises(CheckpointError, match=r"cannot be read back \(its arrays do not match"):
        save(last, checkpoint, verify=True)
    assert last.read_bytes() == before
    assert os.listdir(last.parent) == ["last.npz"]  # noqa: PTH208
    save(last, checkpoint)
    assert "do not match its model" in error_of(last)


def test_what_numpy_2_0_wrote_can_be_read(last, tmp_path):
    """There, ``np.savez(file, allow_pickle=False, **arrays)`` had one array more."""
    with zipfile.ZipFile(last) as archive, zipfile.ZipFile(tmp_path / "old.npz", "w") as old:
        for member in archive.infolist():
            old.writestr(member, archive.read(member))
        with old.open("allow_pickle.npy", "w") as file:
            np.lib.format.write_array(file, np.array(False))
    again, whole = load(tmp_path / "old.npz"), load(last)
    assert again.history == whole.history
    for name, weight in whole.weights.items():
        assert (again.weights[name] == weight).all()


# What is not a file


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices of POSIX")
def test_what_is_no_regular_file_is_refused_at_once(bases, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "it is a pipe, not a file" in error_of(tmp_path / "pipe")
    assert "it is a device, not a file" in error_of(Path("/dev/zero"))
    assert "a folder" in error_of(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        assert "it is a socket, not a file" in error_of(tmp_path / "socket")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "file.npz")
    with pytest.raises(CheckpointError, match="No such file"):
        load(link)
    (tmp_path / "file.npz").write_bytes(bases[0])
    assert load(link).history.step == 3
    link.unlink()
    link.symlink_to(link)
    with pytest.raises(CheckpointError, match="link"):
        load(link)
    for name in ("a\0b", "x" * 300):
        with pytest.raises(CheckpointError):
            load(name)


# Damage, case by case; ``m`` is the members by name


def packed(m, name, method=8, data=b""):
    plain = m[name].data + data
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    m[name].size, m[name].crc, m[name].method = len(plain), zlib.crc32(plain), method
    m[name].data = raw.compress(plain) + raw.flush()


def header(m, name, text):
    m[name].data = fuzz.npy(fuzz.body(m[name]), text)


def shape(sizes, dtype="<f4", fortran=False):
    return f"{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {sizes}, }}"


HEAD = "model.head.W.npy"
MADE = {
    "another type": (lambda m: header(m, HEAD, shape("(28, 4)", "<f8")), "<f8"),
    "objects": (lambda m: header(m, HEAD, shape("(28, 4)", "|O")), "malformed|O"),
    "another shape": (lambda m: header(m, HEAD, shape("(4, 28)")), "but its model needs"),
    "column-major order": (
        lambda m: header(m, HEAD, shape("(28, 4)", fortran=True)),
        "column-major order",
    ),
    "a huge shape": (lambda m: header(m, HEAD, shape("(1000000000000, 4)")), "but its model"),
    "a shape of 4,000 digits": (lambda m: header(m, HEAD, shape(f"({'9' * 4000},)")), "is (999"),
    "a shape of 50,000 digits": (lambda m: header(m, HEAD, shape(f"({'9' * 50000},)")), "digits"),
    "code in the header": (lambda m: header(m, HEAD, "__import__('os').abort()"), "malformed"),
    "a deep header": (lambda m: header(m, HEAD, "(" * 30_000), "malformed"),
    "npy version 2": (
        lambda m: setattr(m[HEAD], "data", b"\x93NUMPY\2\0" + m[HEAD].data[8:]),
        "unknown version",
    ),
    "too short": (lambda m: setattr(m[HEAD], "data", m[HEAD].data[:-1]), "truncated"),
    "too long": (lambda m: setattr(m[HEAD], "data", m[HEAD].data + b"1234"), "too long"),
    "NaN": (
        lambda m: setattr(m[HEAD], "data", m[HEAD].data[:-4] + struct.pack("<f", float("nan"))),
        "not finite",
    ),
    "no description": (lambda m: m.pop("meta.npy"), "no charrnn model"),
    "an array is missing": (lambda m: m.pop(HEAD), "do not match its model"),
    "an array too many": (lambda m: m.update(x=fuzz.Member(b"x.npy", b"")), "do not match"),
    "a member twice": (lambda m: m.update(x=fuzz.Member(HEAD.encode(), b"")), "twice"),
    "a path": (lambda m: m.update(x=fuzz.Member(b"../../x.npy", b"")), "do not match"),
    "an absolute path": (lambda m: setattr(m[HEAD], "name", b"/etc/passwd"), "do not match"),
    "a folder": (lambda m: m.update(x=fuzz.Member(b"x/", b"")), "do not match"),
    "12,000 members": (
        lambda m: m.update({str(i): fuzz.Member(b"%d" % i, b"") for i in range(12_000)}),
        "more content than it has",
    ),
    "compressed": (lambda m: packed(m, HEAD), "compressed"),
    "a bomb": (lambda m: packed(m, "meta.npy", data=bytes(20_000_000)), "compressed"),
    "an unknown method": (lambda m: packed(m, HEAD, method=99), "compressed"),
    "encrypted": (lambda m: setattr(m[HEAD], "flags", 1), "encrypted"),
    "strongly encrypted": (lambda m: setattr(m[HEAD], "flags", 0x41), "ncrypt"),
    "a wrong sum": (lambda m: setattr(m[HEAD], "crc", 1), "CRC"),
    "a wrong sum of the description": (lambda m: setattr(m["meta.npy"], "crc", 1), "CRC"),
    "a huge size": (
        lambda m: [setattr(m[HEAD], name, 2**31) for name in ("size", "packed")],
        "more content than it has",
    ),
    "a description of a huge size": (
        lambda m: [setattr(m["meta.npy"], name, 2**32 - 2) for name in ("size", "packed")],
        "more content than it has",
    ),
    "another's data": (lambda m: setattr(m[HEAD], "offset", 0), "differ"),
    "an offset beyond the end": (lambda m: setattr(m[HEAD], "offset", 2**31), "file header"),
}
META = {
    "format 10": (
        lambda meta: {**meta, "format": 10},
        "its format is 10, and this charrnn reads formats 1 to 9: update charrnn",
    ),
    "format 0": (lambda meta: {**meta, "format": 0}, "its format is 0"),
    "too few counts": (lambda meta: {**meta, "counts": [1]}, "counts"),
    "negative counts": (lambda meta: {**meta, "counts": [-n for n in meta["counts"]]}, "counts"),
    "counts that are words": (lambda meta: {**meta, "counts": "many"}, "counts"),
    "format True": (lambda meta: {**meta, "format": True}, "format is True"),
    "format 1.0": (lambda meta: {**meta, "format": 1.0}, "format is 1.0"),
    "a long format": (lambda meta: {**meta, "format": "1" * 10_000}, "its format is '111"),
    "a list": (lambda meta: [meta], "format is None"),
    "no JSON": (lambda meta: b"{'format': 1}", "property name"),
    "UTF-16": (lambda meta: json.dumps(meta).encode("utf-16"), "decode"),
    "deep lists": (lambda meta: b"[" * 1_000_000, "recursion"),
    "deep objects": (lambda meta: b'{"a":' * 1_000_000, "recursion"),
    "too many lists": (lambda meta: b"[" + b"[],[]," * 1_100_000 + b"[]]", "too long"),
    "too many values": (lambda meta: b"[" + b"1," * 8_400_000 + b"1]", "too long"),
    "too many bytes": (lambda meta: b" " * (2**26 + 1), "too long"),
    "a number of many digits": (lambda meta: b"1" * 1_000_000, "digits"),
    "a setting of many characters": (
        lambda meta: meta["train"].update(optimizer="x" * 1_000_000),
        "--optimizer 'xxx",
    ),
    "an unknown setting": (lambda meta: meta["model"].update(x=1), "unknown setting"),
    "a huge vocabulary": (
        lambda meta: meta["vocabulary"].update(symbols=list(range(200_000))),
        "code point|too short",
    ),
    "a huge model": (
        lambda meta: meta["model"].update(hidden_size=16384, num_layers=64),
        "do not match its model",
    ),
    "a wide model": (lambda meta: meta["model"].update(hidden_size=16384), "too short"),
    "a deep model": (lambda meta: meta["model"].update(num_layers=10**9), "num-layers"),
    "a huge state": (
        lambda meta: meta["training"].update(state=[2, 2, 4, 2**40]),
        "too short",
    ),
    "a shape of many huge sizes": (
        lambda meta: meta["training"].update(state=[10**4000] * 500),
        "malformed",
    ),
    "no corpus": (lambda meta: meta.update(sources=[]), "names no corpus"),
    "a NUL in a path": (lambda meta: meta["sources"][0].update(path="a\0b"), "corpus files"),
    "a held-out part that is all": (
        lambda meta: meta.update(held_out=meta["characters"]),
        "its split is impossible",
    ),
    "held-out files that it does not have": (
        lambda meta: meta["train"].update(split_mode="files", val_files=9),
        "its split is impossible",
    ),
    "held-out files of no number": (
        lambda meta: meta["train"].update(split_mode="files", val_files=0),
        "its split is impossible",
    ),
    "no way to go on": (lambda meta: meta["train"].update(batch_size=None), "--batch-size None"),
    "no end": (lambda meta: meta["train"].update(steps=0), "do not say how"),
}
WHOLE = {
    "empty": (lambda data: b"", "another kind of file, or truncated"),
    "a text": (lambda data: b"hello\n" * 1000, "another kind of file, or truncated"),
    "a pickle": (lambda data: b"\x80\4cos\nsystem\n(S'false'\ntR.", "another kind of file"),
    "a zip of nothing": (lambda data: fuzz.join([]), "no charrnn model"),
    "cut in the middle": (lambda data: data[: len(data) // 2], "truncated"),
    "its last byte missing": (lambda data: data[:-1], "truncated"),
    "its first byte missing": (lambda data: data[1:], "zip|argument|another kind"),
    "a long list of members": (
        lambda data: data[:-10] + struct.pack("<LLH", 2**31, 0, 0),
        "zip|Bad|more|another kind",
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_made_damage(name, last):
    change, said = MADE[name]
    members = members_of(last.read_bytes())
    change(members)
    last.write_bytes(fuzz.join(list(members.values())))
    assert any(word in error_of(last) for word in said.split("|")), error_of(last)


@pytest.mark.parametrize("name", META)
def test_a_damaged_description(name, last):
    change, said = META[name]
    last.write_bytes(with_meta(last.read_bytes(), change))
    assert any(word in error_of(last) for word in said.split("|")), error_of(last)


@pytest.mark.parametrize("name", WHOLE)
def test_other_files(name, last):
    change, said = WHOLE[name]
    last.write_bytes(change(last.read_bytes()))
    assert any(word in error_of(last) for word in said.split("|")), error_of(last)


def test_a_wrong_type_in_every_field(last):
    """Every value of the description replaced by every other kind of value, one at a time."""
    data = last.read_bytes()
    original = load(last)
    meta = json.loads(fuzz.body(members_of(data)["meta.npy"]))
    meta["vocabulary"]["symbols"] = meta["vocabulary"]["symbols"][:2]  # one stands for all
    paths = [path for path, _ in walk(meta)]
    assert len(paths) > 60
    tried, causes = 0, set()
    for path in paths:
        for value in (None, True, -1, 2**70, float("nan"), "\x1b[2J", [[1]], {}):

            def change(meta, path=path, value=value):
                for key in path[:-1]:
                    meta = meta[key]
                meta[path[-1]] = value

            last.write_bytes(with_meta(data, change))
            tried += 1
            try:
                checkpoint = load(last)
            except CheckpointError as error:
                causes.add(type(error.__cause__))
            else:
                for array in original.weights:
                    assert np.array_equal(checkpoint.weights[array], original.weights[array])
    assert tried > 400
    assert not causes & set(fuzz.UNEXPECTED)


def walk(tree, path=()):
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield (*path, key), value
        if isinstance(value, dict | list):
            yield from walk(value, (*path, key))


def test_a_missing_field_of_the_description(last):
    data = last.read_bytes()
    meta = json.loads(fuzz.body(members_of(data)["meta.npy"]))
    for group in (None, "vocabulary", "history", "training"):
        for name in meta if group is None else meta[group]:
            if name in ("places", *LATER):  # older files of this format have none
                continue

            def change(meta, group=group, name=name):
                del (meta if group is None else meta[group])[name]

            last.write_bytes(with_meta(data, change))
            error_of(last)


def test_a_file_that_is_larger_than_memory(last, monkeypatch):
    monkeypatch.setattr(npz, "installed_memory", lambda: 1000)
    assert "this machine has" in error_of(last)


def test_a_damaged_weight_is_never_loaded(bases, tmp_path):
    """Every byte of a file, flipped: an error, or a byte that means nothing."""
    path = tmp_path / "a.npz"
    data = bases[5]  # the smallest
    path.write_bytes(data)
    original = load(path)
    for place in range(0, len(data), 11):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        try:
            assert fuzz.same(load(path), original)
        except CheckpointError:
            continue


LIMITED = """
import os, resource, sys
from charrnn.storage.checkpoint import load
from charrnn.errors import CheckpointError
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * os.sysconf("SC_PAGE_SIZE") + 64 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for path in sys.argv[1:]:
    try:
        load(path)
        print("loaded", path)
    except CheckpointError as error:
        print(type(error.__cause__).__name__)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_little_memory_is_enough_to_refuse(last, tmp_path):
    """With 64 MB to spare, what announces more is refused by a check and not by luck."""
    data = last.read_bytes()
    paths = []
    for number, (name, (change, _)) in enumerate({**MADE, **META}.items()):
        if name.startswith("too many"):
            continue
        path = tmp_path / f"{number}.npz"
        if name in META:
            path.write_bytes(with_meta(data, change))
        else:
            members = members_of(data)
            change(members)
            path.write_bytes(fuzz.join(list(members.values())))
        paths.append(path)
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, *map(str, paths)],
        env=untraced(PYTHONPATH=str(PLACE), OPENBLAS_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    causes = result.stdout.splitlines()
    assert len(causes) == len(paths)
    assert "MemoryError" not in causes
    assert not any(cause.startswith("loaded") for cause in causes)


def test_numpy_reads_them_too(last):
    with np.load(last, allow_pickle=False) as arrays, zipfile.ZipFile(last) as archive:
        assert archive.testzip() is None
        checkpoint = load(last)
        for name, weight in checkpoint.weights.items():
            assert np.array_equal(arrays[f"model.{name}"], weight)


def test_what_is_damaged_has_every_array_that_a_checkpoint_can_have(bases):
    names = {name.removesuffix(".npy") for base in bases for name in members_of(base)}
    beside = {name for name in names if not name.startswith(("model.", "training."))}
    linear = {f"ngrams.{name}" for name in ("keys", "weights", "bias", "transitions")}
    assert beside == {"meta", "kept", *linear, *(f"table.{name}" for name in ARRAYS)}


@pytest.mark.skipif(sys.platform == "win32", reason="a timer of POSIX")
def test_some_hundred_mutations(tmp_path):
    """The campaign in small; ``make fuzz`` is the rest."""
    counts = fuzz.campaign(tmp_path, 300, seed=2)
    outcomes = {outcome for _, outcome in counts}
    assert outcomes == {"refused", "same", "other"}
    assert counts.total() == 300


def test_all_errors_are_of_the_package(last):
    last.write_bytes(b"")
    with pytest.raises(CharrnnError):
        load(last)
