"""What stands behind the dialog of one picture: parts of pictures, the file manager, the drawing."""

from __future__ import annotations

import io
import math
import re
import struct
import sys
from pathlib import Path
from typing import Any

import indexing
import numpy as np
import pytest
import scripts
from PIL import Image

from search_ui.components.globe import coordinates, globe, land
from search_ui.runtime.file_manager import FileManagerError, show_folder_of
from sightline.media.crop import LEAST, as_box, crop, crop_of
from sightline.media.derived import preview
from sightline.query.parser import parse
from sightline.query.types import QueryError
from store.library import Library

RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 180, 30), (30, 30, 200), (240, 240, 240)
# How a camera stores an upright picture under each EXIF orientation: the turn that a viewer takes back.
STORED: dict[int, Any] = {
    1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip


def quarters(size: tuple[int, int] = (800, 400)) -> Image.Image:
    """Red and green above blue and white."""
    width, height = size
    image = Image.new("RGB", size, RED)
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(WHITE, (width // 2, height // 2, width, height))
    return image


def jpeg(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def colour(data: bytes) -> np.ndarray[Any, np.dtype[np.float64]]:
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float64)
    return np.asarray(pixels.reshape(-1, 3).mean(axis=0))


# -- parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_part_is_of_the_picture_as_it_is_seen(orientation: int) -> None:
    turn = STORED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = quarters() if turn is None else quarters().transpose(turn)
    data = jpeg(stored, exif=exif)
    for box, seen in (
        ((0.05, 0.05, 0.45, 0.45), RED), ((0.55, 0.05, 0.95, 0.45), GREEN),
        ((0.05, 0.55, 0.45, 0.95), BLUE), ((0.55, 0.55, 0.95, 0.95), WHITE),
    ):  # fmt: skip
        part = crop_of(data, box)
        assert np.abs(colour(part) - seen).max() < 8, (orientation, box)
        width, height = Image.open(io.BytesIO(part)).size
        assert abs(width - 320) <= 1 and abs(height - 160) <= 1


def test_a_small_part_of_a_large_picture_keeps_the_pixels_of_the_file() -> None:
    noise = Image.effect_noise((6000, 4000), 80).convert("RGB")
    part = Image.open(io.BytesIO(crop_of(jpeg(noise), (0.4, 0.4, 0.5, 0.55))))
    assert part.size == (600, 600)
    whole = Image.open(io.BytesIO(crop_of(jpeg(noise), (0.0, 0.0, 1.0, 1.0))))
    assert min(whole.size) < 2000, "what is large enough is not decoded at full size"


def test_a_part_carries_nothing_of_the_file_it_came_from() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Secret Camera"
    data = jpeg(quarters(), exif=exif, comment=b"secret comment")
    part = crop_of(data, (0.1, 0.1, 0.9, 0.9))
    assert b"ecret" not in part
    assert not Image.open(io.BytesIO(part)).getexif()


@pytest.mark.parametrize(
    "box",
    [
        None, "0,0,1,1", [], [0, 0, 1], [0, 0, 1, 1, 1], [0, 0, 1, "1"], [0, 0, 1, None], [0.5, 0, 0.5, 1],
        [0.6, 0, 0.5, 1], [0, 0.6, 1, 0.5], [-0.01, 0, 1, 1], [0, 0, 1.01, 1], [math.nan, 0, 1, 1],
        [0, 0, math.inf, 1], {"left": 0},
    ],
)  # fmt: skip
def test_what_is_no_part_is_refused(box: object) -> None:
    with pytest.raises(QueryError, match="no part of the picture"):
        as_box(box)


def test_a_part_of_a_few_pixels_is_refused_with_its_size() -> None:
    with pytest.raises(QueryError, match=f"10 x 200 pixels; each side needs {LEAST}"):
        crop_of(jpeg(quarters()), (0.0, 0.0, 0.0125, 0.5))
    with pytest.raises(QueryError, match="can't be read"):
        crop_of(b"no picture", (0.0, 0.0, 1.0, 1.0))


def test_where_the_file_is_gone_what_was_made_of_it_is_cut(tmp_path: Path, tiny_space: str) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    quarters((2400, 1600)).save(photos / "a.jpg")
    indexing.add(tmp_path / "library", photos, tiny_space)
    right = (0.6, 0.1, 0.9, 0.4)
    with Library.open(tmp_path / "library") as library:
        assert Image.open(io.BytesIO(crop(library, 1, right))).size == (720, 480)
        content_hash = library.catalog.hashes()[0]
        assert preview(library, content_hash) is not None
        (photos / "a.jpg").unlink()
        for size in ((480, 320), (155, 104)):  # of the preview, then of the thumbnail
            part = crop(library, 1, right)
            assert np.abs(colour(part) - GREEN).max() < 12
            width, height = Image.open(io.BytesIO(part)).size
            assert abs(width - size[0]) <= 2 and abs(height - size[1]) <= 2
            library.previews.remove(content_hash)
        library.thumbnails.remove(content_hash)
        with pytest.raises(QueryError, match="changed or can't be read"):
            crop(library, 1, right)
        with pytest.raises(QueryError, match="no picture 99"):
            crop(library, 99, right)


# -- the file manager -----------------------------------------------------------------------------------------------


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front of PATH; `xdg-open` there notes what it was given and ends with the code in `code`."""
    if sys.platform in ("win32", "darwin"):
        pytest.skip("other systems have file managers of their own")
    programs = tmp_path / "bin"
    programs.mkdir()
    script = programs / "xdg-open"
    script.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$#" "$@" > "{programs}/given"\nexit $(cat "{programs}/code")\n', encoding="utf-8"
    )
    script.chmod(0o755)
    (programs / "code").write_text("0")
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    return programs


def test_a_folder_is_given_to_the_file_manager_as_one_argument(manager: Path, tmp_path: Path) -> None:
    folder = tmp_path / "$(touch hacked); -rf & 'x'"
    folder.mkdir()
    show_folder_of(folder / "a.jpg")
    assert (manager / "given").read_text().splitlines() == ["1", str(folder)]
    assert not (tmp_path / "hacked").exists()


def test_what_the_file_manager_can_not_do_is_a_sentence(
    manager: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (manager / "code").write_text("3")
    with pytest.raises(FileManagerError, match=re.escape(f"(xdg-open ended with 3). It is {tmp_path}")):
        show_folder_of(tmp_path / "a.jpg")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileManagerError, match="can't be started"):
        show_folder_of(tmp_path / "a.jpg")
    with pytest.raises(FileManagerError, match="is not there now"):
        show_folder_of(tmp_path / "gone" / "a.jpg")
    with pytest.raises(FileManagerError, match="is not there now"):
        show_folder_of(Path("a.jpg"))


# -- the drawing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("latitude", "longitude", "left", "top"),
    [(0.0, 0.0, "50.00", "50.00"), (90.0, -180.0, "0.00", "0.00"), (-90.0, 180.0, "100.00", "100.00"),
     (48.8925, 2.23639, "50.62", "22.84")],
)  # fmt: skip
def test_the_dot_lies_where_the_picture_was_taken(latitude: float, longitude: float, left: str, top: str) -> None:
    html = globe(latitude, longitude)
    assert f"left: {left}%; top: {top}%" in html
    assert coordinates(latitude, longitude) in html
    assert parse(f"near:{coordinates(latitude, longitude).replace(' ', '')},5").filters


def test_the_drawing_has_land_where_there_is_land() -> None:
    shores = re.findall(r'd="([^"]+)" fill="#888"', land().decode())[0]
    rings = [
        np.array([pair.split(",") for pair in ring.strip("MZ").split("L")], float)
        for ring in re.findall("M[^M]+", shores)
    ]
    every = np.concatenate(rings)
    assert (np.abs(every) <= [180, 90]).all()
    # South is down: Australia has its corners there, the Pacific between it and America has none.
    assert _inside(every, (110, 155), (10, 45)) > 20
    assert _inside(every, (-140, -110), (0, 50)) == 0


def test_the_drawing_and_the_map_show_the_same_land() -> None:
    make_land = scripts.load("docs/make_land.py")
    data = (make_land.COMPONENTS / "map" / "land.bin").read_bytes()
    (count,) = struct.unpack_from("<H", data)
    sizes = struct.unpack_from(f"<{count}H", data, 2)
    corners = np.frombuffer(data, "<i2", offset=2 + 2 * count).reshape(-1, 2)
    rings = [[(x, y) for x, y in ring.tolist()] for ring in np.split(corners, np.cumsum(sizes)[:-1])]
    assert make_land.binary(rings) == data
    assert make_land.drawing(rings).encode() == land()


def _inside(corners: np.ndarray[Any, Any], across: tuple[int, int], down: tuple[int, int]) -> int:
    """How many corners lie between two meridians and two parallels south, in degrees."""
    x, y = corners.T
    return int(((x > across[0]) & (x < across[1]) & (y > down[0]) & (y < down[1])).sum())
