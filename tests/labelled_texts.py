"""Small labelled texts from which something can be learned in a second, and runs on them."""

import random

from charrnn.config import ModelConfig, TrainConfig
from charrnn.training.new import prepare

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "and",
    "saw",
    "one",
    "dog",
    "who",
    "ran",
    "far",
    "to",
    "get",
    "her",
    "red",
    "hat",
]
VOWELS = "aeiou"


def _word(rng):
    return "".join(
        rng.choice("bdfgklmnprst") + rng.choice(VOWELS) for _ in range(rng.randint(2, 4))
    )


def names(count=300, seed=1):
    """Lines of a label, a tab and a text: the last vowel tells the label."""
    rng = random.Random(seed)
    texts = sorted({_word(rng) for _ in range(count)})
    rng.shuffle(texts)
    return "".join(f"{'open' if text[-1] in 'ao' else 'closed'}\t{text}\n" for text in texts)


def sentences(count=200, seed=2):
    """Lines of words that everybody knows."""
    rng = random.Random(seed)
    lines = [" ".join(rng.choices(WORDS, k=rng.randint(3, 8))) for _ in range(count)]
    return "".join(f"{line.capitalize()}.\n" for line in lines)


def tagged(count=120, seed=3, *, characters=False):
    """Sentences of tokens and tags: numbers are entities, of two tokens where two follow."""
    rng = random.Random(seed)
    parts = []
    for _ in range(count):
        tokens = [rng.choice([*WORDS, "7", "23", "451"]) for _ in range(rng.randint(3, 8))]
        if characters:
            tokens = list(" ".join(tokens))
        before, rows = "O", []
        for token in tokens:
            inside = "I-N" if before != "O" else "B-N"
            before = inside if token.isdigit() else "O"
            rows.append(f"{token}\t{before}\n")
        parts.append("".join(rows) + "\n")
    return "".join(parts)


def answers(count=200, seed=4):
    """Lines of a prompt, a tab and a text that repeats the prompt."""
    rng = random.Random(seed)
    pairs = [(letter, letter * rng.randint(3, 6)) for letter in rng.choices("abc", k=count)]
    return "".join(f"{letter}\t{text}{rng.choice('xyz')}\n" for letter, text in pairs)


TEXTS = {
    "label": names(),
    "tags": tagged(),
    "spaces": sentences(),
    "case": sentences(),
    "marks": sentences(),
    "accents": sentences().replace("cat", "c\u00e2t").replace("red", "r\u00e9d"),
}


def new(out, path, *, predict=None, threads=1, hidden_size=16, init_from=None, **train):
    """A run on a labelled text."""
    settings = {"steps": 60, "batch_size": 16, "validations": 4, "weight_decay": 0.05, **train}
    return prepare(
        [path],
        model=ModelConfig(
            hidden_size=None if init_from else hidden_size,
            members=None if init_from else 1,
            dropout=0.1,
            weight_dropout=0.05,
        ),
        train=TrainConfig(predict=predict, **settings),
        init_from=init_from,
        out=out,
        threads=threads,
    )
