"""Samples end with a whole character, and have as many as were asked for; raw bytes; long seeds."""

import base64
import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from programs import trained
from typer.testing import CliRunner

import charrnn
from charrnn.cli.app import app
from charrnn.config import SampleConfig
from charrnn.nn.model import CharModel
from charrnn.sampling.drawing import MOST_SYMBOLS, encode_seed, generate
from charrnn.sampling.stopping import Writer
from charrnn.text import Vocabulary
from charrnn.text.characters import ByteCounter, counter_of, whole_characters
from charrnn.text.codes import to_codes
from charrnn.text.normalizing import may_split_before
from charrnn.text.stream import as_text, raw_bytes, unread
from charrnn.training import glimpse

BYTES = Vocabulary.from_codes(np.empty(0, np.uint8), unit="byte")
KOREAN = "나는 학교에 간다\n값이 없다. 닭을 먹었다 é\n"
JAMO = Vocabulary.from_codes(to_codes(unicodedata.normalize("NFD", KOREAN)), normalize="nfd")
SMALL = {"hidden_size": 16, "num_layers": 1, "threads": 1, "steps": 40}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    (folder / "ko.txt").write_text(KOREAN * 40, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        list(charrnn.train("ko.txt", out="runs/byte", unit="byte", **SMALL))
        list(charrnn.train("ko.txt", out="runs/jamo", normalize="nfd", **SMALL))
        list(charrnn.train("ko.txt", out="runs/lines", unit="byte", lines=True, **SMALL))
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)


def sample(*words, input=None):
    result = CliRunner().invoke(app, ["sample", "--random-seed", "1", *words], input=input)
    assert result.exit_code == 0, result.output
    return result


@given(st.binary(max_size=12) | st.lists(st.sampled_from(range(0x7F, 0x100)), max_size=9))
@example(b"\xe2A")
@example(b"\xf0\x90\x80A")
@example(b"\xed\xa0\x80")
@settings(max_examples=400, deadline=None)
def test_bytes_are_counted_as_a_decoder_shows_them(data):
    data = bytes(data)
    counter = ByteCounter()
    for number, byte in enumerate(data, 1):
        counter.add(byte)
        shown = data[:number].decode("utf-8", "replace")
        assert counter.begun == len(shown)
        # Whatever follows, a complete character stays as it is.
        assert (
            not counter.complete
            or (data[:number] + b"\x80").decode("utf-8", "replace")[: len(shown)] == shown
        )


def test_letters_are_counted_when_they_begin():
    counter = counter_of(JAMO)
    for code in to_codes(unicodedata.normalize("NFD", "값é!")).tolist():
        counter.add(code)
    assert (counter.begun, counter.complete) == (3, False)


@pytest.mark.parametrize("vocabulary", [BYTES, JAMO], ids=["bytes", "jamo"])
@pytest.mark.parametrize("length", [1, 2, 7])
@pytest.mark.parametrize("block", [1, 3, 64])
def test_a_writer_ends_with_the_last_symbol_of_the_last_character(vocabulary, length, block):
    codes = vocabulary.text_to_codes(KOREAN)
    ids = vocabulary.encode(codes).astype(np.intp)
    writer, text = Writer(vocabulary, [], length), ""
    for start in range(0, len(ids), block):
        text += writer.write(ids[start : start + block], False)
    assert (text, writer.ended) == (KOREAN[:length], True)
    assert writer.symbols == whole_characters(vocabulary, codes)[length]


def test_marks_without_end_end():
    marks = Vocabulary(np.array([0x301], np.uint32), "char", "nfd")
    model = CharModel(trained(steps=1).network.config, 1)
    pieces = generate(model, marks, SampleConfig(length=3, random_seed=0))
    assert "".join(text for _, text in pieces) == "\u0301" * 3 * MOST_SYMBOLS


@pytest.mark.parametrize("count", ["1", "3"])
@pytest.mark.parametrize("name", ["byte", "jamo"])
@pytest.mark.parametrize("length", [0, 1, 5, 80])
def test_the_length_counts_what_the_reader_sees(here, name, length, count):
    words = (
        "--model",
        name,
        "--length",
        str(length),
        "-n",
        count,
        "--json",
        "--temperature",
        "0.5",
    )
    rows = [json.loads(line) for line in sample(*words).stdout.splitlines()]
    assert [len(row["text"]) for row in rows] == [length] * int(count)
    for row in rows:
        assert unicodedata.is_normalized("NFC", row["text"])
        if row["text"] and "\ufffd" not in row["text"]:
            scores = charrnn.load(name).score(row["text"])
            assert row["log_probability"] == pytest.approx(-scores.total_nats, abs=1e-3)
    drawn = charrnn.load(name).sample(length=length, random_seed=1, temperature=0.5)
    assert drawn == rows[0]["text"]


def test_panels_of_a_model_of_jamo_have_whole_syllables(monkeypatch, here):
    monkeypatch.setattr(glimpse, "SAMPLE_LENGTH", 17)
    events = charrnn.train("ko.txt", normalize="nfd", samples=True, **SMALL)
    shown = [event.text for event in events if event.kind == "sampled"]
    assert shown
    for text in shown:  # an untrained model draws final consonants that stand alone
        codes = to_codes(unicodedata.normalize("NFD", text))
        first_attaches = not may_split_before(chr(codes[0]))
        assert len(whole_characters(JAMO, codes)) - 1 - first_attaches == 17
    assert all(unicodedata.is_normalized("NFC", text) for text in shown)


@given(st.binary(max_size=20))
def test_a_raw_text_is_the_bytes_themselves(data):
    decoder = BYTES.decoder(raw=True)
    raw = "".join(decoder.decode(byte) for byte in data) + decoder.flush()
    assert raw_bytes(raw) == data
    assert as_text(raw) == data.decode("utf-8", "replace")
    assert unread(data) == raw


def test_bytes_can_be_had_as_they_were_drawn(here):
    wild = ("--model", "byte", "--length", "60", "--temperature", "100")
    shown = sample(*wild).stdout_bytes
    raw = sample(*wild, "--raw").stdout_bytes
    assert "\ufffd".encode() in shown
    assert raw.decode("utf-8", "replace").encode() == shown
    assert raw != shown
    row = json.loads(sample(*wild, "--json").stdout)
    assert base64.b64decode(row["base64"]) == raw
    assert row["text"].encode() == shown
    found = sample(*wild, "--raw", "--copied")
    assert found.stdout_bytes == raw
    assert "longest run copied" in found.stderr
    assert "base64" not in sample("--model", "jamo", "--length", "5", "--json").stdout


def test_bytes_of_items_can_be_had_too(here):
    wild = ("--model", "lines", "--length", "30", "--temperature", "100", "-n", "3")
    rows = [json.loads(line) for line in sample(*wild, "--json").stdout.splitlines()]
    data = [base64.b64decode(row["base64"]) for row in rows]
    assert [each.decode("utf-8", "replace") for each in data] == [row["text"] for row in rows]
    assert sample(*wild, "--raw").stdout_bytes == b"".join(each + b"\n" for each in data)
    assert not any("data" in row for row in rows)


# Seeds


def test_a_seed_may_be_a_file_of_several_lines(here):
    Path("seed.txt").write_text("나는 학교에 간다\n값이 \n", "utf-8")
    wanted = sample("--model", "jamo", "--length", "9", "--seed", "나는 학교에 간다\n값이 ").stdout
    assert wanted.startswith("나는 학교에 간다\n값이 ")
    words = ("--model", "jamo", "--length", "9", "--seed-file")
    assert sample(*words, "seed.txt").stdout == wanted
    assert sample(*words, "-", input="나는 학교에 간다\n값이 \n").stdout == wanted
    Path("cp949.txt").write_text("나는 학교에 간다\n값이 \n", "cp949")
    found = sample(*words, "cp949.txt")
    assert found.stdout == wanted
    assert "read as cp949" in found.stderr


def test_two_seeds_are_refused(here):
    result = CliRunner().invoke(app, ["sample", "--seed", "a", "--seed-file", "seed.txt"])
    assert result.exit_code == 2
    assert "give one of them" in result.stderr


def test_a_seed_in_another_form_beside_what_no_form_makes_known():
    model = trained(text="un élève à la forêt\n" * 40, steps=5)
    seed = unicodedata.normalize("NFD", "élè")
    wanted = model.sample("élè", length=5, random_seed=0)
    assert model.sample(seed, length=5, random_seed=0) == wanted
    ids = encode_seed(model.vocabulary, f"{seed}Ж", "skip")
    assert ids.tolist() == model.vocabulary.encode_text("élè").tolist()
