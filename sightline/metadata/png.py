"""Metadata of PNG files, wherever it stands among the chunks.

Pixels are passed over, and checksums are not checked.
PNG (third edition), section 5: a signature, then chunks of a length, a type, that many bytes and a checksum.
ImageMagick keeps profiles in texts as hexadecimal digits.
"""

from __future__ import annotations

import binascii
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from sightline.metadata.said import Said
from sightline.metadata.text import MAX_CAPTION, clean_text
from sightline.metadata.tiff import LONGEST

_TEXTS: Final = (b"tEXt", b"zTXt", b"iTXt")
_PROFILES: Final = {"exif": "exif", "APP1": "exif", "xmp": "xmp", "iptc": "iptc", "8bim": "iptc"}
_WANTED: Final = frozenset(
    {"XML:com.adobe.xmp", "Creation Time", "Title", "Description"} | {f"Raw profile type {name}" for name in _PROFILES}
)


@dataclass(slots=True)
class Png:
    """The blocks of a PNG, and what its own chunks say."""

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    said: Said = field(default_factory=Said)


def read(source: BinaryIO) -> Png:
    """Read the chunks of a PNG that tell of its picture."""
    found = Png()
    profiles: dict[str, bytes] = {}
    seen = set[str]()
    source.seek(8)
    while len(head := source.read(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if length > LONGEST or kind not in (*_TEXTS, b"eXIf", b"tIME"):
            source.seek(length + 4, 1)
            continue
        data = source.read(length)
        source.seek(4, 1)
        if kind == b"eXIf":
            found.exif = found.exif or data
        elif kind == b"tIME":
            _add_time(found.said, data)
        else:
            _add_text(found, profiles, seen, kind, data)
    found.exif = found.exif or profiles.get("exif", b"")
    found.xmp = found.xmp or profiles.get("xmp", b"")
    found.iptc = profiles.get("iptc", b"")
    return found


def _add_time(said: Said, data: bytes) -> None:
    if len(data) == 7:
        year, (month, day, hour, minute, second) = int.from_bytes(data[:2], "big"), data[2:]
        said.add_date("modified", f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")


def _add_text(found: Png, profiles: dict[str, bytes], seen: set[str], kind: bytes, data: bytes) -> None:
    key, _, rest = data.partition(b"\0")
    name = key[:80].decode("latin-1")
    if name not in _WANTED or name in seen:
        return  # a second text of a kind is not even unpacked: it may be one of thousands
    seen.add(name)
    text = _unpacked(kind, rest)
    if name == "XML:com.adobe.xmp":
        found.xmp = text
    elif name == "Creation Time":
        found.said.add_date("created", clean_text(text))
    elif name == "Title":
        found.said.title = clean_text(text)
    elif name == "Description":
        found.said.caption = clean_text(text, MAX_CAPTION)
    else:
        profiles.setdefault(_PROFILES[name.removeprefix("Raw profile type ")], _profile(text))


def _unpacked(kind: bytes, rest: bytes) -> bytes:
    """The text behind the keyword; empty where it can't be unpacked."""
    if kind == b"tEXt":
        return rest
    is_packed = kind == b"zTXt" or rest[:1] == b"\1"
    # In iTXt it stands behind a language and a translated keyword.
    rest = rest[1:] if kind == b"zTXt" else rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    if not is_packed:
        return rest
    try:
        return zlib.decompressobj().decompress(rest, LONGEST)
    except zlib.error:
        return b""


def _profile(text: bytes) -> bytes:
    """The bytes of a profile: a line with its name, one with its length, then digits."""
    try:
        return binascii.unhexlify(b"".join(text.split()[2:]))
    except binascii.Error:
        return b""
