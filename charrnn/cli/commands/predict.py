"""``charrnn predict``: labels, tags, or what is restored, for new texts."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.options import MachineConfig, Model, given, pick, takes
from charrnn.cli.show.console import say, write, write_json
from charrnn.config import TextConfig, option_name
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.evaluation.labels.labeller import Labeller
    from charrnn.storage.checkpoint import Checkpoint

AT_ONCE = 4096
"""Texts that are labelled together."""


@takes(
    TextConfig, MachineConfig, leave_out=("unit", "normalize"), defaults={TextConfig: "the run's"}
)
def command(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            help="Texts, one a line; - is stdin.",
            show_default=False,
        ),
    ] = None,
    *,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="A text itself; may be given several times."),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(metavar="K", min=1, help="The K likeliest labels, each with its probability."),
    ] = None,
    conll: Annotated[
        bool,
        typer.Option(
            "--conll", help="Of a model of tags: FILE has a token a line, as in training."
        ),
    ] = False,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="Keep the spaces, capitals, marks or accents that the text has."
        ),
    ] = False,
    model: Model = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object for each text, one a line.")
    ] = False,
    **settings: Any,
) -> None:
    """Label texts, tag their words, or restore what they lack.

    What is predicted is what the model learned with --predict. The output has the form that train
    reads: a label, a tab and the text; a token, a tab and its tag; or plain text.
    """
    reading = given(TextConfig, settings)
    threads = pick(MachineConfig, settings).count
    if not files and not text:
        raise ConfigError("give a FILE, - for stdin, or --text TEXT: charrnn predict new.txt")
    if reading and not files:
        raise ConfigError(
            f"{option_name(next(iter(reading)))} says how to read a FILE, and none is named"
        )
    from charrnn.evaluation.labels.labeller import Labeller
    from charrnn.storage.folder import open_model

    path, checkpoint = open_model(model)
    labeller = Labeller(checkpoint, threads=threads)
    predict = labeller.task.predict
    if top is not None and predict != "label":
        raise ConfigError(f"--top needs a model of labels, and this one predicts {predict}")
    if conll and predict != "tags":
        raise ConfigError(f"--conll needs a model of tags, and this one predicts {predict}")
    if keep and predict in ("label", "tags"):
        raise ConfigError(f"--keep needs a model that restores, and this one predicts {predict}")
    say(f"model: {path}", dim=True)
    lines = [*_lines(checkpoint, files or [], reading), *_given(text or [])]
    if predict == "label":
        _write_labels(labeller, lines, top, as_json)
    elif predict == "tags":
        _write_tags(labeller, _sentences(labeller, lines, conll), as_json)
    else:
        _write_restored(labeller, lines, keep, as_json)


def _lines(checkpoint: "Checkpoint", files: Sequence[str], reading: dict[str, Any]) -> list[str]:
    """Return the lines of files, read as the run's own text was."""
    if not files:
        return []
    from charrnn.evaluation.scored_text import read_for
    from charrnn.text import read_corpus

    corpus = read_for(
        checkpoint, lambda config: read_corpus(files, **config.to_json(), stdin=None), reading
    )
    for notice in corpus.notices:
        say(f"notice: {notice}")
    return corpus.text().removesuffix("\n").split("\n")


def _given(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"--text {text!r:.60} is not UTF-8: give it in a file") from None
        yield from text.split("\n")


def _sentences(labeller: "Labeller", lines: Sequence[str], conll: bool) -> list[tuple[str, ...]]:
    """Return the tokens of each sentence: a line, or the first columns up to an empty line."""
    if not conll:
        return [labeller.tokens(line) for line in lines]
    sentences: list[tuple[str, ...]] = []
    tokens: list[str] = []
    for line in [*lines, ""]:
        if line:
            tokens.append(line.partition("\t")[0])
        elif tokens:
            sentences.append(tuple(tokens))
            tokens = []
    return sentences


def _write_labels(
    labeller: "Labeller", lines: Sequence[str], top: int | None, as_json: bool
) -> None:
    """Write a label before each text; an empty line stays one."""
    for some in _groups(lines):
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
    for some in _groups([tokens for tokens in sentences if tokens]):
        for sentence in labeller.tag(some):
            if as_json:
                write_json(
                    {
                        "tokens": sentence.tokens,
                        "tags": sentence.tags,
                        "probabilities": sentence.probabilities,
                    }
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


def _groups(items: Sequence[Any]) -> Iterable[list[Any]]:
    rest = iter(items)
    while group := list(islice(rest, AT_ONCE)):
        yield group
