"""Photoshop documents, PSD and PSB: the flattened picture that programs save beside the layers.

Pillow reads PSD of 8 bits only, no PSB, and takes a saved selection for transparency. Format: Adobe Photoshop File
Formats Specification (2019). Layers are passed over, never read.
"""

from __future__ import annotations

import io
import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImagePalette

from sightline.images.errors import DecodeError

# Colour modes: bitmap, grey, indexed, RGB, CMYK, multichannel, duotone (shown grey), Lab. Mode of Pillow, and channels.
_MODES: Final = {0: ("1", 1), 1: ("L", 1), 2: ("P", 1), 3: ("RGB", 3), 4: ("CMYK", 4), 8: ("L", 1), 9: ("LAB", 3)}
_INDEXED: Final = 2
_MOST_CHANNELS: Final = 56
_ICC, _EXIF, _XMP, _VERSION, _IPTC = 1039, 1058, 1060, 1057, 1028
_ALPHA_NAMES, _ALPHA_IDS = 1006, 1053
_WANTED: Final = frozenset({_ICC, _EXIF, _XMP, _VERSION, _IPTC, _ALPHA_IDS, _ALPHA_NAMES})
_LONGEST_RESOURCE: Final = 16 * 2**20
_RAW, _RLE = 0, 1


def accept(prefix: bytes) -> bool:
    """Whether a file begins like a PSD or PSB file."""
    return prefix.startswith((b"8BPS\0\1", b"8BPS\0\2"))


class PsdImageFile(ImageFile.ImageFile):
    """The flattened picture as 8 bits a channel; transparent where the document is."""

    format = "PSD"
    format_description = "Adobe Photoshop"

    def _open(self) -> None:
        read = self._read
        self._large, self._channels, height, width, self._bits, kind = struct.unpack(">4xH6xHIIHH", read(26))
        self._large -= 1
        if not (0 < self._channels <= _MOST_CHANNELS and width and height and self._bits in (1, 8, 16, 32)):
            raise SyntaxError(f"{width}x{height} pixels, {self._channels} channels of {self._bits} bits")
        if kind not in _MODES or self._bits not in ((1,) if kind == 0 else (8, 16, 32)):
            raise DecodeError(
                "open", f"a PSD of colour mode {kind}, {self._bits} bits a channel is not read by Sightline"
            )
        self._mode, self._colours = _MODES[kind]
        if self._channels < self._colours:
            raise SyntaxError(f"{self._channels} channels, where its colours take {self._colours}")
        self._size = (width, height)
        palette = read(self._length())
        if kind == _INDEXED and len(palette) >= 768:
            self.palette = ImagePalette.raw("RGB;L", palette[:768])
        named = self._resources(self._length())
        self._over_white = self._layers()
        if (self._over_white or not named) and self._mode in ("RGB", "L") and self._channels > self._colours:
            self._mode, self._colours = {"RGB": ("RGBA", 4), "L": ("LA", 2)}[self._mode]
        (self._compression,) = struct.unpack(">H", read(2))
        assert self.fp is not None
        self._start = self.fp.tell()

    def _read(self, length: int) -> bytes:
        assert self.fp is not None
        data = self.fp.read(length)
        if len(data) < length:
            raise OSError("image file is truncated")
        return data

    def _length(self, wide: bool = False) -> int:
        return int.from_bytes(self._read(8 if wide else 4), "big")

    def _resources(self, length: int) -> bool:
        """Read profile and metadata; anything wrong in here ends them, and not the picture.

        Returns whether the first channel behind the colours has a name of its own: then it is a saved selection. Only
        programs other than Photoshop leave these names out.
        """
        assert self.fp is not None
        end = self.fp.tell() + length
        flattened, named, ids = True, False, b""
        try:
            while self.fp.tell() + 12 <= end:
                _, number, name = struct.unpack(">4sHB", self._read(7))
                self.fp.seek(name | 1, io.SEEK_CUR)
                size = self._length()
                if size > min(end - self.fp.tell(), _LONGEST_RESOURCE):
                    break
                data = self._read(size) if number in _WANTED else b""
                self.fp.seek(size + size % 2 - len(data), io.SEEK_CUR)
                if number == _ICC:
                    self.info["icc_profile"] = data
                elif number == _EXIF:
                    self.info["exif"] = b"Exif\0\0" + data
                elif number == _XMP:
                    self.info["xmp"] = data
                elif number == _IPTC:
                    self.info["photoshop"] = {_IPTC: data}  # where Pillow puts that of a JPEG
                elif number == _ALPHA_IDS:
                    ids = data
                elif number == _ALPHA_NAMES:
                    named = True
                elif number == _VERSION and data[4:5] == b"\0":
                    flattened = False
        except (OSError, struct.error):
            pass
        self.fp.seek(end)
        if not flattened:
            raise DecodeError(
                "open",
                "the PSD has no flattened picture. Save it with Maximize Compatibility to have it indexed",
            )
        return ids[:4] != bytes(4) if ids else named  # 0 is transparency

    def _layers(self) -> bool:
        """Pass over the layers; whether the first channel behind the colours is transparency."""
        assert self.fp is not None
        wide = bool(self._large)
        length = self._length(wide)
        end = self.fp.tell() + length
        # A negative number of layers says so: "Layer info" in the specification.
        is_negative = length > (12 if wide else 8) and self._length(wide) > 0 and self._read(2) >= b"\x80"
        self.fp.seek(end)
        return is_negative

    def load(self) -> Any:
        """Read the pixels, once."""
        if self._im is None:
            bands = (
                [self._band(number) for number in range(self._colours)] if self._compression != _RLE else self._rle()
            )
            if self.mode == "1":
                picture = Image.fromarray(255 - 255 * bands[0]).convert("1", dither=Image.Dither.NONE)
            elif self.mode == "P":
                picture = Image.frombytes("P", self.size, bands[0].tobytes())
            else:
                # Of CMYK, 0 means full ink here and 255 means full ink in Pillow.
                shown = [255 - band for band in bands] if self.mode == "CMYK" else bands
                if self.mode in ("RGBA", "LA") and self._over_white:
                    shown = [*(_without_white(band, shown[-1]) for band in shown[:-1]), shown[-1]]
                picture = Image.merge(self.mode, [Image.fromarray(band) for band in shown])
            self.im = picture.im
        return Image.Image.load(self)

    @property
    def _row(self) -> int:
        return int((self.size[0] * self._bits + 7) // 8)

    def _band(self, number: int) -> NDArray[np.uint8]:
        assert self.fp is not None
        length = self._row * self.size[1]
        if self._compression == _RAW:
            self.fp.seek(self._start + number * length)
            return self._levels(self._read(length))
        raise DecodeError(
            "decode", f"compression {self._compression} of a PSD's flattened picture is not read by Sightline"
        )

    def _rle(self) -> list[NDArray[np.uint8]]:
        """PackBits, a row at a time, behind the lengths of all rows of all channels."""
        assert self.fp is not None
        height = self.size[1]
        wide = bool(self._large)
        self.fp.seek(self._start)
        counts = np.frombuffer(self._read(self._channels * height * (4 if wide else 2)), ">u4" if wide else ">u2")
        lengths = counts.reshape(self._channels, height).sum(axis=1, dtype=np.int64)
        bands, at = [], self.fp.tell()
        for length in lengths[: self._colours].tolist():
            self.fp.seek(at)
            band = Image.frombytes("L", (self._row, height), self._read(length), "packbits", "L")
            bands.append(self._levels(band.tobytes()))
            at += length
        return bands

    def _levels(self, data: bytes) -> NDArray[np.uint8]:
        """A channel of 1 to 32 bits as 8 bits (height, width); bitmaps as 0 and 1."""
        width, height = self.size
        if self._bits == 1:
            return np.unpackbits(np.frombuffer(data, np.uint8).reshape(height, self._row), axis=1)[:, :width]
        if self._bits == 8:
            return np.frombuffer(data, np.uint8).reshape(height, width)
        if self._bits == 16:
            deep = np.frombuffer(data, ">u2").reshape(height, width)
            return ((deep.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        # Linear light, 0 to 1: shown by the curve of sRGB (IEC 61966-2-1).
        light = np.clip(np.nan_to_num(np.frombuffer(data, ">f4").reshape(height, width).astype(np.float32)), 0, 1)
        curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** np.float32(1 / 2.4) - 0.055)
        shown: NDArray[np.uint8] = np.rint(curve * 255).astype(np.uint8)
        return shown


def _without_white(band: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A channel as it is drawn: Photoshop keeps the flattened picture of layers as it looks over white."""
    drawn = (band.astype(np.float32) - (255 - alpha.astype(np.float32))) * 255 / np.maximum(alpha, 1)
    return np.rint(np.clip(drawn, 0, 255)).astype(np.uint8)
