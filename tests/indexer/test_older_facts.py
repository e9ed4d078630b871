"""Headers are read again where an older version read them: headers alone, and only these."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image
from support import AWKWARD, Index

from sightline.images.reader import Reader
from store.library import Library
from store.remote import DATABASE
from store.tables.fact_table import FACTS_VERSION
from store.tables.filters import Text

LENS = Text("lens", ("50mm",))


@pytest.fixture
def lenses(photos: Path) -> list[Path]:
    """Six pictures of four kinds with a lens in their EXIF, in PNGs before and behind the pixels; others have none."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Canon"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] = "RF50mm"
    made = []
    for number, name in enumerate(("a.jpg", "b.webp", "c.jpg", "d.png", "e.avif", "f.png")):
        picture = Image.effect_noise((160, 120 + number), 90).convert("RGB")
        picture.save(photos / name, exif=exif)
        made.append(photos / name)
    data = made[-1].read_bytes()
    start = data.index(b"eXIf") - 4
    length = int.from_bytes(data[start : start + 4], "big") + 12
    chunk, rest = data[start : start + length], data[:start] + data[start + length :]
    made[-1].write_bytes(rest[:-12] + chunk + rest[-12:])
    (photos / "photo.heic").write_bytes((AWKWARD / "photo.heic").read_bytes())
    return made


def forget_lenses(library: Path) -> None:
    """As an older version that knew no lenses would have left the library."""
    with closing(sqlite3.connect(library / DATABASE)) as connection:
        connection.execute("UPDATE contents SET lens = NULL, facts_version = ?", (FACTS_VERSION - 1,))
        connection.execute("UPDATE photos SET device = NULL, inode = NULL, ctime_ns = NULL")
        connection.commit()


def found(library: Path) -> int:
    with Library.open(library) as opened:
        return len(opened.catalog.matching([LENS]))


def vector_of(connection: sqlite3.Connection, content: int) -> NDArray[np.float16]:
    (row,) = connection.execute("SELECT vector FROM vectors WHERE content_id = ?", (content,)).fetchall()
    return np.frombuffer(row[0], np.float16)


def versions(library: Path) -> set[int]:
    with closing(sqlite3.connect(library / DATABASE)) as connection:
        return {row[0] for row in connection.execute("SELECT facts_version FROM contents WHERE photo_count > 0")}


def kept_time(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change a file's bytes, and not its size and time, which are all that older versions looked at."""
    before = path.stat()
    path.write_bytes(change(path.read_bytes()))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def test_a_run_reads_older_headers_and_neither_pixels_nor_bytes(
    photos: Path, lenses: list[Path], library: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = index(photos)
    assert (first.code, first.encoded, found(library)) == (0, 31, 6)
    forget_lenses(library)
    assert found(library) == 0
    # What is damaged past its header can neither be decoded nor hashed to what it was.
    for path in (lenses[0], lenses[2], lenses[3]):
        kept_time(path, lambda data: data[:-100] + bytes(100 - 12) + data[-12:])
    decoded: list[object] = []
    monkeypatch.setattr(Reader, "decode", lambda *given, **more: decoded.append(given))
    run = index(photos)
    assert (run.code, run.unchanged, run.changed, run.failed, run.encoded, decoded) == (0, 31, 0, 0, 0, [])
    assert (found(library), versions(library)) == (6, {FACTS_VERSION})


def test_rows_of_older_libraries_are_filled_in_and_no_file_is_read(photos: Path, library: Path, index: Index) -> None:
    index(photos)
    with Library.open(library) as opened:
        assert not opened.catalog.has_older_facts()
    with closing(sqlite3.connect(library / DATABASE)) as connection:
        connection.execute("UPDATE photos SET device = NULL, inode = NULL, ctime_ns = NULL")
        connection.commit()
    first, *others = sorted(photos.rglob("*.jpg"))
    for path in others:
        kept_time(path, lambda data: bytes(len(data)))
    assert index(photos).unchanged == 24
    # From now on another file in the place of one is noticed, and none of the others is looked at again.
    kept_time(first, lambda data: bytes(len(data)))
    assert (again := index(photos)).failed == 1
    assert again.unchanged == 23


def test_an_older_picture_that_changed_or_broke_goes_the_ordinary_way(
    photos: Path, lenses: list[Path], library: Path, index: Index
) -> None:
    index(photos)
    forget_lenses(library)
    changed, broken, gone, *_ = lenses
    Image.new("RGB", (90, 60), "red").save(changed)
    kept_time(broken, lambda data: bytes(len(data)))
    gone.unlink()
    run = index(photos)
    assert (run.changed, run.failed, run.missing, run.encoded, run.unchanged) == (1, 1, 1, 1, 28)
    assert (found(library), versions(library)) == (3, {FACTS_VERSION})


def test_what_an_older_version_read_as_a_picture_of_another_shape_is_read_anew(
    photos: Path, library: Path, index: Index
) -> None:
    picture = min(photos.rglob("*.jpg"))
    (photos / "copy.jpg").write_bytes(picture.read_bytes())
    index(photos)
    with Library.open(library) as opened, closing(sqlite3.connect(library / DATABASE)) as connection:
        query = "SELECT id, hash FROM contents WHERE photo_count = 2"
        ((content, digest),) = connection.execute(query).fetchall()
        thumbnail, right = opened.thumbnails.read(digest), vector_of(connection, content)
        # What the stamp of a raw file would have left.
        connection.execute("UPDATE contents SET width = 64, height = 48, colour = 7 WHERE id = ?", (content,))
        connection.execute("UPDATE contents SET facts_version = ?", (FACTS_VERSION - 1,))
        connection.execute("UPDATE vectors SET vector = ? WHERE content_id = ?", ((-right).tobytes(), content))
        connection.execute("UPDATE spaces SET epoch = epoch + 1")
        connection.commit()
        opened.thumbnails.write(digest, b"stamp")
        opened.previews.write(digest, b"stamp")
        run = index(photos)
        assert (run.code, run.unchanged, run.encoded) == (0, 25, 1)
        assert (opened.thumbnails.read(digest), opened.previews.read(digest)) == (thumbnail, None)
        assert vector_of(connection, content) @ right > 0.999
        (facts,) = (row.facts for row in opened.catalog.photos([content]).values())
        assert (facts["width"], facts["height"]) == Image.open(picture).size
        assert facts["colour"] != 7
        assert index("verify", space=None).code == 0
    assert index(photos).encoded == 0


def test_a_run_that_was_stopped_goes_on_with_the_headers_that_are_left(
    photos: Path, lenses: list[Path], library: Path, index: Index
) -> None:
    index(photos)
    forget_lenses(library)
    # A run over a part of the folder leaves the rest older.
    part = next(path for path in photos.iterdir() if path.is_dir())
    index(part)
    assert versions(library) == {FACTS_VERSION - 1, FACTS_VERSION}
    with Library.open(library) as opened:
        assert opened.catalog.has_older_facts()
    index(photos)
    assert (found(library), versions(library)) == (6, {FACTS_VERSION})


def test_a_dry_run_names_what_would_be_read_again(
    photos: Path, lenses: list[Path], library: Path, index: Index
) -> None:
    index(photos)
    assert "outdated" not in index(photos, "--dry-run").out
    forget_lenses(library)
    assert index(photos, "--dry-run").out.count('"outdated"') == 31


def test_another_model_takes_the_facts_along(
    photos: Path, lenses: list[Path], library: Path, index: Index, other_space: str
) -> None:
    index(photos)
    forget_lenses(library)
    assert index(photos, space=other_space).encoded == 31
    assert (found(library), versions(library)) == (6, {FACTS_VERSION})
