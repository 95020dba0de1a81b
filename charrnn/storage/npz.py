"""Arrays in a plain .npz, written and read back without pickle; the file may come from anyone.

A file is a zip of uncompressed members ``NAME.npy``. What is read is checked before memory is asked
for, and takes no more of it than the file is long.
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
"""Bytes of the list of arrays; 16 members of 64 layers take 0.2 MB."""
_HEADER = re.compile(
    rb"\{'descr': '([<|>=]?\w+)', 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\), \} *\n"
)


def members_of(archive: zipfile.ZipFile, file_size: int) -> dict[str, zipfile.ZipInfo]:
    """Return the members of an archive by name; refuse what could take more than its size."""
    listed = archive.infolist()
    members = {member.filename: member for member in listed}
    if len(members) != len(listed):
        raise CheckpointError("it names a member twice")
    for member in listed:
        # Stored, not compressed: then nothing can unpack to more than the file is long.
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise CheckpointError(f"its member {member.filename!r} is compressed")
    if sum(member.file_size for member in listed) > file_size:
        raise CheckpointError("it announces more than it holds")
    memory = installed_memory()
    if memory and 2 * file_size > memory:  # a file with holes may be longer than its disk
        raise CheckpointError(
            f"it needs about {2 * file_size / 1e9:,.0f} GB of memory and this machine has "
            f"{memory / 1e9:,.0f} GB"
        )
    return members


def read_array(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, expected: tuple[int, ...]
) -> Array:
    """Return a float32 array of this shape; all of its values are finite."""
    if prod(expected) * 4 > member.file_size:
        raise CheckpointError(f"its array {member.filename} is shorter than its model needs")
    shape, dtype, data = read_member(archive, member)
    if shape != expected or dtype != "<f4":
        raise CheckpointError(
            f"its array {member.filename} is {shape} {dtype}, where its model needs {expected} <f4"
        )
    if len(data) != 4 * prod(shape):
        raise CheckpointError(f"its array {member.filename} is cut off or too long")
    array: Array = np.frombuffer(data, "<f4").reshape(shape)
    if not np.isfinite(array).all():
        raise CheckpointError(f"its array {member.filename} holds values that are not finite")
    return array


def read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> tuple[tuple[int, ...], str, bytes]:
    """Return shape, dtype and bytes of an array.

    The header is matched as text. NumPy's own reader parses it as a Python literal, and a long or
    deeply nested one can exhaust memory there.
    """
    with archive.open(member) as file:
        if file.read(8) != b"\x93NUMPY\x01\x00":
            raise CheckpointError("its arrays are of an unknown version")
        header = _HEADER.fullmatch(file.read(int.from_bytes(file.read(2), "little")))
        data = file.read()  # to its end, where the sum is checked
    if header is None:
        raise CheckpointError("the header of an array is malformed")
    dtype, fortran, sizes = (group.decode() for group in header.groups())
    shape = tuple(int(size) for size in sizes.replace(" ", "").removesuffix(",").split(",") if size)
    if fortran == "True":
        raise CheckpointError("its arrays are in column order")
    return shape, dtype, data


def write_arrays(file: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write what ``read_member`` reads: stored members ``NAME.npy``, version 1.0, in row order.

    ``np.savez`` writes the same bytes, but before NumPy 2.2 it cannot be told to refuse a pickle.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            # A ZipInfo has a fixed date of its own, so the same arrays give the same bytes.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                data = np.asarray(array, order="C")
                np.lib.format.write_array(member, data, version=(1, 0), allow_pickle=False)
