"""Packets of XMP, as properties by their usual names, whatever prefixes the packet uses.

XMP is XML by strangers (XMP Specification Part 1, section 7: a subset of RDF/XML). Expat reads it: without document
types, so that no entity is ever defined, bounded in bytes, depth, elements and text. What came before an error counts.
Undeclared prefixes count as the usual ones: programs that paste packets together leave declarations out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias
from xml.parsers import expat

Value: TypeAlias = "str | list[Value] | dict[str, Value]"
"""A text, the items of an array (of alternatives by language, the default first), or the fields of a structure."""

_LONGEST: Final = 16 * 2**20
_DEEPEST: Final = 40
_MOST_ELEMENTS: Final = 50_000
_MOST_TEXT: Final = 2**20
_MOST_PREFIXES: Final = 500

RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns"
_NAMES: Final[Mapping[str, str]] = {
    RDF: "rdf",
    "http://ns.adobe.com/xap/1.0": "xmp",
    "http://purl.org/dc/elements/1.1": "dc",
    "http://purl.org/dc/elements/1.0": "dc",
    "http://ns.adobe.com/exif/1.0": "exif",
    "http://cipa.jp/exif/1.0": "exifEX",
    "http://ns.adobe.com/exif/1.0/aux": "aux",
    "http://ns.adobe.com/tiff/1.0": "tiff",
    "http://ns.adobe.com/photoshop/1.0": "photoshop",
    "http://ns.adobe.com/lightroom/1.0": "lr",
    "http://www.digikam.org/ns/1.0": "digiKam",
    "http://darktable.sf.net": "darktable",
    "http://ns.microsoft.com/photo/1.0": "MicrosoftPhoto",
    "http://ns.microsoft.com/photo/1.2": "MP",
    "http://ns.microsoft.com/photo/1.2/t/RegionInfo": "MPRI",
    "http://ns.microsoft.com/photo/1.2/t/Region": "MPReg",
    "http://www.metadataworkinggroup.com/schemas/regions": "mwg-rs",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29": "Iptc4xmpExt",
}
"""Namespaces without their last `/` or `#`, and the prefixes that specifications use for them."""

_USUAL: Final = {prefix: prefix for prefix in _NAMES.values()}

WANTED: Final = frozenset(
    """
    xmp:Rating xmp:Label xmp:CreateDate xmp:ModifyDate MicrosoftPhoto:Rating MicrosoftPhoto:LastKeywordXMP
    MicrosoftPhoto:LensModel dc:title dc:description dc:subject lr:hierarchicalSubject digiKam:TagsList
    darktable:colorlabels photoshop:DateCreated photoshop:City photoshop:State photoshop:Country exif:DateTimeOriginal
    exif:DateTimeDigitized exif:GPSLatitude exif:GPSLatitudeRef exif:GPSLongitude exif:GPSLongitudeRef exif:GPSAltitude
    exif:GPSAltitudeRef exif:ISOSpeedRatings exif:FNumber exif:ApertureValue exif:ExposureTime exif:ShutterSpeedValue
    exif:FocalLength exifEX:PhotographicSensitivity exifEX:RecommendedExposureIndex exifEX:StandardOutputSensitivity
    exifEX:LensModel exifEX:LensSpecification aux:Lens aux:LensInfo tiff:Make tiff:Model tiff:DateTime
    mwg-rs:Regions MP:RegionInfo Iptc4xmpExt:PersonInImage Iptc4xmpExt:PersonInImageWDetails
    Iptc4xmpExt:LocationShown Iptc4xmpExt:LocationCreated
    """.split()
)
"""The properties that are read; all others are passed over."""

_ARRAYS: Final = ("rdf:Bag", "rdf:Seq", "rdf:Alt")
_NOT_IN_XML: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LONE_AMPERSAND: Final = re.compile(r"&(?!(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos);)")


class _Refused(Exception):
    """The packet defines a document type, or is larger than any bound."""


@dataclass(slots=True)
class _Element:
    name: str
    attributes: dict[str, str]
    children: list[_Element] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


class _Reader:
    """Collects the wanted properties of all descriptions; one packet each."""

    def __init__(self) -> None:
        self.properties: dict[str, Value] = {}
        self._scopes: list[dict[str, str]] = []
        self._prefixes: dict[str, str] = _USUAL
        self._open: list[_Element] = []  # of the property that is being read
        self._descriptions = self._passed = self._elements = self._length = 0
        self._is_description: list[bool] = []

    def read(self, data: bytes) -> bool:
        """Read a packet in UTF-8; False where an error cut it short."""
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse
        try:
            parser.Parse(data, True)
        except expat.ExpatError:
            return False
        except _Refused:
            pass
        return True

    def _refuse(self, *_: object) -> None:
        raise _Refused

    def _name(self, name: str) -> str:
        prefix, colon, local = name.partition(":")
        return f"{self._prefixes.get(prefix, '')}:{local}" if colon else name

    def _declare(self, attributes: Mapping[str, str]) -> None:
        self._scopes.append(self._prefixes)
        declared = {
            name[6:]: _NAMES.get(uri.strip().rstrip("/#"), "")
            for name, uri in attributes.items()
            if name[:6] == "xmlns:"
        }
        if declared:
            self._prefixes = {**self._prefixes, **declared}
            if len(self._prefixes) > _MOST_PREFIXES:  # each element that declares one copies all
                raise _Refused

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._passed:
            self._passed += 1
            return
        self._elements += 1
        if len(self._scopes) >= _DEEPEST or self._elements > _MOST_ELEMENTS:
            raise _Refused
        self._declare(attributes)
        name = self._name(name)
        if self._open:
            self._open.append(_Element(name, {self._name(key): value for key, value in attributes.items()}))
            return
        if self._descriptions and self._is_description[-1]:
            if name in WANTED:
                self._open.append(_Element(name, {self._name(key): value for key, value in attributes.items()}))
            else:
                self._passed = 1
            return
        is_description = name == "rdf:Description"
        self._is_description.append(is_description)
        if is_description:
            self._descriptions += 1
            for key, value in attributes.items():
                if (wanted := self._name(key)) in WANTED:
                    self.properties.setdefault(wanted, value)

    def _end(self, _: str) -> None:
        if self._passed > 1:
            self._passed -= 1
            return
        self._prefixes = self._scopes.pop()
        if self._passed:
            self._passed = 0
        elif self._open:
            done = self._open.pop()
            if self._open:
                self._open[-1].children.append(done)
            else:
                self.properties.setdefault(done.name, _value(done))
        elif self._is_description.pop():
            self._descriptions -= 1

    def _text(self, text: str) -> None:
        if self._open:
            self._length += len(text)
            if self._length > _MOST_TEXT:
                raise _Refused
            self._open[-1].text.append(text)


def properties(packet: bytes) -> dict[str, Value]:
    """The wanted properties of a packet by their usual names, such as `dc:title`. Nothing raises."""
    data = packet[:_LONGEST].strip(b"\0 \t\r\n")
    if b"<\0" in data[:8] or b"\0<" in data[:8]:
        data = _utf16(data)
    reader = _Reader()
    if b"<" not in data or reader.read(data):
        return reader.properties
    found = reader.properties
    # Control characters, lone ampersands, another encoding: common, and no reason to lose what stands behind them.
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    text = _LONE_AMPERSAND.sub("&amp;", _NOT_IN_XML.sub(" ", text))
    again = _Reader()
    again.read(text[text.find("<") :].encode("utf-8"))
    return {**again.properties, **found}


def _utf16(data: bytes) -> bytes:
    big = data.find(b"\0<", 0, 9), data.find(b"<\0", 0, 9)
    encoding = "utf-16-le" if big[0] < 0 or 0 <= big[1] < big[0] else "utf-16-be"
    return data.decode(encoding, "ignore").lstrip("\ufeff").encode("utf-8", "ignore")


def _value(element: _Element) -> Value:
    """The value of a property, an item or a field; see `Value`."""
    for child in element.children:
        if child.name in _ARRAYS:
            items = [item for item in child.children if item.name == "rdf:li"]
            if child.name == "rdf:Alt":
                items.sort(
                    key=lambda item: item.attributes.get("xml:lang", item.attributes.get(":lang")) != "x-default"
                )
            return [_value(item) for item in items]
    described = next((child for child in element.children if child.name == "rdf:Description"), element)
    fields: dict[str, Value] = {
        name: value
        for name, value in described.attributes.items()
        if name[:4] not in ("rdf:", "xml:", ":lan", "xmln", ":")
    }
    for child in described.children:
        fields.setdefault(child.name, _value(child))
    if "rdf:value" in fields:
        return fields["rdf:value"]
    if fields:
        return fields
    return "".join(element.text) or element.attributes.get("rdf:resource", "")


def texts(value: Value | None) -> list[str]:
    """All texts of a value: of arrays each item, of structures none."""
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


def first(value: Value | None) -> str | None:
    """The first text of a value; of alternatives by language, the default one."""
    return next((text for text in texts(value) if text.strip()), None)


def structures(value: Value | None) -> list[dict[str, Value]]:
    """The structures in a value."""
    if isinstance(value, list):
        return [found for item in value for found in structures(item)]
    return [value] if isinstance(value, dict) else []
