"""What of the tables can be compared with the rest of them, and mended from it."""

from __future__ import annotations

from sqlalchemy import Engine


def has_unchecked_pictures(engine: Engine) -> bool:
    """Whether thumbnails and previews may be those of an older version, without a checksum."""
    with engine.connect() as connection:
        return bool(connection.exec_driver_sql("SELECT unchecked_pictures FROM library").scalar_one())
