"""Whole items drawn from a model of lines: which of them are new."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from charrnn.config import SampleConfig
from charrnn.data.items import line_end_id
from charrnn.errors import CharrnnError
from charrnn.evaluation.opponents import text_bytes
from charrnn.sampling.drawing import generate
from charrnn.storage.checkpoint import Checkpoint
from charrnn.storage.own_text import find_own_text

ROUNDS = 50
"""How often a model is asked for more items that are new before that is given up."""
LEAST_AT_ONCE = 32


@dataclass(frozen=True)
class Item:
    """An item that was drawn; ``new`` is None where the text of the model is gone."""

    text: str
    new: bool | None


def known_items(checkpoint: Checkpoint, *, cache_dir: Path | None = None) -> set[str]:
    """Return the lines of a model's text: what it learned from, and what was held out.

    A text too large for memory is kept encoded in ``cache_dir``, where one is given.

    Raises
    ------
    CorpusError
        If its corpus is gone or has changed.
    """
    own, _ = find_own_text(
        checkpoint,
        cache_dir=cache_dir,
        advice="put it beside the run, or in the working folder, to see which items are new",
    )
    text = text_bytes(own.codes, checkpoint.vocabulary).decode("utf-8", "replace")
    return set(text.split("\n")) - {""}


def draw_items(
    checkpoint: Checkpoint,
    config: SampleConfig,
    *,
    known: set[str] | None,
    novel: bool = False,
    seed: str = "",
    unknown: Literal["error", "skip"] = "error",
    threads: int = 1,
) -> Iterator[Item]:
    """Draw whole items, one after another.

    Parameters
    ----------
    checkpoint : Checkpoint
        Trained with ``--lines``.
    config : SampleConfig
        ``num_samples`` items of at most ``length`` characters.
    known : set of str, optional
        From ``known_items``; without it, no item is said to be new.
    novel : bool
        Whether to leave out what is known, and what was drawn before.
    seed : str
        What each item begins with.
    unknown : "error" or "skip"
        What to do with characters of the seed that the model does not know.
    threads : int
        No effect on the items.

    Raises
    ------
    CharrnnError
        If so many new items do not turn up.
    """
    if not novel:
        for text in _draw(checkpoint, config, seed, unknown, threads):
            yield Item(text, None if known is None else text not in known)
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
        for text in _draw(checkpoint, asked, seed, unknown, threads):
            if text and text not in known and text not in drawn:
                drawn.add(text)
                yield Item(text, True)
                if len(drawn) == config.num_samples:
                    return
    raise CharrnnError(
        f"only {len(drawn):,} of {config.num_samples:,} items are new after {ROUNDS} tries: ask "
        "for fewer, or raise --temperature"
    )


def _draw(
    checkpoint: Checkpoint,
    config: SampleConfig,
    seed: str,
    unknown: Literal["error", "skip"],
    threads: int,
) -> list[str]:
    """Return items without their line ends."""
    parts: list[list[str]] = [[] for _ in range(config.num_samples)]
    vocabulary = checkpoint.vocabulary
    begun = len(vocabulary.encode_known(vocabulary.text_to_codes(seed))[0]) > 0
    pieces = generate(
        checkpoint.model(),
        vocabulary,
        replace(config, stop="\n"),
        seed="\n" + seed,
        unknown=unknown,
        never_first=None if begun else line_end_id(vocabulary),  # no item is empty
        threads=threads,
    )
    for number, text in pieces:
        parts[number].append(text)
    texts = [seed + "".join(part).removesuffix("\n") for part in parts]
    if vocabulary.normalize == "nfd":  # what was drawn may complete the seed's end
        texts = [unicodedata.normalize("NFC", text) for text in texts]
    return texts
