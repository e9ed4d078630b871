"""Checks of a library, and repairs of what can be made again: from photos, or from the database.

Without `repair` nothing is changed anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy.exc import DatabaseError

from indexer.finding import MENDABLE, Finding
from indexer.verify_pictures import check_looks, check_previews, check_small_caches, check_thumbnails
from indexer.verify_tiles import check_tile_index, check_tiles
from indexer.verify_vectors import check_vectors
from store.disk_errors import disk_sentence
from store.library import Library
from store.lock import is_indexing
from store.tables import checks, tiles
from store.tables.catalog import SpaceState

_LOST = "Restore a backup, or index into a new library; your pictures are not affected."


def check(library: Library, *, repair: bool) -> Iterator[Finding]:
    """Check every part of an open library.

    With `repair`, mend what is wrong and can be made again; call under the library's lock then.
    """
    yield _told(partial(_database, library, repair=repair), "database")
    try:
        spaces = library.catalog.spaces()
    except DatabaseError:
        return  # which is said already
    for space in spaces:
        yield _told(partial(check_vectors, library, space, repair=repair), f"vectors of {space.name}")
        yield _told(partial(_index_file, library, space.id, repair=repair), f"index of {space.name}")
    cut = tiles.grids(library.catalog.engine)
    for space in (space for space in spaces if space.id in cut):
        yield _told(partial(check_tiles, library, space, repair=repair), f"tiles of {space.name}")
        yield _told(partial(check_tile_index, library, space, repair=repair), f"index of the tiles of {space.name}")
    yield _told(partial(check_thumbnails, library, repair=repair), "thumbnails")
    yield _told(partial(check_looks, library, repair=repair), "looks")
    yield _told(partial(check_previews, library, repair=repair), "previews")
    yield _told(partial(check_small_caches, library, repair=repair), "maps and remembered texts")


def _told(look: Callable[[], Finding], part: str) -> Finding:
    """What was found; where the database or the disk could not be read, that."""
    try:
        return look()
    except DatabaseError as error:
        return Finding("wrong", part, f"the database can't be read ({error.orig}). {_LOST}")
    except OSError as error:
        return Finding("wrong", part, disk_sentence(error) or _in_the_way(error))


def _in_the_way(error: OSError) -> str:
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return f"{what}. Move away what lies there, or give this user the right to it, and run the same again."


def _database(library: Library, *, repair: bool) -> Finding:
    engine = library.catalog.engine
    before = _wrong_rows(library)
    if before and repair and not checks.is_malformed(engine):
        checks.mend_rows(engine)
        after = _wrong_rows(library)
        if not after:
            return Finding("repaired", "database", "; ".join(before[:5]) + ": put right")
        before = after
    if before:
        can_mend = not repair and not checks.is_malformed(engine) and checks.is_mendable(engine)
        out = MENDABLE if can_mend else _LOST
        return Finding("wrong", "database", "; ".join(before[:5]) + f". {out}")
    counts = library.catalog.counts()
    return Finding("ok", "database", f"{counts.pictures} pictures in {counts.photos} files")


def _wrong_rows(library: Library) -> list[str]:
    wrong = library.integrity()
    if miscounted := library.catalog.contents_without_photo_count():
        wrong.append(f"{miscounted} contents count their photos wrongly")
    if misshapen := checks.wrong_dims(library.catalog.engine):
        wrong.append(f"{len(misshapen)} spaces have another dimension than their vectors")
    if unfindable := checks.unfindable(library.catalog.engine):
        wrong.append(f"{len(unfindable)} contents can't be found by what was written about them")
    return wrong


def _index_file(library: Library, space_id: int, *, repair: bool) -> Finding:
    space: SpaceState = library.catalog.space_state(space_id)
    part = f"index of {space.name}"
    if library.vectors.is_current(space.id):
        return Finding("ok", part, f"{space.count} vectors, as in the database")
    if repair:
        library.vectors.save(space.id)
        return Finding("repaired", part, f"was missing, behind or damaged; made again from {space.count} vectors")
    is_missing = not any((library.path / "vectors").glob(f"space-{space.id}.*"))
    facts = library.vectors.facts(space.id)
    is_older = facts is None and checks.has_unchecked_pictures(library.catalog.engine)
    if is_missing or is_older:
        kind = "not written yet" if is_missing else "of an older version"
        return Finding("ok", part, f"{kind}; searches make it in memory, and the next run writes it")
    if is_indexing(library.path):
        return Finding("ok", part, "behind the database; the indexer that is at work writes it")
    if library.remote.database is not None and facts is not None and facts["rows"] < space.count:
        return Finding("ok", part, "behind what other machines indexed; the next run here writes it")
    return Finding("wrong", part, f"behind, damaged or another's; searches make it in memory. {MENDABLE}")
