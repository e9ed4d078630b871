"""What pages list: places, copies, failures, positions, colours, and how much room a library takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import DEMO, Index

from store.checked_files import SEAL_BYTES
from store.images.disk_usage import fanned_bytes
from store.library import Library
from store.lock import locked
from store.tables.writer import Failed, File, Indexed, SpaceIdentity, Writer

SPACE = SpaceIdentity("key", "name", "model", "weights", "{}", 4, True)
FACTS: dict[str, Any] = {"width": 4, "height": 3, "format": "JPEG", "orientation": 1}
VECTOR = np.array([1, 0, 0, 0], np.float32)
PLACES = {1: (48.858370123456789, 2.2944813), 3: (-33.8567844, 151.2152967), 4: (0.1, -179.99999999)}
# Contents by their paths: 1 is there twice, 2 three times and once missing, 4 only missing.
PATHS = {"a": 1, "b": 2, "c": 2, "d": 3, "e": 1, "f": 2, "g": 2, "h": 4}
MISSING = ("c", "h")


@pytest.fixture
def opened(library: Path) -> Iterator[Library]:
    with locked(library), Library.create(library) as made:
        writer = Writer(made.catalog.engine)
        roots, space = [writer.add_root(b"/one"), writer.add_root(b"/two")], writer.add_space(SPACE)
        known = set[int]()
        for at, (path, content) in enumerate(PATHS.items()):
            latitude, longitude = PLACES.get(content, (None, None))
            facts = None if content in known else FACTS | {"latitude": latitude, "longitude": longitude}
            known.add(content)
            file = File(roots[at % 2], path.encode(), 100 + at, 7)
            writer.commit([Indexed(file, bytes([content]) * 32, facts, {space: VECTOR})], [])
        for root in roots:
            writer.mark_missing([id_ for id_, path in made.catalog.present_photos(root) if path.decode() in MISSING])
        failed = [Failed(File(roots[at % 2], b"%d" % at, at, 1), "open", "why") for at in range(5)]
        writer.commit([], failed)
        yield made


def test_every_present_photo_of_each_picture_is_listed_by_its_path(opened: Library) -> None:
    listed = opened.catalog.photos_of([2, 99, 1, 4])
    assert [(p.content_id, p.root, p.path, p.display, p.size) for p in listed] == [
        (1, b"/one", b"a", "a", 100), (1, b"/one", b"e", "e", 104),
        (2, b"/one", b"g", "g", 106), (2, b"/two", b"b", "b", 101), (2, b"/two", b"f", "f", 105),
    ]  # fmt: skip
    assert {photo.mtime_ns for photo in listed} == {7}
    assert opened.catalog.photos_of([]) == []


def test_pictures_with_copies_are_listed_the_most_first_and_in_pages(opened: Library) -> None:
    catalog = opened.catalog
    assert catalog.copies() == [(2, 3), (1, 2)]
    assert (catalog.copies(1), catalog.copies(1, 1), catalog.copies(5, 2)) == ([(2, 3)], [(1, 2)], [])
    assert catalog.copy_count() == 2


def test_failures_are_listed_in_pages_of_one_order(opened: Library) -> None:
    every = opened.catalog.failures()
    assert [(failure.root, failure.path) for failure in every] == [
        (b"/one", b"0"), (b"/one", b"2"), (b"/one", b"4"), (b"/two", b"1"), (b"/two", b"3"),
    ]  # fmt: skip
    assert opened.catalog.failures(2, 1) == every[1:3]
    assert opened.catalog.failures(offset=3) == every[3:]


@pytest.mark.parametrize("few", [20_000, 0])
def test_positions_are_those_of_pictures_that_are_there(
    opened: Library, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr("store.tables.listings.FEW", few)
    for only, expected in ((None, [1, 3]), (np.array([3, 2, 4]), [3]), (np.array([2]), [])):
        ids, latitudes, longitudes = opened.catalog.located(only)
        assert [array.dtype for array in (ids, latitudes, longitudes)] == [np.int64, np.float64, np.float64]
        assert ids.tolist() == expected
        assert list(zip(latitudes, longitudes, strict=True)) == [PLACES[id_] for id_ in expected]


def test_the_room_a_library_takes_is_what_its_files_take(
    photos: Path, index: Index, library: Path, database: str
) -> None:
    index(photos)
    with Library.open(library) as opened:
        opened.previews.write(b"a" * 32, b"x" * 1000)
        used = opened.disk_use()

        def size(name: str, pattern: str) -> int:
            return sum(path.stat().st_size for path in (library / name).rglob(pattern) if path.is_file())

        if database == "postgres":
            assert 1_000_000 < (there := used["database"]) < 100_000_000
        else:
            there = sum(path.stat().st_size for path in library.glob("library.sqlite*"))
        assert used == {
            "database": there,
            "vectors": size("vectors", "*"),
            "thumbnails": size("thumbnails", "*.jpg"),
            "previews": 1000 + SEAL_BYTES,
        }
        assert used["thumbnails"] > 24 * 1000 < used["database"]


def test_the_room_of_many_files_is_estimated_from_some_of_them(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    total = 0
    for name in generator.integers(0, 2**24, 3000).tolist():
        folder = tmp_path / f"{name:06x}"[:2]
        folder.mkdir(exist_ok=True)
        size = int(generator.integers(1, 200))
        total += size
        (folder / f"{name:06x}{size}").write_bytes(b"x" * size)
    assert fanned_bytes(tmp_path) == total
    assert fanned_bytes(tmp_path, enough=1000) == pytest.approx(total, rel=0.1)
    assert fanned_bytes(tmp_path / "none") == 0


def test_an_indexed_picture_has_the_colour_it_has_most_of(index: Index, library: Path, tmp_path: Path) -> None:
    from PIL import Image

    picture = Image.new("RGB", (300, 200), (20, 90, 200))
    picture.paste((240, 220, 10), (0, 0, 120, 200))
    (tmp_path / "photos").mkdir()
    picture.save(tmp_path / "photos" / "a.png")
    index(tmp_path / "photos")
    with Library.open(library) as opened:
        (row,) = opened.catalog.photos([1]).values()
        assert row.facts["colour"] == 0x145AC8


def test_demo_pictures_have_colours_of_their_own(index: Index, library: Path) -> None:
    index(DEMO)
    with Library.open(library) as opened:
        rows = opened.catalog.photos(opened.catalog.matching(()).tolist()).values()
        colours = [row.facts["colour"] for row in rows]
    assert all(0 <= colour <= 0xFFFFFF for colour in colours)
    assert len(set(colours)) > len(colours) / 2
