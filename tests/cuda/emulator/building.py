"""CUDA sources compiled by g++ into libraries that run them on the CPU, each once.

The libraries stay in a folder of the system's temporary folder, named by the hash of all that goes
into them, so that only a source that has changed is compiled again.
"""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from math import prod
from pathlib import Path

import numpy as np
import pytest

from charrnn.cuda.source import Sources, options

HERE = Path(__file__).parent
FLAGS = "-std=c++17", "-fPIC", "-w", "-fvisibility=hidden", "-U_FORTIFY_SOURCE", "-fno-exceptions"
CHECKED = (
    "-fno-strict-aliasing",
    "-fsanitize=alignment,bounds,null",
    # The C header, without the C++ one around it: half the time of a small kernel's compilation.
    "-D_GLIBCXX_INCLUDE_NEXT_C_HEADERS",
)
"""Flags for kernels, not for the fibers."""

STACK = (1 << 15) + 320
"""Bytes of a fiber's stack: ``cpu::STACK`` of fibers.cpp."""

WAITS = r"__shared__|__sync\w+|__shfl_\w+|mma_m16n8k\w+|load_acquire"
"""What only a thread with a stack of its own can do: wait, or share memory with those that do."""

_DYNAMIC = re.compile(
    r"\bextern\s+__shared__\s+(?:__align__\(\d+\)\s*)?([\w ]+?)\s+(\w+)\s*\[\s*\]\s*;"
)
_LINKAGE = re.compile(r'\bextern\s+"C"\s+__global__\b')
_FUNCTION = re.compile(r"\b(\w+)\s*\([^(){};]*\)\s*\{")
_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:[^\n\\]|\\\n|\\.)*)", re.MULTILINE)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)

MISSING = (
    "Linux: the emulator needs its linker"
    if sys.platform != "linux"
    else ""
    if shutil.which("g++")
    else "no g++ to compile kernels with"
)
"""Why kernels cannot be emulated here; empty where they can."""


class BuildError(Exception):
    """A source does not compile; the message is the compiler's."""


class Launch(ctypes.Structure):
    """How a kernel is launched: ``cpu::Launch`` of fibers.cpp."""

    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_ulonglong),
        ("stacks", ctypes.c_void_p),
        ("waits", ctypes.c_ubyte),
        ("cooperative", ctypes.c_ubyte),
        ("descending", ctypes.c_ubyte),
    )


def waiting(text: str) -> set[str]:
    """Return the functions and macros of a source in which a thread may wait for others."""
    text = _COMMENT.sub(" ", text)
    bodies = dict(_MACRO.findall(text))
    for found in _FUNCTION.finditer(text):
        bodies[found[1]] = bodies.get(found[1], "") + _body(text, found.end())
    names: set[str] = set()
    while True:
        pattern = re.compile(rf"\b(?:{'|'.join([WAITS, *sorted(names)])})\b")
        found_now = {name for name, body in bodies.items() if pattern.search(body)}
        if found_now <= names:
            return names
        names |= found_now


def _body(text: str, start: int) -> str:
    """Return what lies between a brace before ``start`` and the one that closes it."""
    depth = 1
    for brace in re.compile(r"[{}]").finditer(text, start):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            return text[start : brace.start()]
    raise BuildError(f"a brace is never closed: {text[start - 80 : start]}")


def translation_unit(sources: Sources, file: str, only: Collection[str] = ()) -> str:
    """Return the C++ source of a file of kernels, with a function for each that launches it.

    With ``only``, the other kernels have none, so that g++ leaves them out, which is quicker.
    """
    text = _DYNAMIC.sub(r"\1* const \2 = (\1*)cpu::dynamic_shared();", sources.text(file))
    parts = ['#include "cuda_on_cpu.h"\n', _LINKAGE.sub("__global__", text)]
    for kernel in sources.kernels.values():
        if kernel.file == file and (not only or kernel.name in only):
            types = (p.ctype + "*" * p.pointer for p in kernel.parameters)
            args = ", ".join(f"cpu::argument<{type_}>(a[{i}])" for i, type_ in enumerate(types))
            parts.append(f"CPU_LAUNCHER({kernel.name}, {args})\n")
    return "".join(parts)


def folder() -> Path:
    """Return the folder of the libraries, which belongs to this user alone."""
    path = Path(tempfile.gettempdir()) / f"charrnn-emulator-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise BuildError(f"{path} belongs to someone else: set TMPDIR to another folder")
    return path


@cache
def _version() -> str:
    command = ["g++", "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _build(kind: str, text: str, *commands: Sequence[str]) -> Path:
    """Return the file that commands make of a source in C++, unless that was done before."""
    headers = (path.read_text() for path in sorted(HERE.glob("*.h")))
    parts = [_version(), *headers, text, *map(" ".join, commands)]
    target = folder() / (hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24] + kind)
    if not target.exists():
        # Two processes may make the same: each has a folder of its own, and the last one stays.
        with tempfile.TemporaryDirectory(dir=folder()) as own:
            (Path(own) / "source.cpp").write_text(text)
            for command in commands:
                done = subprocess.run(["g++", *command], cwd=own, capture_output=True, text=True)
                if done.returncode:
                    raise BuildError(done.stderr.strip())
            (Path(own) / f"made{kind}").replace(target)
    return target


def build(text: str, flags: tuple[str, ...] = ()) -> Path:
    """Compile a translation unit, unless that was done before, and return the library.

    A test that comes here is skipped where there is nothing to compile with.
    """
    if MISSING:
        pytest.skip(MISSING)
    first = *FLAGS, f"-I{HERE}", "-c", "source.cpp", "-o"
    portable = [flag for flag in flags if "CPU_UCONTEXT" in flag]
    text_of_fibers = (HERE / "fibers.cpp").read_text()
    fibers = _build(".o", text_of_fibers, [*first, "made.o", "-O2", *portable])
    link = "-shared", "-o", "made.so", "kernels.o", str(fibers)
    return _build(".so", text, [*first, "kernels.o", *CHECKED, *flags], link)


_stacks = np.zeros(0, np.uint8)


def stacks(threads: int) -> int:
    """Return the address of stacks for fibers, which all libraries use, one after the other."""
    global _stacks
    if _stacks.size < threads * STACK:
        _stacks = np.zeros(threads * STACK, np.uint8)
    return _stacks.ctypes.data


class Library:
    """The kernels of a file, compiled for given sizes."""

    def __init__(
        self,
        sources: Sources,
        file: str,
        defines: Mapping[str, int] | None = None,
        only: Collection[str] = (),
    ) -> None:
        self._waiting = waiting(sources.text(file))
        # A kernel with a fault runs once: it is not worth much of a compiler's time.
        flags = (*options(defines), "-O0" if only else "-O1")
        library = build(translation_unit(sources, file, only), flags)
        self._library = ctypes.CDLL(str(library), mode=os.RTLD_LOCAL)

    def launch(self, name, grid, block, args, *, shared=0, cooperative=False, descending=False):
        """Run a kernel with arguments as ``cast`` returns them; return None or what went wrong."""
        function = getattr(self._library, f"launch_{name}")
        function.restype = ctypes.c_char_p
        waits = name in self._waiting
        threads = prod(block) * (prod(grid) if cooperative else 1) if waits else 0
        how = Launch(grid, block, shared, stacks(threads), waits, cooperative, descending)
        slots = b"".join(map(_slot, args))
        message = function(ctypes.byref(how), slots)
        return message.decode() if message else None


def _slot(arg) -> bytes:
    """Return the 8 bytes of an argument: a number, or an address."""
    if arg is None:
        return bytes(8)
    if isinstance(arg, np.generic):
        return arg.tobytes().ljust(8, b"\0")
    return np.uint64(arg.ctypes.data).tobytes()
