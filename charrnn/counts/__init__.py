"""N-gram counts of a training text, whose predictions are mixed with a network's."""
