"""Dates as cameras, scanners and programs write them, and as names of files have them; and which of them counts."""

from __future__ import annotations

import io

import pytest
import written
from hypothesis import given
from hypothesis import strategies as st

from sightline.images.decode import decode_header
from sightline.metadata.facts import Beside, Facts

Written = tuple[str | None, str | None, int | None]


def taken(data: bytes, name: str = "", *sidecars: bytes) -> Written:
    facts: Facts = decode_header(io.BytesIO(data), beside=Beside(name, sidecars))
    return facts.taken_at, facts.taken_from, facts.taken_offset


def exif(original: str | None = None, digitised: str | None = None, modified: str | None = None) -> bytes:
    details = {tag: written.text(text) for tag, text in ((0x9003, original), (0x9004, digitised)) if text is not None}
    return written.tiff({} if modified is None else {0x0132: written.text(modified)}, details)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2012:06:15 24:10:15", "2012-06-15T00:10:15"),  # the hour after midnight, as some phones count
        ("2016:12:31 23:59:60", "2016-12-31T23:59:59"),
        ("1978:00:00 00:00:00", "1978"), ("1978:07:00 00:00:00", "1978-07"), ("1978", "1978"), ("1978:07", "1978-07"),
        ("1978:  :     :  :  ", "1978"), ("2023:06:15", "2023-06-15"), ("2023:06:15 10:20", "2023-06-15T10:20"),
        ("2003: 1: 5  9: 7: 2", "2003-01-05T09:07:02"), ("2023:06:15   :  :  ", "2023-06-15"),
        ("  2023:06:15 10:20:30  ", "2023-06-15T10:20:30"), ("2023:06:15 10:20:  ", "2023-06-15T10:20"),
        ("2010:05:01 02:15:30 PM", "2010-05-01T14:15:30"), ("2010:05:01 12:05 am", "2010-05-01T00:05"),
        ("2010:05:01 오후 3:20:11", "2010-05-01T15:20:11"), ("2010:05:01 14:15:30 PM", "2010-05-01T14:15:30"),
        ("2010:05:01 02:15:30 p.m.", "2010-05-01T14:15:30"), ("2010:05:01 午後 0:15", "2010-05-01T12:15"),
        ("2010:05:01 14.15.30", "2010-05-01T14:15:30"),
        ("2010-05-01T14:15:30.123", "2010-05-01T14:15:30"), ("2010/05/01 14:15:30", "2010-05-01T14:15:30"),
        ("2010.05.01 14:15:30", "2010-05-01T14:15:30"), ("20100501 141530", "2010-05-01T14:15:30"),
        ("20100501T1415", "2010-05-01T14:15:00"), ("2010:05:01:14:15:30", "2010-05-01T14:15:30"),
        ("Sat May  1 14:15:30 2010", "2010-05-01T14:15:30"), ("1 May 2010 14:15:30", "2010-05-01T14:15:30"),
        ("2010:05:01 99:15:30", "2010-05-01"), ("2010:05:01 10:60:30", "2010-05-01"),
        ("2010:05:01 10:20:75", "2010-05-01T10:20"), ("2000:01:01 00:00:00", "2000-01-01T00:00:00"),
        ("1980:01:01 00:00:00", "1980-01-01T00:00:00"), ("1642:03:04", "1642-03-04"), ("2024:02:29", "2024-02-29"),
    ],
)  # fmt: skip
def test_dates_are_read_as_far_as_they_are_known(text: str, expected: str) -> None:
    assert taken(written.jpeg(exif(text)))[:2] == (expected, "original")
    assert taken(written.jpeg(exif(text, modified="2019:01:02 10:00:00")))[:2] == (expected, "original")


@pytest.mark.parametrize(
    ("zone", "offset"),
    [
        ("+02", 120),
        ("+0200", 120),
        ("+02:00", 120),
        ("Z", 0),
        ("-03:30", -210),
        ("", None),
        ("+99", None),
        ("xyz", None),
    ],
)
def test_offsets_in_dates(zone: str, offset: int | None) -> None:
    packet = written.xmp(f'exif:DateTimeOriginal="2010-07-11T13:53:00{zone}"')
    assert taken(written.jpeg(b"", packet)) == ("2010-07-11T13:53:00", "original", offset)


@pytest.mark.parametrize(
    "text", ["2010:13:01 10:00:00", "2010:02:30 10:00:00", "99:06:15 10:20:30", "0001:01:01", "x1y"]
)
def test_an_unreadable_date_never_lets_the_date_of_an_edit_pass(text: str) -> None:
    edited = "2019:01:02 10:00:00"
    assert taken(written.jpeg(exif(text, modified=edited))) == (None, None, None)
    assert taken(written.jpeg(exif(text, "2012:06:15 10:00:00", edited)))[:2] == ("2012-06-15T10:00:00", "digitised")
    packet = written.xmp('photoshop:DateCreated="2011-03-04"')
    assert taken(written.jpeg(exif(text, modified=edited), packet))[:2] == ("2011-03-04", "original")
    assert taken(written.jpeg(exif(text, modified=edited)), "IMG_20110304_050607.jpg")[:2] == (
        "2011-03-04T05:06:07", "file name",
    )  # fmt: skip


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "    :  :     :  :  ", "", "unknown", "1970:01:01 00:00:00"])
def test_a_date_that_is_not_set_lets_the_next_one_count(text: str) -> None:
    assert taken(written.jpeg(exif(text, modified="2019:01:02 10:00:00")))[:2] == ("2019-01-02T10:00:00", "modified")


def test_dates_count_by_what_they_are_and_then_by_where_they_stand() -> None:
    packet = written.xmp(
        'exif:DateTimeOriginal="2002-01-01T01:01:01" photoshop:DateCreated="2004-01-01T01:01:01" '
        'exif:DateTimeDigitized="2006-01-01" xmp:CreateDate="2008-01-01" xmp:ModifyDate="2010-01-01"'
    )
    records = written.iptc((55, b"20030101"), (60, b"010101+0100"), (62, b"20070101"))
    block = exif("2001:01:01 01:01:01", "2005:01:01 01:01:01", "2009:01:01 01:01:01")
    sidecar = written.xmp('photoshop:DateCreated="2000-01-01"')
    assert taken(written.jpeg(block, packet, records), "IMG_20110304_050607.jpg", sidecar)[0] == "2000-01-01"
    found: list[Written] = []
    for tag in ("sidecar", 0x9003, "exif:DateTimeOriginal", b"\x1c\x02\x37", "photoshop:DateCreated", 0x9004,
                "exif:DateTimeDigitized", b"\x1c\x02\x3e", "xmp:CreateDate", 0x0132, "xmp:ModifyDate"):  # fmt: skip
        if isinstance(tag, int):
            block = block.replace(tag.to_bytes(2, "little") + b"\2\0", b"\xfe\xfe\2\0")
        elif isinstance(tag, bytes):
            records = records.replace(tag, b"\x1c\x02\xfe")
        else:
            packet = packet.replace(f"{tag}=".encode(), b"exif:Unused=", 1).replace(
                b"exif:Unused", b"exif:U%d" % len(found)
            )
        found.append(taken(written.jpeg(block, packet, records), "IMG_20110304_050607.jpg"))
    assert [(text[:4], source) for text, source, _ in found if text and source] == [
        ("2001", "original"), ("2002", "original"), ("2003", "original"), ("2004", "original"), ("2005", "digitised"),
        ("2006", "digitised"), ("2007", "digitised"), ("2008", "created"), ("2009", "modified"), ("2010", "modified"),
        ("2011", "file name"),
    ]  # fmt: skip
    assert found[2] == ("2003-01-01T01:01:01", "original", 60)


def test_a_date_of_the_same_kind_completes_one_that_is_less_precise() -> None:
    packet = written.xmp('photoshop:DateCreated="2009-09-09T17:00:00+02:00"')
    assert taken(written.jpeg(b"", packet, written.iptc((55, b"20090909")))) == ("2009-09-09T17:00:00", "original", 120)
    assert taken(written.jpeg(b"", packet, written.iptc((55, b"20090908"))))[0] == "2009-09-08"
    assert taken(written.jpeg(b"", b"", written.iptc((55, b"19780700"))))[0] == "1978-07"


def test_dates_of_containers() -> None:
    created = written.png((b"tEXt", b"Creation Time\0Tue, 05 Mar 2019 10:20:30 GMT"))
    assert taken(created) == ("2019-03-05T10:20:30", "created", 0)
    assert taken(written.png((b"tIME", bytes.fromhex("07e3 0305 0a141e")), behind=True)) == (
        "2019-03-05T10:20:30", "modified", 0,
    )  # fmt: skip
    assert taken(written.png((b"tEXt", b"date:create\x002019-03-05T10:20:30"))) == (None, None, None)
    avif = written.picture("AVIF")
    for seconds, expected in ((3_634_626_030, "2019-03-05T10:20:30"), (0, None), (2_082_844_800, None)):
        moov = written.box(b"moov", written.box(b"mvhd", b"\0\0\0\0" + seconds.to_bytes(4, "big") * 2 + bytes(88)))
        assert taken(avif + moov) == ((expected, "container", 0) if expected else (None, None, None))
        assert taken(avif + moov, "IMG_20110304_050607.avif")[0] == (expected or "2011-03-04T05:06:07")


@pytest.mark.parametrize(
    ("name", "expected", "offset"),
    [
        ("IMG_20190102_123456.jpg", "2019-01-02T12:34:56", None), ("20190102_123456.jpg", "2019-01-02T12:34:56", None),
        ("VID_20190102_123456~2.jpg", "2019-01-02T12:34:56", None),
        ("PXL_20190102_123456789.jpg", "2019-01-02T12:34:56", 0),
        ("PXL_20190102_123456789.MP.jpg", "2019-01-02T12:34:56", 0), ("IMG-20190102-WA0001.jpg", "2019-01-02", None),
        ("Screenshot_2019-01-02-12-34-56.png", "2019-01-02T12:34:56", None),
        ("Screenshot_20190102-123456_Chrome.jpg", "2019-01-02T12:34:56", None),
        ("Screenshot_2019-01-02-12-34-56-789_com.app.png", "2019-01-02T12:34:56", None),
        ("Screen Shot 2019-01-02 at 12.34.56 PM.png", "2019-01-02T12:34:56", None),
        ("Screen Shot 2019-01-02 at 1.34.56 PM.png", "2019-01-02T13:34:56", None),
        ("Screenshot 2019-01-02 at 1.34.56\u202fAM.png", "2019-01-02T01:34:56", None),
        ("Bildschirmfoto 2019-01-02 um 12.34.56.png", "2019-01-02T12:34:56", None),
        ("Capture d\u2019écran 2019-01-02 à 12.34.56.png", "2019-01-02T12:34:56", None),
        ("2019-01-02 12.34.56.jpg", "2019-01-02T12:34:56", None),
        ("2019-01-02 12.34.56-1.jpg", "2019-01-02T12:34:56", None),
        ("signal-2019-01-02-123456.jpg", "2019-01-02T12:34:56", None),
        ("signal-2019-01-02-12-34-56-789.jpg", "2019-01-02T12:34:56", None),
        ("WhatsApp Image 2019-01-02 at 12.34.56.jpeg", "2019-01-02T12:34:56", None),
        ("WhatsApp Image 2019-01-02 at 12.34.56 (1).jpeg", "2019-01-02T12:34:56", None),
        ("photo_2019-01-02_12-34-56.jpg", "2019-01-02T12:34:56", None),
        ("photo_1@02-01-2019_12-34-56.jpg", "2019-01-02T12:34:56", None),
        ("WP_20190102_12_34_56_Pro.jpg", "2019-01-02T12:34:56", None), ("WP_20190102_001.jpg", "2019-01-02", None),
        ("00000IMG_00000_BURST20190102123456789_COVER.jpg", "2019-01-02T12:34:56", None),
        ("2019-01-02 birthday.jpg", "2019-01-02", None), ("2019_01_02.jpg", "2019-01-02", None),
        ("Screenshot 2019-01-02 123456.png", "2019-01-02T12:34:56", None),
        ("IMG_20190102_996199.jpg", "2019-01-02", None),
        ("WIN_20190102_12_34_56_Pro.jpg", "2019-01-02T12:34:56", None),
        ("스크린샷 2019-01-02 오후 1.34.56.png", "2019-01-02T13:34:56", None),
        ("截屏2019-01-02 下午1.34.56.png", "2019-01-02T13:34:56", None),
        ("Captura de Pantalla 2019-01-02 a la(s) 1.34.56 p.m..png", "2019-01-02T13:34:56", None),
        ("2019-01-02-12345.jpg", "2019-01-02", None), ("2019-01-02-001.jpg", "2019-01-02", None),
        ("C360_2019-01-02-12-34-56-789.jpg", "2019-01-02T12:34:56", None),
        *((name, None, None) for name in (
            "DSC_0123.jpg", "DSC_20190.jpg", "IMG_2019.jpg", "20190102.jpg", "4915112345678.jpg",
            "FB_IMG_1546300800000.jpg",
            "received_10153282920191231.jpeg", "IMG_20191301_123456.jpg", "IMG_20190230_123456.jpg",
            "19700101_000000.jpg",
            "2019-13-01.jpg", "12019-01-023.jpg", "01-02-2019.jpg", "1234-56-78 12.34.56.jpg", "+49 30 2019 0102.jpg",
            "a20190102b.jpg", "",
            "order_20190102_998877.jpg", "0171-2010-12-15.jpg", "ISBN 978-2019-01-02.jpg",
            "DSC_19990102123456789012.jpg",
        )),
    ],
)  # fmt: skip
def test_the_date_in_a_name_is_the_last_resort(name: str, expected: str | None, offset: int | None) -> None:
    assert taken(written.jpeg(), name) == (expected, "file name" if expected else None, offset)
    assert taken(written.jpeg(exif(modified="2001:01:01 01:01:01")), name)[:2] == ("2001-01-01T01:01:01", "modified")


@given(st.text(max_size=60) | st.text("0123456789-_: .TZ+APM", max_size=40))
def test_any_text_is_a_date_that_sorts_or_none(text: str) -> None:
    packet = written.xmp(f'exif:DateTimeOriginal="{"".join(c for c in text if c.isalnum() or c in "-_: .+/,")}"')
    for found, _, offset in (taken(written.jpeg(b"", packet)), taken(written.jpeg(), text)):
        assert found is None or len(found) in (4, 7, 10, 16, 19)
        assert offset is None or found is not None
