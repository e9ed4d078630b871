"""The rows of spaces: found by what their models hold, added where they are new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection, Row

from store.tables.records import now
from store.tables.schema import Space, Vector


@dataclass(frozen=True, slots=True)
class SpaceIdentity:
    """The identity of a space. Vectors of two identities never meet.

    Attributes:
        key: of a new space; what is kept on the disk for it is named by it.
        name: for people; `model`: the address that leads to its model; `weights`: where those came from.
        fingerprint: of all that decides about its vectors; None where only the key is known.
        former_keys: keys that it may have in a library that was made before there were fingerprints.
    """

    key: str
    name: str
    model: str
    weights: str
    preprocess: str
    dim: int
    has_text: bool
    fingerprint: str | None = None
    former_keys: tuple[str, ...] = ()

    def is_of(self, key: str, fingerprint: str | None) -> bool:
        """Whether this is the identity of a space with that key and fingerprint."""
        if fingerprint is not None and self.fingerprint is not None:
            return fingerprint == self.fingerprint
        return key == self.key or key in self.former_keys


def find(connection: Connection, identity: SpaceIdentity) -> Row[Any] | None:
    """The row of a space; of several, that with the most vectors: they differ in their addresses only."""
    columns = (Space.id, Space.key, Space.fingerprint, Space.name, Space.model, Space.weights, Space.dim)
    rows: Any = connection.execute(select(*columns).order_by(Space.id)).all()
    found: list[Row[Any]] = [row for row in rows if identity.is_of(row.key, row.fingerprint)]
    if len(found) < 2:
        return found[0] if found else None
    return max(found, key=lambda row: (_vectors(connection, row.id), -row.id))


def _vectors(connection: Connection, space_id: int) -> int:
    query = select(func.count()).select_from(Vector).where(Vector.space_id == space_id)
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
        new = insert(Space).values(**values, created_at=now(), epoch=0).returning(Space.id)
        return int(connection.execute(new).scalar_one()), False
    changes: dict[str, Any] = {}
    if row.fingerprint is None and identity.fingerprint is not None:
        changes["fingerprint"] = identity.fingerprint
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
        connection.execute(update(Space).where(Space.id == row.id).values(**changes))
    return int(row.id), moved
