"""What to say before training of files whose layout an option does not read."""

from collections.abc import Sequence

from charrnn.config import TrainConfig
from charrnn.data.labels.names import unpacked
from charrnn.data.labels.recognizing import (
    Form,
    are_named_files,
    are_single_texts,
    form_of,
)
from charrnn.data.labels.wording import OF_PLAIN_TEXT
from charrnn.errors import ConfigError
from charrnn.text import Corpus
from charrnn.text.sources import show_path

HEAD, MOST_FILES = 200_000, 1_000
"""Characters at the beginnings of all files, and files, that are looked at."""

SEEMS: dict[Form, tuple[str, str]] = {
    "csv": (
        "is CSV",
        "--predict label learns one of its columns from another, --column NAME a single one",
    ),
    "conllu": ("is CoNLL-U", "--predict tags learns its tags"),
    "fasttext": ("has fastText's labels", "--predict label learns them"),
    "conll": ("has a token and its tag in each line", "--predict tags learns the tags"),
    "pairs": (
        "has a tab in most lines",
        "--predict label learns what precedes a tab, --prompted what follows it",
    ),
}
"""What a file has, and the option that fits it."""
NAMED = "--predict label learns the names of the files"
READS = {
    "--predict label": "lines of a label, a tab, a text",
    "--predict tags": "lines of a token, a tab, a tag, with an empty line between sentences",
    "--prompted": "lines of a prompt, a tab, a text",
}
FITS: dict[str, set[Form]] = {
    "--predict label": {"csv", "fasttext", "pairs"},
    "--predict tags": {"conll", "conllu"},
    "--prompted": {"pairs"},
}
MAY_FIT: set[Form] = {"conll", "pairs"}
"""Told by what is in a file alone, so that it may be a text, or prompts, all the same."""


def check_layout(train: TrainConfig, corpus: Corpus) -> tuple[tuple[str, ...], str]:
    """Compare what files seem to be with what is to be learned from them.

    Returns
    -------
    notices : tuple of str
        One, if they can be read, but another option seems to fit them.
    fitting : str
        What another option learns from them, if nothing can be learned as asked; may be empty.

    Raises
    ------
    ConfigError
        If they cannot; it names the option that fits.
    """
    option = "--prompted" if train.prompted else ""
    if train.predict:
        option = f"--predict {train.predict}"
    files = _heads(corpus)
    if option == "--predict label":
        _check_folders(files, train.items == "file")
    first = files[0][0] if files else ""
    form = form_of(files)
    if form == "plain":
        several = are_named_files(files)
        by_lines = option == "--predict tags" or (train.prompted and train.items != "blank-line")
        if by_lines and several:
            raise ConfigError(
                f"{first} and {len(files) - 1:,} more have no tab in most lines: {NAMED}; "
                f"{OF_PLAIN_TEXT}; {option} reads {READS[option]}"
            )
        return (), NAMED if several else ""
    if form in FITS.get(option, set()):
        if form == "conllu" and unpacked(first).suffix.casefold() != ".conllu":
            raise ConfigError(f"{first} is CoNLL-U: give it a name that ends in .conllu")
        return (), ""
    seems, fitting = SEEMS[form]
    if not option or (form in MAY_FIT and option not in ("--predict label", "--predict tags")):
        read = "" if train.prompted else ", and all of it is read as text"
        return (f"{first} {seems}{read}: {fitting}",), fitting
    raise ConfigError(
        f"{first} {seems}: {fitting}; {option} reads {READS.get(option, 'plain text')}"
    )


def _heads(corpus: Corpus) -> list[tuple[str, str]]:
    """Return the names of files and the whole lines at their beginnings."""
    stops = (*corpus.starts[1:], len(corpus))
    files: list[tuple[str, str]] = []
    left = HEAD
    for source, start, stop in zip(corpus.sources, corpus.starts, stops, strict=True):
        if left <= 0 or len(files) == MOST_FILES:
            break
        head = corpus.text(start, min(stop, start + left))
        left -= len(head)
        if start + len(head) < stop:
            head = head[: head.rfind("\n") + 1]
        files.append((show_path(source.path), head))
    return files


def _check_folders(files: Sequence[tuple[str, str]], whole_files: bool) -> None:
    """Refuse files that are a text each as files of texts, and the other way round."""
    if whole_files:
        folders = {unpacked(name).parent for name, _ in files}
        if len(files) > 1 and len(folders) == 1 and are_named_files(files):
            raise ConfigError(
                f"--items file takes the name of a folder as label, and all {len(files):,} files "
                f"lie in {folders.pop()}: leave it out, and the names of the files are the labels"
            )
    elif are_named_files(files) and are_single_texts(files):
        raise ConfigError(
            f"{files[0][0]} and {len(files) - 1:,} more seem to be a text each: --items file takes "
            "the name of its folder as its label"
        )
