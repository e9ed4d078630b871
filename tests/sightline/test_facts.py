"""Facts from EXIF, through real files: what is right is read, what is broken is missing, nothing raises."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin
from support import AWKWARD

from examples import examples
from sightline.images.decode import decode_header
from sightline.metadata.facts import Facts, read_facts
from sightline.metadata.text import clean_text
from sightline.metadata.trust import DATES, ORDER

TAG = ExifTags.Base
GPS = ExifTags.GPS


def facts_of(data: bytes) -> Facts:
    source = io.BytesIO(data)
    with Image.open(source) as image:
        return read_facts(image, source)


def jpeg(
    main: dict[int, Any] | None = None, details: dict[int, Any] | None = None, gps: dict[int, Any] | None = None
) -> bytes:
    exif = Image.Exif()
    exif.update(main or {})
    if details:
        exif.get_ifd(ExifTags.IFD.Exif).update(details)
    if gps:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def place(north: tuple[Any, ...], ns: str, east: tuple[Any, ...], ew: str, **more: Any) -> dict[int, Any]:
    table = {GPS.GPSLatitudeRef: ns, GPS.GPSLatitude: north, GPS.GPSLongitudeRef: ew, GPS.GPSLongitude: east}
    return table | {GPS.__members__[name]: value for name, value in more.items()}


def described(attributes: bytes, elements: bytes = b"") -> bytes:
    """A packet of XMP without declarations of the usual prefixes."""
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description %s>%s</rdf:Description></rdf:RDF></x:xmpmeta>'
        % (attributes, elements)
    )


def test_everything_at_once() -> None:
    facts = facts_of((AWKWARD / "gps.jpg").read_bytes())
    assert (facts.width, facts.height, facts.format) == (160, 120, "JPEG")
    assert (facts.taken_at, facts.taken_offset) == ("2024-07-15T18:30:05", -180)
    assert (facts.camera_make, facts.camera_model) == ("Sightline", "Pinhole 1")
    assert facts.latitude == pytest.approx(-22.951778, abs=1e-5)
    assert facts.longitude == pytest.approx(-43.2105, abs=1e-5)
    assert facts.altitude == pytest.approx(380.5)
    assert facts.orientation == 1


def test_no_exif_is_no_facts() -> None:
    assert facts_of(jpeg()) == Facts(width=30, height=20, format="JPEG")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_upright(orientation: int) -> None:
    facts = facts_of(jpeg({TAG.Orientation: orientation}))
    assert (facts.width, facts.height) == ((30, 20) if orientation < 5 else (20, 30))
    assert facts.orientation == orientation


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientations_that_do_not_exist(orientation: int) -> None:
    facts = facts_of(jpeg({TAG.Orientation: orientation}))
    assert (facts.orientation, facts.width) == (1, 30)


def test_a_date_prefers_the_shutter_and_takes_its_own_offset() -> None:
    main: dict[int, Any] = {TAG.DateTime: "2021:03:03 03:03:03"}
    details: dict[int, Any] = {
        TAG.DateTimeOriginal: "2021:01:01 01:01:01",
        TAG.DateTimeDigitized: "2021:02:02 02:02:02",
        TAG.OffsetTimeDigitized: "+05:45",
        TAG.OffsetTime: "Z",
    }
    assert facts_of(jpeg(main, details)).taken_at == "2021-01-01T01:01:01"
    assert facts_of(jpeg(main, details)).taken_offset is None
    del details[TAG.DateTimeOriginal]
    facts = facts_of(jpeg(main, details))
    assert (facts.taken_at, facts.taken_offset) == ("2021-02-02T02:02:02", 345)
    details[TAG.DateTimeDigitized] = "0000:00:00 00:00:00"
    facts = facts_of(jpeg(main, details))
    assert (facts.taken_at, facts.taken_offset) == ("2021-03-03T03:03:03", 0)


@pytest.mark.parametrize(
    "text",
    [
        "0000:00:00 00:00:00", "    :  :     :  :  ", "2020:13:01 00:00:00", "2020:02:30 00:00:00",
        "9999:12:31 23:59:59", "99:06:15 10:20:30", "", "yesterday", "٢٠٢٠:01:01 00:00:00", "1970:01:01 00:00:00",
        "1904:01:01 00:00:00",
    ],
)  # fmt: skip
def test_dates_that_are_none(text: str) -> None:
    assert facts_of(jpeg(details={TAG.DateTimeOriginal: text.encode()})).taken_at is None


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("+00:00", 0), ("+09:00", 540), ("-03:30", -210), ("+14:00", 840), ("+14:01", None), ("+01:75", None),
     ("Z", 0), ("   :  ", None), ("local", None)],
)  # fmt: skip
def test_offsets(text: str, minutes: int | None) -> None:
    data = jpeg(details={TAG.DateTimeOriginal: "2020:01:01 00:00:00", TAG.OffsetTimeOriginal: text})
    assert facts_of(data).taken_offset == minutes


@pytest.mark.parametrize(("ns", "sign_ns"), [("N", 1), ("S", -1)])
@pytest.mark.parametrize(("ew", "sign_ew"), [("E", 1), ("W", -1)])
def test_four_hemispheres(ns: str, sign_ns: int, ew: str, sign_ew: int) -> None:
    facts = facts_of(jpeg(gps=place((12.0, 30.0, 36.0), ns, (100.0, 0.0, 9.0), ew)))
    assert facts.latitude == pytest.approx(sign_ns * 12.51, abs=1e-6)
    assert facts.longitude == pytest.approx(sign_ew * 100.0025, abs=1e-6)


def test_altitude_below_the_sea() -> None:
    gps = place((31.0, 33.0, 0.0), "N", (35.0, 28.0, 0.0), "E", GPSAltitude=430.0, GPSAltitudeRef=b"\x01")
    assert facts_of(jpeg(gps=gps)).altitude == pytest.approx(-430)


@pytest.mark.parametrize(
    "gps",
    [
        place((0.0, 0.0, 0.0), "N", (0.0, 0.0, 0.0), "E", GPSAltitude=9.0),  # no fix
        place((91.0, 0.0, 0.0), "N", (10.0, 0.0, 0.0), "E"),
        place((10.0, 0.0, 0.0), "N", (180.0, 0.0, 1.0), "W"),
        place((10.0, 0.0, 0.0), "", (10.0, 0.0, 0.0), "E"),  # which hemisphere?
        place((10.0, 0.0, 0.0), "X", (10.0, 0.0, 0.0), "E"),
        {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (10.0, 0.0, 0.0)},  # half a place
        {
            GPS.GPSLatitudeRef: "N",
            GPS.GPSLatitude: (1.0, 2.0, 3.0, 4.0),
            GPS.GPSLongitudeRef: "E",
            GPS.GPSLongitude: 7.0,
        },
    ],
)
def test_places_that_are_none(gps: dict[int, Any]) -> None:
    facts = facts_of(jpeg(gps=gps))
    assert (facts.latitude, facts.longitude, facts.altitude) == (None, None, None)


def test_the_equator_is_a_place() -> None:
    facts = facts_of(jpeg(gps=place((0.0, 0.0, 0.0), "S", (9.0, 27.0, 0.0), "E")))
    assert facts.latitude == 0.0
    assert facts.longitude == pytest.approx(9.45)
    assert str(facts.latitude) == "0.0"  # and not -0.0


@pytest.mark.parametrize("bad", [(0, 0), (5, 0)])
def test_a_rational_over_zero_in_the_seconds_does_not_lose_the_place(bad: tuple[int, int]) -> None:
    """Pillow does not write such rationals, cameras do: patched into the bytes."""
    seconds = TiffImagePlugin.IFDRational(4115, 2263)
    data = jpeg(gps=place((10.0, 20.0, seconds), "N", (30.0, 40.0, 50.0), "E"))
    good, patched = facts_of(data), data
    assert good.latitude is not None
    for endian in "<>":
        patched = patched.replace(struct.pack(endian + "LL", 4115, 2263), struct.pack(endian + "LL", *bad))
    assert patched != data
    assert facts_of(patched).latitude == pytest.approx(10 + 20 / 60)  # without its seconds: 31 m at the most
    assert facts_of(patched).longitude == good.longitude


def test_camera_and_lens_are_clean() -> None:
    main: dict[int, Any] = {TAG.Make: "  NIKON CORPORATION\0\0\0", TAG.Model: "NIKON D90\0junk behind the string"}
    facts = facts_of(jpeg(main, {TAG.LensModel: "\x1b[31m18-105\u202emm\n f/3.5".encode()}))
    assert (facts.camera_make, facts.camera_model) == ("NIKON CORPORATION", "D90")
    assert facts.lens == "[31m18-105mm f/3.5"


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("Canon", "Canon EOS 5D", "EOS 5D"),
        ("Apple", "iPhone 12", "iPhone 12"),
        ("HP", "HPX 1", "HPX 1"),
        ("X", "X", "X"),
    ],
)
def test_make_is_not_repeated_in_the_model(make: str, model: str, expected: str) -> None:
    assert facts_of(jpeg({TAG.Make: make, TAG.Model: model})).camera_model == expected


def test_huge_and_empty_text() -> None:
    facts = facts_of(jpeg({TAG.Make: "ab " * 15_000, TAG.Model: "----"}))
    assert facts.camera_make is not None
    assert 190 <= len(facts.camera_make) <= 200
    assert facts.camera_model is None


@pytest.mark.parametrize(
    ("packet", "tag", "stars"),
    [
        (b"", 4, 4), (b"", 0, None), (b"", 6, None), (b"", "4", None), (b"", (3, 3), None),
        (described(b'xmp:Rating="5"'), None, 5), (described(b"", b"<xmp:Rating>3</xmp:Rating>"), 1, 3),
        (described(b"xmp:Rating = '2.0'"), None, 2), (described(b'xmp:Rating="-1"'), None, None),
        (described(b'xmp:Rating="0"'), 4, None), (described(b'xmp:Rating="45"'), 4, 4), (b'\xff xmp:Rating="', 2, 2),
        (described(b'r:Rating="4" xmlns:r="http://ns.adobe.com/xap/1.0/"'), None, 4), (b"", 3, 3),
        (described(b'xmp:Rating="4" xmlns:xmp="http://example.org/"'), None, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_ratings_are_one_to_five_stars_by_xmp_or_else_exif(
    packet: bytes, tag: Any, stars: int | None, kind: str
) -> None:
    exif = Image.Exif()
    exif[TAG.Make] = "Canon"
    if tag is not None:
        exif[TAG.Rating] = tag
    more: dict[str, Any] = {"xmp": packet} if packet else {}
    if kind == "PNG" and packet:
        more = {"pnginfo": PngImagePlugin.PngInfo()}
        more["pnginfo"].add_itxt("XML:com.adobe.xmp", packet.decode("utf-8", "replace").replace("\0", ""))
    if kind == "TIFF" and packet:
        exif[TAG.XMLPacket], more = packet, {}
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, kind, exif=exif, **more)
    assert facts_of(buffer.getvalue()).rating == stars
    assert decode_header(buffer).rating == stars


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"caf\xc3\xa9", "café"), (b"caf\xe9 \xff", "café ÿ"), (b"caf\xc3\xa9 \xe6", "café"), ("caf\xe9", "café"),
        ("\x01\x02\x7f\x9b", None), (7, None), (None, None), ("\ud800a", "a"), ("null", None),
    ],
)  # fmt: skip
def test_clean_text(value: object, expected: str | None) -> None:
    assert clean_text(value) == expected


@given(st.text(max_size=1000) | st.binary(max_size=1000))
def test_clean_text_is_one_printable_line(value: str | bytes) -> None:
    text = clean_text(value)
    assert text is None or (text.isprintable() and 0 < len(text) <= 200 and text == text.strip())


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@examples(200)
@given(st.data())
def test_damaged_exif_never_raises(data: st.DataObject) -> None:
    whole = bytearray((AWKWARD / "gps.jpg").read_bytes())
    start = whole.index(b"Exif\0\0") + 6
    length = int.from_bytes(whole[start - 8 : start - 6], "big") - 8
    for _ in range(data.draw(st.integers(1, 8))):
        whole[start + data.draw(st.integers(0, length - 1))] = data.draw(st.integers(0, 255))
    facts = facts_of(bytes(whole))
    assert {facts.width, facts.height} == {160, 120}
    assert 1 <= facts.orientation <= 8
    assert (facts.latitude is None) == (facts.longitude is None)


def ordered(section: str) -> dict[str, tuple[str, ...]]:
    """The first two columns of a table, the second as a list."""
    cells = [[cell.strip() for cell in line.split("|")] for line in section.splitlines() if line.startswith("| ")]
    return {row[1]: tuple(row[2].split(", ")) for row in cells}


def test_the_page_on_facts_gives_the_order_of_trust() -> None:
    page = (Path(__file__).parents[2] / "docs" / "facts.md").read_text(encoding="utf-8")
    of_facts, of_dates = page.split("## Order of trust")[1].split("## When it was taken")
    rows = ordered(of_facts)
    assert [*rows.items()][1:] == [*ORDER.items()]
    rows = ordered(of_dates)
    assert [*rows][1:] == [*DATES]
    for name, ranks in DATES.items():
        sources = [source for source, _ in ranks]
        assert list(rows[name]) == [name for at, name in enumerate(sources) if sources[at - 1 : at] != [name]]
