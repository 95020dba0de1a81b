"""Numbers in words: what is less than all is never shown as all."""

import pytest

from charrnn.views.numbers import percent


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
