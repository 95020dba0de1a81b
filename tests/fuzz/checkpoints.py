"""Damage real checkpoints in thousands of ways: each is refused in one line or loads right.

``python -m tests.fuzz.checkpoints --mutations 20000`` prints what it tried and exits with 1 on the
first mutation that is not handled; ``--seed`` and ``--only NUMBER`` repeat one of them.

Plain damage keeps the sums of the zip as they were, so that what still loads must be the original,
bit for bit. Made damage is put together again with the right sums: what loads is another model,
which must be sound.
"""

import argparse
import bz2
import contextlib
import io
import json
import pickle
import random
import signal
import struct
import sys
import tempfile
import time
import tracemalloc
import warnings
import zipfile
import zlib
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.config import ModelConfig, SampleConfig, TrainConfig
from charrnn.data.labels.task import LabelledTask
from charrnn.errors import CharrnnError, CheckpointError
from charrnn.evaluation.labels.labeller import Labeller
from charrnn.sampling.drawing import generate
from charrnn.storage.checkpoint import Checkpoint, load
from charrnn.storage.counts import table_arrays
from charrnn.storage.labels import ngram_arrays
from charrnn.training.new import prepare
from charrnn.training.resume import resume

TEXT = "pack my box with five dozen liquor jugs\n" * 30
SHAPES = {
    "rnn": (ModelConfig(cell="rnn", num_layers=1, hidden_size=5), "sgd"),
    "lstm": (ModelConfig(cell="lstm", num_layers=2, hidden_size=4), "adamw"),
    "gru": (ModelConfig(cell="gru", num_layers=1, hidden_size=6, embedding_size=3), "momentum"),
    "members": (ModelConfig(cell="gru", members=2, num_layers=1, hidden_size=3), "muon"),
}
NUMBERED = "".join(f"{'odd' if number % 2 else 'even'}\t{number}\n" for number in range(60))
SPACED = "a b cd a cd b a\n\ncd a b a\nb b cd a b\na cd cd b\n" * 12
TAGGED = "a\tB-X\nb\tI-X\n\nc\tO\nb\tO\na\tB-X\n\n" * 20
WITH_MORE = {
    "label": (NUMBERED, TrainConfig(predict="label", counts=True, steps=3, batch_size=8)),
    "spaces": (SPACED, TrainConfig(predict="spaces", steps=2, batch_size=8)),
    "tags": (TAGGED, TrainConfig(predict="tags", steps=2, batch_size=8)),
    "counts": (TEXT, TrainConfig(counts=True, steps=3, batch_size=2, seq_len=5)),
}
"""Runs whose checkpoints have arrays of labels or counts beside those of the network."""
SECONDS_ALLOWED = 10
NUMBERS = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]
UNEXPECTED = (AssertionError, MemoryError, NameError, SystemError)
"""Causes of a refusal that would be luck, not a check."""


def make_bases(folder: Path) -> list[bytes]:
    """Train small models of each cell, of labels and with counts; return the bytes of the files."""
    corpus = folder / "corpus.txt"
    corpus.write_text(TEXT)
    found = []
    for name, (model, optimizer) in SHAPES.items():
        train = TrainConfig(steps=3, batch_size=2, seq_len=5, optimizer=optimizer)
        run = prepare([corpus], model=model, train=train, out=folder / name)
        for _ in run.train():
            pass
        found += [(folder / name / file).read_bytes() for file in ("last.npz", "best.npz")]
    for name, (text, train) in WITH_MORE.items():
        (folder / f"{name}.txt").write_text(text)
        model = ModelConfig(hidden_size=4, members=1)
        for _ in prepare(
            [folder / f"{name}.txt"], model=model, train=train, out=folder / name
        ).train():
            pass
        found += [(folder / name / file).read_bytes() for file in ("last.npz", "best.npz")]
    return found


# A zip, written by hand so that every field can be wrong


@dataclass
class Member:
    """One member of a zip, with every field that its headers repeat."""

    name: bytes
    data: bytes
    method: int = 0
    flags: int = 0
    crc: int | None = None
    packed: int | None = None
    size: int | None = None
    offset: int | None = None
    extra: bytes = b""
    version: int = 45


def join(members: list[Member], *, count: int | None = None, comment: bytes = b"") -> bytes:
    """Return the zip of these members; what they leave open is right."""
    out, directory = io.BytesIO(), io.BytesIO()
    for member in members:
        crc = zlib.crc32(member.data) if member.crc is None else member.crc
        packed = len(member.data) if member.packed is None else member.packed
        size = len(member.data) if member.size is None else member.size
        offset = out.tell() if member.offset is None else member.offset
        common = (member.version, member.flags, member.method, 0, 33, crc, packed, size)
        lengths = (len(member.name), len(member.extra))
        out.write(struct.pack("<4s5H3L2H", b"PK\3\4", *common, *lengths))
        out.write(member.name + member.extra + member.data)
        directory.write(
            struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, *common, *lengths, 0, 0, 0, 0, offset)
        )
        directory.write(member.name + member.extra)
    start, listed = out.tell(), directory.getvalue()
    count = len(members) if count is None else count
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(listed), start, len(comment))
    return out.getvalue() + listed + end + comment


def split(data: bytes) -> list[Member]:
    """Return the members of a sound zip."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [Member(name.encode(), archive.read(name)) for name in archive.namelist()]


def npy(array: bytes, header: str) -> bytes:
    """Return an npy file with this header, right or not."""
    text = header.encode("latin-1", "replace")[:60_000]
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + array


def body(member: Member) -> bytes:
    """Return what follows the header of an npy file."""
    (length,) = struct.unpack_from("<H", member.data, 8)
    return member.data[10 + length :]


# Plain damage


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    """Flip up to eight bits."""
    new = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        new[rng.randrange(len(new))] ^= 1 << rng.randrange(8)
    return bytes(new)


def cut(data: bytes, rng: random.Random) -> bytes:
    """Cut off the end."""
    return data[: rng.randrange(len(data))]


def remove(data: bytes, rng: random.Random) -> bytes:
    """Remove a piece."""
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.randrange(1, 200) :]


def insert(data: bytes, rng: random.Random) -> bytes:
    """Insert random bytes, or a piece of the file itself."""
    start = rng.randrange(len(data))
    size = rng.randrange(1, 300)
    piece = rng.randbytes(size) if rng.random() < 0.5 else data[-size:]
    return data[:start] + piece + data[start:]


def zero(data: bytes, rng: random.Random) -> bytes:
    """Zero a block, as a crash of the machine may."""
    start = rng.randrange(len(data)) // 512 * 512
    return data[:start] + bytes(len(data[start : start + 512])) + data[start + 512 :]


def overwrite_field(data: bytes, rng: random.Random) -> bytes:
    """Put a telling number into a field of a zip header."""
    new = bytearray(data)
    marks = [b"PK\1\2", b"PK\3\4", b"PK\5\6"]
    places = [i for mark in marks for i in range(len(data)) if data.startswith(mark, i)]
    if rng.random() < 0.3:  # the end record decides about all
        places = places[-1:]
    size, code = rng.choice([(2, "<H"), (4, "<L")])
    place = rng.choice(places) + rng.randrange(4, 46)
    if place + size <= len(new):
        struct.pack_into(code, new, place, rng.choice(NUMBERS) & (256**size - 1))
    return bytes(new)


def noise(data: bytes, rng: random.Random) -> bytes:
    """Return anything at all."""
    return rng.choice([b"", b"PK\3\4", b"PK\5\6" + bytes(18), b"\x80\4."]) + rng.randbytes(
        rng.randrange(2000)
    )


# Made damage


class Canary:
    """Unpickling one creates a file."""

    path = ""

    def __reduce__(self) -> Any:
        """Return the call that the unpickler makes."""
        return open, (self.path, "w")


def change_header(members: list[Member], rng: random.Random) -> None:
    """Lie in the header of an array."""
    member = rng.choice(members)
    old = member.data[10 : len(member.data) - len(body(member))].decode("latin-1").strip()
    sizes = [*NUMBERS, -1, 10**30, 3, 4, 5]
    shape = tuple(rng.choice(sizes) for _ in range(rng.choice([0, 1, 2, 2, 3, 40])))
    header = rng.choice(
        [
            old.replace("<f4", rng.choice(["<f8", "<f2", ">f4", "|O", "<U9", "<i4", "V4", "<c8"])),
            old.replace("False", rng.choice(["True", "None", "0"])),
            old[: old.index("'shape'")] + f"'shape': {shape}, }}",
            f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}",
            "(" * rng.randrange(1, 30_000),
            "[" * 5000 + "]" * 5000,
            f"__import__('pathlib').Path({Canary.path!r}).touch()",
            "{'descr': '\\d', 'fortran_order': False, 'shape': (1L,), }",
            "{'descr': [('a', '<f4')] * 10**9, 'fortran_order': False, 'shape': (), }",
            old + " " * rng.randrange(60_000),
            "9" * 50_000,
        ]
    )
    member.data = npy(body(member), header)
    if rng.random() < 0.2:
        member.data = member.data[:6] + bytes([rng.choice([0, 1, 2, 3, 255]), 0]) + member.data[8:]


def change_array(members: list[Member], rng: random.Random) -> None:
    """Change, cut or stretch the numbers of an array."""
    member = rng.choice([member for member in members if member.name != b"meta.npy"])
    data = bytearray(member.data)
    kind = rng.randrange(5)
    if kind == 0:
        data[-4:] = struct.pack("<f", rng.choice([float("nan"), float("inf"), -1e38, 0.0]))
    elif kind == 1:
        del data[rng.randrange(len(data)) :]
    elif kind == 2:
        data += rng.randbytes(rng.randrange(1, 5000))
    else:
        for _ in range(rng.randrange(1, 20)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    member.data = bytes(data)


def change_members(members: list[Member], rng: random.Random) -> None:
    """Drop, repeat, rename, swap or add members."""
    index = rng.randrange(len(members))
    member, other = members[index], rng.choice(members)
    kind = rng.randrange(8)
    if kind == 0:
        del members[index]
    elif kind == 1:
        members.append(replace(member, data=rng.choice([member.data, b"", other.data])))
    elif kind == 2:
        member.name = rng.choice(
            [b"../../../etc/passwd", b"/etc/passwd", b"C:\\x", b"a/" + member.name, b"", b"\0.npy"]
        ) + rng.choice([b"", b"\0", b".npy"])
    elif kind == 3:
        member.name, other.name = other.name, member.name
    elif kind == 4:
        members.append(Member(rng.randbytes(rng.randrange(300)), b""))
    elif kind == 5:
        members += [Member(b"%d.npy" % i, b"") for i in range(rng.choice([300, 12_000]))]
    elif kind == 6:
        shift = rng.randrange(1, len(members))
        members[:] = members[shift:] + members[:shift]
    else:
        member.name = member.name.upper()


def compress(members: list[Member], rng: random.Random) -> None:
    """Compress a member: a bomb, or a lie about its method."""
    member = rng.choice(members)
    data = member.data if rng.random() < 0.3 else member.data + bytes(2_000_000)
    method = rng.choice([8, 8, 12, 14, 1, 9, 97, 99])
    packed = zlib.compress(data)[2:-4] if method != 12 else bz2.compress(data)
    member.method, member.size, member.crc = method, len(data), zlib.crc32(data)
    member.data = packed
    if rng.random() < 0.5:
        member.size = rng.choice([len(packed), 2**32 - 1])


def lie_in_directory(members: list[Member], rng: random.Random) -> None:
    """Put a wrong number, flag or extra field into the headers of a member."""
    member = rng.choice(members)
    kind = rng.randrange(7)
    number = rng.choice(NUMBERS) & 0xFFFFFFFF
    if kind == 0:
        member.flags = rng.choice([1, 8, 0x20, 0x40, 0x41, 0x800, 0x2000, 0xFFFF, number & 0xFFFF])
    elif kind == 1:
        member.size = member.packed = number
    elif kind == 2:
        member.size = number
    elif kind == 3:
        member.packed = number
    elif kind == 4:
        member.offset = rng.choice([0, 1, 100, number])
    elif kind == 5:
        member.crc = number
    else:
        member.version = rng.choice([0, 63, 64, 255])
    if rng.random() < 0.3:
        values = [rng.choice(NUMBERS) for _ in range(rng.randrange(4))]
        body_ = struct.pack(f"<{len(values)}Q", *values)
        length = len(body_) if rng.random() < 0.7 else rng.choice([0, 7, 0xFFFF])
        member.extra = struct.pack("<HH", 1, length) + body_
        member.size = rng.choice([None, 0xFFFFFFFF])
        member.packed = rng.choice([member.size, 0xFFFFFFFF])


def put_pickle(members: list[Member], rng: random.Random) -> None:
    """Put a pickle where an array is expected."""
    member = rng.choice(members)
    pickled = pickle.dumps(Canary(), protocol=rng.randrange(5))
    if rng.random() < 0.5:
        member.data = npy(pickled, "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }")
    else:
        member.data = pickled


HOSTILE: list[Any] = [
    None,
    True,
    False,
    -1,
    0,
    1,
    2,
    64,
    65,
    16384,
    2**31,
    2**63,
    2**64,
    10**400,
    -(10**400),
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "lstm",
    "x" * 100_000,
    "\x1b[31m\u202e",
    "a\0b",
    "../../etc/passwd",
    "/dev/zero",
    "NaN",
    [],
    {},
    [[]],
    [1, 2],
    [0, 10**18],
    [10**300] * 30,
    [[1, 2.0, 3.0]] * 3,
    ["a"],
    {"a": 1},
    {"": None},
    list(range(2000)),
]


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) in a tree of JSON."""
    keys = list(tree) if isinstance(tree, dict) else range(min(len(tree), 20))
    found = [(tree, key) for key in keys]
    for key in keys:
        if isinstance(tree[key], dict | list):
            found += places(tree[key])
    return found


def change_meta(members: list[Member], rng: random.Random) -> None:
    """Change a value somewhere in the description, or its text."""
    (member,) = (member for member in members if member.name == b"meta.npy")
    meta = json.loads(body(member))
    kind = rng.randrange(10)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        container, key = rng.choice(places(meta))
        if kind == 0:
            del container[key]
        elif kind == 1 and isinstance(container, dict):
            container[rng.choice([*container, "x", "__class__", ""])] = deepcopy(
                rng.choice(HOSTILE)
            )
        elif isinstance(container[key], int) and rng.random() < 0.3:
            container[key] += rng.choice([-1, 1, 0.5, 10**6])
        else:
            container[key] = deepcopy(rng.choice(HOSTILE))
    text = json.dumps(meta, ensure_ascii=rng.random() < 0.8).encode("utf-8", "surrogatepass")
    if rng.random() < 0.2:
        start = rng.randrange(len(text))
        depth = rng.choice([10, 1000, 100_000])
        piece = rng.choice(
            [
                b"",
                rng.randbytes(5),
                b"[" * depth,
                b'{"a":' * depth,
                b"[],[" * 1000,
                b"9" * depth,
                b"1e" + b"9" * depth,
                b"-",
                b"\\ud800",
                b"//",
            ]
        )
        text = text[:start] + piece + text[start + rng.randrange(5) :]
    if rng.random() < 0.05:
        text = text.decode("utf-8", "replace").encode(rng.choice(["utf-16", "utf-32", "utf-8-sig"]))
    size = len(text) if rng.random() < 0.95 else rng.choice(NUMBERS)
    member.data = npy(text, f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({size},), }}")


PLAIN = [flip_bits, flip_bits, cut, remove, insert, zero, overwrite_field, overwrite_field, noise]
MADE = [
    change_header,
    change_array,
    change_members,
    compress,
    lie_in_directory,
    put_pickle,
    change_meta,
    change_meta,
    change_meta,
    change_meta,
]


def mutate(bases: list[bytes], seed: int, number: int) -> tuple[str, bytes, bytes]:
    """Return the name of a mutation, what it was made from, and the result."""
    rng = random.Random(seed * 2**32 + number)
    base = rng.choice(bases)
    if rng.random() < 0.4:
        plain = rng.choice(PLAIN)
        return plain.__name__, base, plain(base, rng)
    members = split(base)
    made = rng.choice(MADE)
    made(members, rng)
    with contextlib.suppress(struct.error):  # a number that does not fit its field
        return made.__name__, base, join(members)
    return made.__name__, base, join([replace(member, extra=b"") for member in split(base)])


# What must hold


class Failure(Exception):
    """A mutation that is not handled as promised."""


def same(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether two checkpoints are equal, bit for bit."""
    arrays = [
        (name, group[name].tobytes())
        for checkpoint in (one, other)
        for group in (checkpoint.weights, checkpoint.training, beside(checkpoint))
        for name in sorted(group)
    ]
    half = len(arrays) // 2
    return arrays[:half] == arrays[half:] and all(
        repr(getattr(one, name)) == repr(getattr(other, name))
        for name in ("text", "architecture", "settings", "validation", "sources", "history")
    )


def beside(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what a model of labels, or with counts, has beside its network."""
    found: dict[str, Any] = {"labels": np.frombuffer(repr(checkpoint.labels).encode(), np.uint8)}
    found["mixture"] = np.array(checkpoint.mixture)
    if checkpoint.kept is not None:
        found["kept"] = checkpoint.kept
    if checkpoint.ngrams is not None:
        found |= ngram_arrays(checkpoint.ngrams)
    found["counting"] = np.frombuffer(repr(checkpoint.counting).encode(), np.uint8)
    return found | table_arrays(checkpoint.table)


def check_sound(checkpoint: Checkpoint, data: bytes, folder: Path) -> None:
    """Raise if what was loaded cannot be used, or go on training, but for a clear error."""
    with np.errstate(all="ignore"):  # weights may be huge
        if isinstance(checkpoint.task, LabelledTask):
            _label(checkpoint)
        else:
            config, model = SampleConfig(length=5, random_seed=1), checkpoint.model()
            models = [model] if checkpoint.table is None else [model, checkpoint.with_counts(model)]
            for each in models:
                drawn = list(generate(each, checkpoint.vocabulary, config))
                if not all(isinstance(text, str) for _, text in drawn):
                    raise Failure("it draws no text")
    if checkpoint.training:
        (folder / "last.npz").write_bytes(data)
        length = TrainConfig(steps=checkpoint.history.step + 2)
        with np.errstate(all="ignore"), contextlib.suppress(CharrnnError, OSError):
            for _ in resume(folder, length=length, cache=False).train():
                pass
        for path in folder.iterdir():
            path.unlink()


def _label(checkpoint: Checkpoint) -> None:
    """Label something; raise if that cannot be done, but for a clear error."""
    with contextlib.suppress(CharrnnError):
        labeller = Labeller(checkpoint)
        if checkpoint.task.head == "item":
            labeller.label(["12", "a\u4e00"])
        elif checkpoint.task.predict == "tags":
            labeller.tag([["a", "b"]])
        else:
            labeller.restore(["abcd", "a\u4e00"])


def try_one(path: Path, kind: str, data: bytes, originals: list[Checkpoint]) -> str:
    """Load one mutation; return "refused", "same" or "other", or raise Failure."""
    path.write_bytes(data)
    tracemalloc.start()
    start = time.monotonic()
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            checkpoint = load(path)
            outcome = "loaded"
    except CheckpointError as error:
        message = str(error)
        if "\n" in message or len(message) > 1000:
            raise Failure(f"the message is too long: {message[:200]!r}") from error
        if isinstance(error.__cause__, UNEXPECTED):
            raise Failure(f"refused by luck: {error.__cause__!r}") from error
        outcome = "refused"
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    if warned:
        raise Failure(f"it warns: {warned[0].message}")
    if time.monotonic() - start > SECONDS_ALLOWED / 2:
        raise Failure("it took too long")
    if peak > 2_000_000 + 40 * len(data):
        raise Failure(f"it took {peak:,} bytes of memory for a file of {len(data):,}")
    if outcome == "refused":
        return outcome
    if any(same(checkpoint, original) for original in originals):
        return "same"
    if kind in {function.__name__ for function in PLAIN}:
        raise Failure("it loaded as something else in spite of the sums")
    run = path.with_name("resumed")
    run.mkdir(exist_ok=True)
    check_sound(checkpoint, data, run)
    return "other"


def _too_slow(*_: object) -> None:
    raise Failure(f"it hangs: more than {SECONDS_ALLOWED} s")


def campaign(
    folder: Path, mutations: int, *, seed: int = 0, only: int | None = None
) -> Counter[tuple[str, str]]:
    """Try this many mutations; return how often each kind had which outcome.

    Raises
    ------
    Failure
        On the first that is not handled.
    """
    bases = make_bases(folder)
    Canary.path = str(folder / "canary")
    path = folder / "mutated.npz"
    originals = []
    for base in bases:
        path.write_bytes(base)
        originals.append(load(path))
    counts: Counter[tuple[str, str]] = Counter()
    before = signal.signal(signal.SIGALRM, _too_slow)
    try:
        for number in range(mutations) if only is None else [only]:
            kind, _, data = mutate(bases, seed, number)
            try:
                signal.alarm(SECONDS_ALLOWED)
                outcome = try_one(path, kind, data, originals)
                signal.alarm(0)
                if Path(Canary.path).exists():
                    raise Failure("it ran code")
            except Failure as failure:
                raise Failure(f"mutation {number} of seed {seed}, {kind}: {failure}") from failure
            except Exception as error:
                raise Failure(f"mutation {number} of seed {seed}, {kind}: {error!r}") from error
            counts[kind, outcome] += 1
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return counts


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            counts = campaign(Path(folder), options.mutations, seed=options.seed, only=options.only)
        except Failure as failure:
            sys.exit(f"FAILED: {failure}")
    for kind in sorted({kind for kind, _ in counts}):
        outcomes = {outcome: counts[kind, outcome] for outcome in ("refused", "same", "other")}
        print(f"{kind:18}", "  ".join(f"{n:6,} {outcome}" for outcome, n in outcomes.items()))
    total = sum(counts.values())
    print(f"{total:,} mutations in {time.monotonic() - start:.0f} s, all handled")


if __name__ == "__main__":
    main()
