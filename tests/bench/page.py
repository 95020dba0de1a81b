"""How large an exported page is, and how fast its engine draws: ``python -m tests.bench.page``.

The engine runs in node, which has the JavaScript engine of Chromium. What counts is the time of the
processor, so that other programs change little.
"""

import argparse

from charrnn.exports.page import page_of
from tests.pages import run_engine, untrained

NETWORKS = [
    ({"cell": "gru", "hidden_size": 128}, 8000),
    ({"cell": "gru", "hidden_size": 256}, 4000),
    ({"cell": "lstm", "hidden_size": 512}, 1000),
    ({"cell": "gru", "hidden_size": 512, "num_layers": 2}, 500),
    ({"cell": "lstm", "hidden_size": 1900}, 100),
]
"""With how many characters each is timed."""
SYMBOLS = "".join(map(chr, range(32, 97)))
PROGRAM = """
const state = network.zeroState(), rules = { temperature: 0.8, p: 0.9 }, COUNT = %d;
const step = (id) => network.step(draw(network.step(id, state), (id * 0.618) %% 1, rules), state);
for (let count = 0; count < COUNT / 10; count++) step(count %% 65);
const began = process.cpuUsage().user;
for (let count = 0; count < COUNT / 2; count++) step(count %% 65);
return COUNT / ((process.cpuUsage().user - began) / 1e6);
"""


def main():
    """Print a line for each network: its weights, its page, the median speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    for shape, count in NETWORKS:
        checkpoint = untrained(SYMBOLS, scale=0.05, **shape)
        size = len(page_of(checkpoint, "a model"))
        speeds = sorted(run_engine(checkpoint, PROGRAM % count) for _ in range(times))
        name = " ".join(map(str, shape.values()))
        weights = checkpoint.num_parameters
        print(f"{name:12} {weights:>10,} weights {size / 1e6:6.2f} MB {speeds[times // 2]:6,.0f}/s")


if __name__ == "__main__":
    main()
