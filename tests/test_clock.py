"""Training time: every lap counts, but for what passes while the process cannot work."""

import pytest

from charrnn.training import clock as clocks
from charrnn.training.clock import Clock
from charrnn.training.meter import Meter


class Hands:
    """A clock on the wall that the test moves."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(clocks.time, "perf_counter", lambda: self.now)


@pytest.fixture
def hands(monkeypatch):
    return Hands(monkeypatch)


def test_laps_add_up(hands):
    clock = Clock(5.0)
    for _ in range(10):
        hands.now += 0.25
        assert clock.lap("step") == pytest.approx(0.25)
    assert clock.seconds == pytest.approx(7.5)
    assert clock.stopped == 0


def test_a_stop_counts_as_a_lap_of_the_usual_length(hands):
    clock = Clock()
    for length in (0.3, 0.1, 0.1, 300.0, 0.1):
        hands.now += length
        clock.lap("step")
    assert clock.seconds == pytest.approx(0.7)
    assert clock.stopped == pytest.approx(299.9)


def test_a_long_lap_in_which_the_process_computed_is_no_stop(hands, monkeypatch):
    computed = 50.0
    monkeypatch.setattr(clocks.time, "process_time", lambda: computed)
    clock = Clock()
    for length, busy in ((0.1, 0.1), (0.1, 0.1), (12.0, 11.0), (12.0, 0.2)):
        hands.now += length
        computed += busy
        clock.lap("step")
    assert clock.seconds == pytest.approx(0.2 + 12.0 + 0.1)
    assert clock.stopped == pytest.approx(11.9)


def test_kinds_of_laps_have_their_own_usual_length(hands):
    clock = Clock()
    for _ in range(3):
        hands.now += 0.01
        clock.lap("step")
    hands.now += 8.0  # the first validation: nothing says that it is too long
    assert clock.lap("validation") == 8.0
    hands.now += 9.0
    assert clock.lap("validation") == 9.0
    assert clock.stopped == 0


def test_a_lap_may_be_long_for_its_work(hands):
    clock = Clock()
    for length, work in ((0.01, 4), (0.01, 4), (20.0, 8000), (0.01, 4)):
        hands.now += length
        clock.lap("step", work)
    assert clock.stopped == 0
    hands.now += 20.0
    clock.lap("step", 4)
    assert clock.stopped == pytest.approx(20, abs=0.1)


def test_short_hiccups_and_slow_steps_count(hands):
    clock = Clock()
    for length in (0.001, 0.001, 0.9):  # 900 times the usual, but below LEAST
        hands.now += length
        clock.lap("step")
    assert clock.seconds == pytest.approx(0.902)
    slow = Clock()
    for length in (0.5, 3.0, 3.0, 3.0):
        hands.now += length
        slow.lap("step")
    assert slow.seconds == pytest.approx(9.5)


def test_a_meter_means_the_steps_that_were_applied():
    meter = Meter(since=3.0)
    assert meter.mean_nats(7.0) == 7.0
    meter.add(2.0, 0.5, applied=True)
    meter.add(float("nan"), 0.5, applied=False)
    meter.add(1.0, 1.0, applied=True)
    assert meter.mean_nats(7.0) == 1.5
    assert meter.per_second(100) == 150.0
