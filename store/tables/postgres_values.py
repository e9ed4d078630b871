"""How values go to PostgreSQL and come back: as SQLite takes and gives them."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.types.string import StrDumperUnknown

_NUL: Final = b"\x00"
_REPLACEMENT: Final = "\ufffd".encode()


class _TextDumper(StrDumperUnknown):
    """Writes texts without NUL, which PostgreSQL refuses in every text.

    The replacement character stands for it: what is asked for with a NUL finds what was kept with one.
    """

    def dump(self, obj: str) -> Any:
        data = obj.encode()
        return data.replace(_NUL, _REPLACEMENT) if _NUL in data else data


class _NumberLoader(Loader):
    """Reads sums of whole numbers as whole numbers, others as floats."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data)
        return int(text) if text.lstrip(b"-").isdigit() else float(text)


def adapt(connection: psycopg.Connection[Any]) -> None:
    """Let a connection write and read so."""
    connection.adapters.register_dumper(str, _TextDumper)
    connection.adapters.register_loader("numeric", _NumberLoader)
