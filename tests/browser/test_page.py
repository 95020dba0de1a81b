"""Exported pages in a browser: what they draw, score and label, and what they never do."""

from dataclasses import replace

import numpy as np
import pytest
from driver import DESKTOP, PHONE
from pages import decided, rounded, untrained
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

import charrnn
from charrnn.config import SampleConfig
from charrnn.evaluation.labels.labeller import Labeller
from charrnn.exports import export
from charrnn.sampling.drawing import generate
from charrnn.sampling.items import draw_items
from charrnn.text import Vocabulary

TEXT = "".join(f"{n} times {m} is {n * m}, and so on.\n" for n in range(40) for m in range(9))
HOSTILE = [
    "</script><script>document.title = 'broken'</script>",
    "<img src=x onerror=\"document.title = 'broken'\">",
    "\u202egnp.exe",
    "a\0b",
    "\ud800",
]
LABELS = ["B-x", "B-y", "I-x", "I-y", "O"]
SHAPES = {
    "text": lambda: untrained(),
    "items": lambda: untrained("\n\tab", settings=decided(items="line", prompted=True)),
    "label": lambda: untrained(
        labels=[*HOSTILE, "a" * 300, "b"],
        settings=decided(predict="label", items="line"),
        head="item",
    ),
    "tags": lambda: untrained(
        " abcdef", labels=LABELS, settings=decided(predict="tags", items="blank-line"), directions=2
    ),
    "spaces": lambda: untrained(
        labels=["", " "], settings=decided(predict="spaces", items="line"), directions=2
    ),
}


SHOWN = "#heat span:nth-child(200), #tagged bdi, #restored mark, [id=answer]:not(:empty)"
"""What a page has of a text of 200 characters."""


@pytest.fixture(scope="module")
def learned():
    """A checkpoint that has learned a little of a text."""
    run = charrnn.train(text=TEXT, steps=120, hidden_size=48, num_layers=1, threads=1)
    return run.model.checkpoint


@pytest.fixture
def page(browser, tmp_path):
    """Return a function that opens the page of a checkpoint."""

    def opened(checkpoint, size=DESKTOP, *, title="a model", dark=False):
        path = tmp_path / f"{title}.html"
        export(path, checkpoint, overwrite=True)
        browser.open(path, size, dark=dark)
        return browser

    return opened


def until(browser, script, *values):
    """Wait until a script returns something true; return that."""
    return WebDriverWait(browser.driver, 30).until(lambda _: browser.run(script, *values))


def set_values(browser, **values):
    for name, value in values.items():
        browser.run(
            "const field = document.getElementById(arguments[0]); field.value = arguments[1];"
            "field.dispatchEvent(new Event('input', { bubbles: true }))",
            name.replace("_", "-"),
            str(value),
        )


def properties(browser, selector, name):
    """Return the numbers that elements have as a property of their style."""
    return browser.run(
        "return [...document.querySelectorAll(arguments[0])]"
        ".map((found) => Number(found.style.getPropertyValue(arguments[1])))",
        selector,
        name,
    )


def drawn(browser, **values):
    """Return the texts that the page draws with these values of its fields."""
    until(browser, "return document.getElementById('start').textContent === 'Write'"
                   " && !document.getElementById('start').disabled")  # fmt: skip
    set_values(browser, **values)
    browser.run("document.getElementById('start').click()")
    until(browser, "return document.getElementById('start').textContent === 'Write'")
    return [part.get_property("textContent") for part in browser.find("#drawn > div")]


def test_a_thousand_greedy_characters_are_those_of_charrnn(page, learned):
    config = SampleConfig(temperature=0, length=1000)
    model = rounded(learned).model()
    expected = "".join(text for _, text in generate(model, learned.vocabulary, config, seed="7 t"))
    assert len(set(expected)) > 5
    found = drawn(page(learned), temperature=0, length=1000, seed="7 t")
    assert found == ["7 t" + expected]


def test_a_random_seed_draws_what_charrnn_draws_and_another_does_not(page, learned):
    browser = page(learned)
    values = {"temperature": 0.9, "top_p": 0.9, "top_k": 12, "min_p": 0.01, "length": 300}
    (found,) = drawn(browser, random_seed=11, **values)
    config = SampleConfig(random_seed=11, **values)
    pieces = generate(rounded(learned).model(), learned.vocabulary, config)
    assert found == "".join(text for _, text in pieces)
    assert drawn(browser, random_seed=11) == [found]
    browser.run("document.getElementById('another').click()")
    until(browser, "return document.getElementById('start').textContent === 'Write'")
    assert browser.find("#drawn")[0].get_property("textContent") != found
    assert "300 characters" in browser.find("#speed")[0].text


def test_drawing_stops_and_the_page_answers_meanwhile(page, learned):
    browser = page(learned)
    until(browser, "return document.getElementById('drawn').textContent.length === 600")
    set_values(browser, length=100_000)
    browser.run("document.getElementById('start').click()")
    until(browser, "return document.getElementById('drawn').textContent.length > 100")
    browser.find("#typed")[0].send_keys("1 times")
    until(browser, "return document.querySelectorAll('#heat span').length === 7")
    browser.run("document.getElementById('start').click()")
    until(browser, "return document.getElementById('start').textContent === 'Write'")
    length = browser.run("return document.getElementById('drawn').textContent.length")
    assert 100 < length < 100_000
    browser.find("#typed")[0].send_keys(" 2")
    until(browser, "return document.querySelectorAll('#heat span').length === 9")
    assert length == browser.run("return document.getElementById('drawn').textContent.length")


def test_what_is_typed_is_a_heat_map_as_one_types(page, learned):
    browser = page(learned)
    typed = browser.find("#typed")[0]
    typed.send_keys("3 times 4~is")
    until(browser, "return document.querySelectorAll('#heat span').length === 12")
    cells = browser.find("#heat span")
    heats = properties(browser, "#heat span", "--heat")
    again = rounded(learned)
    scores = charrnn.Model(again).score("3 times 4")
    np.testing.assert_allclose(heats[:9], np.minimum(1, scores.nats / 6), atol=1e-3)
    assert [cell.get_attribute("class") for cell in cells].count("unknown") == 1
    assert "unknown to the model" in cells[9].get_attribute("title")
    assert browser.find("#cost")[0].text.startswith("11 characters, ")

    typed.send_keys(Keys.HOME, Keys.RIGHT)
    until(browser, "return document.getElementById('place').textContent.startsWith('Instead of')")
    assert "here" in cells[1].get_attribute("class")
    assert all(not bar.is_enabled() for bar in browser.find("#bars button"))
    typed.send_keys(Keys.END)
    until(browser, "return document.getElementById('place').textContent === 'Next character'")
    shares = [float(bar.text.split()[-2].lstrip("<")) for bar in browser.find("#bars button")]
    assert len(shares) == 8
    assert shares == sorted(shares, reverse=True)
    name = browser.find("#bars bdi")[0].text
    browser.find("#bars button")[0].click()
    until(browser, "return document.querySelectorAll('#heat span').length === 13")
    assert typed.get_property("value") == "3 times 4~is" + name.replace("\u2423", " ")
    browser.run("document.querySelectorAll('#heat span')[4].click()")
    until(browser, "return document.querySelectorAll('#heat span')[4].className === 'here'")
    assert typed.get_property("selectionStart") == 4


def test_what_was_drawn_can_be_read_back(page):
    browser = page(untrained())
    (text,) = drawn(browser, length=50)
    browser.find("#look")[0].click()
    until(browser, "return document.querySelectorAll('#heat span').length > 40")
    assert browser.find("#typed")[0].get_property("value") == text


def test_jamo_are_typed_and_drawn_as_syllables(page):
    jamo = "\n\u1100\u1102\u1161\u1165\u11a8\u11ab"
    vocabulary = Vocabulary(np.array(sorted(map(ord, jamo)), np.uint32), normalize="nfd")
    checkpoint = untrained(vocabulary=vocabulary, scale=0.3)
    browser = page(checkpoint)
    (text,) = drawn(browser, length=200, temperature=1, random_seed=5)
    config = SampleConfig(length=200, random_seed=5)
    assert text == "".join(t for _, t in generate(rounded(checkpoint).model(), vocabulary, config))
    browser.find("#typed")[0].send_keys("\uac01\ub108")
    until(browser, "return document.querySelectorAll('#heat span').length === 2")
    assert "in 3 symbols" in browser.find("#heat span")[0].get_attribute("title")


def test_what_is_drawn_completes_the_last_syllable_of_a_seed(page):
    vocabulary = Vocabulary(np.array([0x1102, 0x1161, 0x11AB], np.uint32), normalize="nfd")
    checkpoint = untrained(vocabulary=vocabulary)
    checkpoint.weights["head.W"][2, 0] += 9  # the final consonant
    (text,) = drawn(page(checkpoint), length=1, seed="\u1102\u1161x\ub098")
    # It ends no character, and so many of them end the text.
    assert text.startswith("\ub098\ub09c")
    assert set(text[2:]) <= {"\u11ab"}


def test_a_seed_loses_what_the_model_does_not_know(page):
    checkpoint = untrained()
    browser = page(checkpoint)
    (text,) = drawn(browser, length=40, seed="a~b\u202e", random_seed=2, temperature=1)
    assert browser.find("#left-out")[0].text == "Left out, unknown to the model: ~U+202E"
    config = SampleConfig(length=40, random_seed=2)
    pieces = generate(rounded(checkpoint).model(), checkpoint.vocabulary, config, seed="ab")
    assert text == "ab" + "".join(piece for _, piece in pieces)
    assert len(drawn(browser, seed="", length=10**9)[0]) == 100_000


def test_items_follow_their_prompt(page):
    checkpoint = SHAPES["items"]()
    browser = page(checkpoint)
    values = {"random_seed": 4, "temperature": 1}
    found = drawn(browser, prompt="ab", seed="b", samples=5, length=20, **values)
    config = SampleConfig(num_samples=5, length=20, **values)
    items = draw_items(
        rounded(checkpoint).model(), checkpoint.vocabulary, config, end=10, prompt="ab\t", seed="b"
    )
    assert found == [item.text for item in items]
    before = browser.find("#bars")[0].text
    set_values(browser, prompt="ba")
    until(browser, "return document.getElementById('bars').innerText !== arguments[0]", before)


def test_labels_as_one_types(page):
    checkpoint = SHAPES["label"]()
    browser = page(checkpoint)
    browser.find("#typed")[0].send_keys("abba")
    until(browser, "return document.querySelectorAll('#bars button').length === 7")
    (expected,) = Labeller(rounded(checkpoint)).label(["abba"], top=7)
    shares = properties(browser, "#bars button", "--share")
    np.testing.assert_allclose(shares, list(expected.labels.values()), atol=1e-4)
    names = [name.text for name in browser.find("#bars bdi")]
    assert names[list(expected.labels).index("a\0b")] == "aU+0000b"
    assert names[list(expected.labels).index("\u202egnp.exe")] == "U+202Egnp.exe"
    set_values(browser, typed="")
    until(browser, "return document.querySelectorAll('#bars button').length === 0")


def test_tags_as_one_types(page):
    checkpoint = SHAPES["tags"]()
    browser = page(checkpoint)
    browser.find("#typed")[0].send_keys("abc fed\ncab")
    until(browser, "return document.querySelectorAll('#tagged p').length === 2")
    text = "[...document.querySelectorAll('#tagged bdi')].map((part) => part.textContent).join('')"
    until(browser, f"return {text} === 'abc fedcab'")
    labeller = Labeller(rounded(checkpoint))
    sentences = labeller.tag([tuple("abc fed"), tuple("cab")])
    expected = [tag[2:] for one in sentences for tag in one.tags if tag.startswith("B-")]
    assert [chip.text for chip in browser.find("#tagged small")] == expected


def test_restored_text_as_one_types(page):
    checkpoint = SHAPES["spaces"]()
    browser = page(checkpoint)
    browser.find("#typed")[0].send_keys("abba cdj\n\n  jj")
    (first, last) = Labeller(rounded(checkpoint)).restore(["abba cdj", "jj"])
    script = "return document.getElementById('restored').textContent === arguments[0]"
    until(browser, script, f"{first}\n\n{last}")
    assert len(browser.find("#restored mark")) == (first + last).count(" ")
    assert browser.find("#copy")[0].is_enabled()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_page_fits_its_window_and_asks_for_nothing(page, shape, size):
    colours = set()
    for dark in (False, True):
        browser = page(SHAPES[shape](), size, title="A name that is so long " * 6, dark=dark)
        browser.find("#typed")[0].send_keys("abcdefghij" * 20)
        until(browser, "return document.querySelector(arguments[0])", SHOWN)
        assert browser.overflow() <= 0
        assert browser.messages() == []
        assert [address.rsplit(".", 1)[1] for address in browser.requests()] == ["html"]
        colours.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


@pytest.mark.parametrize("title", [HOSTILE[1].replace("/", ""), HOSTILE[2]])
def test_a_hostile_model_runs_no_script(page, title):
    hostile = Vocabulary(np.array(sorted(map(ord, "\0\n\r\u2028\u202e<>&;\"'/")), np.uint32))
    checkpoint = untrained(vocabulary=hostile, scale=0.2)
    named = replace(checkpoint.sources[0], path=f"/texts/{HOSTILE[1]}")
    browser = page(replace(checkpoint, sources=(named,)), title=title)
    (text,) = drawn(browser, length=2000)
    assert {"<", "\u202e", "\0"} <= set(text)
    assert "img" in browser.find("#title")[0].text or "U+202E" in browser.find("#title")[0].text
    assert not browser.find("img")
    assert not browser.find("main script")
    assert browser.run("return document.title") != "broken"
    assert browser.messages() == []


def test_no_script_but_its_own_runs_even_if_markup_gets_in(page):
    browser = page(untrained())
    browser.run(
        "const script = document.createElement('script'); script.textContent = arguments[0];"
        "document.body.append(script);"
        "document.body.insertAdjacentHTML('beforeend', arguments[1])",
        "document.title = 'broken'",
        HOSTILE[1],
    )
    until(browser, "return document.querySelector('img')")
    assert browser.run("return document.title") == "a model"
    assert any("Content Security Policy" in message for message in browser.messages())
