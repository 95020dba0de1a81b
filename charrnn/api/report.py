"""Reports: everything known about runs, measured and written as one HTML file."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from charrnn.api.model import Model
from charrnn.api.report_facts import (
    facts_of,
    per_of,
    split_words_of,
    title_of,
)
from charrnn.api.report_log import moments_of, samples_of
from charrnn.api.report_results import of_labels, of_text
from charrnn.api.report_text import passage_of, units_of
from charrnn.config.words import long_shape, shape
from charrnn.errors import CharrnnError, CheckpointError, ConfigError, CorpusError, RunError
from charrnn.evaluation.labels.evaluate import LabelEvaluation
from charrnn.evaluation.result import Evaluation
from charrnn.evaluation.scored_text import held_out_text, named_text
from charrnn.storage.checkpoint import Checkpoint, load
from charrnn.storage.comparing import split_of
from charrnn.storage.folder import BEST, LAST, RUNS, cache_directory, open_model, run_directories
from charrnn.storage.history import History
from charrnn.storage.lock import is_running
from charrnn.storage.log import read_log
from charrnn.storage.own_text import find_own_text
from charrnn.system.files import RegularFile, write_whole
from charrnn.text.codes import Codes
from charrnn.views.report import is_report, report_page
from charrnn.views.report.charts import check_drawable
from charrnn.views.report.content import Moment, Passage, Results, RunContent, Units

REPORT = "report.html"
MOST_RUNS = 20
PASSAGE, LEAST_PASSAGE = 1_200, 200
"""Characters of a passage; several runs share them."""
SAMPLES, LEAST_SAMPLES = 60, 6

Told = Callable[[str], None]


class _Text(NamedTuple):
    """The text that a model is shown on; ``why`` gives the reason if there is none."""

    codes: Codes | None
    what: str = ""
    why: str = ""


@dataclass(frozen=True)
class _Sources:
    """The inputs and options of a report.

    ``measured`` caches the baselines of each split: they are the same for every run on it.
    """

    text: str | Path | None
    baselines: bool
    threads: int | None
    told: Told
    share: int
    measured: dict[str, Evaluation | LabelEvaluation] = field(default_factory=dict)


def report(
    runs: str | Path | Sequence[str | Path] = (),
    path: str | Path | None = None,
    *,
    text: str | Path | None = None,
    baselines: bool = True,
    threads: int | None = None,
    told: Told = lambda message: None,
) -> Path:
    """Write a report of one or more runs as a single HTML file.

    Parameters
    ----------
    runs : path or sequence of paths
        Runs, by name or folder, or model files; at most 20. The default is the newest run.
    path : path, optional
        The file to write. The default is ``report.html`` in the folder of the first run. Only an
        earlier report is replaced; symbolic links are refused.
    text : path, optional
        A text file to show in place of the held-out part.
    baselines : bool
        Measure the baselines too: n-gram models and compressors on the same training text.
    threads : int, optional
        Worker processes; the default is one per core.
    told : callable
        Called with a line about each thing that is done.

    Returns
    -------
    Path
        The written file.

    Raises
    ------
    CharrnnError
        If a run or the text cannot be read, matplotlib is missing, or the file cannot be written.

    Examples
    --------
    >>> charrnn.report("runs/corpus", "page.html", baselines=False).name
    'page.html'
    """
    check_drawable()  # before minutes of measuring
    models = [runs] if isinstance(runs, str | Path) else runs
    if len(models) > MOST_RUNS:
        raise ConfigError(
            f"a report shows at most {MOST_RUNS} runs, and {len(models):,} were given: name fewer"
        )
    opened = [_open(model) for model in dict.fromkeys(models)] or [_open(None)]
    path = Path(path) if path is not None else (opened[0][1].folder or Path()) / REPORT
    _check_output(path)
    sources = _Sources(text, baselines, threads, told, len(opened))
    names = _names([place for place, _ in opened])
    contents = [
        run_content(name, place, checkpoint, sources)
        for name, (place, checkpoint) in zip(names, opened, strict=True)
    ]
    told("drawing")
    page = report_page(contents).encode()
    write_whole(path, lambda file: file.write(page), advice="name another file")
    return path


def _open(model: str | Path | None) -> tuple[Path, Checkpoint]:
    """Return the best state of a run, or the last one if none was validated yet."""
    folders = run_directories() if model is None else [Path(model), RUNS / model]
    for folder in folders:
        if (folder / LAST).exists() and not (folder / BEST).exists():
            return folder / LAST, load(folder / LAST)
        if model is None:
            return open_model(folder)
    if model is None:
        raise RunError(
            "there is no run under ./runs: train one with charrnn train FILE, or name a run"
        )
    return open_model(model)


def _names(places: Sequence[Path]) -> list[str]:
    """Return a name per run: that of its folder, or the whole path if several are alike."""
    names = [
        place.resolve().parent.name if place.name in (BEST, LAST) else place.stem
        for place in places
    ]
    return [
        name if names.count(name) == 1 else str(place)
        for name, place in zip(names, places, strict=True)
    ]


def _check_output(path: Path) -> None:
    """Refuse to replace a file that is not a report: the folder of a run may be untrusted."""
    try:
        if not path.parent.is_dir():
            raise ConfigError(
                f"{path} cannot be written: the folder {path.parent} does not exist; create it "
                "first"
            )
        if path.is_symlink():
            raise ConfigError(
                f"{path} is a symbolic link, which a report does not follow: name another file "
                "with -o"
            )
        if not path.exists():
            return
        with RegularFile(path) as file:
            earlier = is_report(file.read(4096))
    except (OSError, CheckpointError) as error:
        raise ConfigError(
            f"{path} cannot be replaced ({error}): name another file with -o"
        ) from None
    if not earlier:
        raise ConfigError(f"{path} exists and is not a report: name another file with -o")


def run_content(name: str, place: Path, checkpoint: Checkpoint, sources: _Sources) -> RunContent:
    """Return everything that a report shows of a run."""
    sources.told(f"{name}: reading its text")
    checkpoint, text, notices = _text_of(checkpoint, sources)
    folder = checkpoint.folder or Path()
    events = read_log(folder) if place.name in (BEST, LAST) else []
    history, model = checkpoint.history, Model(checkpoint, place)
    moments = moments_of(events, history)
    sources.told(f"{name}: scoring the held-out part")
    evaluation = _evaluated(model, sources)
    results, line, missing = _results(evaluation, model)
    if not sources.baselines:
        missing = "Baselines were left out (--no-baselines)."
    sources.told(f"{name}: looking for interpretable units")
    passage, units = _shown(checkpoint, model, text, sources)
    running = place.name in (BEST, LAST) and is_running(folder)
    if running:
        notices = ["The run is still training: this is its state so far.", *notices]
    score, with_counts = _scores(evaluation)
    best = history.best_nats is not None and history.best_step is not None
    settings = (
        checkpoint.architecture,
        checkpoint.settings,
        checkpoint.validation,
        checkpoint.text,
    )
    return RunContent(
        name=name,
        shape=long_shape(checkpoint.architecture),
        title=title_of(checkpoint),
        facts=facts_of(checkpoint, evaluation, _end(checkpoint, place)),
        settings=[(k, str(v)) for group in settings for k, v in group.to_json().items()],
        per=per_of(checkpoint),
        split=split_of(checkpoint),
        split_words=split_words_of(checkpoint),
        moments=moments,
        line=line,
        line_missing=missing,
        samples=samples_of(events, max(LEAST_SAMPLES, SAMPLES // sources.share)),
        passage=passage,
        units=units,
        results=results,
        best=Moment(
            history.best_step or 0,
            validation=history.best_nats,
            accuracy=history.best_accuracy,
        )
        if best
        else None,
        score=score,
        with_counts=with_counts,
        notices=notices,
    )


def _text_of(checkpoint: Checkpoint, sources: _Sources) -> tuple[Checkpoint, _Text, list[str]]:
    """Return a checkpoint with its text, if available, and the text that its model is shown on."""
    own, why = None, ""
    notices: list[str] = []
    try:
        own, notices = find_own_text(checkpoint, cache_dir=cache_directory(), advice="put it back")
        checkpoint = replace(checkpoint, corpus=own)
    except CorpusError as error:
        why = f"The text of this run is not available: {error}."
    if sources.text is not None:
        if checkpoint.labels:
            raise ConfigError(
                "--text applies to models that predict text, and one of these predicts "
                f"{checkpoint.settings.predict}: leave it out"
            )
        named = named_text(checkpoint, [sources.text], "skip", text={}, cache_dir=cache_directory())
        return checkpoint, _Text(named.known, Path(sources.text).name), notices
    if own is None:
        return checkpoint, _Text(None, why=why), notices
    if not checkpoint.held_out:
        why = "Nothing was held out: name another text with --text FILE."
        return checkpoint, _Text(None, why=why), notices
    if checkpoint.labels:
        return checkpoint, _Text(checkpoint.sides(own).held, "the held-out texts"), notices
    held = held_out_text(checkpoint, own, "skip")
    return checkpoint, _Text(held.known, "the held-out text"), notices


def _evaluated(model: Model, sources: _Sources) -> Evaluation | LabelEvaluation | str:
    """Evaluate a model on its held-out part, or return why that is not possible."""
    if not model.checkpoint.held_out:
        return "Nothing was held out, so nothing was scored."
    if model.checkpoint.corpus is None:
        return "Nothing was scored, as the text of this run is not available."
    split = split_of(model.checkpoint)
    before = sources.measured.get(split)
    baselines = sources.baselines and before is None
    try:
        mixed: dict[str, Any] = {"counts": True} if model.checkpoint.table is not None else {}
        found = model.evaluate(baselines=baselines, threads=sources.threads, **mixed)
    except CharrnnError as error:
        return f"Nothing was scored: {error}."
    if isinstance(found, Evaluation) and isinstance(before, Evaluation):
        found = replace(found, baselines=before.baselines)
    elif isinstance(found, LabelEvaluation) and isinstance(before, LabelEvaluation):
        found = replace(found, rivals=before.rivals)
    sources.measured.setdefault(split, found)
    return found


def _scores(
    evaluation: Evaluation | LabelEvaluation | str,
) -> tuple[float | None, float | None]:
    """Return nats per character or label; for a model with counts, without and with them."""
    if isinstance(evaluation, str):
        return None, None
    if isinstance(evaluation, LabelEvaluation):
        return evaluation.nats, None
    if evaluation.network is None:
        return evaluation.nats_per_char, None
    return evaluation.network.nats_per_char, evaluation.nats_per_char


def _results(
    evaluation: Evaluation | LabelEvaluation | str, model: Model
) -> tuple[Results | str, tuple[str, float] | None, str]:
    """Return the tables, the reference line of the n-gram, and why there is none."""
    own = f"this model ({shape(model.checkpoint.architecture)})"
    if isinstance(evaluation, str):
        return evaluation, None, f"No n-gram to compare with. {evaluation}"
    if isinstance(evaluation, LabelEvaluation):
        return of_labels(evaluation, own), None, ""
    ngrams = [row for row in evaluation.baselines if row.kind == "ngram"]
    line = (ngrams[0].name, ngrams[0].nats_per_char) if ngrams else None
    return of_text(evaluation, own), line, ""


def _shown(
    checkpoint: Checkpoint, model: Model, text: _Text, sources: _Sources
) -> tuple[Passage | str, Units | str]:
    if text.codes is None:
        return text.why, text.why
    length = max(LEAST_PASSAGE, PASSAGE // sources.share)
    units = units_of(checkpoint, model.network, text.codes, text.what)
    if checkpoint.labels:
        predict = checkpoint.settings.predict
        return f"This model predicts {predict}, not text: no character has a surprise.", units
    return passage_of(checkpoint, model.network, text.codes, text.what, length), units


def _end(checkpoint: Checkpoint, place: Path) -> History:
    """Return how far a run has come: the best state usually precedes its end."""
    last = (checkpoint.folder or Path()) / LAST
    if place.name == BEST and last.exists():
        with suppress(CheckpointError):
            return load(last, arrays=False).history
    return checkpoint.history
