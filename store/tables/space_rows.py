"""The rows of spaces: found by what their models hold, added where they are new."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection, Row

from store.tables.records import now
from store.tables.schema import Space, Vector
from store.tables.space_identity import SpaceIdentity


def find(connection: Connection, identity: SpaceIdentity) -> Row[Any] | None:
    """The row of a space; of several, that with the most vectors: they differ in their addresses only."""
    found = _rows(connection, identity)
    if len(found) < 2:
        return found[0] if found else None
    return max(found, key=lambda row: (_vectors(connection, row.id), -row.id))


def stood_for(spaces: Iterable[tuple[int, str | None, int]]) -> set[int]:
    """The ids of those that another space stands for, from id, fingerprint and vectors of all; see `find`."""
    known = [(fingerprint, (vectors, -id_)) for id_, fingerprint, vectors in spaces if fingerprint is not None]
    best: dict[str, tuple[int, int]] = {}
    for fingerprint, rank in known:
        best[fingerprint] = max(best.get(fingerprint, rank), rank)
    return {-rank[1] for fingerprint, rank in known if rank != best[fingerprint]}


def _rows(connection: Connection, identity: SpaceIdentity) -> list[Row[Any]]:
    columns = (Space.id, Space.key, Space.fingerprint, Space.name, Space.model, Space.weights, Space.dim)
    rows: Any = connection.execute(select(*columns).order_by(Space.id)).all()
    return [row for row in rows if identity.is_of(row.key, row.fingerprint)]


def _vectors(connection: Connection, space_id: int) -> int:
    query = select(func.count()).select_from(Vector.table).where(Vector.space_id == space_id)
    return connection.execute(query).scalar_one()


def add(connection: Connection, identity: SpaceIdentity) -> tuple[int, bool]:
    """The id of a space, which is added if it is new; and whether it was known by another address.

    A known space takes the address and the fingerprint of `identity`; its key and its vectors stay, and its width once
    it has vectors.
    """
    row = find(connection, identity)
    if row is None:
        names = (name for name in SpaceIdentity.__slots__ if name != "former_keys")
        values = {name: getattr(identity, name) for name in names}
        new = insert(Space.table).values(**values, created_at=now(), epoch=0).returning(Space.id)
        return int(connection.execute(new).scalar_one()), False
    unmarked = [each.id for each in _rows(connection, identity) if each.fingerprint is None]
    if unmarked and identity.fingerprint is not None:
        marked = update(Space.table).where(Space.id.in_(unmarked)).values(fingerprint=identity.fingerprint)
        connection.execute(marked)
    changes: dict[str, Any] = {}
    moved = row.model != identity.model
    if moved:
        changes["model"] = identity.model
        # A name that came from the old address goes with it; a preset's, which is the address itself, stays.
        if row.model.endswith(row.name) and row.model != row.name:
            changes["name"] = identity.name
    if row.weights != identity.weights:
        changes["weights"] = identity.weights
    if row.dim != identity.dim and not _vectors(connection, row.id):
        changes["dim"] = identity.dim
    if changes:
        connection.execute(update(Space.table).where(Space.id == row.id).values(**changes))
    return int(row.id), moved
