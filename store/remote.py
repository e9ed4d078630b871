"""Libraries that use services beyond their folder: a PostgreSQL server, Qdrant, a store of objects.

Every library has a folder on this machine. That of a library on PostgreSQL holds no truth, only what can be made again
and `remote.json`: which services it uses.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from store.addresses import checked_address
from store.addresses import is_address as is_address
from store.checked_files import read_file
from store.errors import LibraryError
from store.files import make_private, replace_file

DATABASE: Final = "library.sqlite"
"""The file that is the library, where it is not on PostgreSQL."""
FILE: Final = "remote.json"
EDGE: Final = "edge"
"""In place of the address of a vector service: Qdrant's engine in this process, beside the library."""

_MOST_BYTES: Final = 100_000
_DATABASE_SCHEMES: Final = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class Remote:
    """The services that a library uses; None where its folder does.

    Attributes:
        database: address of a PostgreSQL database: postgresql://user@host:port/name.
        vectors: address of a Qdrant server, or `edge`.
        thumbnails: address of the folder of thumbnails and previews, as fsspec writes it: s3://bucket/folder. None
            where the library says it itself, or its folder holds them.
    """

    database: str | None = None
    vectors: str | None = None
    thumbnails: str | None = None

    def __repr__(self) -> str:
        return f"Remote({', '.join(f'{name}={without_password(value)!r}' for name, value in asdict(self).items())})"

    @property
    def is_local(self) -> bool:
        """Whether the folder is all there is."""
        return self == Remote()


def remote_of(folder: Path) -> Remote:
    """The services that the library in a folder uses.

    Raises:
        LibraryError: `remote.json` can't be read.
    """
    data = read_file(folder / FILE, _MOST_BYTES)
    if data is None:
        return Remote()
    try:
        found: Any = json.loads(data)
        values = {each.name: found[each.name] for each in fields(Remote)}
        if any(value is not None and not isinstance(value, str) for value in values.values()):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise LibraryError(
            f"{folder / FILE} can't be read: it says which database and which vectors this library uses. Remove it, "
            "and name the library by its address once more, with --library and --vectors."
        ) from None
    return Remote(**values)


def has_library(folder: Path) -> bool:
    """Whether a folder is that of a library; one on PostgreSQL may have no tables yet."""
    return (folder / DATABASE).is_file() or remote_of(folder).database is not None


def truth_file(folder: Path) -> Path:
    """The file by which the library of a folder is told from another in its place."""
    return folder / (DATABASE if remote_of(folder).database is None else FILE)


def shown(folder: Path) -> str:
    """How messages name the library of a folder: its address without a password, or the folder."""
    database = remote_of(folder).database
    return str(folder) if database is None else str(without_password(database))


def folder_of(given: str | os.PathLike[str], vectors: str | None = None, thumbnails: str | None = None) -> Path:
    """The folder of a library that was named by a path or an address, with `remote.json` as it is to be.

    What is not given stays as it was when the library was last named here.

    Args:
        given: a folder, or the address of a PostgreSQL database.
        vectors: address of a Qdrant server, `edge`, or `local` for the engine that needs no service.
        thumbnails: address of the folder of thumbnails and previews, or `local` for the library's own.

    Raises:
        LibraryError: an address is none, or the folder can't be made.
    """
    text = os.fspath(given)
    database = checked_database(text) if is_address(text) else None
    folder = _working_folder(database) if database is not None else Path(text).expanduser().absolute()
    known = remote_of(folder)
    if database is not None and database == without_password(known.database):
        database = known.database  # as messages name it
    wanted = replace(
        known,
        database=database if database is not None else known.database,
        vectors=known.vectors if vectors is None else checked_vectors(vectors),
        thumbnails=known.thumbnails if thumbnails is None else checked_thumbnails(thumbnails),
    )
    if wanted != known:
        write(folder, wanted)
    return folder


def write(folder: Path, remote: Remote) -> None:
    """Keep which services the library of a folder uses.

    For its owner alone, as addresses may hold passwords.

    Raises:
        LibraryError: it can't be written.
    """
    try:
        make_private(folder, parents=True)
        if remote.is_local:
            (folder / FILE).unlink(missing_ok=True)
            return
        text = json.dumps(asdict(remote), indent=2) + "\n"
        replace_file(folder / FILE, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise LibraryError(
            f"{folder / FILE} can't be written ({error.strerror}). It says which services the library uses. Change the "
            "permissions of its folder, or choose another data folder with XDG_DATA_HOME."
        ) from error


def checked_database(address: str) -> str:
    """The address of a PostgreSQL database.

    Raises:
        LibraryError: it is none.
    """
    parts = urlsplit(address)
    if parts.scheme not in _DATABASE_SCHEMES or not parts.path.strip("/"):
        raise LibraryError(
            f"{without_password(address)} is not the address of a library. Give a folder, or a PostgreSQL database as "
            "postgresql://USER@HOST/DATABASE."
        )
    return urlunsplit(parts._replace(scheme="postgresql"))


def checked_vectors(address: str) -> str | None:
    """The address of a vector service; None for `local`.

    Raises:
        LibraryError: it is none.
    """
    if address == "local":
        return None
    if address != EDGE and (urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname):
        raise LibraryError(
            f"{without_password(address)} is not the address of a vector service. Give http://HOST:6333 of a Qdrant "
            "server, `edge` for its engine in this process, or `local` for Sightline's own."
        )
    return address


def checked_thumbnails(address: str) -> str | None:
    """The address of a folder for thumbnails and previews; None for `local`.

    Raises:
        LibraryError: it is none.
    """
    if address == "local":
        return None
    if not is_address(address):
        raise LibraryError(
            f"{address} is not the address of a folder for thumbnails. Give one as s3://BUCKET/FOLDER or "
            "file:///FOLDER, or `local` for the library's own."
        )
    return checked_address(address)


def _working_folder(database: str) -> Path:
    """Where this user keeps what belongs to a library on PostgreSQL.

    Named by its address without user and password.
    """
    from platformdirs import user_data_path

    parts = urlsplit(database)
    host = (parts.netloc.rpartition("@")[2] or "local").lower()
    where = f"{host}{unquote(parts.path)}?{parts.query}"
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{host}-{parts.path.strip('/')}").strip("-.")[:60]
    return user_data_path("sightline", appauthor=False) / "remote" / f"{name}-{_digest(where)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def without_password(address: str | None) -> str | None:
    """An address as it may be shown."""
    if address is None or "://" not in address:
        return address
    scheme, _, rest = address.partition("://")
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    place, tail = rest[:end], rest[end:]
    user, at, host = place.rpartition("@")
    tail = re.sub(r"((?:password|secret|token|key|sslpassword)=)[^&#]*", r"\1***", tail, flags=re.IGNORECASE)
    return f"{scheme}://{user.partition(':')[0]}{at}{host}{tail}"
