"""What cameras and people wrote, wherever it stands in a file or beside it."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest
import written
from hypothesis import given
from hypothesis import strategies as st
from written import array, iptc, jpeg, photoshop, picture, png, profile, text, tiff, xmp

from examples import examples
from sightline.images.decode import decode_header
from sightline.metadata.blocks import Blocks, blocks_of, exif_in
from sightline.metadata.facts import Beside, Facts, facts_of


def facts(data: bytes, *sidecars: bytes) -> Facts:
    return decode_header(io.BytesIO(data), beside=Beside("", sidecars))


# -- where it stands ------------------------------------------------------------------------------------------------

EXIF = tiff({0x010F: text("Acme"), 0x4746: (3, (1,))}, {0x9003: text("2004:06:21 23:37:53"), 0x829D: (5, (28, 10))})
XMP = xmp('xmp:Rating="4"', f"<dc:subject>{array('Bag', 'sea')}</dc:subject>")
IPTC = iptc((25, b"boat"), (90, b"Brest"))


def with_tiff_tags(endian: str = "<") -> bytes:
    def made(strip: int) -> bytes:
        rows = {0x0100: (30,), 0x0101: (20,), 0x0102: (8,), 0x0103: (1,), 0x0106: (1,), 0x0111: (strip,), 0x0115: (1,),
                0x0116: (20,), 0x0117: (600,)}  # fmt: skip
        tags = {0x010F: text("Acme"), 700: (1, XMP), 33723: (7, IPTC)}
        details = {0x9003: text("2004:06:21 23:37:53"), 0x829D: (5, (28, 10))}
        return tiff({tag: (4, value) for tag, value in rows.items()} | tags, details, endian=endian)

    return made(len(made(0))) + bytes(600)


def jp2() -> bytes:
    plain = picture("JPEG2000")
    at = plain.index(b"jp2c") - 4
    uuids = {"4a706754696666457869662d3e4a5032": EXIF, "be7acfcb97a942e89c71999491e3afac": XMP,
             "33c7a4d2b81d4723a0baf1a3e097ad38": IPTC}  # fmt: skip
    return (
        plain[:at]
        + b"".join(written.box(b"uuid", bytes.fromhex(name) + data) for name, data in uuids.items())
        + plain[at:]
    )


PNG_XMP = (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)


@pytest.mark.parametrize(
    ("data", "has_iptc"),
    [
        (jpeg(EXIF, XMP, IPTC), True),
        (jpeg(EXIF, XMP, IPTC).replace(b"http://ns.adobe.com/xap/1.0/\0", b"XMP\0://ns.adobe.com/xap/1.0/\0"), True),
        (png((b"eXIf", EXIF), PNG_XMP), False),
        (png((b"eXIf", EXIF), (PNG_XMP[0], PNG_XMP[1][:18] + b"\1\0\0\0" + zlib.compress(XMP)), behind=True), False),
        (png(profile("exif", b"Exif\0\0" + EXIF), profile("xmp", XMP), profile("iptc", photoshop(IPTC))), True),
        (png(profile("APP1", b"Exif\0\0" + EXIF), PNG_XMP, profile("8bim", photoshop(IPTC))), True),
        (with_tiff_tags(), True),
        (with_tiff_tags(">"), True),
        (picture("WEBP", exif=EXIF, xmp=XMP), False),
        (picture("AVIF", exif=EXIF, xmp=XMP), False),
        (picture("HEIF", exif=b"Exif\0\0" + EXIF, xmp=XMP), False),
        (jp2(), True),
    ],
    ids=[
        "jpeg",
        "jpeg-xmp-mark",
        "png",
        "png-behind-packed",
        "png-profiles",
        "png-app1",
        "tiff",
        "tiff-be",
        "webp",
        "avif",
        "heif",
        "jp2",
    ],
)
def test_metadata_is_read_wherever_it_stands(data: bytes, has_iptc: bool) -> None:
    found = facts(data)
    assert (found.width, found.height, found.camera_make, found.aperture) == (30, 20, "Acme", 2.8)
    assert (found.taken_at, found.taken_from, found.rating) == ("2004-06-21T23:37:53", "original", 4)
    assert found.keywords == (("sea", "boat") if has_iptc else ("sea",))
    assert found.town == ("Brest" if has_iptc else None)


@pytest.mark.timeout(20)
def test_of_many_texts_in_a_png_only_the_first_of_a_kind_is_unpacked() -> None:
    large = (b"zTXt", b"Title\0\0" + zlib.compress(b"t" * 16_000_000))
    blocks = blocks_of("PNG", io.BytesIO(png((b"tEXt", b"Title\0T"), *[large] * 2000)), {})
    assert facts_of(1, 1, "PNG", blocks).title == "T"


def test_blocks_can_be_given_without_a_file() -> None:
    blocks = Blocks(exif_in(EXIF), (XMP,), IPTC)
    assert facts_of(6, 4, "RAW", blocks, Beside("", (xmp('xmp:Rating="2"'),)), 8) == Facts(
        6, 4, "RAW", "2004-06-21T23:37:53", "original", camera_make="Acme", aperture=2.8, town="Brest", orientation=8,
        rating=2, keywords=("sea", "boat"),
    )  # fmt: skip


def test_xmp_that_is_split_over_segments_is_one() -> None:
    main = xmp('xmpNote:HasExtendedXMP="0123456789ABCDEF0123456789ABCDEF" xmp:Rating="3"')
    more = xmp("", f"<dc:title>{array('Alt', 'A title')}</dc:title><dc:source>{'x' * 90_000}</dc:source>")
    assert (facts(jpeg(b"", main, extension=more)).rating, facts(jpeg(b"", main, extension=more)).title) == (
        3,
        "A title",
    )
    assert facts(jpeg(b"", xmp('xmp:Rating="3"'), extension=more)).title is None  # of another packet


def test_orientation_is_exifs_alone_and_of_any_type() -> None:
    packet = xmp('tiff:Orientation="6"')
    for data in (jpeg(b"", packet), png((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet))):
        assert (facts(data).orientation, facts(data).width) == (1, 30)
    assert (facts(jpeg(tiff({0x0112: (1, b"\6")}))).orientation, facts(jpeg(tiff({0x0112: (1, b"\6")}))).width) == (
        6,
        20,
    )


# -- cameras --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("endian", "<>")
def test_settings_of_the_camera(endian: str) -> None:
    details = {0x829A: (5, (1, 250)), 0x829D: (5, (28, 10)), 0x8827: (3, (200,)), 0x920A: (5, (85, 1))}
    found = facts(jpeg(tiff({}, details, endian=endian)))
    assert (found.exposure, found.aperture, found.iso, found.focal) == (0.004, 2.8, 200, 85.0)


def test_tags_are_found_in_the_directory_of_another_standard() -> None:
    found = facts(jpeg(tiff({0x9003: text("2004:06:21 23:37:53"), 0x829D: (5, (28, 10))})))
    assert (found.taken_at, found.taken_from, found.aperture) == ("2004-06-21T23:37:53", "original", 2.8)


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({0x8827: (3, (65535,)), 0x8831: (4, (102400,))}, {"iso": 102400}),
        ({0x8827: (3, (65535,)), 0x8832: (4, (204800,))}, {"iso": 204800}),
        ({0x8827: (3, (65535,))}, {"iso": 65535}), ({0x8827: (3, (0,))}, {}), ({0x8827: (3, (400, 400))}, {"iso": 400}),
        ({0x9202: (5, (3, 1))}, {"aperture": 2.8}), ({0x829D: (5, (0, 10)), 0x9202: (5, (4, 1))}, {"aperture": 4.0}),
        ({0x829D: (5, (0, 0))}, {}), ({0x9201: (10, (8, 1))}, {"exposure": 0.00390625}),
        ({0x9201: (10, (-1, 1))}, {"exposure": 2.0}), ({0x829A: (5, (30, 1))}, {"exposure": 30.0}),
        ({0x829A: (5, (1, 0))}, {}), ({0x829A: (5, (0, 1))}, {}), ({0x920A: (5, (0, 1))}, {}),
        ({0x920A: (5, (425, 100))}, {"focal": 4.25}),
        # A fraction as two numbers, as Pillow writes a tuple.
        ({0x829A: (3, (1, 500)), 0x829D: (3, (28, 10)), 0x920A: (3, (85, 1))}, {"exposure": 0.002, "aperture": 2.8,
        "focal": 85.0}),
        ({0x829A: text("1/500"), 0x829D: text("2.8"), 0x920A: text("85.0 mm"), 0x8827: text("3200")},
        {"exposure": 0.002, "aperture": 2.8, "focal": 85.0, "iso": 3200}),
        ({0x829A: (7, b"1234"), 0x8827: (7, b"12")}, {}), ({0x829A: text("fast"), 0x8827: text("auto")}, {}),
        ({0x829A: (5, (1, 1, 500, 1))}, {"exposure": 0.002}), ({0x829A: (3, (1, 0))}, {"exposure": 1.0}),
    ],
)  # fmt: skip
def test_odd_settings(details: dict[int, Any], expected: dict[str, Any]) -> None:
    found = facts(jpeg(tiff({}, details)))
    assert {name: getattr(found, name) for name in ("iso", "aperture", "exposure", "focal")} == {
        "iso": None, "aperture": None, "exposure": None, "focal": None, **expected,
    }  # fmt: skip


def test_settings_in_xmp() -> None:
    packet = xmp(
        'exif:FNumber="28/10" exif:ExposureTime="1/250" exif:FocalLength="85" tiff:Make="Acme" tiff:Model="Acme X1"',
        f"<exif:ISOSpeedRatings>{array('Seq', '200')}</exif:ISOSpeedRatings>",
    )
    found = facts(jpeg(b"", packet))
    assert (found.aperture, found.exposure, found.focal, found.iso) == (2.8, 0.004, 85.0, 200)
    assert (found.camera_make, found.camera_model) == ("Acme", "X1")
    assert facts(jpeg(EXIF, packet)).camera_model is None  # of the source that has the make


def note(make: bytes) -> bytes:
    """A block of EXIF with a maker note, whose place in it is the same for all."""
    return tiff({}, {0x927C: (7, make)})


AT = tiff({}, {0x927C: (7, b"?" * 8)}).index(b"?" * 8)
"""Where the note lies."""

RANGE = (5, (24, 1, 70, 1, 28, 10, 40, 10))


def nikon() -> bytes:
    return b"Nikon\0\2\x10\0\0" + b"MM\0*\0\0\0\x08" + written.directory({0x84: RANGE}, 8, ">")


def olympus(head: bytes) -> bytes:
    at = len(head) + 18
    return (
        head
        + written.directory({0x2010: (13, (at,))}, len(head))
        + written.directory({0x0203: text("M.12-40mm F2.8")}, at)
    )


SETTINGS = [0] * 46
SETTINGS[23:26] = 40, 17, 1


@pytest.mark.parametrize(
    ("data", "lens"),
    [
        (written.directory({0x0095: text("EF50mm f/1.8")}, AT), "EF50mm f/1.8"),
        (written.directory({0x0001: (3, tuple(SETTINGS))}, AT), "17-40mm"),
        (nikon(), "24-70mm f/2.8-4"),
        (b"SONY DSC \0\0\0" + written.directory({0xB02A: (1, bytes.fromhex("0100180055355602"))}, AT + 12),
        "18-55mm f/3.5-5.6"),
        (b"FUJIFILM\x0c\0\0\0" + written.directory(
            {0x1404: (5, (18, 1)), 0x1405: (5, (55, 1)), 0x1406: (5, (28, 10)), 0x1407: (5, (4, 1))}, 12),
            "18-55mm f/2.8-4"),
        (olympus(b"OLYMPUS\0II\3\0"), "M.12-40mm F2.8"),
        (olympus(b"OM SYSTEM\0\0\0II\4\0"), "M.12-40mm F2.8"),
        (b"Panasonic\0\0\0" + written.directory({0x0051: text("LUMIX G 20/F1.7")}, AT + 12), "LUMIX G 20/F1.7"),
        (b"LEICA\0\1\0" + written.directory({0x0303: text("Summilux 35")}, 8), "Summilux 35"),
        (b"Unknown maker" * 5, None), (b"", None), (b"Nikon\0\2\x10\0\0MM", None), (b"FUJIFILM", None),
    ],
    ids=["canon", "canon-range", "nikon", "sony", "fujifilm", "olympus", "om-system", "panasonic", "leica", "other",
    "none",
         "nikon-cut", "fujifilm-cut"],
)  # fmt: skip
def test_lenses_of_maker_notes(data: bytes, lens: str | None) -> None:
    assert facts(jpeg(note(data + bytes(8)))).lens == lens


def test_a_lens_has_its_name_by_exif_then_xmp_and_a_range_where_there_is_none() -> None:
    named, ranged = {0xA434: text("Prime 50")}, {0xA432: RANGE}
    packet = xmp('aux:Lens="24-70mm f/2.8"')
    assert facts(jpeg(tiff({}, named | ranged), packet)).lens == "Prime 50"
    assert facts(jpeg(tiff({}, ranged), packet)).lens == "24-70mm f/2.8"
    assert facts(jpeg(tiff({}, {0xA434: text("0.0 mm f/0.0")} | ranged))).lens == "24-70mm f/2.8-4"
    assert facts(jpeg(tiff({0xC630: (5, (50, 1, 50, 1, 0, 0, 0, 0))}))).lens == "50mm"
    assert facts(jpeg(b"", xmp('aux:LensInfo="24/1 70/1 28/10 28/10"'))).lens == "24-70mm f/2.8"
    specification = (
        f"<exifEX:LensSpecification>{array('Seq', '4/1', '4/1', '18/10', '18/10')}</exifEX:LensSpecification>"
    )
    assert facts(jpeg(b"", xmp("", specification))).lens == "4mm f/1.8"
    assert facts(jpeg(b"", xmp('exifEX:LensModel="M"'), b"")).lens == "M"
    assert facts(jpeg(tiff({}, named)), packet).lens == "Prime 50"


# -- places ---------------------------------------------------------------------------------------------------------

NORTH, EAST = (5, (48, 1, 30, 1, 0, 1)), (5, (11, 1, 15, 1, 0, 1))


@pytest.mark.parametrize(
    ("north", "ref", "expected"),
    [
        (NORTH, text("N"), 48.5), (NORTH, text("south"), -48.5), (NORTH, (1, b"N\0"), 48.5), (NORTH, text("n "), 48.5),
        ((5, (48, 1, 30, 1, 0, 0)), text("N"), 48.5), ((5, (485, 10, 0, 0, 0, 0)), text("N"), 48.5),
        ((5, (48, 1, 0, 0, 0, 0)), text("N"), None), ((5, (0, 0, 30, 1, 0, 1)), text("N"), None),
        ((5, (485, 10)), text("N"), 48.5), ((10, (-485, 10)), text(""), -48.5), ((10, (-485, 10)), text("S"), -48.5),
        ((10, (-485, 10)), text("N"), None), (NORTH, text(""), None), (NORTH, text("?"), None),
        ((5, (48, 1, 30, 1, 4567, 1)), text("N"), 48.5), ((5, (48, 1, 75, 1, 0, 1)), text("N"), None),
        (text("48.5"), text("N"), 48.5), (text("48 deg 30' 0.00\" N"), text(""), 48.5), (text("48,30N"), text(""),
        48.5),
    ],
)  # fmt: skip
def test_one_odd_part_does_not_lose_the_place(north: written.Entry, ref: written.Entry, expected: float | None) -> None:
    gps = {1: ref, 2: north, 3: text("E"), 4: EAST, 6: (5, (7, 0)), 7: (5, (0, 0, 0, 0, 0, 0))}
    found = facts(jpeg(tiff({}, {}, gps)))
    assert (found.latitude, found.longitude) == ((expected, 11.25) if expected else (None, None))
    assert found.altitude is None
    other = xmp('exif:GPSLatitude="1,30N" exif:GPSLongitude="2,15E" exif:GPSAltitude="10/1"')
    assert facts(jpeg(tiff({}, {}, gps), other)).latitude == (expected or 1.5)  # of the next source, as a whole


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        ("48,7.5N", "11,30.0E", (48.125, 11.5)), ("48,7,30N", "11,30,0W", (48.125, -11.5)),
        ("48.125", "-11.5", (48.125, -11.5)), ("-48.125", "11.5", (-48.125, 11.5)), ("48.125N", "11.5W",
        (48.125, -11.5)),
        ("48,7.5", "11,30", None), ("48,125N", "11,5E", None),
        ("91,0N", "11,0E", None), ("x", "y", None), ("0,0N", "0,0E", None), ("", "11.5",
        None),
    ],
)  # fmt: skip
def test_positions_in_xmp(latitude: str, longitude: str, expected: tuple[float, float] | None) -> None:
    packet = xmp(
        f'exif:GPSLatitude="{latitude}" exif:GPSLongitude="{longitude}" exif:GPSAltitude="4305/10" '
        'exif:GPSAltitudeRef="1"'
    )
    found = facts(jpeg(b"", packet))
    assert (found.latitude, found.longitude, found.altitude) == (
        (*expected, -430.5) if expected else (None, None, None)
    )


@pytest.mark.parametrize(
    ("altitude", "below", "expected"), [("-30/1", "1", -30), ("-30/1", "0", -30), ("30", "1", -30)]
)
def test_below_the_sea_is_below_however_it_is_said(altitude: str, below: str, expected: float) -> None:
    packet = xmp(
        f'exif:GPSLatitude="31,30N" exif:GPSLongitude="35,30E" exif:GPSAltitude="{altitude}" '
        f'exif:GPSAltitudeRef="{below}"'
    )
    assert facts(jpeg(b"", packet)).altitude == expected


def test_places_that_people_wrote() -> None:
    fields = 'photoshop:City="Kyoto" photoshop:Country="Japan"'
    inside = "<Iptc4xmpExt:City>Nara</Iptc4xmpExt:City><Iptc4xmpExt:CountryName>Nippon</Iptc4xmpExt:CountryName>"
    item = f'<rdf:Bag><rdf:li rdf:parseType="Resource">{inside}</rdf:li></rdf:Bag>'
    shown = f"<Iptc4xmpExt:LocationShown>{item}</Iptc4xmpExt:LocationShown>"
    created = f"<Iptc4xmpExt:LocationCreated>{item.replace('Nara', 'Uji')}</Iptc4xmpExt:LocationCreated>"
    records = iptc((90, b"Brest"), (95, b"Bretagne"), (101, b"France"))

    def place(*blocks: Any) -> tuple[str | None, str | None, str | None]:
        found = facts(jpeg(b"", *blocks))
        return found.town, found.region, found.country

    assert place(xmp(fields, shown + created), records) == ("Kyoto", None, "Japan")
    assert place(xmp("", created + shown), records) == ("Nara", None, "Nippon")
    assert place(xmp("", created), records) == ("Uji", None, "Nippon")
    assert place(b"", records) == ("Brest", "Bretagne", "France")


# -- what people wrote ----------------------------------------------------------------------------------------------


def wide(value: str) -> written.Entry:
    return 1, value.encode("utf-16-le") + b"\0\0"


def test_titles_and_captions_by_the_most_trusted_source() -> None:
    block = tiff({0x9C9B: wide("T4"), 0x010E: text("C4 \u00e9"), 0x9C9C: wide("C5")})
    packet = xmp("", f"<dc:title>{array('Alt', 'T2')}</dc:title><dc:description>{array('Alt', 'C2')}</dc:description>")
    records = iptc((5, b"T3"), (120, b"C3"))
    sidecar = xmp('dc:title="T1" dc:description="C1"')

    def both(*blocks: bytes, beside: tuple[bytes, ...] = ()) -> tuple[str | None, str | None]:
        found = facts(jpeg(*blocks), *beside)
        return found.title, found.caption

    assert both(block, packet, records, beside=(sidecar, xmp('dc:title="T0"'))) == ("T1", "C1")
    assert both(block, packet, records) == ("T2", "C2")
    assert both(block, b"", records) == ("T3", "C3")
    assert both(block) == ("T4", "C4 é")
    assert both(tiff({0x9C9C: wide("C5")})) == (None, "C5")
    assert facts(png((b"tEXt", b"Title\0T6"), (b"iTXt", b"Description\0\0\0\0\0C6 \xc3\xa9"))).title == "T6"


def test_of_texts_in_languages_the_default_is_taken() -> None:
    items = '<rdf:Alt><rdf:li xml:lang="de-DE">Meer</rdf:li><rdf:li xml:lang="x-default">Sea</rdf:li></rdf:Alt>'
    assert facts(jpeg(b"", xmp("", f"<dc:title>{items}</dc:title>"))).title == "Sea"
    assert facts(jpeg(b"", xmp("", f"<dc:title>{items.replace('x-default', 'en')}</dc:title>"))).title == "Meer"


@pytest.mark.parametrize(
    "filler",
    [
        "OLYMPUS DIGITAL CAMERA         ", "SAMSUNG", "SAMSUNG DIGITAL CAMERA", "SONY DSC",
        "DCIM\\100MEDIA\\DJI_0001.JPG",
        "KONICA MINOLTA DIGITAL CAMERA", "Exif_JPEG_PICTURE", "hdr", "Acme", "Acme X1", "null", "default",
        "oznor_vivi", "sdr_HDRB", "AppleMark", "File written by Adobe Photoshop 5.2", "ImageJ=1.53t images=3",
    ],
)  # fmt: skip
def test_what_cameras_fill_in_is_no_caption(filler: str) -> None:
    block = tiff({0x010E: text(filler), 0x010F: text("Acme"), 0x0110: text("Acme X1")})
    assert facts(jpeg(block)).caption is None
    assert facts(jpeg(block, xmp(f'dc:description="{filler}"'), iptc((120, b"The sea")))).caption == "The sea"
    assert facts(jpeg(block, xmp(f'dc:title="{filler}"'), iptc((5, b"Waves")))).title == "Waves"
    assert facts(jpeg(tiff({0x010E: text("My SAMSUNG on the table")}))).caption == "My SAMSUNG on the table"


@pytest.mark.parametrize(
    "filler",
    [
        '{"shape": [64, 48, 3]}', '{"shape": [64, 48], "axes": "YX", "unit": "um", "more": ' + "0" * 3000,
        'ImageJ=1.53t\nimages=3\nslices=3\nloop=false',
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="x"><Image/></OME>',
        '<?xml version="1.0"?><!-- Warning: this comment is an OME-XML metadata block --><ome:OME xmlns:ome="x"/>',
    ],
)  # fmt: skip
def test_how_samples_lie_in_a_file_is_no_caption(filler: str) -> None:
    assert facts(jpeg(tiff({0x010E: text(filler)}))).caption is None


def test_captions_are_longer_than_other_texts() -> None:
    found = facts(jpeg(b"", xmp(f'dc:title="{"t " * 3000}" dc:description="{"c " * 3000}"')))
    assert (len(found.title or ""), len(found.caption or "")) == (199, 1999)


def test_keywords_of_all_sources_are_merged_without_doubles() -> None:
    packet = xmp(
        "",
        f"<dc:subject>{array('Bag', 'sea', 'Kyoto', 'Japan', 'temple')}</dc:subject>"
        f"<lr:hierarchicalSubject>{array('Bag', 'Places|Japan|Kyoto')}</lr:hierarchicalSubject>"
        f"<digiKam:TagsList>{array('Seq', 'Places', 'Places/Japan', 'Places/Japan/Kyoto', 'Animals/Cat')}"
        "</digiKam:TagsList>",
    )
    block = tiff({0x9C9E: wide("Sea; boat ;;")})
    words = ("Places|Japan|Kyoto", "Animals|Cat", "sea", "temple", "café", "boat")
    assert facts(jpeg(block, packet, iptc((25, b"TEMPLE"), (25, b"caf\xe9")))).keywords == words
    assert facts(jpeg(block, packet), xmp('dc:title="x" dc:subject="only"')).keywords == ("only",)
    assert facts(jpeg(block, packet), xmp('xmp:Rating="1"')).keywords == (
        "Places|Japan|Kyoto",
        "Animals|Cat",
        "sea",
        "temple",
        "boat",
    )


@pytest.mark.parametrize(
    ("charset", "data", "expected"),
    [(b"\x1b%G", b"caf\xc3\xa9", "café"), (b"", b"caf\xc3\xa9", "café"), (b"", b"caf\xe9", "café"), (b"", b"\x80",
    None),
     (b"", b"5 \x80", "5 €"), (b"\x1b%G", b"caf\xe9", "caf\ufffd")],
)  # fmt: skip
def test_character_sets_of_iptc(charset: bytes, data: bytes, expected: str | None) -> None:
    assert facts(jpeg(b"", b"", iptc((5, data), charset=charset))).title == expected


def test_iptc_with_long_records() -> None:
    long = b"\x1c\x02\x78\x80\x04" + struct.pack(">I", 3) + b"sea"
    assert facts(jpeg(b"", b"", long + iptc((5, b"T")))).caption == "sea"
    assert facts(jpeg(b"", b"", iptc((5, b"T")) + b"\x1c\x02\x78\xff\xff")).title == "T"


@pytest.mark.parametrize(
    ("attributes", "block", "expected"),
    [
        ('xmp:Rating="3"', {}, 3), ('xmp:Rating="3.5"', {}, 3), ('xmp:Rating="-1"', {0x4746: (3, (4,))}, None),
        ('MicrosoftPhoto:Rating="75"', {}, 4), ('MicrosoftPhoto:Rating="99"', {}, 5), ('MicrosoftPhoto:Rating="1"',
        {}, 1),
        ('xmp:Rating="2" MicrosoftPhoto:Rating="99"', {}, 2), ("", {0x4746: (3, (4,))}, 4), ("",
        {0x4749: (3, (50,))}, 3),
        ('xmp:Rating="9"', {}, None), ('xmp:Rating="five"', {0x4746: (3, (1,))}, 1),
    ],
)  # fmt: skip
def test_ratings(attributes: str, block: dict[int, Any], expected: int | None) -> None:
    assert facts(jpeg(tiff(block), xmp(attributes))).rating == expected
    assert facts(jpeg(tiff(block), xmp(attributes)), xmp('xmp:Rating="5"')).rating == 5
    assert facts(jpeg(tiff(block), xmp(attributes)), xmp('xmp:Rating="0"')).rating is None


def test_labels() -> None:
    assert facts(jpeg(b"", xmp('xmp:Label="Red"'))).colour_label == "Red"
    assert (
        facts(jpeg(), xmp("", f"<darktable:colorlabels>{array('Seq', '3', '0')}</darktable:colorlabels>")).colour_label
        == "Blue"
    )


def test_names_of_people() -> None:
    mwg = "".join(
        f'<rdf:li><rdf:Description mwg-rs:Name="{name}" mwg-rs:Type="{kind}"/></rdf:li>'
        for name, kind in (("Ann", "Face"), ("Rex", "Pet"), ("Bob", "face"), ("", "Face"))
    )
    microsoft = '<rdf:li MPReg:PersonDisplayName="Cid" MPReg:Rectangle="0,0,1,1"/><rdf:li MPReg:Rectangle="0,0,1,1"/>'
    packet = xmp(
        "",
        f'<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag>{mwg}</rdf:Bag></mwg-rs:RegionList>'
        f"</mwg-rs:Regions><MP:RegionInfo><rdf:Description><MPRI:Regions><rdf:Bag>{microsoft}</rdf:Bag></MPRI:Regions>"
        f"</rdf:Description></MP:RegionInfo><Iptc4xmpExt:PersonInImage>{array('Bag', 'Ann', 'Dee')}"
        "</Iptc4xmpExt:PersonInImage>",
    )
    assert facts(jpeg(b"", packet)).people == ("Ann", "Bob", "Cid", "Dee")


# -- XML by strangers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "packet",
    [
        xmp('xmp:Rating="4"').replace(b"xmp:", b"xap:").replace(b"xmlns:xmp=", b"xmlns:xap="),
        xmp("", "<xmp:Rating>4</xmp:Rating>"),
        xmp("", "<xmp:Rating><rdf:Description><rdf:value>4</rdf:value></rdf:Description></xmp:Rating>"),
        xmp("", "<dc:title>a & b \x01</dc:title><xmp:Rating>4</xmp:Rating>"),
        xmp('dc:title="caf\u00e9"', "<xmp:Rating>4</xmp:Rating>").decode().encode("latin-1", "ignore"),
        xmp('xmp:Rating="4"').decode().encode("utf-16"),
        xmp('xmp:Rating="4"').decode().lstrip("\ufeff").encode("utf-16-be"),
        xmp('xmp:Rating="4"')[:-90], b"\0\0  " + xmp('xmp:Rating="4"') + b"\0\0", xmp('xmp:Rating="4"') + b"<rubbish",
    ],
)  # fmt: skip
def test_xmp_in_many_forms(packet: bytes) -> None:
    assert facts(jpeg(b"", packet)).rating == 4


@pytest.mark.timeout(20)
def test_xmp_that_is_meant_to_hurt() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    inner = xmp("", "<dc:title>&b;</dc:title>")
    deep = xmp("", "<dc:title>" + "<dc:a>" * 200_000 + "</dc:a>" * 200_000 + "</dc:title>")
    many = xmp("", f"<dc:subject>{array('Bag', *['w'] * 200_000)}</dc:subject>")
    long = xmp("", f"<dc:title>{'x' * 20_000_000}</dc:title>")
    for packet in (bomb + inner, deep, many, long):
        found = facts(jpeg(), packet)
        assert found.title is None
        assert len(found.keywords) <= 1


# -- damage ---------------------------------------------------------------------------------------------------------


def is_clean(found: Facts) -> bool:
    values = [getattr(found, name) for name in Facts.__slots__]
    texts = [value for value in values if isinstance(value, str)] + [*found.keywords, *found.people]
    return all(text.isprintable() and text == text.strip() and len(text) <= 2000 for text in texts)


@examples(150)
@given(st.data())
def test_any_bytes_as_metadata_raise_nothing(data: st.DataObject) -> None:
    wholes = (
        note(nikon()),
        note(olympus(b"OLYMPUS\0II\3\0")),
        EXIF,
        tiff({}, {}, {1: text("N"), 2: NORTH, 3: text("E"), 4: EAST}),
    )
    block = data.draw(st.binary(max_size=300) | st.sampled_from(wholes).flatmap(lambda whole: damaged(whole)))
    packet = data.draw(st.binary(max_size=200) | damaged(XMP) | st.text(max_size=100).map(lambda title: xmp("", title)))
    records = data.draw(st.binary(max_size=200) | damaged(IPTC))
    assert is_clean(facts_of(1, 1, "X", Blocks(exif_in(block), (packet,), records), Beside("", (packet,))))
    for whole in (
        jpeg(block, packet, records),
        png((b"eXIf", block), profile("xmp", packet), profile("iptc", records)),
    ):
        found = facts(whole)
        assert is_clean(found)
        assert {found.width, found.height} == {30, 20}


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 6))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


@pytest.mark.parametrize("data", [jp2(), with_tiff_tags(), jpeg(EXIF, XMP, IPTC), picture("WEBP", exif=EXIF, xmp=XMP)])
def test_a_picture_is_read_whatever_its_metadata(data: bytes) -> None:
    for mark in (b"http://", b"Acme", b"uuid", b"II*\0\x08", b"Exif", b"8BIM"):
        broken = data.replace(mark, b"\xff" * len(mark))
        if broken != data and not (mark == b"II*\0\x08" and data.startswith(mark)):
            assert facts(broken).width == 30
