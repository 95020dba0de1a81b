"""Optimizers by name, and learning-rate schedules."""

from charrnn.config import OptimizerName
from charrnn.optimizers.base import Optimizer
from charrnn.optimizers.elementwise import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSprop
from charrnn.optimizers.muon import Muon
from charrnn.optimizers.parts import BLOCK, blocks, hidden_rows
from charrnn.optimizers.schedules import learning_rate_factor

__all__ = [
    "BLOCK",
    "OPTIMIZERS",
    "Optimizer",
    "blocks",
    "hidden_rows",
    "learning_rate_factor",
]

OPTIMIZERS: dict[OptimizerName, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
    "muon": Muon,
}
