"""The result of an evaluation."""

from dataclasses import dataclass
from math import inf
from typing import Any

from charrnn.evaluation.cost import Cost, Opponent
from charrnn.evaluation.verdict import against


@dataclass(frozen=True)
class Evaluation(Cost):
    """What a text costs under a model.

    Attributes
    ----------
    unknown : dict of str to int
        Symbols that the model does not know, with their counts: charged ``unknown_cost`` nats each
        and part of ``characters``, or left out of the text where that is None.
    unseen, unseen_nats : int, float
        How many of the scored characters are symbols that the model knows, but that its training
        part does not have, and what they cost: part of ``total_nats``.
    protocol : str
        How it was scored, in a sentence.
    seconds : float
    unknown_cost : float, optional
    file_bytes : int, optional
        Bytes of the files, where the whole of them was scored: ``num_bytes`` is the text as
        scored, in UTF-8.
    overlap : float, optional
        Share of the text that is also in the training part, where that is at hand.
    learned : float
        Share of the text that is the training part itself: its files were named.
    held_out_nats : float, optional
        Nats per character of the held-out part alone, where the text is the run's own.
    uniform_nats, unigram_nats : float, optional
        Nats per character if every known symbol were as likely, or as likely as it is frequent in
        the training part; unknown ones are charged as they are to the model.
    static_nats : float, optional
        What the text costs the model while it stays as it is, where it did not.
    network_nats : float, optional
        What it costs the network alone, where that is mixed with counts.
    per : str
        What one of ``characters`` is, as the model reads them: "character", "byte", "jamo" or
        "code point".
    baselines : tuple of Opponent
        What the same text costs them, the best first; empty where they were not asked for.
    longer_helps : bool
        Whether more epochs may lower the loss of the model.
    notices : tuple of str
        What the user should be told, one line each.
    """

    unknown: dict[str, int]
    protocol: str
    seconds: float
    unseen: int = 0
    unseen_nats: float = 0.0
    unknown_cost: float | None = None
    file_bytes: int | None = None
    overlap: float | None = None
    learned: float = 0.0
    held_out_nats: float | None = None
    uniform_nats: float = inf
    unigram_nats: float | None = None
    static_nats: float | None = None
    network_nats: float | None = None
    per: str = "character"
    baselines: tuple[Opponent, ...] = ()
    longer_helps: bool = True
    notices: tuple[str, ...] = ()

    @property
    def static(self) -> Cost | None:
        """What the text costs the model while it stays as it is, where it did not."""
        if self.static_nats is None:
            return None
        return Cost(self.static_nats, self.characters, self.num_bytes)

    @property
    def network(self) -> Cost | None:
        """What the text costs the network alone, where that is mixed with counts."""
        if self.network_nats is None:
            return None
        return Cost(self.network_nats, self.characters, self.num_bytes)

    @property
    def comparison(self) -> str:
        """What the baselines say of the model, in a sentence; empty without them."""
        if not self.baselines:
            return ""
        more: dict[str, Any] = {
            "shared": self.overlap or 0.0,
            "longer_helps": self.longer_helps,
            "adapts": self.static is not None,
            "noun": self.per,
        }
        words = against(self.nats_per_char, self.baselines, **more)
        if self.static is None:
            return words
        others = [row for row in self.baselines if row.kind != "adapting"]
        best, nats = others[0], self.static.nats_per_char
        margin = best.nats_per_char - nats
        if (margin > 0) == (self.nats_per_char < best.nats_per_char):
            side = "ahead of" if margin > 0 else "behind"
            return f"{words}; without learning from it {abs(margin):.4f} nats {side} {best.name}"
        return f"{words}; without learning from it: {against(nats, others, **more)}"

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {
            **super().to_json(),
            "baselines": [row.to_json() for row in self.baselines],
            "comparison": self.comparison,
        }
