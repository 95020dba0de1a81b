"""The kind of a file by its name."""

from pathlib import PurePath

_ARCHIVES = {".gz", ".bz2", ".xz"}


def unpacked(name: str) -> PurePath:
    """Return the path of a compressed file without its suffix; any other path unchanged."""
    path = PurePath(name)
    return path.with_suffix("") if path.suffix.casefold() in _ARCHIVES else path


def kind(name: str) -> str:
    """Return the suffix of a file in lower case, such as ``.csv``, compressed or not."""
    return unpacked(name).suffix.casefold()
