"""Decoding, through its public door with real bytes: right pixels, right refusals, and nothing else ever raised."""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import sys
import time
import warnings
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from open_clip.transform import image_transform
from pictures import TURNS, decibels, distance, encoded, final, oriented, photo, swapped_profile
from PIL import ExifTags, Image, ImageCms, ImageFile, ImageOps
from support import AWKWARD, ROOT

from examples import examples
from sightline.images.decode import ALLOWED_FORMATS, DEFAULT_MAX_PIXELS, Decoded, DecodeError, decode
from sightline.images.formats import EXTENSIONS
from sightline.images.scaling import THUMBNAIL_LEAST, THUMBNAIL_SIDE, screen_size
from sightline.models.preprocess import Preprocess

# Those that Pillow can write as they are; the others have tests of their own (test_formats.py, test_raw.py).
KINDS = tuple(kind for kind in ALLOWED_FORMATS if kind not in ("PSD", "JXL", "ICO"))


@pytest.fixture(autouse=True)
def pillow_is_left_alone() -> Iterator[None]:
    """Whatever a test decodes, Pillow's process-wide settings and the warning filters stay as they were."""
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    yield
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)) == before


def decoded(data: bytes, need: int = 224, **options: Any) -> Decoded:
    return decode(io.BytesIO(data), need=need, **options)


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def refused(data: bytes, **options: Any) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        decoded(data, **options)
    return caught.value


def thumbnail_of(result: Decoded) -> Image.Image:
    assert result.thumbnail is not None
    image = Image.open(io.BytesIO(result.thumbnail))
    image.load()
    return image


# Turning


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(kind: str, orientation: int) -> None:
    upright = photo(96, 64)
    stored = upright.transpose(TURNS[orientation]) if orientation > 1 else upright
    options = {"quality": 95} if kind != "TIFF" else {}
    result = decoded(encoded(stored, kind, exif=oriented(orientation), **options))
    assert distance(result.pixels, upright) < 6
    assert distance(np.asarray(thumbnail_of(result)), upright) < 9
    assert (result.facts.width, result.facts.height, result.facts.orientation) == (96, 64, orientation)
    assert result.facts.latitude == pytest.approx(1.034, abs=1e-3)


def test_a_large_turned_jpeg_is_drafted_and_upright() -> None:
    upright = photo(1600, 1200)
    result = decoded(encoded(upright.transpose(TURNS[6]), "JPEG", exif=oriented(6), quality=95))
    assert result.pixels.shape == (600, 800, 3)
    assert distance(result.pixels, upright.reduce(2)) < 3
    assert (result.facts.width, result.facts.height) == (1600, 1200)


def test_a_large_turned_tiff_is_shrunk_and_upright() -> None:
    upright = photo(1600, 1200)
    result = decoded(encoded(upright.transpose(TURNS[8]), "TIFF", exif=oriented(8)))
    assert result.pixels.shape == (600, 800, 3)
    assert distance(result.pixels, upright.reduce(2)) < 1


def test_exif_behind_the_pixels_of_a_png() -> None:
    upright = photo(96, 64)
    data = encoded(upright.transpose(TURNS[6]), "PNG")
    late = data[:-12] + chunk(b"eXIf", oriented(6).removeprefix(b"Exif\0\0")) + data[-12:]
    result = decoded(late)
    assert distance(result.pixels, upright) == 0
    assert result.facts.latitude is not None
    assert refused(late[: len(data) // 2]).stage == "decode"


def test_heif_goes_by_its_container_and_not_by_exif() -> None:
    """The HEIF standard: EXIF orientation is a note; only the container's own turn counts (here there is none)."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    result = decoded(encoded(photo(96, 64), "HEIF", exif=exif, quality=95))
    assert distance(result.pixels, photo(96, 64)) < 6
    assert (result.facts.width, result.facts.orientation) == (96, 6)


# Thumbnails


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_thumbnails_carry_no_metadata(kind: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options = {"comment": b"secret"} if kind == "JPEG" else {}
    data = encoded(photo(800, 400), kind, exif=oriented(1), icc_profile=profile, **options)
    result = decoded(data)
    image = thumbnail_of(result)
    assert image.size == (512, 256)
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert result.thumbnail is not None
    assert all(word not in result.thumbnail for word in (b"Exif", b"ICC_PROFILE", b"secret", b"http"))


def test_a_small_picture_is_its_own_thumbnail_size_and_none_is_made_unasked() -> None:
    data = encoded(photo(96, 64), "PNG")
    assert thumbnail_of(decoded(data)).size == (96, 64)
    assert decoded(data, thumbnail=False).thumbnail is None


def test_thumbnails_are_srgb_and_pixels_are_as_stored() -> None:
    red = Image.new("RGB", (64, 64), (230, 20, 20))
    result = decoded(encoded(red, "PNG", icc_profile=swapped_profile()))
    assert distance(result.pixels, red) == 0
    r, g, _ = np.asarray(thumbnail_of(result)).reshape(-1, 3).mean(axis=0)
    assert g > 200 > 100 > r
    assert thumbnail_of(result).info.get("icc_profile") is None


@pytest.mark.parametrize("profile", [b"rubbish", b"\0" * 128, swapped_profile()[:200]])
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_broken_profiles_are_ignored(profile: bytes, mode: str) -> None:
    image = photo(64, 48).convert(mode)
    result = decoded(encoded(image, "JPEG", icc_profile=profile, quality=95))
    assert distance(result.pixels, image.convert("RGB")) < 6


# Modes


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000"])
def test_16_bit_grey(kind: str) -> None:
    grey = photo(120, 90).convert("L")
    result = decoded(encoded(Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), kind))
    assert distance(result.pixels, grey.convert("RGB")) <= 1


def test_16_bit_grey_in_big_endian_tiff() -> None:
    grey = photo(120, 90).convert("L")
    values = (np.asarray(grey).astype(np.uint16) * 257).astype(">u2")
    data = encoded(Image.frombytes("I;16B", grey.size, values.tobytes()), "TIFF")
    assert distance(decoded(data).pixels, grey.convert("RGB")) <= 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.linspace(0, 4095, 256).astype(np.uint16), np.arange(256)),  # 12 bits in 16
        (np.full(256, 0x8080, np.uint16), np.full(256, 128)),  # one grey stays that grey
        (np.arange(256, dtype=np.int32), np.arange(256)),
        (np.arange(256, dtype=np.int32) * 257, np.arange(256)),
        (np.arange(256, dtype=np.int32) * 100_000 - 9, np.arange(256)),
        (np.linspace(0, 1, 256, dtype=np.float32), np.arange(256)),
        (np.linspace(0, 255, 256, dtype=np.float32), np.arange(256)),
        (np.linspace(-40, 120, 256, dtype=np.float32), np.arange(256)),
        (np.full(256, np.nan, np.float32), np.zeros(256)),
    ],
)
def test_deep_grey_is_scaled_by_its_range(values: NDArray[Any], expected: NDArray[Any]) -> None:
    result = decoded(encoded(Image.fromarray(values.reshape(16, 16)), "TIFF"))
    assert np.abs(result.pixels[..., 0].ravel().astype(int) - expected).max() <= 1


def test_large_16_bit_grey_is_shrunk() -> None:
    grey = photo(1600, 1200).convert("L")
    result = decoded(encoded(Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), "PNG", compress_level=1))
    assert distance(result.pixels, grey.reduce(2).convert("RGB")) <= 1


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind: str) -> None:
    image = photo(120, 90)
    assert distance(decoded(encoded(image.convert("CMYK"), kind)).pixels, image) < 6


def test_lab() -> None:
    colour = Image.new("RGB", (8, 8), (200, 60, 90))
    lab = ImageCms.profileToProfile(
        colour, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    lab.info.clear()
    assert distance(decoded(encoded(lab, "TIFF")).pixels, colour) < 4


def cut_out(mode: str) -> Image.Image:
    """Grey 60 on the left; on the right fully transparent over a hidden grey 10."""
    pixels = np.zeros((8, 8, 2), np.uint8)
    pixels[:, :4] = (60, 255)
    pixels[:, 4:] = (10, 0)
    return Image.fromarray(pixels, "LA").convert(mode)


def key_colour() -> bytes:
    image = Image.fromarray(np.repeat(np.array([[60] * 4 + [10] * 4], np.uint8), 8, axis=0))
    return encoded(image, "PNG", transparency=10)


@pytest.mark.parametrize(
    "data",
    [
        encoded(cut_out("LA"), "PNG"),
        encoded(cut_out("RGBA"), "PNG"),
        encoded(cut_out("RGBA"), "WEBP", lossless=True),
        encoded(cut_out("RGBA"), "TIFF"),
        encoded(cut_out("RGBA"), "GIF"),
        encoded(cut_out("RGBA").quantize(4), "PNG"),
        key_colour(),
    ],
    ids=["LA", "RGBA", "webp", "tiff", "gif", "palette", "key colour"],
)
def test_transparency_shows_white(data: bytes) -> None:
    pixels = decoded(data).pixels
    assert np.abs(pixels[:, :4].astype(int) - 60).max() <= 2
    assert (pixels[:, 4:] == 255).all()


def test_hidden_colours_do_not_bleed_when_a_transparent_picture_is_shrunk() -> None:
    pixels = np.zeros((1024, 1024, 4), np.uint8)
    pixels[::2] = (255, 200, 255, 255)  # between the pink lines: black, but transparent
    result = decoded(encoded(Image.fromarray(pixels), "PNG", compress_level=1))
    assert result.pixels.shape == (512, 512, 3)
    assert result.pixels.min() >= 226


def test_one_bit() -> None:
    image = photo(64, 48).convert("1")
    for kind in ("PNG", "TIFF", "BMP"):
        assert distance(decoded(encoded(image, kind)).pixels, image.convert("RGB")) == 0


# Formats


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "MPO", "AVIF", "HEIF"])
def test_only_the_first_frame_is_seen(kind: str) -> None:
    first, second = Image.new("RGB", (64, 48), (250, 10, 10)), Image.new("RGB", (64, 48), (10, 10, 250))
    result = decoded(encoded(first, kind, save_all=True, append_images=[second]))
    assert distance(result.pixels, first) < 4
    assert result.facts.format == ("JPEG" if kind == "MPO" else kind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_format(kind: str) -> None:
    image = photo(320, 240)
    options = {"quality": 95} if kind in ("JPEG", "WEBP", "AVIF", "HEIF") else {}
    result = decoded(encoded(image, kind, **options))
    assert result.facts.format == kind
    assert result.pixels.flags["C_CONTIGUOUS"]
    assert result.pixels.flags["WRITEABLE"]
    assert result.pixels.dtype == np.uint8
    assert distance(result.pixels, image) < (30 if kind == "GIF" else 6)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("rotated.jpg", "JPEG"), ("gps.jpg", "JPEG"), ("cmyk.jpg", "JPEG"), ("jpeg_named.png", "JPEG"),
        ("grey16.png", "PNG"), ("alpha.png", "PNG"), ("palette.gif", "GIF"), ("two_pages.tif", "TIFF"),
        ("photo.heic", "HEIF"), ("photo.avif", "AVIF"), ("photo.jp2", "JPEG2000"),
    ],
)  # fmt: skip
def test_awkward_files_that_are_pictures(name: str, kind: str) -> None:
    with (AWKWARD / name).open("rb") as file:
        result = decode(file, need=224)
    assert result.facts.format == kind
    assert result.pixels.shape == (120, 160, 3)
    sun, sky = result.pixels[25:35, 32:38].mean(), result.pixels[25:35, 115:122].mean()
    assert sun > sky + 3 or name == "alpha.png"


@pytest.mark.parametrize(
    ("name", "stage", "words"),
    [
        ("cut_short.jpg", "decode", "cut short"),
        ("empty.jpg", "open", "empty"),
        ("text.jpg", "open", "not a picture format"),
        ("bomb.png", "open", "3,600.0 megapixels"),
    ],
)
def test_awkward_files_that_are_not(name: str, stage: str, words: str) -> None:
    error = refused((AWKWARD / name).read_bytes())
    assert error.stage == stage
    assert words in error.reason
    assert str(error) == error.reason


@pytest.mark.parametrize(
    "data",
    [b"x", b"\xff", b"\xff\xd8", b"GIF", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe-3.0 EPSF-3.0\n"]
    + [encoded(photo(32, 32), kind) for kind in ("EPS", "PDF", "DDS", "SGI")],
    ids=range(10),
)  # fmt: skip
def test_other_formats_are_not_opened(data: bytes) -> None:
    error = refused(data)
    assert error.stage == "open"
    assert "JPEG 2000" in error.reason or "is not read by Sightline" in error.reason


def test_extensions_are_lower_case_with_a_dot() -> None:
    assert all(e.startswith(".") and e == e.lower() for e in EXTENSIONS)
    assert {".jpg", ".heic", ".png", ".webp", ".tif", ".avif", ".jp2"} <= EXTENSIONS
    assert not EXTENSIONS & {".svg", ".eps", ".exr", ".pdf", ".mp4"}


def test_a_disk_that_fails_is_not_a_broken_picture() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 500:
                raise OSError(5, "Input/output error")
            return super().read(min(size or 400, 400))

    with pytest.raises(DecodeError, match="could not be read: Input/output error") as caught:
        decode(Failing(encoded(photo(320, 240), "JPEG")), need=224)
    assert caught.value.stage == "read"


def test_need_must_be_a_size() -> None:
    with pytest.raises(ValueError, match="need is 0"):
        decoded(encoded(photo(32, 32), "PNG"), need=0)


# JPEGs


def by_pillow(data: bytes, scale: int = 1) -> NDArray[np.uint8]:
    """What Pillow alone makes of a JPEG at 1 / scale, upright; raises what Pillow does."""
    with Image.open(io.BytesIO(data)) as image:
        width, height = ((2 * side + scale) // (2 * scale) for side in image.size)
        if scale > 1:
            image.draft(None, (image.width // scale, image.height // scale))
        image.load()
        return np.asarray(ImageOps.exif_transpose(image.crop((0, 0, width, height))).convert("RGB"))


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@pytest.mark.parametrize(
    "options",
    [{"subsampling": "4:4:4"}, {"subsampling": "4:2:2"}, {"subsampling": "4:2:0"}, {"progressive": True},
     {"optimize": True, "quality": 30}, {"keep_rgb": True}, {"restart_marker_rows": 1}],
    ids=lambda options: next(iter(options.values())),
)  # fmt: skip
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_has_the_pixels_that_pillow_gives_it(mode: str, options: dict[str, Any], scale: int) -> None:
    for size, orientation in (((333, 250), 1), ((322, 241), 6), ((8 * scale - 1, 8 * scale - 3), 3)):
        data = encoded(photo(*size).convert(mode), "JPEG", exif=oriented(orientation), **options)
        result = decoded(data, need=min(size) // (2 * scale), thumbnail=False)
        np.testing.assert_array_equal(result.pixels, by_pillow(data, scale))
        assert result.pixels.flags["C_CONTIGUOUS"]
        assert result.pixels.flags["WRITEABLE"]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("progressive", [False, True])
def test_a_damaged_jpeg_comes_out_as_from_pillow_or_not_at_all(progressive: bool) -> None:
    random = np.random.default_rng(5)
    whole = encoded(photo(160, 120), "JPEG", progressive=progressive)
    damaged = [whole + b"more", whole[: len(whole) // 2] + whole[-2:]]
    for _ in range(150):
        changed = bytearray(whole)
        for place in random.integers(2, len(changed), random.integers(1, 4)):
            changed[place] = random.integers(0, 256)
        damaged.append(bytes(changed[: int(random.choice([len(changed), int(random.integers(1, len(changed)))]))]))
    came_out = 0
    for data in damaged:
        try:
            expected = by_pillow(data)
        except Exception:  # noqa: BLE001 - whatever Pillow raises
            with suppress(DecodeError):  # what Pillow refuses may lack no more than its end
                assert decoded(data, thumbnail=False).pixels.shape == (120, 160, 3)
        else:
            came_out += 1
            np.testing.assert_array_equal(decoded(data, thumbnail=False).pixels, expected)
    assert 10 < came_out < len(damaged)


# Size


def png_claiming(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10))) + chunk(b"IEND", b"")


def bmp_claiming(width: int, height: int) -> bytes:
    return struct.pack("<2sIIIIiiHHIIIIII", b"BM", 70, 0, 54, 40, width, height, 1, 24, 0, 16, 0, 0, 0, 0) + bytes(16)


def gif_claiming(width: int, height: int) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\x00;"


BOMBS = {
    "png": png_claiming(60_000, 60_000),
    "bmp": bmp_claiming(60_000, 60_000),
    "gif": gif_claiming(60_000, 60_000),
    "gif with a frame beyond its canvas": gif_claiming(60_000, 60_000).replace(
        struct.pack("<HH", 60_000, 60_000), struct.pack("<HH", 9, 9), 1
    ),
    "bmp of no width": bmp_claiming(0, 10),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_from_the_header(name: str) -> None:
    error = refused(BOMBS[name])
    assert error.stage == "open"
    if name in ("png", "bmp", "gif"):
        assert "60000x60000 is 3,600.0 megapixels; the limit is 200.0" in error.reason


@pytest.mark.skipif(sys.platform == "win32", reason="the resource module is POSIX")
def test_bombs_cost_no_memory(tmp_path: Path) -> None:
    for number, data in enumerate(BOMBS.values()):
        (tmp_path / str(number)).write_bytes(data)
    program = f"""
import pathlib, resource
from sightline.images.decode import DecodeError, decode
decode(open({str(AWKWARD / "gps.jpg")!r}, "rb"), need=224)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in pathlib.Path({str(tmp_path)!r}).iterdir():
    try:
        decode(path.open("rb"), need=224)
    except DecodeError:
        continue
    raise SystemExit(f"{{path}} was decoded")
unit = 1 if {sys.platform == "darwin"} else 1024
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
assert grown < 30e6, grown
"""
    root = ROOT
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root, timeout=120)


def test_a_picture_between_pillows_limit_and_ours_is_decoded_without_a_warning() -> None:
    data = encoded(Image.new("1", (12_000, 12_000), 1), "PNG", compress_level=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = decoded(data)
    assert not caught
    assert result.pixels.shape == (750, 750, 3)
    assert result.facts.width * result.facts.height == 144_000_000 < DEFAULT_MAX_PIXELS


def test_the_limit_belongs_to_the_call() -> None:
    data = encoded(photo(64, 48), "PNG")
    assert "64x48" in refused(data, max_pixels=64 * 48 - 1).reason
    assert decoded(data, max_pixels=64 * 48).pixels.shape == (48, 64, 3)


def test_many_threads_and_a_bomb() -> None:
    kinds = ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF", "GIF"]
    files = [encoded(photo(640, 480), kind, icc_profile=swapped_profile()) for kind in kinds] + [BOMBS["png"]]

    def outcome(data: bytes) -> str:
        try:
            result = decoded(data)
        except DecodeError as error:
            return error.reason
        return hashlib.sha256(result.pixels.tobytes() + (result.thumbnail or b"")).hexdigest()

    alone = [outcome(data) for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(outcome, files * 6))
    assert together == alone * 6


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (3, 20_000)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_thin_pictures(size: tuple[int, int], kind: str) -> None:
    result = decoded(encoded(Image.new("RGB", size, "teal"), kind))
    assert result.pixels.shape == (size[1], size[0], 3)
    # What is so thin shows nothing when it is made thinner; but there is an end.
    assert max(thumbnail_of(result).size) == min(20 * 512, max(size))


@examples(120)
@given(
    size=st.tuples(st.integers(1, 1600), st.integers(1, 1600)),
    need=st.integers(1, 300),
    thumbnail=st.booleans(),
    kind=st.sampled_from(["JPEG", "BMP", "TIFF"]),
    orientation=st.integers(1, 8),
)
def test_need_is_respected(size: tuple[int, int], need: int, thumbnail: bool, kind: str, orientation: int) -> None:
    options = {} if kind == "BMP" else {"exif": oriented(orientation)}
    result = decoded(encoded(Image.new("RGB", size, "olive"), kind, **options), need=need, thumbnail=thumbnail)
    width, height = result.facts.width, result.facts.height
    assert sorted((width, height)) == sorted(size)
    shown = (result.pixels.shape[1], result.pixels.shape[0])
    assert min(shown) >= min(2 * need, *size)
    scales = [s for s in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512) if abs(shown[0] - width / s) <= 0.5]
    assert any(abs(shown[1] - height / s) <= 0.5 for s in scales), "the shape is kept to half a pixel"
    if thumbnail:
        small = thumbnail_of(result).size
        expected = screen_size((width, height), THUMBNAIL_SIDE, THUMBNAIL_LEAST)
        assert all(one >= other for one, other in zip(shown, expected, strict=True))
        assert min(small) == pytest.approx(min(expected), abs=1)
        assert max(small) == pytest.approx(max(expected), abs=1, rel=0.01)


@pytest.mark.parametrize("size", [(2400, 1800), (2401, 1803), (3001, 2007)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_shrinking_does_not_show_in_what_the_model_sees(size: tuple[int, int], kind: str) -> None:
    options = {"quality": 92} if kind == "JPEG" else {"compress_level": 1}
    data = encoded(photo(*size), kind, **options)
    whole = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    small = decoded(data).pixels
    assert small.shape[0] * 4 <= whole.shape[0] + 4
    a, b = final(whole), final(small)
    height, width = min(a.shape[0], b.shape[0]), min(a.shape[1], b.shape[1])
    assert decibels(a[:height, :width], b[:height, :width]) >= 50


@pytest.mark.parametrize("size", [(1419, 1030), (903, 518), (518, 903), (810, 517), (4128, 258), (640, 480)])
@pytest.mark.parametrize("resize", ["shortest", "squash", "longest"])
def test_what_the_model_sees_lies_where_open_clip_puts_it(size: tuple[int, int], resize: str) -> None:
    # Shrunk to whole pixels, most of these have another shape, from which another crop would follow (36 to 49 dB).
    ours = Preprocess.from_open_clip({"resize_mode": resize}, 64)
    theirs = image_transform(64, is_train=False, mean=(0.0,) * 3, std=(1.0,) * 3, resize_mode=resize)
    result = decoded(encoded(photo(*size), "BMP"), need=ours.need, thumbnail=False)
    seen = ours.apply(result.pixels, result.original)
    assert decibels(seen.astype(np.float64), 255 * theirs(photo(*size)).double().numpy()) >= 52


# Damage


@pytest.mark.parametrize("percent", [1, 20, 50, 99])
@pytest.mark.parametrize("progressive", [False, True])
def test_half_a_jpeg_is_no_picture(percent: int, progressive: bool) -> None:
    data = encoded(photo(640, 480), "JPEG", progressive=progressive, exif=oriented(6))
    error = refused(data[: len(data) * percent // 100])
    assert error.stage == ("open" if percent == 1 else "decode")
    assert "cut short" in error.reason or percent == 1


@pytest.mark.parametrize("kind", KINDS)
def test_half_of_any_picture_is_no_picture(kind: str) -> None:
    data = encoded(photo(320, 240), kind)
    assert refused(data[: len(data) // 2]).reason


@cache
def samples() -> list[bytes]:
    image, deep = photo(48, 40), Image.fromarray(np.asarray(photo(48, 40).convert("L")).astype(np.uint16) * 257)
    files = [encoded(image, kind) for kind in KINDS]
    files += [encoded(image, "JPEG", progressive=True, exif=oriented(6), icc_profile=swapped_profile())]
    files += [encoded(image.convert("CMYK"), "JPEG"), encoded(deep, "PNG"), encoded(deep, "TIFF")]
    files += [encoded(image, "TIFF", compression=name) for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg")]
    files += [encoded(cut_out("RGBA"), kind) for kind in ("PNG", "WEBP", "GIF", "HEIF", "AVIF")]
    return files


def attempt(data: bytes) -> None:
    started = time.monotonic()
    try:
        result = decoded(data, need=32, max_pixels=1_000_000)
    except DecodeError as error:
        assert error.reason.isprintable()
        assert len(error.reason) < 400
    else:
        assert result.pixels.ndim == 3
    assert time.monotonic() - started < 10


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@examples(400, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_files_decode_or_say_why(data: st.DataObject) -> None:
    damaged = bytearray(samples()[data.draw(st.integers(0, len(samples()) - 1))])
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(0, min(len(damaged), data.draw(st.sampled_from([64, 600, 10**6]))) - 1))
        damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    attempt(bytes(damaged[: data.draw(st.integers(0, len(damaged)) | st.just(len(damaged)))]))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@examples(200)
@given(
    start=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*",
                           b"RIFF\x20\0\0\0WEBPVP8 ", b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypavif",
                           b"\0\0\0\x18ftypmif1", b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"]),
    rest=st.binary(max_size=600),
)  # fmt: skip
def test_random_bytes_are_refused(start: bytes, rest: bytes) -> None:
    attempt(start + rest)
