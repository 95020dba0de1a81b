"""Numbers in words, the same wherever they are shown."""


def percent(share: float, decimals: int = 1) -> str:
    """Return a share as ``84.2 %``; none below 1 as 100 %, and none above 0 as 0 %.

    Parameters
    ----------
    share : float
        From 0 to 1.
    decimals : int
        Of the percentage.
    """
    least = 10.0**-decimals
    if 0 < share < least / 200:
        return f"<{least:.{decimals}f} %"
    value = 100 * share if share >= 1 else min(100 * share, 100 - least)
    return f"{value:.{decimals}f} %"
