"""A library on PostgreSQL gives what one on SQLite gives that was written alike: ids, lists, orders, marks."""

# ruff: noqa: RUF001  letters of other scripts and widths

# ruff: noqa: B023 - `of` calls what it is given at once

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import databases
import library_tables
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sightline
from examples import examples
from store.errors import LibraryError
from store.library import Library
from store.lock import locked
from store.tables import library_reports
from store.tables.fact_table import FILTERS, TEXT_NAMES
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
    Place,
    Real,
    Set,
    Tag,
    Text,
    Word,
    Written,
    casefolded,
)
from store.tables.marks_json import MarksError
from store.tables.moments import read_moments
from store.tables.writer import Failed, File, Indexed, SpaceIdentity, Writer
from store.tables.written import renew

SPACE = SpaceIdentity("key", "name", "model", "weights", "{}", 4, True)
VECTOR = np.array([1, 0, 0, 0], np.float32)

Both = tuple[Library, Library]

FOLDERS = ("", "Trips/", "trips/2023/", "Été/", "E\u0301te\u0301/", "a*b/", "100%_/", "\U0001f3d6 sea/", "Ａ/b/c/")
NAMES = (
    "IMG_1",
    "img 2",
    "Größe",
    "GRÖSSE",
    "été",
    "写真",
    "a[1]",
    "x^y-z",
    "100%_",
    "\U0001f600",
    "\uffee",
    "~",
    " _",
    "o'c\\d",
)
EXTS = (".jpg", ".JPEG", ".heic", ".tif", ".png", "", ".Ä")
DAYS = (None, "2023", "2023-06", "2023-06-15", "2023-06-15T12:00:00", "2023-06-15T12:00:01", "1999-12-31T23:59:59")
PLACES = ((48.2, 16.4), (-17.0, 179.95), (-17.0, -179.95), (89.9, 0.0), (0.0, 0.0), None, None)
TOWNS = (
    (None, None, None),
    ("Köln", "Nordrhein-Westfalen", "Germany"),
    ("Kyoto", "Kyoto", "Japan"),
    (None, None, "Japan"),
)
WORDS = ("Places|USA|New York", "new york", "Été", "sea", "a*b", "C\\d", "\U0001f600 smile")
TEXTS = (
    None,
    "Red boat, 100 %",
    "東京タワーの夜景",
    "ＧＲＯＳＳ Straße",
    "l'été — à la mer",
    "Νύχτα",
    'it\'s a "quote" \\ back',
)

ASKED: tuple[Filter, ...] = (
    Date("2023", "2023"), Date("2023-06", None), Date(None, "2023-06-15"), Date("2023-06-15", "2023-06-15"),
    Folder(("trips",)), Folder(("TRIPS/2023", "été")), Folder((r"a\*b",)), Folder(("*sea",)), Folder(("100%_",)),
    Name(("img",)), Name(("größe",)), Name(("*.jp*g",)), Name(("[!a-i]*",)), Name(("?\U0001f600*", "%", "[]^-]*")),
    Name(("x^y",)), Name(("o'c",)), Ext(("jpg",)), Ext(("heif", "ä")),
    Text("camera", ("sony",)), Text("camera", ("émile x", "canon")), Text("lens", ("24-70MM",)),
    Text("label", ("RED",)), Number("width", 40, None), Number("height", None, 30), Number("size", 1000, 2**63 - 1),
    Number("rating", 4, 5), Number("iso", 100, 3200), Real("aperture", 2.8, 2.8),
    Real("aperture", None, 2.8, strict=True), Real("exposure", 1 / 250, 1 / 60), Real("focal", 85, None),
    Choice("orientation", ("landscape", "square")),
    Word("keyword", ("new york",)), Word("keyword", ("usa|new york", "*ea")), Word("keyword", ("c\\d",)),
    Word("person", ("ANN",)), Written("text", ("red",)), Written("text", ("タワー", "gro*")),
    Written("title", ("ete mer",)),
    Written("caption", ("it's quote",)), Written("text", ("\\ back",)),
    Place("place", ("japan",)), Place("place", ("kyoto, japan", "köln")), Place("country", ("de",)),
    Place("region", ("kyoto",)), Place("town", ("COLOGNE",)),
    Near(48.2, 16.4, 20), Near(-17, 180, 50), Near(90, 0, 500), Tag(("BEST",)), Tag(("été", "none")), Favourite(),
    Set(("one",)), Set(("one", "two")),
)  # fmt: skip


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    """A library on SQLite and one on PostgreSQL, written in the same way and then changed in the same way."""
    with made() as libraries:
        for library in libraries:
            fill(library, random.Random(7), 60)
        yield libraries


class made:  # noqa: N801 - a context manager
    """Two empty libraries: one on each database."""

    def __enter__(self) -> Both:
        self._stack = ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        found = []
        for database in ("sqlite", "postgres"):
            path = self._stack.enter_context(databases.placed(folder / database, database))
            self._stack.enter_context(locked(path))
            found.append(self._stack.enter_context(Library.create(path)))
        return found[0], found[1]

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def fill(library: Library, chance: random.Random, photos: int) -> None:
    """Write photos, some of the same content, with facts and marks."""
    writer, marks = Writer(library.catalog.engine), library.marks
    roots, space = [writer.add_root(path) for path in (b"/home/Photos", b"/mnt/Fotos \xff")], writer.add_space(SPACE)
    run = writer.start_run(space)
    items, known = [], set[int]()
    paths = [
        f"{chance.choice(FOLDERS)}{chance.choice(NAMES)}{at % 4 or ''}{chance.choice(EXTS)}".encode()
        for at in range(photos)
    ]
    for at, path in enumerate(dict.fromkeys(paths)):
        content = chance.randint(1, photos // 2)
        facts = None if content in known else facts_of(chance)
        known.add(content)
        file = File(roots[at % 2], path + b"\xfe" * (at % 7 == 0), 100 * content, 1_700_000_000_000_000_000 + at)
        items.append(Indexed(file, content.to_bytes(32, "big"), facts, {space: VECTOR}))
    failed = [
        Failed(File(roots[at % 2], b"bad%d" % at, at, 1), "open", f"{chance.choice(('Torn: at', 'Odd'))} {at}")
        for at in range(5)
    ]
    first = [item for item in items if item.facts is not None]
    for chunk in (first, [item for item in items if item.facts is None]):
        writer.commit(chunk, [])
    writer.commit([], failed)
    every = library.catalog.matching(()).tolist()
    writer.mark_missing(sorted(photo.photo_id for photo in library.catalog.photos_of(every))[::9])
    writer.finish_run(run, "done", {"contents": [0, len(every)]})
    for name in ("Best", "ÉTÉ", "new"):
        marks.change(chance.sample(every, 8), add=[name])
    marks.change(chance.sample(every, 4), remove=["NEW"])
    marks.favourite(chance.sample(every, 9), True)
    marks.save_search("boats", "boat tag:best")
    marks.save_search("Änd", f"like:{every[3]} set:{marks.keep_set(every[2:9])}")
    marks.set_aside([photo.photo_id for photo in library.catalog.photos_of(every[:4])], True)
    library.concepts.teach("Ours", every[:5], every[6:8])
    library.concepts.teach("other", every[3:9])
    with library.catalog.engine.execution_options(write=True).begin() as connection:
        for name, ids in (("one", every[3:9]), ("two", [*every[::5], 10**6])):
            data = np.array(ids, "<i8").tobytes()
            connection.exec_driver_sql("INSERT INTO sets (name, ids, made_at) VALUES (?, ?, '')", (name, data))


def facts_of(chance: random.Random) -> dict[str, Any]:
    place, town = chance.choice(PLACES), chance.choice(TOWNS)
    return {
        "width": chance.choice((30, 40, 41)), "height": chance.choice((30, 40)), "format": "JPEG", "orientation": 1,
        "taken_at": chance.choice(DAYS), "camera_make": chance.choice((None, "SONY", "Canon", "Émile")),
        "camera_model": chance.choice((None, "ILCE-7", " X ")), "lens": chance.choice((None, "FE 24-70mm")),
        "rating": chance.choice((None, 1, 4, 5)), "iso": chance.choice((None, 100, 3200)),
        "aperture": chance.choice((None, 2.0, 2.8, 4.0)), "exposure": chance.choice((None, 1 / 250, 0.5)),
        "focal": chance.choice((None, 84.6, 85.4)), "colour_label": chance.choice((None, "Red", "Grün")),
        "latitude": place and place[0], "longitude": place and place[1], "town": town[0], "region": town[1],
        "country": town[2], "title": chance.choice(TEXTS), "caption": chance.choice(TEXTS),
        "keywords": tuple(chance.sample(WORDS, chance.randint(0, 3))),
        "people": tuple(chance.sample(("Ann", "Zoë Müller"), chance.randint(0, 2))),
        "remark": chance.choice((None, "cut")), "colour": chance.choice((None, 0xFFFFFF, 0)),
    }  # fmt: skip


def negated(asked: Filter) -> Filter:
    values = {name: getattr(asked, name) for name in type(asked).__dataclass_fields__ if name != "key"}
    if "key" in type(asked).__slots__:
        values["key"] = asked.key
    return type(asked)(**values | {"negated": True})


def of(both: Both, ask: Callable[[Library], Any]) -> Any:
    """What both give, which is the same."""
    here, there = (ask(library) for library in both)
    if isinstance(here, np.ndarray):
        assert here.dtype == there.dtype
        assert here.tolist() == there.tolist()
    else:
        assert there == here
    return here


def test_each_filter_and_its_negation_finds_the_same(both: Both) -> None:
    assert {asked.key for asked in ASKED} == set(FILTERS)
    sizes = []
    for asked in (each for positive in ASKED for each in (positive, negated(positive))):
        found = of(both, lambda library: library.catalog.matching([asked])).tolist()
        shown = of(both, lambda library: library.catalog.photos(found, [asked]))
        assert sorted(shown) == found
        sizes.append(len(found))
    assert sizes.count(0) < len(sizes) / 10  # else they would show nothing


@pytest.mark.parametrize("few", [20_000, 0])
def test_orders_facets_and_times_are_the_same_of_few_and_of_many(
    both: Both, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("filter_sql", "facets", "listings", "timelines"):
        monkeypatch.setattr(f"store.tables.{module}.FEW", few)
    monkeypatch.setattr("store.tables.places_order._FEW", few)
    ids = of(both, lambda library: library.catalog.matching(()))
    for by in ("date", "oldest", "added", "name"):
        for filters in ((), (Folder(("trips",)),), (Ext(("jpg",), negated=True), Name(("*",)))):
            asked = np.append(ids[::-1], [ids[-1] + 7])
            order = of(both, lambda one: one.catalog.ordered(asked, by, filters))
            assert sorted(order.tolist()) == sorted(asked.tolist())
    for only in (None, ids[::2], ids[:0]):
        facets = of(both, lambda library: library.catalog.facets(only, 5))
        assert all(facets[name] for name in ("years", "cameras", "keywords")) == (only is None or len(only) > 0)
        of(both, lambda library: dict(library.catalog.folders(only)))
        of(both, lambda library: [part.tolist() for part in library.catalog.located(only)])
    for kind in ("taken", "added"):
        of(both, lambda library: [part.tolist() for part in library.catalog.timeline(ids[::-1], kind)])


def test_lists_and_marks_are_the_same(both: Both) -> None:
    ids = of(both, lambda library: library.catalog.matching(())).tolist()
    of(both, lambda library: library.catalog.photos_of([*ids, 10**6]))
    assert of(both, lambda library: library.catalog.copies())
    of(both, lambda library: (library.catalog.copies(2, 1), library.catalog.copy_count(), library.catalog.counts()))
    of(both, lambda library: [library.catalog.has_extension(names) for names in (("jpg",), ("ä", "x"), ("x",))])
    of(both, lambda library: [(row.root, row.path, row.reason) for row in library.catalog.failures()])
    kinds = of(both, lambda library: library_reports.kinds(library.catalog))
    assert len(kinds) > 1
    for kind, text in ((None, ""), (kinds[0], ""), (None, "ODD"), (None, "fotos"), (None, "É")):
        pages = of(
            both,
            lambda library: [
                ([(file.where, file.reason) for file in found], total)
                for found, total in [library_reports.failed(library.catalog, kind, text, 2, 1)]
            ],
        )
        assert bool(pages[0][1]) == (text != "É")
    of(both, lambda library: list(library_reports.remarks(library.catalog)))
    of(both, lambda library: library_reports.prunable(library.catalog, [1, 2]))
    of(both, lambda library: [run.state for run in library_reports.runs(library.catalog, 5)])
    of(both, lambda library: np.nan_to_num(read_moments(library.catalog.engine, np.array(ids)).seconds))
    of(both, lambda library: read_moments(library.catalog.engine, np.array([*ids, 10**6])).cameras)
    assert of(
        both, lambda library: (library.marks.tags(), library.marks.tags_of(ids), library.marks.favourites_of(ids))
    )
    of(both, lambda library: [(each.name, each.query) for each in library.marks.saved_searches()])
    of(both, lambda library: [(each.name, each.examples, each.counter_examples) for each in library.concepts.all()])
    of(both, lambda library: [library.concepts.names_of(id_) for id_ in ids])
    of(both, lambda library: library.marks.set_aside_of())
    assert of(both, exported)["selections"]


def exported(library: Library) -> dict[str, Any]:
    found = library.marks.export()
    return found | {"searches": [{**each, "saved_at": ""} for each in found["searches"]]}


@examples(6)
@given(st.integers(0, 2**32))
def test_marks_go_from_either_database_to_the_other(seed: int) -> None:
    with made() as libraries:
        for library, photos in zip(libraries, (40, 30), strict=True):
            fill(library, random.Random(seed), 40)
            chance = random.Random(seed + photos)
            library.marks.change(chance.sample(library.catalog.matching(()).tolist(), 5), add=["more", "Best"])
        here, there = libraries
        data = [library.marks.export() for library in libraries]
        told = [here.marks.restore(data[1]), there.marks.restore(data[0])]
        assert [each.unknown for each in told] == [(), ()]
        for library, other in ((here, data[1]), (there, data[0])):
            again = library.marks.restore(other)
            assert (again.tags, again.favourites, again.set_aside, again.selected, again.taught) == (0, 0, 0, 0, 0)
        assert {name: len(of_) for name, of_ in exported(here)["tags"].items()} == {
            name: len(of_) for name, of_ in exported(there)["tags"].items()
        }


def test_what_is_refused_is_refused_in_the_same_words(both: Both) -> None:
    def refused(library: Library) -> list[str]:
        said = []
        for change in (
            lambda: library.marks.change([1, 10**6, 3 * 10**6], add=["x"]),
            lambda: library.marks.favourite([2**40], True),
            lambda: library.marks.set_aside([10**7], True),
            lambda: library.concepts.teach("few", [1]),
            lambda: library.catalog.matching([Set(("gone",))]),
        ):
            with pytest.raises(MarksError) as told:
                change()
            said.append(str(told.value))
        return said

    of(both, refused)


# -- made up at random ----------------------------------------------------------------------------------------------

letters = st.text(
    st.one_of(
        st.sampled_from(
            "abAB  -'\"\\*|&!:()<>.,_%ßſéÅαΣςжЙ東京タ서울ทะเเا١²ﬁＡⅫ"
            "\u0301\u0308\u200b\U0001f600\U00020000\U0001d400\ue000"
        ),
        st.characters(exclude_categories=["Cs", "Cc"]),
    ),
    max_size=30,
)
some_words = st.text("ab éタß'", min_size=1, max_size=20)


@examples(150)
@given(
    st.lists(st.fixed_dictionaries(dict.fromkeys(TEXT_NAMES, letters | some_words)), min_size=1, max_size=6),
    st.lists(
        st.tuples(
            st.sampled_from(["text", "title", "caption"]), st.lists(letters | some_words, min_size=1, max_size=3)
        ),
        min_size=1, max_size=6,
    ),
)  # fmt: skip
def test_full_text_of_any_script_is_found_alike(
    both: Both, texts: list[dict[str, str]], asked: list[tuple[str, list[str]]]
) -> None:
    for library in both:
        with library.catalog.engine.execution_options(write=True).begin() as connection:
            ids = [row[0] for row in connection.exec_driver_sql("SELECT id FROM contents ORDER BY id")]
            connection.exec_driver_sql(
                "UPDATE contents SET title = NULL, caption = NULL, keywords = NULL, people = NULL"
            )
            for id_, facts in zip(ids, texts, strict=False):
                connection.exec_driver_sql(
                    "UPDATE contents SET title = ?, caption = ?, keywords = ? WHERE id = ?",
                    (facts["title"], facts["caption"], f'["{casefolded("x y")}"]' if facts["people"] else None, id_),
                )
            renew(connection, ids)
    parts = [text[at % 3 : at % 3 + 4] for facts in texts for at, text in enumerate(facts.values())]
    starred = [part + "*" * (at % 2) for at, part in enumerate(parts)]
    wanted = [*asked, *(("text", [part]) for part in starred), *(("caption", [facts["caption"]]) for facts in texts)]
    for key, names in wanted:
        try:
            positive = Written(key, tuple(names))
        except ValueError:
            continue  # nothing to look for in it
        for filter_ in (positive, negated(positive)):
            of(both, lambda library: library.catalog.matching([filter_]))


@examples(200)
@given(
    st.lists(st.text("ab-]^![\\.$(é\U0001f600\n %_", min_size=1, max_size=6), min_size=1, max_size=8),
    st.lists(st.text("ab-]^![\\.$(é\U0001f600 %_*?", min_size=1, max_size=9), min_size=1, max_size=5),
)
def test_patterns_of_names_find_the_same(both: Both, names: list[str], patterns: list[str]) -> None:
    for library in both:
        with library.catalog.engine.execution_options(write=True).begin() as connection:
            ids = [row[0] for row in connection.exec_driver_sql("SELECT id FROM photos ORDER BY id")]
            given_names = [(casefolded(names[at % len(names)]), id_) for at, id_ in enumerate(ids)]
            connection.exec_driver_sql("UPDATE photos SET name = ? WHERE id = ?", given_names)
    for pattern in patterns:
        try:
            positive = Name((pattern,))
        except ValueError:
            continue
        for filter_ in (positive, negated(positive)):
            of(both, lambda library: library.catalog.matching([filter_]))
    every = both[0].catalog.matching(())
    of(both, lambda library: library.catalog.ordered(every, "name"))


def test_a_word_that_is_there_hundreds_of_times_and_one_that_is_very_long_are_found(both: Both) -> None:
    """PostgreSQL's own full text keeps 256 places of a word, none beyond the 16,383rd, and no word of 2 kB."""
    long = "é" * 1_500
    caption = f"{'の夜 ' * 900} last words {long}"
    for library in both:
        with library.catalog.engine.execution_options(write=True).begin() as connection:
            connection.exec_driver_sql("UPDATE contents SET caption = ? WHERE id = 1", (caption,))
            renew(connection, [1])
    expected = {
        "last words": [1], "の夜の夜": [1], "words last": [1], "夜last": [1], "last夜": [], long[:990]: [],
        f"{long[:990]}*": [1], f"{'e' * 150}*": [1], "e" * 150: [],
    }  # fmt: skip
    for asked, found in expected.items():
        wanted = [Written("text", (asked,))]
        assert of(both, lambda library: library.catalog.matching(wanted)).tolist() == found
    rows = library_tables.execute(both[1].path, "SELECT count(*) FROM texts")
    assert rows[0][0] > 0


def test_texts_are_compared_by_code_points_whatever_the_locale_of_the_database(both: Both) -> None:
    query = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C' AND table_name <> 'indexers'"
    )
    assert library_tables.execute(both[1].path, query) == []


def test_a_backup_in_one_file_is_of_a_library_in_a_folder(both: Both, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"is on PostgreSQL.*pg_dump.*indexer export --from") as refused:
        sightline.backup(tmp_path / "a.backup", both[1].path)
    assert "postgresql://" in str(refused.value)
    sightline.backup(tmp_path / "b.backup", both[0].path)
    with pytest.raises(LibraryError, match=r"is on PostgreSQL.*export --library FOLDER --to.*Nothing was changed"):
        sightline.restore(tmp_path / "b.backup", both[1].path, replace=True)
