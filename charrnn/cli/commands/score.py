"""``charrnn score``: the cost of each line of a text for a model."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast

import typer

from charrnn.cli import completing
from charrnn.cli.kinds import TEXT, check_kind
from charrnn.cli.options import MachineConfig, choice, named_model, takes, whole_number
from charrnn.cli.show.console import say
from charrnn.cli.show.outputs import Outputs, Unit
from charrnn.config import STDIN, TextConfig, given, option_name, pick
from charrnn.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from charrnn.cli.show.rows import Output, RowWriter
    from charrnn.evaluation.lines.models import Models, Scored
    from charrnn.evaluation.lines.rows import Row
    from charrnn.evaluation.lines.strangest import By
    from charrnn.storage.checkpoint import Checkpoint
    from charrnn.text import Corpus

Strange = Literal["both", "line", "character"]


class Wanted(NamedTuple):
    """What to write.

    Attributes
    ----------
    unit : "line", "word", "char" or "file"
        What a row is.
    top : int, optional
        How many of the strangest rows are shown.
    by : str
        What makes these strange.
    rank : bool
        Whether all rows are shown, best first.
    """

    unit: Unit
    top: int | None
    by: "By"
    rank: bool


@takes(
    TextConfig, MachineConfig, leave_out=("unit", "normalize"), defaults={TextConfig: "the run's"}
)
def command(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            help="Texts, one row per line; - is stdin. A run before them is the same as --model.",
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
    context: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What the model reads before each line, without being scored on it.  "
            "[default: a line end, as in sample]",
        ),
    ] = None,
    per_char: Annotated[bool, typer.Option("--per-char", help="One row per character.")] = False,
    per_word: Annotated[bool, typer.Option("--per-word", help="One row per word.")] = False,
    per_file: Annotated[
        bool, typer.Option("--per-file", help="One row per file, read as a whole.")
    ] = False,
    top: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole_number("--top", 1, 10**6),
            help="Print the N strangest rows, strangest first. For likely typos, a terminal and "
            "--json also show a correction.",
        ),
    ] = None,
    by: Annotated[
        Strange | None,
        typer.Option(
            parser=choice("--by", Strange),
            metavar="both|line|character",
            autocompletion=completing.words(("both", "line", "character")),
            help="What makes a line strange for --top: the line as a whole, a single character as "
            "in a typo, or both in turn.  [default: both]",
            show_default=False,
        ),
    ] = None,
    rank: Annotated[
        bool, typer.Option("--rank", help="Print all rows, most probable first.")
    ] = False,
    flush: Annotated[
        bool,
        typer.Option("--flush", help="With -: print the row of each line as soon as it arrives."),
    ] = False,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN|FILE",
            autocompletion=completing.runs,
            help="Name or folder of a run, or an .npz file; several show which fits each line "
            "best.  [default: the newest run in ./runs]",
            show_default=False,
        ),
    ] = None,
    counts: Annotated[
        bool,
        typer.Option("--counts", help="Mix in the n-grams that train --counts counted."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per row.")] = False,
    **settings: Any,
) -> None:
    """Score each line of a text by how well a model predicts it.

    Each row has the bits, the bits per character, the number of unknown symbols, FILE:LINE if there
    are several files, and the line.
    """
    wanted = _wanted(per_char, per_word, per_file, top=top, by=by, rank=rank)
    reading = given(TextConfig, settings)
    TextConfig(**reading)  # refuses what is unknown before anything is read
    if not model:
        files, first = named_model(files or [], None)
        model = [] if first is None else [first]
    names = [*dict.fromkeys(model)]
    machine = pick(MachineConfig, settings)
    threads = machine.threads
    _check(
        files or [],
        text or [],
        wanted,
        reading,
        flush=flush,
        threads=threads,
        several=len(names) > 1,
    )
    from charrnn.cli.show.rows import RowWriter
    from charrnn.evaluation.lines.models import Models
    from charrnn.storage.folder import open_model
    from charrnn.text.finding import check_exist

    check_exist(files or [])
    opened = [open_model(name) for name in names] or [open_model()]
    checkpoints = dict(zip(names or [str(opened[0][0])], (one for _, one in opened), strict=True))
    leading = opened[0][1]
    for path, checkpoint in opened:
        check_kind(path, checkpoint, TEXT)
        say(f"model: {path}", dim=True)
    count = 1 if flush else machine.count
    with Models(checkpoints, context=context or "", counts=counts, threads=count) as models:
        if flush and not models.division.is_lines:
            raise ConfigError(
                "--flush applies only to lines, and this model scores items: leave it out"
            )
        for notice in models.notices:
            say(f"notice: {notice}")
        noun = models.division.noun if wanted.unit == "line" else wanted.unit
        source = _Source(leading, files or [], text or [], reading, flush=flush)
        # Several models are compared per character of the text as it is written.
        symbol = "character" if len(names) > 1 else leading.vocabulary.noun
        writer = RowWriter(models.names, noun, symbol=symbol, files=source.several, as_json=as_json)
        if wanted.unit == "file":
            scored: Iterable[list[Scored]] = ([one] for one in models.files(source.corpus))
        else:
            scored = models.rows(source.blocks(models))
        _write(writer, models, scored, wanted)
        writer.end()
        source.say_notices()
        for notice in models.strangers:
            say(f"notice: {notice}")


def _wanted(
    per_char: bool, per_word: bool, per_file: bool, *, top: int | None, by: Any, rank: bool
) -> Wanted:
    """Return what to write; raise ConfigError if two options contradict each other."""
    units: dict[str, tuple[bool, Unit]] = {
        "--per-char": (per_char, "char"),
        "--per-word": (per_word, "word"),
        "--per-file": (per_file, "file"),
    }
    asked = [(option, unit) for option, (wanted, unit) in units.items() if wanted]
    if len(asked) > 1:
        raise ConfigError(f"{asked[0][0]} and {asked[1][0]} both say what a row is: give one")
    option, unit = asked[0] if asked else ("", "line")
    if rank and top is not None:
        raise ConfigError("--rank and --top are opposite orders: give one of them")
    if rank and unit in ("char", "word"):
        raise ConfigError(f"--rank orders whole lines: leave out {option}")
    if by is not None and top is None:
        raise ConfigError("--by says what --top looks for: give both")
    if by is not None and unit != "line":
        raise ConfigError(f"--by applies only to lines: leave out {option}")
    return Wanted(unit, top, by or ("both" if unit == "line" else "line"), rank)


def _check(
    files: Sequence[str],
    texts: Sequence[str],
    wanted: Wanted,
    reading: dict[str, Any],
    *,
    flush: bool,
    threads: int | None,
    several: bool,
) -> None:
    """Refuse options that make no sense together."""
    if not files and not texts:
        raise ConfigError("give a FILE, - for stdin, or --text TEXT: charrnn score new.txt")
    if reading and not files:
        raise ConfigError(
            f"{option_name(next(iter(reading)))} says how to read a FILE, and none is named"
        )
    if texts and files:
        raise ConfigError("a FILE and --text both say what to score: give one of them")
    if wanted.unit == "file" and texts:
        raise ConfigError(
            "--per-file applies only to files: leave out --text, or pipe the text to -"
        )
    if STDIN in files and len(files) > 1:
        raise ConfigError("- is scored alone: leave out the other files")
    if flush and list(files) != [STDIN]:
        raise ConfigError("--flush applies only to standard input: give - in place of a FILE")
    if flush and "column" in reading:
        raise ConfigError(
            "--column applies only to files, and --flush to lines that arrive: leave one out"
        )
    if flush and threads is not None:
        raise ConfigError(
            "--flush scores lines one by one, without --threads: leave one of them out"
        )
    if flush:
        order = "--top" if wanted.top else "--rank" if wanted.rank else ""
        if order or wanted.unit == "file":
            raise ConfigError(
                f"{order or '--per-file'} needs all of the text first: leave out --flush"
            )
    if several:
        option = "--top" if wanted.top else "--rank" if wanted.rank else ""
        option = f"--per-{wanted.unit}" if wanted.unit in ("word", "char") else option
        if option:
            raise ConfigError(
                f"{option} applies only to one model, and several compare lines: give one"
            )


class _Source:
    """The lines to score.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model whose settings say how a text is read.
    files, texts : sequence of str
        One of them is empty.
    reading : dict
        How to read files, if not as the corpus was read.
    flush : bool
        Whether lines are yielded as they arrive.
    """

    def __init__(
        self,
        checkpoint: "Checkpoint",
        files: Sequence[str],
        texts: Sequence[str],
        reading: dict[str, Any],
        *,
        flush: bool,
    ) -> None:
        self._checkpoint, self._files, self._texts = checkpoint, files, texts
        self._reading, self._flush = reading, flush
        self._notices: Any = ()

    @property
    def several(self) -> list[str]:
        """The names of the files, if there are several: a folder may be."""
        if self._texts or list(self._files) == [STDIN]:
            return []
        from charrnn.text.sources import show_path

        names = [show_path(source.path) for source in self.corpus.sources]
        return names if len(names) > 1 else []

    @cached_property
    def corpus(self) -> "Corpus":
        """The text of the files, read as ``eval`` does."""
        from charrnn.evaluation.scored_text import read_named
        from charrnn.storage.folder import cache_directory

        corpus = read_named(
            self._checkpoint, self._files, self._reading, cache_dir=cache_directory()
        )
        self._notices = corpus.notices
        return corpus

    def blocks(self, models: "Models") -> Iterator[list["Row"]]:
        """Yield the rows."""
        from charrnn.evaluation.lines.rows import BLOCK
        from charrnn.evaluation.scored_text import read_like
        from charrnn.text.arriving import ArrivingLines

        division = models.division
        if self._texts:
            for text in self._texts:
                try:
                    text.encode()
                except UnicodeEncodeError:
                    raise ConfigError(
                        f"--text {text!r:.60} is not UTF-8: give it in a file"
                    ) from None
            yield division.of_texts(self._texts, self._checkpoint.text.newlines)
        elif list(self._files) == [STDIN] and division.is_lines and not self._reading.get("column"):
            if sys.stdin is None or sys.stdin.closed:
                raise CorpusError("standard input (-) is closed: name a file")
            options = read_like(self._checkpoint.text, self._reading)
            lines = ArrivingLines(
                cast(Any, sys.stdin.buffer), options, at_least=1 if self._flush else BLOCK
            )
            yield from division.arriving(lines)
            self._notices = lines.notices
        else:
            yield from division.of_corpus(self.corpus)

    def say_notices(self) -> None:
        """Print the notices about how the text was read."""
        for notice in self._notices:
            say(f"notice: {notice}")


def _write(
    writer: "RowWriter", models: "Models", scored: Iterable[list["Scored"]], wanted: Wanted
) -> None:
    """Write rows in the order that is asked for."""
    outputs = Outputs(models, wanted.unit, with_cells=writer.draws)
    if wanted.top is None and not wanted.rank:
        for block in scored:
            writer.write([output for one in block for output in outputs.of(one)])
        return
    if wanted.rank:
        rows = [one for block in scored for one in block]
        rows.sort(key=lambda one: one.figures[0].nats)
        writer.write([output for one in rows for output in outputs.of(one)])
        return
    from charrnn.evaluation.lines.strangest import Strangest

    assert wanted.top is not None
    if wanted.unit in ("word", "char"):
        parts: Strangest[Output] = Strangest(wanted.top, "line")
        for block in scored:
            rows_of_parts = [output for one in block for output in outputs.of(one)]
            parts.add(rows_of_parts, [row.figures[0] for row in rows_of_parts])
        writer.write([strange.row for strange in parts])
        return
    strangest: Strangest[Scored] = Strangest(wanted.top, wanted.by, models.corrector)
    for block in scored:
        scores = [one.score for one in block if one.score is not None]
        strangest.add(block, [one.figures[0] for one in block], scores)
    for strange in strangest:
        why = strange.why if wanted.by == "both" else ""
        correction = outputs.correction(strange)
        writer.write(
            [output._replace(why=why, correction=correction) for output in outputs.of(strange.row)]
        )
