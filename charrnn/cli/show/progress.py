"""A run as it goes: a display that redraws itself on a terminal, plain lines elsewhere."""

import time
from abc import ABC, abstractmethod
from typing import ClassVar, Self

from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from charrnn.cli.show.console import make_console, say
from charrnn.cli.show.text import visible, visible_line
from charrnn.cli.show.words import clock, loss, percent
from charrnn.training.events import Event, Notice, Progress, Sampled, Validated

SAMPLE_CHARACTERS = 600
SAMPLE_LINES = 8


class Display(ABC):
    """Takes in events and shows where the run is; a context, to leave a terminal as it was.

    Nothing runs beside the training: it draws when an event comes and the time is ripe.

    Parameters
    ----------
    steps : int, optional
        Of the whole run, where its length is not a time.
    """

    seconds_between: ClassVar[float]

    def __init__(self, steps: int | None) -> None:
        self._steps = steps
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
        return f"{progress.done:4.0%}  step {progress.step:,}{steps}  epoch {progress.epoch:.2f}"

    @abstractmethod
    def _note(self, message: str) -> None: ...

    @abstractmethod
    def _draw(self) -> None: ...


class LineDisplay(Display):
    """A line every few seconds, for logs and pipes."""

    seconds_between = 5.0
    _drawn: Progress | None = None

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
            f"{progress.chars_per_second:,.0f} chars/s",
            f"{clock(progress.seconds_left)} left",
        ]
        say("  ".join(part for part in parts if part))


class LiveDisplay(Display):
    """A bar, the numbers and the newest sample, redrawn in place."""

    seconds_between = 0.1

    def __init__(self, steps: int | None) -> None:
        super().__init__(steps)
        self._live = Live(console=make_console(stderr=True), auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._draw()
        finally:
            self._live.stop()

    def _note(self, message: str) -> None:
        self._live.console.print(Text(visible_line(message)))

    def _draw(self) -> None:
        parts: list[RenderableType] = []
        if self._progress is not None:
            parts += [self._bar(self._progress), self._numbers(self._progress)]
        if self._sample is not None:
            text = visible(self._sample.text[:SAMPLE_CHARACTERS]).expandtabs(4)
            parts.append(
                Panel(
                    Text("\n".join(text.split("\n")[:SAMPLE_LINES]), overflow="fold"),
                    title=Text(f"sample at step {self._sample.step:,}"),
                    title_align="left",
                    box=box.ROUNDED,
                    border_style="dim",
                )
            )
        self._live.update(Group(*parts), refresh=True)

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

    def _numbers(self, progress: Progress) -> RenderableType:
        scored, best = self._validated, self._best
        before = f"  (best {best.nats:.3f})" if best is not None and best is not scored else ""
        rows = [
            (
                "training",
                loss(progress.nats),
                f"gradient norm {progress.grad_norm:.2f}, "
                f"learning rate {progress.learning_rate:.2g}",
            ),
            (
                "validation",
                _validated(scored) + before if scored is not None else "-",
                f"{progress.chars_per_second:,.0f} characters a second, "
                f"{progress.overhead:.0%} overhead",
            ),
        ]
        table = Table.grid(padding=(0, 2))
        for name, value, side in rows:
            table.add_row(Text(name), Text(value, style="bold"), Text(side, style="dim"))
        return table


def _validated(scored: Validated) -> str:
    """Return the loss of a validation and, of labels, how many are right."""
    right = "" if scored.accuracy is None else f" {percent(scored.accuracy)} right"
    return loss(scored.nats) + right
