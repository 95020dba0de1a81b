"""A report of runs as one self-contained HTML file."""

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files

from charrnn.views.numbers import percent
from charrnn.views.report.charts import COLOURS, charts, line_of
from charrnn.views.report.content import Results, RunContent, Table
from charrnn.views.report.parts import (
    LEVELS,
    brief,
    confusions,
    line,
    pairs,
    passage,
    passage_data,
    samples,
    samples_data,
    table,
    units,
)

GENERATOR = '<meta name="generator" content="charrnn report">'
HEAD_BYTES = 2000
"""The mark of a report is within this many bytes of the file."""


def is_report(head: bytes) -> bool:
    """Return whether a file that begins with ``head`` is an earlier report."""
    return GENERATOR.encode() in head[:HEAD_BYTES]


def report_page(runs: Sequence[RunContent]) -> str:
    """Return the whole file.

    Parameters
    ----------
    runs : sequence of RunContent
        At least one run. All their text is escaped, and the page's policy allows only its own
        script.

    Raises
    ------
    CharrnnError
        If matplotlib is missing.
    """
    data: dict[str, list[object]] = {"passages": [], "samples": []}
    title = runs[0].name if len(runs) == 1 else f"{len(runs)} runs"
    body = _single(runs[0], data) if len(runs) == 1 else _several(runs, data)
    style, script = _file("page.css") + _shades(), _file("page.js")
    # No "<" in the data, so that it cannot end the element. U+2028 and the like are escaped as
    # well.
    block = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n{GENERATOR}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{line(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}\n"
        f'<script type="application/json" id="data">{block}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _single(run: RunContent, data: dict[str, list[object]]) -> str:
    return (
        f'<header><p class="kind">charrnn report</p><h1>{line(run.name)}</h1>'
        f'<p class="lede">{line(run.title)}</p>{_notices(run)}{pairs(run.facts)}</header>\n<main>'
        f"{_section('Learning curves', _curves([run], [0]), 2)}{_sections(run, data, 2)}</main>"
    )


def _several(runs: Sequence[RunContent], data: dict[str, list[object]]) -> str:
    colours = [number % COLOURS for number in range(len(runs))]
    names = ", ".join(run.name for run in runs)
    groups: dict[str, list[int]] = {}
    for number, run in enumerate(runs):
        groups.setdefault(run.split, []).append(number)
    parts = []
    if len(groups) > 1:
        parts.append(
            '<p class="note strong">These runs do not have the same held-out text in the same form '
            "and unit: only losses within a group can be compared.</p>"
        )
    for members in groups.values():
        some = [runs[number] for number in members]
        title = f"Compared: {some[0].split_words}" if len(some) > 1 else some[0].name
        content = _compared(some) + _curves(some, [colours[number] for number in members])
        parts.append(_section(title, content, 2))
    parts.append(_section("Settings that differ", _differences(runs), 2))
    for number, (run, colour) in enumerate(zip(runs, colours, strict=True)):
        head = (
            f'<h2 id="run-{number}"><span class="dot c{colour}"></span>{line(run.name)}</h2>'
            f'<p class="lede">{line(run.title)}</p>{_notices(run)}{pairs(run.facts)}'
        )
        parts.append(f"<article>{head}{_sections(run, data, 3)}</article>")
    links = "".join(
        f'<a href="#run-{number}"><span class="dot c{colour}"></span>{brief(run.name)}</a>'
        for number, (run, colour) in enumerate(zip(runs, colours, strict=True))
    )
    return (
        f'<header><p class="kind">charrnn report</p><h1>{len(runs)} runs</h1>'
        f'<p class="lede">{line(names)}</p><nav aria-label="Runs">{links}</nav></header>\n'
        f"<main>{''.join(parts)}</main>"
    )


def _section(title: str, content: str, level: int) -> str:
    return f"<section><h{level}>{line(title)}</h{level}>{content}</section>\n"


def _notices(run: RunContent) -> str:
    return "".join(f'<p class="note">{line(notice)}</p>' for notice in run.notices)


def _sections(run: RunContent, data: dict[str, list[object]], level: int) -> str:
    """Return the sections of a run; a sentence replaces what is missing."""
    parts = []
    if run.samples:
        data["samples"].append(samples_data(run.samples))
        content = samples(run.samples, len(data["samples"]) - 1)
        note = '<p class="note">Sampled during training, always with the same random seed.</p>'
    else:
        content = _missing("The log of this run has no samples, as it is from an older version.")
        note = ""
    parts.append(("Samples during training", content + note))
    if isinstance(run.passage, str):
        content = _missing(run.passage)
    else:
        data["passages"].append(passage_data(run.passage))
        content = passage(run.passage, len(data["passages"]) - 1)
    parts.append(("Surprise by character", content))
    found = run.units
    content = _missing(found) if isinstance(found, str) else units(found)
    parts.append(("Interpretable units", content))
    parts.append(("Results", _results(run.results)))
    listed = f"<details><summary>All {len(run.settings)} settings</summary>{pairs(run.settings)}"
    parts.append(("Settings", f"{listed}</details>"))
    return "".join(_section(title, content, level) for title, content in parts)


def _missing(sentence: str) -> str:
    return f'<p class="missing">{line(sentence)}</p>'


def _results(results: Results | str) -> str:
    if isinstance(results, str):
        return _missing(results)
    parts = [table(content) for content in results.tables]
    if results.confusions is not None:
        parts.append(confusions(results.confusions))
    return "".join(parts)


def _curves(runs: Sequence[RunContent], colours: Sequence[int]) -> str:
    drawn = charts(runs, colours)
    if not drawn:
        return _missing("The log has no losses yet.")
    pictures = "".join(
        f"<figure><figcaption>{line(chart.title)}</figcaption>{chart.svg}</figure>"
        for chart in drawn
    )
    entries: list[str] = []
    missing: dict[str, list[str]] = {}
    for run, colour in zip(runs, colours, strict=True):
        name = f"{brief(run.name)}: " if len(runs) > 1 else ""
        key = f'<i class="key c{colour}'
        entries.append(f'<li>{key}"></i>{name}validation</li><li>{key} pale"></i>training</li>')
        if run.line_missing:
            missing.setdefault(run.line_missing, []).append(run.name)
    baseline = line_of(runs)
    if baseline is not None:
        words = f"{brief(baseline[0])}, {baseline[1]:.3f}"
        entries.append(f'<li><i class="key dashed"></i>{words}</li>')
    notes = [
        why if len(names) == len(runs) else f"{', '.join(names)}: {why}"
        for why, names in missing.items()
    ]
    told = "".join(f'<p class="note">{line(note)}</p>' for note in notes)
    return f'<ul class="legend">{"".join(entries)}</ul><div class="charts">{pictures}</div>{told}'


def _compared(runs: Sequence[RunContent]) -> str:
    """Return a table of the results of runs on the same split, best first."""
    labelled = any(run.best is not None and run.best.accuracy is not None for run in runs)
    counted = any(run.with_counts is not None for run in runs)
    judged = [run for run in runs if run.best is not None]

    def order(run: RunContent) -> tuple[float, float]:
        assert run.best is not None and run.best.validation is not None
        return -(run.best.accuracy or 0.0), run.best.validation

    rows = [
        (
            run.name,
            run.shape,
            f"{run.best.validation:.4f}",
            _nats(run.score),
            *([_nats(run.with_counts)] if counted else []),
            *([percent(run.best.accuracy or 0)] if labelled else []),
            f"{run.best.step:,}",
        )
        for run in sorted(judged, key=order)
        if run.best is not None and run.best.validation is not None
    ]
    per = runs[0].per
    right = ["accuracy"] if labelled else []
    mixed = ["held-out part, with counts"] if counted else []
    headings = ("run", "model", "best validation", "held-out part", *mixed, *right, "at step")
    if not rows:
        return _missing("None of these runs was validated.")
    numbers = frozenset(range(2, len(headings)))
    caption = f"In nats per {per}, sorted by best validation, which usually scores a sample."
    if counted:
        caption += " Unless noted, networks are compared without counts."
    return table(Table("Results", headings, rows, numbers, strong=0, caption=caption))


def _nats(nats: float | None) -> str:
    return "\u2013" if nats is None else f"{nats:.4f}"


def _differences(runs: Sequence[RunContent]) -> str:
    settings = [dict(run.settings) for run in runs]
    names = dict.fromkeys(name for each in settings for name in each)
    rows = [
        (name, *(each.get(name, "\u2013") for each in settings))
        for name in names
        if len({each.get(name) for each in settings}) > 1
    ]
    if not rows:
        return _missing("All settings are the same.")
    return table(Table("Settings", ("setting", *(run.name for run in runs)), rows))


def _file(name: str) -> str:
    return files("charrnn.views.report").joinpath(name).read_text(encoding="utf-8")


def _shades() -> str:
    """Return the shades of heat maps, units and matrices as CSS."""
    kinds = {"h": ("--hot", 0.6), "p": ("--high", 0.6), "n": ("--low", 0.6)}
    rules = [
        f".{kind}{level}{{background:rgb(var({colour})/{most * level / LEVELS:.3f})}}"
        for kind, (colour, most) in kinds.items()
        for level in range(1, LEVELS + 1)
    ]
    for kind, colour in (("right", "--good"), ("wrong", "--hot")):
        rules += [
            f".{kind}.k{level}{{background:rgb(var({colour})/{0.1 + 0.5 * level / LEVELS:.3f})}}"
            for level in range(1, LEVELS + 1)
        ]
    return "".join(rules)
