"""Finite differences against which hand-written gradients are checked."""

import numpy as np

from charrnn.nn.parameters import Parameters

EPSILON = 1e-5
RELATIVE = 1e-6
ABSOLUTE = 1e-9


def numerical_gradient(loss, array):
    """The gradient of ``loss()`` with respect to every element of ``array``, changed in place."""
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + EPSILON
        above = loss()
        array[index] = value - EPSILON
        below = loss()
        array[index] = value
        gradient[index] = (above - below) / (2 * EPSILON)
    return gradient


def check_gradients(loss, gradients, arrays):
    """Raise AssertionError unless ``gradients`` are those of ``loss()``, element by element.

    ``arrays`` holds, by name, what ``loss`` reads; each must matter to it.
    """
    assert set(gradients) == set(arrays)
    for name, array in arrays.items():
        assert array.dtype == np.float64, name
        wanted, given = numerical_gradient(loss, array), gradients[name]
        assert given.shape == array.shape, name
        assert np.abs(wanted).max() > 1e-3, f"the loss hardly depends on {name}"
        error = np.abs(given - wanted) - RELATIVE * np.abs(wanted)
        error[~np.isfinite(error)] = np.inf
        if error.max() > ABSOLUTE:
            worst = np.unravel_index(error.argmax(), error.shape)
            raise AssertionError(
                f"the gradient of {name}{list(map(int, worst))} is {given[worst]:.9g}, "
                f"and by finite differences {wanted[worst]:.9g}"
            )


def random_weights(layer, rng, dtype=np.float64):
    """Bind a layer to random weights; return its values and its gradients, by name."""
    values, grads = Parameters(layer.shapes(), dtype), Parameters(layer.shapes(), dtype)
    values.vector[...] = rng.uniform(-1, 1, values.vector.shape)
    grads.vector[...] = np.nan  # whatever backward leaves out is found
    layer.bind(values, grads)
    return values, grads


def check_recurrent(layer, *, steps, streams, rng, masks=None):
    """Check all gradients of a recurrent layer: weights, input and incoming state.

    Weights, input and state are random, and so are the gradients that come from above, on every
    output and on the state after the window. ``masks`` seeds the draw of dropped weights.
    """
    T, N, D, H = steps, streams, layer.input_size, layer.hidden_size
    values, grads = random_weights(layer, rng)
    x = rng.uniform(-1, 1, (T, D, N))
    state = rng.uniform(-1, 1, (*layer.state_shape, N))
    dy = rng.uniform(-1, 1, (T, H, N))
    dstate_after = rng.uniform(-1, 1, (*layer.state_shape, N))
    before = dy.copy(), dstate_after.copy()

    def loss():
        mask_rng = None if masks is None else np.random.default_rng(masks)
        y, after = layer.forward(x, state, mask_rng)
        return (y * dy).sum() + (after * dstate_after).sum()

    loss()
    dx, dstate = layer.backward(dy, dstate_after)
    assert (dy == before[0]).all(), "backward overwrote what came from above"
    assert (dstate_after == before[1]).all(), "backward overwrote what came from above"
    gradients = {name: grad.copy() for name, grad in grads.items()}
    check_gradients(
        loss, {**gradients, "x": dx, "state": dstate}, {**values, "x": x, "state": state}
    )
