"""The CUDA sources: the kernels and their parameters.

The parameters of a kernel are defined only by its signature in the source: a caller passes Python
numbers and arrays, and ``cast`` converts them to the types of the signature.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

FOLDER = Path(__file__).parent / "kernels"
COMMON = "common.cuh"

DTYPES: dict[str, type[np.number[Any]]] = {
    "float": np.float32,
    "bf16": np.uint16,
    "int": np.int32,
    "unsigned": np.uint32,
    "long long": np.int64,
    "unsigned char": np.uint8,
}
"""The dtype of an array for each C++ type of its elements."""

SCALARS = ("float", "int", "unsigned", "long long")
"""The types of parameters that are not pointers."""

_KERNEL = re.compile(
    r'extern\s+"C"\s+__global__\s+void\s+'
    r"(?:__launch_bounds__\s*\(([^)]*)\)\s*)?(\w+)\s*\(([^)]*)\)\s*\{"
)
_PARAMETER = re.compile(r"(.*?)\s*(\*?)\s*(\w+)")
_INCLUDE = re.compile(r'#include "(\w+\.cuh)"\n')
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel: a number of a C++ type, or a pointer to an array."""

    name: str
    ctype: str
    pointer: bool

    @property
    def dtype(self) -> type[np.number[Any]]:
        """The dtype of the number, or of the elements of the array."""
        return DTYPES[self.ctype]

    def __str__(self) -> str:
        return f"{self.ctype}{'*' if self.pointer else ''} {self.name}"


@dataclass(frozen=True)
class Kernel:
    """A kernel as its signature describes it.

    Attributes
    ----------
    file : str
        Name of the file that it is in, such as "loss.cu".
    bounds : str
        The content of ``__launch_bounds__``; empty if there is none.
    """

    name: str
    file: str
    parameters: tuple[Parameter, ...]
    bounds: str = ""


class Sources:
    """The CUDA sources, by name of file.

    Parameters
    ----------
    common : str
        Text that is put before every file.
    files : mapping of str to str
        The text of each file, which forms a translation unit together with ``common``.
    """

    def __init__(self, common: str, files: Mapping[str, str]) -> None:
        self.common = common
        self.files = dict(files)

    @classmethod
    def read(cls, folder: Path = FOLDER) -> Self:
        """Read the sources that are part of charrnn."""
        files = {path.name: _with_headers(path) for path in sorted(folder.glob("*.cu"))}
        return cls((folder / COMMON).read_text("utf-8"), files)

    @cached_property
    def kernels(self) -> dict[str, Kernel]:
        """All kernels by name."""
        kernels: dict[str, Kernel] = {}
        for file, text in self.files.items():
            for kernel in parse(text, file):
                if kernel.name in kernels:
                    raise ValueError(
                        f"{file}: {kernel.name} is also in {kernels[kernel.name].file}"
                    )
                kernels[kernel.name] = kernel
        return kernels

    def kernel(self, name: str) -> Kernel:
        """Return a kernel; raise LookupError if there is none of that name."""
        if name not in self.kernels:
            raise LookupError(f"there is no kernel {name!r}; there are {', '.join(self.kernels)}")
        return self.kernels[name]

    def text(self, file: str) -> str:
        """Return the whole translation unit, with file names and lines for compiler messages."""
        parts = ((COMMON, self.common), (file, self.files[file]))
        return "".join(f'#line 1 "{name}"\n{text}\n' for name, text in parts)


def _with_headers(path: Path) -> str:
    """Return a source with its headers inlined, as run-time compilers have no include folder."""
    lines = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(keepends=True), 1):
        if found := _INCLUDE.fullmatch(line):
            header = path.with_name(found[1]).read_text("utf-8")
            line = f'#line 1 "{found[1]}"\n{header}#line {number + 1} "{path.name}"\n'
        lines.append(line)
    return "".join(lines)


def options(defines: Mapping[str, int] | None) -> tuple[str, ...]:
    """Return the compiler options for a file that is compiled for given sizes."""
    return tuple(f"-D{name}={value}" for name, value in sorted((defines or {}).items()))


def parse(text: str, file: str) -> list[Kernel]:
    """Return the kernels of a file; raise ValueError for a type that ``cast`` does not support."""
    return [
        Kernel(name, file, tuple(_parameters(arguments, f"{file}: {name}")), (bounds or "").strip())
        for bounds, name, arguments in _KERNEL.findall(_COMMENT.sub(" ", text))
    ]


def _parameters(arguments: str, where: str) -> list[Parameter]:
    parameters = []
    for argument in filter(None, map(str.strip, arguments.split(","))):
        words = re.sub(r"\bconst\b|\b__restrict__\b", " ", argument)
        found = _PARAMETER.fullmatch(" ".join(words.split()))
        parameter = Parameter(found[3], found[1], bool(found[2])) if found else None
        if parameter is None or parameter.ctype not in (DTYPES if parameter.pointer else SCALARS):
            raise ValueError(f"{where}: no argument can be made for {argument!r}")
        parameters.append(parameter)
    return parameters


def cast(kernel: Kernel, args: Sequence[Any]) -> list[Any]:
    """Convert arguments for a launch.

    Numbers become NumPy scalars of the type in the signature. Arrays, and None for a null pointer,
    are returned unchanged.

    Raises
    ------
    TypeError
        If there are too many arguments or too few, or if one does not fit its parameter.
    """
    parameters = kernel.parameters
    if len(args) != len(parameters):
        wanted = ", ".join(map(str, parameters))
        raise TypeError(
            f"{kernel.name} takes {len(parameters)} arguments ({wanted}), not {len(args)}"
        )
    return [_argument(kernel, *pair) for pair in zip(parameters, args, strict=True)]


def _argument(kernel: Kernel, parameter: Parameter, arg: Any) -> Any:
    reason = _pointer_fault(parameter, arg) if parameter.pointer else _number_fault(parameter, arg)
    if reason:
        raise TypeError(f"{kernel.name}: {parameter} cannot be {reason}")
    return arg if parameter.pointer else parameter.dtype(arg)


def _pointer_fault(parameter: Parameter, arg: Any) -> str:
    """Return what is wrong with an array, or an empty string."""
    if arg is None:
        return ""
    if not hasattr(arg, "dtype") or not hasattr(arg, "flags"):
        return f"{arg!r}"
    if arg.dtype != parameter.dtype:
        return f"an array of {arg.dtype}; {np.dtype(parameter.dtype)} is wanted"
    return (
        ""
        if arg.flags.c_contiguous
        else f"a view with gaps: shape {arg.shape}, strides {arg.strides}"
    )


def _number_fault(parameter: Parameter, arg: Any) -> str:
    """Return what is wrong with a number, or an empty string."""
    if isinstance(arg, int | np.integer):
        if parameter.ctype == "float":
            return ""
        limits = np.iinfo(parameter.dtype.__name__)
        return "" if limits.min <= arg <= limits.max else f"{arg}"
    return "" if parameter.ctype == "float" and isinstance(arg, float | np.floating) else f"{arg!r}"
