"""The scoring half of `Model`."""

from collections.abc import Sequence
from typing import Any, Literal, overload

from charrnn.api.line_scores import LineScores, score_texts
from charrnn.api.scores import Scores, score_text
from charrnn.errors import ConfigError
from charrnn.nn.model import CharModel
from charrnn.storage.checkpoint import Checkpoint
from charrnn.system.machine import available_cores

Unknown = Literal["score", "error"]


class ScoringModel:
    """Base of `Model`: scores texts with a network and its checkpoint."""

    network: CharModel
    checkpoint: Checkpoint

    @overload
    def score(  # type: ignore[overload-overlap]  # a text is a sequence of texts too
        self,
        text: str,
        *,
        context: str = "",
        unknown: Unknown = "score",
        counts: bool = False,
    ) -> Scores: ...

    @overload
    def score(
        self,
        text: Sequence[str],
        *,
        context: str = "",
        unknown: Unknown = "score",
        counts: bool = False,
        threads: int | None = None,
    ) -> LineScores: ...

    def score(
        self,
        text: str | Sequence[str],
        *,
        context: str = "",
        unknown: Unknown = "score",
        counts: bool = False,
        threads: int | None = None,
    ) -> Scores | LineScores:
        r"""Score each character of a text: its negative log-probability in nats.

        The score of a character depends only on the characters before it. The first one is scored
        after ``context``, or, without one, after what `sample` starts from: a newline, or the
        first symbol of a vocabulary without newlines. So ``exp(-total_nats)`` is the probability
        that `sample` generates the text. A model of items reads a text as a list of items: each
        one is scored after the end of another, and its own end is one of its characters.

        Parameters
        ----------
        text : str or sequence of str
            A text of m characters, read in one stream (for the totals of a long text alone,
            `evaluate` is faster); or several texts, such as lines of a file or candidates, read in
            parallel, each one after ``context`` only.
        context : str
            Text that the model reads first; it is not scored. For a model of items, the beginning
            of the first item.
        unknown : "score" or "error"
            Whether characters that are not in the vocabulary are scored as in `evaluate`, by the
            rate of new symbols in the training text, or raise an error. The model skips them, also
            in the context.
        counts : bool
            Mix the network with the n-gram counts of its training text, as in `evaluate`.
        threads : int, optional
            Worker processes for several texts; the default is one per core. The result does not
            depend on it.

        Returns
        -------
        Scores or LineScores
            For one text, `Scores`: ``nats (m,)``, ``symbols``, ``per_char`` and totals. For n
            texts, `LineScores`: a sequence with ``total_nats (n,)``, ``bits_per_char (n,)`` and
            others; an empty text costs 0 nats. A notebook displays both as heat maps. A model
            trained with ``prompted`` reads the prompts and does not score them.

        Raises
        ------
        CorpusError
            If a single text is empty, or a prompt is missing.
        VocabularyError
            If ``unknown`` is "error" and a character is not in the vocabulary, or if the text has
            half of a surrogate pair.

        Examples
        --------
        >>> model = charrnn.load("runs/corpus")
        >>> scores = model.score("jugs")
        >>> scores.symbols, scores.nats.shape
        (('j', 'u', 'g', 's'), (4,))
        >>> bool(scores.total_nats == scores.nats.sum())
        True
        >>> model.score("s", context="jug").characters
        1
        >>> scores = model.score(["five dozen jugs", "dozen five jugs"])
        >>> bool(scores.total_nats[0] < scores.total_nats[1])
        True
        """
        if unknown not in ("score", "error"):
            raise ConfigError(f"unknown {unknown!r:.40} is not valid: use score or error")
        self._check_writes()
        network = self.checkpoint.with_counts(self.network) if counts else self.network
        given: dict[str, Any] = {"context": context, "unknown": unknown}
        if isinstance(text, str):
            if threads is not None:
                raise ConfigError(
                    "threads applies to several texts: a single text is one stream; leave it out"
                )
            return score_text(self.checkpoint, network, text, **given)
        threads = threads or available_cores()
        return score_texts(self.checkpoint, network, text, threads=threads, **given)

    def _check_writes(self) -> None:
        """Reject a model of labels, which cannot score or generate text."""
        if self.checkpoint.labels:
            predict = self.checkpoint.settings.predict
            raise ConfigError(f"this model predicts {predict}, not text: use predict")
