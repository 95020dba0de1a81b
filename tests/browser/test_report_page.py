"""A report in a browser: it runs no script but its own, and can be used by mouse and keyboard."""

from itertools import pairwise

import pytest
from driver import DESKTOP, PHONE
from hostile import ALL, HOSTILE
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from charrnn.views.report import report_page
from charrnn.views.report.content import (
    Confusions,
    Expected,
    Letter,
    Lit,
    Moment,
    Passage,
    Results,
    RunContent,
    Table,
    Unit,
    Units,
)

pytest.importorskip("matplotlib")

PLAIN = 'To be, or "not" to be:\nthat is the question. '


def content(text, name="run", words="a model"):
    """A run whose every text is this one."""
    guesses = [(letter, 0.5**n) for n, letter in enumerate([*HOSTILE[:2], *"abc"], 1)]
    letters = [Letter(c, 0.3 * (n % 9), [Expected(guesses)]) for n, c in enumerate(text * 4)]
    lit = [Lit(c, (n % 21) / 10 - 1, n % 3 == 0) for n, c in enumerate(text * 2)]
    table = Table(words, (words, "nats"), [(words, "1.234"), (words, "2.3 %")], frozenset({1}), 0)
    return RunContent(
        name=name,
        shape=words,
        title=words,
        facts=[(words, words)] * 5,
        settings=[(words, words)],
        per="character",
        split=words,
        split_words=words,
        moments=[Moment(n, n * 3.0, 3 - n / 20, 3 - n / 25, 1 / (n + 1), 0.01) for n in range(30)],
        line=(words, 2.0),
        line_missing=words,
        samples=[(10 * n, f"{n} {text}") for n in range(5)],
        passage=Passage(letters, words),
        units=Units([Unit(words, words, 0.5, -0.6, 0.1, lit)], words),
        results=Results([table], Confusions([words, "b"], [[3, 1], [0, 4]], words)),
        best=Moment(29, validation=1.5),
        notices=[words],
    )


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Write a report of plain text, one of hostile text, and one of both."""
    folder = tmp_path_factory.mktemp("pages")
    plain, hostile = content(PLAIN), content(ALL, ALL, ALL)
    for name, runs in (("plain", [plain]), ("hostile", [hostile]), ("both", [plain, hostile])):
        (folder / f"{name}.html").write_text(report_page(runs), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", ["plain", "hostile", "both"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_runs_overflows_or_is_asked_for(browser, pages, name, size, dark):
    browser.open(pages / f"{name}.html", size, dark=dark)
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true })")
    browser.run("document.querySelectorAll('.look .text').forEach(t => t.focus())")
    assert browser.messages() == []
    assert len(browser.requests()) == 1
    assert browser.overflow() == 0
    assert browser.run("return document.querySelectorAll('script').length") == 2
    assert browser.run("return document.querySelectorAll('img, iframe, object, link').length") == 0
    light = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, light[4:-1].split(","))) < 200) == dark


def test_the_policy_refuses_what_is_injected(browser, pages):
    text = (pages / "plain.html").read_text("utf-8")
    attack = "<img src='x' onerror='window.attacked = 1'><script>window.attacked = 2</script>"
    (pages / "attacked.html").write_text(text.replace("<main>", f"<main>{attack}"), "utf-8")
    browser.open(pages / "attacked.html")
    assert browser.run("return window.attacked === undefined")
    assert any("Content Security Policy" in message for message in browser.messages())
    assert browser.run("return document.documentElement.className") == "js"


def test_pointing_at_a_character_shows_five(browser, pages):
    browser.open(pages / "plain.html")
    spans, (panel,) = browser.find(".look .text span"), browser.find(".panel")
    assert "".join(span.get_attribute("textContent") for span in spans[:5]) == "To be"
    ActionChains(browser.driver).move_to_element(spans[3]).perform()
    assert "b cost 0.90 nats" in panel.text
    assert [one.text for one in browser.find(".panel .what")] == ["expected here", "expected next"]
    assert len(browser.find(".panel li")) == 10
    assert HOSTILE[0] in panel.text
    assert "50.0" in panel.text
    spans[7].click()
    assert ", or" in PLAIN
    assert panel.text.startswith("o cost")


def test_the_arrow_keys_move_through_a_passage(browser, pages):
    browser.open(pages / "plain.html", PHONE)
    (text,), (panel,) = browser.find(".look .text"), browser.find(".panel")
    browser.run("arguments[0].focus()", text)
    assert panel.text.startswith("T cost")
    text.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert panel.text.startswith("space cost")
    text.send_keys(Keys.ARROW_LEFT)
    assert panel.text.startswith("o cost")
    here = "return document.querySelector('.here').getBoundingClientRect().top"
    top = browser.run(here)
    text.send_keys(Keys.ARROW_DOWN)
    assert browser.run(here) != top
    number = "return document.querySelector('.here').number"
    lower = browser.run(number)
    assert lower > 10
    text.send_keys(Keys.ARROW_UP)
    assert browser.run(number) < lower
    text.send_keys(Keys.END)
    assert browser.run(number) == 4 * len(PLAIN) - 1
    text.send_keys(Keys.HOME, Keys.ARROW_LEFT)
    assert browser.run(number) == 0


def test_the_pages_of_samples_turn(browser, pages):
    browser.open(pages / "plain.html")
    (caption,), (sample,) = browser.find(".flip figcaption"), browser.find(".flip pre")
    (slider,), (back, on) = browser.find(".flip input"), browser.find(".flip button")
    assert (caption.text, sample.text[0], on.is_enabled()) == ("step 40", "4", False)
    back.click()
    assert (caption.text, sample.text[0], on.is_enabled()) == ("step 30", "3", True)
    slider.send_keys(Keys.HOME)
    assert (caption.text, sample.text[0], back.is_enabled()) == ("step 0", "0", False)
    slider.send_keys(Keys.ARROW_RIGHT)
    assert (caption.text, slider.get_attribute("aria-valuetext")) == ("step 10", "step 10")


def test_without_a_script_the_page_still_says_all(browser, pages):
    browser.command("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(pages / "plain.html")
        assert browser.find(".flip pre")[0].text.startswith("4 To be")
        assert not browser.find(".flip button")[0].is_displayed()
        assert len(browser.find(".look .text span")) == 4 * len(PLAIN)
    finally:
        browser.command("Emulation.setScriptExecutionDisabled", value=False)


def test_what_a_screen_reader_needs(browser, pages):
    browser.open(pages / "both.html")
    assert browser.run("return document.documentElement.lang") == "en"
    for name in browser.run(
        "return [...document.querySelectorAll('svg, input, button, [tabindex]')]"
        ".map(e => e.getAttribute('aria-label') ?? e.textContent)"
    ):
        assert name
    tags = browser.run("return [...document.querySelectorAll('h1, h2, h3')].map(e => e.tagName)")
    levels = [int(tag[1]) for tag in tags]
    assert levels.count(1) == 1
    assert all(later <= level + 1 for level, later in pairwise(levels))
