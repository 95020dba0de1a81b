"""Settings chosen for the user, with the reasons."""

from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass
class Choices:
    """Collects notices and the reason for each choice."""

    reasons: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def of(self, name: str, given: T | None, value: T, why: str) -> T:
        """Return the given value, or else the default and record its reason."""
        if given is not None:
            return given
        self.reasons[name] = why
        return value


def number(value: float) -> str:
    """Return a number rounded for use in a reason."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
