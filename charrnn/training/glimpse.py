"""What a model writes while it trains."""

from dataclasses import replace

from charrnn.config import SampleConfig
from charrnn.sampling.drawing import generate
from charrnn.sampling.items import draw_items, separator
from charrnn.training.setup import Setup

SAMPLE_LENGTH = 300
SAMPLE_ITEMS = 8


def live_sample(setup: Setup) -> str:
    """Return a short text, or some items, of the model as it is."""
    model, vocabulary = setup.model, setup.vocabulary
    config = SampleConfig(length=SAMPLE_LENGTH, temperature=0.8, random_seed=0)
    first = setup.task.first(vocabulary)
    if first is None:
        return "".join(text for _, text in generate(model, vocabulary, config))
    config = replace(config, num_samples=SAMPLE_ITEMS)
    task = setup.task
    drawn = draw_items(model, vocabulary, config, end=task.end)
    return "".join(f"{separator(task.items, n)}{item.text}\n" for n, item in enumerate(drawn))
