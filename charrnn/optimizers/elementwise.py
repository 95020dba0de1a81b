"""SGD to AdamW: optimizers that update each weight independently."""

import numpy as np

from charrnn.backend.arrays import Array
from charrnn.optimizers.base import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent: ``theta -= learning_rate * grad``."""

    default_learning_rate = 4.0

    def _update(
        self, theta: Array, grad: Array, tmp: Array, *state: Array, learning_rate: float, step: int
    ) -> None:
        np.multiply(grad, learning_rate, out=grad)
        np.subtract(theta, grad, out=theta)


class Momentum(Optimizer):
    """Momentum (Polyak 1964; PyTorch's form): ``v = 0.9 v + grad``, ``theta -= lr * v``."""

    slots = ("velocity",)
    default_learning_rate = 1.0
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
    default_learning_rate = 0.06
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

    default_learning_rate = 0.005
    epsilon = 1e-8

    def _accumulate(self, squares: Array, new: Array) -> None:
        np.multiply(squares, 0.99, out=squares)
        np.multiply(new, 0.01, out=new)
        np.add(squares, new, out=squares)


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015) with beta1 0.9 and beta2 0.99.

    The moments are stored without their factors ``1 - beta``, which are included in the step size:
    this saves two passes over memory.
    """

    slots = ("m", "v")
    default_learning_rate = 0.008
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
