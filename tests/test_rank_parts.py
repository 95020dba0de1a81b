"""What ranks are made of, without any: who has what, in which order sums run, what is sent."""

import errno
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from charrnn.backend import memory
from charrnn.backend.arrays import shared_zeros
from charrnn.cli import alike, app
from charrnn.cli.signals import stop_signals
from charrnn.parallel import ranks
from charrnn.parallel.crew import Crew
from charrnn.parallel.exchange import MachineSums
from charrnn.parallel.launcher import Announced, announced
from charrnn.parallel.layout import Layout
from charrnn.parallel.packing import Packer, unpack
from charrnn.parallel.sharding import in_order
from charrnn.parallel.summing import GROUP, Sums, Term, terms_of
from charrnn.training import launched
from tests.launching import PLACE
from tests.tracing import untraced


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, None),
        ({"PMI_SIZE": "4", "PMI_RANK": "2"}, Announced(4, 2)),
        ({"PMI_SIZE": "1", "PMI_RANK": "0"}, None),
        (
            {"OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "7"},
            Announced(8, 7, by_open_mpi=True),
        ),
        ({"SLURM_STEP_NUM_TASKS": "3", "SLURM_PROCID": "1"}, Announced(3, 1, by_slurm=True)),
        ({"FLUX_JOB_SIZE": "3", "FLUX_TASK_RANK": "1"}, Announced(3, 1)),
        # A command in a batch script or a shell of an allocation.
        ({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "64", "SLURM_PROCID": "0"}, None),
        ({"SLURM_NTASKS": "64", "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, None),
        # Open MPI's launcher starts a process of its own on each machine by srun.
        (
            {
                "SLURM_STEP_NUM_TASKS": "2",
                "SLURM_PROCID": "1",
                "OMPI_COMM_WORLD_SIZE": "32",
                "OMPI_COMM_WORLD_RANK": "5",
            },
            Announced(32, 5, by_open_mpi=True),
        ),
        ({"PMI_SIZE": "many", "PMI_RANK": "2"}, None),
        # Started by a program that a launcher started: the line to it is closed.
        ({"PMI_SIZE": "4", "PMI_RANK": "2", "PMI_FD": "987654"}, None),
        ({"PMI_SIZE": "4", "PMI_RANK": "2", "PMI_FD": "0"}, Announced(4, 2)),
    ],
)
def test_what_a_launcher_announces(variables, found):
    assert announced(variables) == found


def test_a_launched_run_also_stops_at_sigusr1(monkeypatch):
    plain = {number.name for number in stop_signals()}
    monkeypatch.setattr("charrnn.cli.signals.announced", lambda: Announced(2, 0))
    assert {number.name for number in stop_signals()} == plain | {"SIGUSR1"}


@pytest.mark.parametrize(
    "words", [[], ["--version"], ["info", "run"], ["runs"], ["train", "a.txt", "--help"]]
)
def test_what_only_shows_something_needs_no_ranks(words, monkeypatch):
    begun = []
    monkeypatch.setattr(app, "app", lambda **_: begun.append(1))
    monkeypatch.setattr("charrnn.cli.leading.join_and_run", lambda *_: pytest.fail("tries MPI"))
    monkeypatch.setattr(sys, "argv", ["charrnn", *words])
    for number, times in ((0, 1), (1, 1)):  # rank 0 alone shows it
        monkeypatch.setattr(app, "announced", lambda number=number: Announced(4, number))
        app.main()
        assert len(begun) == times
    assert not app.needs_no_ranks(["train", "info"])


def test_shards_of_a_machine_lie_in_a_row():
    layout = Layout.of([0, 1, 0, 1])
    assert layout.machines == ((0, 2), (1, 3))
    assert layout.seat(2) == (0, 1)
    dealt = layout.shards(8)
    assert dealt == [range(2), range(4, 6), range(2, 4), range(6, 8)]
    assert layout.machines_of(dealt) == [0] * 4 + [1] * 4
    assert layout.first(3).machines == ((0, 2), (1,))
    assert layout.first(1).size == 1
    assert sum(map(len, layout.shards(3))) == 3
    with pytest.raises(ValueError, match="rank 4"):
        layout.seat(4)


def test_losses_are_taken_in_the_order_of_the_shards():
    dealt = [range(2), range(4, 6), range(2, 4)]
    assert in_order(dealt, [["a", "b"], ["e", "f"], ["c", "d"]]) == list("abcdef")


def test_a_machine_adds_up_the_begin_of_a_group_alone():
    machines = [0] * 20 + [1] * 13
    first, second, third = terms_of(machines)
    assert first == [Term(0, range(16))]
    assert second == [Term(0, range(16, 20)), *(Term(1, range(n, n + 1)) for n in range(20, 32))]
    assert third == [Term(1, range(32, 33))]


@pytest.mark.parametrize("shards", [1, 2, GROUP, GROUP + 1, 2 * GROUP + 5])
def test_a_sum_is_that_of_its_groups(shards):
    rng = np.random.default_rng(0)
    grads = [rng.normal(size=50).astype(np.float32) for _ in range(shards)]
    wanted = None
    for start in range(0, shards, GROUP):
        group = grads[start].copy()
        for grad in grads[start + 1 : start + GROUP]:
            group = group + grad
        wanted = group if wanted is None else wanted + group
    part = slice(10, 40)
    before = [grad.copy() for grad in grads]
    total = Sums(grads).total(part)
    assert total.tobytes() == wanted[part].tobytes()
    assert total.base is grads[0] or np.shares_memory(total, grads[0])
    for grad, old in zip(grads[1:], before[1:], strict=True):
        assert (grad == old).all()
    assert (grads[0][:10] == before[0][:10]).all()


def test_a_machine_sends_its_sums_and_its_weights():
    layout = Layout.of([0, 0, 2, 2])
    grads = [np.zeros(80, np.float32) for _ in range(4)]
    parts = [[slice(20 * rank, 20 * rank + 20)] for rank in range(4)]
    # A machine of whole groups sends half of P each way; one without, its shards of the group.
    whole = MachineSums(grads * 8, layout, [0] * 16 + [1] * 16, parts)
    assert whole.bytes_sent == 4 * (40 + 40)
    cut = MachineSums(grads, layout, [0, 0, 1, 1], parts)
    assert cut.bytes_sent == 4 * (40 + 80 + 2 * 40) // 2
    assert Sums(grads).bytes_sent == 0


@pytest.fixture
def opened(monkeypatch):
    """Memory as ranks have it."""
    if not hasattr(os, "memfd_create"):
        pytest.skip("only Linux has such memory")
    monkeypatch.setattr(memory._kind, "opened", True)


def regions_of(packer):
    return [
        np.memmap(region.path, np.uint8, "r", region.offset, (region.size,))
        if region.path
        else memory.open_memory(os.getpid(), region.file, region.size, private=region.private)
        for region in packer.regions
    ]


def test_shared_memory_stays_shared_when_it_is_sent(opened):
    vector = shared_zeros(100, np.dtype(np.float32))
    packer = Packer()
    packed = packer.pack([vector[10:20], vector.reshape(10, 10)[:, 3]])
    assert [region.written for region in packer.regions] == [False]
    row, column = unpack(packed, regions_of(packer))
    row[0] = 5
    vector[33] = 7
    assert vector[10] == 5
    assert column[3] == 7
    again = Packer()
    again.pack(vector)
    assert again.regions[0].written


def test_a_large_array_is_sent_once_and_changed_by_each_for_itself(opened):
    text = np.arange(100_000, dtype=np.uint16)
    packer = Packer()
    packed = packer.pack([text[5:], text[5:], {"small": text[:10]}])
    assert len(packer.regions) == 1
    assert len(packed) < 2000
    one, other, small = unpack(packed, regions_of(packer))
    assert (one == text[5:]).all()
    assert np.shares_memory(one, other)
    assert (small["small"] == text[:10]).all()
    one[0] = 1
    assert other[0] == 1
    assert unpack(packed, regions_of(packer))[0][0] == 5
    text.flags.writeable = False
    packer = Packer()
    (locked,) = unpack(packer.pack([text]), regions_of(packer))
    with pytest.raises(ValueError, match="read-only"):
        locked[0] = 1


def test_what_was_written_to_a_private_map_is_sent(opened, tmp_path):
    path = tmp_path / "codes"
    np.arange(100_000, dtype=np.uint32).tofile(path)
    text = np.memmap(path, np.uint32, "c")
    text[7] = 0
    packer = Packer()
    assert unpack(packer.pack(text), regions_of(packer))[7] == 0


def test_a_mapped_text_is_mapped_there_too(opened, tmp_path):
    path = tmp_path / "codes"
    np.arange(100_000, dtype=np.uint32).tofile(path)
    text = np.memmap(path, np.uint32, "r", offset=400)
    packer = Packer()
    packed = packer.pack(text[1000:])
    (region,) = packer.regions
    assert (region.path, region.offset) == (str(path), 4400)
    assert (unpack(packed, regions_of(packer)) == np.arange(1100, 100_000)).all()
    path.unlink()
    packer = Packer()
    packed = packer.pack(text[1000:])
    assert packer.regions[0].path == ""
    assert (unpack(packed, regions_of(packer)) == np.arange(1100, 100_000)).all()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
def test_a_system_may_refuse_memory_that_others_open(number, opened, monkeypatch):
    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "memfd_create", refuse)
    region = memory.new_memory(10)
    assert (len(region), region.file) == (10, -1)


def test_memory_of_no_process_is_refused(opened):
    with pytest.raises(OSError, match="No such file"):
        memory.open_memory(os.getpid(), 10**6, 10)


class Interrupted:
    """A worker that is interrupted before it gets to an exchange."""

    def work(self):
        raise KeyboardInterrupt


@pytest.mark.parametrize(("machines", "ending"), [(1, KeyboardInterrupt), (2, SystemExit)])
def test_an_interrupted_rank_0_does_not_wait_for_those_that_wait_for_it(machines, ending):
    ranks = SimpleNamespace(
        size=1,
        number=0,
        is_head=False,
        local_ranks=(0,),
        layout=Layout(((0,),) * machines),
        broadcast=lambda _: None,
        gather=lambda _: [b""],
        abort=lambda _, code: sys.exit(code),
    )
    crew = Crew(ranks, [Interrupted()])
    with pytest.raises(ending):
        crew.call("work", ())


FACTS = alike.Facts("one", {"charrnn": "1", "NumPy": "2.4.6"}, ("train", "a.txt"), "Xeon (Zen)")


@pytest.mark.skipif(sys.platform != "linux", reason="cannot count what is in a pipe")
@pytest.mark.parametrize("is_read", [True, False])
def test_an_error_is_left_to_the_launcher_to_read(is_read, monkeypatch):
    """What a launcher has not read when a rank aborts, it discards."""
    monkeypatch.setattr(ranks, "TO_READ", 60 if is_read else 0.05)
    out, into = os.pipe()
    os.set_blocking(out, False)
    os.write(into, b"error: rank 1")
    reader = threading.Timer(0.1, os.read, (out, 100))
    if is_read:
        reader.start()
    start = time.monotonic()
    ranks.let_it_be_read(into)
    try:
        if is_read:
            with pytest.raises(BlockingIOError):
                os.read(out, 100)
            reader.join()
        else:
            assert os.read(out, 100) == b"error: rank 1"
            assert time.monotonic() - start > 0.05
    finally:
        os.close(out)
        os.close(into)


def test_ranks_must_have_the_same():
    assert alike.difference([FACTS, replace(FACTS, host="two")]) == ""
    other = replace(FACTS, host="two", versions={"charrnn": "1", "NumPy": "2.1.0"})
    assert alike.difference([FACTS, FACTS, other]) == (
        "rank 2 on two has NumPy 2.1.0, and rank 0 on one has 2.4.6: all ranks need the same"
    )
    assert "other options" in alike.difference([FACTS, replace(FACTS, arguments=("train",))])
    here = alike.Facts.here(["train"])
    assert here.versions.keys() == {"charrnn", "NumPy", "Python", "byte order"}
    assert "kernels" in here.kind


def test_kinds_of_processors_are_named():
    assert alike.mixed_processors([FACTS, FACTS]) == ""
    said = alike.mixed_processors([FACTS, FACTS, replace(FACTS, kind="EPYC (Haswell)")])
    assert said.startswith("the processors differ (2 ranks on Xeon (Zen), 1 rank on EPYC (Haswell")
    many = [replace(FACTS, kind=f"kind {number}") for number in range(6)]
    assert "and 2 more kinds" in alike.mixed_processors(many)


def setup_of(streams, shards, symbols):
    train = SimpleNamespace(batch_size=streams, seq_len=24, shards=shards)
    return SimpleNamespace(train=train, train_symbols=symbols)


def test_a_plan_says_whether_more_ranks_would_help():
    assert launched._more(setup_of(256, 8, 10**6), 4) == "help, up to 8: one per shard"
    said = launched._more(setup_of(256, 8, 10**6), 8)
    assert said.startswith("would not help: 256 streams have only 8 shards")
    said = launched._more(setup_of(64, 2, 10**6), 2)
    assert said.startswith("would not help with 64 streams; up to 256 are useful")


def test_a_plain_command_imports_nothing_of_ranks(tmp_path):
    program = (
        "import sys\nfrom charrnn.cli.app import app\n"
        "try:\n    app(['train', 'a.txt', '--steps', '2', '--hidden-size', '8'])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print(*(name for name in sys.modules if name.startswith('charrnn.parallel.')))"
    )
    (tmp_path / "a.txt").write_text("".join(f"{n} bottles of beer\n" for n in range(200)))
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=untraced(PYTHONPATH=str(PLACE)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported = {name.rpartition(".")[2] for name in done.stdout.splitlines()[-1].split()}
    assert imported == {"launcher", "present", "sharding", "summing", "team"}


def test_nothing_is_said_of_ranks_without_a_launcher():
    assert launched.rank_notices(setup_of(64, 2, 10**6)) == []
    assert launched.rank_plan(setup_of(64, 2, 10**6), None, 1.0) is None


def test_ranks_with_nothing_to_learn_from_are_told_of(monkeypatch):
    monkeypatch.setattr(launched, "current", lambda: SimpleNamespace(size=4))
    assert launched.rank_notices(setup_of(64, 2, 10**6)) == [
        "4 ranks for 2 shards (64 streams in all): 2 have no work; raise --batch-size or "
        "start fewer ranks"
    ]
    assert launched.rank_notices(setup_of(128, 4, 10**6)) == []
