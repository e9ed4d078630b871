"""Rows in half precision: the first ones in a file that is mapped into memory, the newest in memory."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from store.arrays import Floats, Halves, Rows, VectorIds
from store.tables.vector_rows import VectorRows
from store.vectors import checksums, exact
from store.vectors.index_files import ENTRY
from store.vectors.mapped_files import Watch, file_of

CHUNK: Final = 16_384  # rows that are copied at a time
# With at most this share wanted of the rows from the first to the last of them, they are read one by one, and not what
# lies between: of 10M x 512 in a file that memory can't hold, a search took 19 s while 128 kB were read around each.
SCATTERED: Final = 1 / 8


class DamagedRowsError(Exception):
    """A row of a mapped file is not what was written."""


class MappedRows:
    """Rows in a mapped file, each verified once, when it is first read. Safe for use from several threads."""

    def __init__(self, rows: Halves, verified: NDArray[np.bool_] | None = None) -> None:
        """`rows`: float16 (n, dim); `verified`: which of them are known to be what was written, None for none."""
        self.rows = rows
        self.verified = np.zeros(len(rows), np.bool_) if verified is None else verified
        self._all_verified = bool(self.verified.all())
        self._watch = Watch.over(rows)
        self._file = file_of(rows) if hasattr(mmap, "MADV_RANDOM") else None  # not every system takes advice

    @property
    def all_verified(self) -> bool:
        """Whether every row was verified."""
        return self._all_verified

    def verify(self, rows: Rows, checks: Callable[[Rows], NDArray[np.uint32]]) -> None:
        """Compare rows with the checksums that `checks` gives for them, those that nobody did yet.

        Raises:
            DamagedRowsError: one is another.
        """
        if self._all_verified:
            return
        new = rows[~self.verified[rows]]
        if not len(new):
            return
        self.advise(new)
        if (checksums.of_rows(self.rows, new) != checks(new)).any():
            raise DamagedRowsError("a row is not what was written")
        self.verified[new] = True
        self._all_verified = bool(self.verified.all())

    def check(self) -> None:
        """Make sure that what was read, or will be now, is what the file holds.

        Raises:
            DamagedRowsError: the file was cut short, or can't be read.
        """
        if not self._watch.is_whole():
            raise DamagedRowsError("a file of rows was cut short, or can't be read")

    def advise(self, rows: Rows) -> None:
        """Tell the system how the file is about to be read: each time, as others tell it of the same file."""
        if self._file is not None and len(rows):
            span = int(rows.max()) - int(rows.min()) + 1
            self._file.madvise(mmap.MADV_RANDOM if len(rows) <= SCATTERED * span else mmap.MADV_NORMAL)


class RowStore:
    """Vectors with their vector and content ids, by row. Immutable: to append to it is to make another.

    Attributes:
        dim: numbers in a vector.
        mapped: the first rows.
        tail: the others, float16 (n, dim).
        entries: ids and checksums of all rows, as `index_files.ENTRY`. A checksum in `tail` counts for nothing until
            `write_checksums`.
    """

    def __init__(self, mapped: MappedRows, tail: Halves, entries: NDArray[Any]) -> None:
        self.dim = tail.shape[1]
        self.mapped = mapped
        self.tail = tail
        self.entries = entries

    @classmethod
    def empty(cls, dim: int) -> RowStore:
        """No rows."""
        return cls(MappedRows(np.empty((0, dim), np.float16)), np.empty((0, dim), np.float16), np.empty(0, ENTRY))

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def vector_ids(self) -> VectorIds:
        """Vector ids by row, int64 (n,), ascending."""
        ids: VectorIds = self.entries["vector"]
        return ids

    def holds(self, table: VectorRows) -> bool:
        """Whether these rows of the database are here, as they are there.

        Those that are wrong there don't count.

        Raises:
            DamagedRowsError: see `verify`.
        """
        right, own = ~table.wrong, self.vector_ids
        places = np.searchsorted(own, table.ids[right])
        if len(places) and (places[-1] >= len(own) or (own[places] != table.ids[right]).any()):
            return False
        if (self.entries["content"][places] != table.contents[right]).any():
            return False
        return bool((_bits(self.take(places)) == _bits(table.vectors[right])).all())

    def write_checksums(self, rows: Rows) -> None:
        """Put the checksums of rows of `tail` into `entries`."""
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            self.entries["check"][part] = checksums.of_rows(self.take(part))

    def verify(self, rows: Rows) -> None:
        """Make sure that rows are what was written. Each row of the file is looked at once.

        Raises:
            DamagedRowsError: one is not.
        """
        self.mapped.check()
        if not self.mapped.all_verified:
            edge = len(self.mapped.rows)
            old = rows if not len(self.tail) else rows[rows < edge]
            self.mapped.verify(old, lambda new: self.entries["check"][new])

    def take(self, rows: Rows) -> Halves:
        """Rows float16 (n, dim), in their order, verified.

        Raises:
            DamagedRowsError: see `verify`.
        """
        self.verify(rows)
        edge = len(self.mapped.rows)
        if not edge:
            return self.tail[rows]
        taken = np.empty((len(rows), self.dim), np.float16)
        old = rows < edge
        self.mapped.advise(rows)
        taken[old], taken[~old] = self.mapped.rows[rows[old]], self.tail[rows[~old] - edge]
        self.mapped.check()
        return taken

    def cosines(self, rows: Rows, queries: Floats) -> Floats:
        """Cosines float32 (m, n) of verified rows to queries (m, dim), see `exact.cosines`.

        Raises:
            DamagedRowsError: see `verify`.
        """
        self.verify(rows)
        edge = len(self.mapped.rows)
        old = rows < edge
        self.mapped.advise(rows)
        if not old.any():
            return exact.cosines(self.tail, rows - edge, queries)
        if old.all():
            found = exact.cosines(self.mapped.rows, rows, queries)
        else:
            found = np.empty((len(queries), len(rows)), np.float32)
            found[:, old] = exact.cosines(self.mapped.rows, rows[old], queries)
            found[:, ~old] = exact.cosines(self.tail, rows[~old] - edge, queries)
        self.mapped.check()
        return found


def _bits(rows: Halves) -> NDArray[np.uint16]:
    return np.ascontiguousarray(rows).view(np.uint16)
