"""How long it takes to look for samples in a training text: ``python -m tests.bench.copied``.

The text is the source of Python's standard library, 10 MB of it or what there is; the samples are
from the part behind it.
"""

import sysconfig
import time
from pathlib import Path

import numpy as np

from charrnn.evaluation.copied import find_copies

LEARNED, HELD = 10_000_000, 2_000_000


def main() -> None:
    """Print a row for each number of samples."""
    files = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
    text = b"".join(path.read_bytes() for path in files if "site-packages" not in path.parts)
    codes = np.frombuffer(text[: LEARNED + HELD], np.uint8)
    learned, held = codes[:-HELD], codes[-HELD:]
    print(f"{len(learned):,} characters of training text")
    for count in (1, 100, 1000):
        starts = np.random.default_rng(0).integers(0, HELD - 500, 2 * count)
        start = time.process_time()
        found = find_copies([held[i : i + 500] for i in starts], learned)
        seconds = time.process_time() - start
        longest = max(copies.longest for copies in found)
        print(
            f"{count:,} samples of 500 characters beside as much held-out text: {seconds:.1f} s of "
            f"processor time, longest run {longest:,}"
        )


if __name__ == "__main__":
    main()
