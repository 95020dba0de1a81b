"""A model that scores texts: what `Model` is beside all else."""

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
    """What has a network and a checkpoint, and scores with them; see `Model`."""

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
        r"""Return what each character of a text costs the model.

        The score of a character depends on what precedes it alone. The first one follows on the
        ``context`` or, without one, on what `sample` begins with: a line end, if the vocabulary
        has one, else its first symbol. So ``exp(-total_nats)`` is the probability with which
        `sample` draws the text. A model of items reads a text as its own: each item follows on
        the end of another, and its own end is one of its characters.

        Parameters
        ----------
        text : str or sequence of str
            m characters, read in one stream; a long text is scored faster by `evaluate`, which
            does not say what each of them costs. Of several texts, such as the lines of a file or
            candidates, each follows on the ``context`` alone; they are read side by side.
        context : str
            What the model reads before; it costs nothing. For a model of items, how the first
            item begins.
        unknown : "score" or "error"
            Whether characters that the model does not know are charged as `evaluate` does, by the
            share of new symbols in its training text, or are an error. The model reads neither
            these nor unknown ones in the context.
        counts : bool
            Whether the network is mixed with what was counted in training, as for `evaluate`.
        threads : int, optional
            Processes for several texts, as many as there are cores if left out; no effect on the
            result.

        Returns
        -------
        Scores or LineScores
            Of a text: ``nats (m,)``, ``symbols``, ``per_char``, and totals. Of n texts: a sequence
            with ``total_nats (n,)``, ``bits_per_char (n,)`` and others; an empty one costs
            nothing. In a notebook they show themselves as a heat map. Of a model that was trained
            with ``prompted``, prompts are read and not scored.

        Raises
        ------
        CorpusError
            If a single text is empty, or a prompt is missing.
        VocabularyError
            If a character is unknown and ``unknown`` is "error", or is half of one.

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
            raise ConfigError(f"unknown {unknown!r:.40} is none of score, error")
        self._check_writes()
        network = self.checkpoint.with_counts(self.network) if counts else self.network
        given: dict[str, Any] = {"context": context, "unknown": unknown}
        if isinstance(text, str):
            if threads is not None:
                raise ConfigError("threads are for several texts: a single one is read in a stream")
            return score_text(self.checkpoint, network, text, **given)
        threads = threads or available_cores()
        return score_texts(self.checkpoint, network, text, threads=threads, **given)

    def _check_writes(self) -> None:
        """Refuse a model of labels, which predicts no text."""
        if self.checkpoint.labels:
            predict = self.checkpoint.settings.predict
            raise ConfigError(f"this model predicts {predict}, not text: use predict")
