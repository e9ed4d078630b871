"""Tiles: parts of a picture as it is in its file, of every format, upright, in sRGB, within bounds."""

from __future__ import annotations

import io
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import indexing
import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import TURNS, distance, encoded, oriented, photo, swapped_profile
from PIL import Image

from sightline.images.reader import Whole
from sightline.images.worker_errors import BusyError
from sightline.media import tiles
from sightline.media.tiles import OVERLAP, SIDE, Held, tile
from store.library import Library
from store.remote import DATABASE


@pytest.fixture(autouse=True)
def nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "_held", Held())


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def hashes(library: Library) -> dict[str, bytes]:
    """The hash of each picture, by its name."""
    return {each.display: each.hash for each in library.catalog.photos(range(1, 1_000)).values()}


@pytest.fixture
def indexed(files: Path, tmp_path: Path, tiny_space: str) -> Iterator[Library]:
    """A library of what the test put into `files` before it asked for this."""
    indexing.add(tmp_path / "library", files, tiny_space)
    with Library.open(tmp_path / "library") as library:
        yield library


def decoded(data: bytes | None) -> NDArray[np.uint8]:
    assert data is not None
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    return np.asarray(image)


def together(library: Library, content_hash: bytes, scale: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """All tiles put together; each goes on below its neighbours by the overlap, and ends at the edge."""
    width, height = size
    whole = np.zeros((height, width, 3), np.uint8)
    for row in range(-(-height // SIDE)):
        for column in range(-(-width // SIDE)):
            part = decoded(tile(library, content_hash, scale, column, row))
            left, top = column * SIDE, row * SIDE
            assert part.shape[:2] == (min(SIDE + OVERLAP, height - top), min(SIDE + OVERLAP, width - left))
            whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    assert tile(library, content_hash, scale, -(-width // SIDE), 0) is None
    assert tile(library, content_hash, scale, 0, -(-height // SIDE)) is None
    return whole


@pytest.fixture
def turned(files: Path) -> Image.Image:
    """One picture in all eight orientations, as JPEG and TIFF, in `files`; this is how each is to be seen."""
    upright = photo(1500, 1100)
    for orientation in range(1, 9):
        stored = upright if orientation == 1 else upright.transpose(TURNS[orientation])
        for kind in ("jpeg", "tiff"):
            data = encoded(
                stored, kind.upper(), exif=oriented(orientation), **({"quality": 95} if kind == "jpeg" else {})
            )
            (files / f"{orientation}.{kind}").write_bytes(data)
    return upright


def test_tiles_are_upright_whatever_the_camera_wrote(turned: Image.Image, indexed: Library) -> None:
    for name, content_hash in hashes(indexed).items():
        assert distance(together(indexed, content_hash, 1, turned.size), turned) < 1.5, name
        half = turned.resize((750, 550), Image.Resampling.BOX)
        assert distance(together(indexed, content_hash, 2, half.size), half) < 2.5, name


@pytest.fixture
def of_many_formats(files: Path) -> Image.Image:
    """One picture, in `files`, in several formats."""
    picture = photo(1300, 700)
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "HEIF", "AVIF"):
        (files / f"a.{kind.lower()}").write_bytes(
            encoded(picture, kind, **({} if kind in ("PNG", "BMP", "TIFF") else {"quality": 95}))
        )
    (files / "profile.png").write_bytes(encoded(picture, "PNG", icc_profile=swapped_profile()))
    picture.convert("CMYK").save(files / "cmyk.tif")
    picture.convert("P", palette=Image.Palette.ADAPTIVE).save(files / "palette.gif")
    return picture


def test_tiles_show_what_the_file_shows_in_srgb(of_many_formats: Image.Image, indexed: Library) -> None:
    for name, content_hash in hashes(indexed).items():
        shown = together(indexed, content_hash, 1, of_many_formats.size)
        if name == "profile.png":
            shown = shown[..., [1, 0, 2]]  # its profile swaps red and green
        allowed = {"palette.gif": 10, "profile.png": 12, "cmyk.tif": 3}.get(name, 3)
        assert distance(shown, of_many_formats) < allowed, name


@pytest.fixture
def text(files: Path) -> NDArray[np.uint8]:
    """A long screenshot in `files`: black and white dots of one pixel; its pixels."""
    dots = np.random.default_rng(0).integers(0, 2, (5000, 300, 1), np.uint8) * np.full(3, 255, np.uint8)
    Image.fromarray(dots).save(files / "long.png")
    return dots


def test_single_pixels_can_be_told_in_a_long_screenshot(text: NDArray[np.uint8], indexed: Library) -> None:
    shown = together(indexed, hashes(indexed)["long.png"], 1, (300, 5000))
    assert np.abs(shown.astype(int) - text).max() < 64


def test_only_what_is_in_the_picture_and_in_the_library_is_cut_out(
    text: NDArray[np.uint8], indexed: Library, files: Path
) -> None:
    content_hash = hashes(indexed)["long.png"]
    for scale, column, row in (
        (3, 0, 0),
        (0, 0, 0),
        (128, 0, 0),
        (1, -1, 0),
        (1, 0, -1),
        (1, 1, 0),
        (1, 0, 5),
        (2, 0, 3),
    ):
        assert tile(indexed, content_hash, scale, column, row) is None
    assert decoded(tile(indexed, content_hash, 64, 0, 0)).shape == (78, 5, 3)
    assert tile(indexed, bytes(32), 1, 0, 0) is None
    (files / "long.png").write_bytes(b"another file")
    assert tile(indexed, content_hash, 1, 0, 0) is None


@pytest.mark.usefixtures("text")
def test_what_was_decoded_is_held_for_a_moment_and_then_asked_for_again(
    indexed: Library, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "_held", Held(seconds=0.3))
    content_hash = hashes(indexed)["long.png"]
    before = tile(indexed, content_hash, 1, 0, 1)
    (files / "long.png").rename(files / "away")
    assert tile(indexed, content_hash, 1, 0, 1) == before
    until = time.monotonic() + 20
    while tile(indexed, content_hash, 1, 0, 1) is not None and time.monotonic() < until:
        time.sleep(0.5)
    assert tile(indexed, content_hash, 1, 0, 1) is None


def test_a_file_that_gives_less_than_its_facts_say_is_enlarged(text: NDArray[np.uint8], indexed: Library) -> None:
    """As a RAW whose header names the sensor's size, and which holds a smaller preview."""
    content_hash = hashes(indexed)["long.png"]
    with sqlite3.connect(indexed.path / DATABASE) as database:
        database.execute("UPDATE contents SET width = 600, height = 10000")
    database.close()
    expected = Image.fromarray(text).resize((600, 10000), Image.Resampling.BICUBIC)
    assert distance(together(indexed, content_hash, 1, (600, 10000)), expected) < 4
    # And not shrunk below what it has.
    assert distance(together(indexed, content_hash, 2, (300, 5000)), Image.fromarray(text)) < 4


def whole(size: int) -> Whole:
    return Whole(np.zeros((1, size, 3), np.uint8), None)


def test_pictures_that_are_held_stay_within_their_bound() -> None:
    held = Held(limit_bytes=900)
    made: list[int] = []

    def get(number: int, size: int) -> None:
        def make() -> Whole:
            made.append(number)
            return whole(size)

        held.get((bytes([number]), 1), 3 * size, make)

    for number in (1, 2, 3, 1, 4, 1, 3):  # three of 300 bytes have room; 2 was used longest ago when 4 came
        get(number, 100)
    assert made == [1, 2, 3, 4]
    get(2, 100)
    assert made == [1, 2, 3, 4, 2]
    get(5, 1000)  # larger than the bound: alone
    get(5, 1000)
    assert made == [1, 2, 3, 4, 2, 5]
    get(3, 100)
    assert made == [1, 2, 3, 4, 2, 5, 3]


def test_a_picture_that_cant_be_decoded_is_not_tried_for_each_tile() -> None:
    held = Held()
    tries: list[int] = []
    for _ in range(3):
        assert held.get((b"x", 1), 0, lambda: tries.append(1)) is None
    assert len(tries) == 1


def test_many_who_ask_for_one_picture_wait_for_one_decode() -> None:
    held = Held()
    tries: list[int] = []

    def slow() -> Whole:
        tries.append(1)
        time.sleep(0.2)
        return whole(1)

    threads = [threading.Thread(target=held.get, args=((b"x", 1), 3, slow)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tries) == 1


def test_who_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "WAIT_SECONDS", 0.05)
    held = Held()
    begun, done = threading.Event(), threading.Event()

    def slow() -> Whole:
        begun.set()
        done.wait(60)
        return whole(1)

    other = threading.Thread(target=held.get, args=((b"y", 1), 3, slow))
    other.start()
    begun.wait(60)
    with pytest.raises(BusyError, match=r"more than 0\.05 seconds"):
        held.get((b"x", 1), 3, lambda: whole(1))
    done.set()
    other.join()
    assert held.get((b"x", 1), 3, lambda: whole(1)) is not None
