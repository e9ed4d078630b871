"""XMP sidecars: seen beside pictures by both habits of naming, read with them, and read again when they change."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support import Index

from sightline.images.reader import Reader
from store.library import Library

XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{}"/></rdf:RDF></x:xmpmeta>'
)


def rate(path: Path, stars: int) -> Path:
    path.write_text(XMP.format(stars))
    return path


def ratings(library: Path) -> dict[str, int]:
    """The stars of all pictures that have some, by path."""
    with Library.open(library) as opened:
        found = opened.catalog.photos(range(1, 100)).values()
        return {photo.display: photo.facts["rating"] for photo in found if photo.facts["rating"] is not None}


@pytest.fixture
def picture(photos: Path) -> Path:
    return min(photos.rglob("*.jpg"))


@pytest.mark.parametrize("name", ["{0.name}.xmp", "{0.stem}.xmp", "{0.name}.XMP", "{0.stem}.Xmp"])
def test_a_sidecar_is_read_with_its_picture_and_again_when_it_comes_changes_or_goes(
    photos: Path, picture: Path, index: Index, library: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = str(picture.relative_to(photos))
    sidecar = rate(picture.with_name(name.format(picture)), 2)
    index(photos)
    assert ratings(library) == {shown: 2}
    monkeypatch.setattr(Reader, "decode", lambda *given, **more: pytest.fail("pixels were decoded"))
    before = sidecar.stat()
    rate(sidecar, 5)
    os.utime(sidecar, ns=(before.st_atime_ns, before.st_mtime_ns))  # as `exiftool -P` does, and of the same size
    assert index(photos, "--dry-run").out.count('"outdated"') == 1
    assert (index(photos).unchanged, ratings(library)) == (24, {shown: 5})
    sidecar.unlink()
    assert (index(photos).unchanged, ratings(library)) == (24, {})
    rate(sidecar, 3)
    assert (index(photos).unchanged, ratings(library)) == (24, {shown: 3})
    assert index(photos, "--dry-run").out == ""


@pytest.mark.parametrize(
    ("sidecars", "expected"),
    [
        ({"A.JPG.XMP": 2}, {"a.jpg": 2}),
        ({"A.xmp": 3}, {"a.jpg": 3}),
        ({"a.xmp": 3, "A.JPG.xmp": 4}, {"a.jpg": 4}),
        ({"B.xmp": 5}, {"B.jpg": 5}),  # not of b.jpg
        ({"b.xmp": 1, "B.jpg.xmp": 2}, {"b.jpg": 1, "B.jpg": 2}),
    ],
)
def test_the_case_of_a_sidecar_matters_only_where_it_tells_pictures_apart(
    tmp_path: Path, photos: Path, index: Index, library: Path, sidecars: dict[str, int], expected: dict[str, int]
) -> None:
    folder = tmp_path / "cases"
    folder.mkdir()
    for name, picture in zip(("a.jpg", "b.jpg", "B.jpg"), sorted(photos.rglob("*.jpg")), strict=False):
        shutil.copy(picture, folder / name)
    if len(list(folder.iterdir())) < 3:
        pytest.skip("the file system knows no case")
    for name, stars in sidecars.items():
        rate(folder / name, stars)
    index(folder)
    assert ratings(library) == expected


def test_the_sidecar_that_names_the_file_whole_goes_first(
    photos: Path, picture: Path, index: Index, library: Path
) -> None:
    rate(picture.with_name(f"{picture.name}.xmp"), 4)
    rate(picture.with_suffix(".xmp"), 1)
    index(photos)
    assert list(ratings(library).values()) == [4]


def test_a_copy_without_a_sidecar_takes_nothing_from_the_one_that_has_it(
    photos: Path, picture: Path, index: Index, library: Path
) -> None:
    # Read before and after it: paths come in order.
    shutil.copy(picture, photos / "0.jpg")
    shutil.copy(picture, photos / "~.jpg")
    rate(picture.with_name(f"{picture.name}.xmp"), 4)
    index(photos)
    assert list(ratings(library).values()) == [4]


def test_a_picture_that_moves_with_its_sidecar_keeps_what_that_says(
    photos: Path, picture: Path, index: Index, library: Path
) -> None:
    sidecar = rate(picture.with_name(f"{picture.name}.xmp"), 4)
    index(photos)
    picture.rename(photos / "moved.jpg")
    sidecar.rename(photos / "moved.jpg.xmp")
    rate(photos / "moved.jpg.xmp", 5)
    assert index(photos).moved == 1
    assert ratings(library) == {"moved.jpg": 5}


def test_a_sidecar_that_cannot_be_used_is_as_if_it_were_not_there(
    photos: Path, picture: Path, index: Index, library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    large = picture.with_name(f"{picture.name}.xmp")
    with large.open("wb") as file:
        file.truncate(2**24 + 1)
    (broken := picture.with_suffix(".xmp")).symlink_to(photos / "nowhere")
    run = index(photos)
    assert (run.code, run.added, ratings(library)) == (0, 24, {})
    assert f"{large} is over 16 MB" in caplog.text
    assert broken.name not in caplog.text
