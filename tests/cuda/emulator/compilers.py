"""CUDA sources compiled for GPUs, without one, by NVRTC or nvcc, whichever is installed."""

import ctypes
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

from emulator.building import folder

LIBRARIES = "cu13/lib/libnvrtc.so.13", "cuda_nvrtc/lib/libnvrtc.so.12"
"""Where the wheels of NVRTC have it, in the folder of the package ``nvidia``."""

FLAGS = "-std=c++17", "--ptxas-options=-v"

_ENTRY = re.compile(
    r"Compiling entry function '(\w+)' for '(\w+)'"
    r".*?(\d+) bytes stack frame, (\d+) bytes spill stores"
    r".*?Used (\d+) registers",
    re.DOTALL,
)


class Usage(NamedTuple):
    """What a thread of a kernel takes."""

    registers: int
    stack: int  # bytes of memory in the place of registers
    spilled: int  # bytes


@cache
def nvrtc():
    """Return the library, or None."""
    found = importlib.util.find_spec("nvidia")
    folders = list(found.submodule_search_locations) if found else []
    paths = [Path(folder) / name for folder in folders for name in LIBRARIES]
    return next((ctypes.CDLL(str(path)) for path in paths if path.exists()), None)


def missing():
    """Return why nothing can be compiled, or an empty string."""
    return "" if nvrtc() or shutil.which("nvcc") else "no CUDA compiler is installed"


def usage(text, name, architectures, flags=()):
    """Compile a source; return what each kernel uses, or raise AssertionError with the errors.

    The keys are architecture and kernel, such as "sm_90" and "total". What a compiler said is kept
    beside the emulator's libraries, for nvcc takes seconds.
    """
    flags = (*FLAGS, *flags)
    key = "\0".join([_version(), *flags, *architectures, text])
    kept = folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.log"
    if not kept.exists():
        log = (_by_nvrtc if nvrtc() else _by_nvcc)(text, name, architectures, flags)
        own = kept.with_name(f"{os.getpid()}-{kept.name}")
        own.write_text(log)
        own.replace(kept)
    return {
        (architecture, kernel): Usage(int(registers), int(stack), int(spilled))
        for kernel, architecture, stack, spilled, registers in _ENTRY.findall(kept.read_text())
    }


@cache
def _version():
    if library := nvrtc():
        major, minor = ctypes.c_int(), ctypes.c_int()
        library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        return f"NVRTC {major.value}.{minor.value}"
    command = ["nvcc", "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _by_nvrtc(text, name, architectures, flags):
    return "".join(_run_nvrtc(text, name, (f"-arch={one}", *flags)) for one in architectures)


def _run_nvrtc(text, name, options):
    program, size, library = ctypes.c_void_p(), ctypes.c_size_t(), nvrtc()
    made = library.nvrtcCreateProgram(
        ctypes.byref(program), text.encode(), name.encode(), 0, None, None
    )
    assert made == 0
    given = (ctypes.c_char_p * len(options))(*map(str.encode, options))
    status = library.nvrtcCompileProgram(program, len(options), given)
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    assert status == 0, log.value.decode()
    return log.value.decode()


def _by_nvcc(text, name, architectures, flags):
    targets = [f"-gencode=arch={one.replace('sm', 'compute')},code={one}" for one in architectures]
    command = ["nvcc", *targets, *flags, "-fatbin", "-x", "cu", "-o", "/dev/null", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr
