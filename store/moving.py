"""A library into another place: from SQLite to PostgreSQL and back, or from folder to folder.

The copy is whole, or says that it is not: until everything was copied and compared, no program opens it. What was
committed stays when it is stopped, and the next call goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.engine import Connection

from store.errors import LibraryError
from store.images.stored import note_thumbnails
from store.library import Library
from store.lock import locked
from store.remote import DATABASE, remote_of, shown
from store.tables import copied_rows, vector_rows
from store.tables.copied_rows import Sum
from store.tables.migrations import UNFINISHED, VERSION, set_version, version_of

Progress = Callable[[str, int, int], object]
"""Called with the step at hand ("copying", "comparing", "thumbnails"), what was done of it, and its total."""

# Marks that pages make meanwhile are copied, too: so often, at most.
_MOST_ROUNDS: Final = 10
# Requests to a store of objects take long each, and do not hinder one another.
_AT_ONCE: Final = 16
_MADE: Final = "SELECT created_at FROM library"
_MARKS: Final = (
    "tags", "content_tags", "favourites", "set_asides", "left_marks", "sets", "saved_searches", "concepts",
    "concept_pictures",
)  # fmt: skip


class RefusedError(LibraryError):
    """The place to copy into holds something else."""


class DifferingError(LibraryError):
    """A copy is not equal to its library."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was done.

    Attributes:
        rows: rows of all tables that both hold.
        copied: how many of them this call wrote.
        thumbnails: thumbnails and previews that this call wrote.
        was_there: the library was there already, and is the same.
        damaged: vectors that are not what was written, in both.
    """

    rows: int
    copied: int
    thumbnails: int
    was_there: bool
    damaged: int


def copy_library(source: Path, target: Path, progress: Progress = lambda step, done, total: None) -> Copied:
    """Copy a library into another place, and compare both.

    Indexers are kept away from both meanwhile. What people mark in the old one is copied as well; what they mark there
    afterwards is not.

    Args:
        source: the folder of a library.
        target: the folder of the new one. It holds none, an empty one, a part of this copy or the whole of it.
        progress: told of.

    Raises:
        LibraryLockedError: an indexer is at work on one of them.
        DifferingError: the copy is not equal.
        RefusedError: `target` has another library.
        LibraryError: there is no library in `source`; one of them can't be read or written.
    """
    if source.resolve() == target.resolve():
        raise RefusedError(f"{shown(source)} can't be copied onto itself. Name another place.")
    with (
        Library.open(source) as old,
        nullcontext() if old.readonly else locked(source),
        locked(target),
        _target(target, old) as (new, is_whole),
    ):
        return (_compared if is_whole else _copied)(old, new, progress)


# -- the target -------------------------------------------------------------------------------------------------------


@contextmanager
def _target(path: Path, old: Library) -> Iterator[tuple[Library, bool]]:
    """The library to copy into, and whether it holds a whole library already."""
    if remote_of(path).database is None and not (path / DATABASE).exists():
        Library.create(path).close()
    where, origin = shown(path), _origin(old)
    with Library(path, readonly=False) as new:  # not by its doors: they refuse one that is not whole
        with new.catalog.engine.connect() as connection:
            found = version_of(connection)
        if found == 0:
            Library.create(path).close()
            found = VERSION
        if found not in (VERSION, UNFINISHED + VERSION):
            raise RefusedError(
                f"{where} has a library of layout version {found % UNFINISHED} already; this program copies into empty "
                "ones. Nothing was changed. Name another place."
            )
        with new.catalog.engine.execution_options(write=True).begin() as connection:
            if found == VERSION and not copied_rows.is_blank(connection):
                is_whole = True
            else:
                is_whole = False
                if found == VERSION:
                    connection.exec_driver_sql("CREATE TABLE copying (origin TEXT NOT NULL)")
                    connection.exec_driver_sql("INSERT INTO copying (origin) VALUES (?)", (json.dumps(origin),))
                    set_version(connection, UNFINISHED + VERSION)
                _check_origin(connection, origin, where)
        yield new, is_whole


def _origin(library: Library) -> dict[str, str]:
    with library.catalog.engine.connect() as connection:
        made = connection.exec_driver_sql(_MADE).scalar_one()
    return {"created_at": str(made), "from": shown(library.path)}


def _check_origin(connection: Connection, origin: dict[str, str], where: str) -> None:
    known = json.loads(connection.exec_driver_sql("SELECT origin FROM copying").scalar_one())
    if known["created_at"] != origin["created_at"]:
        raise RefusedError(
            f"{where} holds a part of another library: a copy of {known['from']} was begun there. Nothing was changed. "
            "Finish that copy, or name another place."
        )


# -- copying ----------------------------------------------------------------------------------------------------------


def _copied(old: Library, new: Library, progress: Progress) -> Copied:
    copied = thumbnails = 0
    for _ in range(_MOST_ROUNDS):
        with old.catalog.engine.connect() as view:  # one view of the library, whatever others commit
            copied += _copy_rows(view, new, progress)
            sums, differing = _compare(view, new, progress)
            if differing:  # what was copied by an earlier call has changed since
                with new.catalog.engine.execution_options(write=True).begin() as connection:
                    copied_rows.clear(connection, differing)
                copied += _copy_rows(view, new, progress)
                sums, differing = _compare(view, new, progress)
            if differing:
                raise DifferingError(
                    f"The copy in {shown(new.path)} is not equal to {shown(old.path)}: {', '.join(differing)} differ. "
                    "It is not used by anything. Check the library with `python -m indexer verify`, and copy again."
                )
            thumbnails += _copy_pictures(view, old, new, progress)
            if _has_changed(view, old):
                continue
            damaged = _damaged(new)
            note_thumbnails(new.path, new.catalog.engine)
            with new.catalog.engine.execution_options(write=True).begin() as connection:
                copied_rows.finish(view, connection)
                if copied_rows.of_library(connection) != copied_rows.of_library(view):
                    raise DifferingError(f"The copy in {shown(new.path)} has other settings than {shown(old.path)}.")
                connection.exec_driver_sql("DROP TABLE copying")
                set_version(connection, VERSION)
        return Copied(sum(each.rows for each in sums.values()), copied, thumbnails, False, damaged)
    raise LibraryError(
        f"{shown(old.path)} is being marked all the time, so the copy never was the same. Copy when pages are closed; "
        "it goes on from there."
    )


def _copy_rows(view: Connection, new: Library, progress: Progress) -> int:
    engine = new.catalog.engine
    with engine.connect() as connection:
        done = sum(copied_rows.rows_in(connection, name) for name in copied_rows.names())
    total = sum(copied_rows.rows_in(view, name) for name in copied_rows.names())
    copied = 0
    for name in copied_rows.names():
        while True:
            with engine.execution_options(write=True).begin() as connection:
                rows = copied_rows.copy_batch(view, connection, name)
            copied += rows
            progress("copying", done + copied, total)
            if rows < copied_rows.BATCH:
                break
    return copied


def _compare(view: Connection, new: Library, progress: Progress) -> tuple[dict[str, Sum], list[str]]:
    """Sums of all tables of the library, and the names of those that differ in the copy."""
    names = copied_rows.names()
    with new.catalog.engine.connect() as copy:
        total = sum(copied_rows.rows_in(view, name) + copied_rows.rows_in(copy, name) for name in names)
        done = 0

        def advance(rows: int) -> None:
            nonlocal done
            done += rows
            progress("comparing", done, total)

        sums, differing = {}, []
        for name in names:
            sums[name] = copied_rows.sum_of(view, name, advance)
            if copied_rows.sum_of(copy, name, advance) != sums[name]:
                differing.append(name)
    return sums, differing


def _has_changed(view: Connection, old: Library) -> bool:
    """Whether somebody changed the library since the view of it was taken."""
    with old.catalog.engine.connect() as now:
        return copied_rows.of_library(view) != copied_rows.of_library(now) or any(
            copied_rows.sum_of(view, name) != copied_rows.sum_of(now, name) for name in _MARKS
        )


def _damaged(library: Library) -> int:
    """How many vectors are not what was written, by their own checksums."""
    return sum(
        int(rows.wrong.sum())
        for space in library.catalog.spaces()
        for rows in vector_rows.read(library.catalog.engine, space.id, space.dim, 0)
    )


def _compared(old: Library, new: Library, progress: Progress) -> Copied:
    """Compare with a library that is there already: an earlier copy, or another library."""
    with old.catalog.engine.connect() as view:
        with new.catalog.engine.connect() as connection:
            is_same = copied_rows.of_library(connection) == copied_rows.of_library(view)
            known, made = (
                each.exec_driver_sql("SELECT created_at FROM library").scalar_one() for each in (connection, view)
            )
        if known != made:
            raise RefusedError(
                f"{shown(new.path)} has another library already. Nothing was changed. Name an empty database or folder."
            )
        sums, differing = _compare(view, new, progress)
        if differing or not is_same:
            raise DifferingError(
                f"{shown(new.path)} has a copy of {shown(old.path)} already, and both are not the same any more: "
                f"{', '.join(differing) or 'settings'} differ. Nothing was changed. Name an empty database or folder."
            )
        thumbnails = _copy_pictures(view, old, new, progress)
    return Copied(sum(each.rows for each in sums.values()), 0, thumbnails, True, _damaged(new))


# -- thumbnails -------------------------------------------------------------------------------------------------------


def _copy_pictures(view: Connection, old: Library, new: Library, progress: Progress) -> int:
    """Copy thumbnails and previews that the new library has not.

    Those that are damaged are made again when needed.
    """
    total = copied_rows.rows_in(view, "contents")
    done = copied = 0
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for hashes in _hashes(view):
            copied += sum(threads.map(lambda each: _copy_picture(each, old, new), hashes))
            done += len(hashes)
            progress("thumbnails", done, total)
    return copied


def _copy_picture(content_hash: bytes, old: Library, new: Library) -> int:
    copied = 0
    if new.thumbnails.look_at(content_hash) is None:
        found = old.thumbnails.look_at(content_hash)
        if found is not None and found[0] != "wrong":
            new.thumbnails.write(content_hash, found[1])
            copied += 1
    if old.previews.look_at(content_hash) == "right" and new.previews.look_at(content_hash) is None:
        data = old.previews.read(content_hash)
        if data is not None:
            new.previews.write(content_hash, data)
            copied += 1
    return copied


def _hashes(view: Connection) -> Iterator[Sequence[bytes]]:
    last = 0
    query = f"SELECT id, hash FROM contents WHERE id > ? ORDER BY id LIMIT {copied_rows.BATCH}"
    while rows := view.exec_driver_sql(query, (last,)).all():
        yield [row[1] for row in rows]
        last = rows[-1][0]
