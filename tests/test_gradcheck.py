"""The gradient check itself: what is wrong is caught, whatever it is."""

import numpy as np
import pytest
from cells import KINDS, make
from gradcheck import check_gradients, check_recurrent

from charrnn.config import Architecture
from charrnn.nn.cells import recurrent
from charrnn.nn.cells.gru import TimeGRU
from charrnn.nn.cells.lstm import TimeLSTM
from charrnn.nn.cells.rnn import TimeRNN

SIZES = Architecture(cell="rnn", hidden_size=4)


def square(array):
    return lambda: float((array**2).sum())


def test_a_right_gradient_passes():
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    check_gradients(square(x), {"x": 2 * x}, {"x": x})


@pytest.mark.parametrize("wrong", [1e-4, -1e-4, 1.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (1, 1)])
def test_one_wrong_element_is_caught_and_named(wrong, place):
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    gradient = 2 * x
    gradient[place] += wrong
    with pytest.raises(AssertionError, match=rf"x\[{place[0]}, {place[1]}\]"):
        check_gradients(square(x), {"x": gradient}, {"x": x})


def test_a_wrong_shape_is_caught():
    x = np.array([1.0, 2.0])
    with pytest.raises(AssertionError):
        check_gradients(square(x), {"x": 2 * x[:1]}, {"x": x})


def test_a_missing_gradient_is_caught():
    x = np.array([1.0, 2.0])
    with pytest.raises(AssertionError):
        check_gradients(square(x), {}, {"x": x})


def test_an_array_that_does_not_matter_is_caught():
    # Zero equals zero: a check that never sees a gradient proves nothing.
    x, unused = np.array([1.0, 2.0]), np.array([1.0])
    with pytest.raises(AssertionError, match="hardly depends on unused"):
        check_gradients(square(x), {"x": 2 * x, "unused": 0 * unused}, {"x": x, "unused": unused})


def test_what_backward_leaves_unfilled_is_caught():
    class Forgetful(TimeGRU):
        def _weight_gradients(self, carried):
            kept = self.db_n.copy()
            dz = super()._weight_gradients(carried)
            self.db_n[...] = kept
            return dz

    with pytest.raises(AssertionError, match="b_n"):
        check_recurrent(Forgetful(3, SIZES), steps=2, streams=2, rng=np.random.default_rng(0))


class ForgetsItsMemory(TimeLSTM):
    """Does not carry dc into the state before the window: the slip of a famous library."""

    def _backward(self, dy, dstate, Wh_T):
        super()._backward(dy, dstate, Wh_T)
        dstate[1] = 0


class IgnoresTheStateAfter(TimeRNN):
    def _backward(self, dy, dstate, Wh_T):
        dstate[...] = 0
        super()._backward(dy, dstate, Wh_T)


class SwapsHAndC(TimeLSTM):
    def _backward(self, dy, dstate, Wh_T):
        super()._backward(dy, dstate[::-1], Wh_T)


class TruncatesTooEarly(TimeGRU):
    def _backward(self, dy, dstate, Wh_T):
        super()._backward(dy, dstate, Wh_T)
        assert self.dz.shape == (4 * self.hidden_size, len(dy), dy.shape[2])
        self.dz[:, 0] = 0


@pytest.mark.parametrize(
    "wrong", [ForgetsItsMemory, IgnoresTheStateAfter, SwapsHAndC, TruncatesTooEarly]
)
def test_a_cell_with_a_wrong_gradient_is_caught(wrong):
    with pytest.raises(AssertionError, match="by finite differences"):
        check_recurrent(wrong(3, SIZES), steps=2, streams=2, rng=np.random.default_rng(0))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bag"])  # has no Wh
def test_backward_with_other_weights_than_forward_is_caught(kind, monkeypatch):
    monkeypatch.setattr(recurrent, "transpose", lambda matrix, out: matrix.T + 1e-3)
    with pytest.raises(AssertionError, match="by finite differences"):
        check_recurrent(make(kind, 3, 4), steps=2, streams=2, rng=np.random.default_rng(0))
