"""What lies beside the pixels never decides about them; what is wrong with them is told, and truly."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from pictures import distance, encoded, oriented, photo
from PIL import Image

from sightline.images.decode import Decoded, DecodeError, decode, decode_header, preview

PICTURE = photo(96, 64)
END = b"\xff\xd9"


def decoded(data: bytes) -> Decoded:
    return decode(io.BytesIO(data), need=224)


def reason(data: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        decoded(data)
    return caught.value.reason


def chunk(kind: bytes, data: bytes, sum_off_by: int = 0) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ sum_off_by)


def png(before: bytes = b"", after: bytes = b"") -> bytes:
    """A PNG with chunks before and behind its pixels."""
    data = encoded(PICTURE, "PNG")
    return data[:33] + before + data[33:-12] + after + data[-12:]


def segment(marker: int, content: bytes, length: int | None = None) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2 if length is None else length) + content


LONG = bytes(2_000_000)

SIDE_CHUNKS = {
    "long packed text": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(LONG)),
    "long text": chunk(b"tEXt", b"Comment\0" + b"x" * 2_000_000),
    "long profile": chunk(b"iCCP", b"profile\0\0" + zlib.compress(LONG)),
    "long XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(LONG)),
    "text of a wrong sum": chunk(b"tEXt", b"Comment\0hello", 1),
    "profile of a wrong sum": chunk(b"iCCP", b"profile\0\0" + zlib.compress(b"x"), 1),
    "time of a wrong sum": chunk(b"tIME", bytes(7), 1),
    "gamma cut": chunk(b"gAMA", b"\0"),
    "size cut": chunk(b"pHYs", b"\0\0"),
    "unknown": chunk(b"vpAg", b"anything", 1),
    "packed text that isn't": chunk(b"zTXt", b"Comment\0\0rubbish"),
}


@pytest.mark.parametrize("name", SIDE_CHUNKS)
@pytest.mark.parametrize("where", ["before", "after"])
def test_chunks_beside_the_pixels_of_a_png(where: str, name: str) -> None:
    data = png(**{where: SIDE_CHUNKS[name]})
    result = decoded(data)
    assert distance(result.pixels, PICTURE) == 0
    assert result.remark is None
    assert preview(io.BytesIO(data))
    assert decode_header(io.BytesIO(data)).width == 96


def test_the_sound_facts_of_a_png_with_a_broken_chunk_stay() -> None:
    exif = chunk(b"eXIf", oriented(6).removeprefix(b"Exif\0\0"))
    assert decoded(png(SIDE_CHUNKS["text of a wrong sum"] + exif)).facts.orientation == 6


@pytest.mark.parametrize(
    "rubbish",
    [
        segment(0xE1, b"Exif\0\0rubbish"), segment(0xE2, b"ICC_PROFILE\0\1\5" + bytes(40)), segment(0xFE, b"x", 60_000),
        segment(0xE5, b"", 1), b"\0\0rubbish", b"\xff\x05rubbish", b"\xff\xff\xff",
    ],
    ids=["EXIF", "profile", "comment too long", "segment too short", "bytes", "unknown marker", "fill"],
)  # fmt: skip
def test_segments_beside_the_pixels_of_a_jpeg(rubbish: bytes) -> None:
    whole = encoded(PICTURE, "JPEG", quality=95)
    result = decoded(whole[:20] + rubbish + whole[20:])
    np.testing.assert_array_equal(result.pixels, decoded(whole).pixels)
    assert result.remark is None


@pytest.mark.parametrize("tail", [b"", b"\xff", END + b"more behind it"])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_last_marker_is_whole(progressive: bool, mode: str, tail: bytes) -> None:
    whole = encoded(PICTURE.convert(mode), "JPEG", progressive=progressive)
    result = decoded(whole[:-2] + tail)
    np.testing.assert_array_equal(result.pixels, decoded(whole).pixels)
    assert result.remark is None


def test_a_progressive_jpeg_cut_between_two_scans_is_not_whole() -> None:
    whole = encoded(PICTURE, "JPEG", progressive=True)
    last = whole.rfind(b"\xff\xda")
    table = whole.rfind(b"\xff\xc4", 0, last)
    assert "cut short" in reason(whole[: table if whole[table - 2 : table] != END else last])


def damaged_scan(share: float, end: bytes = END) -> bytes:
    """A JPEG of which only so much of the scan is there."""
    whole = encoded(photo(640, 480), "JPEG", quality=90)
    start = whole.find(b"\xff\xda")
    return whole[: start + round((len(whole) - start) * share)].rstrip(b"\xff") + end


def test_a_scan_that_ends_early_is_shown_and_told() -> None:
    result = decoded(damaged_scan(0.6))
    assert result.remark is not None
    assert result.remark.startswith("the picture ends early: the lower ")
    told = int(result.remark.split()[-4]) / 100
    grey = (result.pixels == 128).all(axis=(1, 2)).mean()
    assert abs(told - grey) < 0.01
    assert 0.2 < grey < 0.6


def test_the_remark_names_the_side_as_it_is_shown() -> None:
    whole = damaged_scan(0.6)
    exif = segment(0xE1, oriented(6))
    result = decoded(whole[:2] + exif + whole[2:])
    assert result.remark is not None
    assert "the left " in result.remark
    assert (result.pixels[:, 2] == 128).all()


@pytest.mark.parametrize(("share", "is_shown"), [(0.6, True), (0.01, False)])
def test_a_scan_that_a_broken_segment_ends_is_shown_if_there_is_something_to_see(share: float, is_shown: bool) -> None:
    # A segment in the scan that is shorter than a segment can be: libjpeg ends with an error and not with a warning.
    data = damaged_scan(share, b"\xff\xdb\x00\x01" + bytes(40) + END)
    if is_shown:
        result = decoded(data)
        assert result.remark is not None
        assert "grey" in result.remark
    else:
        assert "damaged" in reason(data)


def test_damage_amid_a_scan_is_told() -> None:
    whole = encoded(photo(640, 480), "JPEG", quality=90, restart_marker_rows=1)
    middle = len(whole) // 2
    result = decoded(whole[:middle] + bytes(3000) + whole[middle + 3000 :])
    assert result.remark == "part of the picture data is damaged"


def test_padding_behind_a_scan_is_no_damage() -> None:
    whole = encoded(PICTURE, "JPEG")
    assert decoded(whole[:-2] + bytes(4000) + END).remark is None
    assert decoded(whole[:-2] + b"few bytes" + END).remark is None


def jpeg_with_frame(marker: int, bits: int = 8) -> bytes:
    whole = encoded(PICTURE, "JPEG")
    place = whole.find(b"\xff\xc0")
    return whole[: place + 1] + bytes((marker,)) + whole[place + 2 : place + 4] + bytes((bits,)) + whole[place + 5 :]


def webp_of_another_kind() -> bytes:
    return b"RIFF\x1a\0\0\0WEBPVP8X" + struct.pack("<I", 10) + bytes(10) + bytes(4)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (jpeg_with_frame(0xC1, 12), "not supported by Sightline: a 12-bit JPEG"),
        (jpeg_with_frame(0xC3), "not supported by Sightline: a lossless JPEG"),
        (
            b"\xff\xd8" + segment(0xF7, bytes(9)) + segment(0xDA, bytes(9)) + bytes(99),
            "not supported by Sightline: a JPEG-LS file",
        ),
        (encoded(photo(320, 240), "PNG")[:9000], "the file is cut short"),
        (encoded(photo(320, 240), "JPEG")[:4000], "the file is cut short"),
        (encoded(photo(320, 240), "WEBP")[:4000], "the file is cut short"),
        (encoded(photo(320, 240), "AVIF")[:2000], "the file is cut short"),
        (encoded(photo(320, 240), "HEIF")[:2000], "the file is cut short"),
        (encoded(photo(320, 240), "JPEG2000")[:9000], "the file is cut short"),
        (encoded(photo(320, 240), "GIF")[:9000].replace(b";", b":"), "the file is cut short"),
        (encoded(photo(320, 240), "BMP")[:9000], "the file is cut short"),
        (encoded(PICTURE, "PNG").replace(b"IDATx", b"IDATz"), "damaged"),
        (b"", "the file is empty"),
        (b"hello", "not a picture format"),
    ],
)
def test_reasons_are_true(data: bytes, words: str) -> None:
    assert words in reason(data)


# Transparency


def drawn(colour: tuple[int, int, int], opacity: int = 255) -> Image.Image:
    """A disc on nothing."""
    across, down = np.mgrid[-1:1:64j, -1:1:64j]
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[across**2 + down**2 < 0.5] = (*colour, opacity)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF"])
def test_white_on_transparency_can_be_seen(kind: str, mode: str) -> None:
    image = drawn((255, 255, 255))
    if mode == "LA" and kind in ("PNG", "TIFF"):
        image = image.convert("LA")
    elif mode == "P" and kind == "PNG":
        image = image.quantize(8)
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(image, kind, **options)
    for shown in (
        decoded(data).pixels,
        np.asarray(Image.open(io.BytesIO(decoded(data).thumbnail or b""))),
        np.asarray(Image.open(io.BytesIO(preview(io.BytesIO(data))))),
    ):
        assert shown[32, 32].min() > 240
        assert shown[1, 1].max() < 100


@pytest.mark.parametrize("colour", [(0, 0, 0), (200, 30, 30), (255, 255, 0), (128, 128, 128)])
def test_what_can_be_seen_on_white_stays_on_white(colour: tuple[int, int, int]) -> None:
    assert (decoded(encoded(drawn(colour), "PNG")).pixels[1, 1] == 255).all()


def test_a_transparency_longer_than_the_palette_is_not_valid() -> None:
    image = PICTURE.quantize(16)
    data = encoded(image, "PNG")
    place = data.find(b"IDAT") - 4
    entries = int.from_bytes(data[data.find(b"PLTE") - 4 : data.find(b"PLTE")], "big") // 3
    longer = data[:place] + chunk(b"tRNS", bytes(entries + 1)) + data[place:]
    assert distance(decoded(longer).pixels, image.convert("RGB")) == 0


@pytest.mark.parametrize("depth", [2, 4, 8, 16])
def test_the_key_colour_of_a_grey_png_is_in_its_own_bits(depth: int) -> None:
    levels = np.arange(4, dtype=np.uint16)[None].repeat(4, 0)
    bits = (levels[..., None] >> np.arange(depth - 1, -1, -1)) & 1
    rows = b"".join(b"\0" + np.packbits(row.ravel().astype(np.uint8)).tobytes() for row in bits)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, depth, 0, 0, 0, 0))
    data += chunk(b"tRNS", struct.pack(">H", 1)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    pixels = decoded(data).pixels
    assert (pixels[:, 1] == 255).all()
    assert (pixels[:, 0] == 0).all()


def test_the_key_colour_of_16_bits_a_channel() -> None:
    values = np.zeros((4, 4, 3), ">u2")
    values[:, 2:] = (0x8123, 0x4567, 0x2233)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0))
    data += chunk(b"tRNS", struct.pack(">HHH", 0x8123, 0x4567, 0x2233))
    data += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    pixels = decoded(data).pixels
    assert (pixels[:, 2:] == 255).all()
    assert (pixels[:, :2] == 0).all()


def test_a_gif_frame_smaller_than_its_canvas() -> None:
    frame = Image.new("P", (20, 20), 1)
    frame.putpalette([255, 0, 0, 0, 0, 255] + [0] * 762)
    data = bytearray(encoded(frame, "GIF", background=0))
    data[6:10] = struct.pack("<HH", 40, 40)
    pixels = decoded(bytes(data)).pixels
    assert pixels.shape == (40, 40, 3)
    assert (pixels[30, 30] == 255).all()
    assert tuple(pixels[10, 10]) == (0, 0, 255)


@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (32, (0x3FF00000, 0xFFC00, 0x3FF, 0)), (32, (0xFF, 0xFF00, 0xFF0000, 0)), (16, (0xF00, 0xF0, 0xF, 0)),
        (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
    ],
)  # fmt: skip
def test_bmps_of_any_bit_masks(bits: int, masks: tuple[int, int, int, int]) -> None:
    pixels = np.asarray(PICTURE).astype(np.uint64)
    values = np.zeros(pixels.shape[:2], np.uint64)
    for channel, mask in enumerate(masks[:3]):
        shift = (mask & -mask).bit_length() - 1
        values |= np.rint(pixels[..., channel] * ((mask >> shift) / 255)).astype(np.uint64) << np.uint64(shift)
    values |= np.uint64(masks[3])
    data = values[::-1].astype(f"<u{bits // 8}").tobytes()
    head = struct.pack("<IiiHHIIiiII4I", 56, 96, 64, 1, bits, 3, len(data), 0, 0, 0, 0, *masks)
    result = decoded(struct.pack("<2sIHHI", b"BM", 14 + 56 + len(data), 0, 0, 70) + head + data)
    assert distance(result.pixels, PICTURE) < (5 if bits == 16 else 1)


def avif_with_aperture() -> bytes:
    """An AVIF whose property box got a clean aperture of 40x20, 8 px right of the centre, in place of another."""
    data = encoded(PICTURE, "AVIF", quality=95)
    aperture = struct.pack(">I4sIIIIiIiI", 40, b"clap", 40, 1, 20, 1, 8, 1, 0, 1)
    ipco = data.find(b"ipco") - 4
    size = int.from_bytes(data[ipco : ipco + 4], "big")
    properties, place = 0, ipco + 8
    while place < ipco + size:
        properties += 1
        place += int.from_bytes(data[place : place + 4], "big")
    ipma = data.find(b"ipma") - 4
    count = data[ipma + 18]
    made = bytearray(data[: ipco + size] + aperture + data[ipco + size :])
    ipma += len(aperture)
    made[ipma + 18] = count + 1
    made[ipma + 19 + count : ipma + 19 + count] = bytes((0x80 | (properties + 1),))
    grown = len(aperture) + 1
    for name, more in ((b"ipco", len(aperture)), (b"ipma", 1), (b"iprp", grown), (b"meta", grown)):
        at = made.find(name) - 4
        made[at : at + 4] = struct.pack(">I", int.from_bytes(made[at : at + 4], "big") + more)
    iloc = made.find(b"iloc")
    for at in range(iloc, iloc + 60):  # the place of the pixels, behind all of this
        if int.from_bytes(made[at : at + 4], "big") == data.find(b"mdat") + 4:
            made[at : at + 4] = struct.pack(">I", data.find(b"mdat") + 4 + grown)
            break
    return bytes(made)


def test_the_clean_aperture_of_an_avif() -> None:
    result = decoded(avif_with_aperture())
    assert (result.facts.width, result.facts.height) == (40, 20)
    assert distance(result.pixels, PICTURE.crop((36, 22, 76, 42))) < 8


# -- WebP, AVIF, HEIC, JPEG 2000, GIF -------------------------------------------------------------------------------


def flipped(data: bytes, *places: int) -> bytes:
    made = bytearray(data)
    for place in places:
        made[place] ^= 0xFF
    return bytes(made)


def same_pixels(broken: bytes, sound: bytes) -> None:
    made = decoded(broken)
    assert np.array_equal(made.pixels, decoded(sound).pixels)
    assert made.remark is None


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 80}], ids=["lossless", "lossy"])
def test_chunks_beside_the_pixels_of_a_webp(options: dict[str, Any]) -> None:
    data = encoded(PICTURE, "WEBP", exif=oriented(6), icc_profile=b"x" * 40, xmp=b"y" * 40, **options)
    exif, pixels = data.find(b"EXIF"), data.find(b"VP8", 16)
    same_pixels(flipped(data, exif), encoded(PICTURE, "WEBP", **options))
    for places in ([exif + 4], [exif + 5], [data.find(b"ICCP") + 5], [4], [6], [16, 17], [20]):
        broken = decoded(flipped(data, *places))
        assert sorted(broken.pixels.shape[:2]) == [64, 96]
    assert decoded(flipped(data, data.find(b"ICCP"))).facts.orientation == 6
    assert "cut short" in reason(data[: pixels + 60])


def test_a_broken_exif_of_an_avif() -> None:
    data = encoded(PICTURE, "AVIF", exif=oriented(1))
    same_pixels(flipped(data, data.rfind(b"Exif") - 4), data)
    same_pixels(flipped(data, data.rfind(b"Exif")), data)


def test_boxes_beside_the_pixels_of_a_jp2() -> None:
    data = encoded(PICTURE, "JPEG2000")
    same_pixels(flipped(data, data.find(b"ftyp") - 1), data)
    same_pixels(flipped(data, data.find(b"jp2h") - 1), data)
    rubbish = b"\0\0\xff\xffxml " + bytes(50)
    same_pixels(data[:32] + rubbish + data[32:], data)


@pytest.mark.parametrize("block", [b"!\xfe\x20hello\0", b"!\xff\x40XMP Data\0", b"\x00\x01rubbish"])
def test_broken_blocks_beside_the_pixels_of_a_gif(block: bytes) -> None:
    data = encoded(PICTURE, "GIF")
    start = 13 + (3 << ((data[10] & 7) + 1))
    same_pixels(data[:start] + block + data[start:], data)


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_chunk_of_a_wrong_length_in_a_png(place: int) -> None:
    data = png(before=chunk(b"tEXt", b"Comment\0hello"))
    same_pixels(flipped(data, data.find(b"tEXt") - 4 + place), data)


def test_a_segment_without_its_marker_in_a_jpeg() -> None:
    data = encoded(PICTURE, "JPEG", exif=oriented(1), comment=b"hello")
    same_pixels(flipped(data, data.find(b"hello") - 3), data)


def test_a_heic_with_items_of_unknown_kinds() -> None:
    data = encoded(PICTURE, "HEIF", exif=oriented(1), xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    same_pixels(data.replace(b"Exif", b"Odds", 1), data)
    same_pixels(data.replace(b"application/rdf", b"application/odd", 1), data)


# -- damage that decoders pass over ---------------------------------------------------------------------------------


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8))


def test_a_png_of_wrong_pixels_is_refused_or_remarked() -> None:
    data = encoded(photo(24, 16), "PNG")
    pixels = decoded(data).pixels
    remarks = set()
    for place in range(data.find(b"IDAT") + 4, len(data) - 16):
        try:
            made = decoded(flipped(data, place))
        except DecodeError:
            continue
        remarks.add(made.remark)
        assert made.remark or np.array_equal(made.pixels, pixels)
    assert "part of the picture data is damaged" in remarks


def test_a_png_whose_pixels_have_a_wrong_checksum_and_are_right_is_not_remarked() -> None:
    data = encoded(photo(24, 16), "PNG")
    same_pixels(flipped(data, len(data) - 13), data)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "HEIF"])
def test_a_file_whose_second_half_is_zeros_is_remarked(kind: str) -> None:
    data = encoded(noise(200, 200), kind, quality=90)
    zeroed = data[: len(data) // 2] + bytes(len(data) - len(data) // 2)
    assert decoded(zeroed).remark == "the last 50 % of the file are zeros: a part of the picture may be missing"
    assert decoded(data).remark is None


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}])
def test_a_tiff_that_lost_its_directory_or_a_part_of_it_is_cut_short(options: dict[str, str], share: float) -> None:
    data = encoded(photo(96, 64), "TIFF", description="x" * 300, **options)
    assert reason(data[: round(len(data) * share)]).startswith("the file is cut short")


def test_an_icon_that_is_cut_short_says_so() -> None:
    assert reason(encoded(photo(96, 64), "ICO")[:25]).startswith("the file is cut short")


def test_zeros_are_called_zeros() -> None:
    assert reason(bytes(4096)) == "it begins with zeros where a picture has its header"


def test_beside_the_first_frame_of_an_animated_webp_nothing_is_drawn() -> None:
    frames = [Image.new("RGBA", (100, 80)), Image.new("RGBA", (100, 80), (0, 255, 0, 255))]
    frames[0].paste((0, 0, 0, 255), (30, 20, 70, 60))  # a black square, where a black canvas would hide it
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    pixels = decoded(data).pixels
    assert pixels[40, 50].tolist() == [0, 0, 0]
    assert pixels[2, 2].tolist() == [255, 255, 255]
