"""What a picture looks like before and beside its pixels: a large preview, upright and clean, and its own colour."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import TURNS, distance, encoded, oriented, photo, swapped_profile
from PIL import ExifTags, Image, ImageDraw
from support import AWKWARD

from sightline.images.decode import DecodeError, decode, preview
from sightline.images.scaling import PREVIEW_LEAST, PREVIEW_SIDE, THUMBNAIL_LEAST, THUMBNAIL_SIDE, screen_size


def shown(data: bytes, **options: Any) -> Image.Image:
    image = Image.open(io.BytesIO(preview(io.BytesIO(data), **options)))
    image.load()
    return image


def colour(image: Image.Image, kind: str = "PNG", **options: Any) -> int | None:
    return decode(io.BytesIO(encoded(image, kind, **options)), need=224).colour


# -- previews ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_a_preview_is_a_clean_jpeg_of_at_most_1600(kind: str) -> None:
    options = {"comment": b"secret"} if kind == "JPEG" else {}
    data = encoded(photo(2400, 1200), kind, exif=oriented(1), **options)
    made = preview(io.BytesIO(data))
    image = shown(data)
    assert (image.size, image.format, image.mode) == ((1600, 800), "JPEG", "RGB")
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert all(word not in made for word in (b"Exif", b"ICC_PROFILE", b"secret"))
    assert not image.getexif()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_preview_is_upright(orientation: int) -> None:
    upright = photo(1800, 1200)
    stored = upright if orientation == 1 else upright.transpose(TURNS[orientation])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image = shown(encoded(stored, "JPEG", exif=exif, quality=95))
    assert image.size == (1600, 1067)
    assert distance(np.asarray(image), upright.resize(image.size, Image.Resampling.BICUBIC)) < 3


@pytest.mark.parametrize(
    ("size", "expected"),
    [((640, 480), (640, 480)), ((1, 1), (1, 1)), ((1600, 1600), (1600, 1600)), ((3200, 10), (3200, 10)),
     ((5000, 1), (5000, 1)), ((1601, 1200), (1600, 1199)), ((3000, 1000), (2160, 720))],
)  # fmt: skip
def test_a_preview_is_never_larger_than_asked_or_than_the_original(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    for kind in ("PNG", "JPEG"):
        assert shown(encoded(photo(*size), kind)).size == expected
        assert shown(encoded(photo(*size).transpose(Image.Transpose.ROTATE_90), kind)).size == expected[::-1]


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_what_is_shown_of_a_picture_is_bounded_and_of_its_shape(width: int, height: int) -> None:
    for side, least in ((PREVIEW_SIDE, PREVIEW_LEAST), (THUMBNAIL_SIDE, THUMBNAIL_LEAST)):
        made = screen_size((width, height), side, least)
        assert made[0] <= width
        assert made[1] <= height
        shorter, longer = sorted(made)
        assert longer <= 20 * side
        assert shorter * longer <= 4 * side * side + longer or longer <= side
        for one, other, at in zip(made, reversed(made), (width / height, height / width), strict=True):
            assert abs(one - other * at) <= max(1, at) or one == 1 or other == 1
        # No longer than before, unless the shorter side would lose what makes it readable.
        assert longer <= side or shorter <= least
        # And readable, unless that would take too much.
        is_bounded = longer >= 20 * side - 1 or shorter * longer >= 4 * side * side - longer
        assert shorter >= min(least, width, height) or longer <= side or is_bounded


@pytest.mark.parametrize("shape", [(1, 1), (5, 4), (4, 3), (3, 2), (16, 9), (2, 1), (39, 18), (20, 9)])
def test_an_ordinary_picture_is_shown_as_before(shape: tuple[int, int]) -> None:
    for unit in (7, 40, 119, 120, 331, 700):
        width, height = shape[0] * unit, shape[1] * unit
        for side, least in ((1600, PREVIEW_LEAST), (512, THUMBNAIL_LEAST)):
            ratio = min(1, side / width)
            before = (max(1, round(width * ratio)), max(1, round(height * ratio)))
            assert screen_size((width, height), side, least) == before
            assert screen_size((height, width), side, least) == before[::-1]


@pytest.mark.parametrize(
    ("size", "expected"), [((1080, 16000), (720, 10667)), ((12000, 900), (9600, 720)), ((200, 40000), (200, 32000))]
)
def test_a_long_picture_keeps_what_makes_it_readable(size: tuple[int, int], expected: tuple[int, int]) -> None:
    made = shown(encoded(Image.new("RGB", size, "teal"), "JPEG"))
    assert abs(made.size[0] - expected[0]) <= 40
    assert made.size[1] == expected[1]


def test_a_long_picture_has_a_thumbnail_that_fills_a_tile() -> None:
    for size, expected in (((1080, 16000), (170, 2519)), ((3000, 1000), (512, 171)), ((9000, 900), (1700, 170))):
        decoded = decode(io.BytesIO(encoded(photo(*size), "JPEG")), need=224)
        assert decoded.thumbnail is not None
        assert Image.open(io.BytesIO(decoded.thumbnail)).size == expected


def test_a_preview_of_a_large_photo_is_what_the_full_path_gives() -> None:
    # 3400 px are shrunk to a half while decoding, 3100 are not.
    for width in (3400, 3100):
        whole = photo(width, width * 3 // 4)
        image = shown(encoded(whole, "JPEG", quality=95))
        assert image.size == (1600, 1200)
        assert distance(np.asarray(image), whole.resize((1600, 1200), Image.Resampling.BICUBIC)) < 3


def test_a_preview_has_the_colours_that_the_profile_means() -> None:
    red = Image.new("RGB", (64, 64), (230, 20, 20))
    r, g, _ = np.asarray(shown(encoded(red, "PNG", icc_profile=swapped_profile()))).reshape(-1, 3).mean(axis=0)
    assert g > 200 > 100 > r


def test_a_preview_can_be_asked_for_smaller() -> None:
    assert shown(encoded(photo(800, 400), "PNG"), side=100).size == (100, 50)
    with pytest.raises(ValueError, match="side is 0"):
        preview(io.BytesIO(b""), side=0)


def test_what_gives_no_picture_gives_no_preview() -> None:
    for data, said in (
        (b"", "empty"),
        (b"no picture at all", "not a picture format"),
        ((AWKWARD / "cut_short.jpg").read_bytes(), "cut short"),
    ):
        with pytest.raises(DecodeError, match=said):
            preview(io.BytesIO(data))
    with pytest.raises(DecodeError, match="limit is 0"):
        preview(io.BytesIO(encoded(photo(200, 100), "PNG")), max_pixels=10_000)


# -- colours ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [(0, 0, 0), (255, 255, 255), (20, 90, 200), (255, 0, 127), (128, 128, 128)])
def test_a_plain_picture_has_its_own_colour(value: tuple[int, int, int]) -> None:
    red, green, blue = value
    for size in ((1, 1), (64, 64), (900, 300)):
        assert colour(Image.new("RGB", size, value)) == red << 16 | green << 8 | blue


def test_the_colour_is_that_of_the_most_and_no_mean_of_opposites() -> None:
    picture = Image.new("RGB", (300, 300), (250, 240, 20))
    picture.paste((10, 20, 240), (0, 0, 120, 300))
    assert colour(picture) == 0xFAF014
    picture.paste((10, 20, 240), (0, 0, 180, 300))
    assert colour(picture) == 0x0A14F0


def test_a_pattern_of_two_colours_is_one_of_them() -> None:
    board = np.indices((400, 400)).sum(axis=0)[..., None] % 2 * np.array([255, 255, 255])
    assert colour(Image.fromarray(board.astype(np.uint8))) in (0x000000, 0xFFFFFF)


def test_a_colour_that_varies_a_little_is_not_cut_in_two() -> None:
    # All of it lies around 128, where a coarse histogram has an edge; a quarter is of one other colour.
    picture = Image.fromarray(np.random.default_rng(0).integers(118, 139, (200, 200, 3), dtype=np.uint8))
    picture.paste((250, 0, 0), (0, 0, 55, 200))
    found = colour(picture)
    assert found is not None
    assert all(abs(((found >> shift) & 255) - 128) < 4 for shift in (0, 8, 16))


def test_a_sky_over_a_narrow_field_is_blue() -> None:
    picture = Image.new("RGB", (600, 400))
    drawn = ImageDraw.Draw(picture)
    for row in range(300):
        drawn.line((0, row, 600, row), (90 + row // 20, 140 + row // 20, 230))
    drawn.rectangle((0, 300, 600, 400), (30, 140, 40))
    found = colour(picture, "JPEG", quality=90)
    assert found is not None
    red, green, blue = found >> 16, found >> 8 & 255, found & 255
    assert blue > green > red > 60


def test_the_colour_is_of_what_the_profile_means_and_there_is_none_without_a_thumbnail() -> None:
    found = colour(Image.new("RGB", (64, 64), (230, 20, 20)), icc_profile=swapped_profile())
    assert found is not None
    assert found >> 8 & 255 > 200 > 100 > found >> 16
    unasked = partial(decode, need=224, thumbnail=False)
    assert unasked(io.BytesIO(encoded(photo(64, 64), "PNG"))).colour is None
