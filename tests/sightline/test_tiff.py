"""TIFFs that encoders seldom make and scanners, cameras and darkrooms do: the right pixels, or a true reason."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import TURNS, distance, encoded, photo
from PIL import Image
from tiffs import packed, tiff

from sightline.images.decode import Decoded, DecodeError, decode

WIDTH, HEIGHT = 48, 32
RGB = np.asarray(photo(WIDTH, HEIGHT))
GREY = np.asarray(photo(WIDTH, HEIGHT).convert("L"))
BOTTOM_UP = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def decoded(data: bytes, need: int = 224) -> Decoded:
    return decode(io.BytesIO(data), need=need)


def refused(data: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        decoded(data)
    return caught.value.reason


def deep(bits: int) -> NDArray[Any]:
    """The picture in numbers of so many bits."""
    return np.floor(RGB / 255.0 * (2.0**bits - 1)).astype(np.uint64)


def planes(values: NDArray[Any]) -> list[bytes]:
    return [np.ascontiguousarray(values[..., channel]).tobytes() for channel in range(values.shape[-1])]


def off_by(result: Decoded, expected: NDArray[Any]) -> int:
    return int(np.abs(result.pixels.astype(int) - expected.astype(int)).max())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "f2", "f4", "f8"])
@pytest.mark.parametrize("planar", [1, 2])
def test_samples_of_any_size_in_planes_or_pixels(planar: int, kind: str, order: str) -> None:
    dtype = np.dtype(order + kind)
    values = (RGB / 255.0 if dtype.kind == "f" else deep(8 * dtype.itemsize)).astype(dtype)
    parts = planes(values) if planar == 2 else [values.tobytes()]
    data = tiff(
        parts, WIDTH, HEIGHT, order=order, t258=[8 * dtype.itemsize] * 3, t259=1, t262=2, t277=3, t284=planar,
        t339=[3 if dtype.kind == "f" else 1] * 3,
    )  # fmt: skip
    assert off_by(decoded(data), RGB) <= 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", [1, 2])
def test_colours_of_12_bits_stored_in_16_are_not_nearly_black(planar: int, order: str) -> None:
    values = deep(12).astype(f"{order}u2")
    values[0, 0], values[0, 1] = 0, 4095
    parts = planes(values) if planar == 2 else [values.tobytes()]
    data = tiff(parts, WIDTH, HEIGHT, order=order, t258=[16] * 3, t259=1, t262=2, t277=3, t284=planar)
    expected = RGB.copy()
    expected[0, 0], expected[0, 1] = 0, 255
    assert off_by(decoded(data), expected) <= 1


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 10, 12, 14])
@pytest.mark.parametrize("photometric", [0, 1, 2])
def test_samples_packed_to_the_bit(photometric: int, bits: int) -> None:
    values = deep(bits) if photometric == 2 else deep(bits)[..., 0]
    expected = np.rint(values * (255 / (2**bits - 1)))
    stored = 2**bits - 1 - values if photometric == 0 else values
    samples = 3 if photometric == 2 else 1
    data = tiff([packed(stored, bits)], WIDTH, HEIGHT, t258=[bits] * samples, t259=1, t262=photometric, t277=samples)
    assert off_by(decoded(data), expected if samples == 3 else expected[..., None].repeat(3, -1)) <= 1


@pytest.mark.parametrize("scale", [1, 256, 257])
@pytest.mark.parametrize("bits", [4, 8])
def test_colour_maps_of_8_and_of_16_bits(bits: int, scale: int) -> None:
    palette = photo(WIDTH, HEIGHT).quantize(2**bits)
    entries = np.zeros((2**bits, 3), int)
    known = np.array(palette.getpalette()).reshape(-1, 3)
    entries[: len(known)] = known
    indices = np.asarray(palette)
    data = tiff(
        [packed(indices, bits)],
        WIDTH,
        HEIGHT,
        t258=bits,
        t259=1,
        t262=3,
        t277=1,
        t320=(entries * scale).T.ravel().tolist(),
    )
    assert off_by(decoded(data), entries[indices]) == 0


@pytest.mark.parametrize("kind", [1, 3, 4])
def test_an_orientation_of_any_type_turns(kind: int) -> None:
    stored = np.asarray(photo(WIDTH, HEIGHT).transpose(TURNS[6]))
    data = tiff(
        [stored.tobytes()], HEIGHT, WIDTH, types={274: kind}, t258=[8] * 3, t259=1, t262=2, t274=6, t277=3
    )  # fmt: skip
    result = decoded(data)
    assert off_by(result, RGB) == 0
    assert (result.facts.width, result.facts.height, result.facts.orientation) == (WIDTH, HEIGHT, 6)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma"])
def test_every_compression_reaches_the_samples(compression: str) -> None:
    """Pillow writes grey rows; the same bytes are the floats of three channels."""
    values = (RGB / 255.0).astype("<f4")
    rows = np.frombuffer(values.tobytes(), np.uint8).reshape(HEIGHT, -1)
    with Image.open(io.BytesIO(encoded(Image.fromarray(rows), "TIFF", compression=compression))) as image:
        tags = image.tag_v2  # type: ignore[attr-defined]
        assert image.fp is not None
        parts = []
        for offset, count in zip(tags[273], tags[279], strict=True):
            image.fp.seek(offset)
            parts.append(image.fp.read(count))
    data = tiff(
        parts, WIDTH, HEIGHT, t258=[32] * 3, t259=tags[259], t262=2, t277=3, t278=tags[278], t339=[3] * 3
    )  # fmt: skip
    assert off_by(decoded(data), RGB) <= 1


@pytest.mark.parametrize("kind", ["u1", "u2", "u4"])
def test_differences_of_integers(kind: str) -> None:
    values = deep(8 * np.dtype(kind).itemsize).astype("<" + kind)
    differences = np.diff(values, axis=1, prepend=np.zeros_like(values[:, :1]))
    data = tiff(
        [zlib.compress(differences.tobytes())], WIDTH, HEIGHT, t258=[values.itemsize * 8] * 3, t259=8, t262=2, t277=3,
        t317=2,
    )  # fmt: skip
    assert off_by(decoded(data), RGB) <= 1


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_differences_of_floats(kind: str) -> None:
    values = (RGB / 255.0).astype(">" + kind)
    size = values.itemsize
    lanes = np.frombuffer(values.tobytes(), np.uint8).reshape(HEIGHT, WIDTH * 3, size).transpose(0, 2, 1)
    lanes = lanes.reshape(HEIGHT, -1, 3)
    differences = np.diff(lanes, axis=1, prepend=np.zeros_like(lanes[:, :1]))
    data = tiff(
        [zlib.compress(differences.tobytes())], WIDTH, HEIGHT, t258=[8 * size] * 3, t259=8, t262=2, t277=3, t317=3,
        t339=[3] * 3,
    )  # fmt: skip
    assert off_by(decoded(data), RGB) <= 1


@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("bits", [8, 16])
def test_ink_and_transparency_in_planes(bits: int, planar: int) -> None:
    most = 2**bits - 1
    ink = np.dstack([255 - RGB, np.zeros((HEIGHT, WIDTH), np.uint8)]) / 255 * most
    clear = np.dstack([RGB, np.where(np.arange(WIDTH) < 24, 255, 0)[None].repeat(HEIGHT, 0)]) / 255 * most
    for values, photometric, extra in ((ink, 5, [0]), (clear, 2, [2])):
        stored = np.rint(values).astype(f"<u{bits // 8}")
        parts = planes(stored) if planar == 2 else [stored.tobytes()]
        data = tiff(
            parts, WIDTH, HEIGHT, t258=[bits] * 4, t259=1, t262=photometric, t277=4, t284=planar, t338=extra
        )  # fmt: skip
        result = decoded(data)
        assert off_by(result, RGB) <= 2 if photometric == 5 else (result.pixels[:, 24:] == 255).all()
        assert np.abs(result.pixels[:, :24].astype(int) - RGB[:, :24]).max() <= 2


def test_ycbcr_with_chroma_of_half_the_size() -> None:
    blocks = np.asarray(photo(WIDTH, HEIGHT).convert("YCbCr")).reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3)
    luma = blocks[..., 0].transpose(0, 2, 1, 3).reshape(HEIGHT // 2, WIDTH // 2, 4)
    chroma = np.rint(blocks[..., 1:].mean(axis=(1, 3)))
    stored = np.concatenate([luma, chroma], axis=-1).astype(np.uint8)
    data = tiff([stored.tobytes()], WIDTH, HEIGHT, t258=[8] * 3, t259=1, t262=6, t277=3, t530=[2, 2])
    shown = Image.fromarray(decoded(data).pixels).convert("L")
    assert distance(np.asarray(shown), photo(WIDTH, HEIGHT).convert("L")) < 4


@pytest.mark.parametrize("order", ["<", ">"])
def test_bigtiff(order: str) -> None:
    data = tiff([RGB.tobytes()], WIDTH, HEIGHT, order=order, big=True, t258=[8] * 3, t259=1, t262=2, t277=3)
    result = decoded(data)
    assert off_by(result, RGB) == 0
    assert result.facts.format == "TIFF"


def test_bits_in_reverse() -> None:
    stored = packed(deep(4)[..., 0], 4).translate(BOTTOM_UP)
    data = tiff([stored], WIDTH, HEIGHT, t258=4, t259=1, t262=1, t266=2, t277=1)
    assert off_by(decoded(data), (deep(4)[..., :1] * 17).repeat(3, -1)) <= 1


def test_a_reduced_copy_that_comes_first_is_passed_over() -> None:
    small, large = photo(WIDTH // 2, HEIGHT // 2), photo(WIDTH, HEIGHT)
    both = encoded(small, "TIFF", save_all=True, append_images=[large], tiffinfo={254: 1})
    entry = struct.pack("<HHII", 254, 4, 1, 1)
    assert both.count(entry) == 2
    place = both.rfind(entry)  # that of the second page says that it is none
    data = both[:place] + struct.pack("<HHII", 254, 4, 1, 0) + both[place + len(entry) :]
    assert off_by(decoded(data), np.asarray(large)) == 0
    assert off_by(decoded(both), np.asarray(small)) == 0


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"t258": [8] * 3, "t262": 2, "t259": 34712}, "compressed by JPEG 2000"),
        ({"t258": [64] * 3, "t262": 2, "t259": 1, "t339": [6] * 3}, "64-bit complex numbers"),
        ({"t258": [8] * 3, "t262": 5, "t259": 1, "t332": 2}, "other inks than CMYK"),
        ({"t258": [8] * 2, "t262": 1, "t259": 7, "t277": 2, "t284": 2}, "compressed by JPEG with 2 samples"),
    ],
)
def test_what_is_not_supported_is_not_called_damaged(tags: dict[str, Any], words: str) -> None:
    data = tiff([bytes(WIDTH * HEIGHT * 24)], WIDTH, HEIGHT, **{"t277": 3, **tags})
    reason = refused(data)
    assert reason.startswith("not supported by Sightline: ")
    assert words in reason


@pytest.mark.parametrize("compression", [1, 8])
def test_half_a_tiff_is_cut_short(compression: int) -> None:
    values = (np.random.default_rng(3).random((HEIGHT, WIDTH, 3))).astype("<f4").tobytes()
    part = zlib.compress(values) if compression == 8 else values
    data = tiff([part], WIDTH, HEIGHT, t258=[32] * 3, t259=compression, t262=2, t277=3, t339=[3] * 3)
    place = data.find(part)
    moved = data[:place] + part[:100] + data[place + len(part) :]
    assert "cut short" in refused(moved) or "damaged" in refused(moved)


def fax() -> bytes:
    lines = np.asarray(photo(320, 240).convert("L")) > 128
    return encoded(Image.fromarray(lines), "TIFF", compression="group4")


def test_damaged_fax_data_are_remarked() -> None:
    sound = fax()
    with Image.open(io.BytesIO(sound)) as image:
        start = image.tag_v2[273][0]  # type: ignore[attr-defined]
    damaged = sound[: start + 600] + bytes(40) + sound[start + 640 :]
    assert decoded(sound).remark is None
    try:
        result = decoded(damaged)
    except DecodeError as error:
        assert "damaged" in error.reason
    else:
        assert result.remark == "part of the picture data is damaged"


def test_libtiff_writes_nothing_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    data = tiff([bytes(WIDTH * HEIGHT)], WIDTH, HEIGHT, t258=[8] * 3, t259=50001, t262=2, t277=3)
    reason = refused(data)
    assert reason
    assert "decoder error" not in reason
    assert capfd.readouterr().err == ""


AT_ONCE = """
import io, os, sys, threading
from PIL import Image
from sightline.images.libtiff_messages import caught

made = io.BytesIO()
Image.effect_noise((64, 64), 50).save(made, "TIFF", compression="tiff_lzw")
data = bytearray(made.getvalue())
data[200:260] = bytes(60)
sys.setswitchinterval(1e-6)

def read():
    start.wait()
    for _ in range(3):
        with caught():
            try:
                Image.open(io.BytesIO(bytes(data))).load()
            except OSError:
                pass

for _ in range(100):
    child = os.fork()
    if not child:
        start = threading.Barrier(8)
        threads = [threading.Thread(target=read) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit("a reader crashed")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each try needs a process that has read no TIFF")
def test_many_threads_may_read_their_first_tiff_at_once() -> None:
    subprocess.run([sys.executable, "-c", AT_ONCE], check=True, capture_output=True)
