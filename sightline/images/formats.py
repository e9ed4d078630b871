"""The table of formats: those that are read, and those that are known and not read.

What a file is, its bytes decide (`sightline.images.opening`); a name only makes it worth opening. docs/formats.md shows
the same table to people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is read.

    Attributes:
        title: what people call it.
        names: what the fact `format` says of its pictures.
        extensions: in lower case, with the dot.
        media_types: one for each name, or one for all.
        extra: the optional dependency that reads it, or more of it; empty where none is needed.
    """

    title: str
    names: tuple[str, ...]
    extensions: tuple[str, ...]
    media_types: tuple[str, ...]
    extra: str = ""


_RAW_NAMES: Final = {
    "DNG": "image/x-adobe-dng", "CR2": "image/x-canon-cr2", "CR3": "image/x-canon-cr3", "CRW": "image/x-canon-crw",
    "NEF": "image/x-nikon-nef", "ARW": "image/x-sony-arw", "RAF": "image/x-fuji-raf", "ORF": "image/x-olympus-orf",
    "RW2": "image/x-panasonic-rw2", "RWL": "image/x-leica-rwl", "PEF": "image/x-pentax-pef",
    "SRW": "image/x-samsung-srw", "3FR": "image/x-hasselblad-3fr", "ERF": "image/x-epson-erf",
    "DCR": "image/x-kodak-dcr", "MEF": "image/x-mamiya-mef", "MOS": "image/x-leaf-mos", "IIQ": "image/x-phaseone-iiq",
    "MRW": "image/x-minolta-mrw", "X3F": "image/x-sigma-x3f", "RAW": "image/x-dcraw",
}  # fmt: skip

RAW: Final = Format(
    "RAW", tuple(_RAW_NAMES),
    (".dng", ".gpr", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".raf", ".orf", ".ori", ".rw2",
     ".raw", ".rwl", ".pef", ".srw", ".3fr", ".fff", ".erf", ".kdc", ".dcr", ".k25", ".mef", ".mos", ".iiq", ".mrw",
     ".x3f"),
    tuple(_RAW_NAMES.values()), extra="raw",
)  # fmt: skip

FORMATS: Final[tuple[Format, ...]] = (
    Format("JPEG", ("JPEG",), (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), ("image/jpeg",)),
    Format("PNG", ("PNG",), (".png", ".apng"), ("image/png",)),
    Format("WebP", ("WEBP",), (".webp",), ("image/webp",)),
    Format("GIF", ("GIF",), (".gif",), ("image/gif",)),
    Format("TIFF", ("TIFF",), (".tif", ".tiff"), ("image/tiff",)),
    Format("BMP", ("BMP",), (".bmp", ".dib"), ("image/bmp",)),
    Format("AVIF", ("AVIF",), (".avif", ".avifs"), ("image/avif",)),
    Format("HEIC", ("HEIF",), (".heic", ".heics", ".heif", ".heifs", ".hif"), ("image/heic",)),
    Format("JPEG 2000", ("JPEG2000",), (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"), ("image/jp2",)),
    Format("JPEG XL", ("JXL",), (".jxl",), ("image/jxl",), extra="jxl"),
    RAW,
    Format("PSD, PSB", ("PSD",), (".psd", ".psb"), ("image/vnd.adobe.photoshop",)),
    Format("Netpbm", ("PPM",), (".pbm", ".pgm", ".ppm", ".pnm", ".pam"), ("image/x-portable-anymap",)),
    Format("TGA", ("TGA",), (".tga", ".icb", ".vda", ".vst"), ("image/x-tga",)),
    Format("PCX", ("PCX",), (".pcx",), ("image/x-pcx",)),
    Format("ICO", ("ICO",), (".ico",), ("image/x-icon",)),
)

EXTENSIONS: Final[frozenset[str]] = frozenset(extension for each in FORMATS for extension in each.extensions)
"""Lower case, with the dot."""

MEDIA_TYPES: Final[dict[str, str]] = {
    name: each.media_types[at if len(each.media_types) > 1 else 0]
    for each in FORMATS for at, name in enumerate(each.names)
}  # fmt: skip
"""By what the fact `format` says. By the content, never by the name: a photo called `x.html` must not be served as a
page."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A format that is known and not read: its name, and how its files are named and begin."""

    title: str
    extensions: tuple[str, ...]
    beginnings: tuple[bytes, ...]


UNREAD: Final[tuple[Unread, ...]] = (
    Unread("SVG", (".svg",), (b"<svg",)),
    Unread("EPS", (".eps",), (b"%!PS", b"\xc5\xd0\xd3\xc6")),
    Unread("PDF", (), (b"%PDF-",)),
    Unread("GIMP's XCF", (".xcf",), (b"gimp xcf",)),
    Unread("OpenEXR", (".exr",), (b"\x76\x2f\x31\x01",)),
    Unread("Radiance HDR", (".hdr",), (b"#?RADIANCE", b"#?RGBE")),
    Unread("DDS", (".dds",), (b"DDS ",)),
    Unread("QOI", (".qoi",), (b"qoif",)),
    Unread("ICNS", (".icns",), (b"icns",)),
    Unread("JPEG XR", (".jxr", ".hdp", ".wdp"), (b"II\xbc\x01",)),
    Unread("BPG", (".bpg",), (b"BPG\xfb",)),
    Unread("FITS", (".fits",), (b"SIMPLE  =",)),
    Unread("WMF", (".wmf",), (b"\xd7\xcd\xc6\x9a",)),
    Unread("EMF", (".emf",), ()),
    Unread("SGI", (".sgi",), (b"\x01\xda\0\x01", b"\x01\xda\x01\x01")),
    Unread("DjVu", (".djvu",), (b"AT&TFORM",)),
)
"""Worth a line among the failures, so that nobody wonders where they went."""

UNREAD_EXTENSIONS: Final[frozenset[str]] = frozenset(extension for each in UNREAD for extension in each.extensions)

SNIFF: Final = 32
"""So many bytes of a file tell `begins_like_picture`."""

_BEGINNINGS: Final = (
    b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\xff\x4f\xff\x51",
    b"\0\0\0\x0cjP", b"\xff\x0a", b"\0\0\0\x0cJXL ", b"8BPS\0", b"\0\0\1\0", b"IIRO", b"IIRS", b"MMOR", b"IIU\0",
    b"FUJIFILMCCD-RAW", b"\0MRM", b"FOVb",
)  # fmt: skip


def begins_like_picture(head: bytes) -> bool:
    """Whether a file without an extension is worth opening, by its first `SNIFF` bytes."""
    return head.startswith(_BEGINNINGS) or head[8:12] == b"WEBP" or head[4:8] == b"ftyp" or head[6:14] == b"HEAPCCDR"


def unread_title(head: bytes) -> str | None:
    """What a file is that begins like a known format that is not read; None where it does not."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if (text[:5].lower() == b"<?xml" or text.startswith(b"<!--")) and b"<svg" in text:
        return "SVG"
    return next((each.title for each in UNREAD if text.startswith(each.beginnings)), None)


def not_read(head: bytes) -> str:
    """Say why a file is not read that no reader takes, by its first few hundred bytes."""
    title = unread_title(head)
    if title is not None:
        return f"{title} is not read by Sightline"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower()
    if not head.strip(b"\0"):
        return "it begins with zeros where a picture has its header"
    if text.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, not a picture"
    if head[4:8] == b"ftyp" and head[8:10] in (b"is", b"mp", b"qt", b"M4", b"av", b"3g"):
        return "it is a video, which Sightline does not read"
    return f"not a picture format Sightline reads ({', '.join(each.title for each in FORMATS)})"
