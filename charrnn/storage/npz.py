"""Arrays in a plain .npz file, written and read without pickle; the file may be untrusted.

A file is a zip of uncompressed members ``NAME.npy``. Everything is checked before memory is
allocated, and takes no more memory than the size of the file.
"""

import re
import zipfile
from collections.abc import Mapping
from math import prod
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from charrnn.backend.arrays import Array
from charrnn.errors import CheckpointError
from charrnn.system.machine import installed_memory

DIRECTORY_LIMIT = 2**19
"""Most bytes of the list of arrays; 16 ensemble members of 64 layers take 0.2 MB."""
_HEADER = re.compile(
    rb"\{'descr': '([<|>=]?\w+)', 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\), \} *\n"
)


def members_of(archive: zipfile.ZipFile, file_size: int) -> dict[str, zipfile.ZipInfo]:
    """Return the members of an archive by name; reject one that could take more than its size."""
    listed = archive.infolist()
    members = {member.filename: member for member in listed}
    if len(members) != len(listed):
        raise CheckpointError("it names a member twice")
    for member in listed:
        # Only stored members: no content can be larger than the file.
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise CheckpointError(f"its member {member.filename!r} is compressed")
    if sum(member.file_size for member in listed) > file_size:
        raise CheckpointError("it claims more content than it has")
    memory = installed_memory()
    if memory and 2 * file_size > memory:  # a sparse file may be larger than its disk
        raise CheckpointError(
            f"it needs about {2 * file_size / 1e9:,.0f} GB of memory, and this machine has "
            f"{memory / 1e9:,.0f} GB"
        )
    return members


def read_array(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, expected: tuple[int, ...]
) -> Array:
    """Return a float32 array of this shape, after checking that all values are finite."""
    if prod(expected) * 4 > member.file_size:
        raise CheckpointError(f"its array {member.filename} is too short for its model")
    shape, dtype, data = read_member(archive, member)
    if shape != expected or dtype != "<f4":
        raise CheckpointError(
            f"its array {member.filename} is {shape} {dtype}, but its model needs {expected} <f4"
        )
    if len(data) != 4 * prod(shape):
        raise CheckpointError(f"its array {member.filename} is truncated or too long")
    array: Array = np.frombuffer(data, "<f4").reshape(shape)
    if not np.isfinite(array).all():
        raise CheckpointError(f"its array {member.filename} has values that are not finite")
    return array


def read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> tuple[tuple[int, ...], str, bytes]:
    """Return the shape, dtype and bytes of an array.

    The header is matched by a pattern. NumPy's own reader parses it as a Python literal, so that a
    long or deeply nested one could exhaust memory.
    """
    with archive.open(member) as file:
        if file.read(8) != b"\x93NUMPY\x01\x00":
            raise CheckpointError("its arrays have an unknown version")
        header = _HEADER.fullmatch(file.read(int.from_bytes(file.read(2), "little")))
        data = file.read()  # up to the end, where the checksum is verified
    if header is None:
        raise CheckpointError("the header of an array is malformed")
    dtype, fortran, sizes = (group.decode() for group in header.groups())
    shape = tuple(int(size) for size in sizes.replace(" ", "").removesuffix(",").split(",") if size)
    if fortran == "True":
        raise CheckpointError("its arrays are in column-major order")
    return shape, dtype, data


def write_arrays(file: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays for ``read_member``: stored members ``NAME.npy``, version 1.0, row-major.

    ``np.savez`` writes the same bytes, but before NumPy 2.2 it had no option to forbid pickle.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            # A ZipInfo has a fixed default date, so the same arrays give the same bytes.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                data = np.asarray(array, order="C")
                np.lib.format.write_array(member, data, version=(1, 0), allow_pickle=False)
