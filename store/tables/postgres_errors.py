"""What PostgreSQL and its driver say when something is amiss, in sentences with the way out."""

from __future__ import annotations

from typing import Final

from store.disk_errors import DiskError
from store.errors import LibraryError

# postgresql.org/docs/current/errcodes-appendix.html
_FULL: Final = ("53100",)
_READ_ONLY: Final = ("25006",)
_NO_RIGHTS: Final = ("42501",)
_ENDED: Final = ("57P01", "57P02", "57P03", "57P05")
_TOO_MANY: Final = ("53300",)
_DAMAGED: Final = ("XX001", "XX002")


def missing_driver(where: str) -> LibraryError:
    """The error where the package is not installed."""
    return LibraryError(
        f'The library {where} is on PostgreSQL, and the package for that is missing: pip install "sightline[cluster]"'
    )


def explained(error: BaseException, where: str, *, lost: bool = False) -> LibraryError | None:
    """The error that a user sees for one of the driver's; None where it is no one's but the program's.

    Args:
        error: of the driver, while a statement ran.
        where: how messages name the library.
        lost: whether the connection is gone.
    """
    state, said = getattr(error, "sqlstate", None), _first_line(error)
    if state in _FULL:
        return DiskError(
            f"The disk of the PostgreSQL server of {where} is full ({said}): make room there, and run the same again."
        )
    if state in _READ_ONLY:
        return LibraryError(
            f"The PostgreSQL server of {where} may only be read ({said}), so nothing can be written to the library. "
            "Name the server that may be written."
        )
    if state in _NO_RIGHTS:
        return LibraryError(
            f"This user may not do that in the library {where} ({said}). Grant the rights in PostgreSQL, or name "
            "another user in the address."
        )
    if state in _DAMAGED:
        return DiskError(
            f"PostgreSQL finds the database of {where} damaged ({said}). Check the disk of its server, and restore a "
            "backup of the database; your pictures are not affected."
        )
    if lost or state in _ENDED or (state or "").startswith("08"):
        return LibraryError(
            f"The connection to the PostgreSQL server of {where} was lost ({said}). What was committed is kept. Try "
            "again when the server runs."
        )
    return None


def refused(error: BaseException, where: str, password: str | None) -> LibraryError:
    """The error that a user sees where no connection could be made.

    Args:
        error: of the driver.
        where: how messages name the library.
        password: what must not be shown.
    """
    said = _last_line(error)
    if password:
        said = said.replace(password, "***")
    if "authentication failed" in said or "no password supplied" in said or "pg_hba.conf" in said:
        return LibraryError(
            f"PostgreSQL lets this user not into the library {where} ({said}). Give the right user in the address, "
            "and the password there, in the file ~/.pgpass or in the variable PGPASSWORD."
        )
    if "does not exist" in said and "role" not in said:
        return LibraryError(
            f"There is no database for the library {where} ({said}). Make it first, as a user of the server who may: "
            "createdb NAME"
        )
    if getattr(error, "sqlstate", None) in _TOO_MANY or "too many" in said or "remaining connection slots" in said:
        return LibraryError(
            f"The PostgreSQL server of {where} has no room for another connection ({said}). Close other programs that "
            "use it, or raise its max_connections."
        )
    return LibraryError(
        f"The PostgreSQL server of {where} can't be reached ({said}). See that it runs, that its host and port are "
        "right and that it lets this machine in, and try again."
    )


def no_address(where: str) -> LibraryError:
    """The error for an address that the driver can't read; what it says of that may hold the password."""
    return LibraryError(
        f"{where} is not an address that PostgreSQL reads. Write postgresql://USER@HOST:PORT/DATABASE, with % codes "
        "for special characters in a password."
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__


def _last_line(error: BaseException) -> str:
    """Several addresses were tried: what was said of the last."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    while len(lines) > 1 and (lines[-1].startswith(("Is the server", "Multiple connection", "DETAIL", "HINT"))):
        lines.pop()
    return lines[-1].removeprefix("- ").rstrip(".") if lines else type(error).__name__
