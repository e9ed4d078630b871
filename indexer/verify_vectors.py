"""Vectors compared with their checksums, and mended: from the index, or by the next run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from indexer.finding import MENDABLE, Finding, pictures
from indexer.places import hash_of
from store.arrays import Halves, Ids, Mask
from store.library import Library
from store.paths import to_path
from store.tables import vector_repairs, vector_rows
from store.tables.catalog import SpaceState
from store.tables.row_checksums import of_vector
from store.vectors.engine import VectorEngine

_BATCH: Final = 2_048
# Of vectors of an older version that get their checksums at the end of a run: some seconds of it.
DUE_IN_A_RUN: Final = 65_536


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A row that is not what was written: its id, its content with its hash, and the checksum of what was."""

    id: int
    content: int
    hash: bytes
    checksum: int | None


def check_vectors(library: Library, space: SpaceState, *, repair: bool) -> Finding:
    """Check every vector of a space in the database; and with `repair`, mend those that are wrong."""
    part = f"vectors of {space.name}"
    if repair:
        put_due_checksums(library)
    wrong, total, unchecked = _wrong(library, space)
    if not wrong:
        text = f"{total} of length 1, as they were written"
        if unchecked:
            text += f"; {unchecked} of them are of an older version, which kept no checksums: runs add them"
        return Finding("ok", part, text)
    text = f"{len(wrong)} of {total} are not what was written ({pictures(row.content for row in wrong)})"
    if not repair:
        return Finding("wrong", part, f"{text}. {MENDABLE}")
    hashes, sums, unread = _mend_hashes(library, space, wrong)
    if hashes or sums:
        wrong = _wrong(library, space)[0]
    back = _kept(library.vectors.get(space.id), space, wrong)
    if back:
        vector_repairs.put_back(library.catalog.engine, list(back.items()))
    # Of a picture whose files are away it may be the hash that is wrong, and by that its marks are found again.
    away = [row for row in wrong if row.id not in back and row.id in unread]
    lost = [row for row in wrong if row.id not in back and row.id not in unread]
    if lost:
        vector_repairs.remove(library.catalog.engine, [row.id for row in lost])
    did = [
        f"{hashes} had a wrong hash of their file, which was put right" if hashes else "",
        f"{sums} had a wrong checksum alone, which was put right" if sums else "",
        f"{len(back)} were put back from the index" if back else "",
        f"{len(lost)} were removed. Index the folders of these pictures again to have them encoded "
        f"({pictures(row.content for row in lost)})" if lost else "",
        f"{len(away)} were left, as their files can't be read now. Connect their drive and run the same again "
        f"({pictures(row.content for row in away)})" if away else "",
    ]  # fmt: skip
    return Finding("wrong" if lost or away else "repaired", part, f"{text}: {'; '.join(filter(None, did))}")


def put_due_checksums(library: Library, most: int | None = None) -> None:
    """Give vectors of an older version their checksums, up to `most` of them.

    Call under the library's lock. Not those that are no unit vectors, or not what the index holds.
    """
    engine, left = library.catalog.engine, most
    if not vector_repairs.due_up_to(engine):
        return
    while (left is None or left > 0) and (rows := vector_repairs.due(engine, _BATCH)):
        checksums: list[tuple[int, int]] = []
        for space in library.catalog.spaces():
            own = [row for row in rows if row[1] == space.id and _is_blob(row[4], 2 * space.dim)]
            if not own:
                continue
            vectors = np.frombuffer(b"".join(row[4] for row in own), "<f2").reshape(-1, space.dim)
            good = vector_rows.are_unit(vectors)
            good &= ~_differ(library.vectors.get(space.id), np.array([row[2] for row in own], np.int64), vectors)
            checksums += [
                (of_vector(space.id, row[3], row[4]), row[0]) for row, is_good in zip(own, good, strict=True) if is_good
            ]
        vector_repairs.put_checksums(engine, checksums, rows[-1][0])
        left = None if left is None else left - len(rows)
    if left is None or left > 0:
        vector_repairs.put_checksums(engine, [], 0)


def _is_blob(value: object, size: int) -> bool:
    return isinstance(value, bytes) and len(value) == size


def _wrong(library: Library, space: SpaceState) -> tuple[list[_Wrong], int, int]:
    """The rows that are wrong, how many there are, and how many of those have no checksum."""
    held = library.vectors.get(space.id)
    due = vector_repairs.due_up_to(library.catalog.engine)
    wrong: list[_Wrong] = []
    total = unchecked = 0
    for rows in vector_rows.read(library.catalog.engine, space.id, space.dim, 0):
        bad, without = rows.wrong | ~vector_rows.are_unit(rows.vectors), rows.unchecked
        bad |= without & (rows.ids > due)  # all that was written or looked at since has one
        doubted = np.flatnonzero(without & ~bad)
        if len(doubted):  # of two that differ, none has a checksum that says which is right
            bad[doubted] = _differ(held, rows.contents[doubted], rows.vectors[doubted])
        wrong += [
            _Wrong(int(rows.ids[at]), int(rows.contents[at]), rows.hashes[at], rows.checksums[at])
            for at in np.flatnonzero(bad)
        ]
        total += len(rows.ids)
        unchecked += int(without.sum())
    return wrong, total, unchecked


def _differ(held: VectorEngine, contents: Ids, vectors: Halves) -> Mask:
    """Which vectors (n, dim), by content, are others than the index holds, (n,)."""
    known = np.isin(contents, held.held(contents))
    differ = np.zeros(len(contents), np.bool_)
    kept = held.vectors_of(contents[known]).astype(np.float16)
    differ[known] = (kept.view(np.uint16) != np.ascontiguousarray(vectors[known]).view(np.uint16)).any(axis=1)
    return differ


def _kept(held: VectorEngine, space: SpaceState, wrong: Sequence[_Wrong]) -> dict[int, bytes]:
    """The vectors, by id, that the index still holds as they were written."""
    there = set(held.held(np.array([row.content for row in wrong], np.int64)).tolist())
    found = {}
    for row in wrong:
        if row.content in there and row.checksum is not None:
            vector = held.vectors_of(np.array([row.content], np.int64)).astype("<f2").tobytes()
            if of_vector(space.id, row.hash, vector) == row.checksum:
                found[row.id] = vector
    return found


def _mend_hashes(library: Library, space: SpaceState, wrong: Sequence[_Wrong]) -> tuple[int, int, set[int]]:
    """Put hashes of contents right where the vector belongs to that of the file, and checksums.

    A checksum alone is wrong where the file has the hash, and the index the vector.

    Returns:
        How many hashes and checksums, and the ids of rows of which this can't be told: no file of theirs can be read.
    """
    engine, held = library.catalog.engine, library.vectors.get(space.id)
    mended, unread = 0, set[int]()
    sums: list[tuple[int, int]] = []
    for row in wrong:
        if row.checksum is None:
            continue
        vector = vector_rows.stored(engine, row.id)
        files = library.catalog.paths_of(row.content)
        hashes = _hashes_of_files(files)
        if files and not hashes:
            unread.add(row.id)
        for found in hashes:
            if found != row.hash and of_vector(space.id, found, vector) == row.checksum:
                mended += vector_repairs.put_hash(engine, row.content, found)
                break
        else:
            if row.hash in hashes and _is_held(held, row.content, vector):
                sums.append((of_vector(space.id, row.hash, vector), row.id))
    if sums:
        vector_repairs.put_right_checksums(engine, sums)
    return mended, len(sums), unread


def _is_held(held: VectorEngine, content_id: int, vector: bytes) -> bool:
    """Whether the index holds this very vector of a content."""
    content = np.array([content_id], np.int64)
    return len(held.held(content)) > 0 and held.vectors_of(content).astype("<f2").tobytes() == vector


def _hashes_of_files(files: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    """The hashes of files, by root and path, as far as they can be read."""
    hashes = []
    for root, path in files:
        if (found := hash_of(to_path(root), path)) is not None:
            hashes.append(found)
    return hashes
