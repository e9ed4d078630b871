"""The embedding of a text tower in a file of its own, of which a query reads the rows of its tokens.

It is most of a multilingual model: 256,000 rows of 768 numbers. Each row has a checksum, as the file is never read
whole.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sightline.models.compiled.runtime import TowerError
from store.arrays import Floats

# Rows that are converted at once.
_AT_ONCE: Final = 8192
_LARGEST: Final = float(np.finfo(np.float16).max)


def write_rows(path: Path, table: Floats) -> str:
    """Write an embedding (n, width), with the checksums of its rows behind; returns the type it was written in.

    Raises:
        OSError: it can't be written.
    """
    kind = np.float16 if float(np.abs(table).max(initial=0)) <= _LARGEST else np.float32
    each = np.dtype(kind).itemsize * table.shape[1]
    sums: list[int] = []
    with path.open("wb") as file:
        for first in range(0, len(table), _AT_ONCE):
            data = memoryview(np.ascontiguousarray(table[first : first + _AT_ONCE], kind)).cast("B")
            sums += [
                zlib.crc32(data[start : start + each], first + number)
                for number, start in enumerate(range(0, len(data), each))
            ]
            file.write(data)
        file.write(np.array(sums, np.uint32).tobytes())
    return np.dtype(kind).name


class Rows:
    """An embedding in a file."""

    def __init__(self, path: Path, kind: str, width: int) -> None:
        """Map what `write_rows` wrote.

        Raises:
            TowerError: it can't be.
        """
        self._path = path
        try:
            each = np.dtype(kind).itemsize * width
            count = path.stat().st_size // (each + 4)
            self._table: NDArray[np.floating] = np.memmap(path, kind, "r", 0, (count, width))
            self._sums: NDArray[np.uint32] = np.memmap(path, np.uint32, "r", count * each, (count,))
        except (OSError, ValueError) as error:
            raise TowerError(f"{path} can't be read: {error}") from error

    def take(self, ids: NDArray[np.int64]) -> Floats:
        """The rows (n, length, width), float32, of tokens (n, length).

        Raises:
            TowerError: one is damaged, or there is none such.
        """
        found, where = np.unique(ids, return_inverse=True)
        try:
            rows = self._table[found]
            sums = self._sums[found]
        except IndexError as error:
            raise TowerError(f"{self._path} has no row for a token: {error}") from error
        for row, index, expected in zip(rows, found, sums, strict=True):
            if zlib.crc32(row.tobytes(), int(index)) != expected:
                raise TowerError(f"{self._path} is damaged")
        return rows.astype(np.float32)[where.reshape(ids.shape)]
