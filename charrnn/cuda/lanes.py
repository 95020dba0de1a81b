"""How the layers of a model share a GPU: which of them run concurrently.

Dimensions
    T steps per window.
"""

from charrnn.config import Architecture

LANES = 4
"""Number of CUDA streams; higher lane numbers reuse them."""
PARTS = 5
"""Parts of a window with stacked layers (H100, T 50): 2 parts gain less, 10 not more."""
LEAST_STEPS = 4
"""Fewest steps of a part."""


def parts_of_window(architecture: Architecture, T: int) -> int:
    """Return the number of parts of a window: several for stacked layers.

    While a layer reads the second part of a window, the layer above it reads the first.
    Bidirectional layers need the whole window, and ensemble members have their own lanes.
    """
    alone = architecture.num_layers == 1 or architecture.directions == 2
    if alone or architecture.members > 1:
        return 1
    return max(1, min(PARTS, T // LEAST_STEPS))


def layers_at_once(architecture: Architecture, parts: int) -> int:
    """Return the number of layers that run concurrently."""
    if parts > 1:
        return min(LANES, architecture.num_layers)
    return min(LANES, architecture.members * architecture.directions)
