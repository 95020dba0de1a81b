"""The reference pages say what the docstrings and the help say today."""

import re

import pytest

import charrnn
from charrnn.cli.app import COMMANDS
from docs.scripts import api_page
from docs.scripts.numpydoc import anchor, bullets, examples, inline, prose, sections
from docs.scripts.reference import DOCS, PAGES

DOCSTRING = """Do a thing, as `train` does it.

    A tree::

        a
        └── b

    Parameters
    ----------
    one, two : int, optional
        Numbers, *such* as
        ``1``.
    **rest
        Others.

    Returns
    -------
    list of int, or None
        Numbers.

    Examples
    --------
    >>> 1 + 1
    2

    And so on:

    >>> 2
    2
    """


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_not_stale(name):
    assert (DOCS / name).read_text("utf-8") == PAGES[name](), "run make reference"


def test_each_exported_name_and_each_command_has_a_heading():
    api, cli = ((DOCS / name).read_text("utf-8") for name in ("api.md", "cli.md"))
    headed = set(re.findall(r"^### `charrnn\.(\w+)`$", api, re.M))
    assert headed == set(charrnn.__all__) - {"__version__"}
    assert re.findall(r"^## charrnn (\w+)$", cli, re.M) == list(COMMANDS)


def test_links_of_the_page_lead_to_headings():
    api = (DOCS / "api.md").read_text("utf-8")
    anchors = {anchor(name) for name in re.findall(r"^### `charrnn\.(\w+)`$", api, re.M)}
    links = set(re.findall(r"\]\(#(\w+)\)", api))
    assert len(links) > 5
    assert links <= anchors


def test_a_name_that_no_group_has_is_an_error(monkeypatch):
    monkeypatch.setattr(charrnn, "__all__", [*charrnn.__all__, "another"])
    with pytest.raises(ValueError, match="each exported name once"):
        api_page.page()


def test_sections_of_a_docstring_become_markdown():
    found = sections(DOCSTRING)
    assert list(found) == ["", "Parameters", "Returns", "Examples"]
    assert prose(found[""], ["train"]) == (
        "Do a thing, as [`train`](#charrnntrain) does it.\n\nA tree:\n\n```text\na\n└── b\n```"
    )
    assert bullets(found["Parameters"]) == (
        "- `one`, `two` (int, optional): Numbers, \\*such\\* as `1`.\n- `**rest`: Others."
    )
    assert bullets(found["Returns"]) == "- `list of int, or None`: Numbers."
    assert examples(found["Examples"]) == (
        "```pycon\n>>> 1 + 1\n2\n```\n\nAnd so on:\n\n```pycon\n>>> 2\n2\n```"
    )
    assert inline("a < b, `c`") == "a \\< b, `c`"
