"""The query language: operators and filters read as documented, mistakes have a place, printing loses nothing."""

# ruff: noqa: RUF001  signs that look like others are read as those

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import DEMO, ROOT, Index

from examples import examples
from sightline.models.loaded import Encoders
from sightline.query import grammar
from sightline.query.edits import disliked, liked, without
from sightline.query.parser import explain, parse, to_text
from sightline.query.types import (
    MAX_FILTERS,
    MAX_QUERY,
    MAX_TERMS,
    MAX_TEXT,
    Group,
    Like,
    Picture,
    Query,
    QueryError,
    Subject,
    Taught,
    Term,
    Words,
)
from sightline.searcher import Searcher
from store.library import Library
from store.tables.fact_table import FILTERS
from store.tables.filters import (
    Choice,
    Date,
    Ext,
    Favourite,
    Filter,
    Folder,
    Name,
    Near,
    Number,
    Place,
    Real,
    Set,
    Tag,
    Text,
    Word,
    Written,
)

PAGE = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
KEYBOARDS = re.findall(r"^\| (`.+`) \| `([^`]+)`(?:: .*)? \|$", PAGE.partition("## What keyboards write")[2], re.M)
ROWS = re.findall(r"^\| .* \| `(.+)` \| ((?:look for|any of|exclude|only|not|option): .*) \|$", PAGE, re.M)
MISTAKES = re.findall(r"^\| `(.+)` \| (.* \(Character \d+\.\)) \|$", PAGE, re.M)


def words(text: str, weight: float = 1.0) -> Group:
    return Group((Term(Words(text), weight),))


def but(subject: Subject, weight: float = 1.0) -> Group:
    return Group((Term(subject, weight),), excluded=True)


def any_of(*subjects: Subject) -> Group:
    return Group(tuple(Term(subject) for subject in subjects))


# -- what is documented -----------------------------------------------------------------------------------------------


def test_the_page_has_every_filter_option_and_kind_of_term() -> None:
    tables = re.findall(r"^\| what \| example \| means \|\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.M)
    assert len(ROWS) == sum(table.count("\n") for table in tables) >= 35
    typed = " ".join(text for text, _ in ROWS)
    for name in (*FILTERS, "space", "sort", "dedup", "template", "like", "picture", "concept"):
        assert f"{name}:" in typed
    assert {type(given) for text, _ in ROWS for given in parse(text).filters} == set(FILTER_TYPES)
    assert {meaning.split(":")[0] for _, meaning in ROWS} == {"look for", "any of", "exclude", "only", "not", "option"}


@pytest.mark.parametrize(("text", "meaning"), ROWS)
def test_each_documented_example_is_understood_as_documented(text: str, meaning: str) -> None:
    query = parse(text)
    (line,) = explain(query)
    assert f"{line.kind}: {line.meaning}" == meaning
    assert parse(line.text) == query


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_each_documented_mistake_is_answered_as_documented(text: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_each_documented_example_can_be_searched_for(
    index: Index, photos: Path, library: Path, tiny_space: str
) -> None:
    assert index(photos).code == 0
    searcher = Searcher(Library.open(library), Encoders(offline=True))
    picture = next(DEMO.rglob("*.jpg")).read_bytes()
    searcher.library.concepts.teach("ours-boat", searcher.library.catalog.matching(())[:3].tolist())
    chosen = f"set:{searcher.library.marks.keep_set(searcher.library.catalog.matching(())[:3])}"
    whole = next(iter(re.findall(r"```text\n(.+)\n```", PAGE)))
    for text in [*(text for text, _ in ROWS), whole]:
        query = parse(text.replace("space:fast", f"space:{searcher.space().name}").replace("set:3f9a1c20b7e4", chosen))
        if query.is_empty:
            query = replace(query, filters=(Folder(("photos",)),))
        result = searcher.search(query, pictures={"1": picture})
        assert result.total == 24 or query.filters, text
        assert result.hits or result.why_empty, text


# -- terms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("", ()),
        (" \t\n\u00a0\x00\x85 ", ()),
        ("sunset beach", (words("sunset beach"),)),
        ("  sunset\u2003\x1fbeach\n", (words("sunset beach"),)),
        ("sunset -people beach", (words("sunset beach"), but(Words("people")))),
        ("-people sunset", (but(Words("people")), words("sunset"))),
        ('a "b c" d like:3 e', (words("a d e"), words("b c"), Group((Term(Like(3)),)))),
        ('-"two people" -like:12 -picture:abc', (but(Words("two people")), but(Like(12)), but(Picture("abc")))),
        ("“hot air” „balloon“ ”at sea”", (words("hot air"), words("balloon"), words("at sea"))),
        ("“say \"hi\"” \"say “hi”\"", (words('say "hi"'), words("say “hi”"))),
        (r'"a \" quote" "a \\ stroke" "C:\photos"', (words('a " quote'), words("a \\ stroke"), words(r"C:\photos"))),
        (r"“a \” quote”", (words("a ” quote"),)),
        ('"\tred\n\nboat "', (words("red boat"),)),
        ('"OR" "-x" "a:b" "x^2"', (words("OR"), words("-x"), words("a:b"), words("x^2"))),
        ("ORANGE or Or FORD", (words("ORANGE or Or FORD"),)),
        ("half-timbered 10:30 :-) 50% (a)", (words("half-timbered 10:30 :-) 50% (a)"),)),
        ("日本 été crème", (words("日本 été crème"),)),
        ("LIKE:12 Picture:aB3", (Group((Term(Like(12)),)), Group((Term(Picture("aB3")),)))),
        ('like:"12"', (Group((Term(Like(12)),)),)),
        ("Concept:Ours-Boat", (Group((Term(Taught("Ours-Boat")),)),)),
        ('a OR concept:Été^2 -concept:"x"', (Group((Term(Words("a")), Term(Taught("Été"), 2))), but(Taught("x")))),
        # weights
        ('"red boat"^2 ship', (words("red boat", 2), words("ship"))),
        ("red boat^1.5 ship", (words("red ship"), words("boat", 1.5))),
        ("like:12^0.5 -picture:a^.25", (Group((Term(Like(12), 0.5),)), but(Picture("a"), 0.25))),
        ('-people^2 -"a b"^1e-3', (but(Words("people"), 2), but(Words("a b"), 0.001))),
        # OR
        ("red boat OR blue ship", (any_of(Words("red boat"), Words("blue ship")),)),
        ('a OR "b c" OR like:1 OR picture:x', (any_of(Words("a"), Words("b c"), Like(1), Picture("x")),)),
        ('red "x" OR y z', (words("red"), any_of(Words("x"), Words("y z")))),
        ('a OR "b" c', (any_of(Words("a"), Words("b")), words("c"))),
        ("sunset -people beach OR sea", (words("sunset"), but(Words("people")), any_of(Words("beach"), Words("sea")))),
        ("a OR b ext:jpg c d OR e", (any_of(Words("a"), Words("b")), any_of(Words("c d"), Words("e")))),
        ("red boat^2 OR ship", (words("red"), Group((Term(Words("boat"), 2), Term(Words("ship")))))),
        ("ship OR red boat^2", (any_of(Words("ship"), Words("red")), words("boat", 2))),
        ("a\nOR\tb", (any_of(Words("a"), Words("b")),)),
    ],
)  # fmt: skip
def test_terms(text: str, groups: tuple[Group, ...]) -> None:
    assert parse(text).groups == groups


# -- filters and options ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("date:2023", [Date("2023", "2023")]),
        ("DATE:2023-06", [Date("2023-06", "2023-06")]),
        ("date:2023-06-15", [Date("2023-06-15", "2023-06-15")]),
        ("date:2023-06..2023-08", [Date("2023-06", "2023-08")]),
        ("date:2022..2023-02-01", [Date("2022", "2023-02-01")]),
        ("date:2023..", [Date("2023", None)]),
        ("date:..2023-06", [Date(None, "2023-06")]),
        ("date:>=2023-06", [Date("2023-06", None)]),
        ("date:<=2023", [Date(None, "2023")]),
        ("date:>2023", [Date("2024", None)]),
        ("date:>2023-12", [Date("2024-01", None)]),
        ("date:>2024-02-28", [Date("2024-02-29", None)]),
        ("date:<2023", [Date(None, "2022")]),
        ("date:<2023-01", [Date(None, "2022-12")]),
        ("date:<2023-03-01", [Date(None, "2023-02-28")]),
        ("-date:2023", [Date("2023", "2023", negated=True)]),
        ("folder:trips", [Folder(("trips",))]),
        ('folder:trips/2023,"New York",b*', [Folder(("trips/2023", "New York", "b*"))]),
        ('folder:"a,b"', [Folder(("a,b",))]),
        ("folder:“New York”", [Folder(("New York",))]),
        ("folder:-old-", [Folder(("-old-",))]),
        ("-folder:trips", [Folder(("trips",), negated=True)]),
        ("name:IMG_*", [Name(("IMG_*",))]),
        ('name:"red boat",b?[12].jpg', [Name(("red boat", "b?[12].jpg"))]),
        ("name:a:b", [Name(("a:b",))]),
        ("ext:HEIC,.jpg", [Ext(("heic", "jpg"))]),
        ('camera:"canon eos",Sony', [Text("camera", ("canon eos", "Sony"))]),
        ("lens:35mm", [Text("lens", ("35mm",))]),
        ("width:4000", [Number("width", 4000, 4000)]),
        ("width:>=4000", [Number("width", 4000, None)]),
        ("width:>4000", [Number("width", 4001, None)]),
        ("height:<4000", [Number("height", None, 3999)]),
        ("height:<=4000", [Number("height", None, 4000)]),
        ("height:1000..2000", [Number("height", 1000, 2000)]),
        ("height:1000..", [Number("height", 1000, None)]),
        ("height:..2000", [Number("height", None, 2000)]),
        ("size:5MB", [Number("size", 5_000_000, 5_000_000)]),
        ("size:>5mb", [Number("size", 5_000_001, None)]),
        ("size:>=1.5MiB", [Number("size", 1_572_864, None)]),
        ("size:<1kB", [Number("size", None, 999)]),
        ("size:100kB..2GB", [Number("size", 100_000, 2_000_000_000)]),
        ("size:1KiB..1GiB", [Number("size", 1024, 1024**3)]),
        ("size:>=0.0015kB", [Number("size", 2, None)]),
        ("size:<=0.0015kB", [Number("size", None, 1)]),
        ("size:>0.0015kB", [Number("size", 2, None)]),
        ("size:<0.0015kB", [Number("size", None, 1)]),
        ("size:77", [Number("size", 77, 77)]),
        ('size:">= 5 MB"', None),
        ("orientation:Landscape,square", [Choice("orientation", ("landscape", "square"))]),
        ("rating:4", [Number("rating", 4, 4)]),
        ("rating:<=3", [Number("rating", None, 3)]),
        ("-rating:3..5", [Number("rating", 3, 5, negated=True)]),
        ("near:48.86,2.35,5", [Near(48.86, 2.35, 5)]),
        ("-near:-33.9,-151,.5", [Near(-33.9, -151, 0.5, negated=True)]),
        ("near:kyoto", [Near(35.0211, 135.7538, 20, name="kyoto")]),
        ("near:Kyoto,5", [Near(35.0211, 135.7538, 5, name="Kyoto")]),
        ('-near:"san francisco",20', [Near(37.7749, -122.4194, 20, negated=True, name="san francisco")]),
        ('near:"san francisco",7.5km', [Near(37.7749, -122.4194, 7.5, name="san francisco")]),
        ("near:springfield,illinois", [Near(39.8017, -89.6437, 20, name="springfield, illinois")]),
        ('near:"springfield, illinois, 8 km"', [Near(39.8017, -89.6437, 8, name="springfield, illinois")]),
        ('place:kyoto,"new york"', [Place("place", ("kyoto", "new york"))]),
        ('-place:"springfield, illinois"', [Place("place", ("springfield, illinois",), negated=True)]),
        ("country:japan town:köln", [Place("country", ("japan",)), Place("town", ("köln",))]),
        ("region:bavaria", [Place("region", ("bavaria",))]),
        ('tag:best,"to print"', [Tag(("best", "to print"))]),
        ("favourite:yes", [Favourite()]),
        ("favorite:NO", [Favourite(negated=True)]),
        ("-favourite:yes", [Favourite(negated=True)]),
        ("-favourite:no", [Favourite()]),
        ("set:3F9a1c20b7e4", [Set(("3f9a1c20b7e4",))]),
        ("-set:a,b", [Set(("a", "b"), negated=True)]),
        ("ext:jpg -camera:sony ext:png", [Ext(("jpg",)), Text("camera", ("sony",), negated=True), Ext(("png",))]),
    ],
)  # fmt: skip
def test_filters(text: str, filters: list[Filter] | None) -> None:
    if filters is None:
        with pytest.raises(QueryError):
            parse(text)
    else:
        assert parse(text) == Query(filters=tuple(filters))


@pytest.mark.parametrize(
    ("typed", "plain"), [(typed, plain) for cell, plain in KEYBOARDS for typed in re.findall("`([^`]+)`", cell)]
)
def test_signs_of_other_keyboards_are_read_as_documented(typed: str, plain: str) -> None:
    assert len(KEYBOARDS) == 9
    assert parse(typed) == parse(plain)


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("iso:>=3200", [Number("iso", 3200, None)]),
        ("iso:100..1,600", [Number("iso", 100, 1600)]),
        ("aperture:2.8", [Real("aperture", 2.8, 2.8)]),
        ("aperture:<2.8", [Real("aperture", None, 2.8, strict=True)]),
        ("aperture:<=f/2.8", [Real("aperture", None, 2.8)]),
        ("aperture:>F2.8", [Real("aperture", 2.8, None, strict=True)]),
        ("aperture:ƒ/2..ｆ／５.６", [Real("aperture", 2, 5.6)]),
        ("exposure:1/250", [Real("exposure", 1 / 250, 1 / 250)]),
        ("exposure:<1/500s", [Real("exposure", None, 1 / 500, strict=True)]),
        ("exposure:> 2 s", [Real("exposure", 2, None, strict=True)]),
        ("exposure:.5..1.5", [Real("exposure", 0.5, 1.5)]),
        ("exposure:1e-3", [Real("exposure", 0.001, 0.001)]),
        ("-focal:85mm", [Real("focal", 85, 85, negated=True)]),
        ("focal:24–70 mm", [Real("focal", 24, 70)]),
        ("label:red,Blue", [Text("label", ("red", "Blue"))]),
        ('keyword:"new york",sea*', [Word("keyword", ("new york", "sea*"))]),
        ("-person:ann", [Word("person", ("ann",), negated=True)]),
        ('text:"red boat",invo*', [Written("text", ("red boat", "invo*"))]),
        ('text:"\\"x AND (y"', [Written("text", ('"x AND (y',))]),
        ("title:a caption:b", [Written("title", ("a",)), Written("caption", ("b",))]),
        (r"folder:a\*b", [Folder((r"a\*b",))]),
        (r'folder:"a \*b"', [Folder((r"a \*b",))]),
        ("width:4\u00a0000", [Number("width", 4000, 4000)]),
        ("width:>4\u202f000\u3000height:5", [Number("width", 4001, None), Number("height", 5, 5)]),
        ("width:>4’000", [Number("width", 4001, None)]),
        ("size:1 500 kB..2 GB", [Number("size", 1_500_000, 2_000_000_000)]),
        ("date:> 2013", [Date("2014", None)]),
        ("date:2013 .. 2014", [Date("2013", "2014")]),
        ("date:2013-06–2013-08", [Date("2013-06", "2013-08")]),
        ("date:2023–06–15", [Date("2023-06-15", "2023-06-15")]),
        ("date:٢٠٢٣", [Date("2023", "2023")]),
        ("−date:2023", [Date("2023", "2023", negated=True)]),
        ("ｆａｖｏｕｒｉｔｅ：ｙｅｓ", [Favourite()]),
        ("near:４８．８６，２．３５，５", [Near(48.86, 2.35, 5)]),
        ("width:>4 000 px height:100..200pixels", [Number("width", 4001, None), Number("height", 100, 200)]),
        ("keyword：「new york」，『sea』", [Word("keyword", ("new york", "sea"))]),
        ("size:＞5 ＭＢ", [Number("size", 5_000_001, None)]),
        ("rating:5 stars", [Number("rating", 5, 5)]),
        ('folder:"\'90s"', [Folder(("'90s",))]),
        ("camera:ｓｏｎｙ", [Text("camera", ("sony",))]),
        ("folder:ＡＢＣ", [Folder(("ＡＢＣ",))]),
    ],
)
def test_what_keyboards_write_is_read(text: str, filters: list[Filter]) -> None:
    assert parse(text) == Query(filters=tuple(filters))
    assert parse(to_text(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "rock–paper–scissors",
        "black-and-white",
        "10：30",
        "５ boats",
        "size:>5MB boats 300",
        "sea\u3000side",
        "don’t, 4’000",
        "a<b tag best >",
        '"width>4000" "size > 5"',
    ],
)
def test_signs_inside_of_words_are_text(text: str) -> None:
    query = parse(text)
    assert not any(group.excluded for group in query.groups)
    assert len(query.filters) == text.count("size:")
    assert parse(to_text(query)) == query


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("space:fast", Query(space="fast")),
        ("space:ViT-B-32/webli", Query(space="ViT-B-32/webli")),
        ('space:"local-dir:/my models/a"', Query(space="local-dir:/my models/a")),
        ("sort:date", Query(sort="date")),
        ("SORT:Score", Query(sort="score")),
        ("sort:newest", Query(sort="newest")),
        ("sort:Oldest", Query(sort="oldest")),
        ("sort:added", Query(sort="added")),
        ("sort:best", Query(sort="best")),
        ("sort:name", Query(sort="name")),
        ("dedup:off", Query(dedup=False)),
        ("dedup:on", Query()),
        ("template:off", Query(template="off")),
        ("template:on", Query()),
        ('template:"a drawing of {}"', Query(template="a drawing of {}")),
    ],
)
def test_options(text: str, query: Query) -> None:
    assert parse(text) == query


def test_the_example_of_the_issue_becomes_this_query() -> None:
    text = 'sunset beach -people "hot air balloon" date:2023-06..2023-08 camera:sony folder:trips ext:heic'
    query = parse(text)
    assert query == Query(
        (words("sunset beach"), but(Words("people")), words("hot air balloon")),
        (Date("2023-06", "2023-08"), Text("camera", ("sony",)), Folder(("trips",)), Ext(("heic",))),
    )
    assert to_text(query) == str(query) == text


# -- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marked", "said", "suggestion"),
    [
        # names
        ("boat «camra:»sony", "There is no filter \"camra:\". Did you mean camera:?", "camera:"),
        ("-«Foldr:»x", "folder:", "folder:"),
        ("«favrite:»yes", "Did you mean favo", "favorite:"),
        ("«path:»x", "Did you mean folder:?", "folder:"),
        ("«year:»2023", "Did you mean date:?", "date:"),
        ("see «http:»//example.org", "There are date:, folder:", None),
        ("«note:»", "put it in quotes", None),
        ("«été:»x", "put it in quotes", None),
        ("a OR «lik:»3", "Did you mean like:?", "like:"),
        # values
        ("a «camera:»", "camera: needs a value behind the colon", None),
        ("«camera:» sony", "without a space, as in camera:sony", None),
        ("«like:» 3", "as in like:12", None),
        ("camera:a«,»", "both sides of the comma", None),
        ("camera:a«,», b", "both sides of the comma", None),
        ("camera:a«,» b", "both sides of the comma", None),
        ("«camera:»,a", "behind the colon", None),
        ('camera:«""»', "empty value", None),
        ('camera:a,«" "»', "empty value", None),
        ('name:«"a\tb"»', "control character", None),
        ("date:«202x»", "'202x' is no date", None),
        ("date:«2023-13»", "There is no date 2023-13", None),
        ("date:«2023-02-29»", "There is no date 2023-02-29", None),
        ("date:«2023-6-5»", "Did you mean 2023-06-05?", "2023-06-05"),
        ("date:«2022..2023/7»", "Did you mean 2023-07?", "2022..2023-07"),
        ("date:«2023..2022»", "give the earlier date first", None),
        ("date:«..»", "a first day, a last day, or both", None),
        ("date:«>9999»", "years are 0001 to 9999", None),
        ("date:«<0001-01-01»", "years are 0001 to 9999", None),
        ("date:2022,«2023»", "date: takes one value", None),
        ("width:«big»", "whole numbers of pixels", None),
        ("width:«>=4.5»", "whole numbers of pixels", None),
        ("width:«4000m»", "whole numbers of pixels", None),
        ("width:«-5»", "whole numbers of pixels", None),
        ("height:«2000..1000»", "can't be at least 2000 and at most 1000", None),
        ("height:«>»", "whole numbers of pixels", None),
        ("rating:«good»", "rating: takes whole numbers of stars, as in rating:5, rating:>=4 or rating:3..4", None),
        ("rating:«>=6»", "rating takes 0 to 5; not 6", None),
        ("«stars:»4", "Did you mean rating:?", "rating:"),
        ("«ratng:»4", "Did you mean rating:?", "rating:"),
        ("size:«5MBs»", 'no unit "MBs"', "5MB"),
        ("size:«99999999999GB»", "9223372036854775807", None),
        (f"width:«{'9' * 5000}»", "...", None),
        ("orientation:square,«portait»", "Did you mean portrait? It takes landscape, portrait, square.", "portrait"),
        ("favourite:«maybe»", "It takes yes, no.", None),
        ("near:«48,2»", "takes three numbers", None),
        ("near:48,«east»,5", 'takes numbers, as in near:48.86,2.35,5; "east" is none', None),
        ("near:48,«nan»,5", "takes numbers", None),
        ("near:«91,2,5»", "A latitude is -90 to 90", None),
        ("near:«kyotto»", 'knows no place called "kyotto". Did you mean Kyoto', "kyoto"),
        ("near:«kyotto,5»", "Did you mean Kyoto", "kyoto,5"),
        ("near:«zzyzx»", "A place may be given in degrees, as in near:48.86,2.35,5", None),
        ("near:«paris,japan»", "The largest place of this name is Paris, Île-de-France, France.", None),
        ("near:«bavaria»", "Write place:bavaria.", None),
        ("near:«japan,20»", "Write place:japan.", None),
        ("near:«kyoto,0»", "more than 0 kilometres", None),
        ("near:«48,2,0»", "more than 0 kilometres", None),
        ("near:«48,2,1e999»", "more than 0 kilometres", None),
        ("date:«15.6.2023»", "Did you mean 2023-06-15?", "2023-06-15"),
        ("date:«2023/06/15»", "Did you mean 2023-06-15?", "2023-06-15"),
        ("date:«15/06/2023»", "as in 2023, 2023-06 or 2023-06-15", None),
        ("date:«2014-2013»", "give the earlier date first", None),
        ("«note：»red", "put it in quotes", None),
        ("size:«>5 MBs»", 'no unit "MBs"', ">5MB"),
        ("size:«>5 Mo»", 'no unit "Mo". It takes B, kB', None),
        ("rating:«5px»", "whole numbers of stars", None),
        ("width:4«,»", "both sides of the comma", None),
        ("aperture:«wide»", "aperture: takes f-numbers, as in aperture:2.8", None),
        ("«width>4000» boat", "lacks the colon of a filter: write width:>4000.", "width:>4000"),
        ("boat «size > 5» MB", "write size:>5. To look for it as text, put it in quotes.", "size:>5"),
        ("«ｉｓｏ≥3200»", "write iso:>=3200", "iso:>=3200"),
        ("«date=2013»", "write date:2013", "date:2013"),
        ("boat -«rating<=2»", "write rating:<=2", "rating:<=2"),
        ("«tag=best» OR boat", "write tag:best", "tag:best"),
        ("boat «width>4000»^2", "write width:>4000", "width:>4000"),
        ("date:«2013-14»", "Did you mean 2013..2014?", "2013..2014"),
        ("aperture:<2,«8»", "Before decimals write a point, as in 2.8; a range has two", None),
        ("size:>5,«5MB»", "Before decimals write a point", None),
        ("keyword:«'new» york'", 'Quotes around a value are double: write "new ...".', None),
        ("keyword:«‘new» york’", "Quotes around a value are double", None),
        ("person:ann,«'bob'»", "put it all in double quotes", None),
        ("exposure:«1/0»", "exposure: takes seconds", None),
        ("focal:«70..24»", "can't be at least 70 and at most 24", None),
        ("text:«–»", "no letter and no digit", None),
        ("«keywords:»x", "Did you mean keyword:?", "keyword:"),
        ("sunset «–» people", "This minus excludes nothing", None),
        ("near:48.86,2.35,«5km»", "near: takes numbers", None),
        ("near:48.86,2.35,5 «km» boat", "near: takes kilometres without a unit", None),
        ("sort:«dat»", "Did you mean date? It takes best, newest, oldest, name, added, score, date.", "date"),
        ("dedup:«maybe»", "It takes on, off.", None),
        ("template:«drawing»", "template: takes on, off, or a prompt with {}", None),
        (f"template:«{201 * 'x'}{{}}»", "the limit is 200", None),
        ("space:a,«b»", "space: takes one value", None),
        ('space:«" "»', "empty value", None),
        ("like:«abc»", "the id of a picture, a whole number", None),
        ("like:«0»", "a whole number from 1", None),
        (f"like:«{'9' * 19}»", "a whole number from 1", None),
        (f"like:«{'9' * 5000}»", "a whole number", None),
        ("like:1,«2»", "like: takes one value", None),
        ("picture:«a_b»", "1 to 64 letters a to z and digits", None),
        # options
        ("sort:date a «sort:name»", "sort: is there twice, first at character 1", None),
        ("dedup:on «dedup:on»", "dedup: is there twice", None),
        ("space:a «space:b»", "space: is there twice", None),
        ("a «-»sort:date", "Take the minus out", ""),
        # OR
        ("«OR» b", "stands between two things", None),
        ("a «OR»", "stands between two things", None),
        ("a «OR» ", "stands between two things", None),
        ("a OR «OR» b", "stands between two things", None),
        ("ext:heic «OR» b", "a comma means any of, as in ext:heic,jpg", None),
        ("a «OR» ext:heic", "a comma means any of", None),
        ("-a «OR» b", "what is excluded can't be joined", None),
        ("a «OR» -b", "what is excluded can't be joined", None),
        ("a «OR» sort:date", "stands between two things", None),
        # quotes
        ('red «"»boat', "quote is not closed", None),
        ('-«"»boat', "quote is not closed", None),
        ('folder:«"»boat', "quote is not closed", None),
        ('folder:a,«"»boat', "quote is not closed", None),
        ("a OR «“»boat", "quote is not closed", None),
        ('«"»boat\\"', "quote is not closed", None),
        ('red «""»', "no words", None),
        ('-«" \t"»', "no words", None),
        # minus and weight
        ("«-»", "This minus excludes nothing", None),
        ("a «-» b", "This minus excludes nothing", None),
        ("«--»a", "nothing behind it that could be excluded", None),
        ("«-OR» a", "nothing behind it that could be excluded", None),
        ("a«^»", "is no weight", None),
        ("a«^x»", "is no weight", None),
        ('"a b"«^2x»', "is no weight", None),
        ("a«^2^3»", "is no weight", None),
        ("like:1«^nan»", "is no weight", None),
        ("a«^0»", "above 0 and at most 100", None),
        ("a«^101»", "above 0 and at most 100", None),
        ("a«^1e999»", "above 0 and at most 100", None),
        ("a «^2»", "stands right behind a word", None),
        ('"a" «^2»', "stands right behind a word", None),
        ("«^2»", "stands right behind a word", None),
        ("-«^2»", "stands right behind a word", None),
        ("ext:jpg«^2»", "filters take none", None),
        # parts that touch
        ('"red"«boat»', "put a space between them", None),
        ('boat«"red"»', "put a space between them", None),
        ('"a"«-"b"»', "put a space between them", None),
        ('folder:New«"York"»', "put a space between them", None),
        ('folder:"New"«York»', "put a space between them", None),
        # limits
        (f"a «{'x ' * 1000}x»"[2:], f"2001 characters; the limit is {MAX_TEXT}", None),
        (f"sea «\"{'x' * 2001}\"»", f"2001 characters; the limit is {MAX_TEXT}", None),
        (f"{'x ' * 4000}«xx»", f"8002 characters; the limit is {MAX_QUERY}", None),
        ("a «\"b\ud800\"»", "half a character", None),
    ],
)  # fmt: skip
def test_a_mistake_has_its_place_and_the_way_out(marked: str, said: str, suggestion: str | None) -> None:
    text = marked.replace("«", "").replace("»", "")
    with pytest.raises(QueryError) as caught:
        parse(text)
    error = caught.value
    assert said in str(error)
    start = marked.index("«")
    assert (error.start, error.end) == (start, marked.index("»") - 1)
    assert f"(Character {start + 1}.)" in str(error) or len(text) > MAX_QUERY
    assert error.suggestion == suggestion


@pytest.mark.parametrize(
    "text", ["boat camra:sony", "date:2022..2023/7", "orientation:portait", "sort:dat", "a -sort:date", "size:>=5MBs"]
)
def test_a_suggestion_in_the_place_of_the_mistake_is_right(text: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    error = caught.value
    assert error.suggestion is not None
    parse(text[: error.start] + error.suggestion + text[error.end :])


def test_too_many_terms_and_filters_are_refused_with_the_numbers() -> None:
    parse('"a" ' * MAX_TERMS + "ext:a " * MAX_FILTERS)
    with pytest.raises(QueryError, match="33 terms; the limit is 32"):
        parse('"a" ' * (MAX_TERMS + 1))
    with pytest.raises(QueryError, match="33 terms; the limit is 32"):
        parse(" OR ".join(["a"] * (MAX_TERMS + 1)))
    with pytest.raises(QueryError, match="65 filters; the limit is 64"):
        parse("ext:a " * (MAX_FILTERS + 1))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Words(" \t"), "no words"),
        (lambda: Words("x" * (MAX_TEXT + 1)), "2001 characters"),
        (lambda: Words("\udc80"), "half a character"),
        (lambda: Like(0), "not 0"),
        (lambda: Like(2**63), "whole number"),
        (lambda: Picture(""), "letters"),
        (lambda: Picture("a" * 65), "letters"),
        (lambda: Picture("é"), "letters"),
        (lambda: Term(Like(1), 0), "above 0"),
        (lambda: Term(Like(1), -1), "above 0"),
        (lambda: Term(Like(1), float("nan")), "above 0"),
        (lambda: Term(Like(1), 100.5), "at most 100"),
        (lambda: Group(()), "at least one"),
        (lambda: Group((Term(Like(1)), Term(Like(2))), excluded=True), "-dog -cat"),
        (lambda: Query(sort="size"), "best, newest, oldest, name, added, score, date"),  # type: ignore[arg-type]
        (lambda: Query(space=""), "space:"),
        (lambda: Query(space="a\nb"), "space:"),
        (lambda: Query((any_of(*[Words("x" * 300)] * 27),)), "written out"),
        (lambda: Query().with_pictures(["a b"]), "letters"),
    ],
)
def test_a_query_made_by_hand_is_checked_too(make: Callable[[], object], said: str) -> None:
    with pytest.raises(QueryError, match=re.escape(said)):
        make()


def test_words_have_single_spaces_whatever_they_came_with() -> None:
    assert Words("  red\u00a0\tboat\x00\x85at\u2028sea ").text == "red boat at sea"


# -- printing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (Query(), ""),
        (Query((words("red boat"),)), "red boat"),
        (Query((words("red boat"), words("at sea"))), 'red boat "at sea"'),
        (Query((words("red OR blue"), words("sea"))), '"red OR blue" sea'),
        (Query((but(Words("people")), words("sea"))), "-people sea"),
        (Query((any_of(Words("a"), Words("b c")), words("d"))), '"a" OR "b c" d'),
        (Query((words("boat", 1.5), words("red boat", 2))), 'boat^1.5 "red boat"^2'),
        (Query((words("boat:", 2), but(Words("-x"), 0.1))), '"boat:"^2 -"-x"^0.1'),
        (Query((words('say "hi" \\'),)), r'"say \"hi\" \\"'),
        (Query((words("“hi”"),)), '"“hi”"'),
        (Query(filters=(Folder(("New York", 'a"b', "c,d", "-e")),)), r'folder:"New York","a\"b","c,d",-e'),
        (Query(filters=(Number("size", 5_000_001, None), Number("size", None, 999))), "size:>5MB size:<1kB"),
        (Query(filters=(Number("size", 1, None), Number("size", 0, 0))), "size:>=1 size:0"),
        (Query(filters=(Number("size", 1536, 2**31),)), "size:1536..2GiB"),
        (Query(filters=(Number("width", 4001, None),)), "width:>=4001"),
        (Query(filters=(Near(48.86, -2.0, 1e-05),)), "near:48.86,-2,1e-05"),
        (Query(space="a b", sort="score", dedup=False), 'space:"a b" sort:score dedup:off'),
    ],
)  # fmt: skip
def test_printing(query: Query, text: str) -> None:
    assert str(query) == text
    assert parse(text) == query


def test_a_term_by_itself_prints_as_it_would_be_typed() -> None:
    assert Term(Words("sunset beach")).printed() == "sunset beach"
    assert Term(Words("a:b")).printed() == '"a:b"'
    assert Term(Words("red boat"), 2).printed() == '"red boat"^2'
    assert Term(Like(12)).printed() == "like:12"
    assert Term(Words("people")).printed(excluded=True) == "-people"
    assert Term(Words("two people")).printed(excluded=True) == '-"two people"'


# -- properties -------------------------------------------------------------------------------------------------------

ODD = [
    "OR", "-x", "-", "a:b", "camera:sony", "camera:", "^2", "x^2", "10:30", "3", "like:3", '"', "“", "”", "„", "\\",
    '\\"', "\\\\", "\u00a0", "\u2028", "\x85", "\x1c", "\u200b", "e\u0301:x", "ﬁ:x", "²:x", "_a:b", ",", "..", "👩‍🚀",
    "٣", "İ:", "–", "−x", "rock–paper", "date：2023", "ｓｉｚｅ：５", "＂", "«", "»", "、", "，", "＾2", "ＯＲ",
    "\u3000", r"\*", "…",
]  # fmt: skip
texts = st.lists(st.one_of(st.text(max_size=12), st.sampled_from(ODD)), max_size=6).flatmap(
    lambda parts: st.sampled_from([" ".join(parts), "".join(parts)])
)


def valid(make: Callable[..., Any], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What `make` makes of the arguments that it takes."""

    def attempt(given: tuple[Any, ...]) -> Any:
        try:
            return make(*given)
        except (QueryError, ValueError):
            return None

    return st.tuples(*arguments).map(attempt).filter(lambda made: made is not None)


days = st.dates().flatmap(lambda day: st.sampled_from([str(day), str(day)[:7], str(day)[:4]]))
names = st.lists(texts, min_size=1, max_size=3).map(tuple)
counts = st.one_of(
    st.integers(0, 10_000), st.integers(0, 2**63 - 1),
    st.builds(lambda n, unit: n * unit + 1, st.integers(0, 9), st.sampled_from([1000, 1024, 10**6])),
)  # fmt: skip
sizes = st.one_of(
    st.none(), st.sampled_from([2.8, 85, 1 / 250, 0.3, 1 / 3, 2.5]), st.floats(0, allow_infinity=False),
)  # fmt: skip
BY_NAMES = (Folder, Name, Ext, Tag, Set)
FILTER_TYPES = (*BY_NAMES, Date, Text, Number, Real, Word, Written, Choice, Place, Near, Favourite)
filters = st.one_of(
    *(valid(kind, names, st.booleans()) for kind in BY_NAMES),
    valid(Date, st.none() | days, st.none() | days, st.booleans()),
    valid(Text, st.sampled_from(["camera", "lens"]), names, st.booleans()),
    valid(Number, st.just("rating"), st.none() | st.integers(0, 5), st.none() | st.integers(0, 5), st.booleans()),
    valid(Number, st.sampled_from(["width", "height", "size"]), st.none() | counts, st.none() | counts, st.booleans()),
    st.builds(
        Choice,
        st.just("orientation"),
        st.lists(st.sampled_from(["landscape", "portrait", "square"]), min_size=1, max_size=4).map(tuple),
        st.booleans(),
    ),
    st.builds(
        Near,
        st.floats(-90, 90),
        st.floats(-180, 180),
        st.floats(0, exclude_min=True, allow_infinity=False),
        st.booleans(),
    ),
    valid(Place, st.sampled_from(["place", "town", "region", "country"]), names, st.booleans()),
    st.sampled_from(
        [Near(35.0211, 135.7538, 5, name="kyoto"), Near(39.8017, -89.6437, 8, True, "springfield, illinois")]
    ),
    st.builds(Favourite, st.booleans()),
    valid(Real, st.sampled_from(["aperture", "exposure", "focal"]), sizes, sizes, st.booleans(), st.booleans()),
    valid(Word, st.sampled_from(["keyword", "person"]), names, st.booleans()),
    valid(Written, st.sampled_from(["title", "caption", "text"]), names, st.booleans()),
)
subjects = st.one_of(
    valid(Words, texts),
    st.builds(Like, st.integers(1, 2**63 - 1)),
    st.builds(Picture, st.from_regex(r"[0-9a-zA-Z]{1,64}", fullmatch=True)),
)
terms = st.builds(Term, subjects, st.just(1.0) | st.floats(0, 100, exclude_min=True))
groups = st.one_of(
    st.builds(Group, st.lists(terms, min_size=1, max_size=4).map(tuple)),
    st.builds(lambda term: Group((term,), excluded=True), terms),
)
queries = valid(
    Query,
    st.lists(groups, max_size=6).map(tuple),
    st.lists(filters, max_size=5).map(tuple),
    st.none() | texts,
    st.sampled_from([None, "score", "date", "name"]),
    st.booleans(),
    st.none() | st.just("off") | st.builds("{}{{}}{}".format, st.text(max_size=20), st.text(max_size=20)),
)
fragments = st.one_of(
    texts,
    st.sampled_from([
        "a", "b c", " OR ", "OR", "-", '"', '"x y"', "“x”", "^2", "^", "like:", "like:3", "picture:a", "folder:",
        "date:2023", "size:>5MB", "width:>4 000", "focal:", "f/2.8", "1/250s", "–", "：", "≥", "text:", "*",
        "size:> 5 MB",
        "2013", "ext:a,b", ",", "sort:date", "dedup:off", "space:x", "near:1,2,3", "favourite:no",
        ":", " ", "\n",
    ]),
)  # fmt: skip
typed = st.lists(fragments, max_size=12).flatmap(lambda parts: st.sampled_from(["".join(parts), " ".join(parts)]))


@examples(150)
@given(queries)
def test_what_is_printed_reads_as_the_same_query(query: Query) -> None:
    assert parse(to_text(query)) == query
    assert to_text(parse(to_text(query))) == to_text(query)


@examples(600)
@given(st.one_of(typed, st.text()))
@example('“a"')
@example("a OR\x00OR")
@example("-\x00a")
@example("a OR ^2")
@example("like:1,")
def test_any_text_reads_as_a_query_that_prints_or_is_refused_with_a_place(text: str) -> None:
    try:
        query = parse(text)
    except QueryError as error:
        if error.start is not None:
            assert error.end is not None
            assert 0 <= error.start < error.end <= len(text)
        return
    assert parse(to_text(query)) == query


@examples(50)
@given(queries)
def test_every_part_is_explained_and_can_be_taken_out(query: Query) -> None:
    lines = explain(query)
    assert to_text(query) == " ".join(line.text for line in lines)
    assert all(line.meaning for line in lines)
    for index, line in enumerate(lines):
        less = without(query, index)
        assert len(explain(less)) == len(lines) - 1
        alone = parse(line.text)
        assert len(explain(alone)) == 1
    while explain(query):
        query = without(query, 0)
    assert query == Query()


def test_long_texts_are_read_or_refused_without_blowing_up() -> None:
    for piece in (
        "a ",
        "a OR ",
        '"a" ',
        "-a ",
        "a^2 ",
        "ext:a ",
        "ext:a,",
        '"',
        "“",
        "\\",
        "-",
        "^",
        ":",
        ",",
        "OR ",
        "a:",
        '"\\',
        "a\n",
    ):
        text = (piece * MAX_QUERY)[:MAX_QUERY]
        for whole in (text, f'"{text[2:]}"', f"folder:{text[7:]}"):
            try:
                parse(whole)
            except QueryError as error:
                assert len(str(error)) < 1000
    long = " ".join(["word"] * 400)
    assert parse(long).groups == (words(long),)


# -- explaining and changing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "meaning"),
    [
        ("date:2023", "only", "taken in 2023"),
        ("date:2023-06-15", "only", "taken on 15 June 2023"),
        ("date:2024-02", "only", "taken in February 2024"),
        ("date:2023..2024-02", "only", "taken from 1 January 2023 to 29 February 2024"),
        ("-date:2023..", "not", "not taken on or after 1 January 2023"),
        ("width:4000", "only", "exactly 4000 pixels wide"),
        ("height:<4000", "only", "at most 3999 pixels high"),
        ("rating:>=4", "only", "rated at least 4 of 5 stars"),
        ("-rating:5", "not", "not rated exactly 5 of 5 stars"),
        ("size:100kB..2GB", "only", "in a file of 100 kB to 2 GB"),
        ("size:<=77", "only", "in a file of at most 77 bytes"),
        ("size:<1MiB", "only", "in a file of at most 1048575 bytes"),
        ("folder:a,b,c", "only", "in a folder called a, b or c"),
        ("near:48.86,2.35,5", "only", "taken within 5 km of 48.86, 2.35"),
        ("near:springfield,5", "only", "taken within 5 km of Springfield, Missouri, United States"),
        ('near:"springfield, illinois"', "only", "taken within 20 km of Springfield, Illinois, United States"),
        ("place:kyoto", "only", "taken in kyoto"),
        ("-country:japan,usa", "not", "not taken in the country japan or usa"),
        ("region:bavaria", "only", "taken in the region bavaria"),
        ("town:kyoto", "only", "taken in the town kyoto"),
        ("tag:a,b", "only", "tagged a or b"),
        ("-like:12^2", "exclude", "pictures that match picture 12 of the library (counts 2 times) count less"),
    ],
)
def test_meanings(text: str, kind: str, meaning: str) -> None:
    (line,) = explain(parse(text))
    assert (line.kind, line.meaning) == (kind, meaning)
    assert parse(line.text) == parse(text)


def test_more_like_this_is_added_turned_round_and_taken_back() -> None:
    query = parse("boat")
    more = liked(query, 7)
    assert str(more) == "boat like:7^0.4"
    assert str(liked(parse("like:5"), 7)) == "like:5 like:7"
    assert str(liked(parse('"red boat"^20'), 7)) == '"red boat"^20 like:7^8'
    assert str(liked(parse("boat^0.5"), 7)) == "boat^0.5 like:7^0.2"
    less = disliked(more, 7)
    assert str(less) == "boat -like:7^0.4"
    assert str(disliked(parse("like:5"), 7)) == "like:5 -like:7"
    assert str(liked(less, 7)) == "boat like:7^0.4"
    assert liked(more, 7) == disliked(less, 7) == query
    assert str(liked(more, 8)) == "boat like:7^0.4 like:8^0.4"
    assert str(liked(parse("like:7^2 like:9"), 7)) == "like:9"
    assert str(liked(parse("like:7 OR a"), 7)) == 'like:7 OR "a" like:7^0.4'


def test_pictures_that_are_not_named_yet_become_terms() -> None:
    query = parse("boat OR picture:2 -picture:4")
    assert str(query.with_pictures(["1", "2", "3", "3", "4"])) == '"boat" OR picture:2 -picture:4 picture:1 picture:3'
    assert query.with_pictures([]) == query


def test_terms_and_emptiness() -> None:
    query = parse('a OR "b" -c ext:jpg')
    assert [str(term) for term in query.terms] == ['"a"', '"b"', '"c"']
    assert not query.is_empty
    assert parse("dedup:off space:x").is_empty
    assert not parse("sort:date dedup:off space:x").is_empty
    assert parse("sort:date dedup:off space:x").is_of_all
    assert not parse("-people").is_empty
    assert not parse("ext:jpg").is_empty
    with pytest.raises(IndexError):
        without(query, 3)
    with pytest.raises(IndexError):
        without(query, -1)


def test_reading_a_query_loads_no_model_library_and_no_page() -> None:
    heavy = {"torch", "streamlit", "faiss", "sqlalchemy", "numpy", "PIL"}
    code = f"import sys, sightline.query.parser as l; l.parse('a date:2023'); print({heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_many_threads_read_at_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    shuffled = [text for text, _ in ROWS] * 5
    random.Random(0).shuffle(shuffled)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(parse, shuffled)) == [parse(text) for text in shuffled]


def test_a_query_of_too_many_parts_is_refused_before_all_of_it_is_read() -> None:
    with pytest.raises(QueryError, match="more than 1,000 words, values and signs"):
        parse('"a" ' * 1_100)
    parse("ext:" + ",".join(f"x{number}" for number in range(100)))
    parse("a " * 999)


@pytest.mark.parametrize(
    "text", ["a", "red boat", "été à Nice", "2023 dogs", "船", "ORANGE OReilly", "or and not", "x" * 2_000]
)
def test_plain_words_are_read_without_the_grammar_as_with_it(text: str) -> None:
    assert parse(text) == grammar.parsed(text)


@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=9), min_size=1, max_size=6))
def test_any_plain_words_are_read_as_the_grammar_reads_them(words: list[str]) -> None:
    text = " ".join(words)
    try:
        by_grammar = grammar.parsed(text)
    except QueryError:
        with pytest.raises(QueryError):
            parse(text)
    else:
        assert parse(text) == by_grammar
