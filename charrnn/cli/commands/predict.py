"""``charrnn predict``: labels, tags, or what is restored, for new texts."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.kinds import LABELLED, RESTORED, check_kind
from charrnn.cli.options import MachineConfig, Model, named_model, takes, whole_number
from charrnn.cli.show.console import is_terminal, say, write, write_json
from charrnn.config import STDIN, TextConfig, given, option_name, pick
from charrnn.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from charrnn.evaluation.labels.labeller import Labeller
    from charrnn.storage.checkpoint import Checkpoint

AT_ONCE, AT_ONCE_WITH_COUNTS = 4096, 65536
"""Texts that are labelled together; n-grams are counted again for each batch."""


@takes(
    TextConfig,
    MachineConfig,
    leave_out=("unit", "normalize", "column"),
    defaults={TextConfig: "the run's"},
)
def command(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            help="Texts, one per line; - is stdin. A run before them is the same as --model.",
            show_default=False,
        ),
    ] = None,
    *,
    text: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="A text itself, in place of a FILE; may be given several times."
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            parser=whole_number("--top", 1),
            help="Print the K most likely labels, each with its probability.",
        ),
    ] = None,
    conll: Annotated[
        bool,
        typer.Option(
            "--conll", help="For a model of tags: FILE has one token per line, as in training."
        ),
    ] = False,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Keep the spaces, capitals, punctuation or accents that the text already has.",
        ),
    ] = False,
    model: Model = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object per text and line, with the probability of the label (with "
            "--top K, of K labels) or of each tag.",
        ),
    ] = False,
    **settings: Any,
) -> None:
    """Label texts, tag words, or restore spaces, case or punctuation.

    The model predicts what it was trained for with train --predict. The output has the format that
    train reads: a label, a tab and the text; a token, a tab and its tag; or plain text.
    """
    reading = given(TextConfig, settings)
    threads = pick(MachineConfig, settings).count
    files, model = named_model(files or [], model)
    if not files and not text:
        raise ConfigError("give a FILE, - for stdin, or --text TEXT: charrnn predict new.txt")
    if reading and not files:
        raise ConfigError(
            f"{option_name(next(iter(reading)))} says how to read a FILE, and none is named"
        )
    _check_files(files or [])
    from charrnn.data.labels.sentences import read_tokens
    from charrnn.evaluation.labels.labeller import Labeller
    from charrnn.storage.folder import open_model

    path, checkpoint = open_model(model)
    check_kind(path, checkpoint, LABELLED)
    if top is not None:
        check_kind(path, checkpoint, ("label",), option="--top")
    if conll:
        check_kind(path, checkpoint, ("tags",), option="--conll")
    if keep:
        check_kind(path, checkpoint, RESTORED, option="--keep")
    labeller = Labeller(checkpoint, threads=threads)
    predict = labeller.task.predict
    say(f"model: {path}", dim=True)
    read = _files(checkpoint, files or [], reading)
    lines = [line for _, content in read for line in content.removesuffix("\n").split("\n")]
    lines += _given(text or [])
    if hint := _hint(labeller, lines, conll):
        say(f"notice: {hint}")
    if predict == "label":
        at_once = AT_ONCE if checkpoint.kept is None else AT_ONCE_WITH_COUNTS
        _write_labels(labeller, lines, top, as_json, at_once)
    elif predict == "tags":
        sentences = [labeller.tokens(line) for line in lines]
        if conll:
            sentences = read_tokens([*read, *(("--text", given) for given in text or [])])
        _write_tags(labeller, sentences, as_json)
    else:
        _write_restored(labeller, lines, keep, as_json)


def _check_files(files: Sequence[str]) -> None:
    """Refuse a name that is neither a file nor a pattern."""
    for name in files:
        if name != STDIN and not set("*?[") & set(name) and not Path(name).exists():
            raise CorpusError(
                f"{name}: no such file or folder: check the name, or give a text itself as --text"
            )


def _files(
    checkpoint: "Checkpoint", files: Sequence[str], reading: dict[str, Any]
) -> list[tuple[str, str]]:
    """Return the name and the content of files, read as the run's own text was."""
    if not files:
        return []
    if STDIN in files and is_terminal(sys.stdin):
        say("enter texts, one per line; Ctrl-D ends the input:", dim=True)
    from charrnn.evaluation.scored_text import read_named

    corpus = read_named(checkpoint, files, reading)
    for notice in corpus.notices:
        say(f"notice: {notice}")
    stops = (*corpus.starts[1:], len(corpus))
    return [
        (source.path, corpus.text(start, stop))
        for source, start, stop in zip(corpus.sources, corpus.starts, stops, strict=True)
        if stop > start
    ]


def _given(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"--text {text!r:.60} is not UTF-8: give it in a file") from None
        yield from text.split("\n")


def _hint(labeller: "Labeller", lines: Sequence[str], conll: bool) -> str:
    """Say so if texts seem to have labels already, which are then read as text."""
    full = [line for line in lines if line]
    labelled = sum(line.partition("\t")[0] in labeller.task.labels for line in full if "\t" in line)
    fasttext = sum(line.startswith("__label__") for line in full)
    tabs = sum("\t" in line for line in full)
    predict = labeller.task.predict
    if predict == "label" and 2 * max(labelled, fasttext) > len(full):
        return "most lines begin with a label, which is read as text: charrnn eval FILE compares"
    if predict == "tags" and not conll and 2 * tabs > len(full):
        return "most lines have a tab, which is read as text: --conll reads a token a line"
    return ""


def _write_labels(
    labeller: "Labeller", lines: Sequence[str], top: int | None, as_json: bool, at_once: int
) -> None:
    """Write a label before each text; an empty line stays empty."""
    for some in _groups(lines, at_once):
        found = iter(labeller.label([line for line in some if line], top or 1))
        for line in some:
            labels = next(found).labels if line else {}
            if as_json:
                write_json({"text": line, "labels": labels})
            elif not line:
                write("\n")
            elif top is None:
                write(f"{next(iter(labels))}\t{line}\n")
            else:
                shown = "  ".join(f"{label} {share:.3f}" for label, share in labels.items())
                write(f"{shown}\t{line}\n")


def _write_tags(labeller: "Labeller", sentences: Sequence[tuple[str, ...]], as_json: bool) -> None:
    for some in _groups(sentences):
        tagged = iter(labeller.tag([tokens for tokens in some if tokens]))
        for tokens in some:
            if not tokens:  # an empty line stays one
                if as_json:
                    write_json({"tokens": [], "tags": [], "probabilities": []})
                else:
                    write("\n")
                continue
            sentence = next(tagged)
            if as_json:
                write_json(
                    {
                        "tokens": sentence.tokens,
                        "tags": sentence.tags,
                        "probabilities": sentence.probabilities,
                    },
                )
            else:
                pairs = zip(sentence.tokens, sentence.tags, strict=True)
                write("".join(f"{token}\t{tag}\n" for token, tag in pairs) + "\n")


def _write_restored(labeller: "Labeller", lines: Sequence[str], keep: bool, as_json: bool) -> None:
    for some in _groups(lines):
        for line, restored in zip(some, labeller.restore(some, keep=keep), strict=True):
            if as_json:
                write_json({"text": line, "restored": restored})
            else:
                write(f"{restored}\n")


def _groups(items: Sequence[Any], at_once: int = AT_ONCE) -> Iterable[list[Any]]:
    rest = iter(items)
    while group := list(islice(rest, at_once)):
        yield group
