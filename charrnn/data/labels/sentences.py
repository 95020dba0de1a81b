"""Tagged sentences in CoNLL files."""

from collections.abc import Iterator, Sequence

from charrnn.data.labels.items import Layout, Tagged
from charrnn.data.labels.names import kind
from charrnn.data.labels.wording import OF_PLAIN_TEXT, counted, refuse_lines, shown
from charrnn.errors import ConfigError, CorpusError

CONLLU_COLUMNS = (
    *("id", "form", "lemma", "upos", "xpos"),
    *("feats", "head", "deprel", "deps", "misc"),
)


def read_tagged(
    files: Sequence[tuple[str, str]], *, columns: str | None = None
) -> tuple[list[Tagged], list[str], Layout]:
    """Read tagged sentences: a line for each token, and an empty line between sentences.

    In a file whose name ends in ``.conllu``, token and tag are FORM and UPOS; comments, ranges of
    tokens (``1-2``) and empty nodes (``1.1``) are passed over. In any other, the first column is
    the token and the last is the tag. Tabs divide the columns, and spaces where the file has no
    tab; ``-DOCSTART-`` lines are passed over.

    Parameters
    ----------
    files : sequence of (str, str)
        Of each its name, as messages show it, and its content, with LF line ends.
    columns : str, optional
        The names of the columns of token and tag in a ``.conllu`` file, as in ``form,xpos``.

    Returns
    -------
    items : list of Tagged
        In their order; none is empty.
    notices : list of str
        One line each.
    layout : "conll" or "conllu"

    Raises
    ------
    ConfigError
        If the files are of both kinds, or ``columns`` does not fit.
    CorpusError
        If a line is not what the others are, or if there is no sentence.
    """
    universal = [kind(name) == ".conllu" for name, _ in files]
    if any(universal) and not all(universal):
        of_one, of_other = files[universal.index(True)][0], files[universal.index(False)][0]
        raise ConfigError(
            f"{of_one} is a .conllu file and {of_other} is none: give files of one kind"
        )
    layout: Layout = "conllu" if any(universal) else "conll"
    if layout == "conll" and columns is not None:
        raise ConfigError(
            f"--columns {shown(columns)} is for .conllu files, and {files[0][0]} is none: leave it "
            "out, the first column is the token and the last is the tag"
        )
    places = _places(columns or "form,upos")
    known: dict[str, str] = {}
    items: list[Tagged] = []
    for name, content in files:
        rows = _universal(name, content, *places) if any(universal) else _plain(name, content)
        items.extend(_sentences(rows, known))
    if not items:
        raise CorpusError(
            f"{', '.join(name for name, _ in files[:3])}: no sentence: each line is a token, a "
            "tab, a tag, with an empty line between sentences"
        )
    return items, [], layout


def read_tokens(files: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Read sentences to be tagged: the first column of each line, or FORM of CoNLL-U.

    A line may be a token alone. Where no line has a tab, columns are divided by spaces if every
    line has as many of them, two or more.

    Parameters
    ----------
    files : sequence of (str, str)
        As for ``read_tagged``.
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
            f"--columns {shown(columns)}: give two columns of CoNLL-U, the token's and the tag's, "
            f"as in form,xpos (it has {', '.join(CONLLU_COLUMNS)})"
        )
    return CONLLU_COLUMNS.index(names[0]), CONLLU_COLUMNS.index(names[1])


def _sentences(rows: Iterator[tuple[str, str] | None], known: dict[str, str]) -> Iterator[Tagged]:
    """Yield the sentences of rows (token, tag), between which None stands.

    ``known`` has each string once, so that millions of tokens share a few thousand.
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
    """Yield the rows of a CoNLL file, and None at each sentence's end."""
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
                    "each line is a token, a tab, a tag, with an empty line between sentences"
                    f"; {OF_PLAIN_TEXT}",
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
        what = f"{counted(bad_width, 'column')}, where line {first_line} has {width}"
        plain = "" if tabs else f"; {OF_PLAIN_TEXT}"
        refuse_lines(name, bad, what, f"give every line of a token as many columns{plain}")
    if bare:
        refuse_lines(name, bare, "no token or no tag", "give the line both, or remove it")
    yield None


def _universal(
    name: str, content: str, of_token: int, of_tag: int
) -> Iterator[tuple[str, str] | None]:
    """Yield the rows of a CoNLL-U file, and None at each sentence's end."""
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
        what = f"{counted(bad_width, 'column')}, where CoNLL-U has {len(CONLLU_COLUMNS)}"
        refuse_lines(name, bad, what, "divide them with tabs, or give another name than .conllu")
    if bare:
        refuse_lines(name, bare, "no token or no tag", "give the line both, or remove it")
    yield None
