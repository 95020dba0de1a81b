"""The evaluation protocol in words."""

from charrnn.config import EvalConfig
from charrnn.config.words import count, plural
from charrnn.counts.mixing import EVEN
from charrnn.evaluation.adapting.model import MAX_SYMBOLS
from charrnn.evaluation.dynamic import DECAY, RATE, WINDOW
from charrnn.evaluation.novelty import Novelty
from charrnn.evaluation.pieces import WARM_UP, Pieces
from charrnn.evaluation.scored_text import ScoredText
from charrnn.storage.checkpoint import Checkpoint

ITEMS_PROTOCOL = (
    "each item is scored from a zero state, its {nouns} and its end; the mean is over all symbols; "
    "empty items are left out"
)

COUNTS = "the network is mixed with counts of its training part, or of the end of a long one"
FITTED = "with weights fitted on a piece of that part that was set apart from training"
PROMPTED = "the prompt of each item is read and not scored"


def protocol_of(
    checkpoint: Checkpoint, text: ScoredText, pieces: Pieces, config: EvalConfig, novelty: Novelty
) -> str:
    """Return one sentence on what was scored, how, and with how many symbols.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model.
    text : ScoredText
        The scored text.
    pieces : Pieces
        How it was split.
    config : EvalConfig
        The requested protocol.
    novelty : Novelty
        What was charged for unknown symbols, if there are any.
    """
    noun = checkpoint.vocabulary.noun
    if checkpoint.task.separate:
        how = ITEMS_PROTOCOL.format(nouns=plural(noun))
    else:
        how = _way(text, pieces, config, noun)
    if config.counts:
        weights = "with equal weights" if checkpoint.counting == EVEN else FITTED
        how = f"{how}; {COUNTS}, {weights}"
    if text.prompted:
        how = f"{how}; {PROMPTED}"
    return f"{text.what}; {how}; {_symbols(checkpoint, novelty if text.charged else None)}"


def _way(text: ScoredText, pieces: Pieces, config: EvalConfig, noun: str) -> str:
    first = f"after {text.begins}" if text.begins else "as uniform"
    once = f"every {noun} scored once, the first {first}"
    if text.tails:
        once = f"{once}, the parts read as one text"
    if config.cold_windows:
        size = count(config.cold_windows, noun)
        return f"{once}, in cold windows of {size}, each from a zero state, as nanoGPT evaluates"
    if config.adapts:
        ways = []
        if config.adapts_network:
            window = count(config.dynamic_window or WINDOW, noun)
            ways.append(
                f"dynamic evaluation: after every {window}, once they are scored, the weights take "
                f"a gradient step (rate {config.dynamic_rate or RATE:g}, each gradient divided by "
                f"its RMS in training, decay {DECAY:g} towards the trained weights)"
            )
        if config.adapts_counts:
            ways.append(_mixed(config, noun))
        return "; ".join([f"{once}, the state carried, in one stream", *ways])
    if text.tails and not config.exact:
        return f"every {noun} scored once, each part from a zero state, as char-rnn evaluates"
    streams = len(pieces.starts)
    warm_up = count(WARM_UP, noun)
    how = (
        "in one stream"
        if streams == 1
        else f"in {streams} parallel streams, each warmed up on the {warm_up} before it"
    )
    return f"{once}, the state carried, {how}"


def _mixed(config: EvalConfig, noun: str) -> str:
    networks = "this network and the static one are" if config.adapts_network else "the network is"
    return (
        f"adapting evaluation: {networks} mixed with counts of the training part (of its last "
        f"{count(MAX_SYMBOLS, noun)}, if it has more) and of the text so far, words and matches "
        f"among them, and with an output layer that learns; each {noun} is predicted by a whole "
        f"distribution over all symbols, and once it is scored it is counted, and that layer and "
        f"the weights of the mixture take a step: {noun} by {noun}, in one pass"
    )


def _symbols(checkpoint: Checkpoint, novelty: Novelty | None) -> str:
    """Return the size of the vocabulary, and what an unknown symbol is charged."""
    symbols = count(len(checkpoint.vocabulary), "symbol")
    whose = "of the training part" if checkpoint.counts is None else "of the whole corpus"
    if checkpoint.vocabulary.unit == "byte" and len(checkpoint.vocabulary) == 256:
        whose = "of bytes"
    words = f"{symbols}, those {whose}"
    if novelty is None:
        return words
    return (
        f"{words}; any other is charged {novelty.cost:.2f} nats, without saying which: the share "
        "of symbols that occur once in the training part (Good-Turing); the known ones have the "
        "rest"
    )
