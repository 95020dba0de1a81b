"""Sampling through the Python API."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from charrnn.config import DeviceConfig, SampleConfig
from charrnn.errors import ConfigError
from charrnn.evaluation.verbatim import Copied, copied_from_training
from charrnn.nn.model import CharModel
from charrnn.sampling.drawing import generate
from charrnn.sampling.items import check_seed, full_prompt, known_items, sample_items
from charrnn.sampling.stopping import check_rules
from charrnn.storage.checkpoint import Checkpoint
from charrnn.text import fitting_text
from charrnn.training.devices import drawing_on_device


def drawn(
    checkpoint: Checkpoint,
    network: CharModel,
    config: SampleConfig,
    *,
    seed: str,
    prompt: str | None,
    novel: bool,
    threads: int | None,
    device: DeviceConfig,
    cache_dir: Path | None,
) -> list[str]:
    """Sample texts from a model; see ``Model.sample``.

    Raises
    ------
    CharrnnError
        If the seed, the prompt or a setting does not apply to this model.
    """
    vocabulary, task = checkpoint.vocabulary, checkpoint.task
    model, count = drawing_on_device(device.beside(threads), network, config, threads)
    together = model is not network
    if config.counts:
        model = checkpoint.with_counts(model)
    if novel and not task.separate:
        raise ConfigError(
            "novel=True generates items that are not in the training text: train a model with "
            "items=... first"
        )
    seed, _ = fitting_text(seed, vocabulary, checkpoint.text.newlines)
    before = full_prompt(checkpoint, prompt)
    vocabulary.encode_text(before + seed)  # raises for unknown characters
    if task.separate:
        if config.stop is not None:
            raise ConfigError("stop does not apply to a model of items: each item ends by itself")
        check_seed(checkpoint, seed)
        check_rules(vocabulary, config, task.end)
        known = known_items(checkpoint, cache_dir=cache_dir) if novel else None
        items = sample_items(
            checkpoint,
            config,
            known=known,
            novel=novel,
            model=model,
            prompt=before,
            seed=seed,
            threads=count,
            together=together,
        )
        return [item.text for item in items]
    check_rules(vocabulary, config)
    texts = [seed] * config.num_samples
    for number, piece in generate(
        model, vocabulary, config, seed=seed, threads=count, together=together
    ):
        texts[number] += piece
    if vocabulary.normalize == "nfd":  # the sample may complete the seed's last syllable
        texts = [unicodedata.normalize("NFC", text) for text in texts]
    return texts


def copied(checkpoint: Checkpoint, texts: str | Sequence[str], cache_dir: Path | None) -> Copied:
    """Compare texts with the training text of a model; see ``Model.copied``.

    Raises
    ------
    CharrnnError
        If there is no text, or the training text cannot be found.
    """
    vocabulary, newlines = checkpoint.vocabulary, checkpoint.text.newlines
    texts = [texts] if isinstance(texts, str) else list(texts)
    if not any(texts):
        raise ConfigError(
            "there is nothing to compare: every text is empty; give at least one character"
        )
    codes = [
        vocabulary.text_to_codes(fitting_text(text, vocabulary, newlines)[0]) for text in texts
    ]
    return copied_from_training(checkpoint, codes, cache_dir=cache_dir)
