"""JPEG 2000 of any depth is shown with its own black and white, or refused with its kind."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sightline.images.decode import Decoded, DecodeError, decode

WIDTH, HEIGHT = 48, 32
RAMP = np.linspace(0, 1, WIDTH)[None].repeat(HEIGHT, 0)


def decoded(data: bytes) -> Decoded:
    return decode(io.BytesIO(data), need=224)


def codestream(channels: list[NDArray[np.float64]], depth: int, **options: Any) -> bytes:
    """Channels of 0 to 1 as components of `depth` bits; each packet is a component, of one resolution."""
    packets, head = [], b""
    for channel in channels:
        # Samples of 16 bits, which are all that Pillow writes, so that `depth` bits come out of them.
        values = np.rint(channel * ((1 << depth) - 1)) + 2**15 - 2 ** (depth - 1)
        made = io.BytesIO()
        picture = Image.fromarray(values.astype(np.uint16))
        picture.save(made, "JPEG2000", no_jp2=True, num_resolutions=1, **options)
        head, _, rest = made.getvalue().partition(b"\xff\x90")
        packets.append(rest.partition(b"\xff\x93")[2].removesuffix(b"\xff\xd9"))
    size = struct.pack(">HH", 38 + 3 * len(channels), 0) + head[8:40] + struct.pack(">H", len(channels))
    after = 4 + int.from_bytes(head[4:6], "big")
    body = b"".join(packets)
    tile = struct.pack(">HHHIBB", 0xFF90, 10, 0, 14 + len(body), 0, 1) + b"\xff\x93" + body
    return head[:4] + size + bytes([depth - 1, 1, 1]) * len(channels) + head[after:] + tile + b"\xff\xd9"


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def in_file(stream: bytes, components: int, depth: int, colours: int = 16, more: bytes = b"") -> bytes:
    header = box(b"ihdr", struct.pack(">IIHBBBB", HEIGHT, WIDTH, components, depth - 1, 7, 0, 0))
    header += box(b"colr", struct.pack(">BBBI", 1, 0, 0, colours)) + more
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + box(b"jp2h", header) + box(b"jp2c", stream)


@pytest.mark.parametrize(("depth", "irreversible"), [*((depth, False) for depth in (2, 4, 8, 10, 12, 16)), (16, True)])
@pytest.mark.parametrize("boxed", [False, True])
def test_colours_of_any_depth(depth: int, irreversible: bool, boxed: bool) -> None:
    white = np.ones_like(RAMP)
    data = codestream([RAMP, RAMP[:, ::-1], white], depth, irreversible=irreversible)
    pixels = decoded(in_file(data, 3, depth) if boxed else data).pixels.astype(int)
    levels = np.rint(RAMP * ((1 << depth) - 1)) / ((1 << depth) - 1) * 255
    expected = np.stack([levels, levels[:, ::-1], white * 255], axis=-1)
    assert np.abs(pixels - expected).max() < 2


@pytest.mark.parametrize("depth", [1, 4, 8, 12, 16])
def test_grey_of_any_depth(depth: int) -> None:
    pixels = decoded(codestream([RAMP], depth)).pixels
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[0, -1].tolist() == [255, 255, 255]


@pytest.mark.parametrize("depth", [1, 4, 10, 16])
def test_what_is_opaque_stays_so(depth: int) -> None:
    opaque = np.ones_like(RAMP)
    pixels = decoded(codestream([RAMP, 1 - RAMP, 0 * RAMP, opaque], depth)).pixels
    assert pixels[0, 0].tolist() == [0, 255, 0]
    assert decoded(codestream([RAMP, opaque], depth)).pixels[0, 0].tolist() == [0, 0, 0]


def test_a_palette_of_few_colours_is_looked_up_by_its_own_numbers() -> None:
    colours = np.array([[200, 0, 0], [0, 200, 0], [0, 0, 200], [9, 9, 9]], np.uint8)
    palette = box(b"pclr", struct.pack(">HB", 4, 3) + bytes([7, 7, 7]) + colours.tobytes())
    mapping = box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, column) for column in range(3)))
    pixels = decoded(in_file(codestream([RAMP], 2), 1, 2, 16, palette + mapping)).pixels
    assert np.array_equal(pixels[0], colours[np.rint(RAMP[0] * 3).astype(int)])


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (in_file(codestream([RAMP] * 3, 8), 3, 8, colours=14), "CIELab"),
        (in_file(codestream([RAMP] * 3, 12), 3, 12, colours=18), "12 bits"),
        (codestream([RAMP] * 5, 8), "5 components"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused_by_its_kind(data: bytes, kind: str) -> None:
    with pytest.raises(DecodeError, match=f"^not supported by Sightline: .*{kind}"):
        decoded(data)
