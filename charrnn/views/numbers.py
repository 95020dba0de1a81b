"""Formatting numbers, the same everywhere."""


def percent(share: float, decimals: int = 1) -> str:
    """Return a share as ``84.2 %``; only 1 is shown as 100 %, and only 0 as 0 %.

    Parameters
    ----------
    share : float
        A number from 0 to 1.
    decimals : int
        Decimals of the percentage.
    """
    least = 10.0**-decimals
    if 0 < share < least / 200:
        return f"<{least:.{decimals}f} %"
    value = 100 * share if share >= 1 else min(100 * share, 100 - least)
    return f"{value:.{decimals}f} %"
