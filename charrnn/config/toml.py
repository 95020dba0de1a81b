"""Values written as TOML, which ``tomllib`` reads but does not write."""

import json
from collections.abc import Sequence

TomlValue = bool | int | float | str | Sequence[str]


def toml_value(value: TomlValue) -> str:
    """Return a value as TOML writes it; ``tomllib`` reads it back the same.

    Parameters
    ----------
    value : bool, int, float, str or sequence of str
        A float is finite, and a text has no lone surrogates: TOML has neither.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # JSON escapes all that TOML does, except DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"[{', '.join(map(toml_value, value))}]"
