"""Tables for pandas, which is no part of charrnn: they are made where it is installed."""

from typing import TYPE_CHECKING, Any

from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from pandas import DataFrame


def table(**columns: Any) -> "DataFrame":
    """Return a ``DataFrame`` of columns.

    Raises
    ------
    ConfigError
        If pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise ConfigError(
            "to_pandas() makes a pandas DataFrame, and pandas is not installed: pip install pandas"
        ) from None
    return pandas.DataFrame(columns)
