"""Layers, directions and members side by side: the order that lanes keep is enough."""

from itertools import count

import pytest
from emulator.backend import EmulatedBackend
from emulator.lanes import RecordingError
from models import OnGpu, architecture, error, expected, random_model, random_window

SETTINGS = {
    "layers": ({"cell": "lstm", "num_layers": 3}, {"parts": 3}),
    "more layers than lanes": ({"num_layers": 6}, {"parts": 2}),
    "members": ({"members": 3}, {}),
    "directions": ({"directions": 2, "num_layers": 2}, {}),
    "members of two directions": ({"head": "item", "directions": 2, "members": 2}, {}),
}


def worst_error(settings, options, backend):
    """The relative error of the gradient that recorded work computes."""
    config = architecture(**settings)
    model, window = random_model(config), random_window(config)
    gpu = OnGpu(model, backend=backend, **options)
    # Recorded with another window, so that what was computed before is wrong later.
    gpu.put(*random_window(config, seed=7))

    def work():
        gpu.state.begin(gpu.gradient.layers, gpu.read)
        gpu.networks.copy_weights()
        gpu.gradient.compute()

    again = backend.record(work)
    gpu.put(*window)
    again()
    backend.check()
    grad = gpu.networks.layout.from_gpu(backend.download(gpu.networks.grad.array))
    return error(grad, expected(model, window)[1])


@pytest.mark.parametrize(("settings", "options"), list(SETTINGS.values()), ids=SETTINGS)
@pytest.mark.parametrize("descending", [False, True])
def test_lanes_wait_for_what_they_read(settings, options, descending):
    assert worst_error(settings, options, EmulatedBackend(descending=descending)) < 5e-7


def forget(backend, index):
    """Leave out one wait of recorded work, by its place in the program."""
    wait, record = backend.wait, backend.record
    places = None

    def wait_or_not(lane, for_lane):
        if next(places) != index:
            wait(lane, for_lane)

    def start_over(work):
        def run():
            nonlocal places
            places = count()
            work()

        return record(run)

    backend.wait, backend.record = wait_or_not, start_over


FORGOTTEN = [("layers", 4), ("layers", 9), ("layers", 14), ("directions", 3), ("directions", 5)]


@pytest.mark.parametrize(("name", "index"), FORGOTTEN)
def test_forgotten_wait_is_found(name, index):
    errors = []
    for descending in (False, True):
        backend = EmulatedBackend(descending=descending)
        forget(backend, index)
        errors.append(worst_error(*SETTINGS[name], backend))
    assert max(errors) > 1e-2


def test_members_must_be_waited_for():
    backend = EmulatedBackend()
    forget(backend, 6)
    with pytest.raises(RecordingError, match="does not wait for lane 1"):
        worst_error(*SETTINGS["members"], backend)


@pytest.mark.parametrize("directions", [1, 2])
def test_members_do_not_wait_for_each_other(directions):
    """What a lane waits for at its beginning are the same kernels for all members."""
    config = architecture(members=2, directions=directions)
    backend, launched, forks = EmulatedBackend(), [], {}
    gpu = OnGpu(random_model(config), backend=backend)
    gpu.put(*random_window(config))
    launch, wait = backend.launch, backend.wait

    def count_launch(name, *args, **options):
        launched.append(name)
        launch(name, *args, **options)

    def note_wait(lane, for_lane):
        forks.setdefault(lane, (for_lane, len(launched)))
        wait(lane, for_lane)

    backend.launch, backend.wait = count_launch, note_wait
    gpu.gradient.compute()
    assert forks[0] == forks[directions]
