"""What ends a sample, what may be drawn, and the log-probability of what was."""

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import NAMES, TEXT, trained
from test_sampling import LETTERS, P, assert_drawn_from, bigrams, constant, texts
from typer.testing import CliRunner

import charrnn
from charrnn.cli.app import app
from charrnn.config import Architecture, SampleConfig
from charrnn.errors import ConfigError
from charrnn.nn.model import CharModel
from charrnn.sampling.allowing import Allowed, allow_
from charrnn.sampling.drawing import generate
from charrnn.sampling.items import draw_items
from charrnn.sampling.stopping import Writer, check_rules, stop_symbols
from charrnn.text import Vocabulary
from charrnn.text.codes import to_codes

KOREAN = "나는 학교에 간다\n각가\n" * 40
BYTES = Vocabulary.from_codes(to_codes("a"), unit="byte")


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="charrnn")


def jamo(text):
    codes = Vocabulary.from_codes(to_codes("a"), normalize="nfd").text_to_codes(text)
    return Vocabulary.from_codes(codes, normalize="nfd")


def uniform(vocabulary):
    """A model to which every symbol is as likely."""
    return CharModel(Architecture(cell="rnn", num_layers=1, hidden_size=2), len(vocabulary))


# Stops


def written(vocabulary, stops, ids, sizes):
    """What a writer makes of ids that come in pieces of these sizes, and of how many symbols."""
    writer = Writer(vocabulary, [stop_symbols(vocabulary, stop) for stop in stops])
    text, start = "", 0
    for size in [*sizes, len(ids)]:
        stop = min(start + size, len(ids))
        text += writer.write(ids[start:stop], stop == len(ids))
        start = stop
    assert writer.ended
    return text, writer.symbols


def first_end(text, stops):
    """Return the text up to where a stop text is first complete, symbol by symbol."""
    for end in range(1, len(text) + 1):
        if any(text[:end].endswith(stop) for stop in stops):
            return text[:end]
    return text


@given(
    st.text("abc", max_size=40),
    st.lists(st.text("abc", min_size=1, max_size=5), max_size=4),
    st.lists(st.integers(1, 9), max_size=8),
)
@settings(deadline=None)
def test_the_first_stop_text_that_is_complete_ends_a_text(text, stops, sizes):
    vocabulary = Vocabulary.from_codes(to_codes("abc"))
    ids = vocabulary.encode_text(text).astype(np.intp)
    wanted = first_end(text, stops)
    assert written(vocabulary, stops, ids, sizes) == (wanted, len(wanted))


@given(
    st.text("a한é", max_size=20),
    st.lists(st.text("a한é", min_size=1, max_size=3), max_size=3),
    st.lists(st.integers(1, 9), max_size=8),
)
@settings(deadline=None)
def test_stop_texts_of_bytes(text, stops, sizes):
    wanted = first_end(text, stops)
    ids = BYTES.encode_text(text).astype(np.intp)
    assert written(BYTES, stops, ids, sizes) == (wanted, len(wanted.encode()))


@given(
    st.text("가각ab나", max_size=12),
    st.lists(st.text("가각ab나", min_size=1, max_size=2), max_size=3),
    st.lists(st.integers(1, 5), max_size=8),
)
@settings(deadline=None)
def test_a_stop_text_of_jamo_is_of_whole_syllables(text, stops, sizes):
    vocabulary = jamo("가각ab나")
    ids = vocabulary.encode_text(text).astype(np.intp)
    wanted = first_end(text, stops)
    assert written(vocabulary, stops, ids, sizes)[0] == wanted


def test_bytes_that_are_no_text_are_counted_too():
    ids = np.array([0xE2, 0x82, *b"ab", 0xFF, *b"cd"], np.intp)
    assert written(BYTES, ["b"], ids, [3]) == ("\ufffdab", 4)
    assert written(BYTES, ["c"], ids, [1]) == ("\ufffdab\ufffdc", 6)


@pytest.mark.parametrize("num_samples", [1, 3])
def test_several_stop_texts(num_samples):
    drawn = texts(
        constant(P), LETTERS, length=400, num_samples=num_samples, stop=("aab", "ca", "dd", "bcd")
    )
    free = texts(constant(P), LETTERS, length=400, num_samples=num_samples)
    assert drawn == [first_end(text, ["aab", "ca", "dd", "bcd"]) for text in free]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stop": ""}, r"--stop is empty .* \$'\\n'"),
        ({"stop": ("a", "")}, "--stop is empty"),
        ({"stop": "aXb"}, r"--stop 'aXb' can never occur: .* 'X' \(U\+0058\)$"),
        ({"stop": "\\n"}, r"occur: .* '\\\\' \(U\+005C\), 'n' .*; in the shell, \\n is typed"),
        ({"stop": "ab", "allow": "a"}, "--allow leaves out part of it"),
        ({"stop": "aX", "allow": "a"}, r"the model does not know"),
        ({"allow": ""}, "--allow is empty"),
        ({"allow": "aXYX"}, r"--allow: the model does not know 'X', 'Y', .* leave them out"),
    ],
)
def test_rules_that_cannot_be(settings, message):
    with pytest.raises(ConfigError, match=message):
        check_rules(LETTERS, SampleConfig(**settings))


def test_what_may_mean_something_else_is_said():
    vocabulary = Vocabulary.from_codes(to_codes("\\nt"))
    (notice,) = check_rules(vocabulary, SampleConfig(stop=("t", "t\\n")))
    assert notice.endswith(r"a backslash followed by a letter; in the shell, \n is typed $'\n'")
    assert check_rules(LETTERS, SampleConfig(stop="ab", allow="ba")) == []


def test_a_stop_text_that_is_no_bytes_of_the_model_is_none():
    assert check_rules(BYTES, SampleConfig(stop="한")) == []
    with pytest.raises(ConfigError, match="leaves out part"):
        check_rules(BYTES, SampleConfig(stop="한", allow="a"))
    vocabulary = jamo("가나")
    assert check_rules(vocabulary, SampleConfig(stop="나")) == []
    with pytest.raises(ConfigError, match=r"does not know 'ᆨ' \(U\+11A8\)"):
        check_rules(vocabulary, SampleConfig(stop="각"))


# What may be drawn


def test_allowed_symbols_keep_their_odds():
    drawn = "".join(texts(constant(P), LETTERS, length=400, num_samples=50, allow="edbd"))
    counts = np.array([drawn.count(letter) for letter in "abcde"])
    assert_drawn_from(counts, np.array([0, 0.2, 0, 0.1, 0.05]) / 0.35)


@pytest.mark.parametrize("rule", [{"temperature": 0}, {"top_k": 1}, {"top_p": 0.01}, {"min_p": 1}])
def test_the_other_rules_apply_to_what_is_left(rule):
    assert texts(constant(P), LETTERS, length=5, allow="edc", **rule) == ["ccccc"]


def test_allow_is_a_rule_of_each_column():
    logits = np.zeros((3, 2))
    after = allow_(logits, np.array([[True, False, True], [False, True, True]]))
    assert after is logits
    assert np.isfinite(logits).T.tolist() == [[True, False, True], [False, True, True]]


@given(
    st.text("aé한🌍각가", min_size=1, max_size=6),
    st.sampled_from(["none", "nfd", "byte"]),
    st.integers(0, 9),
)
@settings(deadline=None, max_examples=60)
def test_only_allowed_characters_are_drawn_and_all_of_them(allow, kind, random_seed):
    alphabet = "aé한🌍각가b"
    vocabulary = {
        "none": Vocabulary.from_codes(to_codes(alphabet)),
        "nfd": jamo(alphabet),
        "byte": BYTES,
    }[kind]
    drawn = texts(
        uniform(vocabulary),
        vocabulary,
        length=240,
        num_samples=2,
        allow=allow,
        random_seed=random_seed,
    )
    assert set("".join(drawn)) == set(allow)
    assert [len(text) for text in drawn] == [240, 240]


def test_what_may_follow_on_the_beginning_of_a_character():
    vocabulary = jamo("가각나")
    allowed = Allowed.of(vocabulary, "각나")
    assert allowed.may.sum(axis=1).tolist() == [2, 1, 1, 1]
    assert "가" not in {*texts(uniform(vocabulary), vocabulary, length=300, allow="각나")[0]}
    # The whole syllable may end, or go on.
    both = Allowed.of(vocabulary, "가각")
    assert both.may.sum(axis=1).tolist() == [1, 1, 2]


@pytest.mark.parametrize("end", [None, 0])
def test_whole_characters_take_no_states(end):
    vocabulary = Vocabulary.from_codes(to_codes("\nabc"))
    allowed = Allowed.of(vocabulary, "ab", end)
    assert allowed.may.tolist() == [[end == 0, True, True, False]]
    assert allowed.after.tolist() == [[0, 0, 0, 0]]


def test_an_allowed_character_in_another_form():
    vocabulary = Vocabulary.from_codes(to_codes("e\u0301a"))
    assert set(texts(uniform(vocabulary), vocabulary, length=99, allow="é")[0]) == {"e", "\u0301"}


def test_threads_change_no_allowed_text():
    vocabulary = jamo("가각나한")
    drawn = [
        texts(
            uniform(vocabulary),
            vocabulary,
            length=80,
            num_samples=70,
            threads=threads,
            allow="가각",
        )
        for threads in (1, 2)
    ]
    assert drawn[0] == drawn[1]


def test_an_item_may_always_end():
    vocabulary = Vocabulary.from_codes(to_codes("\nab"))
    config = SampleConfig(num_samples=50, length=100, random_seed=0, allow="b")
    items = draw_items(uniform(vocabulary), vocabulary, config, end=10)
    assert all(item.text and set(item.text) == {"b"} and not item.cut for item in items)
    assert len({item.text for item in items}) > 2
    with pytest.raises(ConfigError, match="permits only the end"):
        check_rules(vocabulary, SampleConfig(allow="\n"), end=10)
    assert check_rules(vocabulary, SampleConfig(allow="\n")) == []


# Log-probabilities


def log_probabilities(model, vocabulary, **settings):
    config = SampleConfig(**{"random_seed": 0, **settings})
    logs = np.zeros(config.num_samples)
    drawn = [""] * config.num_samples
    for number, text in generate(model, vocabulary, config, log_probabilities=logs):
        drawn[number] += text
    return drawn, logs


@pytest.mark.parametrize("num_samples", [1, 4])
@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"temperature": 0},
        {"temperature": 2.0, "top_k": 3},
        {"top_p": 0.5, "min_p": 0.1},
        {"allow": "bcd"},
        {"stop": ("cd", "e")},
    ],
)
def test_a_log_probability_is_of_the_model_itself(num_samples, rules):
    drawn, logs = log_probabilities(
        constant(P), LETTERS, num_samples=num_samples, length=150, **rules
    )
    assert drawn == texts(constant(P), LETTERS, num_samples=num_samples, length=150, **rules)
    odds = dict(zip("abcde", np.log(P), strict=True))
    assert logs == pytest.approx([sum(map(odds.get, text)) for text in drawn])


def test_it_depends_on_what_precedes():
    logits = np.log(np.array([[0.9, 0.3], [0.1, 0.7]]))
    vocabulary = Vocabulary.from_codes(to_codes("ab"))
    (text,), (log,) = log_probabilities(bigrams(logits), vocabulary, length=50)
    pairs = zip("a" + text, text, strict=False)
    assert log == pytest.approx(sum(logits["ab".index(b), "ab".index(a)] for a, b in pairs))


def rows_of(*words):
    result = run("sample", "--json", *words)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("more", [{}, {"unit": "byte"}, {"normalize": "nfd"}])
def test_the_command_and_the_score_of_a_program_agree(tmp_path, monkeypatch, more):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text(KOREAN)
    settings = {"steps": 150, "hidden_size": 16, "threads": 1, "learning_rate": 0.02}
    list(charrnn.train("t.txt", out="runs/t", **settings, **more))
    model = charrnn.load("runs/t")
    for (seed, words), count in product(
        (
            ("", ()),
            ("나는 ", ("--temperature", "0.5")),
            ("나는 ", ("--stop", "다", "--stop", "교에")),
        ),
        (1, 3),
    ):
        drawn = ("-n", count, "--random-seed", 3, "--length", 40, "--seed", seed, *words)
        for row in rows_of(*drawn):
            if "\ufffd" not in row["text"]:
                scores = model.score(row["text"], context=seed)
                assert row["log_probability"] == pytest.approx(-scores.total_nats, abs=1e-3)


def test_the_log_probability_of_items(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text(NAMES)
    list(
        charrnn.train("names.txt", items="line", out="runs/n", steps=60, hidden_size=16, threads=1)
    )
    model = charrnn.load("runs/n")
    rows = rows_of("-n", 20, "--random-seed", 1)
    assert not any(row["cut"] for row in rows)
    for row in rows:
        scores = model.score(row["text"])
        assert row["log_probability"] == pytest.approx(-scores.total_nats, abs=1e-4)
    for row in rows_of("-n", 5, "--random-seed", 1, "--length", 2):
        assert row["cut"]
        nats = model.score(row["text"]).nats[:2]  # without the end, which was not drawn
        assert row["log_probability"] == pytest.approx(-nats.sum(), abs=1e-4)


# The command and the method


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Go where there is a run on a text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text(TEXT)
    list(charrnn.train("t.txt", out="runs/t", steps=60, hidden_size=16, threads=1, dropout=0.0))


@pytest.mark.usefixtures("here")
def test_the_options_of_the_command():
    result = run("sample", "--temperature", "0", "--stop", "zen", "--stop", "box", "--stop", "u")
    assert result.stdout.endswith("box")
    assert set(run("sample", "--allow", "pack", "--length", "50").stdout) <= set("pack")
    for words in (["--stop", ""], ["--stop", "\\n"], ["--allow", "É"], ["--allow", ""]):
        result = run("sample", *words)
        assert result.exit_code == 2
        assert result.stdout == ""
        (line,) = [line for line in result.stderr.splitlines() if line]
        assert line.startswith("error: ")


def test_the_options_of_the_method():
    model = trained()
    assert model.sample("pack", temperature=0, stop=["five", "my"]) == "pack my"
    assert set(model.sample(allow="pack ", length=60)) <= set("pack ")
    with pytest.raises(ConfigError, match="can never occur"):
        model.sample(stop="É")
    with pytest.raises(ConfigError, match=r"--stop .* is not of texts alone"):
        model.sample(stop=["a", 1])


def test_the_command_draws_with_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text(TEXT)
    list(charrnn.train("t.txt", out="runs/t", steps=3, hidden_size=4, threads=1, counts=True))
    words = ("--length", 40, "--random-seed", 1)
    (plain,), (mixed,) = rows_of(*words), rows_of(*words, "--counts")
    assert mixed["text"] == charrnn.load("runs/t").sample(length=40, random_seed=1, counts=True)
    assert mixed["log_probability"] / 40 > -2 > plain["log_probability"] / 40
