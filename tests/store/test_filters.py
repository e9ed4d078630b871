"""Filters: what they keep agrees with a plain reading of their definitions, and never by reading a whole table."""

from __future__ import annotations

import fnmatch
import hashlib
import math
import re
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import databases
import numpy as np
import pytest
import scripts
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from examples import examples
from store.library import Library
from store.lock import locked
from store.tables import id_sets
from store.tables.filters import (
    Choice,
    Date,
    Ext,
    Favourite,
    Filter,
    Folder,
    Name,
    Near,
    Number,
    PhotoFilter,
    Place,
    Real,
    Set,
    Tag,
    Text,
    Word,
    Written,
    casefolded,
)
from store.tables.marks import MarksError
from store.tables.patterns import literal
from store.tables.records import KnownPhoto
from store.tables.writer import File, Indexed, SpaceIdentity, Writer
from store.time_limit import TimeLimitError, time_limit

SPACE = SpaceIdentity("key", "name", "model", "weights", "{}", 4, True)
PLAIN: dict[str, Any] = {"width": 40, "height": 30, "format": "JPEG", "orientation": 1}
VECTOR = np.array([1, 0, 0, 0], np.float32)


@dataclass(frozen=True)
class Picture:
    """A file of a made-up library. Files with the same `content` hold the same bytes; the first one's facts count."""

    path: str
    content: int
    root: str = "/home/Photos"
    missing: bool = False
    size: int = 1000
    facts: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    favourite: bool = False


_chosen = ["sqlite"]


@pytest.fixture(autouse=True)
def on_each(database: str) -> None:
    """Every test here is on both databases."""
    _chosen[:] = [database]


@contextmanager
def made(pictures: Sequence[Picture]) -> Iterator[tuple[Library, dict[int, int]]]:
    """A library of these pictures, as the indexer writes it, and each content's id."""
    with (
        tempfile.TemporaryDirectory() as folder,
        databases.placed(Path(folder) / "library", _chosen[0]) as path,
        locked(path), Library.create(path) as library,
    ):  # fmt: skip
        yield library, write(library, pictures)


def write(library: Library, pictures: Sequence[Picture]) -> dict[int, int]:
    writer, catalog = Writer(library.catalog.engine), library.catalog
    space = writer.add_space(SPACE)
    roots = {root: writer.add_root(root.encode()) for root in dict.fromkeys(picture.root for picture in pictures)}
    ids: dict[int, int] = {}
    for picture in pictures:
        path, hash_ = picture.path.encode(), picture.content.to_bytes(32, "big")
        known = picture.content in ids
        file = File(roots[picture.root], path, picture.size, 1)
        writer.commit([Indexed(file, hash_, None if known else PLAIN | picture.facts, {space: VECTOR})], [])
        photo = KnownPhoto._make(*catalog.known_rows(roots[picture.root], [path], [space]))
        ids[picture.content] = photo.content_id
        if picture.missing:
            writer.mark_missing([photo.id])
        if picture.tags:
            library.marks.change([photo.content_id], add=picture.tags)
        if picture.favourite:
            library.marks.favourite([photo.content_id], True)
    return ids


def set_of(ids: Sequence[int] | np.ndarray) -> str:
    """The name of the set of these contents, as it is defined: from the ids alone."""
    data = b"".join(id_.to_bytes(8, "little") for id_ in sorted({int(id_) for id_ in ids}))
    return hashlib.sha256(data).hexdigest()[:12]


# A library's contents have ids from 1 on; the sets of a test choose some of them, whatever they show.
CHOSEN = {set_of(ids): ids for ids in ((1,), (2, 3), (1, 2, 3, 4, 5, 6))}


def choose(library: Library, ids: dict[int, int]) -> None:
    """Keep the sets that filters of a test may name, as far as the library has their contents."""
    there = set(ids.values())
    with library.catalog.engine.execution_options(write=True).begin() as connection:
        for chosen in CHOSEN.values():
            id_sets.keep(connection, np.array(chosen))
    for chosen in CHOSEN.values():
        if there >= set(chosen):
            assert library.marks.keep_set(reversed(chosen)) == set_of(chosen)


def found(pictures: Sequence[Picture], *filters: Filter) -> set[int]:
    """Which contents a library of the pictures gives for the filters."""
    with made(pictures) as (library, ids):
        names = {id_: content for content, id_ in ids.items()}
        return {names[id_] for id_ in library.catalog.matching(filters).tolist()}


# -- a plain reading of what filters mean ---------------------------------------------------------------------------


def passing(pictures: Sequence[Picture], filters: Sequence[Filter], ids: dict[int, int] | None = None) -> set[int]:
    kept = set()
    for content in {picture.content for picture in pictures}:
        copies = [picture for picture in pictures if picture.content == content]
        whole = replace(
            copies[0],
            tags=tuple(tag for copy in copies for tag in copy.tags),
            favourite=any(copy.favourite for copy in copies),
        )
        there = [copy for copy in copies if not copy.missing]
        of_photos = [filter_ for filter_ in filters if isinstance(filter_, PhotoFilter)]
        others = [filter_ for filter_ in filters if not isinstance(filter_, PhotoFilter)]
        if any(all(holds(copy, filter_) != filter_.negated for filter_ in of_photos) for copy in there) and all(
            holds(whole, filter_, ids) != filter_.negated for filter_ in others
        ):
            kept.add(content)
    return kept


def holds(picture: Picture, filter_: Filter, ids: dict[int, int] | None = None) -> bool:
    facts = PLAIN | picture.facts
    match filter_:
        case Date(first, last):
            taken = facts.get("taken_at")
            if taken is None or (last is not None and last.startswith(taken) and last != taken):
                return False
            return (first or "") <= taken and (last is None or taken[: len(last)] <= last)
        case Folder(names):
            parents = [casefolded(part) for part in [picture.root.rsplit("/", 1)[1], *picture.path.split("/")[:-1]]]
            return any(in_folders(casefolded(name).strip("/").split("/"), parents) for name in names)
        case Name(patterns):
            name = casefolded(picture.path.rsplit("/", 1)[-1])
            return any(
                fnmatch.fnmatchcase(name, casefolded(pattern))
                if set(pattern) & set("*?[")
                else all(word in name for word in casefolded(pattern).split())
                for pattern in patterns
            )
        case Ext(names):
            spelt = {"jpeg": "jpg", "tiff": "tif", "heif": "heic"}
            _, dot, ext = casefolded(picture.path.rsplit("/", 1)[-1]).rpartition(".")
            return bool(dot) and spelt.get(ext, ext) in {spelt.get(name, name) for name in names}
        case Text("camera", names):
            camera = casefolded(f"{facts.get('camera_make') or ''} {facts.get('camera_model') or ''}".strip())
            return bool(camera) and any(all(word in camera for word in casefolded(name).split()) for name in names)
        case Text(key, names):
            whole = casefolded(facts.get("colour_label" if key == "label" else key) or "")
            return bool(whole) and any(all(word in whole for word in casefolded(name).split()) for name in names)
        case Number(fact, low, high):
            value = picture.size if fact == "size" else facts.get(fact)
            return value is not None and (low is None or value >= low) and (high is None or value <= high)
        case Real(fact, low, high, strict):
            value = facts.get(fact)
            if value is None:
                return False
            if low is not None and low == high:
                return ABOUT[fact](value, low)
            return (low is None or value > low or (value == low and not strict)) and (
                high is None or value < high or (value == high and not strict)
            )
        case Word(key, names):
            words = [casefolded(word) for word in facts.get({"keyword": "keywords", "person": "people"}[key], ())]
            return any(in_folders(casefolded(name).split("|"), word.split("|")) for name in names for word in words)
        case Written(key, names):
            asked = ("title", "caption", "keywords", "people") if key == "text" else (key,)
            texts = [facts.get(fact) or "" for fact in asked]
            whole = " ".join(text if isinstance(text, str) else " ".join(text) for text in texts)
            tokens = re.findall(r"\w+", plain_letters(whole))
            return any(all(has_word(tokens, word) for word in plain_letters(name).split()) for name in names)
        case Choice(_, names):
            across, up = facts["width"], facts["height"]
            return ("square" if across == up else "landscape" if across > up else "portrait") in names
        case Near(latitude, longitude, kilometres):
            if facts.get("latitude") is None:
                return False
            return apart((latitude, longitude), (facts["latitude"], facts["longitude"])) <= kilometres
        case Place(key, names):
            place = (facts.get("town"), facts.get("region"), facts.get("country"))
            return any(place in NAMED[key, name] for name in names)
        case Tag(names):
            return not {casefolded(name) for name in names}.isdisjoint(casefolded(tag) for tag in picture.tags)
        case Favourite():
            return picture.favourite
        case Set(names):
            assert ids is not None
            return any(ids[picture.content] in CHOSEN[name] for name in names)


def plain_letters(text: str) -> str:
    apart = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(char for char in apart if not unicodedata.combining(char))


def has_word(tokens: list[str], word: str) -> bool:
    return any(token.startswith(word[:-1]) if word.endswith("*") else token == word for token in tokens)


ABOUT: dict[str, Callable[[float, float], bool]] = {
    "aperture": lambda value, asked: asked / 1.03 <= value <= asked * 1.03,
    "exposure": lambda value, asked: abs(math.log2(value / asked)) <= 1 / 6,
    "focal": lambda value, asked: asked - 0.5 <= value <= asked + 0.5,
}


def in_folders(wanted: list[str], parents: list[str]) -> bool:
    wanted = [name.replace("[", "[[]").replace(r"\*", "[*]").replace(r"\?", "[?]") for name in wanted]
    return any(
        all(fnmatch.fnmatchcase(part, name) for part, name in zip(parents[at : at + len(wanted)], wanted, strict=True))
        for at in range(len(parents) - len(wanted) + 1)
    )


def apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Kilometres between two places, by the angle between two vectors."""
    a, b = (
        np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])
        for lat, lon in (map(math.radians, place) for place in (one, other))
    )
    return 6371.0088 * math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b))


# -- made up at random ----------------------------------------------------------------------------------------------

FOLDERS = ("", "Trips/", "trips/2023/", "TRIPS/2023/Été/", "a.b/", "trip/x/", "a*b/", "[x]/")
NAMES = (
    "IMG_1",
    "img_2",
    "Größe 1",
    "GRÖSSE",
    "e\u0301te\u0301",
    "été",
    "写真",
    "a[1]",
    "x^y",
    "no dot",
    "100%_",
    "\U0001f600",
)
EXTS = (".jpg", ".JPEG", ".heic", ".HEIF", ".tif", ".tiff", ".png", "", ".Ä")
DAYS = (
    "2023",
    "2023-06",
    "2023-06-15",
    "2022-12-31T23:59:59",
    "2023-01-01T00:00:00",
    "2023-06-15T12:00:00",
    "2023-06-30T23:59:59",
    "2024-02-29T08:00:00",
)
MAKES = (None, "SONY", "Canon", "Émile")
MODELS = (None, "ILCE-7", "EOS R5", "Sony")
PLACES = (
    (48.2, 16.4),
    (48.3, 16.4),
    (-17.0, 179.95),
    (-17.0, -179.95),
    (0.0, 180.0),
    (89.9, 0.0),
    (89.9, 180.0),
    (-90.0, 12.0),
)
TAGS = ("best", "Été", "old")
KOLN = ("Köln", "North Rhine-Westphalia", "Germany")
NEW_YORK = ("New York City", "New York", "United States")
YORK = ("York", "England", "United Kingdom")
KYOTO = ("Kyoto", "Kyoto", "Japan")
JAPAN = (None, None, "Japan")
# As people and programs write it into files.
WRITTEN = ("Kyōto-shi", None, "Japon")
NAMED: dict[tuple[str, str], set[tuple[str | None, ...]]] = {
    ("town", "köln"): {KOLN}, ("town", "COLOGNE"): {KOLN}, ("town", "york"): {YORK},
    # A York in Nebraska goes by that name, too: it is not meant.
    ("town", "new york"): {NEW_YORK},
    ("town", "kyoto"): {KYOTO, WRITTEN}, ("region", "new york"): {NEW_YORK}, ("region", "nrw"): set(),
    ("country", "usa"): {NEW_YORK}, ("country", "united"): {NEW_YORK, YORK}, ("country", "de"): {KOLN},
    ("country", "japan"): {KYOTO, JAPAN, WRITTEN}, ("place", "york"): {YORK}, ("place", "new york"): {NEW_YORK},
    ("place", "日本"): {KYOTO, JAPAN, WRITTEN}, ("place", "kyoto, japan"): {KYOTO, WRITTEN},
    ("place", "kyoto, usa"): set(), ("place", "york,england"): {YORK}, ("place", "atlantis"): set(),
    ("place", "de"): set(), ("place", ","): set(),
}  # fmt: skip
"""Which of these each filter finds."""
KEYWORDS = ("Places|USA|New York", "new york", "Été", "sea", "a*b", "sea|Deep", "C\\d")
PEOPLE = ("Ann", "ann lee", "Zoë")
TEXTS = ("A red Boat", "Größe, red-hot", "invoice 2023", "été à la mer", "\uff32\uff25\uff24")

facts = st.fixed_dictionaries(
    {"width": st.sampled_from([30, 40, 41]), "height": st.sampled_from([30, 40])},
    optional={
        "taken_at": st.sampled_from(DAYS),
        "camera_make": st.sampled_from(MAKES),
        "camera_model": st.sampled_from(MODELS),
        "lens": st.sampled_from(["FE 24-70mm", "RF50mm"]),
        "rating": st.sampled_from([1, 4, 5]),
        "iso": st.sampled_from([100, 3200]),
        "aperture": st.sampled_from([2.0, 2.8, 2.828, 4.0]),
        "exposure": st.sampled_from([1 / 250, 0.0005, 1 / 60, 2.0]),
        "focal": st.sampled_from([84.6, 85.0, 85.4, 24.0]),
        "colour_label": st.sampled_from(["Red", "Dark red", "Grün"]),
        "title": st.sampled_from(TEXTS),
        "caption": st.sampled_from(TEXTS),
        "keywords": st.lists(st.sampled_from(KEYWORDS), max_size=3).map(tuple),
        "people": st.lists(st.sampled_from(PEOPLE), max_size=2).map(tuple),
    },
)
placed = st.builds(
    lambda known, place, names: (
        known
        | ({} if place is None else {"latitude": place[0], "longitude": place[1]})
        | dict(zip(("town", "region", "country"), names, strict=False))
    ),
    facts,
    st.none() | st.sampled_from(PLACES),
    st.sampled_from([(), KOLN, NEW_YORK, YORK, KYOTO, JAPAN, WRITTEN]),
)
paths = st.builds("{}{}{}".format, *(st.sampled_from(parts) for parts in (FOLDERS, NAMES, EXTS)))
pictures = st.lists(
    st.builds(
        Picture,
        paths,
        st.integers(1, 6),
        st.sampled_from(["/home/Photos", "/mnt/trips"]),
        st.booleans(),
        st.sampled_from([10, 1000, 2_000_000]),
        placed,
        st.lists(st.sampled_from(TAGS), max_size=2).map(tuple),
        st.booleans(),
    ),
    min_size=1,
    max_size=10,
    unique_by=lambda picture: (picture.root, picture.path),
).map(lambda drawn: [replace(picture, size=drawn_size(drawn, picture)) for picture in drawn])


def drawn_size(drawn: Sequence[Picture], picture: Picture) -> int:
    """The same bytes have the same size."""
    return next(other.size for other in drawn if other.content == picture.content)


def some_of(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2).map(tuple)


ends = st.sampled_from(["2022", "2023", "2023-01", "2023-06", "2023-06-15", "2024-02-29"])
dates = st.one_of(
    st.builds(lambda days: (min(days), max(days)), st.tuples(ends, ends)),
    st.tuples(ends, st.none()),
    st.tuples(st.none(), ends),
)
yes = st.booleans()
filters: st.SearchStrategy[list[Filter]] = st.lists(
    st.one_of(
        st.builds(lambda days, no: Date(days[0], days[1], no), dates, yes),
        st.builds(
            Folder,
            some_of(
                "trips", "TRIPS/2023", "t*s", "t?ip", "2023/été", "photos", "/photos/trips/", "a*b", "x", r"a\*b", "[x]"
            ),
            yes,
        ),
        st.builds(
            Name,
            some_of(
                "img", "*.jp*g", "größe", "GRÖSSE*", "été*", "1 größe", "?[[]1]*", "[!a-i]*", "[^x]*", "%", "a[1]", "[x"
            ),
            yes,
        ),
        st.builds(Ext, some_of("jpg", "JPEG", "heic", "tiff", "png", "ä"), yes),
        st.builds(Text, st.just("camera"), some_of("sony", "canon eos", "7", "émile"), yes),
        st.builds(Text, st.just("lens"), some_of("24-70MM", "rf"), yes),
        st.builds(
            Number, st.sampled_from(["width", "height", "size"]), st.just(40), st.sampled_from([None, 40, 1000]), yes
        ),
        st.builds(Number, st.just("rating"), st.sampled_from([0, 2, 4]), st.sampled_from([None, 4, 5]), yes),
        st.builds(Number, st.just("iso"), st.sampled_from([None, 100, 101]), st.just(3200), yes),
        st.builds(Real, st.just("aperture"), st.just(2.8), st.sampled_from([2.8, 4]), st.just(False), yes),
        st.builds(
            Real, st.sampled_from(["aperture", "focal", "exposure"]), st.sampled_from([2, 85]), st.none(), yes, yes
        ),
        st.builds(Real, st.just("exposure"), st.none(), st.sampled_from([1 / 250, 1 / 60]), yes, yes),
        st.builds(lambda at, no: Real("exposure", at, at, negated=no), st.sampled_from([1 / 240, 1 / 50]), yes),
        st.builds(lambda at, no: Real("focal", at, at, negated=no), st.sampled_from([85, 86]), yes),
        st.builds(Text, st.just("label"), some_of("RED", "grün", "dark"), yes),
        st.builds(
            Word,
            st.just("keyword"),
            some_of("New York", "usa|new york", "places", "ÉTÉ", "*ea", "de?p", r"a\*b", r"c\d"),
            yes,
        ),
        st.builds(Word, st.just("person"), some_of("ANN", "ann*", "zoë"), yes),
        st.builds(
            Written,
            st.sampled_from(["text", "title", "caption"]),
            some_of("red", "RED boat", "grösse", "gro*", "invo*", "ete mer", "york", "zoe"),
            yes,
        ),
        st.builds(Choice, st.just("orientation"), some_of("landscape", "portrait", "square"), yes),
        st.builds(
            lambda place, far, no: Near(place[0], place[1], far, no),
            st.sampled_from(PLACES),
            st.sampled_from([1, 15, 50, 9000]),
            yes,
        ),
        st.sampled_from(list(NAMED)).flatmap(
            lambda one: st.builds(Place, st.just(one[0]), some_of(*(name for key, name in NAMED if key == one[0])), yes)
        ),
        st.builds(Tag, some_of("BEST", "ÉTÉ", "new"), yes),
        st.builds(Favourite, yes),
        st.builds(Set, some_of(*CHOSEN), yes),
    ),
    max_size=4,
)


@examples(150)
@given(pictures, st.lists(filters, min_size=1, max_size=6))
def test_filters_keep_what_a_plain_reading_of_them_keeps(drawn: list[Picture], asked: list[list[Filter]]) -> None:
    with made(drawn) as (library, ids):
        choose(library, ids)
        rows = {(p.root, p.path): p for p in drawn}
        for wanted in asked:
            kept = library.catalog.matching(wanted)
            assert kept.dtype == np.int64
            expected = passing(drawn, wanted, ids)
            assert kept.tolist() == sorted(ids[content] for content in expected)
            of_photos = [filter_ for filter_ in wanted if isinstance(filter_, PhotoFilter)]
            shown = library.catalog.photos(kept.tolist(), wanted)
            assert sorted(shown) == kept.tolist()
            for id_, photo in shown.items():
                (content,) = (content for content, known in ids.items() if known == id_)
                able = [p for p in rows.values() if p.content == content and passing([p], of_photos)]
                first = min(able, key=lambda p: (p.root.encode(), p.path.encode()))
                assert (photo.root.decode(), photo.path.decode()) == (first.root, first.path)


@examples(30)
@given(pictures, filters)
def test_orders_and_facets_agree_with_what_is_shown(drawn: list[Picture], wanted: list[Filter]) -> None:
    with made(drawn) as (library, ids_of):
        choose(library, ids_of)
        catalog = library.catalog
        kept = catalog.matching(wanted)
        shown = catalog.photos(kept.tolist(), wanted)
        by_name = sorted(kept.tolist(), key=lambda id_: (casefolded(shown[id_].display.rsplit("/", 1)[-1]), id_))
        assert catalog.ordered(kept[::-1], "name", wanted).tolist() == by_name
        by_id = sorted(kept.tolist())
        dated = sorted(by_id, key=lambda id_: shown[id_].facts["taken_at"] or "", reverse=True)
        assert catalog.ordered(kept[::-1], "date", wanted).tolist() == dated
        for facets in (catalog.facets(kept), catalog.facets()):
            ids = kept if facets == catalog.facets(kept) else catalog.matching(())
            for year, count in facets["years"]:
                assert len(np.intersect1d(ids, catalog.matching([Date(year, year)]))) == count
            for folder, count in facets["folders"]:
                held = [id_ for id_ in ids.tolist() if in_folder(drawn, catalog.hash_of(id_), folder)]
                assert len(held) == count
            kinds: dict[str, Callable[[str], Filter]] = {
                "ratings": lambda name: Number("rating", int(name), int(name)),
                "exts": lambda name: Ext((name,)),
                "shapes": lambda name: Choice("orientation", (name,)),
                "tags": lambda name: Tag((name,)),
                "keywords": lambda name: Word("keyword", (literal(name),)),
                "people": lambda name: Word("person", (name,)),
            }
            for kind, filter_of in kinds.items():
                counts = dict(facets[kind])
                assert all(counts.values())
                for name, count in counts.items():
                    assert len(np.intersect1d(ids, catalog.matching([filter_of(name)]))) == count
            assert sum(count for _, count in facets["shapes"]) == len(ids)
            assert facets.favourites == len(np.intersect1d(ids, catalog.matching([Favourite()])))
            for kind, fact in (
                ("lenses", lens),
                ("cameras", camera),
                ("labels", label),
                ("towns", town),
                ("countries", country),
            ):
                every = Counter(fact(row.facts) for row in catalog.photos(ids.tolist()).values())
                del every[""]
                assert dict(facets[kind]) == every
            there = [p for p in drawn if not p.missing and ids_of[p.content] in ids]
            named = {ext_of(picture.path) for picture in there} - {""}
            spelt = {"jpeg": "jpg", "tiff": "tif", "heif": "heic"}
            assert {name for name, _ in facets["exts"]} == {spelt.get(ext, ext) for ext in named}


def town(facts: Mapping[str, Any]) -> str:
    return facts["town"] or ""


def country(facts: Mapping[str, Any]) -> str:
    return facts["country"] or ""


def ext_of(path: str) -> str:
    name = casefolded(path.rsplit("/", 1)[-1])
    return name.rpartition(".")[2] if "." in name else ""


def lens(facts: Mapping[str, Any]) -> str:
    return facts["lens"] or ""


def label(facts: Mapping[str, Any]) -> str:
    return facts["colour_label"] or ""


def camera(facts: Mapping[str, Any]) -> str:
    return f"{facts['camera_make'] or ''} {facts['camera_model'] or ''}".strip()


def in_folder(drawn: Sequence[Picture], hash_: bytes | None, folder: str) -> bool:
    assert hash_ is not None
    return any(
        f"{picture.root.rsplit('/', 1)[1]}/{picture.path}".startswith(f"{folder}/")
        for picture in drawn
        if picture.content == int.from_bytes(hash_, "big") and not picture.missing
    )


# -- one by one -----------------------------------------------------------------------------------------------------


def dated(*days: str | None) -> list[Picture]:
    return [Picture(f"{at}.jpg", at, facts={"taken_at": day}) for at, day in enumerate(days)]


def test_dates_are_whole_years_months_and_days_of_the_cameras_clock() -> None:
    days = dated("2022-12-31T23:59:59", "2023-01-01T00:00:00", "2023-06-30T23:59:59", "2023-07-01T00:00:00", None)
    assert found(days, Date("2023", "2023")) == {1, 2, 3}
    assert found(days, Date("2023-06", "2023-06")) == {2}
    assert found(days, Date("2023-06-30", "2023-07")) == {2, 3}
    assert found(days, Date(None, "2022")) == {0}
    assert found(days, Date("2023-07-01", None)) == {3}
    assert found(days, Date("2023", "2023", negated=True)) == {0, 4}


def test_one_photo_must_satisfy_all_that_is_asked_of_a_path() -> None:
    copies = [Picture("trips/a.png", 1), Picture("home/a.jpg", 1), Picture("trips/b.jpg", 2)]
    assert found(copies, Folder(("trips",)), Ext(("jpg",))) == {2}
    assert found(copies, Folder(("trips",), negated=True)) == {1}
    assert found(copies, Folder(("trips",)), Ext(("jpg",), negated=True)) == {1}
    with made(copies) as (library, ids):
        catalog = library.catalog
        assert catalog.photos([ids[1]])[ids[1]].display == "home/a.jpg"  # the first by path
        assert catalog.photos([ids[1]], [Ext(("jpg",))])[ids[1]].display == "home/a.jpg"
        assert catalog.photos([ids[1]], [Ext(("heic",))]) == {}


def test_a_missing_photo_satisfies_nothing() -> None:
    copies = [
        Picture("trips/a.jpg", 1, missing=True),
        Picture("home/a.jpg", 1),
        Picture("trips/b.jpg", 2, missing=True),
    ]
    assert found(copies, Folder(("trips",))) == set()
    assert found(copies, Favourite(negated=True)) == {1}
    assert found(copies) == {1}


def test_what_was_forgotten_is_not_what_a_negation_keeps() -> None:
    with made([Picture(f"{at}.jpg", at) for at in range(4)]) as (library, ids):
        writer, catalog = Writer(library.catalog.engine), library.catalog
        photo = catalog.photos([ids[1]])[ids[1]].photo_id
        writer.prune([photo])
        kept = sorted({*ids.values()} - {ids[1]})
        for filters in ([], [Text("camera", ("sony",), negated=True)], [Ext(("png",), negated=True)]):
            assert catalog.matching(filters).tolist() == kept


def test_a_set_is_what_was_chosen_as_far_as_it_is_there() -> None:
    drawn = [Picture(f"{at}.jpg", at) for at in range(4)] + [Picture("away.jpg", 4, missing=True)]
    with made(drawn) as (library, ids):
        catalog, marks = library.catalog, library.marks
        name = marks.keep_set([ids[3], ids[1], ids[4], ids[1]])
        assert name == set_of([ids[1], ids[3], ids[4]])
        assert catalog.matching([Set((name.upper(),))]).tolist() == [ids[1], ids[3]]
        assert catalog.matching([Set((name,), negated=True)]).tolist() == [ids[0], ids[2]]
        other = marks.keep_set([ids[0]])
        assert catalog.matching([Set((name, other)), Name(("0", "3"))]).tolist() == [ids[0], ids[3]]
        Writer(catalog.engine).prune([catalog.photos([ids[1]])[ids[1]].photo_id])
        assert catalog.matching([Set((name,))]).tolist() == [ids[3]]
        with pytest.raises(MarksError, match="no selection '0123456789ab' any more: the newest 200 are kept"):
            catalog.matching([Set(("0123456789ab",))])


@pytest.mark.sqlite
def test_a_set_of_most_of_a_large_library_is_found_like_a_small_one(large: Path) -> None:
    with Library.open(large) as library:
        every = library.catalog.matching(())
        name = library.marks.keep_set(every[1:])
        assert np.array_equal(library.catalog.matching([Set((name,))]), every[1:])
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("store.tables.filter_sql.FEW", 0)
            assert np.array_equal(library.catalog.matching([Set((name,))]), every[1:])


def test_folders_are_whole_names_below_the_root_and_its_own() -> None:
    placed = [Picture("Trips/2023/sea/a.jpg", 1), Picture("roundtrips/b.jpg", 2), Picture("c.jpg", 3, "/trips/home")]
    assert found(placed, Folder(("trips",))) == {1}
    assert found(placed, Folder(("TRIPS/2023",))) == {1}
    assert found(placed, Folder(("trips/sea",))) == set()
    assert found(placed, Folder(("*trips",))) == {1, 2}
    assert found(placed, Folder(("t*a",))) == set()
    assert found(placed, Folder(("home", "photos/roundtrips"))) == {2, 3}


def test_a_root_that_becomes_part_of_another_keeps_its_folders_right() -> None:
    inner = Picture("sea/a.jpg", 1, "/home/Photos/trips/2023")
    with made([inner]) as (library, ids):
        generation = library.catalog.generation()
        Writer(library.catalog.engine).add_root(b"/home/Photos")
        assert library.catalog.generation() > generation
        for folder in ("photos/trips/2023/sea", "2023/sea", "sea"):
            assert library.catalog.matching([Folder((folder,))]).tolist() == [ids[1]]
        assert library.catalog.facets()["folders"][-1] == ("Photos/trips/2023/sea", 1)
        Writer(library.catalog.engine).add_root(b"/")
        assert library.catalog.matching([Folder(("home/photos/trips",))]).tolist() == [ids[1]]


def test_names_are_compared_without_case_in_any_script_and_either_form_of_accents() -> None:
    named = [
        Picture("Größe.jpg", 1),
        Picture("E\u0301te\u0301.JPG", 2),
        Picture("ΣΊΣΥΦΟΣ.heic", 3),
        Picture("写真.jpg", 4),
    ]
    assert found(named, Name(("GRÖSSE",))) == {1}
    assert found(named, Name(("été.*",))) == {2}
    assert found(named, Name(("σίσυφος",))) == {3}
    assert found(named, Name(("*真*",))) == {4}
    assert found(named, Name(("*.jpg",))) == {1, 2, 4}


@pytest.fixture
def one() -> Iterator[Library]:
    """A library of one picture, whose photos a test puts there itself."""
    with made([Picture("a.jpg", 1)]) as (library, _):
        yield library


@examples(400, suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example begins anew
@given(
    st.lists(st.text("ab-]^![", min_size=1, max_size=6), min_size=1, max_size=8, unique=True),
    st.text("ab-]^![*?", min_size=1, max_size=8).filter(lambda text: set(text) & set("*?[")),
)
def test_globs_mean_what_pythons_fnmatch_means(one: Library, names: list[str], pattern: str) -> None:
    writer, catalog = Writer(one.catalog.engine), one.catalog
    root, space = writer.add_root(b"/home/Photos"), writer.add_space(SPACE)
    writer.mark_missing([id_ for id_, _ in catalog.present_photos(root)])
    files = [File(root, name.encode(), 1, 1) for name in names]
    writer.commit([Indexed(file, bytes([at]) * 32, PLAIN, {space: VECTOR}) for at, file in enumerate(files)], [])
    kept = catalog.photos(catalog.matching([Name((pattern,))]).tolist())
    assert {photo.display for photo in kept.values()} == {name for name in names if fnmatch.fnmatchcase(name, pattern)}


def test_near_reaches_over_the_date_line_and_the_poles() -> None:
    places = [(-17.0, 179.95), (-17.0, -179.95), (89.9, 0.0), (89.9, 180.0), (0.0, 0.5), (60.0, 11.7)]
    where = [
        Picture(f"{at}.jpg", at, facts={"latitude": lat, "longitude": lon}) for at, (lat, lon) in enumerate(places)
    ] + [Picture("nowhere.jpg", 9)]
    assert found(where, Near(-17, 180, 20)) == {0, 1}
    assert found(where, Near(-17, -179.95, 12)) == {0, 1}
    assert found(where, Near(90, 77, 12)) == {2, 3}
    assert found(where, Near(89.9, 90, 25)) == {2, 3}
    assert found(where, Near(0, 0, 30_000)) == {0, 1, 2, 3, 4, 5}
    # 1.7 degrees are 94.5 km up there.
    assert found(where, Near(60, 10, 95)) == {5}
    assert found(where, Near(60, 10, 94)) == set()
    # One degree of the equator is 111.195 km.
    assert found(where, Near(0, 0, 55.7)) == {4}
    assert found(where, Near(0, 0, 55.5)) == set()
    assert found(where, Near(0, 0, 30_000, negated=True)) == {9}


def test_a_fact_that_is_not_known_satisfies_only_negations() -> None:
    cameras = [Picture("a.jpg", 1, facts={"camera_make": "SONY", "camera_model": "ILCE-7"}), Picture("b.jpg", 2)]
    assert found(cameras, Text("camera", ("ilce sony",))) == {1}
    assert found(cameras, Text("camera", ("sony",), negated=True)) == {2}
    assert found(cameras, Text("lens", ("x",), negated=True)) == {1, 2}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Date(None, None), "first day, a last day"),
        (lambda: Date("2023-13", None), "no date 2023-13"),
        (lambda: Date("2023-02-29", None), "no date 2023-02-29"),
        (lambda: Date("yesterday", None), "'yesterday' is no date"),
        (lambda: Date("2024", "2023"), "2024 is after 2023"),
        (lambda: Folder(()), "at least one name"),
        (lambda: Folder(("/",)), "'/' is blank"),
        (lambda: Folder(("trips", " / ")), "' / ' is blank"),
        (lambda: Folder(("/\u3000//",)), "is blank"),
        (lambda: Name((" ",)), "blank"),
        (lambda: Name(("a\0",)), "control character"),
        (lambda: Name(("a" * 1001,)), "up to 1000 characters"),
        (lambda: Ext(("tar.gz",)), "last dot"),
        (lambda: Number("depth", 1, None), "no measure 'depth'"),
        (lambda: Number("width", None, None), "least value, a greatest"),
        (lambda: Number("width", -1, None), "not -1"),
        (lambda: Number("size", 2**63, None), "not 9223372036854775808"),
        (lambda: Number("width", 2, 1), "at least 2 and at most 1"),
        (lambda: Number("rating", 6, None), "rating takes 0 to 5; not 6"),
        (lambda: Choice("orientation", ("round",)), "no orientation 'round'"),
        (lambda: Near(91, 0, 1), "not 91"),
        (lambda: Near(0, float("nan"), 1), "not nan"),
        (lambda: Near(0, 0, 0), "more than 0"),
        (lambda: Near(0, 0, math.inf), "more than 0"),
        (lambda: Tag(("",)), "blank"),
        (lambda: Set(()), "at least one name"),
        (lambda: Set(("  ",)), "blank"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Date("9" * 5000, None),
        lambda: Folder((" /" * 500,)),
        lambda: Name((" " * 5000,)),
        lambda: Name(("a\0" * 500,)),
        lambda: Name(("\ud800" * 500,)),
        lambda: Ext(("a." * 500,)),
        lambda: Number("depth" * 5000, 1, None),
        lambda: Number("width", 10**5000, None),
        lambda: Number("width", -(10**5000), None),
        lambda: Choice("orientation", ("round" * 50,)),
    ],
)
def test_what_is_refused_is_not_repeated_at_length(make: Any) -> None:
    with pytest.raises(ValueError, match=r"^.{20,200}\.$"):
        make()


def test_extensions_are_kept_in_lower_case_without_a_dot() -> None:
    assert Ext((".JPG", "heic")) == Ext(("jpg", "heic"))


# -- at size --------------------------------------------------------------------------------------------------------


measuring = scripts.load("benchmarks/catalog.py")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large")
    measuring.build(path, 5_000)
    return path


@pytest.mark.sqlite
@pytest.mark.parametrize("analyzed", [False, True])
def test_no_filter_order_or_facet_reads_a_whole_table(large: Path, analyzed: bool) -> None:
    with Library.open(large) as library:
        if analyzed:
            with library.catalog.engine.connect() as connection:
                connection.exec_driver_sql("ANALYZE")
        for name, call in measuring.calls(library.catalog).items():
            asked = measuring.plans(library.catalog.engine, call)
            assert asked, name
            for statement, lines in asked:
                assert not any(map(measuring.reads_table, lines)), (name, statement, lines)


@pytest.mark.sqlite
def test_many_are_ordered_and_counted_as_few_are(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from store.tables import facets, filter_sql

    wanted: list[Filter] = [Ext(("jpg",)), Folder(("2023",), negated=True)]
    with Library.open(large) as library:
        catalog = library.catalog
        ids = catalog.matching([Number("width", 2000, None)])
        few = [catalog.ordered(ids, "date"), catalog.ordered(ids, "name", wanted)]
        few_facets = catalog.facets(ids)
        for module in (filter_sql, facets):
            monkeypatch.setattr(module, "FEW", 0)
        many = [catalog.ordered(ids, "date"), catalog.ordered(ids, "name", wanted)]
        many_facets = catalog.facets(ids)
    assert [np.array_equal(a, b) for a, b in zip(few, many, strict=True)] == [True, True]
    assert few_facets == many_facets


def test_a_filter_takes_a_hundred_values_of_every_kind_and_no_more() -> None:
    many = tuple(f"name {number}" for number in range(100))
    kinds: list[Callable[[tuple[str, ...]], Filter]] = [
        Folder, Name, Ext, Tag, partial(Text, "camera"), partial(Word, "keyword"), partial(Written, "text"),
        partial(Place, "place"), partial(Place, "town"),
    ]  # fmt: skip
    with made([Picture("a/b.jpg", 1)]) as (library, _):
        for kind in kinds:
            assert library.catalog.matching([kind(many)]).tolist() == []
            assert library.catalog.photos([1], [kind(many)]).keys() <= {1}
            with pytest.raises(ValueError, match=r"takes up to 100 values; there are 101\. Leave some out"):
                kind((*many, "another"))
        within = Place("place", tuple(f"a{number}, b, c, d, e, f" for number in range(100)))
        assert library.catalog.matching([within]).tolist() == []
    with pytest.raises(ValueError, match="a name and up to 5 that it lies in"):
        Place("place", ("a, b, c, d, e, f, g",))


def test_filters_stop_when_their_time_is_over() -> None:
    slow = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e9) SELECT count(*) FROM n"
    with made([Picture("a/b.jpg", 1)]) as (library, _):
        with time_limit(0.2), library.catalog.engine.connect() as connection:
            began = time.monotonic()
            with pytest.raises(TimeLimitError, match=r"longer than the 0\.2 seconds"):
                connection.exec_driver_sql(slow)
            assert time.monotonic() - began < 5
        with time_limit(0.001):
            time.sleep(0.01)
            with pytest.raises(TimeLimitError):
                library.catalog.matching([Folder(("a*",))])
        assert library.catalog.matching([Folder(("a*",))]).tolist() == [1]
