"""A fact that was added to the table of facts is everywhere, in libraries from before it too: here the rating."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
import serving
from PIL import ExifTags, Image
from support import DEMO, Index

from search_ui.parts.facet_panel import contents
from search_ui.parts.result_text import facts
from sightline.metadata.facts import Facts
from sightline.query.parser import explain, parse, to_text
from sightline.query.types import Query
from sightline.records import CSV_HEADER
from store.library import Library
from store.remote import DATABASE
from store.tables.fact_table import FACT_FILTERS, FACTS, FACTS_VERSION, HEADER_NAMES
from store.tables.migration_steps import STEPS

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmp:Rating="%d"/></x:xmpmeta>'


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    """A folder with twelve pictures: four without a rating, two of each number of stars but three."""
    folder = tmp_path / "rated"
    for number, path in enumerate(sorted(DEMO.rglob("*.jpg"))[:12]):
        stars, exif, xmp = (0, 1, 2, 0, 4, 5)[number % 6], Image.Exif(), b""
        if number < 6:
            exif[ExifTags.Base.Rating] = stars
        else:
            xmp = XMP % stars
        target = folder / path.relative_to(DEMO)
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.save(target, exif=exif, xmp=xmp, quality=90)
    return folder


def as_before(library: Path) -> None:
    """The library in the layout that came before versions of facts, and all facts that were added since."""
    with closing(sqlite3.connect(library / DATABASE, isolation_level=None)) as connection:
        for statement in reversed([statement for step in STEPS[3:] for statement in step]):
            words = statement.split()
            if words[0] == "CREATE":
                kind, name = words[1:3] if words[1] != "VIRTUAL" else words[2:4]
                connection.execute(f"DROP {kind} {name}")
            elif words[0] != "UPDATE":
                assert (words[:2], words[3:5]) == (["ALTER", "TABLE"], ["ADD", "COLUMN"]), statement
                connection.execute(f"ALTER TABLE {words[2]} DROP COLUMN {words[5]}")
        connection.execute("PRAGMA user_version = 3")


def spoil(folder: Path) -> None:
    """Make rubbish of the second half of each file, which a look at the folder does not show."""
    for path in folder.rglob("*.jpg"):
        before, data = path.stat(), path.read_bytes()
        path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_an_added_fact_is_read_from_headers_and_can_be_asked_for_everywhere(
    rated: Path, library: Path, index: Index, tmp_path: Path
) -> None:
    assert (first := index(rated)).encoded == 12, first
    as_before(library)
    # Past their headers the files are rubbish: who decoded or hashed them would notice.
    spoil(rated)
    run = index(rated)
    assert (run.code, run.unchanged, run.encoded, run.failed, run.changed) == (0, 12, 0, 0, 0)

    query = parse("Rating:>=4 -rating:5")
    assert to_text(query) == "rating:>=4 -rating:5"
    assert [line.meaning for line in explain(query)] == [
        "rated at least 4 of 5 stars",
        "not rated exactly 5 of 5 stars",
    ]
    with Library.open(library) as opened:
        catalog = opened.catalog
        assert not catalog.has_older_facts()
        ids = catalog.matching(query.filters).tolist()
        assert {catalog.photos(ids)[id_].facts["rating"] for id_ in ids} == {4}
        assert len(ids) == 2
        assert len(catalog.matching(parse("-rating:1..5").filters)) == 4
        assert ("Rating", "4 of 5") in facts(catalog.photos(ids)[ids[0]])
        assert catalog.facets()["ratings"] == (("5", 2), ("4", 2), ("2", 2), ("1", 2))
        group = next(group for group in contents(opened, Query())[1] if group["title"] == "Rating")
        assert [(value["text"], value["count"]) for value in group["values"][:2]] == [("rating:5", 2), ("rating:4", 2)]
    assert "rating" in CSV_HEADER
    with serving.running(library, tmp_path / "log.txt") as url:

        def get(path: str) -> dict[str, object]:
            answer: dict[str, object] = json.load(serving.urlopen(f"{url}/api/v1/{path}"))
            return answer

        assert '"rating": {' in json.dumps(get("openapi.json"))
        hits = get(f"search?q={quote('rating:>=4')}")["hits"]
        assert isinstance(hits, list)
        assert sorted(hit["rating"] for hit in hits) == [4, 4, 5, 5]
        assert {"name": "5", "count": 2} in get("facets")["ratings"]  # type: ignore[operator]


def test_every_row_of_the_table_of_facts_is_of_use(library: Path, rated: Path, index: Index) -> None:
    index(rated)
    with closing(sqlite3.connect(library / DATABASE)) as connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_xinfo(contents)")}
        assert {fact.name for fact in FACTS} < columns
        assert connection.execute("SELECT DISTINCT facts_version FROM contents").fetchall() == [(FACTS_VERSION,)]
    assert set(HEADER_NAMES) == set(Facts.__slots__)
    assert {row.column for row in FACT_FILTERS} <= {fact.name for fact in FACTS}
