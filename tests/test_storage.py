"""Files arrive whole, or not at all."""

import os
import sys

import pytest

from charrnn.errors import CheckpointError
from charrnn.system.files import write_whole


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(b"before")

    def fail(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(CheckpointError, match=r"No space left on device\); what was saved is int"):
        write_whole(path, fail)
    assert path.read_bytes() == b"before"

    def interrupt(file):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, interrupt)
    assert [item.name for item in tmp_path.iterdir()] == ["a.npz"]
    with pytest.raises(CheckpointError, match="its folder is gone"):
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
