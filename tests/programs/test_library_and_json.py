"""`sightline.Library` and the JSON interface to the same library give the same records."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import serving
from starlette.applications import Starlette
from starlette.testclient import TestClient

import sightline
from search_ui.server import asgi

QUERIES = (
    "red boat", "boat -night", "boat date:2023..", "folder:2019-summer-brighton", "like:3", "like:3^2 sunset",
    "boat dedup:off sort:date", "kite | house", "boat date:1999",
)  # fmt: skip


@pytest.fixture
def path(drawn: Path, tmp_path: Path) -> Path:
    """A copy of the library that a test may change."""
    shutil.copytree(drawn / "library", tmp_path / "library")
    return tmp_path / "library"


@pytest.fixture
def library(path: Path) -> Iterator[sightline.Library]:
    with sightline.Library(path) as opened:
        yield opened


@pytest.fixture
def client(path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """The JSON interface to the same library."""
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(path))
    app = Starlette(middleware=asgi.middleware(["testserver"]))
    return TestClient(app, base_url="http://127.0.0.1:8501", headers=serving.header())


def answered(client: TestClient, method: str, address: str, **given: Any) -> dict[str, Any]:
    answer = client.request(method, f"/api/v1/{address}", **given)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def timeless(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "seconds"}


def without_labels(picture: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a labelled picture beside its labels."""
    return {name: value for name, value in picture.items() if name not in ("label", "probability", "labels")}


@pytest.mark.parametrize("query", QUERIES)
def test_a_search_is_what_the_json_interface_answers(
    library: sightline.Library, client: TestClient, query: str
) -> None:
    library.tag([3, 4, 5], "seen")
    library.favourite(3)
    answer = answered(client, "GET", "search", params={"q": query, "limit": 20, "offset": 1})
    hits = library.search(query, limit=20, offset=1)
    assert hits == answer.pop("hits")
    assert timeless(dict(hits.about)) == timeless(answer)


def test_a_search_with_pictures_is_what_the_json_interface_answers(
    library: sightline.Library, client: TestClient, drawn: Path
) -> None:
    file = drawn / "photos" / "copy.jpg"
    answer = answered(client, "POST", "search", data={"q": "boat"}, files={"picture": file.read_bytes()})
    for image in (file, str(file), file.read_bytes()):
        assert library.search("boat", images=[image]) == answer["hits"]


def test_a_picture_is_what_the_json_interface_says_of_it(library: sightline.Library, client: TestClient) -> None:
    library.tag(7, "boat")
    assert library.photo(7) == answered(client, "GET", "photos/7")
    assert library.thumbnail(7) == client.get("/api/v1/photos/7/thumbnail").content
    assert library.tags() == answered(client, "GET", "tags")["tags"] == [{"name": "boat", "count": 1}]


def test_a_map_is_what_the_json_interface_gives(library: sightline.Library, client: TestClient) -> None:
    answer = answered(client, "GET", "photos/7/explain", params={"text": "a red boat"})
    found = library.explain(7, "a red boat")
    assert (answer["id"], answer["text"], answer["space"]) == (7, found.text, found.space)
    assert np.asarray(answer["map"]) == pytest.approx(found.map, abs=1e-3)
    assert answer["box"] == {"left": 0, "top": 0, "width": 1, "height": 1}
    assert found.box == (0, 0, 1, 1)
    assert answer["peak"] == pytest.approx(found.peak, abs=1e-3)


@pytest.mark.parametrize("options", [{}, {"none": False, "top": 2}, {"templates": ["a drawing of a {}"]}])
def test_labels_are_what_the_json_interface_gives(
    library: sightline.Library, client: TestClient, options: dict[str, Any]
) -> None:
    labels = ["boat", "kite", "house"]
    asked = {"labels": labels, "q": "date:2020..", "limit": 500, **options}
    answer = answered(client, "POST", "label", json=asked)
    found = library.label(labels, "date:2020..", **options)
    # Each loads the model for itself; on a busy machine the probe may choose bfloat16 for one and not for the other.
    assert [without_labels(picture) for picture in found] == [without_labels(picture) for picture in answer["pictures"]]
    for ours, theirs in zip(found, answer["pictures"], strict=True):
        assert len(ours["labels"]) == len(theirs["labels"])
        if max(ours["probability"], theirs["probability"]) > 0.65:  # else it may fall on either side
            assert ours["label"] == theirs["label"]
            assert ours["probability"] == pytest.approx(theirs["probability"], abs=0.05)
    assert dict(found.about) == {"space": answer["space"], "query": answer["query"]}


def test_similar_pictures_are_the_hits_of_like_without_the_picture(
    library: sightline.Library, client: TestClient
) -> None:
    answer = answered(client, "GET", "search", params={"q": "like:3", "limit": 6})
    assert answer["hits"][0]["id"] == 3
    assert library.similar(3, limit=5) == answer["hits"][1:]
