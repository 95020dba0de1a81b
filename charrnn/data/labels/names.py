"""What the name of a file says of it."""

from pathlib import PurePath

_ARCHIVES = {".gz", ".bz2", ".xz"}


def unpacked(name: str) -> PurePath:
    """Return the path of what an archive of one file holds; any other path as it is."""
    path = PurePath(name)
    return path.with_suffix("") if path.suffix.casefold() in _ARCHIVES else path


def kind(name: str) -> str:
    """Return the suffix of a file in lower case, as in ``.csv``, whether it is packed or not."""
    return unpacked(name).suffix.casefold()
