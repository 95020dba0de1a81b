"""From text to training windows: streams, items, tasks, and the held-out part."""
