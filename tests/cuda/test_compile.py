"""The kernels compiled for GPUs: without errors, with registers for all that a thread holds."""

from itertools import chain
from math import prod

import pytest
from emulator.backend import own_sources
from emulator.compilers import missing, usage

from charrnn.cuda.occupancy import REGISTERS, THREADS, best
from charrnn.cuda.source import Sources, options

ARCHITECTURES = {"sm_80": 16, "sm_90": 0}
"""What a thread may spill, in bytes: the persistent kernels are fitted to an H100."""

PERSISTENT = [("gru", 384, 64, "tf32"), ("lstm", 512, 256, "bf16")]
"""Cell, H, N and precision for which the persistent kernels are compiled, for an H100."""

FORMS = list(chain.from_iterable(best(*size, 132, 232448) for size in PERSISTENT))


def units():
    """The sources as they are compiled, by name, with their sizes."""
    sized = {f"{form.kernel}.cu" for form in FORMS}
    sources = own_sources()
    # Together, for a compiler takes a second to begin with.
    plain = "\n".join(text for file, text in sources.files.items() if file not in sized)
    yield "plain.cu", Sources(sources.common, {"plain.cu": plain}), {}
    for form in FORMS:
        yield f"{form.kernel}.cu", sources, form.defines


@pytest.fixture(autouse=True)
def compiler():
    if missing():
        pytest.skip(missing())


def most_registers(bounds, sizes):
    """The registers that a thread may have so that as many threads fit as the kernel asks for."""
    values = {"THREADS": THREADS, **sizes}
    names = [name.strip() for name in bounds.split(",") if bounds]
    wanted = prod(int(values.get(name, name)) for name in names) if names else 1024
    return min(255, REGISTERS // wanted)


@pytest.mark.parametrize(("file", "sources", "sizes"), list(units()))
def test_kernels_compile_and_fit_into_registers(file, sources, sizes):
    kernels = [kernel for kernel in sources.kernels.values() if kernel.file == file]
    found = usage(sources.text(file), file, ARCHITECTURES, options(sizes))
    assert set(found) == {(one, kernel.name) for one in ARCHITECTURES for kernel in kernels}
    for kernel in kernels:
        for architecture, spilled in ARCHITECTURES.items():
            used = found[architecture, kernel.name]
            assert max(used.stack, used.spilled) <= spilled, kernel.name
            assert used.registers <= most_registers(kernel.bounds, sizes), kernel.name


def test_errors_name_the_file_and_the_line():
    with pytest.raises(AssertionError, match=r"a\.cu\(3\): error"):
        usage('#line 2 "a.cu"\n\nint a = b;\n', "a.cu", ["sm_90"])


def test_spilled_registers_are_seen():
    text = """
    extern "C" __global__ void __launch_bounds__(1024) many(float* x) {
        float held[200];
        #pragma unroll
        for (int i = 0; i < 200; ++i) held[i] = x[i * 1024 + threadIdx.x];
        __syncthreads();
        #pragma unroll
        for (int i = 0; i < 200; ++i) x[i * 1024 + threadIdx.x] = held[199 - i] * held[i];
    }
    """
    used = usage(text, "many.cu", ["sm_90"])["sm_90", "many"]
    assert used.registers <= 64
    assert used.spilled > 0
