"""Usage errors: unknown commands and options, with suggestions."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from charrnn.config import other_names
from charrnn.config.other_names import ours
from charrnn.config.similar import similar

EXTRA = re.compile(r"Got unexpected extra argument(?:s|\(s\))? \((.*)\)", re.DOTALL)
TYPO = 0.75
"""Similarity from which on a word is taken for a misspelled option."""


def usage_message(error: Any) -> str:
    """Return the message of a usage error, with a suggestion and a pointer to the help."""
    ctx, name = error.ctx, getattr(error, "option_name", "")
    where = "" if ctx is None else f": see {ctx.command_path} --help"
    if type(error).__name__ == "NoSuchOption":
        return f"no such option: {name}{_meant(name, ctx)}{where}"
    if type(error).__name__ == "BadOptionUsage":
        problem = "needs a value" if "requires" in error.message else "takes no value"
        return f"{name} {problem}{where}"
    said = error.format_message().rstrip(".")
    if stray := EXTRA.fullmatch(said):
        return f"unexpected argument: {stray[1]}{where}"
    return f"{said[:1].lower()}{said[1:]}{where}"


def unknown_command(words: Sequence[str], known: Iterable[str]) -> str:
    """Return what to say of a command that does not exist, and of the words after it."""
    name, rest = words[0], [word for word in words[1:] if not word.startswith("-")]
    if name == "help":
        line = f"charrnn {rest[0]} --help" if rest and rest[0] in known else "charrnn --help"
        return f"no such command: help; did you mean {line}?"
    if name in ("resume", "continue") and rest:
        return f"no such command: {name}; did you mean charrnn train --resume {rest[0]}?"
    meant = ours(name, other_names.COMMANDS) or similar(name, known, TYPO)
    hint = f"; did you mean {' or '.join(meant)}?" if meant else ""
    if not meant and Path(name).exists():
        hint = f"; did you mean charrnn train {name}?"
    return f"no such command: {name}{hint}: see charrnn --help"


def _meant(name: str, ctx: Any) -> str:
    """Return a suggestion for an unknown option, as the rest of a sentence."""
    own = _options(ctx.command)
    if found := _short(name, ctx.command) or _alike(name, own):
        return f"; did you mean {' or '.join(found)}?"
    forms = [
        str(param.metavar)
        for param in ctx.command.params
        if param.param_type_name == "argument"
        and any(word in str(param.metavar) for word in ours(name, other_names.ARGUMENTS))
    ]
    if forms:
        return f"; name it without an option, {ctx.command_path} {forms[0]}"
    from charrnn.cli.app import COMMANDS, load_command

    for command in COMMANDS:
        if found := _alike(name, _options(load_command(command)), guess=False):
            return f"; charrnn {command} has {found[0]}"
    return ""


def _short(name: str, command: Any) -> list[str]:
    """Return the long option of a short one that has two hyphens: ``--n``."""
    return [max(param.opts, key=len) for param in command.params if name[1:] in param.opts]


def bare_name(word: str) -> str:
    """Return the name of an option, however it is written: ``num-samples``."""
    return word.lstrip("-").lower().replace("_", "-")


def single_hyphen(words: Sequence[str], command: Any) -> str:
    """Return what to say of a long option with a single hyphen, read as a short one: ``-output``.

    Empty if there is none. A word behind a long option may be its value.
    """
    known = _options(command)
    for before, word in zip(["", *words], words, strict=False):
        long = f"--{bare_name(word)}"
        if re.match("-[^-].", word) and long in known and not before.startswith("--"):
            return f"no such option: {word}; did you mean {long}?"
    return ""


def _options(command: Any) -> list[str]:
    """Return the long options of a command."""
    options = [
        option
        for param in command.params
        if param.param_type_name == "option"
        for option in (*param.opts, *param.secondary_opts)
    ]
    return [option for option in [*options, "--help"] if option.startswith("--")]


def _alike(name: str, options: list[str], *, guess: bool = True) -> list[str]:
    """Return the options that a name means, at most three.

    The name is one of them written in another way, or what other programs call it, or else, as a
    ``guess``, it begins or is spelled like them.
    """
    bare = bare_name(name)
    if f"--{bare}" in options:
        return [f"--{bare}"]
    if found := ours(bare, known=options):
        return found
    if not guess or len(bare) < 2:
        return []
    found = similar(bare, [option[2:] for option in options], TYPO)
    return [f"--{option}" for option in found]
