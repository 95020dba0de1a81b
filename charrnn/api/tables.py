"""Conversion to pandas, an optional package."""

from typing import TYPE_CHECKING, Any

from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from pandas import DataFrame


def table(**columns: Any) -> "DataFrame":
    """Return a ``DataFrame`` with these columns.

    Raises
    ------
    ConfigError
        If pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise ConfigError(
            "to_pandas() needs pandas, which is not installed: pip install pandas"
        ) from None
    return pandas.DataFrame(columns)
