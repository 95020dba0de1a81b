"""The commands in-process: options, output, exit codes."""

import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from charrnn.cli.app import COMMANDS, app, load_command
from charrnn.cli.options import MachineConfig
from charrnn.cli.show import words
from charrnn.cli.show.console import write_json, write_sentences
from charrnn.cli.show.text import visible, visible_line
from charrnn.config import (
    BenchConfig,
    EvalConfig,
    ModelConfig,
    SampleConfig,
    TextConfig,
    TrainConfig,
    option_name,
)
from charrnn.errors import CharrnnError

TINY = ["--steps", "20", "--hidden-size", "16", "--num-layers", "1", "--threads", "1"]
TEXT = "hello world, hello there\n" * 40

SETTINGS = {
    "train": (TextConfig, ModelConfig, TrainConfig, MachineConfig),
    "sample": (SampleConfig, MachineConfig),
    "eval": (EvalConfig, MachineConfig),
    "bench": (ModelConfig, BenchConfig, MachineConfig),
}
NUMBERS = [
    (command, option_name(item.name), item)
    for command, groups in SETTINGS.items()
    for group in groups
    for item in fields(group)
    if "int" in str(item.type) or "float" in str(item.type)
]


def run(*words, input=None):
    return CliRunner().invoke(app, [str(word) for word in words], input=input, prog_name="charrnn")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a corpus and a run on it."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "corpus.txt").write_text(TEXT)
        result = run("train", "corpus.txt", *TINY)
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def here(trained, monkeypatch):
    """Be in that folder; not to be written to."""
    monkeypatch.chdir(trained)
    return trained


# Help


@pytest.mark.parametrize("command", SETTINGS)
def test_every_setting_is_in_the_help(command):
    text = run(command, "--help").stdout
    for group in SETTINGS[command]:
        for item in fields(group):
            assert re.search(rf"--(no-)?{option_name(item.name)[2:]}\b", text), item.name
            first_words = item.metadata["help"].split()[:2]
            assert " ".join(first_words) in " ".join(text.split())


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train", "CORPUS Files, folders or patterns, also compressed"),
        ("eval", "FILE Texts to score. [default: the held-out part"),
        ("info", "CKPT|RUN An .npz file, or the name or folder of a run. [default: the newest"),
    ],
)
def test_the_help_of_a_command_says_what_its_argument_is(command, said):
    assert said in " ".join(run(command, "--help").stdout.split())


def test_eval_takes_how_the_text_is_read():
    text = run("eval", "--help").stdout
    assert all(option in text for option in ("--encoding", "--newlines", "--normalize"))
    assert "--unit" not in text  # symbols are those of the model


def test_the_help_lists_every_command_with_its_first_line():
    result = run("--help")
    assert result.exit_code == 0
    for name, line in COMMANDS.items():
        assert f"  {name} " in result.stdout
        assert line in result.stdout
        assert load_command(name).help.splitlines()[0] == line


def test_nothing_and_a_typo():
    assert "Usage" in run().output
    result = run("trian")
    assert result.exit_code == 2
    assert "did you mean train?" in result.stderr


def test_version():
    from charrnn import __version__

    assert run("--version").stdout == f"charrnn {__version__}\n"


# Bad options


@pytest.mark.parametrize(("command", "option", "item"), NUMBERS, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize(
    "value", ["0", "-1", "nan", "inf", "-inf", "1e308", "word", "", "9" * 400, "9" * 5000]
)
def test_numbers_out_of_range_end_with_2_and_name_the_range(
    command, option, item, value, tmp_path, monkeypatch
):
    def missing(*_, **__):
        raise CharrnnError("nothing to time")

    monkeypatch.chdir(tmp_path)  # so that a value that is in range ends at the missing file
    monkeypatch.setattr("charrnn.benchmark.benchmark", missing)
    arguments = {"train": ["missing.txt"]}.get(command, [])
    needed = ["--dynamic"] if item.name.startswith("dynamic_") else []
    needed += ["--cell", "window"] if item.name == "context" else []
    needed += ["--items", "line"] if item.name == "split_key" else []
    result = run(command, *arguments, *needed, option, value)
    assert "Traceback" not in result.output
    if result.exit_code == 2:
        wanted = {"low": "at least", "above": "above", "high": "at most", "below": "below"}
        for bound, said in wanted.items():
            if item.metadata[bound] is not None:
                assert f"{said} {item.metadata[bound]:g}" in result.stderr
        assert option in result.stderr
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
    else:
        assert result.exit_code == 1
        number = float(value)
        metadata = item.metadata
        assert metadata["low"] is None or number >= metadata["low"]
        assert metadata["above"] is None or number > metadata["above"]
        assert metadata["high"] is None or number <= metadata["high"]
        assert metadata["below"] is None or number < metadata["below"]
        assert abs(number) != float("inf")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train"], "charrnn train corpus.txt"),
        (["train", "x", "--cell", "transformer"], "rnn, lstm, gru"),
        (["train", "x", "--newlines", "crlf"], "keep, lf"),
        (["train", "x", "--steps", "5", "--minutes", "1"], "--minutes"),
        (["train", "x", "--encoding", "klingon"], "klingon"),
        (["train", "x", "--frobnicate"], "--frobnicate"),
        (["train", "--init-from", "x", "--resume", "y"], "--resume"),
        (["train", "--resume", "y", "--hidden-size", "8"], "--hidden-size"),
        (["train", "--resume", "y", "--no-ngrams"], "--no-ngrams cannot change when a run is"),
        (["train", "--resume", "y", "--steps", "0"], "at least 1"),
        (["sample", "--unknown", "perhaps"], "skip"),
        (["sample", "--seed"], "--seed"),
        (["bench", "stray"], "stray"),
        (["eval", "--nats", "--perplexity"], "--nats"),
        (["eval", "--json", "--bits-per-char"], "--json"),
        (["eval", "--newlines", "lf"], "FILE"),
        (["info", "a", "b"], "b"),
    ],
    ids=" ".join,
)
def test_usage_errors_end_with_2(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_text(TEXT)
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "--top", "0"], "--top 0 is out of range: it must be at least 1"),
        (["predict", "--top", "x"], "--top 'x' is not a whole number: it must be at least 1"),
        (
            ["predict", "--topp", "1"],
            "option: --topp; did you mean --top?: see charrnn predict --help",
        ),
        (["predict"], "charrnn predict new.txt"),
        (["eval", "--columns"], "--columns"),
        (["eval", "--json=3"], "--json"),
        (["bench", "stray"], "stray: see charrnn bench --help"),
        (["trian"], "train?: see charrnn --help"),
        (["--frobnicate"], "--frobnicate: see charrnn --help"),
        (["predict", "--x\x1b[31m"], "--x"),
    ],
    ids=repr,
)
def test_usage_errors_are_one_line(arguments, said):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_shows_only_ranges_within_reach(command):
    text = run(command, "--help").stdout
    assert "e+" not in text
    assert "at least 1" not in text


def test_the_help_shows_ranges_and_defaults_as_people_write_them():
    text = " ".join(run("train", "--help").stdout.split())
    assert "[1 to 16; default: 2 if" in text
    assert "[at least 0 and below 1; default: 0.1]" in text
    assert "[default: 1] --schedule" in text  # not 1.0
    assert "--steps N Length of the run in steps. --minutes" in text


def test_defaults_in_the_help_are_those_of_the_command():
    text = " ".join(run("bench", "--help").stdout.split())
    assert "cuda:N is GPU number N. [default: cpu]" in text
    assert "[default: float32 on the CPU, tf32 on a GPU]" in text
    assert "auto to train" not in text
    assert "see bench" not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "missing.txt"], "missing.txt"),
        (["train", "empty.txt"], "empty"),
        (["train", "latin.txt", "--encoding", "utf-8"], "leave out --encoding"),
        (["train", "x", "--resume", "missing"], "missing"),
        (["train", "damaged.txt"], "--errors replace"),
        (["train", "--resume", "missing"], "missing"),
        (["train", "x", "--init-from", "missing"], "missing"),
        (["sample"], "charrnn train"),
        (["eval"], "charrnn train"),
        (["info"], "charrnn train"),
        (["info", "x"], "x"),
        (["sample", "--model", "x"], "x"),
        (["sample", "--model", "evil\x1b[31m"], "\\x1b[31m"),
    ],
    ids=" ".join,
)
def test_errors_end_with_1_in_one_line(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_text(TEXT)
    (tmp_path / "latin.txt").write_bytes("na\xefve caf\xe9 ".encode("latin-1") * 40)
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "damaged.txt").write_bytes("na\xefve caf\xe9 ".encode() * 40 + b"\xff")
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert "\x1b" not in result.stderr
    assert not list(tmp_path.glob("runs/*"))


# The three commands


def test_three_commands_with_no_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.txt").write_text(TEXT)
    result = run("train", "corpus.txt", "--minutes", "0.02")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    said = result.stderr
    for part in ("1,000 characters", "symbols", "parameter", "MB", "held out", "nats", "bits"):
        assert part in said
    assert "charrnn sample" in said
    assert "runs/corpus" in said
    sampled = run("sample", "--seed", "hel")
    assert sampled.exit_code == 0
    assert sampled.stdout.startswith("hel")
    assert len(sampled.stdout) == 3 + 500
    assert "runs/corpus/best.npz" in sampled.stderr
    scored = run("eval", "--perplexity")
    assert scored.exit_code == 0
    assert 1 < float(scored.stdout) < 100


def test_a_model_that_knows_nothing_is_not_used_in_silence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.txt").write_text(TEXT)
    (tmp_path / "other.txt").write_text("dddddrrr\n" * 40)
    assert (
        run("train", "corpus.txt", *TINY, "--learning-rate", "10", "--weight-decay", "0").exit_code
        == 0
    )
    for command in (("sample",), ("eval",)):
        done = run(*command)
        assert done.exit_code == 0
        assert "notice: this model needs " in done.stderr
    assert "a lower --learning-rate" in run("eval").stderr
    run("train", "corpus.txt", *TINY, "--steps", "200")
    scored = run("eval", "other.txt").stderr
    assert "unlike the training text" in scored
    newest = "runs/corpus-2, the newest of 2 runs, was taken; it was trained on corpus.txt: --model"
    assert newest in scored
    assert "newest of" not in run("eval", "other.txt", "--model", "corpus-2").stderr
    assert "newest of" not in run("eval", "corpus.txt").stderr + run("eval").stderr
    for command in (("sample",), ("eval",)):
        assert "this model needs" not in run(*command).stderr
    assert "a lower --dynamic-rate" in run("eval", "--dynamic", "--dynamic-rate", "1000").stderr
    monkeypatch.setattr("charrnn.evaluation.model_cost.adapting_nats", far_too_many_nats)
    assert "leave out --adapt" in run("eval", "--adapt", "counts").stderr


def far_too_many_nats(train, scored, *_):
    return np.full(len(scored), 99.0)


def test_runs_are_never_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text(TEXT)
    for name in ("a", "a-2"):
        assert f"runs/{name}\n" in run("train", "a.txt", *TINY).stderr
    result = run("train", "a.txt", "--out", "runs/a", *TINY)
    assert result.exit_code == 1
    assert "already" in result.stderr


def test_train_as_json_and_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("train", "-", "--out", "my run", "--json", *TINY, input=TEXT)
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["reason"], summary["step"], summary["run"]) == ("done", 20, "my run")
    assert "charrnn sample --model 'my run'" in result.stderr
    assert run("sample", "--model", "my run", "--length", "3").exit_code == 0


def test_plan_makes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.txt").write_text(TEXT)
    result = run("train", "corpus.txt", "--plan")
    assert result.exit_code == 0, result.output
    assert "characters a second" in result.stdout
    plan = json.loads(run("train", "corpus.txt", "--plan", "--json", *TINY).stdout)
    assert (plan["characters"], plan["distinct"], plan["model"]["hidden_size"]) == (1000, 11, 16)
    assert plan["chars_per_second"] > 0
    assert plan["seconds"] > 0
    assert not (tmp_path / "runs").exists()


def test_resume_moves_the_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.txt").write_text(TEXT)
    assert run("train", "corpus.txt", *TINY).exit_code == 0
    result = run("train", "--resume", "corpus", "--steps", "30", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["step"] == 30


def test_init_from(tmp_path, monkeypatch, trained):
    monkeypatch.chdir(tmp_path)
    result = run("train", trained / "corpus.txt", "--init-from", trained / "runs/corpus", *TINY)
    assert result.exit_code == 0, result.output


# sample


def test_a_seed_from_stdin_loses_its_last_line_end(here):
    result = run("sample", "--seed", "-", "--length", "2", "--temperature", "0", input="hel\n")
    assert result.stdout.startswith("hel")
    assert len(result.stdout) == 5


def test_length_zero_gives_the_seed(here):
    assert run("sample", "--seed", "hello", "--length", "0").stdout == "hello"


def test_the_same_random_seed_gives_the_same_text(here):
    first, second = (run("sample", "--random-seed", "3").stdout for _ in range(2))
    assert first == second
    assert first != run("sample", "--random-seed", "4").stdout


def test_an_unknown_character_in_the_seed(here):
    result = run("sample", "--seed", "heXl")
    assert result.exit_code == 1
    assert "'X'" in result.stderr
    assert "--unknown skip" in result.stderr
    assert result.stdout == ""
    result = run("sample", "--seed", "heXl", "--unknown", "skip", "--length", "1")
    assert result.exit_code == 0
    assert result.stdout.startswith("hel")
    assert "'X'" in result.stderr
    assert run("sample", "--seed", "X", "--unknown", "skip", "--length", "0").stdout == ""


def test_several_samples_come_one_after_another(here):
    arguments = ["--num-samples", "3", "--length", "10", "--random-seed", "1", "--seed", "he"]
    lines = run("sample", *arguments).stdout
    parts = re.split(r"--- sample (\d) ---\n", lines)
    assert parts[0] == ""
    assert parts[1::2] == ["1", "2", "3"]
    objects = [json.loads(line) for line in run("sample", "--json", *arguments).stdout.splitlines()]
    assert [item["sample"] for item in objects] == [1, 2, 3]
    for item, part in zip(objects, parts[2::2], strict=True):
        assert item["seed"] == "he"
        assert len(item["text"]) == 10
        assert part.removesuffix("\n") == ("he" + item["text"]).removesuffix("\n")


def test_a_final_consonant_completes_the_seed():
    from charrnn.cli.show.drawn import Output

    written = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("charrnn.cli.show.drawn.write", lambda text, raw: written.append(text))
        output = Output("한가", raw=False, joined=True)
        output.begin(None)
        output.write("\u11a8다")
        output.end(line=False)
        output.begin(None)
        output.end()
    assert "".join(written) == "한각다한가\n"


# eval


@pytest.mark.parametrize("option", ["--perplexity", "--bits-per-char", "--nats"])
def test_one_number_alone(here, option):
    result = run("eval", option)
    assert result.exit_code == 0
    data = json.loads(run("eval", "--json").stdout)
    key = {"--nats": "nats_per_char"}.get(option, option[2:].replace("-", "_"))
    assert float(result.stdout) == data[key]
    assert re.fullmatch(r"\d+\.\d{6,}\n", result.stdout)


def test_the_table(here):
    text = run("eval").stdout
    assert re.search(r"^nats per character  +\d+\.\d{4}$", text, re.M)
    assert re.search(r"^characters  +100$", text, re.M)
    for name in ("bits per character", "bits per byte", "perplexity", "unknown", "protocol"):
        assert name in text


def test_eval_of_files(here, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("hello XY\r\n")
    result = run("eval", other, "--unknown", "error")
    assert result.exit_code == 1
    assert "'X' (U+0058) 1 time, first at line 1, column 7" in result.stderr
    assert "--unknown skip" in result.stderr
    data = json.loads(run("eval", other, "--unknown", "skip", "--json").stdout)
    assert (data["characters"], data["num_bytes"], data["file_bytes"]) == (7, 7, 10)
    assert sum(data["unknown"].values()) == 2
    data = json.loads(run("eval", other, "--json").stdout)
    assert (data["characters"], data["num_bytes"]) == (9, 9)
    kept = ("--unknown", "skip", "--json", "--newlines", "keep", "--exact")
    data = json.loads(run("eval", other, *kept).stdout)
    assert sum(data["unknown"].values()) == 3
    assert "one stream" in data["protocol"]
    assert run("eval", "-", "--nats", input="hello there\n").exit_code == 0


# info and runs


def test_info(here):
    text = run("info").stdout
    assert "corpus.txt" in text
    assert "16" in text
    assert re.search(r"^format +9 \(charrnn [\d.]+ reads 1 to 9\)$", text, re.M)
    old = Path(__file__).parent / "data" / "format-1.npz"
    assert re.search(r"^minutes +-$", text, re.M)  # and not 0: the run was one of steps
    assert re.search(r"^steps +20$", text, re.M)
    assert re.search(r"^max_epochs +100$", text, re.M)
    assert re.search(r"^prompted +no$", text, re.M)
    assert re.search(r"^format +1 ", run("info", str(old)).stdout, re.M)
    assert json.loads(run("info", str(old), "--json").stdout)["format"] == 1
    assert "\\n" in text  # the line end among the symbols, shown safely
    assert "validation loss" in text
    assert run("info", "corpus").stdout == text
    assert run("info", "runs/corpus").stdout == text
    data = json.loads(run("info", "runs/corpus/last.npz", "--json").stdout)
    assert data["counts"] is None
    assert data["model"]["hidden_size"] == 16
    assert len(data["vocabulary"]["symbols"]) == 11
    assert data["history"]["step"] == 20


def test_runs(here, tmp_path, monkeypatch):
    text = run("runs").stdout
    assert re.search(r"^corpus +\w+ 1x16 ", text, re.M)
    (entry,) = json.loads(run("runs", "--json").stdout)
    assert entry["name"] == "corpus"
    assert entry["step"] == 20
    monkeypatch.chdir(tmp_path)
    result = run("runs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no runs" in result.stderr
    assert run("runs", "--json").stdout == "[]\n"


def test_a_damaged_run_does_not_hide_the_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/bad").mkdir(parents=True)
    (tmp_path / "runs/bad/best.npz").write_bytes(b"PK\x03\x04")
    result = run("runs")
    assert result.exit_code == 0
    assert "bad" in result.stdout
    result = run("sample")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("error: ")


# Text and numbers


def test_what_a_terminal_obeys_is_escaped():
    hostile = "a\x1b[2J\x07\r\x9b\u202eb\u2066\ud800\x7f\U000e0041\n\tc"
    assert visible(hostile) == ("a\\x1b[2J\\x07\\r\\x9b\\u202eb\\u2066\\ud800\\x7f\\U000e0041\n\tc")
    assert visible_line("a\n\tb") == "a\\n\\tb"
    harmless = "[bold]한국어 é 👩\u200d👩 \u00a0\u0301[/bold]"
    assert visible(harmless) == harmless


def test_a_long_list_is_cut():
    assert words.listing([]) == ""
    assert words.listing(["a", "b"]) == "a, b"
    assert words.listing(list("abcdefghij")) == "a, b, c, d, e, f, g, h, i, j"
    assert words.listing(["a"] * 3011, most=2) == "a, a and 3,009 more"


def test_numbers_in_words():
    assert words.loss(None) == "-"
    assert words.loss(0.6931471805599453) == "0.693 nats 1.000 bits"
    assert words.loss(1e7).startswith("1.00e+07 nats")
    assert words.duration(8.24) == "8.2 s"
    assert words.duration(61) == "1:01"
    assert words.count(1, "step") == "1 step"
    assert words.count(2000, "step") == "2,000 steps"
    assert words.clock(59.7) == "1:00"
    assert words.clock(3661) == "1:01:01"
    assert words.clock(float("inf")) == "-:--"
    assert words.size(999) == "999 B"
    assert words.size(1_400_000) == "1.4 MB"
    assert words.age(200_000) == "2 days"
    assert words.minutes(0.5) == "30 s"
    assert words.minutes(5.0) == "5 min"
    assert words.sparkline([3.0, 2.0, 1.0]) == "█▅▁"
    assert words.sparkline([1.0, float("nan")]) == "▁"
    assert len(words.sparkline(list(range(1000)))) == 60
    assert words.command_line("a", "b c") == "a 'b c'"


def test_json_and_tables_take_any_value(capsys):
    write_json({"a": [float("nan"), 1.5], "b": (float("inf"), "\u202e")})
    assert capsys.readouterr().out == '{"a": [null, 1.5], "b": [null, "\\u202e"]}\n'


def test_threads_default_to_the_cores():
    assert MachineConfig().count >= 1
    assert MachineConfig(threads=7).count == 7


# The plan


def test_the_plan_says_how_many_of_the_allowed_cores_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.txt").write_text(TEXT * 20)
    words = ("train", "corpus.txt", "--plan", "--steps", "20", "--hidden-size", "8")
    few = run(*words, "--threads", "8", "--batch-size", "64").stdout
    assert "2 threads of 8 allowed (a larger --batch-size uses more)" in few
    assert "of 2 allowed" not in run(*words, "--threads", "2", "--batch-size", "64").stdout
    plan = json.loads(run(*words, "--threads", "8", "--json").stdout)
    assert (plan["threads"], plan["threads_allowed"]) == (2, 8)


def test_the_plan_says_what_validation_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.txt").write_text(TEXT * 20)
    words = ("train", "corpus.txt", "--plan", "--steps", "300", "--hidden-size", "8")
    shown = run(*words).stdout
    plan = json.loads(run(*words, "--json").stdout)
    assert 0 < plan["validation_share"] <= 0.05
    assert f"on all {plan['held_out']:,} characters held out" in shown
    assert f"about {100 * plan['validation_share']:.1f} % of the run" in shown


def test_sentences_end_their_lines_between_words_on_a_terminal(monkeypatch, capsys):
    text = "without learning from it 0.0123 nats behind well-known counts"
    write_sentences(text)
    assert capsys.readouterr().out == text + "\n"
    monkeypatch.setattr("charrnn.cli.show.console.is_terminal", lambda _: True)
    monkeypatch.setenv("COLUMNS", "16")
    write_sentences(text)
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines) == text
    assert max(map(len, lines)) <= 16
