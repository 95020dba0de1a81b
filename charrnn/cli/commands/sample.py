"""``charrnn sample``: text sampled from a model."""

import sys
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from math import log
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charrnn.cli import completing
from charrnn.cli.kinds import TEXT, check_kind
from charrnn.cli.options import MachineConfig, Model, choice, takes
from charrnn.cli.show.console import is_muted, say, write, write_json
from charrnn.cli.show.copied import say_copied
from charrnn.cli.show.drawn import Output, collected, write_objects, write_samples
from charrnn.cli.show.words import listing, shortened
from charrnn.config import DeviceConfig, SampleConfig, pick
from charrnn.errors import ConfigError, CorpusError
from charrnn.evaluation.verdict import of_model

if TYPE_CHECKING:
    from charrnn.backend.arrays import Ids
    from charrnn.evaluation.verbatim import Copied
    from charrnn.storage.checkpoint import Checkpoint
    from charrnn.text import Vocabulary

UnknownChoice = Literal["error", "skip"]


@takes(
    SampleConfig,
    DeviceConfig,
    MachineConfig,
    leave_out=("precision",),
    defaults={DeviceConfig: "cpu"},
)
def command(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN|FILE",
            autocompletion=completing.runs,
            help="Name or folder of a run, or an .npz file; same as --model.",
            show_default=False,
        ),
    ] = None,
    *,
    seed: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="Text to begin with; - reads it from stdin, without its last line end.  "
            "[default: none: a new line of the corpus]",
            show_default=False,
        ),
    ] = "",
    seed_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="File with the text to begin with, read without its last line end."
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What a model that was trained with --prompted reads first, such as a label or a "
            "question.",
        ),
    ] = None,
    unknown: Annotated[
        UnknownChoice | None,
        typer.Option(
            parser=choice("--unknown", UnknownChoice),
            metavar="error|skip",
            autocompletion=completing.words(("error", "skip")),
            help="Characters of --seed or --prompt that the model does not know: stop with an "
            "error, or skip them.  [default: error]",
            show_default=False,
        ),
    ] = None,
    model: Model = None,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="Write the text unchanged: control characters to a terminal, and bytes that are "
            "not UTF-8.",
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object per sample and line, with its log-probability; bytes also "
            "in base64.",
        ),
    ] = False,
    copied: Annotated[
        bool,
        typer.Option(
            "--copied",
            help="Report how much of the samples is copied verbatim from the training text, "
            "compared with held-out text.",
        ),
    ] = False,
    novel: Annotated[
        bool,
        typer.Option(
            "--novel",
            help="For a model of items: sample only items that are not in its text.",
        ),
    ] = False,
    **settings: Any,
) -> None:
    """Sample text from a model, character by character.

    The text goes to stdout as it is generated, after the seed.
    """
    if run is not None and model is not None:
        raise ConfigError(f"{run} and --model {model} both name the model: give one of them")
    model = run if model is None else model
    config = pick(SampleConfig, settings)
    threads = pick(MachineConfig, settings).threads
    device = pick(DeviceConfig, settings).beside(threads)
    if seed and seed_file is not None:
        raise ConfigError("--seed and --seed-file both say what to begin with: give one of them")
    if unknown is not None and not (seed or seed_file or prompt):
        raise ConfigError(
            f"--unknown {unknown} applies only to the characters of --seed or --prompt, and there "
            "is neither"
        )
    unknown = unknown or "error"
    if raw and as_json:
        raise ConfigError(
            "--raw writes the text unchanged, and --json escapes it, with bytes in base64: "
            "leave one out"
        )
    if copied and is_muted() and not as_json:
        raise ConfigError("--copied reports on stderr, which --quiet silences: give --json too")
    if seed == "-":
        seed = _read_seed()
    if seed_file is not None:
        seed = _seed_of(seed_file)
    import numpy as np

    from charrnn.sampling.drawing import encode_seed, generate
    from charrnn.sampling.items import check_seed, full_prompt
    from charrnn.sampling.stopping import check_rules
    from charrnn.storage.folder import open_model
    from charrnn.text import fitting_text
    from charrnn.text.stream import as_text, raw_bytes
    from charrnn.training.devices import drawing_on_device

    path, checkpoint = open_model(model)
    vocabulary = checkpoint.vocabulary
    task = checkpoint.task
    check_kind(path, checkpoint, TEXT)
    if novel and not task.separate:
        raise ConfigError("--novel samples new items: train a model with --items first")
    if task.separate and config.stop is not None:
        raise ConfigError("--stop does not apply to a model of items: each item ends by itself")
    for notice in check_rules(vocabulary, config, task.end if task.separate else None):
        say(f"notice: {notice}")
    seed, helped = fitting_text(seed, vocabulary, checkpoint.text.newlines)
    if helped:
        say(f"notice: the seed is read as with {helped}, as the training text was")
    before = full_prompt(checkpoint, prompt)
    if before:
        with suppress(CorpusError):  # the text is gone, and its prompts with it
            _check_prompt(checkpoint, before)
    encode_seed(vocabulary, before, unknown)
    if task.separate:
        check_seed(checkpoint, seed)
    ids = encode_seed(vocabulary, seed, unknown)
    say(f"model: {path}", dim=True)
    _say_if_useless(checkpoint, counts=config.counts)
    if unknown == "skip" and seed:
        seed = _known_part(vocabulary, seed, ids)
    plain = checkpoint.model()
    network, count = drawing_on_device(device, plain, config, threads)
    options: dict[str, Any] = {"seed": seed, "unknown": unknown, "threads": count}
    options["together"] = network is not plain
    if config.counts:
        network = checkpoint.with_counts(network)
    comparing = _Comparing(checkpoint, seed) if copied else None
    is_bytes = vocabulary.unit == "byte"
    if task.separate:
        options.update(prompt=before, model=network)
        _write_items(
            checkpoint, config, novel, comparing, raw=raw, as_json=as_json, options=options
        )
        return
    if as_json:
        logs = np.zeros(config.num_samples)
        options.update(log_probabilities=logs, raw=is_bytes)
        drawn = collected(generate(network, vocabulary, config, **options), config.num_samples)
        texts = [as_text(text) for text in drawn] if is_bytes else drawn
        rows = [
            {"sample": number, "seed": seed, "text": text, "log_probability": log}
            for number, (text, log) in enumerate(zip(texts, logs.tolist(), strict=True), 1)
        ]
        if is_bytes:
            data = [b64encode(raw_bytes(text)).decode() for text in drawn]
            rows = [{**row, "base64": some} for row, some in zip(rows, data, strict=True)]
        write_objects(rows, comparing.of(texts, seeded=False) if comparing else None)
        return
    pieces = generate(network, vocabulary, config, raw=raw and is_bytes, **options)
    joined = vocabulary.normalize == "nfd"
    texts = write_samples(pieces, config.num_samples, Output(seed, raw=raw, joined=joined))
    texts = [as_text(text) for text in texts] if is_bytes else texts
    if comparing and (found := comparing.of(texts, seeded=False)):
        say_copied(found)


class _Comparing:
    """Compares samples with the training text, if it is found.

    Parameters
    ----------
    checkpoint : Checkpoint
    seed : str
        What each sample begins with; it does not count as copied.
    """

    def __init__(self, checkpoint: "Checkpoint", seed: str) -> None:
        self._checkpoint, self._seed = checkpoint, seed

    def of(self, texts: Sequence[str], *, seeded: bool) -> "Copied | None":
        """Return how much of the texts is copied; ``seeded`` texts begin with the seed.

        If the training text is gone, a notice says so, and the result is None.
        """
        from charrnn.evaluation.verbatim import copied_from_training
        from charrnn.storage.folder import cache_directory

        vocabulary = self._checkpoint.vocabulary
        first = len(vocabulary.text_to_codes(self._seed)) if seeded else 0
        codes = [vocabulary.text_to_codes(text)[first:] for text in texts]
        try:
            return copied_from_training(self._checkpoint, codes, cache_dir=cache_directory())
        except CorpusError as error:
            say(f"notice: {error}")
            return None


def _write_items(
    checkpoint: "Checkpoint",
    config: SampleConfig,
    novel: bool,
    comparing: _Comparing | None,
    *,
    raw: bool,
    as_json: bool,
    options: dict[str, Any],
) -> None:
    """Write items in the layout of their corpus, and say which of them are new."""
    from charrnn.sampling.items import known_items, sample_items, separator
    from charrnn.storage.folder import cache_directory
    from charrnn.text.stream import unread

    known = None
    try:
        known = known_items(checkpoint, cache_dir=cache_directory())
    except CorpusError as error:
        if novel:
            raise
        say(f"notice: {error}")
    drawn = []
    for number, item in enumerate(
        sample_items(checkpoint, config, known=known, novel=novel, scored=as_json, **options)
    ):
        drawn.append(item)
        if not as_json:
            mark = separator(checkpoint.settings.items, number)
            text = item.text if item.data is None or not raw else unread(item.data)
            write(f"{mark}{text}\n", raw=raw)
        elif comparing is None:
            write_json({"sample": number + 1, **item.to_json()})
    new, cut = sum(item.new is True for item in drawn), sum(item.cut for item in drawn)
    old = [item.text for item in drawn if item.new is False]
    if comparing is not None:
        found = comparing.of([item.text for item in drawn], seeded=True)
        if as_json:
            rows = [{"sample": number, **item.to_json()} for number, item in enumerate(drawn, 1)]
            write_objects(rows, found)
        elif found:
            say_copied(found)
    if known is not None:
        names = [shortened(text) for text in dict.fromkeys(old)]
        words = f"; in the text: {listing(names)}" if old else ""
        say(f"{new:,} of {config.num_samples:,} new{words}", dim=True)
    if cut:
        say(
            f"notice: {cut:,} of {config.num_samples:,} cut off after {config.length:,} "
            "characters: give a higher --length to draw them to their end"
        )


def _say_if_useless(checkpoint: "Checkpoint", *, counts: bool) -> None:
    """Say so if the model predicts no better than guessing, and what to try."""
    history, noun = checkpoint.history, checkpoint.vocabulary.noun
    uniform = log(len(checkpoint.vocabulary))
    used, other = history.best_nats, history.mixed_nats
    if counts:
        used, other = other, used
    useless = of_model(used, uniform=uniform, noun=noun)
    if not useless:
        return
    advice = "train again, with a lower --learning-rate or on another text"
    if checkpoint.table is not None and other and not of_model(other, uniform=uniform):
        advice = "leave out --counts" if counts else "add --counts"
    say(f"notice: {useless}: {advice}")


def _check_prompt(checkpoint: "Checkpoint", prompt: str) -> None:
    """Say so if a text has few prompts, such as labels, and the prompt is not among them.

    Raises
    ------
    CorpusError
        If the text is not found.
    """
    from charrnn.sampling.items import few_prompts
    from charrnn.storage.folder import cache_directory
    from charrnn.text.normalizing import normalized

    prompts = few_prompts(checkpoint, cache_dir=cache_directory())
    prompt = normalized(prompt[:-1], checkpoint.vocabulary.normalize)
    if prompts and prompt not in prompts:
        near = get_close_matches(prompt, prompts, 1)
        hint = f"it has {listing([shortened(each) for each in prompts])}"
        hint = f"did you mean {shortened(near[0])}?" if near else hint
        say(f"notice: the training text has no prompt {shortened(prompt)!r}: {hint}")


def _read_seed() -> str:
    if sys.stdin is None:
        raise ConfigError("--seed - reads the text from stdin, which is closed")
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise CorpusError(f"stdin: byte {error.start:,} is not UTF-8: convert the seed") from None
    return text.removesuffix("\n").removesuffix("\r")


def _seed_of(path: str) -> str:
    from charrnn.text import read_corpus

    corpus = read_corpus([path])
    for notice in corpus.notices:
        say(f"notice: {notice}")
    return corpus.text().removesuffix("\n")


def _known_part(vocabulary: "Vocabulary", seed: str, ids: "Ids") -> str:
    """Return the seed without the characters that the model does not know, and say which."""
    from charrnn.text import show_character

    codes = vocabulary.text_to_codes(seed)
    _, unknown = vocabulary.encode_known(codes)
    if not unknown:
        return seed
    listed = ", ".join(show_character(code) for code in unknown)
    say(f"notice: left out of the seed: {listed}")
    nothing_left = len(unknown) == len(set(codes.tolist()))
    return "" if nothing_left else vocabulary.decode(ids)
