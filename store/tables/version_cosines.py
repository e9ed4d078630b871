"""The cosine of each space from which the pixels of two pictures are compared: `spaces.version_cosine`."""

from __future__ import annotations

from sqlalchemy import Engine


def read_version_cosine(engine: Engine, space_id: int) -> float | None:
    """The cosine that was measured in a space; None where none was."""
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT version_cosine FROM spaces WHERE id = ?", (space_id,)).scalar()
    return None if found is None else float(found)


def write_version_cosine(engine: Engine, space_id: int, cosine: float) -> None:
    """Keep the cosine that was measured in a space. Hold `store.lock.locked` meanwhile."""
    with engine.execution_options(write=True).begin() as connection:
        connection.exec_driver_sql("UPDATE spaces SET version_cosine = ? WHERE id = ?", (cosine, space_id))
