"""Writes of one batch of the indexer's results, in the current transaction.

SQLAlchemy's statements took more than half of a commit: it made `IN` lists and parameters anew for each batch. Here all
SQL is static, so SQLite's statements are prepared once a connection, and rows go to the driver as they are.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from store.paths import display
from store.tables import dialect, edits, looks, tiles
from store.tables.fact_table import FACTS_VERSION, HEADER_NAMES, READ_NAMES
from store.tables.filters import casefolded
from store.tables.known_files import CHUNK
from store.tables.records import now
from store.tables.row_checksums import of_vector
from store.tables.written import add, renew


@dataclass(frozen=True, slots=True)
class File:
    """A path under a root and what it looked like when it was read.

    `device`, `inode` and `ctime_ns` are st_dev, st_ino and st_ctime_ns, or None where they were not asked for.
    `sidecars` are its XMP sidecars, as `indexer.sidecars` notes them.
    """

    root_id: int
    path: bytes
    size: int
    mtime_ns: int
    device: int | None = None
    inode: int | None = None
    ctime_ns: int | None = None
    sidecars: bytes | None = None


@dataclass(frozen=True, slots=True)
class Indexed:
    """A file whose content is known.

    Attributes:
        facts: by the names of `fact_table.READ_NAMES`, where the library lacks them; where it has some that an older
            version read, those of the header take their place.
        vectors: by the id of a space, unit, any float type; in those that lack it.
        look: what the picture looks like, where the library lacks it, or with `replaces_pixels`.
        replaces_facts: whether the facts take the place of those that this version read, too: a sidecar tells more.
        replaces_pixels: whether the vectors, and facts of the pixels, take the place of those that the library has, and
            vectors of other spaces go: an older version read another picture.
        same: contents that the path held before, the last or earlier ones, that are the same picture: their marks are
            for this content, too.
        tiles: those of the picture, by the id of a space; in those that lack them.
    """

    file: File
    hash: bytes
    facts: Mapping[str, Any] | None = None
    vectors: Mapping[int, NDArray[np.floating[Any]]] = field(default_factory=dict)
    look: looks.Look | None = None
    replaces_facts: bool = False
    replaces_pixels: bool = False
    same: tuple[int, ...] = ()
    tiles: Mapping[int, tiles.Tiles] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that could not be indexed.

    `stage` is walk, read, open, decode or encode; `reason` says why in plain words.
    """

    file: File
    stage: str
    reason: str


_Place = tuple[int, bytes]  # a root and a path under it

_ADD_CONTENT: Final = (
    f"INSERT INTO contents (id, hash, size, photo_count, facts_version, {', '.join(READ_NAMES)}) "
    f"VALUES ({', '.join('?' * (5 + len(READ_NAMES)))})"
)
_PUT_FACTS: Final = (
    f"UPDATE contents SET facts_version = ?, {', '.join(f'{name} = ?' for name in HEADER_NAMES)} "
    "WHERE id = ? AND (facts_version < ? OR ?)"
)
_PIXEL_NAMES: Final = tuple(name for name in READ_NAMES if name not in HEADER_NAMES)
_PUT_PIXEL_FACTS: Final = f"UPDATE contents SET {', '.join(f'{name} = ?' for name in _PIXEL_NAMES)} WHERE id = ?"
_ADD_VECTOR: Final = (
    "INSERT INTO vectors (space_id, content_id, vector, checksum) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_ADD_PHOTO: Final = (
    "INSERT INTO photos "
    "(root_id, path, display, folder, name, ext, content_id, size, mtime_ns, device, inode, ctime_ns, sidecars) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_PHOTO: Final = (
    "UPDATE photos SET folder = ?, name = ?, ext = ?, content_id = ?, size = ?, mtime_ns = ?, device = ?, inode = ?, "
    "ctime_ns = ?, sidecars = ?, missing_since = NULL WHERE id = ?"
)
_PUT_FAILURE: Final = (
    "INSERT INTO failures (root_id, path, display, stage, reason, size, mtime_ns, inode, ctime_ns, failed_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (root_id, path) DO UPDATE SET stage = excluded.stage, "
    "reason = excluded.reason, size = excluded.size, mtime_ns = excluded.mtime_ns, inode = excluded.inode, "
    "ctime_ns = excluded.ctime_ns, failed_at = excluded.failed_at"
)
_RECOUNT: Final = (
    "UPDATE contents SET photo_count = (SELECT count(*) FROM photos "
    "WHERE content_id = contents.id AND missing_since IS NULL) WHERE id = ?"
)


def write(connection: Connection, indexed: Sequence[Indexed], failed: Sequence[Failed]) -> edits.Outcome:
    """Write contents, vectors, photos and failures, and keep the counts of photos by content.

    Returns:
        What became of the marks of pictures whose file holds other bytes now.
    """
    last = {(item.file.root_id, item.file.path): item for item in indexed}
    held = _held(connection, last)
    ids, new = _put_contents(connection, last.values(), indexed)
    _drop_pixels(connection, ids, [item for item in indexed if item.replaces_pixels])
    _add_vectors(connection, ids, indexed)
    tiles.put(
        connection,
        ((space_id, ids[item.hash], item.hash, each) for item in indexed for space_id, each in item.tiles.items()),
    )
    looks.put(connection, [(ids[item.hash], item.hash, item.look) for item in indexed if item.look is not None])
    _put_photos(connection, ids, held, last)
    touched = {content_id for _, content_id in held.values()} | (set(ids.values()) - new)
    recount(connection, touched | _put_failures(connection, failed, last.keys()))
    changed = [
        edits.Edit(held[where][0], held[where][1], ids[item.hash], item.same)
        for where, item in last.items()
        if where in held and held[where][1] != ids[item.hash]
    ]
    return edits.apply(connection, changed) if changed else edits.Outcome()


def last_content(connection: Connection) -> int:
    """The id of the content that was added last, whether it is still there or not; 0 before the first."""
    return dialect.last_id(connection, "contents")


def recount(connection: Connection, content_ids: Iterable[int]) -> None:
    """Count anew how many photos that are there hold each of these contents."""
    _each(connection, _RECOUNT, [(content_id,) for content_id in content_ids])


def place(root: str, shown: str) -> tuple[str, str, str]:
    """Return the columns `folder`, `name`, `ext` of a photo, from its root and path as displayed."""
    parent, _, name = shown.rpartition("/")
    name = casefolded(name)
    return folder(root, parent), name, name.rpartition(".")[2] if "." in name else ""


def folder(root: str, parent: str) -> str:
    """The column `folder` of photos in a folder of a root, both as they are displayed."""
    return "/".join(["", *filter(None, (root.rstrip("/").rpartition("/")[2], parent)), ""])


def _each(connection: Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        connection.exec_driver_sql(statement, rows)


def _found(connection: Connection, query: str, first: tuple[Any, ...], keys: Sequence[bytes]) -> list[Any]:
    """Return the rows of a query that ends in `IN`, for all keys.

    Full chunks are one statement, which the driver keeps.
    """
    rows: list[Any] = []
    for start in range(0, len(keys), CHUNK):
        chunk = tuple(keys[start : start + CHUNK])
        marks = ", ".join("?" * len(chunk))
        rows += connection.exec_driver_sql(f"{query} ({marks})", (*first, *chunk)).all()
    return rows


def _held(connection: Connection, places: Iterable[_Place]) -> dict[_Place, tuple[int, int]]:
    """The id and the content of each photo that is known at one of these places."""
    by_root: dict[int, list[bytes]] = {}
    for root_id, path in places:
        by_root.setdefault(root_id, []).append(path)
    query = "SELECT path, id, content_id FROM photos WHERE root_id = ? AND path IN"
    return {
        (root_id, path): (photo_id, content_id)
        for root_id, paths in by_root.items()
        for path, photo_id, content_id in _found(connection, query, (root_id,), paths)
    }


def _put_contents(
    connection: Connection, photos: Iterable[Indexed], indexed: Sequence[Indexed]
) -> tuple[dict[bytes, int], set[int]]:
    """The ids of all contents by hash, and which of them are new; those are counted as `photos` hold them."""
    hashes = list({item.hash for item in indexed})
    ids = dict(map(tuple, _found(connection, "SELECT hash, id FROM contents WHERE hash IN", (), hashes)))
    counts = Counter(item.hash for item in photos)
    # The ids are given here, so that nothing need be looked up again; those of others count on from them.
    first = last_content(connection) + 1
    new: list[tuple[Any, ...]] = []
    known: list[tuple[Any, ...]] = []
    added: dict[int, Mapping[str, Any]] = {}
    for item in indexed:
        if item.facts is None:
            continue
        if item.hash in ids:
            values = _column_values(item.facts, HEADER_NAMES)
            known.append((FACTS_VERSION, *values, ids[item.hash], FACTS_VERSION, item.replaces_facts))
        else:
            ids[item.hash] = first + len(new)
            added[ids[item.hash]] = item.facts
            facts = _column_values(item.facts, READ_NAMES)
            new.append((first + len(new), item.hash, item.file.size, counts[item.hash], FACTS_VERSION, *facts))
    _each(connection, _ADD_CONTENT, new)
    if new:
        dialect.count_on(connection, "contents", new[-1][0])
    _each(connection, _PUT_FACTS, known)
    add(connection, added)
    renew(connection, [row[-3] for row in known])
    return ids, set(range(first, first + len(new)))


def _column_values(facts: Mapping[str, Any], names: Sequence[str]) -> Iterator[Any]:
    """Values of facts as columns hold them: several texts as a JSON array, or NULL where there are none."""
    for name in names:
        value = facts.get(name)
        yield (json.dumps(value, ensure_ascii=False) if value else None) if isinstance(value, tuple) else value


def _drop_pixels(connection: Connection, ids: Mapping[bytes, int], items: Sequence[Indexed]) -> None:
    """Delete all vectors and tiles of contents, and put what else was found in their pixels."""
    contents = json.dumps([ids[item.hash] for item in items])
    where = "content_id IN (SELECT value FROM json_each(?))"
    if items:
        query = f"UPDATE spaces SET epoch = epoch + 1 WHERE id IN (SELECT space_id FROM vectors WHERE {where})"
        connection.exec_driver_sql(query, (contents,))
        connection.exec_driver_sql(f"DELETE FROM vectors WHERE {where}", (contents,))
        tiles.drop(connection, [ids[item.hash] for item in items])
    rows = [(*_column_values(item.facts or {}, _PIXEL_NAMES), ids[item.hash]) for item in items]
    _each(connection, _PUT_PIXEL_FACTS, rows)


def _add_vectors(connection: Connection, ids: Mapping[bytes, int], indexed: Sequence[Indexed]) -> None:
    for space_id in sorted({space_id for item in indexed for space_id in item.vectors}):
        there = [(item.hash, item.vectors[space_id]) for item in indexed if space_id in item.vectors]
        halves = np.stack([vector for _, vector in there]).astype("<f2")
        rows = []
        for (content_hash, _), half in zip(there, halves, strict=True):
            data = half.tobytes()
            rows.append((space_id, ids[content_hash], data, of_vector(space_id, content_hash, data)))
        _each(connection, _ADD_VECTOR, rows)


def _put_photos(
    connection: Connection,
    ids: Mapping[bytes, int],
    held: Mapping[_Place, tuple[int, int]],
    items: Mapping[_Place, Indexed],
) -> None:
    if not items:
        return
    roots = {row[0]: row[1] for row in connection.exec_driver_sql("SELECT id, display FROM roots")}
    new: list[tuple[Any, ...]] = []
    old: list[tuple[Any, ...]] = []
    other: list[tuple[int]] = []
    for where, item in items.items():
        file, content_id = item.file, ids[item.hash]
        shown = display(file.path)
        # No such root: the foreign key says so below.
        seen = (file.size, file.mtime_ns, signed(file.device), signed(file.inode), file.ctime_ns, file.sidecars)
        values = (*place(roots.get(file.root_id, ""), shown), content_id, *seen)
        if (known := held.get(where)) is None:
            new.append((*where, shown, *values))
        else:
            old.append((*values, known[0]))
            if known[1] != content_id and known[1] not in item.same:
                other.append((known[0],))
    # What was set aside was the picture that the file held.
    _each(connection, "DELETE FROM set_asides WHERE photo_id = ?", other)
    _each(connection, _ADD_PHOTO, new)
    _each(connection, _PUT_PHOTO, old)
    if connection.exec_driver_sql("SELECT 1 FROM failures LIMIT 1").first() is not None:
        _each(connection, "DELETE FROM failures WHERE root_id = ? AND path = ?", list(items))


def signed(number: int | None) -> int | None:
    """Give a number of 64 bits the sign that SQLite needs; network folders give large inodes."""
    return number - 2**64 if number is not None and number >= 2**63 else number


def _put_failures(connection: Connection, failed: Sequence[Failed], indexed: Collection[_Place]) -> set[int]:
    """Write failures, some of indexed places as well; returns the contents of photos missing for it."""
    stamp = now()
    rows = [
        (item.file.root_id, item.file.path, display(item.file.path), item.stage, item.reason, item.file.size,
         item.file.mtime_ns, signed(item.file.inode), item.file.ctime_ns, stamp)
        for item in failed
    ]  # fmt: skip
    _each(connection, _PUT_FAILURE, rows)
    # The path no longer holds the picture it held: what was found there must not be shown for it. Unless only a model
    # failed, and the picture is indexed as well: it is what the file holds.
    spoilt = {(item.file.root_id, item.file.path) for item in failed} - set(indexed)
    lost = _held(connection, spoilt).values()
    hide = "UPDATE photos SET missing_since = ? WHERE id = ? AND missing_since IS NULL"
    _each(connection, hide, [(stamp, photo_id) for photo_id, _ in lost])
    return {content_id for _, content_id in lost}
