"""What people and cameras wrote about pictures: in the panel of facets, as JSON and CSV, and in words."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from search_ui.parts.facet_panel import contents, toggle
from search_ui.parts.result_text import facts
from search_ui.server.api.answers import Labelled, Picture
from sightline.labels import Guess
from sightline.labels import Labelled as LabelledPicture
from sightline.query.parser import parse, to_text
from sightline.query.types import Query
from sightline.ranking.results import Hit
from sightline.records import CSV_HEADER, csv_line, csv_row, labelled, photo_record
from store.library import Library
from store.lock import locked
from store.tables.catalog import PhotoRow
from store.tables.writer import File, Indexed, SpaceIdentity, Writer

PLAIN: dict[str, Any] = {"width": 40, "height": 30, "format": "JPEG", "orientation": 1}
WRITTEN: dict[str, dict[str, Any]] = {
    "a*b/1.jpg": {"keywords": ("Places|USA|New York", "sea"), "people": ("Ann Lee",), "colour_label": "Red"},
    "a*b/2.jpg": {"keywords": ("new york", "a*c"), "people": ("Ann Lee", "Bob"), "rating": 4},
    "axb/3.jpg": {"keywords": ("abc",), "title": "Harbour", "caption": "Größe & <b>boats</b>", "colour_label": "Red"},
    "axb/4.jpg": {},
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    path = tmp_path_factory.mktemp("written")
    with locked(path), Library.create(path) as library:
        writer = Writer(library.catalog.engine)
        space = writer.add_space(SpaceIdentity("key", "name", "model", "weights", "{}", 4, True))
        root = writer.add_root(b"/home/Photos")
        vector = np.array([1, 0, 0, 0], np.float32)
        writer.commit(
            [
                Indexed(File(root, name.encode(), 1000, 1), bytes([at]) * 32, PLAIN | known, {space: vector})
                for at, (name, known) in enumerate(WRITTEN.items(), 1)
            ],
            [],
        )
        yield library


def shown(library: Library, text: str) -> list[str]:
    photos = library.catalog.photos(library.catalog.matching(parse(text).filters).tolist())
    return sorted(photo.display for photo in photos.values())


def row(library: Library, name: str) -> PhotoRow:
    photos = library.catalog.photos(library.catalog.matching(()).tolist())
    return next(photo for photo in photos.values() if photo.display == name)


def test_a_value_of_the_panel_is_the_filter_of_the_pictures_that_it_counts(written: Library) -> None:
    groups = {group["title"]: group["values"] for group in contents(written, Query())[1]}
    for title in ("Keywords", "People", "Labels", "Folders", "Rating"):
        for value in groups[title]:
            assert len(shown(written, value["text"])) == value["count"], value
    assert [(value["label"], value["count"]) for value in groups["Keywords"]][:1] == [("New York", 2)]
    assert {value["label"] for value in groups["Keywords"]} == {"New York", "Places", "USA", "sea", "a*c", "abc"}
    assert [(value["label"], value["count"]) for value in groups["People"]] == [("Ann Lee", 2), ("Bob", 1)]


def test_a_star_in_a_folders_name_can_be_asked_for(written: Library) -> None:
    assert len(shown(written, "folder:a*b")) == 4
    assert shown(written, r"folder:a\*b") == ["a*b/1.jpg", "a*b/2.jpg"]
    assert shown(written, r"keyword:a\*c") == ["a*b/2.jpg"]
    assert shown(written, "keyword:a*c") == ["a*b/2.jpg", "axb/3.jpg"]
    (group,) = (group for group in contents(written, Query())[1] if group["title"] == "Folders")
    folders = {path: (text, count) for _, rows in group["tree"]["levels"].values() for path, count, _, text in rows}
    assert folders["Photos/a*b"] == (r"folder:Photos/a\*b", 2)
    query = toggle(Query(), parse(folders["Photos/a*b"][0]).filters[0])
    assert parse(to_text(query)) == query
    (group,) = (group for group in contents(written, query)[1] if group["title"] == "Folders")
    assert (group["values"], group["tree"]["on"]) == ([], ["Photos/a*b"])
    folders = {path: (text, count) for _, rows in group["tree"]["levels"].values() for path, count, _, text in rows}
    assert folders["Photos/a*b"] == (r"folder:Photos/a\*b", 2)


def test_texts_that_are_searched_are_words_in_any_case_accent_and_script(written: Library) -> None:
    assert shown(written, "text:GRÖSSE") == shown(written, "text:grosse") == ["axb/3.jpg"]
    assert shown(written, 'text:"boats harbour"') == ["axb/3.jpg"]
    assert shown(written, 'caption:"boats harbour"') == []
    assert shown(written, "text:boat") == []
    assert shown(written, "text:boat*,york") == ["a*b/1.jpg", "a*b/2.jpg", "axb/3.jpg"]
    assert shown(written, "-text:boat*,york") == ["axb/4.jpg"]


@pytest.mark.parametrize(
    "text", ['"', "a AND", "NEAR(a b)", "title:a", "-a", "^a", "a*b", '"a" OR', "{a}", "a\\", "(("]
)
def test_no_text_is_an_error_of_the_full_text_index(written: Library, text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    assert shown(written, f'text:"{quoted} zebra"') == []


def test_all_facts_are_in_json_and_csv_lists_too(written: Library) -> None:
    photo = row(written, "a*b/1.jpg")
    record = json.loads(json.dumps(photo_record(photo)))
    assert (record["keywords"], record["people"], record["colour_label"]) == (
        ["Places|USA|New York", "sea"],
        ["Ann Lee"],
        "Red",
    )
    assert photo_record(photo) == record
    assert photo_record(row(written, "axb/4.jpg"))["keywords"] == []
    assert Picture.model_validate(record).keywords == ("Places|USA|New York", "sea")
    line = csv_line(csv_row(Hit(0, "strong", (), photo), 1))
    values = dict(zip(CSV_HEADER, next(csv.reader(io.StringIO(line))), strict=True))
    assert (values["keywords"], values["people"], values["iso"]) == ("Places|USA|New York; sea", "Ann Lee", "")
    guess = labelled(LabelledPicture(photo, (Guess("boat", 0.75),)))
    assert (guess["label"], guess["colour_label"]) == ("boat", "Red")
    assert guess["keywords"] == ["Places|USA|New York", "sea"]
    assert Labelled.model_validate(guess).label == "boat"


@pytest.mark.parametrize(
    ("known", "label", "said"),
    [
        (
            {"exposure": 0.004, "aperture": 2.8284, "iso": 200, "focal": 85.0}, "Exposure",
            "1/250 s · f/2.8 · ISO 200 · 85 mm",
        ),
        ({"exposure": 2.0, "focal": 4.25}, "Exposure", "2 s · 4.2 mm"),
        ({"exposure": 0.5}, "Exposure", "0.5 s"),
        ({"taken_at": "1978"}, "Taken", "1978"),
        ({"taken_at": "1978-07", "taken_offset": 60}, "Taken", "July 1978"),
        ({"taken_at": "1978-07-04", "taken_from": "original"}, "Taken", "Tuesday 4 July 1978"),
        ({"taken_at": "1978-07-04T10:20"}, "Taken", "Tuesday 4 July 1978, 10:20"),
        (
            {"taken_at": "2019-01-01T12:34:56", "taken_offset": 120, "taken_from": "file name"}, "Taken",
            "Tuesday 1 January 2019, 12:34 (UTC+2:00); the date in the file's name",
        ),
        ({"taken_at": "2019", "taken_from": "modified"}, "Taken", "2019; the date the file says it was changed"),
        ({"remark": "The file ends early."}, "Remark", "The file ends early."),
        ({"title": "Harbour"}, "Title", "Harbour"),
        ({"colour_label": "Red"}, "Label", "Red"),
    ],
)  # fmt: skip
def test_facts_are_in_words_as_far_as_they_are_known(
    written: Library, known: dict[str, Any], label: str, said: str
) -> None:
    photo = row(written, "axb/4.jpg")
    told = replace(photo, facts={**photo.facts, **known})
    assert (label, said) in facts(told)
    assert label not in dict(facts(photo))
