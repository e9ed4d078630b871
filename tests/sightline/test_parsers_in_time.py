"""Every text from outside is read in time, whatever it is, and with no error but the documented one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest
import timing
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from sightline.labels import checked_labels, checked_templates, split_labels
from sightline.metadata import dates, gps, iptc, xmp
from sightline.metadata.file_names import date_in_name
from sightline.metadata.text import clean_text, number_in
from sightline.query.parser import parse, to_text
from sightline.query.types import MAX_QUERY, QueryError
from store.places.names import country_called, similar_names, town_called, wanted_places
from store.tables import written
from store.tables.fact_table import FILTERS
from store.tables.marks_json import MarksError, read, tag_name

SIGNS = [
    *(f"{key}:" for key in FILTERS), "like:", "picture:", "space:", "sort:", "dedup:", "template:", "OR", "-", "^", '"',
    "“", "«", "「", "'", ",", "..", "<", ">=", "≥", "=", "*", "?", "[", "]", "\\", "|", "/", " ", "   ", "\t", "\0",
    "a", "width", "1", "000", "1e9", "9" * 20, "2023", "-06", "MB", "f/", "é", "ﬃ", "İ", "ﷺ", "\u0301", "{}", "km",
    "👩‍👩‍👧",
]  # fmt: skip


def texts(signs: Sequence[str], longest: int) -> st.SearchStrategy[str]:
    """Texts of these signs, of any characters, and of one sign again and again, as long as they may be."""
    mixed = st.lists(st.one_of(st.sampled_from(signs), st.text(max_size=8)), max_size=60).map("".join)
    again = st.builds(
        lambda head, sign, tail: (head + sign * longest)[: longest - len(tail)] + tail,
        mixed, st.sampled_from(signs), st.sampled_from(["", *signs]),
    )  # fmt: skip
    return st.one_of(mixed, again).map(lambda text: text[:longest])


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """What is loaded when it is first needed: the grammar, and the gazetteer."""
    for text in ("a", '"a"', "near:paris", "place:paris", "tag:a,b", "-a^2"):
        parse(text)
    similar_names("pariss")


@examples(400, nightly=10_000)
@given(texts(SIGNS, MAX_QUERY + 1))
def test_queries(text: str) -> None:
    timing.within_limit(lambda: to_text(parse(text)), QueryError)


@examples(200, nightly=10_000)
@given(texts([" ", ",", "a", "san ", "paris", "é", "-", "'", "il", "\u0301", "ﷺ"], 1_000))
def test_names_of_places(text: str) -> None:
    for read_name in (town_called, country_called, similar_names, wanted_places):
        timing.within_limit(partial(read_name, text))


@examples(200, nightly=10_000)
@given(texts(["*", '"', "a", "NEAR", "AND", "(", ")", "^", ":", "{", "東", "ﷺ", "\u0301", " "], 1_000))
def test_words_of_full_text(text: str) -> None:
    timing.within_limit(lambda: written.expression(["title"], [text]))


@examples(200, nightly=10_000)
@given(
    texts([" ", ":", "2023", "-", "/", ".", "T", "1", "12", "jan", "mon", ",", "am", "午後", "+", "Z", "\t"], 100_000)
)
def test_dates_and_numbers_of_files(text: str) -> None:
    timing.within_limit(lambda: dates.date_in(text, text))
    timing.within_limit(lambda: number_in(text))
    timing.within_limit(lambda: gps.degrees_in(text, "N", "NS", 90))
    timing.within_limit(lambda: clean_text(text, 200))
    timing.within_limit(lambda: clean_text(text.encode("utf-8", "replace"), 200))
    timing.within_limit(lambda: date_in_name(text[:255]))


def xmp_of(body: str) -> bytes:
    names = {"rdf": f"{xmp.RDF}#", "dc": "http://purl.org/dc/elements/1.1/", "xmp": "http://ns.adobe.com/xap/1.0/"}
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in names.items())
    return f"<rdf:RDF {declared}><rdf:Description>{body}</rdf:Description></rdf:RDF>".encode("utf-8", "surrogatepass")


XML = [
    "<dc:subject>", "</dc:subject>", "<rdf:Bag>", "</rdf:Bag>", "<rdf:li>", "</rdf:li>", "<rdf:li/>", "&", "&amp;",
    "&#1;",
    "<xmp:CreateDate>", "</xmp:CreateDate>", '<a xmlns:b="c"/>', '<dc:title xml:lang="x-default"/>', "<!--", "-->",
    "<?", "]]>",
    "<![CDATA[", "2023-01-01", " ", "a|b",
]  # fmt: skip


@examples(200, nightly=10_000)
@given(texts(XML, 30_000))
def test_xmp(text: str) -> None:
    timing.within_limit(lambda: xmp.properties(xmp_of(text)))


def test_xmp_that_declares_without_end() -> None:
    outer = " ".join(f'xmlns:p{number}="x"' for number in range(5_000))
    inner = '<rdf:li xmlns:q="x"/>' * 5_000
    packet = xmp_of(f"<dc:subject {outer}><rdf:Bag>{inner}</rdf:Bag></dc:subject>")
    timing.within_limit(lambda: xmp.properties(packet))


IPTC = [b"8BIM\x04\x04\0\0", b"\x1c\x02", b"\0\0\0\x05", b"\xff" * 4]


def iptc_of(block: bytes) -> None:
    for each in (block, *iptc.resources(block).values()):
        iptc.iptc_said(each)


@examples(200, nightly=10_000)
@given(st.binary(max_size=5_000), st.lists(st.sampled_from(IPTC), max_size=99))
def test_iptc(data: bytes, parts: list[bytes]) -> None:
    for block in (data, b"".join(parts) + data, data + b"".join(parts)):
        timing.within_limit(partial(iptc_of, block))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(
        st.sampled_from(["format", "version", "tags", "favourites", "searches", "set_aside", "selections", "name"])
        | st.text(max_size=5), inner, max_size=6,
    ),
    max_leaves=40,
)  # fmt: skip


@examples(200, nightly=10_000)
@given(JSON, st.text(max_size=2_000))
def test_marks_and_labels(data: object, text: str) -> None:
    timing.within_limit(lambda: read(data), MarksError)
    timing.within_limit(lambda: read({"format": "sightline-marks", "version": 3, "tags": data}), MarksError)
    timing.within_limit(lambda: tag_name(text), MarksError)
    timing.within_limit(lambda: split_labels(text), QueryError)
    timing.within_limit(lambda: checked_labels(text.split(" ")), QueryError)
    timing.within_limit(lambda: checked_templates([text]), QueryError)
