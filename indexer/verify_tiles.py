"""Tiles compared with their checksums, and their index with the tables."""

from __future__ import annotations

from indexer.finding import MENDABLE, Finding, pictures
from store.library import Library
from store.lock import is_indexing
from store.tables import tiles
from store.tables.records import SpaceState


def check_tiles(library: Library, space: SpaceState, *, repair: bool) -> Finding:
    """Check the tiles of a space; with `repair`, wrong ones go, and the next run makes them again."""
    part, engine = f"tiles of {space.name}", library.catalog.engine
    wrong: dict[int, int] = {}
    rows = total = 0
    for found in tiles.read(engine, space.id, space.dim):
        wrong.update(zip(found.ids[found.wrong].tolist(), found.contents[found.wrong].tolist(), strict=True))
        rows += len(found.ids)
        total += int(found.counts.sum())
    if not wrong:
        return Finding("ok", part, f"{total} of {rows} pictures, as they were written")
    text = f"those of {len(wrong)} of {rows} pictures are not what was written ({pictures(wrong.values())})"
    if not repair:
        return Finding("wrong", part, f"{text}. {MENDABLE}")
    tiles.remove(engine, list(wrong))
    return Finding("repaired", part, f"{text}: removed. The next run over their folders makes them again")


def check_tile_index(library: Library, space: SpaceState, *, repair: bool) -> Finding:
    """Compare the index of a space's tiles with the database; with `repair`, mend it where they differ."""
    part = f"index of the tiles of {space.name}"
    if library.tiles.is_current(space.id):
        return Finding("ok", part, "as in the database")
    if repair:
        library.tiles.save(space.id)
        return Finding("repaired", part, "was missing, behind or damaged; made again from the database")
    if library.tiles.facts(space.id) is None and not any((library.path / "vectors").glob(f"tiles-{space.id}.*")):
        return Finding("ok", part, "not written yet; searches make it in memory, and the next run writes it")
    if is_indexing(library.path):
        return Finding("ok", part, "behind the database; the indexer that is at work writes it")
    return Finding("wrong", part, f"behind, damaged or another's; searches make it in memory. {MENDABLE}")
