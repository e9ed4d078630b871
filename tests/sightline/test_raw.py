"""Raw files show what their camera shows: the large preview or, by LibRaw, the sensor's own picture; never a stamp."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures import TURNS, distance, encoded, oriented, photo
from PIL import Image
from raw_pictures import Ifd, Value, cr3, dng, jpeg_ifd, raf, sensor_ifd, stamp_tags, tiff
from support import ROOT

from sightline.images.decode import Decoded, DecodeError, decode, decode_header, preview

PICTURE = photo(320, 240)
STAMP = Image.new("RGB", (64, 48), (250, 0, 0))
JPEG = encoded(PICTURE, "JPEG", quality=95)


def shown(data: bytes, need: int = 224) -> Decoded:
    return decode(io.BytesIO(data), need=need)


def makers_file(make: str, order: str = "<") -> bytes:
    """As NEF, ARW, SRW and others: a stamp, the sensor's values and a JPEG in directories below the first."""
    tags: dict[int, Value] = {**stamp_tags(STAMP), 0x10F: make, 0x110: "Model 5", 0x112: 1}
    below = {
        0x14A: [sensor_ifd(PICTURE), Ifd({0xFE: 1, 0x103: 6}, JPEG)],
        0x8769: [Ifd({0x9003: "2020:01:02 03:04:05"})],
    }
    return tiff([Ifd(tags, STAMP.tobytes(), (0x111, 0x117), below)], order)


def panasonic() -> bytes:
    tags: dict[int, Value] = {1: b"0300", 4: 4, 5: 8, 6: 244, 7: 328, 0x10F: "Panasonic", 0x110: "Model 5", 0x112: 1}
    exif = Ifd({0x9003: "2020:01:02 03:04:05"})
    return tiff([Ifd({**tags, 0x2E: JPEG}, below={0x8769: [exif]})], magic=b"IIU\0")


def olympus() -> bytes:
    """The preview lies in the maker's note, at a distance from the note's own beginning."""
    settings = b"\x02\0" + b"\x01\x01\x04\0\x01\0\0\0" + (68).to_bytes(4, "little")
    settings += b"\x02\x01\x04\0\x01\0\0\0" + len(JPEG).to_bytes(4, "little") + bytes(4)
    note = b"OLYMPUS\0II\x03\0" + b"\x01\0" + b"\x20\x20\x0d\0\x01\0\0\0" + (36).to_bytes(4, "little") + bytes(4)
    note = note.ljust(36, b"\0") + settings
    exif = Ifd({0x9003: "2020:01:02 03:04:05", 0x927C: note.ljust(68, b"\0") + JPEG})
    main: dict[int, Value] = {0x100: 320, 0x101: 240, 0x10F: "OLYMPUS", 0x110: "Model 5", 0x112: 1}
    return tiff([Ifd(main, below={0x8769: [exif]})], magic=b"IIRO")


def canon2() -> bytes:
    main: dict[int, Value] = {0x100: 320, 0x101: 240, 0x103: 6, 0x10F: "Canon", 0x110: "Model 5", 0x112: 1}
    exif = Ifd({0x9003: "2020:01:02 03:04:05"})
    return tiff([Ifd(main, JPEG, (0x111, 0x117), {0x8769: [exif]})], mark=b"CR\x02\0\0\0\0\0")


def canon3() -> bytes:
    main = Ifd({0x100: 320, 0x101: 240, 0x10F: "Canon", 0x110: "Model 5", 0x112: 1})
    return cr3(JPEG, main, Ifd({0x9003: "2020:01:02 03:04:05"}))


def fujifilm() -> bytes:
    exif = Image.Exif()
    exif[0x10F], exif[0x110], exif[0x112] = "FUJIFILM", "Model 5", 1
    exif.get_ifd(0x8769)[0x9003] = "2020:01:02 03:04:05"
    return raf(encoded(PICTURE, "JPEG", quality=95, exif=exif), 320, 240)


MAKERS: dict[str, Callable[[], bytes]] = {
    "NEF": lambda: makers_file("NIKON CORPORATION", order=">"),
    "ARW": lambda: makers_file("SONY"),
    "SRW": lambda: makers_file("SAMSUNG"),
    "PEF": lambda: makers_file("PENTAX Corporation", order=">"),
    "3FR": lambda: makers_file("Hasselblad"),
    "RAW": lambda: makers_file("Someone Else"),
    "RW2": panasonic, "ORF": olympus, "CR2": canon2, "CR3": canon3, "RAF": fujifilm,
}  # fmt: skip


@pytest.mark.parametrize("kind", MAKERS)
def test_the_large_preview_of_every_maker_is_the_picture(kind: str) -> None:
    data = MAKERS[kind]()
    result = shown(data)
    facts = result.facts
    assert facts.format == kind
    assert (facts.width, facts.height, facts.orientation) == (320, 240, 1)
    assert (facts.camera_model, facts.taken_at) == ("Model 5", "2020-01-02T03:04:05")
    assert distance(result.pixels, PICTURE) < 4
    assert result.thumbnail is not None
    assert decode_header(io.BytesIO(data)) == facts
    with Image.open(io.BytesIO(preview(io.BytesIO(data)))) as image:
        assert distance(np.asarray(image), PICTURE) < 6


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_dng_is_its_preview_and_not_its_first_directory(order: str) -> None:
    result = shown(dng(PICTURE, STAMP, JPEG, order=order))
    assert distance(result.pixels, PICTURE) < 4
    assert (result.facts.format, result.facts.camera_model) == ("DNG", "R1")
    assert result.facts.taken_at == "2021-05-06T07:08:09"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("own", [1, 6])
def test_a_preview_is_turned_once_by_the_raw_file(orientation: int, own: int) -> None:
    stored = PICTURE.transpose(TURNS[orientation]) if orientation > 1 else PICTURE
    small = encoded(stored, "JPEG", quality=95, exif=oriented(own))
    data = dng(stored, STAMP, small, orientation)
    result = shown(data)
    assert distance(result.pixels, PICTURE) < 5
    assert (result.facts.width, result.facts.height, result.facts.orientation) == (320, 240, orientation)
    assert result.original == (240, 320)


def test_a_preview_that_was_turned_before_is_left_as_it_is() -> None:
    stored = PICTURE.transpose(TURNS[6])
    result = shown(dng(stored, STAMP, JPEG, 6))
    assert distance(result.pixels, PICTURE) < 5
    assert (result.facts.width, result.facts.height) == (320, 240)


def test_the_size_is_that_of_the_raw_file() -> None:
    large = photo(2400, 1800)
    result = shown(dng(large, STAMP, encoded(large.resize((1200, 900)), "JPEG")))
    assert (result.facts.width, result.facts.height) == (2400, 1800)
    assert result.original == (900, 1200)
    assert result.pixels.shape[0] in (900, 450)


def test_the_largest_of_several_previews_is_shown() -> None:
    tags: dict[int, Value] = {**stamp_tags(STAMP), 0x10F: "SONY"}
    wrong = encoded(Image.new("RGB", (160, 120)), "JPEG")
    below = {0x14A: [sensor_ifd(PICTURE), jpeg_ifd(wrong), jpeg_ifd(JPEG), jpeg_ifd(wrong)]}
    assert distance(shown(tiff([Ifd(tags, STAMP.tobytes(), (0x111, 0x117), below)])).pixels, PICTURE) < 4


def test_a_raw_file_is_known_by_its_bytes_and_not_by_its_name() -> None:
    plain = tiff([Ifd({**stamp_tags(STAMP), 0x10F: "NIKON"}, STAMP.tobytes(), (0x111, 0x117))])
    result = shown(plain)
    assert result.facts.format == "TIFF"
    assert distance(result.pixels, STAMP) == 0


@pytest.mark.parametrize("keep", [9, 200, 5000])
def test_a_raw_file_that_is_cut_short_says_so_or_nothing_wrong(keep: int) -> None:
    for make in MAKERS.values():
        with pytest.raises(DecodeError):
            shown(make()[:keep])


# Without a preview: LibRaw


def test_without_a_large_preview_the_sensor_is_developed() -> None:
    pytest.importorskip("rawpy", reason="the extra raw is not installed")
    result = shown(dng(PICTURE, STAMP))
    assert result.pixels.shape == (240, 320, 3)
    assert (result.facts.width, result.facts.height, result.facts.format) == (320, 240, "DNG")
    # LibRaw brightens it, and takes the values for linear light: the same picture, by its shape.
    ours, theirs = (np.asarray(each, np.float64).mean(axis=2).ravel() for each in (result.pixels, PICTURE))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.9


def test_a_large_sensor_is_developed_at_half_its_size_and_turned() -> None:
    pytest.importorskip("rawpy", reason="the extra raw is not installed")
    result = shown(dng(photo(2400, 1600), STAMP, orientation=6), need=1000)
    assert result.pixels.shape == (1200, 800, 3)
    assert result.original == (1200, 800)
    assert (result.facts.width, result.facts.height) == (1600, 2400)


def test_more_megapixels_than_the_limit_are_refused_before_they_are_developed() -> None:
    pytest.importorskip("rawpy", reason="the extra raw is not installed")
    with pytest.raises(DecodeError, match=r"0\.1 megapixels; the limit is 0\.0"):
        decode(io.BytesIO(dng(PICTURE, STAMP)), need=224, max_pixels=30_000)


def test_libraw_says_why_it_reads_no_picture() -> None:
    pytest.importorskip("rawpy", reason="the extra raw is not installed")
    with pytest.raises(DecodeError, match=r"it is a RAW file \(X3F\) that LibRaw can't read") as caught:
        shown(b"FOVb" + bytes(2000))
    assert caught.value.stage == "open"


def test_without_the_extra_the_reason_says_raw_and_how_to_have_it_read(tmp_path: Path) -> None:
    (tmp_path / "small.dng").write_bytes(dng(PICTURE, STAMP))
    (tmp_path / "large.dng").write_bytes(dng(PICTURE, STAMP, JPEG))
    script = """
import sys
sys.modules["rawpy"] = None
from sightline.images.decode import DecodeError, decode
print(decode(open(sys.argv[2], "rb"), need=224).facts.format)
try:
    decode(open(sys.argv[1], "rb"), need=224)
except DecodeError as error:
    print(error)
"""
    files = [str(tmp_path / "small.dng"), str(tmp_path / "large.dng")]
    run = subprocess.run([sys.executable, "-c", script, *files], capture_output=True, text=True, check=True, cwd=ROOT)
    large, small = run.stdout.splitlines()
    assert large == "DNG"
    assert small == (
        "it is a RAW file (DNG), and the picture inside has only 64x48 pixels. "
        "To have it read: pip install 'sightline[raw]', then index with --rescan"
    )
