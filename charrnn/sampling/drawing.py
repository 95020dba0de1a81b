"""Sampling text from a model.

Dimensions
    N parallel samples, V vocabulary size.

Each sample has its own random generator, seeded with the random seed and the sample's number.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array, Ids
from charrnn.config import SampleConfig
from charrnn.errors import CheckpointError, VocabularyError
from charrnn.evaluation.scorers import LOGITS
from charrnn.nn.loss import cross_entropy_
from charrnn.nn.predictor import Predictor
from charrnn.parallel.sharding import deal, shard_columns, shard_count
from charrnn.parallel.team import Team
from charrnn.sampling.allowing import Allowed, allow_
from charrnn.sampling.stopping import Writer, stop_symbols
from charrnn.text import Vocabulary, fitting_text
from charrnn.text.characters import SymbolCounter, counter_of

CHARACTERS_PER_CALL = 64
"""Steps per call of a worker."""
MOST_SYMBOLS = 16
"""Limit on the symbols sampled per requested character, where a character may have several: a
model might emit combining marks forever."""
WINDOW = 1024
"""Most symbols of a seed that are read at once."""


def top_k_(logits: Array, k: int) -> Array:
    """Mask all but the k most likely rows in each column of logits (V, N)."""
    if k < len(logits):
        smallest = np.partition(logits, -k, axis=0)[-k]
        logits[logits < smallest] = -np.inf
    return logits


def top_p_(logits: Array, p: float) -> Array:
    """Mask all but the most likely rows that together have probability p (Holtzman et al. 2020).

    The row that crosses p is kept, so at least one is.
    """
    order = np.argsort(-logits, axis=0, kind="stable")
    ranked = np.take_along_axis(softmax(logits), order, axis=0)
    before = np.cumsum(ranked, axis=0) - ranked
    out = np.empty(logits.shape, np.bool_)
    np.put_along_axis(out, order, before >= p, axis=0)
    logits[out] = -np.inf
    return logits


def min_p_(logits: Array, p: float) -> Array:
    """Mask the rows that are less than p times as likely as the best (Nguyen et al. 2024)."""
    if p > 0:
        logits[logits < logits.max(axis=0) + np.log(p)] = -np.inf
    return logits


def softmax(logits: Array) -> NDArray[np.float64]:
    """Return the probabilities of logits (V, N), in float64."""
    odds: NDArray[np.float64] = np.exp(logits - logits.max(axis=0), dtype=np.float64)
    odds /= odds.sum(axis=0)
    return odds


def draw(logits: Array, uniform: NDArray[np.float64], config: SampleConfig) -> NDArray[np.intp]:
    """Sample an id (N,) for each column of logits (V, N), by inverse transform sampling.

    Parameters
    ----------
    logits : (V, N) array
        May be overwritten.
    uniform : (N,) array
        Numbers in [0, 1), one per column.
    config : SampleConfig
        ``temperature`` divides the logits before ``top_k``, ``min_p`` and ``top_p`` apply, in this
        order; at temperature 0 the most likely row is taken.
    """
    ids: NDArray[np.intp]
    if config.temperature == 0:
        ids = logits.argmax(axis=0)
        return ids
    if config.temperature != 1:
        # With the maximum subtracted first, the largest is 0 and the division cannot give +inf.
        logits -= logits.max(axis=0)
        with np.errstate(over="ignore"):
            logits /= logits.dtype.type(max(config.temperature, 1e-30))
    if config.top_k is not None:
        top_k_(logits, config.top_k)
    if config.min_p is not None:
        min_p_(logits, config.min_p)
    if config.top_p is not None:
        top_p_(logits, config.top_p)
    # For one column the methods of ufuncs take half the time of the arrays' methods.
    steps = np.exp(logits - np.maximum.reduce(logits), dtype=np.float64)
    np.add.accumulate(steps, out=steps)
    ids = np.add.reduce(steps <= uniform * steps[-1])
    return ids


@np.errstate(over="ignore", invalid="ignore")
def begin(model: Predictor, seed: Ids) -> tuple[Array, Array]:
    """Read the seed, which all samples share, and return logits (V, 1) and state."""
    state = model.zero_state(1)
    T = max(1, min(WINDOW, LOGITS // model.vocab_size))
    for start in range(0, len(seed), T):
        logits, state = model.forward(seed[start : start + T, np.newaxis], state)
    if not np.isfinite(logits[:, -1]).all():
        raise CheckpointError(
            "the model's predictions are not finite because it diverged in training: "
            "train again with a lower --learning-rate"
        )
    return logits[:, -1:], state


def rule_out(logits: Array, symbol: int) -> Array:
    """Return logits (V, N) with one row masked, unless it is the only one."""
    if len(logits) == 1:
        return logits
    left = logits.copy()
    left[symbol] = -np.inf
    return left


class Drawer:
    """Some of the samples, with their state, random generators and next logits.

    Parameters
    ----------
    model : Predictor
    config : SampleConfig
    begun : (V, 1) array and state
        From ``begin``.
    numbers : range
        The numbers of the samples.
    random_seed : int
    allowed : Allowed, optional
        Restricts what may be sampled.
    never_first : int, optional
        The id of a symbol that must not be sampled first.
    """

    def __init__(
        self,
        model: Predictor,
        config: SampleConfig,
        begun: tuple[Array, Array],
        numbers: range,
        random_seed: int,
        *,
        allowed: Allowed | None = None,
        never_first: int | None = None,
    ) -> None:
        self.model = model.replica() if len(numbers) > 1 else model.for_one_stream()
        self.config, self.numbers = config, numbers
        self.rngs = [np.random.default_rng([random_seed, number]) for number in numbers]
        logits, state = begun
        self.logits = np.repeat(logits, len(numbers), axis=-1)
        self.state = np.repeat(state, len(numbers), axis=-1)
        self._allowed, self._never_first = allowed, never_first
        self._places = None if allowed is None else allowed.begin(len(numbers))

    def draw(self, count: int) -> NDArray[np.intp]:
        """Return the next ids (count, N)."""
        uniform = np.stack([rng.random(count) for rng in self.rngs], axis=1)
        ids = np.empty((count, len(self.numbers)), np.intp)
        for step in range(count):
            ids[step] = self._draw(uniform[step])
            self.logits, self.state = self.model.forward(ids[step : step + 1], self.state)
        return ids

    def draw_scored(self, count: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the next ids (count, N), and the negative log-likelihood of each in nats."""
        uniform = np.stack([rng.random(count) for rng in self.rngs], axis=1)
        ids = np.empty((count, len(self.numbers)), np.intp)
        nats = np.empty(ids.shape)
        for step in range(count):
            before = self.logits.copy()
            ids[step] = self._draw(uniform[step])
            nats[step], _ = cross_entropy_(before, ids[step])
            self.logits, self.state = self.model.forward(ids[step : step + 1], self.state)
        return ids, nats

    def _draw(self, uniform: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the next ids (N,)."""
        logits = self.logits
        if self._never_first is not None:
            logits, self._never_first = rule_out(logits, self._never_first), None
        if self._allowed is None:
            return draw(logits, uniform, self.config)
        ids = draw(allow_(logits, self._allowed.may[self._places]), uniform, self.config)
        self._places = self._allowed.after[self._places, ids]
        return ids


class DrawingWorker:
    """A worker with its share of the samples."""

    def __init__(self, drawers: Sequence[Drawer]) -> None:
        self.drawers = drawers

    def draw(self, count: int) -> list[NDArray[np.intp]]:
        """Return the next ids of each drawer."""
        return [drawer.draw(count) for drawer in self.drawers]

    def draw_scored(self, count: int) -> list[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Return the next ids of each drawer, and their negative log-likelihood in nats."""
        return [drawer.draw_scored(count) for drawer in self.drawers]


def encode_seed(
    vocabulary: Vocabulary, seed: str, unknown: Literal["error", "skip"] = "error"
) -> Ids:
    """Return the ids of the seed; if it is empty, a line end or the first symbol.

    The text is converted to the model's form where that differs, such as decomposed letters or
    other line ends.

    Raises
    ------
    VocabularyError
        If it has a character that the model does not know and ``unknown`` is "error".
    """
    codes = vocabulary.text_to_codes(fitting_text(seed, vocabulary, "keep")[0])
    if unknown == "skip":
        ids, _ = vocabulary.encode_known(codes)
    else:
        try:
            ids = vocabulary.encode(codes)
        except VocabularyError as error:
            raise VocabularyError(f"{error}; or drop them with --unknown skip") from None
    return ids if len(ids) else vocabulary.before_all()


def generate(
    model: Predictor,
    vocabulary: Vocabulary,
    config: SampleConfig,
    *,
    seed: str = "",
    unknown: Literal["error", "skip"] = "error",
    never_first: int | None = None,
    end_id: int | None = None,
    threads: int = 1,
    together: bool = False,
    raw: bool = False,
    log_probabilities: NDArray[np.float64] | None = None,
) -> Iterator[tuple[int, str]]:
    """Generate samples in parallel and yield their text piece by piece.

    Parameters
    ----------
    model : Predictor
        Trained or not.
    vocabulary : Vocabulary
        The model's.
    config : SampleConfig
        ``length`` counts characters as a reader does, without the seed. No text ends within a
        character, whether its symbols are bytes or parts of a syllable.
    seed : str
        The text to continue.
    unknown : "error" or "skip"
        What to do with characters of the seed that the model does not know.
    never_first : int, optional
        The id of a symbol that is never sampled right after the seed, even at temperature 0.
    end_id : int, optional
        The id of a symbol that may be sampled whichever characters are allowed.
    threads : int
        Number of workers for many samples; no effect on the text.
    together : bool
        Whether one worker generates all samples in a single batch, which is fastest on a GPU.
    raw : bool
        Whether bytes that are not valid UTF-8 become surrogates, from which they can be restored;
        see ``StreamDecoder``.
    log_probabilities : (num_samples,) float64 array, optional
        To it is added the log-probability of each text in nats, given the seed, under the model
        itself at temperature 1 and without sampling rules, as `Model.score` computes it. It is
        complete after the last piece.

    Yields
    ------
    number : int
        The number of the sample, from 0.
    text : str
        Its next piece; with a single sample, one character at a time.
    """
    ids = encode_seed(vocabulary, seed, unknown)
    stops = [stop_symbols(vocabulary, stop) for stop in config.stops]
    allowed = None if config.allow is None else Allowed.of(vocabulary, config.allow, end_id)
    random_seed = config.random_seed
    if random_seed is None:
        random_seed = int(np.random.SeedSequence().entropy % 2**63)  # type: ignore[operator]
    count = 1 if together else shard_count(config.num_samples)
    columns = shard_columns(config.num_samples, count)
    shards = [range(config.num_samples)[part] for part in columns]
    dealt = deal(range(len(shards)), threads)
    begun = begin(model, ids)
    rules: dict[str, Any] = {"allowed": allowed, "never_first": never_first}
    workers = [
        DrawingWorker(
            [Drawer(model, config, begun, shards[shard], random_seed, **rules) for shard in mine]
        )
        for mine in dealt
    ]
    order = [number for mine in dealt for shard in mine for number in shards[shard]]
    length, most = config.length, config.length
    if not isinstance(counter_of(vocabulary), SymbolCounter):
        most *= MOST_SYMBOLS
    writers = {number: Writer(vocabulary, stops, length, raw=raw) for number in order}
    at_once = 1 if config.num_samples == 1 else CHARACTERS_PER_CALL
    with Team(workers) as team:
        done = 0
        while done < most and not all(writer.ended for writer in writers.values()):
            count = min(at_once, most - done)
            before, done = done, done + count
            ids, nats = _call(team, count, scored=log_probabilities is not None)
            for column, number in enumerate(order):
                writer = writers[number]
                if writer.ended:
                    continue
                text = writer.write(ids[:, column], done >= most)
                if log_probabilities is not None:
                    kept = max(0, writer.symbols - before)
                    log_probabilities[number] -= nats[:kept, column].sum()
                if text:
                    yield number, text


def _call(team: Team, count: int, *, scored: bool) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the workers' ids (count, N) and, if ``scored``, their nats, otherwise an empty array.

    The columns are in the order in which samples were assigned to workers.
    """
    if not scored:
        drawn = [ids for result in team.call("draw", count) for ids in result]
        return np.concatenate(drawn, axis=1), np.empty((0, 0))
    parts = [part for result in team.call("draw_scored", count) for part in result]
    ids, nats = zip(*parts, strict=True)
    return np.concatenate(ids, axis=1), np.concatenate(nats, axis=1)
