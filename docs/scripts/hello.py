"""The numbers of docs/rnn.md: two hidden units read 'hell' and predict 'ello'.

    python docs/scripts/hello.py          prints all of them
    python docs/scripts/hello.py forward  prints one part

The network is charrnn's, trained by charrnn's gradients. Its weights are rounded to one decimal,
so that each line can be checked with a calculator and is the same on every processor. What
follows is written for one stream, with the equations and nothing else, and is compared with
charrnn's own results.

Steps are numbered from 1: ``h[t]`` is the state after step t, and ``h[0]`` is zero.
"""

import sys
from functools import cache

import numpy as np

from charrnn.config import Architecture
from charrnn.nn.layers.encoders import OneHot
from charrnn.nn.model import CharModel

SYMBOLS = "helo"
READ, TARGETS = "hell", "ello"
T, V, H = len(READ), len(SYMBOLS), 2
SEED, STEPS, RATE = 4, 30, 0.2
EPSILON = 1e-5
ELEMENT = 1, 0
"""The row and column of the weight of Wh whose gradient is added up by hand."""

Steps = dict[int, np.ndarray]
"""An array for each step."""


def column(text):
    """The ids (T, 1) of one stream."""
    return np.array([[SYMBOLS.index(symbol)] for symbol in text])


def summed_loss(model):
    """The loss of all steps, in nats; the gradient goes to ``model.grads``."""
    start = model.zero_state(1)
    return model.loss_and_gradient(column(READ), column(TARGETS), start, predictions=1)[0]


@cache
def trained():
    """The network after a few steps of gradient descent, and its weights before rounding."""
    model = CharModel(Architecture(cell="rnn", hidden_size=H), V, dtype=np.float64)
    model.initialise(np.random.default_rng(SEED))
    for _ in range(STEPS):
        summed_loss(model)
        model.parameters.vector -= RATE * model.grads.vector
    exact = model.parameters.vector.copy()
    model.parameters.vector[...] = exact.round(1)
    summed_loss(model)
    return model, exact


@cache
def weights():
    """Wx, b, Wh, Wy and by."""
    model, _ = trained()
    (layer,) = model.layers
    head = model.members[""].head
    return layer.Wx, layer.b, layer.Wh, head.W[:, 1:], head.b


@cache
def read():
    """What each step computes: x, h, p and the loss."""
    Wx, b, Wh, Wy, by = weights()
    x: Steps = {}
    h: Steps = {0: np.zeros(H)}
    p: Steps = {}
    loss = {}
    for t in range(1, T + 1):
        x[t] = np.eye(V)[SYMBOLS.index(READ[t - 1])]
        h[t] = np.tanh(Wx @ x[t] + b + Wh @ h[t - 1])
        logits = Wy @ h[t] + by
        p[t] = np.exp(logits) / np.exp(logits).sum()
        loss[t] = -np.log(p[t][SYMBOLS.index(TARGETS[t - 1])])
    (layer,) = trained()[0].layers
    assert np.allclose(layer.h[1 : T + 1, :, 0], [h[t] for t in range(1, T + 1)])
    assert np.isclose(summed_loss(trained()[0]), sum(loss.values()))
    return x, h, p, loss


@cache
def backward(losses=(1, 2, 3, 4), borders=()):
    """The gradients of the sum of some losses, from the last step to the first.

    ``borders`` are steps after which a window ends: no gradient comes back over them. Returned are
    what each step's own loss sends to h, what comes from the step after, and dz.
    """
    *_, Wh, Wy, _ = weights()
    _, h, p, _ = read()
    own: Steps = {}
    later: Steps = {}
    dz: Steps = {T + 1: np.zeros(H)}
    for t in range(T, 0, -1):
        dlogits = p[t] - np.eye(V)[SYMBOLS.index(TARGETS[t - 1])]
        own[t] = Wy.T @ dlogits if t in losses else np.zeros(H)
        later[t] = np.zeros(H) if t in borders else Wh.T @ dz[t + 1]
        dz[t] = (own[t] + later[t]) * (1 - h[t] ** 2)
    return own, later, dz


def row(name, values, digits=3):
    """A line: a name and numbers."""
    cells = "".join(f"{value:9.{digits}f}" for value in np.ravel(values) + 0.0)
    print(f"  {name:<19}{cells}")


def show_onehot():
    """Symbols and their columns."""
    for t, symbol in enumerate(READ, 1):
        features = OneHot(V).forward(column(symbol)).features(np.dtype(np.int64))
        print(f"  t={t}  {symbol!r}  id {SYMBOLS.index(symbol)}  x = {features[0, :, 0].tolist()}")


def show_weights():
    """All of them."""
    for name, values in zip(("Wx", "b", "Wh", "Wy", "by"), weights(), strict=True):
        for index, numbers in enumerate(values if values.ndim == 2 else [values]):
            row("" if index else f"{name} {values.shape}", numbers, 1)


def show_forward():
    """Each step from x to the loss."""
    Wx, b, Wh, Wy, by = weights()
    x, h, p, loss = read()
    for t in range(1, T + 1):
        print(f"t={t}  x = {READ[t - 1]!r}  target = {TARGETS[t - 1]!r}")
        row("Wx x", Wx @ x[t])
        row("b", b)
        row("Wh h[t-1]", Wh @ h[t - 1])
        row("z", Wx @ x[t] + b + Wh @ h[t - 1])
        row("h[t] = tanh(z)", h[t])
        print(f"  {'':<19}" + "".join(f"{symbol!r:>9}" for symbol in SYMBOLS))
        row("logits = Wy h + by", Wy @ h[t] + by)
        row("p = softmax", p[t])
        row(f"loss = -log p({TARGETS[t - 1]})", loss[t])


def show_loss():
    """What the four steps cost together."""
    total = sum(read()[3].values())
    row("sum", total)
    row("mean (nats)", total / T)
    row("mean (bits)", total / T / np.log(2))
    row("perplexity", np.exp(total / T))
    row("-log(1/2)", np.log(2))


def show_backward():
    """The gradients of each step, the last first."""
    _, h, p, _ = read()
    own, later, dz = backward()
    for t in range(T, 0, -1):
        print(f"t={t}")
        row("p - onehot", p[t] - np.eye(V)[SYMBOLS.index(TARGETS[t - 1])])
        row("Wy^T dlogits", own[t])
        row("Wh^T dz[t+1]", later[t])
        row("dh = sum", own[t] + later[t])
        row("1 - h^2", 1 - h[t] ** 2)
        row("dz = dh (1 - h^2)", dz[t])


def terms(dz):
    """What each step adds to the gradient of one weight of Wh: dz[t] times h[t-1]."""
    i, j = ELEMENT
    _, h, _, _ = read()
    return {t: dz[t][i] * h[t - 1][j] for t in range(1, T + 1)}


def show_sum():
    """The gradient of one weight, added over time, beside a finite difference."""
    (i, j), (_, h, _, _), (_, _, dz) = ELEMENT, read(), backward()
    for t, term in terms(dz).items():
        product = f"dz[{t}][{i}] * h[{t - 1}][{j}]"
        print(f"  {product} = {dz[t][i]:7.4f} * {h[t - 1][j]:7.4f} = {term:7.4f}")
    model, _ = trained()
    Wh = model.layers[0].Wh
    losses = []
    for step in (EPSILON, -2 * EPSILON, EPSILON):
        Wh[i, j] += step
        losses.append(summed_loss(model))
    Wh[i, j] = round(Wh[i, j], 1)
    summed_loss(model)
    row("sum", sum(terms(dz).values()), 6)
    row("finite difference", (losses[0] - losses[1]) / (2 * EPSILON), 6)
    row("charrnn", model.grads["layers.0.W"][i, V + 1 + j], 6)


def show_truncated():
    """The same sum where a window ends after step 2."""
    whole, cut = terms(backward()[2]), terms(backward(borders=(2,))[2])
    print("         T = 4    T = 2")
    for t in range(1, T + 1):
        print(f"  t={t}  {whole[t]:7.4f}  {cut[t]:7.4f}")
    print(f"  sum  {sum(whole.values()):7.4f}  {sum(cut.values()):7.4f}")


def show_vanishing():
    """How the gradient of the last loss alone goes back."""
    own, later, _ = backward(losses=(T,))
    for t in range(T, 0, -1):
        dh = own[t] + later[t]
        length = np.sqrt((dh**2).sum())
        print(f"  dh[{t}] = {dh[0]:7.3f} {dh[1]:7.3f}   norm {length:.3f}")


def show_slopes():
    """The derivatives of tanh and of the logistic function."""
    z = np.array([0, 0.5, 1, 2])
    sigmoid = 1 / (1 + np.exp(-z))
    row("z", z, 1)
    row("tanh'(z)", 1 - np.tanh(z) ** 2)
    row("sigmoid'(z)", sigmoid * (1 - sigmoid))


def show_uniform():
    """What a product with uniform weights within 1 / sqrt(H) leaves after k steps."""
    k = np.array([1, 2, 4, 8])
    row("k", k, 0)
    row("(1 / sqrt(3))^k", 3.0 ** (-k / 2))


PARTS = {
    name.removeprefix("show_"): part
    for name, part in list(globals().items())
    if name.startswith("show_")
}

if __name__ == "__main__":
    names = sys.argv[1:] or list(PARTS)
    if not PARTS.keys() >= set(names):
        sys.exit(f"hello.py: the parts are {', '.join(PARTS)}")
    for name in names:
        if len(names) > 1:
            print(f"\n{name}")
        PARTS[name]()
