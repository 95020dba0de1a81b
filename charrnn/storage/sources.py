"""The corpus files that a checkpoint names; it may be untrusted."""

import re
from dataclasses import fields
from typing import Any

from charrnn.config import codec_name
from charrnn.errors import CheckpointError
from charrnn.storage.history import is_count
from charrnn.text import Source

PATH_LIMIT = 2**15
SOURCE_FIELDS = [item.name for item in fields(Source)]


def sources_from(data: Any) -> tuple[Source, ...]:
    """Return the corpus files that a checkpoint names."""
    sources = tuple(Source(*(item[name] for name in SOURCE_FIELDS)) for item in data)
    for source in sources:
        if not (
            isinstance(source.path, str)
            and len(source.path) <= PATH_LIMIT
            and "\0" not in source.path
            and isinstance(source.sha256, str)
            and re.fullmatch("[0-9a-f]{64}", source.sha256)
            and is_count(source.size)
            and isinstance(source.encoding, str)
            and (not source.encoding or codec_name(source.encoding) != "auto")
        ):
            raise CheckpointError("its list of corpus files is malformed")
    if not sources:
        raise CheckpointError("it names no corpus")
    return sources
