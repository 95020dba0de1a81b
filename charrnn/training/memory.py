"""How much memory a run takes, beside its text."""

from charrnn.config import Architecture, TrainingSettings
from charrnn.errors import ConfigError
from charrnn.nn.model import CharModel
from charrnn.optimizers import OPTIMIZERS
from charrnn.parallel.sharding import shard_columns
from charrnn.system.machine import installed_memory


def training_memory(
    model: Architecture, train: TrainingSettings, vocab_size: int, threads: int
) -> int:
    """Return about how many bytes training takes beside the text.

    Parameters
    ----------
    model, train : Architecture, TrainingSettings
        The sizes.
    vocab_size : int
        V.
    threads : int
        Workers, each with the buffers of one shard.
    """
    shards = shard_columns(train.batch_size, train.shards)
    widest: int = max(columns.stop - columns.start for columns in shards)
    slots = len(OPTIMIZERS[train.optimizer].slots)
    vectors = CharModel.size_of(model, vocab_size) * (1 + slots + len(shards))
    copies = 4 * CharModel.floats_of_copies(model, vocab_size)
    worker = copies + widest * CharModel.stream_bytes(model, vocab_size, train.seq_len)
    return 4 * vectors + worker * min(threads, len(shards))


def check_memory(
    model: Architecture, train: TrainingSettings, vocab_size: int, threads: int
) -> None:
    """Refuse what cannot fit, before the system ends the process for it.

    Raises
    ------
    ConfigError
        If training needs more memory than this machine has.
    """
    installed, needed = installed_memory(), training_memory(model, train, vocab_size, threads)
    if installed is not None and needed > installed:
        raise ConfigError(
            f"training needs about {needed / 1e9:,.0f} GB and this machine has "
            f"{installed / 1e9:,.0f} GB: give a smaller --hidden-size, --num-layers, "
            "--members, --batch-size or --seq-len"
        )
