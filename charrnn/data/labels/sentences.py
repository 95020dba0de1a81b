"""Tagged sentences in CoNLL files."""

from collections.abc import Iterator, Sequence

from charrnn.config.words import listing
from charrnn.data.labels.items import Layout, Tagged
from charrnn.data.labels.names import kind
from charrnn.data.labels.wording import OF_PLAIN_TEXT, counted, refuse_lines, shown
from charrnn.errors import ConfigError, CorpusError
from charrnn.text.sources import show_path

CONLLU_COLUMNS = (
    *("id", "form", "lemma", "upos", "xpos"),
    *("feats", "head", "deprel", "deps", "misc"),
)


def read_tagged(
    files: Sequence[tuple[str, str]], *, columns: str | None = None
) -> tuple[list[Tagged], list[str], Layout]:
    """Read tagged sentences: one line per token, and an empty line between sentences.

    In a file whose name ends in ``.conllu``, the token and the tag are FORM and UPOS; comments,
    ranges of tokens (``1-2``) and empty nodes (``1.1``) are skipped. In any other file, the first
    column is the token and the last one the tag. Columns are separated by tabs, or by spaces if
    the file has no tab; ``-DOCSTART-`` lines are skipped.

    Parameters
    ----------
    files : sequence of (str, str)
        The name of each file, as messages show it, and its content, with LF newlines.
    columns : str, optional
        The names of the token and tag columns of a ``.conllu`` file, as in ``form,xpos``.

    Returns
    -------
    items : list of Tagged
        The sentences in order; none is empty.
    notices : list of str
        Notices, one line each.
    layout : "conll" or "conllu"

    Raises
    ------
    ConfigError
        If the files are of both kinds, or ``columns`` does not apply.
    CorpusError
        If a line does not fit the layout, or if there is no sentence.
    """
    universal = [kind(name) == ".conllu" for name, _ in files]
    if any(universal) and not all(universal):
        of_one, of_other = files[universal.index(True)][0], files[universal.index(False)][0]
        raise ConfigError(
            f"{of_one} is a .conllu file and {of_other} is not: give files of one kind"
        )
    layout: Layout = "conllu" if any(universal) else "conll"
    if layout == "conll" and columns is not None:
        raise ConfigError(
            f"--columns {shown(columns)} applies to .conllu files, and {files[0][0]} is not one: "
            "leave it out; the first column is the token and the last one the tag"
        )
    places = _places(columns or "form,upos")
    known: dict[str, str] = {}
    items: list[Tagged] = []
    for path, content in files:
        name = show_path(path)
        rows = _universal(name, content, *places) if any(universal) else _plain(name, content)
        items.extend(_sentences(rows, known))
    if not items:
        named = listing([show_path(path) for path, _ in files], 3)
        raise CorpusError(
            f"{named}: there is no sentence: each line must be "
            "a token, a tab and a tag, with an empty line between sentences"
        )
    return items, [], layout


def read_tokens(files: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Read sentences to tag: the first column of each line, or FORM of CoNLL-U.

    A line may have only a token. If no line has a tab, columns are separated by spaces, provided
    that every line has the same number of them, two or more.

    Parameters
    ----------
    files : sequence of (str, str)
        As in ``read_tagged``.
    """
    sentences: list[tuple[str, ...]] = []
    for name, content in files:
        if kind(name) == ".conllu":
            sentences += [sentence.tokens for sentence in read_tagged([(name, content)])[0]]
            continue
        lines = [line for line in content.split("\n") if not line.startswith("-DOCSTART-")]
        widths = {len(line.split()) for line in lines if line.strip()}
        spaced = "\t" not in content and len(widths) == 1 and min(widths) > 1
        tokens: list[str] = []
        for line in [*lines, ""]:
            if "\t" in line or line.strip():
                tokens.append(line.split()[0] if spaced else line.partition("\t")[0])
            elif tokens:
                sentences.append(tuple(tokens))
                tokens = []
    return sentences


def _places(columns: str) -> tuple[int, int]:
    names = [name.strip().casefold() for name in columns.split(",")]
    if len(names) != 2 or not set(names) <= set(CONLLU_COLUMNS):
        raise ConfigError(
            f"--columns {shown(columns)} is not valid: name the token and tag columns of CoNLL-U, "
            f"as in form,xpos (it has {', '.join(CONLLU_COLUMNS)})"
        )
    return CONLLU_COLUMNS.index(names[0]), CONLLU_COLUMNS.index(names[1])


def _sentences(rows: Iterator[tuple[str, str] | None], known: dict[str, str]) -> Iterator[Tagged]:
    """Yield sentences from rows (token, tag), separated by None.

    ``known`` interns the strings, so that millions of tokens share a few thousand.
    """
    tokens: list[str] = []
    tags: list[str] = []
    for row in rows:
        if row is not None:
            tokens.append(known.setdefault(row[0], row[0]))
            tags.append(known.setdefault(row[1], row[1]))
        elif tokens:
            yield Tagged(tuple(tokens), tuple(tags))
            tokens, tags = [], []


def _plain(name: str, content: str) -> Iterator[tuple[str, str] | None]:
    """Yield the rows of a CoNLL file, and None at the end of each sentence."""
    tabs = "\t" in content
    first_line = width = 0
    bad: list[int] = []
    bare: list[int] = []
    bad_width = 0
    for number, line in enumerate(content.split("\n"), 1):
        if "\t" not in line and not line.strip():
            yield None
            continue
        if line.startswith("-DOCSTART-"):
            continue
        cells = line.split("\t") if tabs else [cell for cell in line.split(" ") if cell]
        if not width:
            first_line, width = number, len(cells)
            if width == 1:
                refuse_lines(
                    name,
                    [number],
                    "one column",
                    "each line must be a token, a tab and a tag, with an empty line between "
                    f"sentences; {OF_PLAIN_TEXT}",
                )
        if len(cells) != width:
            bad_width = bad_width or len(cells)
            bad.append(number)
            continue
        tag = cells[-1].strip(" ")
        if not cells[0] or not tag:
            bare.append(number)
        yield cells[0], tag
    if bad:
        what = f"{counted(bad_width, 'column')}, but line {first_line} has {width}"
        plain = "" if tabs else f"; {OF_PLAIN_TEXT}"
        refuse_lines(name, bad, what, f"give every token line the same number of columns{plain}")
    if bare:
        refuse_lines(name, bare, "no token or no tag", "add it, or remove the line")
    yield None


def _universal(
    name: str, content: str, of_token: int, of_tag: int
) -> Iterator[tuple[str, str] | None]:
    """Yield the rows of a CoNLL-U file, and None at the end of each sentence."""
    bad: list[int] = []
    bare: list[int] = []
    bad_width = 0
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            yield None
            continue
        if line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != len(CONLLU_COLUMNS):
            bad_width = bad_width or len(cells)
            bad.append(number)
            continue
        if "-" in cells[0] or "." in cells[0]:
            continue
        if not cells[of_token] or not cells[of_tag]:
            bare.append(number)
        yield cells[of_token], cells[of_tag]
    if bad:
        what = f"{counted(bad_width, 'column')}, but CoNLL-U has {len(CONLLU_COLUMNS)}"
        refuse_lines(
            name,
            bad,
            what,
            "separate columns by tabs, or rename the file so that it does not end in .conllu",
        )
    if bare:
        refuse_lines(name, bare, "no token or no tag", "add it, or remove the line")
    yield None
