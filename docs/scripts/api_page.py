"""The Python interface as a page: every name that ``charrnn`` exports, from its docstring."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import charrnn
from charrnn.config.fields import Settings, range_text
from docs.scripts.numpydoc import bullets, examples, inline, prose, sections

GROUPS = {
    "Train, load, report": ["train", "resume", "TrainingRun", "load", "report"],
    "A model": ["Model"],
    "Results": ["Scores", "LineScores", "Evaluation", "LabelEvaluation", "Copied"],
    "Settings": ["TextConfig", "ModelConfig", "TrainConfig", "SampleConfig", "EvalConfig"],
    "Parts": ["Checkpoint", "CharModel", "Vocabulary", "read_corpus"],
    "Errors": ["CharrnnError"],
}
"""Every exported name, in the order of the page."""

HEAD = """\
# Python

<!-- Written by `make reference` from the docstrings. Edit those. -->

Everything here is imported from `charrnn` itself. A short program is in the
[README](../README.md).
"""
SHOWN = ("Parameters", "Attributes", "Returns", "Yields", "Raises")
WIDTH = 88
WORD = re.compile("[A-Z][a-z]*")


def page() -> str:
    """Return the page.

    Raises
    ------
    ValueError
        If ``GROUPS`` lacks a name that is exported, or has one that is not.
    """
    named = sorted(name for group in GROUPS.values() for name in group)
    if named != sorted(set(charrnn.__all__) - {"__version__"}):
        raise ValueError("GROUPS in docs/scripts/api_page.py must have each exported name once")
    parts = [HEAD]
    for title, names in GROUPS.items():
        parts += [f"## {title}\n", *(part for name in names for part in entry(name))]
    return "\n".join(parts)


def entry(name: str) -> Iterator[str]:
    """Yield the parts of the page about one exported name."""
    thing = getattr(charrnn, name)
    yield f"### `charrnn.{name}`\n"
    settings = inspect.isclass(thing) and issubclass(thing, Settings)
    doc = sections(inspect.getdoc(thing) or "")
    if not inspect.isclass(thing) or "Parameters" in doc:
        yield call(f"charrnn.{name}", thing)
    yield from described(doc)
    if settings:
        yield table(thing)
    if inspect.isclass(thing):
        yield from members(name, thing)


def described(doc: dict[str, str]) -> Iterator[str]:
    """Yield the sections of a docstring."""
    linked = charrnn.__all__
    yield prose(doc[""], linked) + "\n"
    for title in SHOWN:
        if title in doc:
            yield f"**{title}**\n\n{bullets(doc[title], linked)}\n"
    if "Examples" in doc:
        yield f"**Examples**\n\n{examples(doc['Examples'])}\n"


def members(name: str, kind: type) -> Iterator[str]:
    """Yield the properties of a class as a list, and its methods."""
    own = [
        (each, inspect.getattr_static(kind, each))
        for each in dir(kind)
        if not each.startswith("_") and is_ours(kind, each)
    ]
    properties = [(each, found) for each, found in own if isinstance(found, property)]
    if properties:
        rows = [property_row(each, found) for each, found in properties]
        yield "**Properties**\n\n" + "\n".join(rows) + "\n"
    for each, found in own:
        method = getattr(found, "__func__", found)
        if inspect.isfunction(method):
            yield f"#### `{name}.{each}`\n"
            of_class = isinstance(found, classmethod | staticmethod)
            owner = name if of_class else WORD.findall(name)[-1].lower()
            yield call(f"{owner}.{each}", getattr(kind, each))
            yield from described(sections(inspect.getdoc(method) or ""))


def is_ours(kind: type, name: str) -> bool:
    """Return whether the class that defines a name is one of charrnn, and none of Python's."""
    home = next(each for each in kind.__mro__ if name in vars(each))
    return home.__module__.startswith("charrnn")


def property_row(name: str, found: property) -> str:
    """Return the list item of a property."""
    doc = sections(inspect.getdoc(found) or "")
    text = inline(" ".join(doc[""].split()), charrnn.__all__)
    raised = doc.get("Raises", "")
    errors = f" Raises {bullets(raised).removeprefix('- ')}" if raised else ""
    return f"- `{name}`: {text}{errors}"


def call(name: str, function: Callable[..., Any]) -> str:
    """Return the signature as a block of code."""
    return f"```python\n{signature(name, function)}\n```\n"


def signature(name: str, function: Callable[..., Any]) -> str:
    """Return a call with all parameters and defaults, one a line where they are many.

    Settings that a function takes from groups are shown as ``**settings``: the groups list them.
    """
    parameters = list(inspect.signature(function).parameters.values())
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & inspect.CO_VARKEYWORDS:
        own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        parameters = [each for each in parameters if each.name in own]
        parameters.append(inspect.Parameter("settings", inspect.Parameter.VAR_KEYWORD))
    words, keywords = [], False
    for each in parameters:
        if each.name == "self":
            continue
        if each.kind is each.KEYWORD_ONLY and not keywords:
            keywords = True
            words.append("*")
        words.append(parameter_word(each))
    line = f"{name}({', '.join(words)})"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {word},\n" for word in words) + ")"


def parameter_word(parameter: inspect.Parameter) -> str:
    """Return a parameter with its default; a function is shown as ``...``."""
    stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
    if parameter.default is parameter.empty:
        return f"{stars}{parameter.name}"
    default = "..." if callable(parameter.default) else repr(parameter.default)
    return f"{parameter.name}={default}"


def table(group: type[Settings]) -> str:
    """Return a row for each field of a group of settings."""
    assert is_dataclass(group)
    rows = ["| field | default | meaning |", "|---|---|---|"]
    for item in fields(group):
        words = item.metadata
        default = words["auto"] or f"`{item.default!r}`"
        wanted = range_text(words)
        meaning = inline(words["help"]) + (f" ({wanted})" if wanted else "")
        rows.append(f"| `{item.name}` | {default} | {meaning} |".replace("\n", " "))
    return "\n".join(rows) + "\n"
