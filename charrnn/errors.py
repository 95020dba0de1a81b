"""The errors that charrnn raises intentionally; any other exception is a bug."""

import copyreg
from typing import Any


class CharrnnError(Exception):
    """Base of every error that a user can fix.

    The message is one line: what went wrong, where, and what to do. The command line shows it
    and exits with 1; a program catches this class, or the child that it can handle::

        CharrnnError
        ├── CorpusError       a text cannot be read, or has changed
        ├── VocabularyError   a character or an id that is not in the vocabulary
        ├── CheckpointError   a checkpoint cannot be read or written, or does not fit
        ├── ConfigError       a setting is unknown or outside its range
        ├── RunError          a run directory is missing, busy or cannot be used
        └── DeviceError       no GPU can be used, or it failed

    Examples
    --------
    >>> try:
    ...     charrnn.load("missing")
    ... except charrnn.CharrnnError as error:
    ...     print(error)
    missing is neither a checkpoint nor a run; list the runs with charrnn runs
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Make the error picklable for workers, whatever arguments a subclass takes."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class CorpusError(CharrnnError):
    """A text cannot be read with these settings, or has changed since it was last read."""


class VocabularyError(CharrnnError):
    """A character or an id is not in the vocabulary, or a stored vocabulary is invalid."""


class CheckpointError(CharrnnError):
    """A checkpoint cannot be read or written, or does not fit."""


class ConfigError(CharrnnError):
    """A setting is unknown, malformed or outside its range."""


class RunError(CharrnnError):
    """A run directory is missing, in use or cannot be used."""


class DeviceError(CharrnnError):
    """No GPU can be used, or it failed."""
