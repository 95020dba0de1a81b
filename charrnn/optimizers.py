"""Optimisers, as updates of slices of one flat vector, and learning-rate schedules.

Every optimiser keeps its state in vectors as long as the parameters. ``update`` is given a slice
and touches nothing outside it, so that workers can share the work, and goes through it in blocks
that stay in the cache.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from math import cos, pi
from typing import ClassVar

import numpy as np

from charrnn.config import OptimizerName, ScheduleName
from charrnn.nn.parameters import Array

BLOCK = 2**14
"""Parameters updated at a time: with gradient and state they fill a part of the L2 cache."""


def blocks(part: slice) -> Iterator[slice]:
    """Cut a slice into pieces of at most ``BLOCK``."""
    for start in range(part.start, part.stop, BLOCK):
        yield slice(start, min(start + BLOCK, part.stop))


class Optimizer(ABC):
    """Moves parameters against their gradient.

    Parameters
    ----------
    theta, grad : (P,) arrays
        The parameters and the gradient.
    zeros : callable
        Makes the state vectors.
    weight_decay : float
        Added to the gradient as ``weight_decay * theta`` (L2), except where a class decouples it.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    default_learning_rate: ClassVar[float]
    default_weight_decay: ClassVar[float] = 0.0

    def __init__(
        self,
        theta: Array,
        grad: Array,
        *,
        zeros: Callable[[int, np.dtype[np.floating]], Array] = np.zeros,
        weight_decay: float = 0.0,
    ) -> None:
        self.theta, self.grad, self.weight_decay = theta, grad, weight_decay
        self.state = {name: zeros(theta.size, theta.dtype) for name in self.slots}

    def update(self, part: slice, *, learning_rate: float, step: int, scale: float = 1.0) -> None:
        """Update ``theta[part]``; ``step`` counts from 1, ``scale`` multiplies the gradient."""
        scratch = np.empty(BLOCK, self.theta.dtype)  # its own: other workers may be threads
        for block in blocks(part):
            theta, grad = self.theta[block], self.grad[block]
            tmp = scratch[: theta.size]
            if scale != 1:
                np.multiply(grad, scale, out=grad)
            self._decay(theta, grad, tmp, learning_rate)
            state = [self.state[name][block] for name in self.slots]
            self._update(theta, grad, tmp, *state, learning_rate=learning_rate, step=step)

    def _decay(self, theta: Array, grad: Array, tmp: Array, learning_rate: float) -> None:
        if self.weight_decay:
            np.multiply(theta, self.weight_decay, out=tmp)
            np.add(grad, tmp, out=grad)

    @abstractmethod
    def _update(
        self, theta: Array, grad: Array, tmp: Array, *state: Array, learning_rate: float, step: int
    ) -> None:
        """Update one block in place; ``tmp`` is scratch, ``grad`` may be overwritten."""


class SGD(Optimizer):
    """Stochastic gradient descent: ``theta -= learning_rate * grad``."""

    default_learning_rate = 0.5

    def _update(
        self, theta: Array, grad: Array, tmp: Array, *state: Array, learning_rate: float, step: int
    ) -> None:
        np.multiply(grad, learning_rate, out=grad)
        np.subtract(theta, grad, out=theta)


class Momentum(Optimizer):
    """Momentum (Polyak 1964; PyTorch's form): ``v = 0.9 v + grad``, ``theta -= lr * v``."""

    slots = ("velocity",)
    default_learning_rate = 0.1
    nesterov = False

    def _update(
        self, theta: Array, grad: Array, tmp: Array, *state: Array, learning_rate: float, step: int
    ) -> None:
        (velocity,) = state
        np.multiply(velocity, 0.9, out=velocity)
        np.add(velocity, grad, out=velocity)
        if self.nesterov:
            np.multiply(velocity, 0.9, out=tmp)
            np.add(tmp, grad, out=tmp)
            np.multiply(tmp, learning_rate, out=tmp)
        else:
            np.multiply(velocity, learning_rate, out=tmp)
        np.subtract(theta, tmp, out=theta)


class Nesterov(Momentum):
    """Nesterov momentum (Sutskever et al. 2013; PyTorch's form): ``theta -= lr (grad + 0.9 v)``."""

    nesterov = True


class AdaGrad(Optimizer):
    """AdaGrad (Duchi et al. 2011): ``s += grad^2``, ``theta -= lr * grad / (sqrt(s) + eps)``."""

    slots = ("sum_of_squares",)
    default_learning_rate = 0.03
    epsilon = 1e-10

    def _update(
        self, theta: Array, grad: Array, tmp: Array, *state: Array, learning_rate: float, step: int
    ) -> None:
        (squares,) = state
        np.multiply(grad, grad, out=tmp)
        self._accumulate(squares, tmp)
        np.sqrt(squares, out=tmp)
        np.add(tmp, self.epsilon, out=tmp)
        np.divide(grad, tmp, out=tmp)
        np.multiply(tmp, learning_rate, out=tmp)
        np.subtract(theta, tmp, out=theta)

    def _accumulate(self, squares: Array, new: Array) -> None:
        np.add(squares, new, out=squares)


class RMSprop(AdaGrad):
    """RMSprop (Tieleman & Hinton 2012; PyTorch's form): ``s = 0.99 s + 0.01 grad^2``."""

    default_learning_rate = 0.002
    epsilon = 1e-8

    def _accumulate(self, squares: Array, new: Array) -> None:
        np.multiply(squares, 0.99, out=squares)
        np.multiply(new, 0.01, out=new)
        np.add(squares, new, out=squares)


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015) with beta1 0.9 and beta2 0.99.

    The moments are kept without their factors ``1 - beta``, which the step size takes up: two
    passes over memory less.
    """

    slots = ("m", "v")
    default_learning_rate = 0.004
    beta1, beta2, epsilon = 0.9, 0.99, 1e-8

    def _update(
        self, theta: Array, grad: Array, tmp: Array, *state: Array, learning_rate: float, step: int
    ) -> None:
        m, v = state
        beta1, beta2 = self.beta1, self.beta2
        np.multiply(m, beta1, out=m)
        np.add(m, grad, out=m)
        np.multiply(v, beta2, out=v)
        np.multiply(grad, grad, out=grad)
        np.add(v, grad, out=v)
        unbias1 = (1 - beta1) / (1 - beta1**step)
        unbias2 = ((1 - beta2) / (1 - beta2**step)) ** 0.5
        np.sqrt(v, out=tmp)
        np.add(tmp, self.epsilon / unbias2, out=tmp)
        np.divide(m, tmp, out=tmp)
        np.multiply(tmp, learning_rate * unbias1 / unbias2, out=tmp)
        np.subtract(theta, tmp, out=theta)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    default_weight_decay = 0.01

    def _decay(self, theta: Array, grad: Array, tmp: Array, learning_rate: float) -> None:
        if self.weight_decay:
            np.multiply(theta, 1 - learning_rate * self.weight_decay, out=theta)


OPTIMIZERS: dict[OptimizerName, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
}


def learning_rate_factor(schedule: ScheduleName, done: float, warmup: float) -> float:
    """Return by what the highest learning rate is multiplied when ``done`` (0 to 1) of a run is.

    After a linear warm-up: ``constant`` stays at 1, ``step`` divides by 10 at 1/2 and 3/4 of the
    run (He et al. 2016), ``cosine`` falls to 0 at its end (Loshchilov & Hutter 2017), and
    ``plateau`` stays at 1 for the run to halve when validation no longer improves.
    """
    if done < warmup:
        return done / warmup
    if schedule == "step":
        return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01
    if schedule == "cosine":
        return 0.5 * (1 + cos(pi * min(1.0, (done - warmup) / (1 - warmup))))
    return 1.0
