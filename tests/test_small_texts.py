"""Short texts: a model is never worse for more time, nor worse than counting letters."""

import pytest

from charrnn.config import TrainConfig
from charrnn.storage.checkpoint import load
from charrnn.training.new import prepare
from tests.soak.small import OURS, WORSE_ALLOWED, best_of, counting, cut

BUDGETS = (0.2, 3, 30, 100, 100_000)
"""Passes over the training part, from far too few to a thousand times too many."""


@pytest.fixture
def piece(tmp_path):
    def write(text, length, lines=False):
        path = tmp_path / "text.txt"
        path.write_text(cut(text.read_text("utf-8"), length, lines=lines), "utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("text", "length"), [*zip(OURS, [1_000, 2_500], strict=True)], ids=["garden", "madang"]
)
def test_more_time_never_gives_a_worse_model(tmp_path, piece, text, length):
    path, folder = piece(text, length), tmp_path / "runs"
    folder.mkdir()
    found = []
    for epochs in BUDGETS:
        best, run = best_of(path, folder, lines=False, threads=1, epochs=epochs)
        found.append(best)
        assert best <= WORSE_ALLOWED * min(found), dict(zip(BUDGETS, found, strict=False))
    _, by_frequency = counting(path, folder, lines=False)
    assert found[-1] < 0.95 * by_frequency
    history = load(run.directory / "last.npz").history
    assert history.finished in ("done", "no longer improving")
    assert len(history.rows) > 10  # early ones among them


def test_a_run_of_minutes_ends_when_the_text_was_read_often_enough(tmp_path, piece, monkeypatch):
    monkeypatch.setattr("charrnn.training.advice.MIN_ROWS", 1)  # a fast machine logs no more
    path = piece(OURS[0], 1_500)
    run = prepare([path], train=TrainConfig(minutes=600.0), out=tmp_path / "run", threads=1)
    assert run.plan.model.members == 3
    *_, last = run.train()
    assert last.reason in ("done", "no longer improving")
    assert last.seconds < 3600  # a tenth of its time
    log = (tmp_path / "run" / "log.jsonl").read_text()
    assert "more training would not lower the best validation loss" in log


def test_a_run_that_was_to_end_early_is_not_said_to_be_as_good_as_can_be(tmp_path, piece):
    path = piece(OURS[0], 2_500)
    train = TrainConfig(epochs=100.0, max_epochs=20.0)
    list(prepare([path], train=train, out=tmp_path / "run").train())
    assert "as good as this text allows" not in (tmp_path / "run" / "log.jsonl").read_text()


def test_a_run_that_asks_for_too_much_is_told_so(piece):
    path = piece(OURS[0], 1_500)
    run = prepare([path], train=TrainConfig(steps=10**6))
    assert any("--max-epochs 0 removes this limit" in notice for notice in run.notices)
    run.close()
    run = prepare([path], train=TrainConfig(steps=10**6, max_epochs=0.0))
    assert not any("--max-epochs" in notice for notice in run.notices)
    run.close()
