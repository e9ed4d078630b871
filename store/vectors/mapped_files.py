"""Arrays in files: small ones read into memory, large ones mapped, and looked after while they are.

Another program may cut a file short while it is mapped. Who reads what is gone then gets SIGBUS, which would end the
process. Here reading it gives zeros instead, on Linux, and `is_whole` tells that what was read since is worth nothing.
Sightline's own programs never cut a file that others may have mapped.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from store.vectors import bus_errors


@dataclass(frozen=True, slots=True)
class Watch:
    """What tells whether mapped files are as they were when they were mapped.

    Attributes:
        files: the mappings. Each begins with its file, and must not be longer.
        errors: of reading mapped files, before.
    """

    files: tuple[mmap.mmap, ...] = ()
    errors: int = 0

    @classmethod
    def over(cls, *arrays: NDArray[Any] | None) -> Watch:
        """Watch the files that arrays lie in, from now on; of arrays in memory there is nothing to watch."""
        files = (None if array is None else file_of(array) for array in arrays)
        return cls(tuple(file for file in files if file is not None), bus_errors.count())

    def is_whole(self) -> bool:
        """Whether every file still has its bytes, and all were read without an error.

        To be asked before reading, and again after it: what was read between is right where both say so. It takes a
        microsecond a file.
        """
        return not self.files or (
            all(file.size() >= len(file) for file in self.files) and bus_errors.count() == self.errors
        )


def array_in(path: Path, dtype: DTypeLike, start: int, shape: tuple[int, int], *, mapped: bool) -> NDArray[Any]:
    """The array at `start` of a file, mapped or in memory; not to be written to.

    Raises:
        OSError, ValueError: the file is missing or short.
    """
    if not shape[0]:
        return np.empty(shape, dtype)
    end = start + shape[0] * shape[1] * np.dtype(dtype).itemsize
    if path.stat().st_size < end:
        raise ValueError(f"{path} is shorter than its manifest says")
    if not mapped:
        rows = np.fromfile(path, dtype, shape[0] * shape[1], offset=start)
        rows.setflags(write=False)
        return rows.reshape(shape)
    with path.open("rb") as opened:
        file = mmap.mmap(opened.fileno(), end, access=mmap.ACCESS_READ)
    array: NDArray[Any] = np.ndarray(shape, dtype, file, start)
    bus_errors.outlive(file, array.ctypes.data - start)
    return array


def file_of(array: NDArray[Any]) -> mmap.mmap | None:
    """The mapping that an array lies in; None for none."""
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    return base
