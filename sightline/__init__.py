"""Search your own pictures by what they show, with `sightline.Library`. See docs/python-api.md.

Names are loaded when they are first used: `import sightline` alone imports no model, vector or database library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sightline.backups import backup as backup
    from sightline.backups import restore as restore
    from sightline.library import Library as Library
    from sightline.query.types import QueryError as QueryError
    from sightline.records import Records as Records
    from store.errors import LibraryError as LibraryError
    from store.errors import SpaceError as SpaceError

    __version__: str

_HOMES: Final = {
    "Library": "sightline.library",
    "Records": "sightline.records",
    "QueryError": "sightline.query.types",
    "LibraryError": "store.errors",
    "SpaceError": "store.errors",
    "backup": "sightline.backups",
    "restore": "sightline.backups",
}

__all__ = ["Library", "LibraryError", "QueryError", "Records", "SpaceError", "__version__", "backup", "restore"]


def __getattr__(name: str) -> Any:
    """Load a public name on first use and keep it (PEP 562)."""
    value: Any
    if name == "__version__":
        value = _version()
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """The version of the installed package; "0+unknown" where the code runs without being installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("sightline")
    except PackageNotFoundError:
        return "0+unknown"
