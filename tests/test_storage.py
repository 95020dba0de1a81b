"""Files arrive whole, or not at all, and are opened only where they are files."""

import errno
import os
import socket
import sys
from pathlib import Path

import pytest

from charrnn.errors import CheckpointError
from charrnn.system import files
from charrnn.system.files import RegularFile, SpecialFileError, open_regular, write_whole

posix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes and devices of POSIX")


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(b"before")

    def fail(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(CheckpointError, match=r"No space left on device\); the last save is int"):
        write_whole(path, fail)
    assert path.read_bytes() == b"before"

    def interrupt(file):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, interrupt)
    assert [item.name for item in tmp_path.iterdir()] == ["a.npz"]
    with pytest.raises(CheckpointError, match="its folder is missing"):
        write_whole(tmp_path / "gone" / "a.npz", fail)


@pytest.mark.skipif(sys.platform == "win32", reason="links of POSIX")
def test_a_write_goes_through_no_link(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    path = tmp_path / "a.npz"
    path.symlink_to(victim)
    path.with_name(f".a.npz.{os.getpid()}.tmp").symlink_to(victim)
    write_whole(path, lambda file: file.write(b"new"))
    assert victim.read_bytes() == b"precious"
    assert path.read_bytes() == b"new"
    assert not path.is_symlink()


@posix
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR | os.O_CREAT])
def test_only_regular_files_are_opened(tmp_path, flags):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to("file")
    for path, kind in ((tmp_path / "pipe", "a pipe"), (Path("/dev/null"), "a device")):
        with pytest.raises(SpecialFileError) as caught:
            open_regular(path, flags)
        assert (caught.value.kind, caught.value.strerror) == (kind, f"it is {kind}, not a file")
        with pytest.raises(CheckpointError, match=f"^it is {kind}, not a file$"):
            RegularFile(path)
    for name in ("file", "link"):
        descriptor = open_regular(tmp_path / name, flags)
        assert os.read(descriptor, 9) == b"text"
        os.close(descriptor)


@posix
def test_folders_and_sockets_are_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for path, kind in ((tmp_path, "a folder"), ("socket", "a socket")):
            with pytest.raises(SpecialFileError, match=f"it is {kind}, not a file"):
                open_regular(path)
    with pytest.raises(FileNotFoundError):
        open_regular("gone")


@posix
def test_a_file_that_is_refused_after_all_is_closed(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"text")
    before = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "stat", lambda self, **_: before)
    free = os.dup(0)
    os.close(free)
    with pytest.raises(SpecialFileError, match="it is a pipe"):
        open_regular(path)
    assert os.dup(0) == free
    os.close(free)


@pytest.fixture
def refusals(monkeypatch):
    """What Windows does while anyone has the file open: it refuses this often."""
    left, real = [0], Path.replace

    def replace(self, target):
        if left[0]:
            left[0] -= 1
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(files, "REPLACE_PATIENCE", 0.05)
    return left


def test_a_file_that_is_open_for_a_moment_is_replaced_after_it(tmp_path, refusals):
    path, refusals[0] = tmp_path / "a.npz", 3
    path.write_bytes(b"before")
    write_whole(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"
    assert refusals == [0]


def test_a_file_that_stays_open_is_left_as_it_is(tmp_path, refusals):
    path, refusals[0] = tmp_path / "a.npz", 10**9
    path.write_bytes(b"before")
    with pytest.raises(CheckpointError, match=r"Permission denied\); the last save is intact"):
        write_whole(path, lambda file: file.write(b"new"))
    assert [item.name for item in tmp_path.iterdir()] == ["a.npz"]
    assert path.read_bytes() == b"before"
