"""Numbers in words: what is less than all is never shown as all."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import charrnn
from charrnn.views.numbers import percent

PAGES = {
    "exports/page/web/page.js": ["100 %", "99.9 %", "84.2 %", "<0.1 %", "0.0 %"],
    "views/report/page.js": [
        "100\u00a0%",
        "99.9\u00a0%",
        "84.2\u00a0%",
        "0.0010\u00a0%",
        "0.0\u00a0%",
    ],
}


@pytest.mark.parametrize(
    ("share", "decimals", "words"),
    [
        (0.842, 1, "84.2 %"),
        (0.9996, 1, "99.9 %"),
        (1.0, 1, "100.0 %"),
        (0.0004, 1, "<0.1 %"),
        (0.0006, 1, "0.1 %"),
        (0.0, 1, "0.0 %"),
        (0.999, 0, "99 %"),
        (1.0, 0, "100 %"),
        (0.004, 0, "<1 %"),
        (0.0, 0, "0 %"),
        (0.5, 0, "50 %"),
    ],
)
def test_a_share(share, decimals, words):
    assert percent(share, decimals) == words


@pytest.mark.skipif(shutil.which("node") is None, reason="no node")
@pytest.mark.parametrize("page", PAGES)
def test_a_share_on_a_page(page):
    code = (Path(charrnn.__file__).parent / page).read_text("utf-8")
    (function,) = re.findall(r"^function percent\(.*?^}$", code, re.M | re.S)
    shares = "[1, 0.99999, 0.842, 0.00001, 0]"
    script = f"{function}; console.log(JSON.stringify({shares}.map(percent)))"
    said = subprocess.run(["node", "-e", script], capture_output=True, check=True).stdout
    assert json.loads(said) == PAGES[page]
