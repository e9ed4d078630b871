"""One state of the vectors of a space, as a search reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from store.arrays import Ids, Rows
from store.vectors.four_bit_codes import FourBitCodes
from store.vectors.mapped_files import Watch
from store.vectors.one_bit_codes import OneBitCodes
from store.vectors.row_lookup import RowLookup
from store.vectors.row_store import DamagedRowsError, RowStore


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows and their codes at one moment.

    Immutable: readers hold it without a lock while others make the next one.

    Attributes:
        rows: vectors with their ids, deleted ones too.
        lookup: which row holds which content, and which rows are deleted.
        codes: one-bit codes of the first rows; None for none.
        fine: four-bit codes of the first rows; None for none.
        watch: over the files that codes lie in; rows have their own.
    """

    rows: RowStore
    lookup: RowLookup
    codes: OneBitCodes | None = None
    fine: FourBitCodes | None = None
    watch: Watch = field(default_factory=Watch)

    @classmethod
    def of(
        cls, rows: RowStore, deleted: Rows, codes: OneBitCodes | None = None, fine: FourBitCodes | None = None
    ) -> Snapshot:
        """A snapshot of rows, of which some are deleted: int64, sorted."""
        watch = Watch.over(None if codes is None else codes.words, None if fine is None else fine.codes)
        return cls(rows, RowLookup(rows.entries["content"], deleted), codes, fine, watch)

    def __len__(self) -> int:
        """How many rows are not deleted."""
        return len(self.rows) - len(self.lookup.deleted)

    def check(self) -> None:
        """Make sure that what was read of codes, or will be now, is what was written.

        Raises:
            DamagedRowsError: their file was cut short, or can't be read.
        """
        if not self.watch.is_whole():
            raise DamagedRowsError("a file of codes was cut short, or can't be read")

    @property
    def coded(self) -> int:
        """How many of the first rows have one-bit codes."""
        return 0 if self.codes is None else len(self.codes)

    def content_ids(self, found: Rows, among: Rows | None) -> Ids:
        """Content ids int64 (n,) of rows that were found by their codes, and of those that have none yet.

        Args:
            found: rows, without repeats.
            among: rows to choose from, `found` among them; None for all that are not deleted.
        """
        if among is None:
            uncoded = np.arange(self.coded, len(self.rows))
            both = self.lookup.drop_deleted(np.concatenate([found, uncoded]))
        else:
            both = np.concatenate([found, among[among >= self.coded]])
        return np.asarray(self.rows.entries["content"][both], np.int64)
