"""Write the two reference pages: ``python -m docs.scripts.reference``, which is ``make reference``.

They are kept in the repository, so that they can be read as files. A test compares them.
"""

from pathlib import Path

from docs.scripts import api_page, cli_page

DOCS = Path(__file__).parent.parent
PAGES = {"api.md": api_page.page, "cli.md": cli_page.page}


def main() -> None:
    """Write both."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
