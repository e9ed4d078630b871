"""Marks as a JSON file: what may stand in it, and what a name may be.

It names contents by SHA-256, so that it outlives ids.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from store.errors import SightlineError
from store.paths import as_json as path_as_json
from store.tables.filters import abbreviated

FORMAT: Final = "sightline-marks"
VERSION: Final = 4
"""1 had no `set_aside`, 2 no `selections`, 3 no `concepts`."""
MAX_TAG: Final = 64
MAX_CONCEPT: Final = 64
MAX_SEARCH_NAME: Final = 200
MAX_SEARCH: Final = 8_000

_HASH: Final = re.compile(r"[0-9a-f]{64}")
# Letters and digits of any script, with single hyphens between.
_CONCEPT: Final = re.compile(r"[^\W_]+(-[^\W_]+)*")
_SET_NAME: Final = re.compile(r"[0-9a-f]{12}")
# Of a concept in JSON.
_SIDES: Final = ("examples", "counter_examples")


class MarksError(SightlineError, ValueError):
    """An invalid mark: a bad name, an unknown picture, or a file that is no file of marks."""


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search that was saved. `saved_at`: ISO 8601, UTC."""

    name: str
    query: str
    saved_at: str


def tag_name(name: str) -> str:
    """The name of a tag as it is kept: white space trimmed and collapsed.

    Raises:
        MarksError: empty, longer than 64 characters, or with a control character, a comma or a double quote in it.
    """
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in name.strip()):
        raise MarksError(f"The tag {abbreviated(name)} has a control character in it. Leave it out.")
    kept = " ".join(name.split())
    if not 1 <= len(kept) <= MAX_TAG:
        raise MarksError(f"A tag has 1 to {MAX_TAG} characters; {kept[:20]!r} has {len(kept)}. Choose another name.")
    for char, called in ((",", "a comma"), ('"', "a double quote")):
        if char in kept:
            raise MarksError(f"The tag {kept!r} has {called} in it, which separates tags. Leave it out.")
    return kept


def concept_name(name: str) -> str:
    """The name of a concept as it is kept: composed, white space around it trimmed.

    Raises:
        MarksError: empty, longer than 64 characters, or not of letters and digits with single hyphens between.
    """
    kept = unicodedata.normalize("NFC", name.strip())
    if not 1 <= len(kept) <= MAX_CONCEPT:
        raise MarksError(f"The name of a concept has 1 to {MAX_CONCEPT} characters; {kept[:20]!r} has {len(kept)}.")
    if not _CONCEPT.fullmatch(kept):
        raise MarksError(
            f"The name of a concept is letters and digits, with hyphens between, as in ours-boat; not "
            f"{abbreviated(kept)}."
        )
    return kept


def check_search_name(name: str) -> str:
    """The name of a saved search, as it is.

    Raises:
        MarksError: empty, longer than 200 characters, with white space around it or a control character in it.
    """
    if not 1 <= len(name) <= MAX_SEARCH_NAME:
        raise MarksError(f"A search's name has 1 to {MAX_SEARCH_NAME} characters; {name[:20]!r} has {len(name)}.")
    if name != name.strip() or any(unicodedata.category(char) in ("Cc", "Cs") for char in name):
        raise MarksError(f"The name {name!r} has white space around it or a control character in it. Leave it out.")
    return name


def check_search_text(text: str) -> str:
    """The text of a search, as it is.

    Raises:
        MarksError: blank, longer than 8,000 characters, or with a lone surrogate in it.
    """
    if not text.strip() or len(text) > MAX_SEARCH:
        raise MarksError(f"A search has 1 to {MAX_SEARCH} characters that are not all blank; this has {len(text)}.")
    if any(unicodedata.category(char) == "Cs" for char in text):
        raise MarksError(f"The search {text[:40]!r} has half a character (a surrogate) in it. Leave it out.")
    return text


@dataclass(frozen=True, slots=True)
class Place:
    """Where a photo lies, and the SHA-256 of what it holds, 32 bytes. Paths are bytes."""

    root: bytes
    path: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Decided:
    """All marks of a library: contents by their SHA-256, 32 bytes.

    `selections` are the sets that a saved search asks for, by name; `concepts` have examples and counter-examples.
    """

    tags: dict[str, list[bytes]] = field(default_factory=dict)
    favourites: list[bytes] = field(default_factory=list)
    searches: list[SavedSearch] = field(default_factory=list)
    set_aside: list[Place] = field(default_factory=list)
    selections: dict[str, list[bytes]] = field(default_factory=dict)
    concepts: dict[str, tuple[list[bytes], list[bytes]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of restoring marks.

    Attributes:
        tags: how many times a picture was given a tag that it did not have.
        favourites: how many pictures became favourites.
        searches: how many searches were added.
        unknown: SHA-256, in hex, of pictures that the library does not have; their marks were left out.
        kept: names of searches that have another text here, which they kept.
        set_aside: how many photos were set aside.
        elsewhere: paths, as displayed, of photos set aside that the library does not have there, or with other bytes.
        selected: how many pictures came back into selections of saved searches.
        other_selections: names of selections that have other pictures here, which they kept.
        taught: how many times a picture came to teach a concept.
    """

    tags: int
    favourites: int
    searches: int
    unknown: tuple[str, ...]
    kept: tuple[str, ...]
    set_aside: int = 0
    elsewhere: tuple[str, ...] = ()
    selected: int = 0
    other_selections: tuple[str, ...] = ()
    taught: int = 0


def as_json(decided: Decided) -> dict[str, Any]:
    """Marks as `json.dumps` takes them, in the lowest version that has room for them."""
    selections = {name: [hash_.hex() for hash_ in hashes] for name, hashes in decided.selections.items()}
    return {
        "format": FORMAT,
        "version": VERSION if decided.concepts else 3 if selections else 2,
        "tags": {name: [hash_.hex() for hash_ in hashes] for name, hashes in decided.tags.items()},
        "favourites": [hash_.hex() for hash_ in decided.favourites],
        "searches": [asdict(search) for search in decided.searches],
        "set_aside": [_place_as_json(place) for place in decided.set_aside],
        **({"selections": selections} if selections or decided.concepts else {}),
        **({"concepts": _concepts_as_json(decided.concepts)} if decided.concepts else {}),
    }


def _concepts_as_json(concepts: Mapping[str, tuple[list[bytes], list[bytes]]]) -> dict[str, Any]:
    return {
        name: {key: [hash_.hex() for hash_ in hashes] for key, hashes in zip(_SIDES, sides, strict=True)}
        for name, sides in concepts.items()
    }


def _place_as_json(place: Place) -> dict[str, str]:
    root = {key.replace("path", "root"): value for key, value in path_as_json(place.root).items()}
    return {**root, **path_as_json(place.path), "hash": place.hash.hex()}


def read(data: object) -> Decided:
    """Marks from what `as_json` gave, now or as version 1 to 3.

    Names that are one once white space is collapsed have their pictures together.

    Raises:
        MarksError: it is something else; the message says where.
    """
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise _wrong("the file", f'an object with "format": "{FORMAT}"', data)
    version = data.get("version")
    if type(version) is not int:
        raise MarksError(f"The file can't be read: it has version {abbreviated(version)}; that is a whole number.")
    if version not in range(1, VERSION + 1):
        raise MarksError(
            f"These marks have version {abbreviated(version)}; this program reads 1 to {VERSION}. Update it."
        )
    names = {"format", "version", "tags", "favourites", "searches"}
    fields = _object(data, "the file", {*names, *("set_aside", "selections", "concepts")[: version - 1]})
    tags = fields["tags"]
    if not isinstance(tags, Mapping):
        raise _wrong("tags", "an object from names to lists", tags)
    searches = [_search(search, f"searches[{at}]") for at, search in enumerate(_list(fields["searches"], "searches"))]
    if len(names := {search.name for search in searches}) < len(searches):
        raise MarksError(f"These marks can't be read: {len(searches)} searches have {len(names)} names between them.")
    places = _list(fields.get("set_aside", []), "set_aside")
    set_aside = [_place(place, f"set_aside[{at}]") for at, place in enumerate(places)]
    decided = Decided({}, _hashes(fields["favourites"], "favourites"), searches, set_aside)
    for name, hashes in tags.items():
        decided.tags.setdefault(tag_name(str(name)), []).extend(_hashes(hashes, f"tags[{abbreviated(name)}]"))
    selections = fields.get("selections", {})
    if not isinstance(selections, Mapping) or not all(_SET_NAME.fullmatch(str(name)) for name in selections):
        raise _wrong("selections", "an object from names of 12 hexadecimal digits to lists", selections)
    for name, hashes in selections.items():
        decided.selections[str(name)] = _hashes(hashes, f"selections[{abbreviated(name)}]")
    concepts = fields.get("concepts", {})
    if not isinstance(concepts, Mapping):
        raise _wrong("concepts", "an object from names to objects", concepts)
    for name, concept in concepts.items():
        where = f"concepts[{abbreviated(name)}]"
        given = _object(concept, where, set(_SIDES))
        examples, others = (_hashes(given[key], f"{where}.{key}") for key in _SIDES)
        if twice := set(examples) & set(others):
            raise _wrong(where, "of different pictures", min(twice).hex())
        sides = decided.concepts.setdefault(concept_name(str(name)), ([], []))
        sides[0].extend(examples)
        sides[1].extend(others)
    return decided


def _object(data: object, where: str, names: set[str]) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise _wrong(where, "an object", data)
    if data.keys() != names:
        odd = abbreviated(min(data.keys() ^ names, key=str))
        raise MarksError(f"These marks can't be read: {where} has {', '.join(sorted(names))}, each once; see {odd}.")
    return data


def _list(data: object, where: str) -> list[Any]:
    if not isinstance(data, list):
        raise _wrong(where, "a list", data)
    return data


def _hashes(data: object, where: str) -> list[bytes]:
    return [_hash(hash_, f"{where}[{at}]") for at, hash_ in enumerate(_list(data, where))]


def _hash(data: object, where: str) -> bytes:
    if not isinstance(data, str) or not _HASH.fullmatch(data):
        raise _wrong(where, "a SHA-256 of 64 hexadecimal digits, in lower case", data)
    return bytes.fromhex(data)


def _place(data: object, where: str) -> Place:
    given = data.keys() if isinstance(data, Mapping) else set()
    names = {f"{name}_b64" if f"{name}_b64" in given else name for name in ("root", "path")}
    fields = _object(data, where, {*names, "hash"})
    hash_ = _hash(fields["hash"], f"{where}.hash")
    return Place(_path(fields, "root", where), _path(fields, "path", where), hash_)


def _path(fields: Mapping[str, Any], name: str, where: str) -> bytes:
    key = name if name in fields else f"{name}_b64"
    value = fields[key]
    try:
        return str.encode(value) if key == name else base64.b64decode(value, validate=True)
    except (TypeError, ValueError):  # half a character, or no base64
        raise _wrong(f"{where}.{key}", "text" if key == name else "bytes in base64", value) from None


def _search(data: object, where: str) -> SavedSearch:
    fields = _object(data, where, {"name", "query", "saved_at"})
    for name, value in fields.items():
        if not isinstance(value, str):
            raise _wrong(f"{where}.{name}", "text", value)
    if not _is_time(fields["saved_at"]):
        raise _wrong(f"{where}.saved_at", "a time as in 2026-01-31T12:00:00+00:00", fields["saved_at"])
    return SavedSearch(check_search_name(fields["name"]), check_search_text(fields["query"]), fields["saved_at"])


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return text.isascii() and text.isprintable()  # any character may stand for the "T", half a one too


def _wrong(where: str, wanted: str, found: object) -> MarksError:
    return MarksError(f"These marks can't be read: {where} should be {wanted}; it is {abbreviated(found)}.")
