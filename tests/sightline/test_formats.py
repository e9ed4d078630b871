"""Formats beyond those that Pillow writes: right pixels, or a reason that is true; and the table of them all."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photoshop import psd
from pictures import distance, encoded, oriented, photo, swapped_profile
from PIL import Image
from raw_pictures import dng
from support import ROOT

from examples import examples
from indexer.walk import may_be_picture
from sightline.images.decode import ALLOWED_FORMATS, Decoded, DecodeError, decode, decode_header
from sightline.images.formats import EXTENSIONS, FORMATS, MEDIA_TYPES, RAW, UNREAD, UNREAD_EXTENSIONS

PICTURE = photo(97, 64)
PIXELS = np.asarray(PICTURE)
BANDS = [PIXELS[..., band].copy() for band in range(3)]


def shown(data: bytes, **options: Any) -> Decoded:
    return decode(io.BytesIO(data), need=224, **options)


def reason(data: bytes, **options: Any) -> str:
    with pytest.raises(DecodeError) as caught:
        shown(data, **options)
    return caught.value.reason


# -- Photoshop ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("rle", [False, True])
@pytest.mark.parametrize("bits", [8, 16, 32])
def test_a_photoshop_document_shows_its_flattened_picture(large: bool, rle: bool, bits: int) -> None:
    result = shown(psd(BANDS, bits=bits, large=large, rle=rle))
    assert distance(result.pixels, PICTURE) < 0.5
    assert (result.facts.width, result.facts.height, result.facts.format) == (97, 64, "PSD")


def test_colours_of_photoshop_documents() -> None:
    grey = np.asarray(PICTURE.convert("L"))
    assert distance(shown(psd([grey], "grey")).pixels, PICTURE.convert("L").convert("RGB")) == 0
    ink = [255 - band for band in [*(255 - band for band in BANDS), np.zeros_like(grey)]]  # 255 is no ink
    assert distance(shown(psd(ink, "cmyk")).pixels, PICTURE) < 1
    palette = bytes(range(256)) + bytes(255 - level for level in range(256)) + bytes(256)
    indexed = shown(psd([grey], "indexed", palette=palette)).pixels
    assert distance(indexed, np.dstack([grey, 255 - grey, np.zeros_like(grey)])) == 0
    line = np.where(grey > 100, 255, 0).astype(np.uint8)
    assert distance(shown(psd([line], "bitmap", bits=1)).pixels, np.dstack([line] * 3)) == 0
    neutral = shown(psd([grey, np.full_like(grey, 128), np.full_like(grey, 128)], "lab")).pixels
    assert np.ptp(neutral.astype(int), axis=2).max() <= 2


def test_a_saved_selection_is_no_transparency() -> None:
    selection = np.zeros_like(BANDS[0])
    names = {1006: b"\x07Alpha 1", 1053: struct.pack(">I", 7)}
    assert distance(shown(psd([*BANDS, selection], resources=names)).pixels, PICTURE) == 0


@pytest.mark.parametrize("told", [{"layers": -1}, {"resources": {1053: bytes(4)}}, {}])
def test_transparent_parts_of_a_document_are_seen_through(told: dict[str, Any]) -> None:
    alpha = np.full_like(BANDS[0], 255)
    alpha[:, :40] = 0
    white = [np.where(alpha == 0, 255, band).astype(np.uint8) for band in BANDS]  # as programs flatten over nothing
    pixels = shown(psd([*white, alpha], **told)).pixels
    assert distance(pixels[:, 41:], PIXELS[:, 41:]) == 0
    assert np.ptp(pixels[:, :39].reshape(-1, 3).astype(int), axis=0).max() == 0


@pytest.mark.parametrize("layers", [-1, 0])
def test_half_transparent_colours_of_a_document_are_those_that_were_drawn(layers: int) -> None:
    """Photoshop mixes the flattened picture of layers with white; without layers the colours are kept."""
    drawn, alpha = (200, 40, 90), 128
    kept = [round((level * alpha + 255 * (255 - alpha)) / 255) if layers else level for level in drawn]
    pixels = shown(psd([np.full((8, 8), level, np.uint8) for level in (*kept, alpha)], layers=layers)).pixels
    white = [(level * alpha + 255 * (255 - alpha)) / 255 for level in drawn]
    assert np.abs(pixels.reshape(-1, 3).mean(axis=0) - white).max() < 2


def test_metadata_of_a_document() -> None:
    exif = Image.Exif()
    exif[0x10F], exif[0x112] = "Acme", 6
    data = psd(BANDS, resources={1039: swapped_profile(), 1058: exif.tobytes().removeprefix(b"Exif\0\0")})
    result = shown(data)
    assert (result.facts.camera_make, result.facts.width, result.facts.height) == ("Acme", 97, 64)
    assert distance(result.pixels, PICTURE) == 0
    assert result.thumbnail is not None
    with Image.open(io.BytesIO(result.thumbnail)) as thumbnail:
        assert distance(np.asarray(thumbnail)[..., [1, 0, 2]], PICTURE) < 12
    assert decode_header(io.BytesIO(data)) == result.facts


def test_documents_that_have_no_picture_say_so() -> None:
    assert "Maximize Compatibility" in reason(psd(BANDS, resources={1057: struct.pack(">IB", 1, 0) + bytes(8)}))
    assert "colour mode 7, 8 bits a channel is not read by Sightline" in reason(psd(BANDS, "multichannel"))
    assert "its header is damaged" in reason(b"8BPS\0\2" + bytes(20))
    assert "cut short" in reason(psd(BANDS)[:-100])
    assert "megapixels; the limit" in reason(psd(BANDS), max_pixels=5000)


# -- JPEG XL --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_jpeg_xl_is_read(mode: str) -> None:
    codec = pytest.importorskip("pylibjxl", reason="the extra jxl is not installed")
    pixels = np.asarray(PICTURE.convert(mode))
    result = shown(codec.encode(np.ascontiguousarray(pixels.reshape(64, 97, -1)), lossless=True))
    assert distance(result.pixels, PICTURE.convert(mode).convert("RGB")) == 0
    assert (result.facts.width, result.facts.height, result.facts.format) == (97, 64, "JXL")


def test_a_jpeg_kept_as_jpeg_xl_is_turned_once_and_has_its_facts() -> None:
    codec = pytest.importorskip("pylibjxl", reason="the extra jxl is not installed")
    stored = PICTURE.transpose(Image.Transpose.ROTATE_90)
    data = codec.jpeg_to_jxl(encoded(stored, "JPEG", quality=95, exif=oriented(6)))
    result = shown(data)
    assert distance(result.pixels, PICTURE) < 6
    assert (result.facts.width, result.facts.height) == (97, 64)
    assert result.facts.latitude == pytest.approx(1.034, abs=1e-3)
    assert decode_header(io.BytesIO(data)) == result.facts


def test_a_colour_profile_in_jpeg_xl_reaches_the_thumbnail() -> None:
    codec = pytest.importorskip("pylibjxl", reason="the extra jxl is not installed")
    red = np.full((64, 96, 3), (250, 10, 10), np.uint8)
    result = shown(codec.encode(red, lossless=True, icc=swapped_profile()))
    assert distance(result.pixels, red) == 0
    assert result.thumbnail is not None
    with Image.open(io.BytesIO(result.thumbnail)) as thumbnail:
        r, g, _ = np.asarray(thumbnail).reshape(-1, 3).mean(axis=0)
    assert g > 200 > 100 > r


def test_damaged_jpeg_xl_says_so() -> None:
    codec = pytest.importorskip("pylibjxl", reason="the extra jxl is not installed")
    data = codec.encode(PIXELS.copy(), lossless=True)
    assert "damaged" in reason(data[: len(data) // 2])
    assert "megapixels; the limit" in reason(data, max_pixels=5000)


def test_without_the_extra_the_reason_says_how_to_have_jpeg_xl_read(tmp_path: Path) -> None:
    (tmp_path / "a.jxl").write_bytes(b"\xff\x0a" + bytes(100))
    script = """
import sys
sys.modules["pylibjxl"] = None
from sightline.images.decode import DecodeError, decode
try:
    decode(open(sys.argv[1], "rb"), need=224)
except DecodeError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a.jxl")], capture_output=True, text=True,
                         check=True, cwd=ROOT)  # fmt: skip
    assert (
        run.stdout == "it is a JPEG XL file. To have it read: pip install 'sightline[jxl]', then index with --rescan\n"
    )


# -- Netpbm ---------------------------------------------------------------------------------------------------------


def netpbm(magic: str, values: np.ndarray, most: int = 255) -> bytes:
    head = f"{magic}\n# made by hand\n97 64\n{'' if magic in ('P1', 'P4') else f'{most}'}".rstrip() + "\n"
    if magic in ("P1", "P2", "P3"):
        return head.encode() + b"\n".join(b" ".join(b"%d" % value for value in row.ravel()) for row in values)
    if magic == "P4":
        return head.encode() + np.packbits(values, axis=1).tobytes()
    return head.encode() + values.astype(">u2" if most > 255 else np.uint8).tobytes()


@pytest.mark.parametrize("most", [255, 15, 1000, 65535])
def test_netpbm_of_any_number_of_levels(most: int) -> None:
    levels = np.rint(PIXELS.astype(float) * most / 255).astype(int)
    expected = np.rint(levels * 255 / most).astype(np.uint8)
    for magic in ("P3", "P6"):
        assert distance(shown(netpbm(magic, levels, most)).pixels, expected) == 0
    for magic in ("P2", "P5"):
        grey = shown(netpbm(magic, levels[..., 1], most)).pixels
        assert distance(grey, np.dstack([expected[..., 1]] * 3)) == 0


@pytest.mark.parametrize("magic", ["P1", "P4"])
def test_netpbm_of_black_and_white(magic: str) -> None:
    black = (PIXELS[..., 0] < 100).astype(np.uint8)
    expected = np.dstack([255 - 255 * black] * 3)
    assert distance(shown(netpbm(magic, black)).pixels, expected) == 0
    if magic == "P1":  # digits may stand side by side
        data = b"P1 97 64\n" + "".join(map(str, black.ravel())).encode()
        assert distance(shown(data).pixels, expected) == 0


@pytest.mark.parametrize("most", [255, 65535])
def test_pam(most: int) -> None:
    deep = (PIXELS.astype(int) * most // 255).astype(">u2" if most > 255 else np.uint8)
    head = f"P7\nWIDTH 97\nHEIGHT 64\nDEPTH 3\nMAXVAL {most}\nTUPLTYPE RGB\nENDHDR\n"
    assert distance(shown(head.encode() + deep.tobytes()).pixels, PICTURE) == 0


def test_netpbm_that_is_wrong_says_so() -> None:
    assert "cut short" in reason(netpbm("P6", PIXELS)[:-5])
    assert "cut short" in reason(netpbm("P3", PIXELS)[:-500])
    assert "header is damaged" in reason(b"P6 97\n")
    assert "header is damaged" in reason(b"P7\nWIDTH 97\nENDHDR\n")
    assert "megapixels; the limit" in reason(b"P6 90000 90000 255\n")
    assert "header is damaged" in reason(b"P6 0 10 255\n")


# -- TGA ------------------------------------------------------------------------------------------------------------


def tga(pixels: np.ndarray, depth: int, flags: int = 0x20, kind: int = 2, data: bytes | None = None) -> bytes:
    height, width = pixels.shape[:2]
    head = struct.pack("<BBBHHBHHHHBB", 0, 0, kind, 0, 0, 0, 0, 0, width, height, depth, flags)
    return head + (pixels.tobytes() if data is None else data)


def test_tga_is_known_without_a_magic_number_or_a_name() -> None:
    blue_first = np.ascontiguousarray(PIXELS[..., ::-1])
    result = shown(tga(blue_first, 24))
    assert distance(result.pixels, PICTURE) == 0
    assert result.facts.format == "TGA"
    assert distance(shown(tga(blue_first[::-1].copy(), 24, flags=0)).pixels, PICTURE) == 0


@pytest.mark.parametrize(("flags", "alpha"), [(0x20, 0), (0x20, 80), (0x28, 0)])
def test_a_fourth_channel_of_tga_that_is_no_transparency_hides_nothing(flags: int, alpha: int) -> None:
    four = np.dstack([PIXELS[..., ::-1], np.full(PIXELS.shape[:2], alpha, np.uint8)])
    assert distance(shown(tga(four, 32, flags)).pixels, PICTURE) == 0


def test_runs_of_tga_may_go_on_over_the_end_of_a_row() -> None:
    plain = np.full((30, 50, 3), (10, 200, 90), np.uint8)
    runs = b"".join(bytes([0x80 | 99]) + b"\x0a\xc8\x5a" for _ in range(15))
    assert distance(shown(tga(plain, 24, kind=10, data=runs)).pixels, plain[..., ::-1]) == 0
    assert "cut short" in reason(tga(plain, 24, kind=10, data=runs[:-8]))


@given(st.binary(min_size=18, max_size=64))
@examples(200)
def test_other_bytes_are_no_tga(data: bytes) -> None:
    if data[1] > 1 or data[2] not in (1, 2, 3, 9, 10, 11):
        assert "TGA" in reason(data) or not data.strip(b"\0")


# -- icons ----------------------------------------------------------------------------------------------------------


def test_an_icon_shows_its_largest_picture() -> None:
    image = photo(256, 256)
    for kind in ("png", "bmp"):
        data = encoded(image, "ICO", sizes=[(16, 16), (256, 256), (48, 48)], bitmap_format=kind)
        result = shown(data)
        assert (result.facts.width, result.facts.height, result.facts.format) == (256, 256, "ICO")
        assert distance(result.pixels, image) == 0


def test_an_icon_of_32_bits_without_transparency_is_seen() -> None:
    four = np.dstack([PIXELS[:32, :32, ::-1], np.zeros((32, 32), np.uint8)])[::-1]
    bitmap = struct.pack("<IiiHHIIiiII", 40, 32, 64, 1, 32, 0, 0, 0, 0, 0, 0) + four.tobytes() + bytes(4 * 32)
    data = struct.pack("<HHHBBBBHHII", 0, 1, 1, 32, 32, 0, 0, 1, 32, len(bitmap), 22) + bitmap
    assert distance(shown(data).pixels, PIXELS[:32, :32]) == 0


def test_an_icon_that_claims_to_be_huge_is_refused() -> None:
    huge = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 65535, 32767) + bytes(20)
    data = struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(huge), 22) + huge
    assert reason(data) == "the picture in the icon says it has 65535x32767; the limit is 4096 pixels a side"


# -- the table ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "EPS is not read by Sightline"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- drawn -->\n<svg/>", "SVG is not read by Sightline"),
        (b"gimp xcf v011\0", "GIMP's XCF is not read by Sightline"),
        (b"\x76\x2f\x31\x01\x02\0\0\0", "OpenEXR is not read by Sightline"),
        (b"qoif\0\0\0\1", "QOI is not read by Sightline"),
        (b"%PDF-1.7", "PDF is not read by Sightline"),
        (b"<!DOCTYPE html><html>", "it is a web page, not a picture"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "it is a video, which Sightline does not read"),
    ],
)
def test_what_is_known_and_not_read_is_called_by_its_name(data: bytes, words: str) -> None:
    assert reason(data) == words


def test_files_that_are_not_read_are_among_the_failures_and_not_passed_over() -> None:
    for extension in EXTENSIONS | UNREAD_EXTENSIONS:
        assert may_be_picture(Path(f"x{extension.upper()}"))
    assert not EXTENSIONS & UNREAD_EXTENSIONS
    assert {".psb", ".dng", ".cr3", ".jxl", ".tga", ".ppm"} <= EXTENSIONS


@pytest.mark.parametrize("make", [lambda: dng(PICTURE, PICTURE), lambda: psd(BANDS), lambda: encoded(PICTURE, "PPM")])
def test_files_without_an_extension_are_known_by_their_beginning(tmp_path: Path, make: Any) -> None:
    (tmp_path / "picture").write_bytes(encoded(PICTURE, "JPEG"))
    (tmp_path / "notes").write_bytes(b"P7 of the notes, which are text")
    assert may_be_picture(tmp_path / "picture")
    assert not may_be_picture(tmp_path / "notes")


def test_every_format_that_is_read_has_a_media_type() -> None:
    assert set(ALLOWED_FORMATS) | set(RAW.names) == set(MEDIA_TYPES)


def rows(page: str) -> list[list[str]]:
    text = (ROOT / "docs" / page).read_text()
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]


def test_the_page_of_formats_is_the_table() -> None:
    told = {row[0]: row for row in rows("formats.md")}
    for each in FORMATS:
        row = told[each.title]
        assert re.findall(r"\.\w+", row[1]) == list(each.extensions)
        assert (f"extra `{each.extra}`" in row[4]) == bool(each.extra)
    text = (ROOT / "docs" / "formats.md").read_text()
    assert all(each.title in text for each in UNREAD)


def test_the_page_of_packages_names_every_dependency_and_no_gpl() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {(need, "") for need in names(project["dependencies"])}
    wanted |= {
        (need, extra) for extra in extras for need in names(extras[extra]) if extra not in ("test", "dev", "docs")
    }
    told = {(row[0].strip("`").lower(), row[1].strip("`")): row[2] for row in rows("packages.md") if row[0][0] == "`"}
    assert set(told) == wanted
    assert not [name for name, licence in told.items() if re.search(r"(?<!L)GPL", licence)]


def names(needs: list[str]) -> list[str]:
    return [re.split(r"[\[<>=;]", need)[0].strip().lower() for need in needs]
