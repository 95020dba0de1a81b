"""The opponents on tiny Shakespeare give the numbers that are known of it.

``python -m tests.soak.baselines FILE`` takes the text as char-rnn has it, of 1,115,394 bytes. The
numbers were found once by other means: the compressors' with the programs of these names.
"""

import argparse
from pathlib import Path

import numpy as np

from charrnn.evaluation.compressors import compressed_bytes_given
from charrnn.evaluation.ngrams import choose_context, kneser_ney

BYTES, LEARNED = 1_115_394, 1_003_854
NATS = (2.4835, 2.0381, 1.7191, 1.5612, 1.5226, 1.5165, 1.5192, 1.5220)
"""Nats per character of interpolated modified Kneser-Ney with contexts of 1 to 8."""
BITS = {"gzip -9": 3.097, "bzip2 -9": 2.398, "xz -9e": 2.518}


def main() -> None:
    """Compare; the first difference ends it with an AssertionError."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    text = parser.parse_args().file.read_bytes()
    assert len(text) == BYTES, f"this file has {len(text):,} bytes, not {BYTES:,}"
    symbols, every = np.unique(np.frombuffer(text, np.uint8), return_inverse=True)
    train, held_out = every[:LEARNED], every[LEARNED:]
    found = kneser_ney(train, held_out, len(symbols), max_context=len(NATS)) / len(held_out)
    np.testing.assert_allclose(found[1:], NATS, atol=2e-4)
    assert choose_context(train, len(symbols)) == 6
    added = compressed_bytes_given(text[:LEARNED], text[LEARNED:])
    for name, bits in BITS.items():
        np.testing.assert_allclose(added[name] * 8 / len(held_out), bits, atol=2e-3)
    print(*(f"context {k + 1}: {nats:.4f} nats" for k, nats in enumerate(found[1:])), sep="\n")
    print("all as known")


if __name__ == "__main__":
    main()
