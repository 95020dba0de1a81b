"""The CUDA sources: signatures, and arguments made to fit them."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from charrnn.cuda.source import FOLDER, Sources, cast, options, parse

TEXT = r"""
// extern "C" __global__ void left_out(int x) {
__device__ void helper(double x) {}
extern "C" __global__ void __launch_bounds__(256, 1)
all_kinds(float* a, const bf16* __restrict__ b, const int* c, unsigned* d, long long* e,
          const unsigned char* f,  // a comment, with a comma
          int g, unsigned h, long long i, float j) {
}
extern "C" __global__ void none() {}
"""
KERNEL, NONE = parse(TEXT, "x.cu")
GOOD = {
    "a": np.zeros(2, np.float32),
    "b": np.zeros((2, 2), np.uint16)[1],
    "c": np.zeros(2, np.int32),
    "d": None,
    "e": np.zeros(2, np.int64),
    "f": np.zeros(2, np.uint8),
    "g": -1,
    "h": 2**32 - 1,
    "i": np.int64(2**40),
    "j": 3,
}


def test_signatures_are_parsed():
    assert (KERNEL.name, KERNEL.file, KERNEL.bounds) == ("all_kinds", "x.cu", "256, 1")
    assert (NONE.name, NONE.parameters, NONE.bounds) == ("none", (), "")
    assert ", ".join(map(str, KERNEL.parameters)) == (
        "float* a, bf16* b, int* c, unsigned* d, long long* e, unsigned char* f, "
        "int g, unsigned h, long long i, float j"
    )


def test_arguments_are_cast_by_the_signature():
    args = cast(KERNEL, list(GOOD.values()))
    assert all(given is got for given, got in zip(GOOD.values(), args[:6], strict=False))
    assert [type(arg) for arg in args[6:]] == [np.int32, np.uint32, np.int64, np.float32]
    assert args[6:] == [-1, 2**32 - 1, 2**40, 3.0]
    assert cast(KERNEL, list({**GOOD, "j": np.float64(0.5)}.values()))[-1] == 0.5
    assert cast(NONE, []) == []


@pytest.mark.parametrize(
    ("name", "wrong", "reason"),
    [
        ("a", np.zeros(2), r"float\* a cannot be an array of float64; float32 is wanted"),
        ("a", np.zeros((2, 2), np.float32)[:, 1], "a view with gaps"),
        ("a", 1.0, "1.0"),
        ("b", np.zeros(2, np.float32), "uint16 is wanted"),
        ("c", np.zeros(2, np.int64), "int32 is wanted"),
        ("d", np.zeros(2, np.int32), "uint32 is wanted"),
        ("e", np.zeros(2, np.int32), "int64 is wanted"),
        ("f", np.zeros(2, np.int8), "uint8 is wanted"),
        ("g", 1.0, "int g cannot be 1.0"),
        ("g", None, "int g cannot be None"),
        ("g", 2**31, "2147483648"),
        ("h", -1, "unsigned h cannot be -1"),
        ("i", 2**63, "long long i"),
        ("j", "1", "float j cannot be '1'"),
        ("j", np.zeros(1, np.float32), "float j"),
    ],
)
def test_arguments_that_do_not_fit(name, wrong, reason):
    with pytest.raises(TypeError, match=f"^all_kinds: .*{reason}"):
        cast(KERNEL, list({**GOOD, name: wrong}.values()))


def test_the_number_of_arguments_counts():
    with pytest.raises(TypeError, match=r"all_kinds takes 10 arguments \(float\* a, .*\), not 9"):
        cast(KERNEL, list(GOOD.values())[:-1])


@pytest.mark.parametrize("argument", ["double* x", "double x", "u8 x", "float** x", "bf16 x"])
def test_types_without_arguments_are_refused(argument):
    with pytest.raises(ValueError, match=r"x\.cu: f: no argument can be made for"):
        parse(f'extern "C" __global__ void f(int n, {argument}) {{', "x.cu")


def test_kernels_are_found_by_name():
    other = TEXT.replace("all_kinds", "z").replace("none", "w")
    sources = Sources("COMMON", {"x.cu": TEXT, "y.cu": other})
    assert list(sources.kernels) == ["all_kinds", "none", "z", "w"]
    assert sources.kernel("z").file == "y.cu"
    with pytest.raises(LookupError, match="no kernel 'q'; there are all_kinds, none, z, w"):
        sources.kernel("q")
    assert sources.text("x.cu").startswith('#line 1 "common.cuh"\nCOMMON\n#line 1 "x.cu"\n')
    with pytest.raises(ValueError, match=r"y\.cu: all_kinds is also in x\.cu"):
        _ = Sources("", {"x.cu": TEXT, "y.cu": TEXT}).kernels


def test_sizes_become_options():
    assert options({"H": 256, "G": 4}) == ("-DG=4", "-DH=256")
    assert options(None) == ()


FILES = [path.name for path in sorted(FOLDER.iterdir())]


def test_device_arrays_need_only_look_like_arrays():
    array = SimpleNamespace(dtype=np.dtype(np.float32), flags=SimpleNamespace(c_contiguous=True))
    assert cast(KERNEL, list({**GOOD, "a": array}.values()))[0] is array


@pytest.mark.parametrize("name", FILES)
def test_files_of_kernels_are_short_and_their_kernels_are_found(name):
    lines = (FOLDER / name).read_text("utf-8").split("\n")
    assert len(lines) <= 300
    assert max(map(len, lines)) <= 120
    starts = [n for n, line in enumerate(lines) if "__global__" in line]
    found = [kernel for kernel in Sources.read().kernels.values() if kernel.file == name]
    assert len(starts) == len(found)
    for start in starts:
        length = next(n for n, line in enumerate(lines[start:], 1) if line == "}")
        assert length <= 120, f"line {start + 1}"
        assert re.match("//|#", lines[start - 1]), f"line {start + 1}: no comment says what it does"
