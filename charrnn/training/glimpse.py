"""Live samples of what a model writes, or how it labels, during training."""

from dataclasses import replace
from itertools import islice

from charrnn.config import SampleConfig
from charrnn.data.dividing import chunks_of_items, texts_of
from charrnn.data.labels.task import LabelledTask, Parsed
from charrnn.data.tasks import PromptedItems
from charrnn.evaluation.labels.predicting import log_probabilities
from charrnn.sampling.drawing import generate
from charrnn.sampling.items import draw_items, separator
from charrnn.training.setup import Setup

SAMPLE_LENGTH = 300
SAMPLE_ITEMS = 8
LONGEST_TEXT = 60
"""Most characters of a text that are shown beside its label."""


def live_sample(setup: Setup) -> str:
    """Return a short text, some items, or some labelled texts, from the current model."""
    model, vocabulary, task = setup.model, setup.vocabulary, setup.task
    config = SampleConfig(length=SAMPLE_LENGTH, temperature=0.8, random_seed=0)
    if isinstance(task, LabelledTask):
        return _labelled(setup, task)
    first = task.first(vocabulary)
    if first is None:
        return "".join(text for _, text in generate(model, vocabulary, config))
    if isinstance(task, PromptedItems):
        return _answers(setup, task, config)
    config = replace(config, num_samples=SAMPLE_ITEMS)
    drawn = draw_items(model, vocabulary, config, end=task.end)
    return "".join(f"{separator(task.items, n)}{item.text}\n" for n, item in enumerate(drawn))


def prompts_of(setup: Setup, most: int) -> list[str]:
    """Return the first distinct prompts of the held-out part, or else of the training part."""
    task = setup.task
    if not isinstance(task, PromptedItems):
        return []
    codes = setup.sides.held if len(setup.sides.held) else setup.sides.learned
    found: dict[str, None] = {}
    for chunk in chunks_of_items(codes, task.end):
        for item in texts_of(chunk, task.end):
            found[item.partition(chr(task.border))[0]] = None
            if len(found) == most:
                return list(found)
    return list(found)


def _answers(setup: Setup, task: PromptedItems, config: SampleConfig) -> str:
    lines = []
    for prompt in prompts_of(setup, SAMPLE_ITEMS):
        before = prompt + chr(task.border)
        (item,) = draw_items(setup.model, setup.vocabulary, config, end=task.end, prompt=before)
        lines.append(f"{_short(prompt)} -> {item.text}\n")
    return "".join(lines)


def _labelled(setup: Setup, task: LabelledTask) -> str:
    """Return some texts, held-out ones if there are any, with their predicted labels."""
    codes = setup.sides.held if len(setup.sides.held) else setup.sides.learned
    texts, labels = task.parse(codes)
    parsed = Parsed(texts[:SAMPLE_ITEMS], labels[:SAMPLE_ITEMS])
    examples = task.encode(parsed, setup.vocabulary)
    seq_len = setup.train.seq_len
    best = log_probabilities(setup.model, examples, seq_len=seq_len).argmax(axis=1)
    names = iter([task.labels[number] for number in best.tolist()])
    if task.head == "item":
        return "".join(
            f"{_short(text)} -> {_judged(label, next(names))}\n"
            for text, label in zip(*parsed, strict=True)
        )
    lines = [task.shown(text, list(islice(names, len(text)))) for text in parsed.texts]
    return "".join(f"{_short(line)}\n" for line in lines)


def _judged(right: object, label: str) -> str:
    return label if label == right else f"{label} (correct: {right})"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TEXT else f"{line[: LONGEST_TEXT - 3]}..."
