"""Places by name from an indexed picture to the query, the panel, the page, the map and the interface."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import serving
from PIL import ExifTags, Image
from support import Index

from search_ui.parts.facet_panel import contents
from search_ui.parts.result_text import facts
from search_ui.views.map import town_names
from sightline.query.parser import parse
from sightline.query.types import Query
from store.library import Library
from store.remote import DATABASE

# The name of the file, and where it was taken.
TAKEN = {
    "temple": (35.0394, 135.7292), "shrine": (34.9671, 135.7727), "square": (48.1374, 11.5755),
    "minster": (47.6633, 9.1758), "harbour": (47.6500, 9.1850), "ship": (30.0, -40.0), "desk": None,
}  # fmt: skip


def degrees(angle: float) -> tuple[float, float, float]:
    minutes, seconds = divmod(round(abs(angle) * 360_000) / 100, 60)
    return (*divmod(minutes, 60), seconds)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    for number, (name, place) in enumerate(TAKEN.items()):
        exif = Image.Exif()
        if place is not None:
            north, east = place
            exif.get_ifd(ExifTags.IFD.GPSInfo).update(
                {1: "N" if north >= 0 else "S", 2: degrees(north), 3: "E" if east >= 0 else "W", 4: degrees(east)}
            )
        Image.new("RGB", (64, 48), (30 * number, 200 - 20 * number, 90)).save(folder / f"{name}.jpg", exif=exif)
    return folder


def found(library: Library, query: str) -> set[str]:
    ids = library.catalog.matching(parse(query).filters).tolist()
    return {photo.display.removesuffix(".jpg") for photo in library.catalog.photos(ids).values()}


def test_pictures_are_found_by_the_names_of_their_places(
    album: Path, library: Path, index: Index, tmp_path: Path
) -> None:
    assert index(album).encoded == len(TAKEN)
    with Library.open(library) as opened:
        assert found(opened, "place:kyoto") == found(opened, "place:京都") == {"temple", "shrine"}
        assert found(opened, "place:münchen") == found(opened, "town:munich") == {"square"}
        assert found(opened, "country:germany") == found(opened, "country:DE") == {"square", "minster"}
        assert found(opened, "country:switzerland") == {"harbour"}
        assert found(opened, 'place:bavaria,"kyoto, japan"') == {"temple", "shrine", "square"}
        assert found(opened, "near:konstanz,5") == {"minster", "harbour"}
        assert found(opened, "-country:japan,germany,switzerland") == {"ship", "desk"}
        assert found(opened, "place:atlantis") == set()

        panel = {group["title"]: group["values"] for group in contents(opened, Query())[1]}
        assert [(value["text"], value["count"]) for value in panel["Countries"]] == [
            ("country:Germany", 2), ("country:Japan", 2), ("country:Switzerland", 1),
        ]  # fmt: skip
        assert ("town:Kyoto", 2) in [(value["text"], value["count"]) for value in panel["Towns"]]
        for value in (*panel["Countries"], *panel["Towns"]):
            assert len(found(opened, value["text"])) == value["count"]

        ids, latitudes, longitudes = opened.catalog.located()
        names = town_names(opened, ids, np.stack([longitudes, latitudes], axis=1).astype(np.float32))
        assert {name["name"] for name in names} == {"Kyoto", "Munich", "Konstanz", "Kreuzlingen"}
        assert [(round(name["x"], 1), round(name["y"], 1)) for name in names if name["name"] == "Kyoto"] == [
            (135.8, 35.0)
        ]

        shown = {photo.display: photo for photo in opened.catalog.photos(range(1, len(TAKEN) + 1)).values()}
        assert ("Place", "Munich, Bavaria, Germany") in facts(shown["square.jpg"])
        assert "Place" not in dict(facts(shown["ship.jpg"]))
        assert dict(facts(shown["ship.jpg"]))["Position"] == "30.00000° N, 40.00000° W"
        temple = shown["temple.jpg"].content_id
    with serving.running(library, tmp_path / "log.txt") as url:

        def get(path: str) -> Any:
            return json.load(serving.urlopen(f"{url}/{path}"))

        assert get(f"points/picture/{temple}")["place"] == "Kyoto, Japan"
        hits = get(f"api/v1/search?q={quote('place:kyoto')}")["hits"]
        assert {(hit["town"], hit["country"]) for hit in hits} == {("Kyoto", "Japan")}
        assert {"name": "Germany", "count": 2} in get("api/v1/facets")["countries"]


def test_a_library_from_before_gets_the_names_by_its_files_headers(album: Path, library: Path, index: Index) -> None:
    index(album)
    with closing(sqlite3.connect(library / DATABASE)) as connection:
        connection.execute("UPDATE contents SET facts_version = 2, town = NULL, region = NULL, country = NULL")
        connection.commit()
    run = index(album)
    assert (run.code, run.unchanged, run.encoded, run.failed) == (0, len(TAKEN), 0, 0)
    with Library.open(library) as opened:
        assert found(opened, "place:kyoto") == {"temple", "shrine"}
