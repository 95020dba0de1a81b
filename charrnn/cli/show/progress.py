"""The progress of a run: a live display on a terminal, plain lines elsewhere."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from charrnn.cli.show.console import make_console, say
from charrnn.cli.show.losses import Curve, draw_losses, shows_braille
from charrnn.cli.show.text import visible, visible_line
from charrnn.cli.show.words import clock, loss
from charrnn.config.words import plural
from charrnn.training.events import Event, Notice, Progress, Sampled, Validated
from charrnn.views.numbers import percent

SAMPLE_CHARACTERS = 600
SAMPLE_LINES = 8
SAMPLES_APART, SAMPLE_GROWTH = 2.0, 2.0
"""Seconds until the first sample among plain lines, and the factor by which each wait grows."""
NUMBERS_LINES = 3
PANEL_LINES = SAMPLE_LINES + 2
BESIDE = 100
"""Columns from which the curve and the sample stand side by side."""
CURVE_LINES, ABOVE = 8, 72
"""Of a curve above the sample, and the columns from which there is one."""
ECHO = 3
"""Columns left free at the right of the sample: a terminal writes ``^C`` behind it, which must not
begin a line that the display does not know of."""
MARKS = r"[\u2801-\u28ff]+", r"(?<=[│o \u2801-\u28ff])o(?=[o \n\u2801-\u28ff]|$)"
"""The characters with which the curves of training and of validation are drawn."""


class Display(ABC):
    """Takes in events and shows where the run is; a context, to leave a terminal as it was.

    Nothing runs beside the training: it draws when an event comes and the time is ripe.

    Parameters
    ----------
    steps : int, optional
        Of the whole run, where its length is not a time.
    noun : str
        What a character is called, as the model reads them.
    drawn : bool
        Whether samples are drawn at random; the labels of texts are not.
    """

    seconds_between: ClassVar[float]

    def __init__(self, steps: int | None, noun: str = "character", *, drawn: bool = True) -> None:
        self._steps, self._nouns, self._is_drawn = steps, plural(noun), drawn
        self._next = 0.0
        self._progress: Progress | None = None
        self._validated: Validated | None = None
        self._best: Validated | None = None
        self._sample: Sampled | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._draw()

    def show(self, event: Event) -> None:
        """Take in one event, and draw if it is time."""
        if isinstance(event, Notice):
            self._note(f"notice: {event.message}")
        elif isinstance(event, Validated):
            self._validated = event
            self._best = event if event.best else self._best
        elif isinstance(event, Sampled):
            self._sample = event
        elif isinstance(event, Progress):
            self._progress = event
        if self._progress is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + self.seconds_between
            self._draw()

    def _step_words(self, progress: Progress) -> str:
        steps = f"/{self._steps:,}" if self._steps else ""
        done = min(int(100 * progress.done), 100)  # 100 % is the end alone
        return f"{done:3d} %  step {progress.step:,}{steps}  epoch {progress.epoch:.2f}"

    def _title(self, sample: Sampled) -> str:
        how = ", always by the same random numbers" if self._is_drawn else ""
        return f"sample at step {sample.step:,}{how}"

    @abstractmethod
    def _note(self, message: str) -> None: ...

    @abstractmethod
    def _draw(self) -> None: ...


class LineDisplay(Display):
    """A line every few seconds, for logs and pipes, and a sample now and then."""

    seconds_between = 5.0
    _drawn: Progress | None = None

    def __init__(self, steps: int | None, noun: str = "character", *, drawn: bool = True) -> None:
        super().__init__(steps, noun, drawn=drawn)
        self._wait = SAMPLES_APART
        self._next_sample = time.monotonic() + self._wait

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, Sampled) and time.monotonic() >= self._next_sample:
            self._wait *= SAMPLE_GROWTH
            self._next_sample = time.monotonic() + self._wait
            self._write_sample(event)

    def _write_sample(self, sample: Sampled) -> None:
        say(f"{self._title(sample)}:")
        for line in sample.text[:SAMPLE_CHARACTERS].split("\n")[:SAMPLE_LINES]:
            say(f"    {line}".rstrip())

    def _note(self, message: str) -> None:
        say(message)

    def _draw(self) -> None:
        progress = self._progress
        if progress is None or progress is self._drawn:
            return
        self._drawn = progress
        parts = [
            self._step_words(progress),
            f"train {loss(progress.nats)}",
            f"val {_validated(self._validated)}" if self._validated else "",
            f"grad {progress.grad_norm:.2f}",
            f"{progress.chars_per_second:,.0f} {self._nouns.replace('character', 'char')}/s",
            f"{clock(progress.seconds_left)} left",
        ]
        say("  ".join(part for part in parts if part))


class LiveDisplay(Display):
    """A bar, the numbers, the losses as a curve and the newest sample, redrawn in place.

    Where labels are predicted, the curve is the share of the held-out ones that are right: that
    chooses the best state, and their loss may rise meanwhile.
    """

    seconds_between = 0.1

    def __init__(self, steps: int | None, noun: str = "character", *, drawn: bool = True) -> None:
        super().__init__(steps, noun, drawn=drawn)
        self._live = Live(console=make_console(stderr=True), auto_refresh=False)
        self._training, self._scores, self._accuracies = Curve(), Curve(), Curve()
        self._size = self._live.console.size
        self._braille = shows_braille(self._live.console.encoding, os.environ)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._draw()
        finally:
            self._live.stop()

    def show(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._training.add(event.step, event.nats)
        elif isinstance(event, Validated):
            self._scores.add(event.step, event.nats)
            if event.accuracy is not None:
                self._accuracies.add(event.step, 100 * event.accuracy)
        super().show(event)

    def recall(self, log: Iterable[Mapping[str, Any]]) -> None:
        """Read the validations of a resumed run from its log."""
        for entry in log:
            step, nats, train_nats = map(entry.get, ("step", "nats", "train_nats"))
            accuracy, best = entry.get("accuracy"), entry.get("best") is True
            if entry.get("event") == "validated" and type(step) is int and type(nats) is float:
                if type(train_nats) is float:
                    self._training.add(step, train_nats)
                share = accuracy if type(accuracy) is float else None
                self.show(Validated(step, nats, best, share))

    def _note(self, message: str) -> None:
        self._live.console.print(Text(visible_line(message)))

    def _draw(self) -> None:
        parts: list[RenderableType] = []
        width, height = size = self._live.console.size
        if self._progress is not None:
            parts += [self._bar(self._progress), self._numbers(self._progress, width)]
        if size != self._size:
            # Some terminals have folded the lines of before, and no one knows where they lie now.
            self._live.console.clear()
            self._size = size
        if width >= BESIDE:
            half = width // 2
            row = Table.grid(padding=(0, 1))
            row.add_row(
                self._curve(half, PANEL_LINES), self._panel(width - half - 1 - ECHO, PANEL_LINES)
            )
            parts.append(row)
        else:
            if width >= ABOVE and height > NUMBERS_LINES + CURVE_LINES + PANEL_LINES:
                parts.append(self._curve(width - 1, CURVE_LINES))
            parts.append(self._panel(width - ECHO))
        self._live.update(Group(*parts), refresh=True)

    def _curve(self, width: int, height: int) -> Text:
        """Return the losses, or nothing where they do not fit or are too few."""
        training, scores, unit, form = self._training.points, self._scores.points, "nats", "{:.2f}"
        if len(self._accuracies.points) > 1:
            training, scores, unit, form = [], self._accuracies.points, "% right", "{:.1f}"
        size = {"width": width, "height": height}
        lines = draw_losses(
            training, scores, **size, unit=unit, show=form.format, braille=self._braille
        )
        text = Text("\n".join(lines), no_wrap=True)
        if self._braille:
            for mark, style in zip(MARKS, ("cyan", "bold yellow"), strict=True):
                text.highlight_regex(mark, style)
        return text

    def _panel(self, width: int, height: int | None = None) -> RenderableType:
        """Return the newest sample, cut to the lines that fit."""
        if self._sample is None:
            return Text()
        text = visible(self._sample.text[:SAMPLE_CHARACTERS]).expandtabs(4)
        title = Text(self._title(self._sample))
        title.truncate(max(1, width - 6), overflow="ellipsis")  # a longer one widens the panel
        lines = Text(text, overflow="fold").wrap(self._live.console, max(1, width - 4))
        return Panel(
            Text("\n").join(lines[:SAMPLE_LINES]),
            title=title,
            title_align="left",
            box=box.ROUNDED,
            border_style="dim",
            width=width,
            height=height,
        )

    def _bar(self, progress: Progress) -> RenderableType:
        row = Table.grid(padding=(0, 2), expand=True)
        row.add_column(ratio=1)
        row.add_column(justify="right", no_wrap=True)
        row.add_column(justify="right", no_wrap=True)
        row.add_row(
            ProgressBar(total=1.0, completed=progress.done),
            Text(self._step_words(progress)),
            Text(f"{clock(progress.seconds)} gone, {clock(progress.seconds_left)} left"),
        )
        return row

    def _numbers(self, progress: Progress, width: int) -> RenderableType:
        """Return the losses, with as much beside them as there is room for."""
        scored, best = self._validated, self._best
        before = f"  (best {_short(best)})" if best is not None and best is not scored else ""
        values = [
            ("training", loss(progress.nats)),
            ("validation", _validated(scored) + before if scored is not None else "-"),
        ]
        speed = f"{progress.chars_per_second:,.0f} {self._nouns} a second"
        sides = [
            (
                f"gradient norm {progress.grad_norm:.2f}, learning rate "
                f"{progress.learning_rate:.2g}",
                f"gradient norm {progress.grad_norm:.2f}",
            ),
            (f"{speed}, {percent(progress.overhead, 0)} overhead", speed),
        ]
        left = width - len("validation") - max(len(value) for _, value in values) - 4
        table = Table.grid(padding=(0, 2))
        for (name, value), forms in zip(values, sides, strict=True):
            side = next((form for form in forms if len(form) <= left), "")
            cells = Text(name), Text(value, style="bold"), Text(side, style="dim")
            table.add_row(*cells)
        return table


def _validated(scored: Validated) -> str:
    """Return the loss of a validation and, of labels, how many are right."""
    right = "" if scored.accuracy is None else f" {percent(scored.accuracy)} right"
    return loss(scored.nats) + right


def _short(scored: Validated) -> str:
    """Return what makes a validation the best: the labels that are right, or else the loss."""
    return f"{scored.nats:.3f}" if scored.accuracy is None else percent(scored.accuracy)
