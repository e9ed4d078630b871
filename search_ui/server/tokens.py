"""The token of a library's server: made once, kept in a file that only its owner can read.

It is what tells the owner from other users of the machine, who reach the loopback as well. The file lies in the user's
own state folder and not in the library, which may lie on a shared or foreign drive, or be copied elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import time
from pathlib import Path
from typing import Final

from platformdirs import user_state_path

from store.errors import SightlineError

VARIABLE: Final = "SIGHTLINE_TOKEN"
"""The environment variable that gives the token in place of the file."""

SHORT: Final = 16
"""Characters below which a token can be guessed over a network."""

# What can stand in an address and in a header as it is: RFC 6750's b64token, without what an address would escape.
_FORM: Final = re.compile(r"[A-Za-z0-9._~-]{1,512}")
_BYTES: Final = 32
_PATIENCE: Final = 1.0  # seconds; another server may be writing the file just now


class TokenError(SightlineError):
    """The token can't be had; the message says why and what to do."""


def token_of(library: Path) -> str:
    """The token of a library's server: from `SIGHTLINE_TOKEN`, else its file, made where there is none.

    Raises:
        TokenError: the variable holds none, or the file can't be made, read, or kept from others.
    """
    given = os.environ.get(VARIABLE)
    if given is not None:
        if not _FORM.fullmatch(given):
            raise TokenError(
                f"{VARIABLE} must be 1 to 512 letters, digits, dots, hyphens, underscores or tildes; it is "
                f"{'empty' if not given else 'not'}. Unset it to have a token made."
            )
        return given
    path = file_of(library)
    try:
        _make_folder(path.parent)
        return _read(path) or _make(path)
    except OSError as error:
        raise TokenError(
            f"The token can't be kept in {path} ({error.strerror or error}). Set {VARIABLE}, or start with --no-token."
        ) from error


def renew(library: Path) -> str:
    """Make another token and put it in the place of the one before. Servers that run keep theirs.

    Raises:
        TokenError: `SIGHTLINE_TOKEN` gives it, or the file can't be written.
    """
    if VARIABLE in os.environ:
        raise TokenError(f"{VARIABLE} gives the token: change it there.")
    path = file_of(library)
    try:
        _make_folder(path.parent)
        return _replace(path)
    except OSError as error:
        raise TokenError(f"The token can't be kept in {path} ({error.strerror or error}).") from error


def file_of(library: Path) -> Path:
    """Where the token of a library's server is kept."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(library))).hexdigest()[:32]
    return user_state_path("sightline", appauthor=False) / "tokens" / name


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check(folder, folder.lstat(), stat.S_ISDIR)


def _read(path: Path) -> str | None:
    """The token of the file; None where there is none, or nothing in it."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            _check(path, os.fstat(descriptor), stat.S_ISREG)
            found = file.read(1024).decode("ascii", "replace").strip()
        if _FORM.fullmatch(found) and len(found) >= SHORT:
            return found
        if time.monotonic() > deadline:
            return None
        time.sleep(0.02)


def _make(path: Path) -> str:
    try:
        token = _write(path)
    except FileExistsError:
        # Another server made it meanwhile, or one ended before it had written.
        return _read(path) or _replace(path)
    return token


def _replace(path: Path) -> str:
    beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        token = _write(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return token


def _write(path: Path) -> str:
    token = secrets.token_urlsafe(_BYTES)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(f"{token}\n".encode())
    return token


def _check(path: Path, found: os.stat_result, is_kind: object) -> None:
    """Raise TokenError where others could read what lies there, or have put it there."""
    assert callable(is_kind)
    if not is_kind(found.st_mode):
        raise TokenError(f"{path} is in the place of the token. Remove it.")
    if not hasattr(os, "geteuid"):
        return  # Windows: the user's own folders are closed to other users by their access lists
    if found.st_uid != os.geteuid():
        raise TokenError(
            f"{path} belongs to user {found.st_uid}, you are {os.geteuid()}: its owner would know the token. Remove it."
        )
    if found.st_mode & 0o077:
        raise TokenError(
            f"{path} is open to other users (mode {stat.S_IMODE(found.st_mode):03o}). Close it (chmod go= {path}); "
            "if they may have read the token, remove the file: the next start makes another."
        )
