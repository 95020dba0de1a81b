"""The site that ``make docs`` builds: the Markdown files as they are, with navigation and search.

The source folder is the root of the repository, so a relative link means the same on the site as
between the files. The order of the pages is that of the lists in ``docs/README.md``.
"""

import re
from pathlib import Path
from typing import Any

from sphinx.errors import ExtensionError

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"^- \[(?P<title>[^\]]+)\]\((?P<path>[^)]+)\.md\)", re.M)
LOADED = re.compile(
    r"<(?:script|img|iframe|source|image|use)\b[^>]*\b(?:src|href)=\"(?:https?:)?//[^\"]*"
    r"|<link\b[^>]*\brel=\"(?:stylesheet|icon|preload)\"[^>]*\bhref=\"(?:https?:)?//[^\"]*"
    r"|(?:@import\s+|url\()[\"']?(?:https?:)?//[^\"')]*"
)
"""What a browser loads by itself from another host."""

project = "charrnn"
author = "the charrnn contributors"
version = release = re.search(
    r'__version__ = "(.+)"', (ROOT / "charrnn" / "__init__.py").read_text("utf-8")
)[1]

extensions = ["myst_parser"]
include_patterns = [
    "docs/**.md",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "corpora/README.md",
]
root_doc = "docs/README"
myst_heading_anchors = 4
myst_links_external_new_tab = False
nitpicky = True

html_theme = "furo"
html_title = f"charrnn {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["extra"]  # index.html, which leads to the home page
html_copy_source = False
html_show_copyright = False
html_theme_options = {
    "light_css_variables": {"font-stack--headings": "inherit"},
}


def contents(home: str) -> str:
    """Return a hidden table of contents for each list of the home page.

    Parameters
    ----------
    home : str
        The Markdown of ``docs/README.md``.
    """
    trees = []
    for section in home.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        pages = [f"{match['title']} <{match['path']}>" for match in LINK.finditer(body)]
        trees.append(
            "\n".join(["```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```"])
        )
    return "\n\n".join(trees)


def add_contents(app: Any, name: str, source: list[str]) -> None:
    """Put the navigation into the home page, whose file stays plain Markdown."""
    if name == root_doc:
        source[0] += "\n" + contents(source[0])


def check_offline(app: Any, error: Exception | None) -> None:
    """Refuse a site that loads anything from another host: it must work without a network.

    Raises
    ------
    ExtensionError
        If a page or a style sheet has such an address. A link that a reader may click is none.
    """
    if error is None and (found := loaded_from_elsewhere(Path(app.outdir))):
        raise ExtensionError("loaded from another host: " + "; ".join(found))


def loaded_from_elsewhere(folder: Path) -> list[str]:
    """Return the addresses on other hosts that the pages in ``folder`` load, with their files."""
    return [
        f"{path.relative_to(folder)}: {match[0]}"
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".html", ".css", ".svg")
        for match in LOADED.finditer(path.read_text("utf-8"))
    ]


def setup(app: Any) -> None:
    """Connect to Sphinx."""
    app.connect("source-read", add_contents)
    app.connect("build-finished", check_offline)
