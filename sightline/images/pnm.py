"""Netpbm pictures: PBM, PGM, PPM (P1 to P6) and PAM (P7), read by numpy.

Pillow reads all but PAM, but those of other than 255 or 65535 levels, and those in text, one pixel at a time in Python:
a second a megapixel. Format: https://netpbm.sourceforge.net/doc/ (pbm, pgm, ppm, pam).
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
from PIL import Image, ImageFile

from sightline.images.whole_files import rest_of

# White space, and comments to the end of their line, between the words of a header.
_WORD: Final = re.compile(rb"(?:\s|#[^\r\n]*)*([^\s#]{1,10})")
_COMMENT: Final = re.compile(rb"#[^\r\n]*")
_LONGEST_HEADER: Final = 2**16
_CHANNELS: Final = {1: 1, 2: 1, 3: 3, 4: 1, 5: 1, 6: 3}
_MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_TEXT: Final = (1, 2, 3)


def accept(prefix: bytes) -> bool:
    """Whether a file begins like one of these."""
    return len(prefix) > 2 and prefix[:1] == b"P" and prefix[1:2] in b"1234567" and prefix[2:3] in b" \t\n\r\v\f#"


class PnmImageFile(ImageFile.ImageFile):
    """A Netpbm picture as 8 bits a channel; of several in a file the first."""

    format = "PPM"
    format_description = "Netpbm"

    def _open(self) -> None:
        assert self.fp is not None
        head = self.fp.read(_LONGEST_HEADER)
        self._kind = int(head[1:2])
        if self._kind == 7:
            width, height, self._channels, self._most, self._start = _pam(head)
        else:
            (width, height, *most), self._start = _words(head, 2 if self._kind in (1, 4) else 3)
            self._channels, self._most = _CHANNELS[self._kind], most[0] if most else 1
        if self._channels not in _MODES or not 0 < self._most < 65536:
            raise SyntaxError(f"{self._channels} channels of up to {self._most}")
        self._size = (width, height)
        self._mode = _MODES[self._channels]

    def load(self) -> Any:
        """Read the pixels, once."""
        if self._im is None:
            assert self.fp is not None
            width, height = self.size
            self.fp.seek(self._start)
            if self._kind == 4:
                row = (width + 7) // 8
                bits = np.unpackbits(self._bytes(row * height).reshape(height, row), axis=1)[:, :width]
                values = (1 - bits) * np.uint8(255)
            elif self._kind in _TEXT:
                values = self._from_text(width * height * self._channels)
            else:
                deep = self._most > 255
                data = self._bytes(width * height * self._channels * (2 if deep else 1))
                values = self._scaled(data.view(">u2") if deep else data)
            shape = (height, width) if self._channels == 1 else (height, width, self._channels)
            self.im = Image.fromarray(values.reshape(shape)).im
        return Image.Image.load(self)

    def _bytes(self, length: int) -> Any:
        assert self.fp is not None
        data = self.fp.read(length)
        if len(data) < length:
            raise OSError(f"image file is truncated ({length - len(data)} bytes are missing)")
        return np.frombuffer(data, np.uint8)

    def _from_text(self, count: int) -> Any:
        assert self.fp is not None
        text = _COMMENT.sub(b" ", rest_of(self.fp))
        if self._kind == 1:  # digits may stand without spaces between them
            digits = np.frombuffer(bytes(text.translate(None, b" \t\n\r\v\f")[:count]), np.uint8) - 48
            values = np.where(digits == 0, np.uint8(255), np.uint8(0))
            wrong = bool((digits > 1).any())
        else:
            numbers = np.array(text.split(None, count)[:count], dtype="S6").astype(np.int64)
            wrong = bool(((numbers < 0) | (numbers > self._most)).any())
            values = self._scaled(numbers)
        if wrong:
            raise ValueError("a value outside of its range")
        if len(values) < count:
            raise OSError(f"image file is truncated ({count - len(values)} values are missing)")
        return values

    def _scaled(self, values: Any) -> Any:
        if self._most == 255:
            return values.astype(np.uint8)
        table = np.rint(np.arange(self._most + 1) * (255 / self._most)).astype(np.uint8)
        return table[np.minimum(values, self._most)]


def _words(head: bytes, count: int) -> tuple[list[int], int]:
    """The numbers behind the first two bytes, and where the pixels start: after one white space."""
    numbers, at = [], 2
    for _ in range(count):
        found = _WORD.match(head, at)
        if found is None:
            raise SyntaxError("the header ends early")
        numbers.append(int(found[1]))
        at = found.end()
    return numbers, at + 1


def _pam(head: bytes) -> tuple[int, int, int, int, int]:
    """Width, height, depth, the highest value, and where the pixels start."""
    end = re.search(rb"^ENDHDR[^\n]*\n", head, re.MULTILINE)
    if end is None:
        raise SyntaxError("the header ends early")
    lines = dict(re.findall(rb"^(WIDTH|HEIGHT|DEPTH|MAXVAL)[ \t]+(\d{1,10})\s*$", head[: end.start()], re.MULTILINE))
    try:
        width, height, depth, most = (int(lines[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"))
    except KeyError as error:
        raise SyntaxError("the header is not complete") from error
    return width, height, depth, most, end.end()
