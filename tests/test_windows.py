"""Windows: what of them is computed."""

import numpy as np
import pytest

from charrnn.data.windows import Window

IDS = np.arange(15).reshape(5, 3)


def test_a_window_that_carries_its_state_is_kept_whole():
    window = Window(IDS, IDS, np.zeros((5, 3), np.bool_))
    assert window.trimmed() is window
    whole = Window(IDS, IDS, carried=False)
    assert whole.trimmed() is whole


def test_steps_behind_all_ends_are_left_out():
    window = Window(IDS, IDS, IDS < 15, carried=False, lengths=np.array([2, 4, 3])).trimmed()
    assert window.ids.tolist() == IDS[:4].tolist()
    assert window.targets.tolist() == IDS[:4].tolist()
    assert window.scored.shape == (4, 3)


def test_the_one_target_of_each_stream_is_kept():
    one = np.array([[1, 0, 1]])
    window = Window(IDS, one, one == 1, carried=False, lengths=np.array([1, 1, 2])).trimmed()
    assert window.ids.tolist() == IDS[:2].tolist()
    assert window.targets is one


@pytest.mark.parametrize(("last", "T"), [(0, 1), (3, 4)])
def test_without_lengths_what_is_scored_counts(last, T):
    scored = np.zeros((5, 3), np.bool_)
    scored[last, 1] = True
    assert Window(IDS, IDS, scored, carried=False).trimmed().ids.tolist() == IDS[:T].tolist()


def test_whole_items_without_lengths_fill_their_window():
    one = np.array([[1, 0, 1]])
    window = Window(IDS, one, one == 1, carried=False)
    assert window.trimmed() is window


def test_no_length_leaves_no_window_without_steps():
    window = Window(IDS, IDS, IDS < 0, carried=False, lengths=np.zeros(3, np.int64))
    assert len(window.trimmed().ids) == len(window.trimmed().targets) == 1
