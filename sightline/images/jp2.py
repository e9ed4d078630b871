"""JPEG 2000 of other depths than 8 bits, and kinds of it that Pillow misreads.

Pillow rounds deeper samples up to one more level than there is: white turns into black. Shallower ones it shifts, so
that white is grey. Format: ITU-T T.800, annexes A (codestream) and I (boxes).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
from PIL import Image, ImageFile, Jpeg2KImagePlugin

from sightline.images.errors import NotSupportedError
from sightline.images.iso_boxes import boxes
from sightline.images.whole_files import rest_of

_SIGNATURE: Final = b"\0\0\0\x0cjP  \r\n\x87\n"
_START: Final = b"\xff\x4f\xff\x51"  # SOC and SIZ, which follows it
BEGINNINGS: Final = (_START, _SIGNATURE)
_COD, _COC, _SOT = 0x52, 0x53, 0x90
_REVERSIBLE: Final = 1
_COMPONENTS: Final = 42  # where their depths are, from SOC on
_DEEPEST: Final = 16
_MOST_BITS: Final = 38  # that a component may have
_MOST_HEADER: Final = 2**20
_YCC: Final = 18  # EnumCS of sYCC, which Pillow converts
_OTHER_COLOURS: Final = {
    1: "YCbCr", 3: "YCbCr", 4: "YCbCr", 9: "PhotoYCC", 11: "CMY", 13: "YCCK", 14: "CIELab", 19: "CIEJab",
    20: "e-sRGB", 22: "YPbPr", 23: "YPbPr", 24: "e-sYCC",
}  # fmt: skip
_OF_PIXELS: Final = frozenset({b"ihdr", b"bpcc", b"colr", b"pclr", b"cmap", b"cdef"})


class _Codestream(NamedTuple):
    """What the header of a codestream says.

    `start` is its place in the file, `depths` are bits of each component, and `kinds` the wavelets: 1 for the
    reversible one, 0 for the other. `is_subsampled`: components of different sizes.
    """

    start: int
    depths: tuple[int, ...]
    kinds: frozenset[int]
    is_subsampled: bool


def open_jp2(source: BinaryIO, filename: str = "") -> ImageFile.ImageFile:
    """Open a JPEG 2000 file or codestream; raises what Pillow does, and NotSupportedError."""
    source.seek(0)
    head = source.read(_MOST_HEADER)
    found = _codestream(head)
    header = _header(head)
    if found is not None and len(found.depths) > 4:
        raise NotSupportedError(f"a JPEG 2000 file of {len(found.depths)} components")
    colours = next((content for kind, content in header if kind == b"colr"), b"")
    enumerated = int.from_bytes(colours[3:7], "big") if colours[:1] == b"\1" else None
    if enumerated in _OTHER_COLOURS:
        raise NotSupportedError(f"a JPEG 2000 file of {_OTHER_COLOURS[enumerated]} colours")
    source.seek(0)
    if found is None or all(depth == 8 for depth in found.depths):
        image = Jpeg2KImagePlugin.Jpeg2KImageFile(source, filename)
    elif found.kinds == {0} and (len(found.depths) > 1 or found.depths[0] < 8):
        # The steps of this wavelet are fractions of the whole range: the decoder scales to any depth.
        image = Jpeg2KImagePlugin.Jpeg2KImageFile(_of_depth(source, found, lambda _: 8), filename)
    elif found.depths[0] <= _DEEPEST and len(found.depths) == 1 and found.depths[0] > 8:
        image = Jpeg2KImagePlugin.Jpeg2KImageFile(source, filename)  # of 16 bits
    elif max(found.depths) > _DEEPEST or found.kinds != {_REVERSIBLE} or found.is_subsampled or enumerated == _YCC:
        depths = ", ".join(map(str, sorted(set(found.depths))))
        raise NotSupportedError(f"a JPEG 2000 file of {depths} bits a channel, packed in this way")
    else:
        image = _ReversibleJp2(source, filename)
        image.found = found
    if any(kind == b"pclr" for kind, _ in header) and image.mode not in ("P", "PA"):
        raise NotSupportedError("a JPEG 2000 file of such a palette")
    return image


class _ReversibleJp2(Jpeg2KImagePlugin.Jpeg2KImageFile):
    """A picture of whole numbers of other depths than 8 bits, by component."""

    found: _Codestream

    def load(self) -> Any:
        """Decode, a second time where the brightest values must be told from the darkest."""
        if not self.tile:
            return super().load()
        assert self.fp is not None
        higher: Image.Image | None = None
        if max(self.found.depths) > 8:
            # As if of one more bit: values from a quarter to three quarters of its range, which never overflow.
            higher = Jpeg2KImagePlugin.Jpeg2KImageFile(_of_depth(self.fp, self.found, lambda depth: depth + 1), "")
            higher.load()
        super().load()
        is_palette = self.mode in ("P", "PA")
        for place, depth in enumerate(self.found.depths):
            if depth < 8:
                most, shift = (1 << depth) - 1, 8 - depth
                whole = 1 if is_palette and place == 0 else 255 / most
                band = self.getchannel(place).point([round((each >> shift) * whole) for each in range(256)])
            elif depth > 8:
                assert higher is not None
                values = np.array(self.getchannel(place))
                values[(values == 0) & (np.asarray(higher.getchannel(place)) >= 128)] = 255
                band = Image.fromarray(values)
            else:
                continue
            self.im.putband(band.im, place)
        return Image.Image.load(self)


def without_rest(data: bytes) -> bytes | None:
    """The file with its codestream and what tells of its colours; None where it has no codestream."""
    start = data.find(_START)
    if start < 0:
        return None
    header = b"".join(_box(kind, content) for kind, content in _header(data) if kind in _OF_PIXELS)
    if b"ihdr" not in header:
        return data[start:]
    return _SIGNATURE + _box(b"ftyp", b"jp2 \0\0\0\0jp2 ") + _box(b"jp2h", header) + _box(b"jp2c", data[start:])


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _header(data: bytes) -> list[tuple[bytes, bytes]]:
    """The boxes in the header of a file; none of a bare codestream."""
    place = data.find(b"jp2h", 0, max(0, data.find(_START)))
    if place < 4 or data.startswith(_START):
        return []
    return list(boxes(data[place + 4 : place - 4 + int.from_bytes(data[place - 4 : place], "big")]))


def _codestream(data: bytes) -> _Codestream | None:
    """What the first codestream says of itself; None where its header is not whole."""
    start = data.find(_START)
    if start < 0:
        return None
    siz = data[start + _COMPONENTS :]
    count = int.from_bytes(data[start + _COMPONENTS - 2 : start + _COMPONENTS], "big")
    if not 0 < count <= len(siz) // 3:
        return None
    depths = tuple((each & 0x7F) + 1 for each in siz[: 3 * count : 3])
    if max(depths) > _MOST_BITS:
        return None
    kinds = frozenset(content[at] for content, at in _coding(data[start:], count) if at < len(content))
    steps = set(zip(siz[1 : 3 * count : 3], siz[2 : 3 * count : 3], strict=True))
    return _Codestream(start, depths, kinds, is_subsampled=len(steps) > 1)


def _coding(data: bytes, components: int) -> Iterator[tuple[bytes, int]]:
    """Marker segments of the main header that say of the wavelet, and where."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != _SOT:
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        content = data[place + 2 : place + 2 + length]
        if data[place + 1] == _COD:
            yield content, 11
        elif data[place + 1] == _COC:
            yield content, 8 if components < 257 else 9
        place += 2 + max(length, 2)


def _of_depth(source: Any, found: _Codestream, depth_of: Callable[[int], int]) -> io.BytesIO:
    """The file as if its components had other depths."""
    source.seek(0)
    data = bytearray(rest_of(source))
    for place, depth in enumerate(found.depths):
        at = found.start + _COMPONENTS + 3 * place
        data[at] = (data[at] & 0x80) | (depth_of(depth) - 1)
    return io.BytesIO(bytes(data))
