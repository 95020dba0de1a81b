"""The result of an evaluation."""

from dataclasses import dataclass
from math import inf
from typing import Any

from charrnn.evaluation.cost import Cost, Opponent
from charrnn.evaluation.verdict import against


@dataclass(frozen=True)
class Evaluation(Cost):
    """The result of evaluating a model on a text.

    Attributes
    ----------
    unknown : dict of str to int
        Unknown symbols with their counts. Each is charged ``unknown_cost`` nats and included in
        ``characters``, or left out of the text if that is None.
    unseen, unseen_nats : int, float
        How many of the scored characters are in the vocabulary but not in the training part, and
        their share of ``total_nats``.
    protocol : str
        How it was scored, in a sentence.
    seconds : float
    unknown_cost : float, optional
    file_bytes : int, optional
        Bytes of the files, if they were scored completely; ``num_bytes`` is the size of the text
        as scored, in UTF-8.
    overlap : float, optional
        Share of the text that also occurs in the training part, if that is available.
    learned : float
        Share of the text that is the training part itself, if its files were named.
    held_out_nats : float, optional
        Nats per character of the held-out part alone, if the text is the run's own.
    uniform_nats, unigram_nats : float, optional
        Nats per character of the uniform distribution over known symbols, and of their frequencies
        in the training part; unknown symbols are charged as they are for the model.
    static_nats : float, optional
        Loss of the unadapted model on the whole text, if the evaluation adapted it.
    network_nats : float, optional
        Loss of the network alone on the whole text, if it is mixed with counts.
    per : str
        The name of one symbol: "character", "byte", "jamo" or "code point".
    baselines : tuple of Opponent
        Their losses on the same text, the best first; empty if not requested.
    longer_helps : bool
        Whether more epochs may lower the loss of the model.
    notices : tuple of str
        Messages for the user, one line each.
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
        """The loss of the unadapted model, if the evaluation adapted it."""
        if self.static_nats is None:
            return None
        return Cost(self.static_nats, self.characters, self.num_bytes)

    @property
    def network(self) -> Cost | None:
        """The loss of the network alone, if it is mixed with counts."""
        if self.network_nats is None:
            return None
        return Cost(self.network_nats, self.characters, self.num_bytes)

    @property
    def comparison(self) -> str:
        """A sentence that compares the model with the baselines; empty without them."""
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
            return f"{words}; without adapting to it, {abs(margin):.4f} nats {side} {best.name}"
        return f"{words}; without adapting to it: {against(nats, others, **more)}"

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {
            **super().to_json(),
            "baselines": [row.to_json() for row in self.baselines],
            "comparison": self.comparison,
        }
