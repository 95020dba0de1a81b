"""What was chosen for the user, and why."""

from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass
class Choices:
    """Collects the reason of every choice, and notices."""

    reasons: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def of(self, name: str, given: T | None, value: T, why: str) -> T:
        """Return what was given, or else the value, for this reason."""
        if given is not None:
            return given
        self.reasons[name] = why
        return value


def number(value: float) -> str:
    """Return a number as people say it in a reason."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
