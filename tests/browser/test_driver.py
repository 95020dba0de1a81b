"""The browser does what the tests of pages count on."""

from driver import PHONE

PAGE = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>p { width: 600px; margin: 0 }
@media (prefers-color-scheme: dark) { p { color: #fff } }</style>
<body style="margin:0"><p>text</p><img src="missing.png"><script>missing()</script>"""
COLOUR = "return getComputedStyle(document.querySelector('p')).color"


def test_what_a_page_does_is_seen(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(PAGE)
    browser.open(page)
    assert browser.run(COLOUR) == "rgb(0, 0, 0)"
    assert browser.overflow() == 0
    assert [element.text for element in browser.find("p")] == ["text"]
    assert any("missing is not defined" in message for message in browser.messages())
    names = [address.rsplit("/", 1)[1] for address in browser.requests()]
    assert names == ["page.html", "missing.png"]
    browser.open(page, PHONE, dark=True)
    assert browser.run(COLOUR) == "rgb(255, 255, 255)"
    assert browser.overflow() == 210
    browser.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
