"""Which roots a person wants to be watched, asked for and switched without a look at their photos."""

from __future__ import annotations

from sqlalchemy import Engine, select, update

from store.tables.schema import Root


def watched_roots(engine: Engine) -> dict[bytes, bool]:
    """The path of every root, in the order they were added, and whether it is to be watched."""
    with engine.connect() as connection:
        return {path: bool(on) for path, on in connection.execute(select(Root.path, Root.watched).order_by(Root.id))}


def switch(engine: Engine, root_id: int, *, on: bool) -> None:
    """Note whether a root is to be watched.

    Needs no lock: it changes nothing that a run or a search reads.
    """
    with engine.execution_options(write=True).begin() as connection:
        connection.execute(update(Root.table).where(Root.id == root_id).values(watched=int(on)))
