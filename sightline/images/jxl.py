"""JPEG XL, by pylibjxl: the extra `jxl`.

It gives pixels of 8 bits, upright, and of an animation the first frame. EXIF and XMP are read from the boxes of the
file (ISO/IEC 18181-2), without a pixel.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, Final

import numpy as np
from PIL import Image, ImageFile

from sightline.images.errors import DecodeError

_CONTAINER: Final = b"\0\0\0\x0cJXL \r\n\x87\n"
_MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_MOST_BOXES: Final = 4_096
_LONGEST_BOX: Final = 4 * 2**20


def accept(prefix: bytes) -> bool:
    """Whether a file begins like JPEG XL, bare or in a container."""
    return prefix.startswith((b"\xff\x0a", _CONTAINER))


@cache
def _codec() -> Any:
    try:
        return import_module("pylibjxl")
    except ImportError as error:
        raise DecodeError(
            "open", "it is a JPEG XL file. To have it read: pip install 'sightline[jxl]', then index with --rescan"
        ) from error


@cache
def _decoder() -> Any:
    """One for all threads. One thread a picture: the callers' threads already keep every core busy."""
    return _codec().JXL(threads=1)


class JxlImageFile(ImageFile.ImageFile):
    """A JPEG XL picture, turned upright by its decoder."""

    format = "JXL"
    format_description = "JPEG XL"

    def _open(self) -> None:
        assert self.fp is not None
        codec = _codec()
        data = self.fp.read()
        try:
            found = codec.probe(data)
        except MemoryError:
            raise
        except Exception as error:
            raise SyntaxError("it has no size") from error
        self._size = (found["width"], found["height"])
        self._mode = _MODES[found["color_channels"] + found["has_alpha"]]
        self.info.update(_metadata(data))

    def load(self) -> Any:
        """Read the pixels, once."""
        if self._im is None:
            assert self.fp is not None
            self.fp.seek(0)
            try:
                pixels, beside = _decoder().decode(self.fp.read(), metadata=True)
            except RuntimeError as error:
                raise OSError(str(error)) from error
            if beside.get("icc"):
                self.info["icc_profile"] = beside["icc"]
            self.im = Image.fromarray(np.ascontiguousarray(pixels)).im
            self._mode = self.im.mode
        return Image.Image.load(self)


def _metadata(data: bytes) -> dict[str | tuple[int, int], Any]:
    """EXIF and XMP from the boxes of a container.

    Those of a JPEG that was packed anew are compressed by Brotli.
    """
    found: dict[str | tuple[int, int], Any] = {}
    at = len(_CONTAINER) if data.startswith(_CONTAINER) else len(data)
    for _ in range(_MOST_BOXES):
        if at + 8 > len(data):
            break
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = at + size if size else len(data)
        if end < at + head:
            break
        content = data[at + head : end] if kind in (b"Exif", b"xml ", b"brob") and end - at <= _LONGEST_BOX else b""
        if kind == b"brob":
            kind, content = content[:4], _unpacked(content[4:]) if content[:4] in (b"Exif", b"xml ") else b""
        if kind == b"Exif" and len(content) > 4:
            found.setdefault("exif", b"Exif\0\0" + content[4 + int.from_bytes(content[:4], "big") :])
        elif kind == b"xml ":
            found.setdefault("xmp", content)
        at = end
    return found


def _unpacked(content: bytes) -> bytes:
    """What Brotli packed; nothing where it is damaged or longer than a box may be."""
    brotli: Any = import_module("brotli")
    try:
        unpacker = brotli.Decompressor()
        unpacked: bytes = unpacker.process(content, output_buffer_limit=_LONGEST_BOX)
    except brotli.error:
        return b""
    return unpacked if unpacker.is_finished() else b""
