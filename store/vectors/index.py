"""The vectors of one space: derived from the tables, disposable, checked before use.

Rows lie in half precision in a file that is mapped into memory, and the newest in memory until they are saved; both
hold the very numbers that SQLite holds. How they are searched is `store.vectors.policy`'s to say.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import numpy as np

from store.arrays import Floats, Halves, Ids
from store.vectors.exact import best
from store.vectors.four_bit_codes import FineCodes
from store.vectors.four_bit_codes import encode as encode_finely
from store.vectors.index_files import ENTRY, FORMAT, CacheFiles, Held, Manifest
from store.vectors.one_bit_codes import Coder, Codes
from store.vectors.policy import DEFAULT, Policy, Tier
from store.vectors.row_lookup import RowNumbers
from store.vectors.row_store import CHUNK, HeldRows
from store.vectors.rwlock import Turns
from store.vectors.shortlist import likely

log = logging.getLogger(__name__)

Chunk = tuple[Ids, Ids, Halves]
_Made = TypeVar("_Made")

CENTRE_ROWS: Final = 4_096  # the mean of so many is within a sixtieth of a deviation


@dataclass(frozen=True, slots=True)
class Located:
    """Which row holds what: the rows that are alive, int64 (n,) or None for all, and the contents in their order."""

    rows: Ids | None
    numbers: RowNumbers

    def of(self, ids: Ids) -> Ids:
        """Rows int64 (n,) of content ids, -1 for none."""
        places = self.numbers.of(ids)
        if self.rows is None or not len(self.rows):
            return places
        return np.where(places < 0, -1, self.rows[places])

    def all(self) -> Ids:
        """Every row that is alive."""
        return np.arange(len(self.numbers.ids)) if self.rows is None else self.rows


class VectorIndex:
    """The vectors of one space, by content id. Safe for use from several threads, which read at once.

    Attributes:
        dim: of the vectors.
        epoch, last_id: the state of the space that it holds, see `SpaceState`.
        policy: how it is searched.
        saved: the manifest of the files that its first rows lie in; None for none.
        measured: what `store.vectors.recall_probe` found.
    """

    def __init__(
        self, dim: int, *, policy: Policy = DEFAULT, source: Callable[[], Iterable[Chunk]] | None = None
    ) -> None:
        """`source`: all rows anew, for when a file of them turns out to be damaged."""
        self.dim = dim
        self.policy = policy
        self.epoch = 0
        self.last_id = 0
        self.saved: Manifest | None = None
        self.measured: dict[str, float] = {}
        self._source = source
        self._turns = Turns()  # adding may move what is in memory
        self._coding = threading.Lock()
        self._remaking = threading.Lock()
        self._hold(HeldRows(np.empty((0, dim), np.float16), np.empty(0, ENTRY)), np.empty(0, np.int64), None, None)

    def _hold(self, rows: HeldRows, dead: Ids, codes: Codes | None, fine: FineCodes | None) -> None:
        self._rows = rows
        self._dead = dead
        self.codes = codes
        self.fine = fine
        self._known: Located | None = None

    @classmethod
    def of(cls, ids: Ids, vectors: Halves, *, tier: Tier | None = None) -> VectorIndex:
        """An index in memory alone, with no library behind it.

        Args:
            ids: content ids, int64 (n,), none twice.
            vectors: float16 (n, dim), unit rows.
            tier: how it is searched; None for what the policy says.
        """
        if tier is not None:
            limit = -1 if tier == "compressed" else len(ids)
            index = cls(vectors.shape[1], policy=replace(DEFAULT, exact_rows=limit, uncoded_rows=0))
        else:
            index = cls(vectors.shape[1])
        index.add([(np.arange(1, len(ids) + 1), np.asarray(ids, np.int64), vectors)])
        index.encode()
        return index

    @classmethod
    def holding(cls, held: Held, **options: Any) -> VectorIndex:
        """An index of what a space's files hold."""
        manifest = held.manifest
        index = cls(manifest.dim, **options)
        codes = fine = None
        if manifest.coded:
            coder = Coder(manifest.dim, np.asarray(manifest.centre, np.float32))
            codes, fine = Codes(coder, held.codes), FineCodes(coder, held.fine)
        index._hold(HeldRows(held.rows, held.entries), held.dead, codes, fine)
        index.epoch, index.last_id, index.saved = manifest.epoch, manifest.last_id, manifest
        index.measured = dict(manifest.measured)
        return index

    def __len__(self) -> int:
        return len(self._rows) - len(self._dead)

    @property
    def tier(self) -> Tier:
        """How it is searched now: exactly too while codes are being made."""
        return "exact" if self.lacks_codes else self.policy.tier(len(self._rows))

    @property
    def lacks_codes(self) -> bool:
        """Whether it is large enough for codes, and too many rows have none."""
        if self.policy.tier(len(self._rows)) == "exact":
            return False
        return not self._coded or len(self._rows) - self._coded > self.policy.uncoded_rows

    @property
    def _coded(self) -> int:
        return 0 if self.codes is None else len(self.codes)

    @property
    def memory_bytes(self) -> int:
        """Bytes it takes in memory, rows and finer codes that are mapped left out."""
        codes = 0 if self.codes is None else self.codes.words.nbytes
        fine = 0 if self.fine is None else self.fine.memory_bytes
        numbers = 16 * len(self)  # content ids, and the table of rows by id
        return codes + fine + numbers + self._rows.memory_bytes

    @property
    def unmapped(self) -> int:
        """How many rows lie in memory, not in a file that is mapped."""
        return len(self._rows) - len(self._rows.mapped)

    # -- what is in it ------------------------------------------------------------------------------------------

    def add(self, chunks: Iterable[Chunk]) -> None:
        """Append rows: chunks of (vector ids (n,), ascending, content ids (n,), vectors (n, dim))."""
        for numbers, ids, vectors in chunks:
            if not len(ids):
                continue
            with self._turns.writing():
                self._rows.extend(numbers, ids, vectors)
                self.last_id = int(numbers[-1])
                self._known = None

    def keeping(self, numbers: Ids) -> VectorIndex:
        """This index without the rows whose vector id is not among `numbers`, int64 (n,), sorted.

        An index of its own, which shares what is in memory until either grows: who reads this one goes on with it.
        """
        with self._turns.reading():
            made = VectorIndex(self.dim, policy=self.policy, source=self._source)
            held = self._rows.entries["vector"]
            places = np.minimum(np.searchsorted(numbers, held), len(numbers) - 1)
            alive = numbers[places] == held if len(numbers) else np.zeros(len(held), np.bool_)
            codes = None if self.codes is None else Codes(self.codes.coder, self.codes.words)
            made._hold(self._rows.shared(), np.flatnonzero(~alive), codes, self.fine)
            made.epoch, made.last_id = self.epoch, int(held[alive].max(initial=0))
            made.saved, made.measured = self.saved, self.measured
            return made

    def encode(self) -> None:
        """Make the codes that are missing, where the policy wants any; searches go on meanwhile."""
        with self._coding:
            if self.policy.tier(len(self._rows)) != "compressed":
                return
            if self.codes is None:
                sample = self.sample(CENTRE_ROWS)[1]
                coder = Coder(self.dim, sample=sample)
                with self._turns.writing():
                    self.codes = Codes(coder)
            codes = self.codes
            while True:
                with self._turns.reading():
                    start = len(codes)
                    rows = np.arange(start, min(start + CHUNK, len(self._rows)))
                    vectors = self._rows.gathered(rows) if self._rows.is_sound(rows) else None
                if vectors is None:
                    self._remake()
                    return
                if not len(vectors):
                    return
                made = codes.coder.encode(vectors)
                with self._turns.writing():
                    if self.codes is not codes:  # made again meanwhile
                        return
                    codes.extend(made)

    # -- on disk ------------------------------------------------------------------------------------------------

    def save(self, files: CacheFiles, space_key: str) -> None:
        """Bring the files up to this index: what is new is appended, unless too much of what they hold is gone.

        Raises:
            OSError: see `CacheFiles.write`, `scores`.
        """
        with self._turns.writing():
            rows = np.arange(len(self._rows))
            # Only what these rows were read from, or written to, is appended to.
            appends = self.saved is not None and self.saved == files.manifest()
            if appends and len(self._dead) <= self.policy.dead_share * len(rows):
                fine = 0 if self.fine is None else len(self.fine)
                kept = (len(self._rows.mapped), self.saved.coded if self.saved else 0, fine)
            else:
                rows, kept, appends = np.delete(rows, self._dead), (0, 0, 0), False
            sound = self._rows.is_sound(rows[kept[0] if self.codes is None else min(kept[0], kept[2]) :])
            if sound:
                self._write(files, space_key, rows, kept, token=self.saved.token if appends and self.saved else "")
        if not sound:
            self._remake()
            self.save(files, space_key)

    @property
    def is_saved(self) -> bool:
        """Whether its files hold all that it holds."""
        saved = self.saved
        if saved is None:
            return False
        held = (saved.rows, saved.dead, saved.coded, saved.fine, saved.epoch, saved.last_id)
        fine = len(self._rows) if self._coded else 0
        return held == (len(self._rows), len(self._dead), self._coded, fine, self.epoch, self.last_id)

    def is_sound(self) -> bool:
        """Whether every row is what was written, and every finer code; reads all that nobody read yet."""
        with self._turns.reading():
            fine = self.fine is None or bool(self.fine.sound(np.arange(len(self.fine))).all())
            return fine and self._rows.is_sound(np.arange(len(self._rows)))

    def _write(self, files: CacheFiles, space_key: str, rows: Ids, kept: tuple[int, int, int], *, token: str) -> None:
        new, held, dead, coded = rows[kept[0] :], self._rows, self._dead, self._coded
        held.summed(new)
        entries = held.entries
        codes = None if self.codes is None else self.codes.words
        if not token:
            entries, dead = entries[rows], dead[:0]
            codes = None if codes is None else codes[rows[rows < coded]]
        coder = None if self.codes is None or codes is None or not len(codes) else self.codes.coder
        state = Manifest(
            format=FORMAT, space=space_key, dim=self.dim, epoch=self.epoch, last_id=self.last_id, token=token,
            rows=len(rows), dead=len(dead), coded=0 if codes is None else len(codes),
            fine=0 if coder is None else len(rows),
            centre=() if coder is None else tuple(coder.centre.tolist()), measured=self.measured,
        )  # fmt: skip
        parts = (held.gathered(new[start : start + CHUNK]) for start in range(0, len(new), CHUNK))
        starts = range(kept[2], len(rows) if coder is not None else 0, CHUNK)
        finer = (encode_finely(coder, held.gathered(rows[start : start + CHUNK])) for start in starts if coder)
        self.saved = files.write(state, parts, entries, codes, finer, dead, kept=kept)
        # What was in memory is in the file now: from there, and not twice.
        made = None if coder is None or codes is None else Codes(coder, codes)
        fine = None if coder is None else FineCodes(coder, files.fine(self.saved))
        self._hold(held.moved(files.rows(self.saved), rows, entries), dead, made, fine)

    # -- reading ------------------------------------------------------------------------------------------------

    @property
    def ids(self) -> Ids:
        """Content ids by row, int64 (n,), not to be written to."""
        with self._turns.reading():
            return self.located().numbers.ids

    def located(self) -> Located:
        """Which row holds what; only for a reader. Two readers may both make it, to the same effect."""
        known = self._known
        if known is None:
            rows = None
            contents = self._rows.entries["content"]
            if len(self._dead):
                alive = np.ones(len(contents), np.bool_)
                alive[self._dead] = False
                rows = np.flatnonzero(alive)
                contents = contents[rows]
            known = self._known = Located(rows, RowNumbers(np.array(contents, np.int64)))
        return known

    def held(self, ids: Ids) -> Ids:
        """Those of the content ids that have a vector here, in their order."""
        with self._turns.reading():
            return ids[self.located().of(ids) >= 0]

    def scores(self, queries: Floats, *, only: Ids | None = None) -> tuple[Ids, Floats]:
        """Cosines of every row, or of those wanted, to unit queries; see `scoring.cosines` for their accuracy.

        Args:
            queries: float32 (m, dim), unit rows; m may be 0.
            only: content ids, without repeats; those that have no vector here are left out. None for all.

        Returns:
            Content ids int64 (n,), in the order of `only` or else of the rows, and cosines float32 (m, n).

        Raises:
            ValueError: the queries do not have this index's dimension.
            OSError: a file of the rows is damaged, and there is nothing to make it from again.
        """
        queries = self._checked(queries)

        def read() -> tuple[Ids, Callable[[], tuple[Ids, Floats]]]:
            located = self.located()
            if only is None:
                rows, ids = located.all(), located.numbers.ids
            else:
                rows = located.of(only)
                if (rows < 0).any():
                    rows = rows[rows >= 0]
                ids = self._rows.entries["content"][rows]
            return rows, lambda: (ids, self.cosines(rows, queries))

        return self.reading(read)

    def nearest(self, queries: Floats, k: int, *, only: Ids | None = None) -> tuple[Ids, Floats]:
        """The k nearest rows to each query: content ids int64 (m, j) and cosines float32 (m, j), best first.

        Equal cosines by id; j is k, or as many as there are. Above the exact tier a few of the nearest may be missed;
        those that are found have exact cosines.

        Args:
            queries: float32 (m, dim), unit rows.
            k: how many.
            only: content ids to choose from, without repeats; None for all.

        Raises:
            ValueError, OSError: see `scores`.
        """
        found = []
        for query in self._checked(queries)[:, None]:
            some = likely(self, query, [], wanted=k, only=only)
            if some is not None and len(some) < k:  # hardly ever, and then there may be more
                some = None
            ids, cosines = self.scores(query, only=only if some is None else some)
            places = best(ids, cosines[0], k)
            found.append((ids[places], cosines[0][places]))
        if not found:
            return np.empty((0, k), np.int64), np.empty((0, k), np.float32)
        return np.stack([ids for ids, _ in found]), np.stack([cosines for _, cosines in found])

    def contents_among(self, found: Ids, rows: Ids | None) -> Ids:
        """Content ids of rows that were found by their codes, and of those that have none yet; only for a reader.

        Args:
            found: rows int64 (n,), each once.
            rows: those to choose from, `found` among them; None for all that are alive.
        """
        if rows is None:
            rows = np.arange(self._coded, len(self._rows))
            both = np.concatenate([found, rows])
            both = self.alive(both)
        else:
            both = np.concatenate([found, rows[rows >= self._coded]])
        return np.asarray(self._rows.entries["content"][both], np.int64)

    def wanted_among(self, rows: Ids, absent: Ids | None) -> Ids:
        """Those of some rows that are alive, and whose content is not among the absent; only for a reader."""
        rows = self.alive(rows)
        if absent is None or not len(absent):
            return rows
        return np.asarray(rows[~np.isin(self._rows.entries["content"][rows], absent)], np.int64)

    def alive(self, rows: Ids) -> Ids:
        """Those of some rows that are not gone; only for a reader."""
        if not len(self._dead):
            return rows
        places = np.minimum(np.searchsorted(self._dead, rows), len(self._dead) - 1)
        return np.asarray(rows[self._dead[places] != rows], np.int64)

    def vectors_of(self, ids: Ids) -> Floats:
        """Vectors float32 (n, dim) of content ids, in their order.

        Raises:
            KeyError: an id has no vector here.
            OSError: see `scores`.
        """
        ids = np.asarray(ids, np.int64)

        def read() -> tuple[Ids, Callable[[], Floats]]:
            rows = self.located().of(ids)
            absent = ids[rows < 0]
            if len(absent):
                raise KeyError(int(absent[0]))
            return rows, lambda: self._rows.gathered(rows).astype(np.float32)

        return self.reading(read)

    def sample(self, count: int, *, without: Ids | None = None, seed: int = 0) -> tuple[Ids, Floats]:
        """Content ids int64 (n,) and vectors float32 (n, dim) of rows chosen at random, all where there are fewer.

        The same for the same seed and the same rows. `without`: content ids never to choose.
        """

        def read() -> tuple[Ids, Callable[[], tuple[Ids, Floats]]]:
            located = self.located()
            ids = located.numbers.ids
            places = np.arange(len(ids)) if without is None else np.flatnonzero(~np.isin(ids, without))
            chosen = np.random.default_rng(seed).choice(len(places), min(count, len(places)), replace=False)
            places = places[np.sort(chosen)]
            rows = located.all()[places]
            return rows, lambda: (ids[places], self._rows.gathered(rows).astype(np.float32))

        return self.reading(read)

    def reading(self, read: Callable[[], tuple[Ids, Callable[[], _Made]]]) -> _Made:
        """What is read from some rows, once they are known to be what was written.

        `read` gives the rows, and what is to be done with them; both while nothing is written. Not reentrant.

        Raises:
            OSError: see `scores`.
        """
        while True:
            with self._turns.reading():
                rows, work = read()
                if self._rows.is_sound(rows):
                    return work()
            self._remake()

    def _remake(self) -> None:
        with self._remaking:
            if not self._rows.unsound:
                return  # another thread found the same, and was first
            if self._source is None:
                raise OSError("the rows of a vector cache are damaged, and there is nothing to make them from again")
            log.warning("a vector cache of %d rows is damaged; it is made again", len(self))
            fresh = VectorIndex(self.dim, policy=self.policy)
            fresh.add(self._source())
            with self._turns.writing():
                self._hold(fresh._rows, np.empty(0, np.int64), None, None)
                self.saved, self.last_id = None, fresh.last_id

    def cosines(self, rows: Ids, queries: Floats) -> Floats:
        """Cosines float32 (m, n) of rows; only for a reader."""
        return self._rows.cosines(rows, queries)

    def _checked(self, queries: Floats) -> Floats:
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise ValueError(f"queries have shape {queries.shape}; this index wants (m, {self.dim})")
        return np.ascontiguousarray(queries, np.float32)
