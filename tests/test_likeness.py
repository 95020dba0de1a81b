"""Whether the end of a text is like the rest of it."""

import random
import string

import pytest
from texts import prose

from charrnn.data import likeness
from charrnn.data.likeness import end_is_unlike
from charrnn.text.codes import to_codes


def cut(text):
    codes = to_codes(text)
    at = len(codes) * 9 // 10
    return codes[:at], codes[at:]


C_CODE = "".join(
    f"static int f{n}(const char *s, size_t n{n}) {{\n    return s[{n}] == 0 ? -{n} : n{n};\n}}\n"
    for n in range(60)
)
FRENCH = ["l'été", "forêt", "près", "château", "où", "garçon", "déjà", "élève", "qu'il", "à"]


def log(form, count):
    rng = random.Random(0)
    return "".join(form.format(rng.randrange(10, 60), rng.randrange(999)) for _ in range(count))


TABLE = "".join(f"{n * n * n};{n * 77 % 1000};{n % 7}\n" for n in range(90, 200))

UNLIKE = {
    "code behind prose": prose(900, 0) + C_CODE,
    "another language behind prose": prose(900, 0) + prose(100, 1, FRENCH),
    "sorted names": "\n".join(
        sorted("".join(random.Random(n).choices(string.ascii_lowercase, k=6)) for n in range(2000))
    ),
    "a log that changes": log("12:{0}:07 INFO request {1} done\n", 900)
    + log('{{"at":{0},"level":"info","id":{1}}}\n', 80),
}
LIKE = {
    "prose": prose(900, 0),
    "short prose": prose(60, 0),
    "prose in two languages": prose(30, 0) + prose(30, 1, FRENCH) * 2 + prose(40, 2),
    "a log in order": "".join(
        sorted(log("12:{0}:07 INFO request {1} done\n", 900).splitlines(True))
    ),
    "rare characters": "".join(map(chr, random.Random(0).choices(range(0x4E00, 0x5200), k=5000))),
    # The end costs more than the average piece, and less than the strangest one.
    "tables among prose": prose(40, 0) + TABLE[:300] + prose(60, 1) + TABLE[300:420] + prose(8, 2),
    "a single character": "a" * 5000,
    "too short to tell": prose(9, 0) + C_CODE[:40],
}


@pytest.mark.parametrize("case", UNLIKE)
def test_an_end_that_is_unlike_the_rest(case):
    assert end_is_unlike(*cut(UNLIKE[case]))


@pytest.mark.parametrize("case", LIKE)
def test_an_end_that_is_like_the_rest(case):
    assert not end_is_unlike(*cut(LIKE[case]))


def test_a_long_text_is_sampled(monkeypatch):
    monkeypatch.setattr(likeness, "SAMPLE", 20_000)
    monkeypatch.setattr(likeness, "PIECE", 1_000)
    assert end_is_unlike(*cut(prose(3000, 0) + C_CODE * 4))
    assert not end_is_unlike(*cut(prose(3000, 0)))
