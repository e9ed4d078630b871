"""Small files with metadata in them, made by hand: directories of TIFF, packets of XMP, records of IPTC."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import pillow_heif
from PIL import Image

# It writes HEIC; the product reads it by pi-heif, which has no encoder.
pillow_heif.register_heif_opener()

Entry = tuple[int, bytes | tuple[float, ...]]
"""The type of a tag, and its bytes or numbers. Of rationals each two numbers are one."""

_CODES = {1: "B", 3: "H", 4: "I", 5: "I", 9: "i", 10: "i", 13: "I"}
POINTERS = (0x8769, 0x8825)


def text(value: str | bytes) -> Entry:
    return 2, (value.encode() if isinstance(value, str) else value) + b"\0"


def tiff(
    main: Mapping[int, Any], details: Mapping[int, Any] = {}, gps: Mapping[int, Any] = {}, endian: str = "<"
) -> bytes:
    """A TIFF of three directories, as in EXIF."""
    head = (b"II" if endian == "<" else b"MM") + struct.pack(endian + "HI", 42, 8)
    below = {tag: table for tag, table in zip(POINTERS, (details, gps), strict=True) if table}
    first = directory({**main, **dict.fromkeys(below, (4, (0,)))}, 8, endian)
    at, tables = 8 + len(first), b""
    places = {}
    for tag, table in below.items():
        places[tag] = (4, (at + len(tables),))
        tables += directory(table, at + len(tables), endian)
    return head + directory({**main, **places}, 8, endian) + tables


def directory(entries: Mapping[int, Entry], at: int, endian: str = "<") -> bytes:
    """A directory that stands at an offset, with its values behind it."""
    values = b""
    rows = struct.pack(endian + "H", len(entries))
    start = at + 2 + 12 * len(entries) + 4
    for tag, (kind, value) in sorted(entries.items()):
        data = value if isinstance(value, bytes) else struct.pack(endian + _CODES[kind] * len(value), *value)
        size = 1 if isinstance(value, bytes) else struct.calcsize(_CODES[kind]) * (2 if kind in (5, 10) else 1)
        inline = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(endian + "I", start + len(values))
        rows += struct.pack(endian + "HHI", tag, kind, len(data) // size) + inline
        values += b"" if len(data) <= 4 else data + b"\0" * (len(data) % 2)
    return rows + b"\0\0\0\0" + values


NAMESPACES = {
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "exifEX": "http://cipa.jp/exif/1.0/",
    "aux": "http://ns.adobe.com/exif/1.0/aux/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "darktable": "http://darktable.sf.net/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
}


def xmp(attributes: str = "", elements: str = "") -> bytes:
    """A packet with one description: properties as attributes and as elements."""
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {declared} {attributes}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta>'
        f'{" " * 50}<?xpacket end="w"?>'
    ).encode()


def array(kind: str, *items: str) -> str:
    return f"<rdf:{kind}>{''.join(f'<rdf:li>{item}</rdf:li>' for item in items)}</rdf:{kind}>"


def iptc(*records: tuple[int, bytes], charset: bytes = b"") -> bytes:
    """Records of the application record, and the character set before them."""
    data = b"\x1c\x01\x5a" + struct.pack(">H", len(charset)) + charset if charset else b""
    for number, value in records:
        data += struct.pack(">BBBH", 0x1C, 2, number, len(value)) + value
    return data


def photoshop(iptc_records: bytes) -> bytes:
    """Image resources, with IPTC behind another one that has a name of odd length."""
    other = b"8BIM" + struct.pack(">H", 0x03ED) + b"\x03abc" + struct.pack(">I", 3) + b"xyz\0"
    padded = iptc_records + b"\0" * (len(iptc_records) % 2)
    return other + b"8BIM" + struct.pack(">H", 0x0404) + b"\0\0" + struct.pack(">I", len(iptc_records)) + padded


def picture(kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "navy").save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(exif: bytes = b"", xmp_packet: bytes = b"", iptc_records: bytes = b"", extension: bytes = b"") -> bytes:
    """A JPEG with segments in front of its own."""
    segments = b""
    if exif:
        segments += segment(0xE1, b"Exif\0\0" + exif)
    if xmp_packet:
        segments += segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp_packet)
    name = b"0123456789ABCDEF0123456789ABCDEF"
    for at in range(0, len(extension), 40_000):
        part = struct.pack(">II", len(extension), at) + extension[at : at + 40_000]
        segments += segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + name + part)
    if iptc_records:
        segments += segment(0xED, b"Photoshop 3.0\0" + photoshop(iptc_records))
    plain = picture()
    return plain[:2] + segments + plain[2:]


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def png(*chunks: tuple[bytes, bytes], behind: bool = False) -> bytes:
    """A PNG with more chunks, before its pixels or behind them."""
    plain = picture("PNG")
    more = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    at = plain.index(b"IEND") - 4 if behind else 33
    return plain[:at] + more + plain[at:]


def profile(name: str, data: bytes) -> tuple[bytes, bytes]:
    """A profile in a text, as ImageMagick writes it."""
    digits = "\n".join(data.hex()[at : at + 72] for at in range(0, 2 * len(data), 72))
    return b"zTXt", f"Raw profile type {name}".encode() + b"\0\0" + zlib.compress(
        f"\n{name}\n{len(data):8}\n{digits}\n".encode()
    )


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + kind + data
