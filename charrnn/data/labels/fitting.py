"""Advice about files whose layout does not fit the option that is to read them."""

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
"""Most characters (at the beginnings of files) and most files that are inspected."""

SEEMS: dict[Form, tuple[str, str]] = {
    "csv": (
        "is CSV",
        "--predict label predicts one column from another, --column NAME trains on one column",
    ),
    "conllu": ("is CoNLL-U", "--predict tags predicts its tags"),
    "fasttext": ("has fastText's labels", "--predict label predicts them"),
    "conll": ("has a token and its tag in each line", "--predict tags predicts the tags"),
    "pairs": (
        "has a tab in most lines",
        "--predict label predicts what precedes the tab, --prompted what follows it",
    ),
}
"""What a file looks like, and the option that fits it."""
NAMED = "--predict label predicts the names of the files"
READS = {
    "--predict label": "lines with a label, a tab and a text",
    "--predict tags": "lines with a token, a tab and a tag, and an empty line between sentences",
    "--prompted": "lines with a prompt, a tab and a text",
}
FITS: dict[str, set[Form]] = {
    "--predict label": {"csv", "fasttext", "pairs"},
    "--predict tags": {"conll", "conllu"},
    "--prompted": {"pairs"},
}
MAY_FIT: set[Form] = {"conll", "pairs"}
"""Recognized only by their content, so that the file may still be a plain text or prompts."""


def check_layout(train: TrainConfig, corpus: Corpus) -> tuple[tuple[str, ...], str]:
    """Compare the apparent layout of files with the option that is to read them.

    Returns
    -------
    notices : tuple of str
        One notice, if the files can be read but another option seems to fit better.
    fitting : str
        The option that would fit if nothing can be learned as requested; may be empty.

    Raises
    ------
    ConfigError
        If the files cannot be read as requested; the message names the option that fits.
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
            raise ConfigError(f"{first} is CoNLL-U: rename it so that it ends in .conllu")
        return (), ""
    seems, fitting = SEEMS[form]
    if not option or (form in MAY_FIT and option not in ("--predict label", "--predict tags")):
        read = "" if train.prompted else ", and all of it is read as text"
        return (f"{first} {seems}{read}: {fitting}",), fitting
    raise ConfigError(
        f"{first} {seems}: {fitting}; {option} reads {READS.get(option, 'plain text')}"
    )


def _heads(corpus: Corpus) -> list[tuple[str, str]]:
    """Return the names of files and the complete lines at their beginnings."""
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
    """Reject files of one text each if lines are read as texts, and the other way round."""
    if whole_files:
        folders = {unpacked(name).parent for name, _ in files}
        if len(files) > 1 and len(folders) == 1 and are_named_files(files):
            raise ConfigError(
                f"--items file takes the name of the folder as the label, and all {len(files):,} "
                f"files are in {folders.pop()}: leave it out to use the names of the files as "
                "labels"
            )
    elif are_named_files(files) and are_single_texts(files):
        raise ConfigError(
            f"{files[0][0]} and {len(files) - 1:,} more seem to be one text each: use --items "
            "file, which takes the name of the folder as the label"
        )
