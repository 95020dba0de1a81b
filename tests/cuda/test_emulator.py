"""The emulator: what kernels compute in it, and what it finds wrong with them."""

import numpy as np
import pytest
from emulator.backend import EmulatedBackend, EmulatorError, own_sources
from emulator.building import BuildError, waiting
from emulator.faults import assert_caught, planted, run_check

from charrnn.cuda.source import Sources

KERNELS = r"""
// out[y, x] = the block and the thread of each number, in 2 dimensions
extern "C" __global__ void places(int* out, int rows, int columns) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= columns || y >= rows) return;
    out[y * columns + x] = blockIdx.y * 1000 + threadIdx.y * 100 + blockIdx.x * 10 + threadIdx.x;
}

// out[b] = sum of x[b, :] (256), with a barrier before each halving
extern "C" __global__ void __launch_bounds__(256) sums(float* out, const float* x) {
    __shared__ float part[256];
    part[threadIdx.x] = x[blockIdx.x * 256 + threadIdx.x];
    for (int k = 128; k; k /= 2) {
        __syncthreads();
        if (threadIdx.x < k) part[threadIdx.x] += part[threadIdx.x + k];
    }
    if (threadIdx.x == 0) out[blockIdx.x] = part[0];
}

// The numbers of a block in reverse, through dynamic shared memory
extern "C" __global__ void reversed(float* x) {
    extern __shared__ float4 memory[];
    float* held = (float*)memory;
    held[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = held[blockDim.x - 1 - threadIdx.x];
}

// out (4, 32): what a warp's lanes get from others
extern "C" __global__ void shuffles(float* out, const float* x) {
    int lane = threadIdx.x;
    out[lane] = __shfl_xor_sync(~0u, x[lane], 5);
    out[32 + lane] = __shfl_down_sync(~0u, x[lane], 3);
    out[64 + lane] = __shfl_sync(~0u, x[lane], 7);
    out[96 + lane] = __shfl_sync(~0u, x[lane], 2, 8);
}

// d (16, 8) = a (16, 8) b (8, 8)
extern "C" __global__ void tf32(float* d, const float* a, const float* b) {
    int p = threadIdx.x / 4, q = threadIdx.x % 4;
    float sum[4] = {};
    unsigned held[4];
    for (int e = 0; e < 4; ++e) held[e] = as_tf32(a[(p + e % 2 * 8) * 8 + q + e / 2 * 4]);
    mma_m16n8k8(sum, held, as_tf32(b[q * 8 + p]), as_tf32(b[(q + 4) * 8 + p]));
    for (int e = 0; e < 4; ++e) d[(p + e / 2 * 8) * 8 + 2 * q + e % 2] = sum[e];
}

// d (16, 8) = a (16, 16) b (16, 8)
extern "C" __global__ void bf16s(float* d, const float* a, const float* b) {
    int p = threadIdx.x / 4, q = threadIdx.x % 4;
    float sum[4] = {};
    unsigned held[4], of_b[2];
    for (int e = 0; e < 4; ++e) {
        const float* at = a + (p + e % 2 * 8) * 16 + 2 * q + e / 2 * 8;
        held[e] = pack_bf16(at[0], at[1]);
    }
    for (int e = 0; e < 2; ++e)
        of_b[e] = pack_bf16(b[(2 * q + 8 * e) * 8 + p], b[(2 * q + 8 * e + 1) * 8 + p]);
    mma_m16n8k16(sum, held, of_b[0], of_b[1]);
    for (int e = 0; e < 4; ++e) d[(p + e / 2 * 8) * 8 + 2 * q + e % 2] = sum[e];
}

__device__ void meet(unsigned* count, unsigned target) {  // all blocks of the grid
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(count, 1);
        while (load_acquire(count) < target) {}
    }
    __syncthreads();
}

// out (rounds, grid): each block adds up what all wrote in the round before
extern "C" __global__ void rounds(float* out, unsigned* count, int rounds) {
    for (int r = 1; r < rounds; ++r) {
        float s = 0;
        for (int b = 0; b < gridDim.x; ++b) s += out[(r - 1) * gridDim.x + b];
        if (threadIdx.x == 0) out[r * gridDim.x + blockIdx.x] = s + blockIdx.x;
        meet(count, r * gridDim.x);
    }
}
"""


def sources(kernels=KERNELS):
    return Sources(own_sources().common, {"k.cu": kernels})


def random(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def check_places(backend):
    out = backend.poisoned((7, 5), np.int32)
    backend.launch("places", (2, 3), (4, 3), out, 7, 5)
    y, x = np.indices((7, 5))
    assert (out == y // 3 * 1000 + y % 3 * 100 + x // 4 * 10 + x % 4).all()


def check_sums(backend):
    x = random(5, 256)
    out = backend.poisoned(5)
    backend.launch("sums", 5, 256, out, backend.array(x))
    np.testing.assert_allclose(out, x.sum(axis=1), rtol=1e-4)


def check_shuffles(backend):
    x = random(32)
    out, lane = backend.poisoned((4, 32)), np.arange(32)
    backend.launch("shuffles", 1, 32, out, backend.array(x))
    down = np.where(lane < 29, lane + 3, lane) % 32
    for got, source in zip(out, (lane ^ 5, down, 7 + 0 * lane, lane // 8 * 8 + 2), strict=True):
        assert (got == x[source]).all()


def check_tf32(backend):
    a, b, d = random(16, 8), random(8, 8), backend.poisoned((16, 8))
    backend.launch("tf32", 1, 32, d, backend.array(a), backend.array(b))
    np.testing.assert_allclose(d, a @ b, atol=4e-3)
    assert np.abs(d - a @ b).max() > 1e-6, "nothing was rounded"


def check_bf16(backend):
    a, b, d = random(16, 16), random(16, 8), backend.poisoned((16, 8))
    backend.launch("bf16s", 1, 32, d, backend.array(a), backend.array(b))
    np.testing.assert_allclose(d, a @ b, atol=5e-2)


def check_rounds(backend):
    out, count = backend.poisoned((4, 3)), backend.zeros(1, np.uint32)
    backend.fill(out[0])
    backend.launch("rounds", 3, 64, out, count, 4, cooperative=True)
    wanted = np.zeros((4, 3))
    for r in range(1, 4):
        wanted[r] = wanted[r - 1].sum() + np.arange(3)
    assert (out == wanted).all()


@pytest.mark.parametrize(
    "check", [check_places, check_sums, check_shuffles, check_tf32, check_bf16, check_rounds]
)
def test_kernels_compute_what_they_say(check):
    run_check(check, sources())


FAULTS = [
    (check_places, "x >= columns || ", ""),
    (check_places, "y * columns + x", "y * rows + x"),
    (check_sums, "        __syncthreads();\n        if (thr", "        if (thr"),
    (check_sums, "part[threadIdx.x + k]", "part[threadIdx.x + k + 1]"),
    (check_sums, "out[blockIdx.x] = part[0]", "out[blockIdx.x + 1] = part[0]"),
    (check_tf32, "q + e / 2 * 4", "q + e % 2 * 4"),
    (check_bf16, "pack_bf16(at[0], at[1])", "pack_bf16(at[1], at[0])"),
    (check_rounds, "if (threadIdx.x == 0) {\n        __thr", "if (1) {\n        __thr"),
    (check_rounds, "r * gridDim.x);", "(r + 1) * gridDim.x);"),
    (check_rounds, "meet(count, r * gridDim.x);", ""),
]


@pytest.mark.parametrize(("check", "old", "new"), FAULTS)
def test_planted_faults_are_found(check, old, new):
    assert_caught(check, "k.cu", old, new, sources())


def test_a_fault_that_changes_nothing_is_reported():
    old, new = "out[blockIdx.x] = part[0]", "out[blockIdx.x] = *part"
    with pytest.raises(AssertionError, match="passes its check"):
        assert_caught(check_sums, "k.cu", old, new, sources())
    with pytest.raises(AssertionError, match=r"k.cu has 2 times 'float sum"):
        planted("k.cu", "float sum[4] = {};", "", sources())


def test_blocks_that_wait_for_each_other_must_run_at_once():
    backend = EmulatedBackend(sources=sources(), multiprocessors=2)
    args = backend.zeros((2, 3)), backend.zeros(1, np.uint32), 2
    message = r"deadlock: of 64 threads 63 wait at a barrier \(line \d+\)"
    with pytest.raises(EmulatorError, match=message):
        backend.launch("rounds", 2, 64, *args)
    with pytest.raises(EmulatorError, match="3 blocks do not run at once, 2 do"):
        backend.launch("rounds", 3, 64, *args, cooperative=True)


def test_the_portable_contexts_do_the_same():
    backend = EmulatedBackend(sources=sources())
    x = random(5, 256)
    out = backend.poisoned(5)
    backend.launch("sums", 5, 256, out, backend.array(x), defines={"CPU_UCONTEXT": 1})
    np.testing.assert_allclose(out, x.sum(axis=1), rtol=1e-4)


def test_dynamic_shared_memory_belongs_to_a_block():
    backend = EmulatedBackend(sources=sources())
    x = backend.array(np.arange(96, dtype=np.float32))
    backend.launch("reversed", 1, 96, x, shared=96 * 4)
    assert (x == np.arange(96)[::-1]).all()
    with pytest.raises(EmulatorError, match="beyond its 380 bytes"):
        backend.launch("reversed", 1, 96, x, shared=95 * 4)


WRONG = {
    "if (i < 40) __syncthreads(); x[i] = 0;": "deadlock: of 64 threads 40 wait at a barrier",
    "if (i < 32) __syncthreads();\nelse __syncthreads();": "meet at the barriers of lines",
    "if (i % 32 < 31) x[i] = __shfl_xor_sync(~0u, x[i], 1);": "deadlock: .* 62 in an exchange",
    "if (i % 2) __syncwarp();\nelse __syncwarp();": "meet in the exchanges of lines",
    "x[i] = __shfl_xor_sync(0xffff, x[i], 1);": "only exchanges of a whole warp .* 0xffff",
    "while (!load_acquire((unsigned*)x)) {}": "deadlock: .* 64 for a counter",
    "float held[4] = {}; x[i] = held[n + i];": r"k.cu line \d+: index 4 is outside",
    "__shared__ float held[63]; held[i] = 0;": "index 63 is outside",
    "*(float4*)(x + 2) = make_float4(0, 0, 0, 0);": "an address is not aligned",
    "*(float2*)(x + 1) = make_float2(0, 0);": "an address is not aligned",
    "none[i] = 0;": r"a null pointer is used \(block 0 0 0, thread 0 0 0\)",
    "x[(long long)i << 40] = 0;": r"Segmentation fault \(block 0 0 0, thread 1 0 0\)",
    "x[i] = i / n;": "Floating point exception",
    "__syncthreads(); x[(long long)(i == 9) << 40] = 0;": "Segmentation fault .*thread 9 0 0",
}
WRONG_KERNELS = "".join(
    f"""
extern "C" __global__ void wrong{n}(float* x, float* none, int n) {{
    int i = threadIdx.x;
    {body}
}}
"""
    for n, body in enumerate(WRONG)
)


@pytest.mark.parametrize("which", range(len(WRONG)))
def test_what_a_gpu_does_not_allow_is_reported(which):
    backend = EmulatedBackend(sources=sources(WRONG_KERNELS))
    message = f"wrong{which}: .*" + list(WRONG.values())[which]
    with pytest.raises(EmulatorError, match=message):
        backend.launch(f"wrong{which}", 1, 64, backend.zeros(64), None, 0)


@pytest.mark.parametrize(("offset", "where"), [(3, "0 bytes after"), (-1, "4 bytes before")])
def test_writes_beside_an_array_are_found(offset, where):
    kernel = 'extern "C" __global__ void set(float* x, int at) { x[at] = 0; }'
    backend = EmulatedBackend(sources=sources(kernel))
    x, _ = backend.zeros(3), backend.zeros(3)
    backend.launch("set", 1, 1, x, 2)
    backend.check()
    backend.launch("set", 1, 1, x, offset)
    with pytest.raises(EmulatorError, match=f"{where}.* shape \\(3,\\)"):
        backend.check()


def test_shared_memory_starts_as_nan():
    kernel = 'extern "C" __global__ void copy(float* x) { __shared__ float y[2]; x[0] = y[1]; }'
    backend = EmulatedBackend(sources=sources(kernel))
    x = backend.zeros(1)
    backend.launch("copy", 1, 1, x)
    assert np.isnan(x).all()


def test_what_does_not_compile_is_shown_with_its_line():
    kernel = 'extern "C" __global__ void bad(float* x) {\n    x[0] = y;\n}'
    backend = EmulatedBackend(sources=sources(kernel))
    with pytest.raises(BuildError, match=r"k\.cu:2:12: error: .*y"):
        backend.launch("bad", 1, 1, backend.zeros(1))


def test_functions_in_which_threads_wait():
    text = """
    #define WAIT \\
        __syncthreads()
    __device__ float quick(float x) { return x; /* __syncthreads() */ }
    __device__ void slow() { if (quick(1)) { WAIT; } }
    extern "C" __global__ void a(float* x) { for (;;) { x[0] = quick(2); } }
    extern "C" __global__ void b(float* x) { a(x); slow(); }
    """
    assert waiting(text) == {"WAIT", "slow", "b"}


@pytest.mark.parametrize(
    ("grid", "block", "options", "fault"),
    [
        (0, 32, {}, r"no grid can be \(0, 1, 1\)"),
        ((1, 65536), 32, {}, "no grid"),
        (1, (32, 64), {}, "2048 threads, at most 256"),
        (1, 512, {}, "512 threads, at most 256"),
        (1, (1, 1, 65), {}, "no block"),
        (1, 256, {"shared": 300000}, "cannot have 300000 bytes"),
    ],
)
def test_sizes_beyond_a_gpu(grid, block, options, fault):
    backend = EmulatedBackend(sources=sources())
    with pytest.raises(EmulatorError, match=f"sums: .*{fault}"):
        backend.launch("sums", grid, block, backend.zeros(1), backend.zeros(256), **options)


def test_numbers_of_common():
    kernel = r"""
    extern "C" __global__ void numbers(float* x, bf16* y, unsigned* seen, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i >= n) return;
        y[i] = to_bf16(x[i]);
        seen[i] = __float_as_uint(mask(3, i, 0.25f));
        x[i] = sigmoid(x[i]);
    }
    """
    backend = EmulatedBackend("bf16", sources=sources(kernel))
    bits = np.random.default_rng(0).integers(2**32, size=40000, dtype=np.uint32)
    bits[:4] = 0x3F808000, 0x3F818000, 0x3F808001, 0x7F7FFFFF  # two ties, one above, the largest
    values = bits.view(np.float32)
    finite = np.isfinite(values)
    x, y = backend.array(values), backend.poisoned(values.shape, np.uint16)
    drawn = backend.zeros(values.shape)
    backend.launch("numbers", 157, 256, x, y, drawn.view(np.uint32), len(values))
    backend.check()
    assert [hex(h) for h in y[:4]] == ["0x3f80", "0x3f82", "0x3f81", "0x7f80"]
    lower = (y.astype(np.uint32) << 16).view(np.float32)
    assert np.isnan(lower[np.isnan(values)]).all()
    near = finite & (np.abs(values) > 1e-30) & (np.abs(values) < 1e38)
    assert np.abs(lower[near] / values[near] - 1).max() <= 2**-8
    wanted = 1 / (1 + np.exp(-np.clip(values[finite].astype(np.float64), -100, 100)))
    np.testing.assert_allclose(x[finite], wanted, atol=1e-7)
    assert set(drawn) == {0, np.float32(1 / 0.75)}
    assert abs((drawn == 0).mean() - 0.25) < 0.01
