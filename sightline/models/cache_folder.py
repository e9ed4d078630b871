"""Where what can be measured or computed again is kept between runs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from store.checked_files import read_checked, write_checked

# More than anybody has models.
_ANSWERS: Final = 256
_MOST_BYTES: Final = 1_000_000  # ten times what any of these files grows to


def cache_folder() -> Path:
    """The folder of `SIGHTLINE_CACHE`, else Sightline's in the user's cache folder; it need not exist."""
    if named := os.environ.get("SIGHTLINE_CACHE"):
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("sightline", appauthor=False)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object that `write_object` wrote; an empty one where there is none, or it is damaged."""
    found: Any = None
    with suppress(ValueError, RecursionError):
        found = json.loads(read_checked(path, path.name.encode(), _MOST_BYTES) or b"{}")
    return found if isinstance(found, dict) else {}


def answered(
    file: str, question: Sequence[Any], ask: Callable[[], list[Any]], is_valid: Callable[[list[Any]], bool],
) -> list[Any]:  # fmt: skip
    """The answer to a question: kept in a file of the cache folder, or given now and kept.

    Args:
        question: all that the answer depends on, in JSON's terms.
        ask: gives an answer in JSON's terms.
        is_valid: whether what was kept is one.
    """
    path = cache_folder() / file
    key = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
    kept = read_object(path)
    known = kept.get(key)
    if isinstance(known, list) and is_valid(known):
        return known
    kept[key] = answer = ask()
    write_object(path, dict(list(kept.items())[-_ANSWERS:]))  # a cache: asked again where it can't be kept
    return answer


def write_object(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON object with a checksum; does nothing where that fails."""
    write_checked(path, json.dumps(values, indent=1).encode(), path.name.encode(), parents=True)
