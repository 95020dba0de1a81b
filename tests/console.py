"""Console blocks of documents: their commands, run by a small shell, and how output compares."""

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from typer.testing import CliRunner

from charrnn.cli.app import app

FENCE = re.compile(r"^```console\n(.*?)^```", re.M | re.S)
TARGET = re.compile(r"\s+(2?>|<)\s*([^\s<>()]+)$")
NUMBER = re.compile(
    r"(?<![\w.])[-+]?(?:\d[\d,.]*\d|\d|inf|nan)(?:e[-+]?\d+)?(?:[:x]\d+)*(?![\w]*\d)"
)
UNIT = re.compile(r"# ?(?:ms|s|min|h|d|B|kB|MB|GB|bytes?)\b")


class Command(NamedTuple):
    """A command of a block, where it stands, and what the document says that it prints."""

    page: str
    line: int
    words: str
    output: list[str]


def commands_of(page, text):
    """Return the commands of the console blocks of a page, in order."""
    found = []
    for block in FENCE.finditer(text):
        first = text.count("\n", 0, block.start()) + 2
        continues = False
        for number, row in enumerate(block[1].splitlines(), first):
            if continues:
                words = f"{found[-1].words} {row.strip()}"
            elif row.startswith("$ "):
                words = row[2:]
                found.append(Command(page, number, words, []))
            else:
                found[-1].output.append(row.rstrip())
                continue
            words = without_comment(words)
            continues = words.endswith("\\")
            found[-1] = found[-1]._replace(words=words.removesuffix("\\").rstrip())
    return found


def is_quoted(words, place):
    """Return whether a place in a command is inside quotes."""
    return any(words.count(quote, 0, place) % 2 for quote in "'\"")


def without_comment(words):
    """Return a command without what stands behind a # that is not quoted."""
    places = [match.start() for match in re.finditer(r"\s#(?=\s)", words)]
    outside = [place for place in places if not is_quoted(words, place)]
    return words[: outside[0]].rstrip() if outside else words.strip()


def split_pipe(words):
    """Return the commands of a pipe; a | in quotes belongs to its word."""
    places = [place for place, symbol in enumerate(words) if symbol == "|"]
    borders = [place for place in places if not is_quoted(words, place)]
    starts = [0, *(place + 1 for place in borders)]
    return [words[a:b].strip() for a, b in zip(starts, [*borders, None], strict=True)]


def expanded(words):
    """Return the arguments that bash makes of words: quotes, patterns, $'...'."""
    command = ["bash", "-c", f"printf '%s\\0' {words}"]
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


def run(words, changed):
    """Run a pipe: charrnn in this process, other commands by bash.

    Parameters
    ----------
    words : str
        As typed.
    changed : callable
        Makes the arguments of a call of charrnn small: a list of str to a list of str.

    Returns
    -------
    code : int
        The exit code of the last command.
    stdout : str
        Of the last command.
    stderr : str
        Of all.
    """
    given, shown, code = "", "", 0
    for stage in split_pipe(words):
        targets = {}
        while (match := TARGET.search(stage)) and not is_quoted(stage, match.start()):
            targets[match[1]], stage = Path(match[2]), stage[: match.start()]
        given = targets["<"].read_text("utf-8") if "<" in targets else given
        if stage.startswith("charrnn "):
            arguments = changed(expanded(stage)[1:])
            done = CliRunner().invoke(app, arguments, prog_name="charrnn", input=given)
            if done.exception is not None and not isinstance(done.exception, SystemExit):
                raise done.exception
            code, errors = done.exit_code, done.stderr
        else:
            command = ["bash", "-c", stage]
            done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
            code, errors = done.returncode, done.stderr
        given = done.stdout
        if "2>" not in targets:
            shown += errors
        if ">" in targets:
            targets[">"].write_text(given, "utf-8")
            given = ""
    return code, given, shown


def shape(line):
    """Return a line with numbers, units of time and size, plurals and quoted texts made alike."""
    if line.startswith("{"):
        return f"JSON with {', '.join(json.loads(line))}"
    line = re.sub(r"'.*'|\".*\"", "'text'", " ".join(line.split()))
    line = UNIT.sub("#", NUMBER.sub("#", line))
    line = re.sub(r"# ([a-z]+?)s\b", r"# \1", line)
    return re.sub(r"(?<= )-(?= |$)", "#", line)


def fields_shape(line):
    """Return a row of fields with tabs between them; names are alike, and the last is a text."""
    fields = line.split("\t")[:-1]
    return "\t".join([*(re.sub(r"^[^\W\d]\w*$", "name", shape(each)) for each in fields), "text"])


def missing(wanted, *, stdout, stderr):
    """Compare lines that a document shows with those that were printed, all as shapes.

    Parameters
    ----------
    wanted : list of str
        In order; ``...`` stands for any lines. Lines of stderr may be left out of a document.
    stdout, stderr : list of str
        In order.

    Returns
    -------
    str
        What differs, in a line; empty if nothing does.
    """
    places, cut = {"stdout": 0, "stderr": 0}, False
    printed = {"stdout": stdout, "stderr": stderr}
    for line in wanted:
        if line == "...":
            cut = True
            continue
        for name, lines in printed.items():
            if line in lines[places[name] :]:
                place = lines.index(line, places[name])
                if name == "stdout" and place > places[name] and not cut:
                    return f"not shown: {lines[places[name]]!r}"
                places[name] = place + 1
                cut = cut and name == "stderr"
                break
        else:
            return f"not printed: {line!r}"
    if not cut and places["stdout"] < len(stdout):
        return f"not shown: {stdout[places['stdout']]!r}"
    return ""
