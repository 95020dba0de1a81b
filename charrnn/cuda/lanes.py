"""How the layers of a model share a GPU: which of them run side by side.

Dimensions
    T steps of a window.
"""

from charrnn.config import Architecture

LANES = 4
"""CUDA streams; a higher number is one of them again."""
PARTS = 5
"""Into how many parts a window is cut where layers stand above each other (H100, T 50): 2 parts
gain less, 10 no more."""
LEAST_STEPS = 4
"""Steps of a part."""


def parts_of_window(architecture: Architecture, T: int) -> int:
    """Return into how many parts windows are cut: several where layers stand above each other.

    While a layer reads the second part of a window, the one above it reads the first. Layers that
    read from both ends need the whole window, and members have lanes of their own.
    """
    alone = architecture.num_layers == 1 or architecture.directions == 2
    if alone or architecture.members > 1:
        return 1
    return max(1, min(PARTS, T // LEAST_STEPS))


def layers_at_once(architecture: Architecture, parts: int) -> int:
    """Return how many layers run at the same time."""
    if parts > 1:
        return min(LANES, architecture.num_layers)
    return min(LANES, architecture.members * architecture.directions)
