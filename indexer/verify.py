"""Checks of a library. Wrong caches are made again; the truth is only looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from indexer.missing_looks import mend_looks
from store.errors import LibraryLockedError
from store.library import Library
from store.lock import locked
from store.tables import looks
from store.tables.catalog import SpaceState

# float16 keeps 11 bits: a unit vector of a thousand numbers comes back with a length within a few 1e-4 of 1.
LENGTH_TOLERANCE = 2e-3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked: `ok`, `repaired`, or `wrong` and to be mended by a new run or a backup."""

    state: Literal["ok", "repaired", "wrong"]
    part: str
    text: str


def check(library: Library) -> list[Finding]:
    """Check the database, every vector, index files, thumbnails, looks and previews of an open library."""
    findings = [_database(library)]
    for space in library.catalog.spaces():
        findings.append(_vectors(library, space))
        findings.append(_index_file(library, space))
    findings.append(_thumbnails(library))
    findings.append(_looks(library))
    findings.append(_previews(library))
    return findings


def _database(library: Library) -> Finding:
    wrong = library.integrity()
    if miscounted := library.catalog.contents_without_photo_count():
        wrong.append(f"{miscounted} contents count their photos wrongly")
    if wrong:
        return Finding("wrong", "database", "; ".join(wrong[:5]) + ". Restore a backup, or index into a new library.")
    counts = library.catalog.counts()
    return Finding("ok", "database", f"{counts.pictures} pictures in {counts.photos} files")


def _vectors(library: Library, space: SpaceState) -> Finding:
    bad = total = 0
    for _, _, vectors in library.catalog.vectors_after(space.id, space.dim, 0):
        lengths = np.linalg.norm(vectors.astype(np.float32), axis=1)
        bad += int((~(np.abs(lengths - 1) <= LENGTH_TOLERANCE)).sum())
        total += len(vectors)
    if bad:
        return Finding("wrong", f"vectors of {space.name}", f"{bad} of {total} are not of length 1. Restore a backup.")
    return Finding("ok", f"vectors of {space.name}", f"{total} of length 1")


def _index_file(library: Library, space: SpaceState) -> Finding:
    part = f"index of {space.name}"
    if library.vectors.is_current(space.id):
        return Finding("ok", part, f"{space.count} vectors, checksum right")
    if library.readonly:
        return Finding("repaired", part, "made again in memory; the library is read-only")
    try:
        with locked(library.path):
            library.vectors.save(space.id)
    except LibraryLockedError:
        return Finding("repaired", part, "behind; the indexer that is at work will write it")
    return Finding("repaired", part, f"was missing, behind or damaged; made again from {space.count} vectors")


def _thumbnails(library: Library) -> Finding:
    hashes = library.catalog.hashes()
    missing = sum(not library.thumbnails.path(content_hash).exists() for content_hash in hashes)
    if missing:
        return Finding("ok", "thumbnails", f"{len(hashes) - missing} there, {missing} to be made when they are shown")
    return Finding("ok", "thumbnails", f"{len(hashes)} there")


def _looks(library: Library) -> Finding:
    engine, mended, behind = library.catalog.engine, 0, ""
    if not library.readonly:
        try:
            with locked(library.path):
                mended = mend_looks(library)
        except LibraryLockedError:
            behind = "; the indexer that is at work may add some"
    pictures, there = looks.counts(engine)
    text = f"{there} there" + (f", {mended} of them made again" if mended else "")
    if missing := pictures - there:
        due = looks.count_due(engine)
        text += f", {missing} missing" + ("; the next run makes them from thumbnails" if due else "")
    return Finding("repaired" if mended else "ok", "looks", text + behind)


def _previews(library: Library) -> Finding:
    # Any of them may be missing: they are made when they are looked at.
    megabytes = library.disk_use()["previews"] / 1e6
    return Finding("ok", "previews", f"{megabytes:,.1f} MB of at most {library.previews.limit_bytes / 1e6:,.0f}")
