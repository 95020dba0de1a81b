"""The adapting model once more, symbol by symbol, with dictionaries: slow, and nothing shared."""

from collections import Counter, defaultdict
from math import exp, log

ORDERS, CACHE_ORDERS, WORD_ORDER = (2, 3, 5, 8, 12), (3, 5, 8), 5
CACHE_DISCOUNTS, WORD_DISCOUNTS = (0, 0.6, 0.8, 0.9), (0, 0.6, 0.85, 1)
BEGIN = object()


def contexts_of(text, k):
    """Return the last k symbols before each place; before the beginning there is ``BEGIN``."""
    return [tuple(text[t - k : t]) if t >= k else (BEGIN, *text[:t]) for t in range(len(text))]


def words_of(text, letters):
    """Return the three word contexts before each place."""
    so_far, one, two, found = (), (), (), []
    for symbol in text:
        found.append((("1", so_far), ("2", so_far, one), ("3", so_far, one, two)))
        if letters[symbol]:
            so_far += (letters[symbol],)
        elif so_far:
            so_far, one, two = (), so_far, one
    return found


class Chain:
    """Kneser-Ney with dictionaries."""

    def __init__(self, V, longest):
        self.V, self.longest = V, longest
        self.occurrences = [defaultdict(Counter) for _ in range(longest + 1)]
        self.predecessors = [defaultdict(Counter) for _ in range(longest + 1)]
        self.longer = [set() for _ in range(longest + 1)]

    def count(self, contexts, symbol, part):
        """Count one symbol; what begins one text differs from what begins another."""
        contexts = [(part, *c[1:]) if c and c[0] is BEGIN else c for c in contexts]
        for k, context in enumerate(contexts):
            self.occurrences[k][context][symbol] += 1
            if k < self.longest and (contexts[k + 1], symbol) not in self.longer[k]:
                self.longer[k].add((contexts[k + 1], symbol))
                self.predecessors[k][context][symbol] += 1

    def predict(self, contexts, discounts, wanted):
        """Return the probabilities by the orders that are wanted, and how many are known."""
        lower, found, known = [1 / self.V] * self.V, [], 0
        for k, context in enumerate(contexts):
            known += bool(self.occurrences[k][context])
            if k in wanted:
                found.append(mixed(self.occurrences[k][context], discounts[0][k], lower))
            if k < self.longest:
                lower = mixed(self.predecessors[k][context], discounts[1][k], lower)
        return found, known


def mixed(counts, discounts, lower):
    """Interpolate counts (a Counter) with lower (V,)."""
    total = sum(counts.values())
    if not total:
        return lower
    taken = {x: discounts[min(c, 3)] for x, c in counts.items()}
    left = sum(taken.values()) / total
    return [(counts[x] - taken.get(x, 0)) / total + left * p for x, p in enumerate(lower)]


def chen_goodman(table):
    """Return the discounts of the counts of one order."""
    n = Counter(c for counts in table.values() for c in counts.values())
    found = [0, 0.5, 1, 1.5]
    for r in (1, 2, 3):
        if n[1] and n[2] and n[r] and n[r + 1]:
            estimate = r - (r + 1) * n[1] / (n[1] + 2 * n[2]) * n[r + 1] / n[r]
            found[r] = estimate if estimate > 0 else found[r]
    return found


class Match:
    """A match model that searches from the end of the text."""

    def __init__(self, text, n, shortest):
        self.text, self.n, self.shortest = text, n, shortest
        self.right, self.seen = [1.0] * 33, [2.0] * 33
        self.place, self.length = None, 0

    def predict(self, t, V):
        """Return the probabilities of the symbol at place t of the scored text."""
        text, here = self.text, self.n + t
        if self.place is None and t >= self.shortest:
            end = text[here - self.shortest : here]
            for place in range(here - 1, self.shortest - 1, -1):
                over_border = place - self.shortest < self.n < place
                if text[place - self.shortest : place] == end and not over_border:
                    self.place, self.length = place, self.shortest
                    while self.length < min(32, place, t) and (
                        text[place - self.length - 1] == text[here - self.length - 1]
                    ):
                        self.length += 1
                    break
        if self.place is None:
            return [1 / V] * V
        sure = self.right[self.length] / self.seen[self.length]
        return [sure if x == text[self.place] else (1 - sure) / (V - 1) for x in range(V)]

    def learn(self, t):
        """Follow the symbol at place t."""
        if self.place is None:
            return
        hit, q = self.text[self.place] == self.text[self.n + t], self.length
        self.seen[q] += 1
        self.right[q] += hit
        if self.seen[q] > 400:
            self.seen[q], self.right[q] = self.seen[q] / 2, self.right[q] / 2
        self.place, self.length = (self.place + 1, min(q + 1, 32)) if hit else (None, 0)


def softmax(z):
    top = max(z)
    p = [exp(x - top) for x in z]
    return [x / sum(p) for x in p]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


class Linear:
    """A linear layer that learns by normalized least mean squares."""

    def __init__(self, inputs, outputs, rate):
        self.A, self.rate = [[0.0] * (inputs + 1) for _ in range(outputs)], rate

    def value(self, y):
        self.x = [1.0, *y]
        return [dot(row, self.x) for row in self.A]

    def learn(self, errors):
        step = self.rate / dot(self.x, self.x)
        self.A = [
            [a + step * error * x for a, x in zip(row, self.x, strict=True)]
            for row, error in zip(self.A, errors, strict=True)
        ]


class Mixer:
    """Sets of weights, weights that depend on the state, and weights of the sets."""

    def __init__(self, start, sets, V, features):
        self.w = [defaultdict(lambda: list(start)) for _ in range(sets)]
        self.f = defaultdict(lambda: [1 / sets] * sets)
        self.gate = Linear(features, len(start), 0.001)
        self.V = V

    def predict(self, logs, chosen, final, state):
        columns = list(zip(*logs, strict=True))
        self.now = logs, chosen, final, columns
        v = self.gate.value(state)
        z = [
            [dot([a + b for a, b in zip(w[c], v, strict=True)], x) for x in columns]
            for w, c in zip(self.w, chosen, strict=True)
        ]
        self.z = z
        self.p = softmax([dot(self.f[final], x) for x in zip(*z, strict=True)])
        return self.p

    def learn(self, y, t):
        logs, chosen, final, _ = self.now
        rate = 0.002 + 0.013 / (1 + t / 1500)
        gradient = [z[y] - dot(z, self.p) for z in self.z]
        slopes = []
        for w, c, z in zip(self.w, chosen, self.z, strict=True):
            p = softmax(z)
            slope = [log[y] - dot(log, p) for log in logs]
            raised = rate * dot(slope, slope)
            slope = [x * min(1, 2 / raised) if raised else x for x in slope]
            w[c] = [each + rate * x for each, x in zip(w[c], slope, strict=True)]
            slopes.append(slope)
        self.gate.learn([sum(x) / len(slopes) for x in zip(*slopes, strict=True)])
        self.f[final] = [f + 0.0005 * g for f, g in zip(self.f[final], gradient, strict=True)]


def naive_predictions(train, scored, V, letters, networks=()):
    """Return the probabilities (m - 1, V) of all symbols but the first.

    ``networks`` are pairs of log-probabilities (V, m - 1) and states (D, m - 1).
    """
    counts, cache = Chain(V, 12), Chain(V, 8)
    words = [defaultdict(Counter) for _ in range(3)]
    for symbol, word, *contexts in zip(
        train, words_of(train, letters), *(contexts_of(train, k) for k in range(13)), strict=True
    ):
        counts.count(contexts, symbol, "train")
        for table, key in zip(words, word, strict=True):
            table[key][symbol] += 1
    discounts = [
        [chen_goodman(table) for table in tables]
        for tables in (counts.occurrences, counts.predecessors)
    ]
    cached = [[CACHE_DISCOUNTS] * 9] * 2
    first = {0: [], 1: [0.6, 0.05], 2: [0.5, 0.15, 0.05]}[len(networks)]
    shares = [1, 1, 6, 4, 1, 0, 0, 0, 1, 1, 1, 1, 1]
    features = len(networks[0][1]) if networks else 0
    mixer = Mixer(first + [x / 18 * (1 - sum(first)) for x in shares], 4, V, features)
    head = Linear(features, V, 2.0)
    matches = [Match([*train, *scored], len(train), shortest) for shortest in (10, 20)]
    found = []
    for t, (symbol, word, *contexts) in enumerate(
        zip(
            scored,
            words_of(scored, letters),
            *(contexts_of(scored, k) for k in range(13)),
            strict=True,
        )
    ):
        own = [("scored", *c[1:]) if c and c[0] is BEGIN else c for c in contexts]
        said, known = counts.predict(own, discounts, ORDERS)
        said += cache.predict(own[:9], cached, CACHE_ORDERS)[0]
        low = said[ORDERS.index(WORD_ORDER)]
        said += [
            mixed(table[key], WORD_DISCOUNTS, low) for table, key in zip(words, word, strict=True)
        ]
        said += [match.predict(t, V) for match in matches]
        if t:
            nets = [net[:, t - 1].tolist() for net, _ in networks]
            state = networks[0][1][:, t - 1].tolist() if networks else []
            if networks:
                learned = softmax([x + z for x, z in zip(nets[0], head.value(state), strict=True)])
                head.learn([(x == symbol) - p for x, p in enumerate(learned)])
                nets.append([log(max(p, 1e-9)) for p in learned])
            logs = [[max(x, log(1e-9)) for x in net] for net in nets]
            logs += [[log(max(x, 1e-9)) for x in p] for p in said]
            guide = logs[0 if networks else ORDERS.index(WORD_ORDER)]
            entropy = -sum(exp(x) * x for x in guide)
            length = matches[0].length
            final = (length >= 1) + (length >= 16) + (length >= 24)
            likeliest = max(range(V), key=guide.__getitem__)
            sets = ((known, final), scored[t - 1], min(int(entropy * 4), 15), likeliest)
            found.append(mixer.predict(logs, sets, final, state))
            mixer.learn(symbol, t - 1)
        for match in matches:
            match.learn(t)
        counts.count(contexts, symbol, "scored")
        cache.count(contexts[:9], symbol, "scored")
        for table, key in zip(words, word, strict=True):
            table[key][symbol] += 1
    return found
