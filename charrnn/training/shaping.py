"""The shape of the network, where it was not given: cell, size, members and dropout rates."""

import dataclasses
from math import sqrt

from charrnn.config import CONTEXT, WINDOWED, Architecture, Cell, ModelConfig, Nonlinearity
from charrnn.training.budget import USUAL_CORES, Budget
from charrnn.training.choices import Choices, number

ONE_HOT_LIMIT = 256
EMBEDDING_SIZE = 128
WINDOW_EMBEDDING = 32
"""The embedding size of window layers, which have separate weights per position."""
DEFAULT_CELL: Cell = "gru"
GPU_CELL: Cell = "lstm"
"""On a GPU both cells take about the same time: after 5 M characters of tiny Shakespeare, 256 units
reach 1.462 nats with the LSTM and 1.475 with the GRU."""
SIZES = ((0.25, 128), (2.0, 256), (15.0, 384), (float("inf"), 512))
"""Pairs of minutes and hidden units: up to these minutes, this size has the lowest loss."""
UNITS = 32
"""Hidden units are a multiple of this. A text can use about the square root of its length."""
ENSEMBLE_MEMBERS, ENSEMBLE_DOUBLINGS, ENSEMBLE_MINUTES = 2, 3.5, 2.0
"""The number of members of an ensemble, and the doublings of excess and the minutes from which its
loss is lower than that of one network. In less time, it gains too little for its slower steps."""
MOST_MEMBERS = 3
"""The number of members if each of them has time for all useful epochs."""
PER_DOUBLING = {"dropout": (0.075, 0.5), "weight_dropout": (0.025, 0.5)}
"""How much each doubling of excess adds to a dropout rate, and the maximum of the rate."""


def shaped(model: ModelConfig, budget: Budget, choices: Choices) -> Architecture:
    """Choose cell and sizes, and several members if one network would memorize the text."""
    members, why = 1, "more members gain little in this time"
    one = sized(model, model.members or 1, budget, Choices())
    if model.hidden_size:
        why = "a single network, since its size was given"
    elif budget.asked:
        why = "more members would take longer per character"
    elif budget.members_at_best(one) >= MOST_MEMBERS:
        members, why = MOST_MEMBERS, "each member has time for all useful epochs"
    elif (
        budget.usual_minutes(one.hidden_size) >= ENSEMBLE_MINUTES
        and budget.doublings(one) >= ENSEMBLE_DOUBLINGS
    ):
        members, why = ENSEMBLE_MEMBERS, "a single network would memorize the text"
    return sized(model, choices.of("members", model.members, members, why), budget, choices)


def sized(model: ModelConfig, members: int, budget: Budget, choices: Choices) -> Architecture:
    """Choose cell and sizes for this number of members, without dropout."""
    share = 1 if budget.asked else members
    size = next(size for limit, size in SIZES if budget.usual_minutes(size) / share <= limit)
    minutes = budget.usual_minutes(size) / share
    why = f"lowest loss after {number(minutes)} min" + " each" * (members > 1)
    if not budget.asked and (budget.gpu or budget.cores != USUAL_CORES):
        why += f" on {USUAL_CORES} cores" + ", less on this GPU" * budget.gpu
    if budget.asked:
        why = f"lowest loss after {budget.asked:,.0f} characters"
    most = most_units(budget)
    if most < size:
        size, why = most, f"about the square root of {budget.length:,} characters"
    embedding_size = model.embedding_size or 0
    if model.embedding_size is None and budget.distinct > ONE_HOT_LIMIT:
        embedding_size = EMBEDDING_SIZE
        choices.reasons["embedding_size"] = (
            f"{budget.distinct:,} symbols are too many for one-hot input"
        )
    usual = GPU_CELL if budget.gpu else DEFAULT_CELL
    cell = choices.of("cell", model.cell, usual, "lowest loss in the same time")
    context = model.context or 0
    if cell in WINDOWED:
        context = choices.of("context", model.context, CONTEXT, "the default")
        if not (model.embedding_size or embedding_size):
            embedding_size = WINDOW_EMBEDDING
            choices.reasons["embedding_size"] = "a window has separate weights per position"
    nonlinearity: Nonlinearity = model.nonlinearity or "tanh"
    if cell == "rnn":
        nonlinearity = choices.of("nonlinearity", model.nonlinearity, "tanh", "the default")
    return Architecture(
        cell=cell,
        nonlinearity=nonlinearity,
        context=context,
        hidden_size=choices.of("hidden_size", model.hidden_size, size, why),
        num_layers=choices.of(
            "num_layers", model.num_layers, 1, "a second layer gains less in the same time"
        ),
        members=members,
        embedding_size=embedding_size,
    )


def most_units(budget: Budget) -> int:
    """Return the largest number of hidden units that a text of this length can use."""
    return UNITS * max(1, round(sqrt(budget.length) / UNITS))


def regularized(
    shape: Architecture, model: ModelConfig, budget: Budget, choices: Choices
) -> Architecture:
    """Choose the dropout rates."""
    epochs, share = budget.readings(shape)
    doublings = budget.doublings(shape)
    why = f"for about {number(epochs)} epochs"
    if not budget.asked:
        where = "a GPU" if budget.gpu else f"{budget.cores} core{'s' * (budget.cores > 1)}"
        why += f" (typical of {where})"
    why += f", {number(share)} weights per character" + " each" * (shape.members > 1)
    why += ", as separate items" if budget.separate else ""
    reduction = sqrt(shape.members)  # an ensemble needs less dropout
    rates = {
        name: round(min(each * doublings / reduction, most), 2)
        for name, (each, most) in PER_DOUBLING.items()
    }
    if shape.cell in WINDOWED:  # these have no recurrent weights
        dropout = choices.of("dropout", model.dropout, rates["dropout"], why)
        return dataclasses.replace(shape, dropout=dropout)
    return dataclasses.replace(
        shape,
        dropout=choices.of("dropout", model.dropout, rates["dropout"], why),
        weight_dropout=choices.of(
            "weight_dropout", model.weight_dropout, rates["weight_dropout"], why
        ),
    )
