"""Lists for the Library page: runs, failures by kind, what a prune would forget.

Each is read by SQL, a page at a time: a library may have 100,000 files that failed.
"""

from __future__ import annotations

import json
import os
import re
import string
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Text, func, literal, literal_column, select
from sqlalchemy.sql.elements import ColumnElement

from store import walk_options
from store.tables.catalog import Catalog
from store.tables.losses import Losses, losses
from store.tables.schema import Content, Failure, Photo, Root, Run, Space
from store.walk_options import WalkOptions

# What most reasons begin with; what follows the colon is of one file only.
# As text: PostgreSQL takes an expression with bound values in SELECT for another than that in GROUP BY.
_HEAD: ColumnElement[str] = literal_column("substr(failures.reason, 1, instr(failures.reason || ':', ':') - 1)", Text())
_LOWER: Final = {ord(char): char.lower() for char in string.ascii_uppercase}
_NUMBER: Final = re.compile(r"\d[\d.,x]*\d|\d")


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run of the indexer. `summary` is None while it is at work, or where it was killed."""

    started_at: str
    finished_at: str | None
    state: str
    space: str
    summary: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class FailureKind:
    """Failures of one kind: a text with … for numbers, how many, and how the reasons of this kind begin."""

    text: str
    count: int
    heads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file, or folder, that could not be indexed; `where` is its path as displayed, root and all."""

    id: int
    where: str
    stage: str
    reason: str
    size: int
    failed_at: str


@dataclass(frozen=True, slots=True)
class FailedPlace:
    """A file that failed: where it lies, what it looked like when it did, and what it failed at.

    Attributes:
        root: the folder that was indexed.
        path: below it.
        size: in bytes.
        mtime_ns: when its content changed, which any program can set.
        stage: what it failed at.
        ctime_ns: when it changed, which none can set; None where it failed before that was kept.
        failed_at: when it was read, ISO 8601, UTC, whole seconds.
        options: how the root was walked.
    """

    root: bytes
    path: bytes
    size: int
    mtime_ns: int
    stage: str
    ctime_ns: int | None
    failed_at: str
    options: WalkOptions


@dataclass(frozen=True, slots=True)
class Prunable:
    """What a prune would forget: photos, pictures left without a photo, and marks that are lost with them."""

    photos: int
    pictures: int
    losses: Losses


def runs(catalog: Catalog, limit: int) -> list[RunRow]:
    """The newest runs, newest first."""
    query = (
        select(Run.started_at, Run.finished_at, Run.state, func.coalesce(Space.name, ""), Run.summary)
        .outerjoin(Space.table, Space.id == Run.space_id).order_by(Run.id.desc()).limit(limit)
    )  # fmt: skip
    with catalog.engine.connect() as connection:
        return [RunRow(*row[:4], json.loads(row[4]) if row[4] else None) for row in connection.execute(query)]


def kinds(catalog: Catalog) -> list[FailureKind]:
    """The kinds of failures, most first."""
    query = select(_HEAD, func.count()).select_from(Failure.table).group_by(_HEAD).order_by(_HEAD)
    found: dict[str, list[tuple[str, int]]] = {}
    with catalog.engine.connect() as connection:
        for head, count in connection.execute(query):
            found.setdefault(_NUMBER.sub("…", head), []).append((head, count))
    made = [
        FailureKind(text if len(of) > 1 else of[0][0], sum(count for _, count in of), tuple(head for head, _ in of))
        for text, of in found.items()
    ]
    return sorted(made, key=lambda kind: (-kind.count, kind.text))


def failed(
    catalog: Catalog, kind: FailureKind | None, text: str, limit: int, offset: int
) -> tuple[list[FailedFile], int]:  # fmt: skip
    """A page of the files that failed, by root and path, and how many there are on all pages.

    Args:
        catalog: the facts of a library.
        kind: only those; None: all.
        text: only those whose path, stage or reason has it in it, whatever the case of ASCII letters.
        limit: files on the page.
        offset: files before it.
    """
    where: list[ColumnElement[bool]] = []
    if kind is not None:
        # One value, not one for each: thousands of sizes make as many heads.
        heads = select(func.json_each(json.dumps(kind.heads)).table_valued("atom").c.atom)
        where.append(_HEAD.in_(heads))
    if text:
        shown = Root.display + literal("/") + Failure.display
        looked = shown + literal("\n") + Failure.stage + literal("\n") + Failure.reason
        where.append(func.instr(func.lower(looked), literal(text.translate(_LOWER))) > 0)
    base = select(Failure.table).join(Root.table, Root.id == Failure.root_id).where(*where)
    total = select(func.count()).select_from(base.subquery())
    page = base.with_only_columns(
        Failure.id, Root.display + literal("/") + Failure.display, Failure.stage, Failure.reason, Failure.size,
        Failure.failed_at,
    ).order_by(Failure.root_id, Failure.path).limit(limit).offset(offset)  # fmt: skip
    with catalog.engine.connect() as connection:
        return [FailedFile(*row) for row in connection.execute(page)], connection.execute(total).scalar_one()


def place_of_failure(catalog: Catalog, failure_id: int) -> FailedPlace | None:
    """Where a file that failed lies, and what it looked like; None where none has this id."""
    query = (
        select(
            Root.path, Failure.path, Failure.size, Failure.mtime_ns, Failure.stage, Failure.ctime_ns,
            Failure.failed_at, Root.options,
        )
        .join(Root.table, Root.id == Failure.root_id).where(Failure.id == failure_id)
    )  # fmt: skip
    with catalog.engine.connect() as connection:
        row = connection.execute(query).first()
    return None if row is None else FailedPlace(*row[:-1], walk_options.from_json(row[-1]))


def remarks(catalog: Catalog) -> Iterator[tuple[bytes, str]]:
    """Yield the path and the remark of each file that was indexed though something is amiss, in order."""
    remark_of = Content.table.c["remark"]  # columns of facts are no attributes
    query = (
        select(Root.path, Photo.path, remark_of)
        .join(Photo.table, Photo.root_id == Root.id).join(Content.table, Content.id == Photo.content_id)
        .where(remark_of.is_not(None), Photo.missing_since.is_(None)).order_by(Photo.root_id, Photo.path)
    )  # fmt: skip
    with catalog.engine.connect() as connection:
        for root, path, remark in connection.execute(query):
            yield os.path.join(root, path), remark  # noqa: PTH118 - bytes, which pathlib does not take


def prunable(catalog: Catalog, root_ids: Collection[int]) -> Prunable:
    """What a prune of these roots would forget, as far as is known before it looks."""
    ids = sorted(root_ids)
    gone = (Photo.missing_since.is_not(None), Photo.root_id.in_(ids))
    stays = select(Photo.id).where(Photo.content_id == Content.id, ~(gone[0] & gone[1])).exists()
    lost = select(Content.id).where(
        Content.photo_count == 0, Content.id.in_(select(Photo.content_id).where(*gone)), ~stays
    )  # fmt: skip
    photos = select(Photo.id).where(*gone)
    with catalog.engine.connect() as connection:
        photo_ids = list(connection.execute(photos).scalars())
        pictures = connection.execute(select(func.count()).select_from(lost.subquery())).scalar_one()
    return Prunable(len(photo_ids), pictures, losses(catalog.engine, photo_ids))


def newest(catalog: Catalog) -> int:
    """The highest id a content ever had; 0 in an empty library. Each new picture raises it by one."""
    with catalog.engine.connect() as connection:
        return connection.execute(select(func.coalesce(func.max(Content.id), 0))).scalar_one()


def contents(catalog: Catalog) -> int:
    """How many pictures the library knows, those that are missing among them: what a space can hold."""
    with catalog.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(Content.table)).scalar_one()
