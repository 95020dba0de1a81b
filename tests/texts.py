# ruff: noqa: RUF001 - texts in many scripts
"""Texts of many scripts, and the files that tests make of them."""

import random

KOREAN = (
    "동해 물과 백두산이 마르고 닳도록\n하느님이 보우하사 우리나라 만세\n무궁화 삼천리 화려 강산\n"
)
JAPANESE = "吾輩は猫である。名前はまだ無い。\nどこで生れたかとんと見当がつかぬ。\n"
CHINESE = "这是一个中文的句子，我们在这里说话。\n他来到了中国，人们都很高兴。\n"
FRENCH = "L'été dernier, nous étions à la forêt près du château.\nÇa va très bien.\n"
RUSSIAN = "Все счастливые семьи похожи друг на друга.\n"
EMOJI = "👩‍👩‍👧‍👦 family, 🇰🇷 flag, 👍🏽 skin, ❤️ heart\n"
HAN = "".join(map(chr, range(0x4E00, 0x4E00 + 20_992)))
LONG_LINE = b"a long line " * 430_000
WORDS = ["kettle", "garden", "slowly", "under", "rain", "and", "wind", "the", "sings", "of"]


def writer(folder, monkeypatch):
    """Go to a folder, and return what writes a file there and returns its path."""
    monkeypatch.chdir(folder)

    def write(data, name="notes.txt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return write


def text_of(corpus):
    """Return the whole text of a corpus."""
    return corpus.text(0, len(corpus))


def prose(count, seed, words=WORDS):
    """Return lines of random words: each with its own order."""
    rng = random.Random(seed)
    lines = [" ".join(rng.choices(words, k=rng.randint(4, 11))) for _ in range(count)]
    return "\n".join(lines) + "\n"
