"""Rows in half precision: the first ones in a file that is mapped into memory, the newest in memory."""

from __future__ import annotations

import mmap
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from store.arrays import Floats, Halves, Ids
from store.vectors import checksums, exact
from store.vectors.growable_array import Growing
from store.vectors.index_files import ENTRY

CHUNK: Final = 16_384  # rows that are copied at a time
# With at most this share wanted of the rows from the first to the last of them, they are read one by one, and not what
# lies between: of 10M x 512 in a file that memory can't hold, a search took 19 s while 128 kB were read around each.
SCATTERED: Final = 1 / 8


class HeldRows:
    """Vectors with their vector and content ids, by row. Not safe beside `extend`: see `store.vectors.rwlock`.

    Attributes:
        mapped: the rows that lie in a file, float16 (n, dim).
        unsound: how many of those nobody used yet, so that they were not verified.
    """

    def __init__(self, mapped: Halves, entries: NDArray[Any]) -> None:
        """`entries`: ids and checksums of the mapped rows."""
        self.dim = mapped.shape[1]
        self.mapped = mapped
        self.unsound = len(mapped)
        self._tail: Growing[np.float16] = Growing((self.dim,), np.float16)
        self._entries: Growing[Any] = Growing((), ENTRY, entries)
        self._sound = Growing((), np.bool_, np.zeros(len(mapped), np.bool_))
        self._file = _file_of(mapped)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> NDArray[Any]:
        """Ids and checksums by row, as `cache_files.ENTRY`; a checksum is right once its row was `summed`."""
        return self._entries.view

    @property
    def memory_bytes(self) -> int:
        """Bytes it takes in memory, rows that are mapped left out."""
        return self._tail.view.nbytes + self._entries.view.nbytes + self._sound.view.nbytes

    def extend(self, numbers: Ids, ids: Ids, vectors: Halves) -> None:
        """Append rows: vector ids (n,), content ids (n,), vectors (n, dim)."""
        entries = np.zeros(len(ids), ENTRY)
        entries["vector"], entries["content"] = numbers, ids
        self._tail.extend(np.asarray(vectors, np.float16))
        self._entries.extend(entries)
        self._sound.extend(np.ones(len(ids), np.bool_))

    def shared(self) -> HeldRows:
        """The same rows again, which share memory with these until either grows."""
        made = HeldRows(self.mapped, self.entries)
        made._tail = Growing((self.dim,), np.float16, self._tail.view)
        made._sound = Growing((), np.bool_, self._sound.view.copy())
        made.unsound = self.unsound
        return made

    def moved(self, mapped: Halves, rows: Ids, entries: NDArray[Any]) -> HeldRows:
        """Rows of these as they lie in a file now, verified as far as they were."""
        made = HeldRows(mapped, entries)
        made._sound = Growing((), np.bool_, self._sound.view[rows])
        made.unsound = len(rows) - int(np.count_nonzero(made._sound.view))
        return made

    def summed(self, rows: Ids) -> None:
        """Make the checksums of rows, which were appended."""
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            self.entries["check"][part] = checksums.checks(self.gathered(part))

    def is_sound(self, rows: Ids) -> bool:
        """Whether rows are what was written. Each row of the file is looked at once."""
        if not self.unsound:
            return True
        new = rows[~self._sound.view[rows]]
        if len(new):
            self._advise(new)
            if (checksums.checks(self.mapped, new) != self.entries["check"][new]).any():
                return False
            self._sound.view[new] = True
            self.unsound = len(self) - int(np.count_nonzero(self._sound.view))
        return True

    def gathered(self, rows: Ids) -> Halves:
        """Rows float16 (n, dim), in their order."""
        edge = len(self.mapped)
        if not edge:
            return self._tail.view[rows]
        made = np.empty((len(rows), self.dim), np.float16)
        old = rows < edge
        self._advise(rows)
        made[old], made[~old] = self.mapped[rows[old]], self._tail.view[rows[~old] - edge]
        return made

    def cosines(self, rows: Ids, queries: Floats) -> Floats:
        """Cosines float32 (m, n) of rows to queries (m, dim), see `scoring.cosines`."""
        edge = len(self.mapped)
        old = rows < edge
        self._advise(rows)
        if old.all():
            return exact.cosines(self.mapped, rows, queries)
        if not old.any():
            return exact.cosines(self._tail.view, rows - edge, queries)
        made = np.empty((len(queries), len(rows)), np.float32)
        made[:, old] = exact.cosines(self.mapped, rows[old], queries)
        made[:, ~old] = exact.cosines(self._tail.view, rows[~old] - edge, queries)
        return made

    def _advise(self, rows: Ids) -> None:
        """Tell the system how the file is about to be read: each time, as others tell it of the same file."""
        if self._file is not None and len(rows):
            span = int(rows.max()) - int(rows.min()) + 1
            self._file.madvise(mmap.MADV_RANDOM if len(rows) <= SCATTERED * span else mmap.MADV_NORMAL)


def _file_of(mapped: Halves) -> mmap.mmap | None:
    """The mapping that an array lies in; None for none, or where the system takes no advice."""
    base: Any = mapped
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    return base if hasattr(mmap, "MADV_RANDOM") else None
