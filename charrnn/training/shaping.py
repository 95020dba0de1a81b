"""The shape of the network, where it was left out: size, members, and what is dropped."""

import dataclasses
from math import sqrt

from charrnn.config import CONTEXT, WINDOWED, Architecture, Cell, ModelConfig, Nonlinearity
from charrnn.training.budget import USUAL_CORES, Budget
from charrnn.training.choices import Choices, number

ONE_HOT_LIMIT = 256
EMBEDDING_SIZE = 128
WINDOW_EMBEDDING = 32
"""Of a window, which reads each of its inputs with weights of its own."""
DEFAULT_CELL: Cell = "gru"
GPU_CELL: Cell = "lstm"
"""A GPU takes about as long for both: after 5 M characters of tiny Shakespeare 256 units reach
1.462 nats with it and 1.475 with the GRU."""
SIZES = ((0.25, 128), (2.0, 256), (15.0, 384), (float("inf"), 512))
"""Hidden units by the minutes up to which they learn most."""
UNITS = 32
"""Hidden units come in multiples of this; the root of the length of a text is what it can use."""
SEVERAL, SEVERAL_FROM, SEVERAL_MINUTES = 2, 3.5, 2.0
"""How many members learn more than one, from so many doublings beyond what leaves it unharmed and
so much time: in less, what several gain is not worth the time that each character then takes."""
MANY = 3
"""How many members there are where each can read the text as often as is of use."""
PER_DOUBLING = {"dropout": (0.075, 0.5), "weight_dropout": (0.025, 0.5)}
"""What each doubling beyond that adds to a rate, and the most that it becomes."""


def shaped(model: ModelConfig, budget: Budget, choices: Choices) -> Architecture:
    """Choose cell and sizes, and several members where one would memorize."""
    members, why = 1, "several learn hardly more in this time"
    one = sized(model, model.members or 1, budget, Choices())
    if model.hidden_size:
        why = "one, of the size that was given"
    elif budget.asked:
        why = "several would take longer for as many characters"
    elif budget.members_at_best(one) >= MANY:
        members, why = MANY, "each can read the text as often as is of use"
    elif (
        budget.usual_minutes(one.hidden_size) >= SEVERAL_MINUTES
        and budget.doublings(one) >= SEVERAL_FROM
    ):
        members, why = SEVERAL, "one would memorize the text"
    return sized(model, choices.of("members", model.members, members, why), budget, choices)


def sized(model: ModelConfig, members: int, budget: Budget, choices: Choices) -> Architecture:
    """Choose cell and sizes for so many members; nothing is dropped yet."""
    share = 1 if budget.asked else members
    size = next(size for limit, size in SIZES if budget.usual_minutes(size) / share <= limit)
    minutes = budget.usual_minutes(size) / share
    why = f"learns most in {number(minutes)} min" + " each" * (members > 1)
    if not budget.asked and (budget.gpu or budget.cores != USUAL_CORES):
        why += f" on {USUAL_CORES} cores" + ", which this GPU does in less" * budget.gpu
    if budget.asked:
        why = f"learns most from {budget.asked:,.0f} characters"
    most = most_units(budget)
    if most < size:
        size, why = most, f"about the root of {budget.length:,} characters"
    embedding_size = model.embedding_size or 0
    if model.embedding_size is None and budget.distinct > ONE_HOT_LIMIT:
        embedding_size = EMBEDDING_SIZE
        choices.reasons["embedding_size"] = (
            f"{budget.distinct:,} symbols are too many for one-hot input"
        )
    usual = GPU_CELL if budget.gpu else DEFAULT_CELL
    cell = choices.of("cell", model.cell, usual, "learns most in the same time")
    context = model.context or 0
    if cell in WINDOWED:
        context = choices.of("context", model.context, CONTEXT, "the default")
        if not (model.embedding_size or embedding_size):
            embedding_size = WINDOW_EMBEDDING
            choices.reasons["embedding_size"] = "the window reads each of its steps with it"
    nonlinearity: Nonlinearity = model.nonlinearity or "tanh"
    if cell == "rnn":
        nonlinearity = choices.of("nonlinearity", model.nonlinearity, "tanh", "the usual one")
    return Architecture(
        cell=cell,
        nonlinearity=nonlinearity,
        context=context,
        hidden_size=choices.of("hidden_size", model.hidden_size, size, why),
        num_layers=choices.of(
            "num_layers", model.num_layers, 1, "a second layer learns less in the same time"
        ),
        members=members,
        embedding_size=embedding_size,
    )


def most_units(budget: Budget) -> int:
    """Return as many hidden units as a text of this length can use."""
    return UNITS * max(1, round(sqrt(budget.length) / UNITS))


def regularized(
    shape: Architecture, model: ModelConfig, budget: Budget, choices: Choices
) -> Architecture:
    """Choose what is dropped."""
    epochs, share = budget.readings(shape)
    doublings = budget.doublings(shape)
    why = f"for about {number(epochs)} epochs "
    if not budget.asked:
        where = "a GPU" if budget.gpu else f"{budget.cores} core{'s' * (budget.cores > 1)}"
        why += f"(usual on {where}) "
    why += f"by {number(share)} weights a character" + " each" * (shape.members > 1)
    why += ", as separate items" if budget.separate else ""
    apart = sqrt(shape.members)  # the mean of several members needs less
    rates = {
        name: round(min(each * doublings / apart, most), 2)
        for name, (each, most) in PER_DOUBLING.items()
    }
    if shape.cell in WINDOWED:  # has no recurrent weights
        dropout = choices.of("dropout", model.dropout, rates["dropout"], why)
        return dataclasses.replace(shape, dropout=dropout)
    return dataclasses.replace(
        shape,
        dropout=choices.of("dropout", model.dropout, rates["dropout"], why),
        weight_dropout=choices.of(
            "weight_dropout", model.weight_dropout, rates["weight_dropout"], why
        ),
    )
