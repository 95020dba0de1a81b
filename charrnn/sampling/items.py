"""Sampling whole items from a model of items, and checking which are new."""

import unicodedata
from base64 import b64encode
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from charrnn.config import SampleConfig
from charrnn.data.dividing import chunks_of_items, texts_of
from charrnn.data.items import id_of
from charrnn.data.tasks import PromptedItems
from charrnn.errors import CharrnnError, ConfigError
from charrnn.evaluation.written import text_bytes
from charrnn.nn.predictor import Predictor
from charrnn.sampling.drawing import generate
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.own_text import find_own_text
from charrnn.text import Vocabulary
from charrnn.text.codes import Codes
from charrnn.text.stream import as_text, raw_bytes

ROUNDS = 50
"""Most rounds of sampling in search of new items."""
LEAST_AT_ONCE = 32
MOST_PROMPTS, TIMES_PER_LABEL = 1000, 5
"""Prompts are shown as labels if there are at most this many, each used this often on average."""


@dataclass(frozen=True)
class Item:
    """A sampled item.

    Attributes
    ----------
    text : str
        Without its end.
    cut : bool
        Whether it reached the requested length before its end.
    new : bool or None
        Whether the model's text has no such item or, if it is cut, none that starts with it; None
        if the text is not available.
    log_probability : float or None
        Of what was sampled after the prompt and the seed, including the end of the item unless it
        is cut, in nats, under the model itself at temperature 1. None if not requested.
    data : bytes or None
        For a model of bytes, the bytes of the text, which may not be valid UTF-8.
    """

    text: str
    cut: bool
    new: bool | None = None
    log_probability: float | None = None
    data: bytes | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types, with any bytes as ``base64``."""
        row = {name: value for name, value in asdict(self).items() if name != "data"}
        return row if self.data is None else {**row, "base64": b64encode(self.data).decode()}


def known_items(checkpoint: Checkpoint, *, cache_dir: Path | None = None) -> list[str]:
    """Return the sorted items of a model's text, both the training part and the held-out part.

    For prompted items these are the texts without their prompts. A text too large for memory is
    cached in ``cache_dir``, if given.

    Raises
    ------
    CorpusError
        If its corpus is gone or has changed.
    """
    task = checkpoint.task
    codes = task.predicted(_own_items(checkpoint, cache_dir))
    text = text_bytes(codes, checkpoint.vocabulary).decode("utf-8", "replace")
    return sorted(set(text.split(chr(task.end))) - {""})


def few_prompts(checkpoint: Checkpoint, *, cache_dir: Path | None = None) -> list[str]:
    """Return the prompts of a prompted model's text, if they are few and recur like labels.

    Raises
    ------
    CorpusError
        If its corpus is gone or has changed.
    """
    task = checkpoint.task
    if not isinstance(task, PromptedItems):
        return []
    codes = _own_items(checkpoint, cache_dir)
    items = [
        item for chunk in chunks_of_items(codes, task.end) for item in texts_of(chunk, task.end)
    ]
    prompts = {item.partition(chr(task.border))[0] for item in items}
    few = len(prompts) <= min(MOST_PROMPTS, len(items) // TIMES_PER_LABEL)
    return sorted(prompts) if few else []


def _own_items(checkpoint: Checkpoint, cache_dir: Path | None) -> Codes:
    own, _ = find_own_text(
        checkpoint,
        cache_dir=cache_dir,
        advice="put it next to the run or in the working folder to see which items are new",
    )
    return checkpoint.task.text(own, checkpoint.settings.val_files).codes


def is_known(item: Item, known: Sequence[str]) -> bool:
    """Return whether an item, or one that starts with it if it is cut, is in a sorted list."""
    place = bisect_left(known, item.text)
    if place == len(known):
        return False
    return known[place].startswith(item.text) if item.cut else known[place] == item.text


def check_seed(checkpoint: Checkpoint, seed: str) -> None:
    """Reject a seed that contains more than one item.

    Raises
    ------
    ConfigError
        If it contains a separator of items.
    """
    task, vocabulary = checkpoint.task, checkpoint.vocabulary
    codes = vocabulary.text_to_codes(f"x{seed}x")
    if np.count_nonzero(task.divided(codes, (0,), vocabulary.unit) == task.end) > 1:
        raise ConfigError(
            "the seed begins an item, so it cannot contain the separator of items: leave that out"
        )


def full_prompt(checkpoint: Checkpoint, prompt: str | None) -> str:
    """Return what a model reads before it generates: a prompt and its border.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model.
    prompt : str, optional
        The prompt from the user.

    Raises
    ------
    ConfigError
        If the model needs a prompt and none is given, or the reverse.
    """
    task = checkpoint.task
    if not isinstance(task, PromptedItems):
        if prompt is not None:
            raise ConfigError(
                "this model was not trained with --prompted: use --seed TEXT to begin its text"
            )
        return ""
    if prompt is None:
        raise ConfigError(
            "this model was trained with --prompted: give a prompt with --prompt TEXT"
        )
    if chr(task.border) in prompt or chr(task.end) in prompt:
        raise ConfigError(
            f"a prompt ends before {task.border_name}, which is added automatically: leave it out"
        )
    return prompt + chr(task.border)


def separator(items: str, number: int) -> str:
    """Return the separator before an item, so that the output divides as the training text does.

    Parameters
    ----------
    items : str
        How the text was divided: see ``divide``.
    number : int
        The number of the item, from 0.
    """
    if items == "file":
        return f"--- sample {number + 1} ---\n"
    if items == "line" or number == 0:
        return ""
    mark = "\n\n" if items == "blank-line" else items
    return mark.removeprefix("\n") + "\n" * (not mark.endswith("\n"))


def sample_items(
    checkpoint: Checkpoint,
    config: SampleConfig,
    *,
    known: Sequence[str] | None,
    novel: bool = False,
    model: Predictor | None = None,
    prompt: str = "",
    seed: str = "",
    unknown: Literal["error", "skip"] = "error",
    threads: int = 1,
    together: bool = False,
    scored: bool = False,
) -> Iterator[Item]:
    """Sample whole items and yield them one by one.

    Parameters
    ----------
    checkpoint : Checkpoint
        Trained on items.
    config : SampleConfig
        ``num_samples`` items of at most ``length`` characters.
    known : sequence of str, optional
        From ``known_items``; without it, ``new`` stays None.
    novel : bool
        Whether to skip known items and repeats.
    model : Predictor, optional
        Used in place of the checkpoint's network, for example a copy on a GPU.
    prompt : str
        Text that a prompted model reads before each item; see ``full_prompt``.
    seed : str
        The beginning of each item.
    unknown : "error" or "skip"
        What to do with characters of the seed that the model does not know.
    threads : int
        No effect on the items.
    together : bool
        See ``generate``.
    scored : bool
        Whether to compute log-probabilities.

    Raises
    ------
    CharrnnError
        If not enough new items are found.
    """
    draw = partial(
        draw_items,
        model or checkpoint.model(),
        checkpoint.vocabulary,
        end=checkpoint.task.end,
        prompt=prompt,
        seed=seed,
        unknown=unknown,
        threads=threads,
        together=together,
        scored=scored,
    )
    if not novel:
        for item in draw(config):
            yield item if known is None else replace(item, new=not is_known(item, known))
        return
    assert known is not None
    random_seed = config.random_seed
    if random_seed is None:
        random_seed = int(np.random.SeedSequence().entropy % 2**62)  # type: ignore[operator]
    drawn: set[str] = set()
    for round_number in range(ROUNDS):
        at_once = max(LEAST_AT_ONCE, config.num_samples - len(drawn))
        asked = replace(
            config, num_samples=at_once, random_seed=(random_seed + round_number) % 2**63
        )
        for item in draw(asked):
            if item.text and item.text not in drawn and not is_known(item, known):
                drawn.add(item.text)
                yield replace(item, new=True)
                if len(drawn) == config.num_samples:
                    return
    raise CharrnnError(
        f"only {len(drawn):,} of {config.num_samples:,} items are new after {ROUNDS} tries: ask "
        "for fewer, or raise --temperature"
    )


def draw_items(
    model: Predictor,
    vocabulary: Vocabulary,
    config: SampleConfig,
    *,
    end: int,
    prompt: str = "",
    seed: str = "",
    unknown: Literal["error", "skip"] = "error",
    threads: int = 1,
    together: bool = False,
    scored: bool = False,
) -> list[Item]:
    """Sample whole items in parallel.

    Parameters
    ----------
    model : Predictor
        Trained on items.
    vocabulary : Vocabulary
        The model's.
    config : SampleConfig
        ``num_samples`` items of at most ``length`` characters.
    end : int
        The code that ends an item, and begins it.
    prompt : str
        Text that is read before each item, including its border.
    seed, unknown, threads, together
        As for ``generate``; the seed begins each item.
    scored : bool
        Whether to compute log-probabilities.

    Returns
    -------
    list of Item
        With ``new`` still None.
    """
    parts: list[list[str]] = [[] for _ in range(config.num_samples)]
    logs = np.zeros(config.num_samples) if scored else None
    symbol = id_of(vocabulary, end)
    begun = len(vocabulary.encode_known(vocabulary.text_to_codes(seed))[0]) > 0
    pieces = generate(
        model,
        vocabulary,
        replace(config, stop=chr(end)),
        seed=chr(end) + prompt + seed,
        unknown=unknown,
        never_first=None if begun else symbol,  # no item is empty
        end_id=symbol,
        threads=threads,
        together=together,
        raw=vocabulary.unit == "byte",
        log_probabilities=logs,
    )
    for number, text in pieces:
        parts[number].append(text)
    texts = [seed + "".join(part) for part in parts]
    cut = [not text.endswith(chr(end)) for text in texts]
    texts = [text.removesuffix(chr(end)) for text in texts]
    data: list[bytes | None] = [None] * len(texts)
    if vocabulary.unit == "byte":
        data = [raw_bytes(text) for text in texts]
        texts = [as_text(text) for text in texts]
    if vocabulary.normalize == "nfd":  # sampled marks may combine with the seed's last letter
        texts = [unicodedata.normalize("NFC", text) for text in texts]
    each = [None] * len(texts) if logs is None else logs.tolist()
    return [
        Item(text, cut=is_cut, log_probability=log, data=its_data)
        for text, is_cut, log, its_data in zip(texts, cut, each, data, strict=True)
    ]
