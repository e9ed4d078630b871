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

from sightline.models.compiled.runtime import ChangedError, TowerError
from sightline.models.opened_file import OpenedFile
from store.arrays import Floats

_SUM: Final = 4  # bytes of a checksum


class Rows:
    """An embedding in a file, for one thread at a time."""

    def __init__(self, path: Path, kind: str, width: int) -> None:
        """Open a file: rows of `width` numbers of a `kind`, then the CRC-32 of each, begun with its number.

        It is not mapped: the system would map what lies around each row, too.

        Raises:
            TowerError: it can't be.
        """
        self._path = path
        self._kind = np.dtype(kind)
        self._each = self._kind.itemsize * width
        try:
            self._file = OpenedFile(path)
            self._count = path.stat().st_size // (self._each + _SUM)
        except OSError as error:
            raise TowerError(f"{path} can't be read: {error}") from error

    def take(self, ids: NDArray[np.int64]) -> Floats:
        """The rows (n, length, width), float32, of tokens (n, length).

        Raises:
            ChangedError: the file was written since it was opened.
            TowerError: one is damaged, or there is none such.
        """
        if not self._file.is_as_opened():
            raise ChangedError.of(self._path)
        found, where = np.unique(ids, return_inverse=True)
        rows = np.stack([self._row(int(number)) for number in found])
        return rows[where.reshape(ids.shape)]

    def _row(self, number: int) -> Floats:
        row = self._read(number * self._each, self._each)
        expected = self._read(self._count * self._each + number * _SUM, _SUM)
        if not 0 <= number < self._count or zlib.crc32(row, number).to_bytes(_SUM, "little") != expected:
            raise TowerError(f"{self._path} is damaged")
        return np.frombuffer(row, self._kind).astype(np.float32)

    def _read(self, at: int, count: int) -> bytes:
        try:
            return self._file.read(at, count)
        except (OSError, ValueError) as error:
            raise TowerError(f"{self._path} can't be read: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()
