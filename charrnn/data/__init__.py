"""From text to windows: streams, items, and what of them is held out."""
