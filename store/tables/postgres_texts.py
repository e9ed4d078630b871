"""Texts as PostgreSQL can store them."""

from __future__ import annotations

from typing import Any, Final

from psycopg.types.string import StrDumperUnknown

_NUL: Final = b"\x00"


class TextDumper(StrDumperUnknown):
    """Writes texts without NUL, which PostgreSQL refuses in every text.

    The replacement character stands for it: what was asked for with a NUL finds what was kept with one.
    """

    def dump(self, obj: str) -> Any:
        """The text as UTF-8."""
        data = obj.encode()
        return data.replace(_NUL, b"\xef\xbf\xbd") if _NUL in data else data
