"""The engine of an exported page, run by node, beside charrnn with the weights rounded."""

import json
import unicodedata
from dataclasses import replace

import numpy as np
import pytest
from pages import decided, rounded, run_engine, untrained

from charrnn.api.scores import score_text
from charrnn.config import SampleConfig
from charrnn.data.labels.restoring import RESTORERS
from charrnn.data.labels.task import Parsed
from charrnn.evaluation.labels.labeller import Labeller
from charrnn.sampling.drawing import generate
from charrnn.sampling.items import draw_items
from charrnn.text import Vocabulary

GREEDY = """
const read = (next) => {
  const state = network.zeroState(), said = [];
  let logits;
  for (const id of vocabulary.seed("")) logits = network.step(id, state);
  for (let count = 0; count < 1000; count++) {
    said.push(logits);
    logits = network.step(next(logits, count), state);
  }
  return said;
};
const forced = %s;
return {
  ids: read((logits) => draw(logits, 0, { temperature: 0 })).map(argmax),
  logits: read((_, count) => forced[count]).map((column) => Array.from(column)),
};
"""
SHAPES = [
    {"cell": "gru"},
    {"cell": "lstm"},
    {"cell": "rnn", "scale": 0.2},
    {"cell": "rnn", "nonlinearity": "relu", "scale": 0.2},
    {"cell": "window", "context": 5},
    {"cell": "bag", "context": 3},
    {"cell": "gru", "num_layers": 3},
    {"cell": "lstm", "num_layers": 2, "embedding_size": 7},
    {"cell": "window", "context": 3, "num_layers": 2, "embedding_size": 5},
    {"cell": "bag", "context": 1, "embedding_size": 5},
    {"cell": "rnn", "members": 3, "hidden_size": 13},
    {"cell": "gru", "members": 2, "num_layers": 2, "embedding_size": 3, "hidden_size": 9},
]


def name_of(shape):
    return " ".join(str(value) for value in shape.values())


def read(model, next_id):
    """Return the logits before each of 1,000 symbols that follow a line end."""
    said = []
    logits, state = model.forward(np.array([[0]]), model.zero_state(1))
    for count in range(1000):
        said.append(logits[:, 0])
        logits, state = model.forward(np.array([[next_id(logits, count)]]), state)
    return np.array(said)


@pytest.mark.parametrize("shape", SHAPES, ids=name_of)
def test_a_thousand_greedy_characters_are_those_of_charrnn(shape):
    checkpoint = untrained(**shape)
    forced = np.random.default_rng(1).integers(len(checkpoint.vocabulary), size=1000).tolist()
    found = run_engine(checkpoint, GREEDY % forced)
    model = rounded(checkpoint).model()
    greedy = read(model, lambda logits, _: logits.argmax())
    assert found["ids"] == greedy.argmax(axis=1).tolist()
    logits = read(model, lambda _, count: forced[count])
    assert len(set(logits.argmax(axis=1))) > 1
    np.testing.assert_allclose(found["logits"], logits, rtol=1e-4, atol=1e-4)


RULES = [
    SampleConfig(),
    SampleConfig(temperature=0.5),
    SampleConfig(top_k=3),
    SampleConfig(top_p=0.7, temperature=1.3),
    SampleConfig(min_p=0.2),
    SampleConfig(temperature=2, top_k=7, min_p=0.05, top_p=0.9),
    SampleConfig(temperature=0),
]


@pytest.mark.parametrize("seed", [1, 2**40 + 7, 2**63 - 1])
def test_the_generator_is_that_of_numpy(seed):
    found = run_engine(
        untrained(),
        f"const g = new Generator({seed}n, 5n); return [0,1,2,3].map(() => g.random());",
    )
    assert found == np.random.default_rng([seed, 5]).random(4).tolist()


DRAWN = """
const texts = [];
for (const rules of %s) {
  let text = "";
  const asked = { seed: %s, prompt: %s, rules, length: 200, randomSeed: "11" };
  await writer.draw(asked, %d, (piece) => { text += piece; return true; });
  texts.push(text);
}
return texts;
"""


def rules_of(config):
    return {
        "temperature": config.temperature,
        "k": config.top_k or 0,
        "p": config.top_p or 1,
        "least": config.min_p or 0,
    }


def drawn(checkpoint, rules, seed="", prompt="", number=0):
    words = map(json.dumps, (list(map(rules_of, rules)), seed, prompt))
    return run_engine(checkpoint, DRAWN % (*words, number))


def test_a_random_seed_draws_what_charrnn_draws():
    checkpoint = untrained(scale=0.4)
    model, vocabulary = rounded(checkpoint).model(), checkpoint.vocabulary
    expected = [
        "".join(
            text
            for _, text in generate(
                model, vocabulary, replace(config, length=200, random_seed=11), seed="abba"
            )
        )
        for config in RULES
    ]
    assert drawn(checkpoint, RULES, "abba") == expected


def test_jamo_and_bytes_come_out_as_text():
    text = unicodedata.normalize("NFD", "각나닭\n 뵈?e\u0301")
    jamo = Vocabulary.from_codes(np.array(sorted(set(map(ord, text)))), normalize="nfd")
    for vocabulary in (jamo, Vocabulary.from_codes(np.zeros(0, np.uint8), unit="byte")):
        checkpoint = untrained(vocabulary=vocabulary, scale=0.3)
        config = SampleConfig(length=200, random_seed=11)
        pieces = generate(rounded(checkpoint).model(), vocabulary, config, seed="나")
        text = "".join(text for _, text in pieces)
        if vocabulary is jamo:  # the first one may complete the seed
            text = unicodedata.normalize("NFC", "나" + text)
        assert drawn(checkpoint, [SampleConfig()], "나") == [text]


def test_items_begin_after_their_prompt_and_end_at_their_end():
    settings = decided(items="line", prompted=True)
    checkpoint = untrained("\n\tabcdefghij", settings=settings, scale=0.3)
    config = SampleConfig(length=200, random_seed=11, num_samples=4)
    items = draw_items(
        rounded(checkpoint).model(), checkpoint.vocabulary, config, end=10, prompt="abc\t", seed=""
    )
    for number in (0, 3):
        assert drawn(checkpoint, [SampleConfig()], "", "abc", number) == [items[number].text]


HEAT = """
const found = [];
for (const text of %s) found.push(writer.heat(text, "", text.length));
return found;
"""


@pytest.mark.parametrize("form", ["none", "nfd"])
def test_what_is_typed_costs_what_charrnn_says(form):
    text = "가나 닭e\u0301e\nba" if form == "nfd" else "abba cab\nj"
    whole = unicodedata.normalize("NFD", text)
    vocabulary = Vocabulary.from_codes(np.array(sorted(set(map(ord, whole)))), normalize=form)
    checkpoint = untrained(vocabulary=vocabulary)
    typed = [text[:3], text, text[:2] + "Ж" + text[2:], text * 9, text * 9 + "a", text * 3]
    found = run_engine(checkpoint, HEAT % json.dumps(typed))
    again = rounded(checkpoint)
    for asked, said in zip(typed, found, strict=True):
        scores = score_text(again, again.model(), asked)
        assert [cell["text"] for cell in said["cells"]] == [cell.text for cell in scores.cells]
        if not scores.unknown.any():  # score charges for what may be unknown, where something is
            nats = [cell["nats"] for cell in said["cells"]]
            np.testing.assert_allclose(nats, [cell.nats for cell in scores.cells], atol=1e-3)
        assert [cell["unknown"] for cell in said["cells"]] == [c.unknown for c in scores.cells]
        assert said["place"] == len(said["cells"])
        assert len(said["likeliest"]) == min(8, len(vocabulary))


def test_an_item_that_is_typed_begins_where_the_last_one_ended():
    checkpoint = untrained(settings=decided(items="line"))
    (found,) = run_engine(checkpoint, HEAT % json.dumps(["abc\nabc\n"]))
    nats = [cell["nats"] for cell in found["cells"]]
    assert nats[:4] == nats[4:]
    again = rounded(checkpoint)
    expected = score_text(again, again.model(), "abc\nabc\n").nats
    np.testing.assert_allclose(nats, expected, atol=1e-4)


LABELS = ["", " ", "B-a", "I-a"]
LABELLED = [
    {"cell": "gru", "head": "item"},
    {"cell": "lstm", "head": "item", "directions": 2, "num_layers": 2},
    {"cell": "gru", "directions": 2, "num_layers": 2, "members": 2},
    {"cell": "window", "context": 3, "directions": 2, "embedding_size": 4},
]
SCORES = """
return %s.map((text) => labelScores(network, vocabulary.encode(text), model)
  .map((row) => Array.from(row)));
"""


@pytest.mark.parametrize("shape", LABELLED, ids=name_of)
def test_labels_of_texts_and_of_symbols(shape):
    whole = shape.get("head") == "item"
    settings = decided(predict="label" if whole else "spaces", items="line")
    checkpoint = untrained(settings=settings, labels=LABELS, **shape)
    if whole:
        checkpoint.mixture = (0.7,)
    texts = ["a", "abcЖj", "abcdefghij" * 7]
    found = run_engine(checkpoint, SCORES % json.dumps(texts))
    labeller = Labeller(rounded(checkpoint))
    for text, rows in zip(texts, found, strict=True):
        if whole:
            (expected,) = labeller.label([text], top=len(LABELS))
            shares = [np.exp(rows[0][LABELS.index(label)]) for label in expected.labels]
            np.testing.assert_allclose(shares, list(expected.labels.values()), atol=1e-5)
        else:
            parsed = Parsed([text], [[""] * len(text)])
            expected = labeller.predictions(parsed).log_probabilities
            np.testing.assert_allclose(rows, expected, atol=1e-4)


TAGS = ["B-x", "B-y", "I-x", "I-y", "O"]


@pytest.mark.parametrize("spaced", [True, False])
def test_tags_agree_with_each_other(spaced):
    settings = decided(predict="tags", items="blank-line", item_end=1, spaced=spaced)
    checkpoint = untrained(
        " abcdefghij", settings=settings, labels=TAGS, directions=2, scale=1, seed=5
    )
    rng = np.random.default_rng(2)
    lines = ["".join(rng.choice(list("abc defghij"), 60)) for _ in range(20)]
    program = "ANSWERS.tags({ text: %s }); return said.at(-1).lines;"
    found = run_engine(checkpoint, program % json.dumps("\n".join(lines)))
    labeller = Labeller(rounded(checkpoint))
    sentences = labeller.tag([labeller.tokens(line) for line in lines])
    for tokens, expected in zip(found, sentences, strict=True):
        assert tuple(token for token, *_ in tokens) == expected.tokens
        assert tuple(TAGS[row] for _, row, _ in tokens) == expected.tags
        shares = [share for *_, share in tokens]
        np.testing.assert_allclose(shares, expected.probabilities, atol=1e-4)


RESTORE = """
return %s.map((text) => Object.entries(RESTORERS).map(([kind, { remove, putBack }]) => {
  const { bare, labels } = remove(text);
  const last = bare.length - 1;
  const restored = bare.map((character, at) => putBack(character, labels[at], at === last));
  return [kind, bare.join(""), labels, restored.join("")];
}));
"""
TEXTS = [
    "Hello,  world! ... Ünï\u0301 Đł Ørsted \u0131i\u0301 İX ẞß Ǆ Ελλάς ёй",
    " \t lead.. and....long!? ?a",
    ".,x",
    "",
    "ﬁ Å Å ǅ \x85 a\u0338 q\u0301 가 が",
]


def test_restoring_removes_and_puts_back_as_charrnn_does():
    checkpoint = untrained(settings=decided(predict="case", items="line"), labels=["L", "U"])
    points = "".join(map(chr, [*range(0x20, 0x250), *range(0x370, 0x530), *range(0x1E00, 0x2000)]))
    points = "".join(c for c in points if unicodedata.category(c) != "Cn")
    texts = [*TEXTS, *(points[at : at + 50] for at in range(0, len(points), 50))]
    found = run_engine(checkpoint, RESTORE % json.dumps(texts))
    for text, each in zip(texts, found, strict=True):
        for kind, bare, labels, restored in each:
            restorer = RESTORERS[kind]
            assert [bare, labels] == list(restorer.remove(text)), kind
            assert restored == restorer.normal(text)
