"""Addresses in place of folders: s3://bucket/photos, as fsspec writes them.

A root is a `Path` all through the program. The path of an address has one slash after its scheme, since a path has
never two: `s3:/bucket/photos`. What is kept, shown and opened has both.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from store.errors import SightlineError
from store.printing import printable

# Two letters at least: one is a drive of Windows.
_ADDRESS: Final = re.compile(r"([a-z][a-z0-9+.-]+):/+", re.IGNORECASE)
# A folder of this machine; a host in it, as in file://localhost/photos, is none of ours.
_FILE: Final = re.compile(r"file:/+(?:localhost/+)?", re.IGNORECASE)
# What can't be listed, or is no place for pictures.
_NOT_LISTED: Final = ("http", "https", "data", "github", "jlab", "jupyter", "ftp", "postgresql", "postgres")
# Users of these are no secret; all else before an @ may be a key.
_WITH_USERS: Final = ("sftp", "ssh", "smb", "webhdfs", "hdfs")
_BUCKETS: Final = ("s3", "s3a", "gs", "gcs", "oss", "oci")


class AddressError(SightlineError):
    """What was given is no address of a folder that can be indexed."""


def is_address(text: str | os.PathLike[str]) -> bool:
    """Whether what was given for a library, or a folder of pictures, is an address and not a path."""
    return _ADDRESS.match(os.fspath(text)) is not None


def address_of(path: str | os.PathLike[str]) -> str:
    """The address that an address, or the path of one, stands for: with both slashes and none at its end.

    Of what is no address, it is what it was.
    """
    text = os.fspath(path)
    found = _ADDRESS.match(text)
    if found is None:
        return text
    scheme = found[1].lower()
    return f"{scheme}://{'/' if scheme == 'file' else ''}{text[found.end() :].rstrip('/')}"


def local_folder(path: Path) -> Path:
    """The folder of this machine that a `file://` address names; any other path as it is."""
    found = _FILE.match(os.fspath(path))
    return path if found is None else Path("/" + unquote(os.fspath(path)[found.end() :]))


def checked_address(path: str | os.PathLike[str]) -> str:
    """The address of a folder of pictures, or of thumbnails.

    Raises:
        AddressError: it is none, or holds a password.
    """
    address = address_of(path)
    parts = urlsplit(address)
    scheme, _, rest = address.partition("://")
    shown = shown_address(address)
    if scheme in _NOT_LISTED or "::" in address:
        raise AddressError(
            f"{shown} is not the address of a folder: what lies there can't be listed. Give a folder of this machine, "
            "or one as s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or sftp://USER@HOST/FOLDER."
        )
    user = parts.netloc.rpartition("@")[0]
    if ":" in user or (user and scheme not in _WITH_USERS):
        raise AddressError(
            f"{shown} was given with a key or password in it, which would be kept and shown. Leave it out, and set it "
            "as the service's own settings or environment take it, see docs/cluster.md."
        )
    if "\0" in address or "\n" in address or (not rest.strip("/") and scheme in _BUCKETS):
        raise AddressError(f"{shown} names no folder. Give its whole address, as {scheme}://BUCKET/FOLDER.")
    return address


def shown_address(address: str) -> str:
    """An address as messages name it: printable, and without a password or key."""
    scheme, mark, rest = address_of(address).partition("://")
    place, slash, path = rest.partition("/")
    user, at, host = place.rpartition("@")
    named = user.partition(":")[0] if scheme in _WITH_USERS or not user else "***"
    return printable(f"{scheme}{mark}{named}{at}{host}{slash}{path}")
