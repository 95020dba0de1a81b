"""Links between the documents lead somewhere, as files and on the site."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("corpora/*.md")])
FENCE = re.compile(r"^(```+|~~~+).*?^\1[`~]*$", re.M | re.S)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\(<?([^()\s<>]+)>?\)|<(?:img|a)\b[^>]*?(?:src|href)=\"([^\"]+)\"")


def text_of(page):
    return FENCE.sub("", page.read_text("utf-8"))


def anchors(page):
    """The anchors of the headings, as code hosts make them."""
    found = []
    for heading in re.findall(r"^#{1,6} (.+?)\s*$", text_of(page), re.M):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", each) is not None for each in found)
        found.append(f"{slug}-{count}" if count else slug)
    return found


def links(page):
    plain = CODE.sub(lambda match: "`" * (len(match[0]) > 0), text_of(page))
    return [unquote(first or second) for first, second in LINK.findall(plain)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(page):
    broken = []
    for link in links(page):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists():
            broken.append(f"{link}: no such file")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            broken.append(f"{link}: no such heading")
    assert broken == []


def test_the_home_page_lists_each_page_once():
    """The navigation of the site is made of these lists: docs/site/conf.py."""
    listed = re.findall(r"^- \[[^\]]+\]\(([^)]+\.md)\)", text_of(DOCS / "README.md"), re.M)
    paths = [(DOCS / path).resolve() for path in listed]
    assert sorted(paths) == [page for page in PAGES if page != DOCS / "README.md"]


def test_links_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b` [c](d.md)!\n\n[x](y.md#z) `[no](no.md)` <img alt='' src=\"p.svg\">\n\n"
        "```\n[no](no.md)\n# no\n```\n\n## A `b` c\n"
    )
    assert links(page) == ["d.md", "y.md#z", "p.svg"]
    assert anchors(page) == ["a-b-c", "a-b-c-1"]
