"""The page, the command line and the JSON interface are doors to one searcher: the same hits, in the same order."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import indexing
import pytest
import serving
from pages import APP, asked, grid
from streamlit.testing.v1 import AppTest
from support import ROOT

from indexer.demo.pictures import write_pictures

SHOWN = 40
QUERIES = (
    'sunset beach -people "hot air balloon" date:2023-06..2023-08 camera:sony folder:trips ext:heic',
    'sunset beach -people "hot air balloon" date:2019-01..2023-08 ext:jpg',
    '"a boat" OR "a house"^2 -snow -folder:*berlin* width:>=100',
    "like:3 -like:5 a red thing^0.5",
    "near:50.8,-0.1,50 sort:name",
    "orientation:landscape name:img size:<10MB -camera:nokia sort:date dedup:off",
    "a wedding",
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doors")
    write_pictures(folder / "photos", SHOWN, 2, (160, 120))
    indexing.add(folder / "library", folder / "photos", "demo")
    return folder / "library"


@pytest.fixture(scope="module")
def address(library: Path) -> Any:
    with serving.running(library, library.parent / "log") as address:
        yield address


def by_page(library: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(library))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    app = asked(AppTest.from_file(str(APP), default_timeout=60), text)
    is_drawn = any(each.proto.component_name == "sightline_gallery" for each in app.get("bidi_component"))
    return [tile["id"] for section in grid(app) for tile in section["tiles"]] if is_drawn else []


def by_command(library: Path, text: str) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-m", "search_ui", "query", "--library", str(library), "--offline", "--json", "-k",
         str(SHOWN), text], cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [json.loads(line)["id"] for line in done.stdout.splitlines()]


def by_api(address: str, text: str) -> tuple[list[int], list[int]]:
    got = httpx.get(
        f"{address}/api/v1/search", params={"q": text, "limit": SHOWN}, timeout=60, headers=serving.header()
    )
    posted = httpx.post(
        f"{address}/api/v1/search", json={"q": text, "limit": SHOWN}, timeout=60, headers=serving.header()
    )
    assert got.status_code == posted.status_code == 200, got.text
    return [hit["id"] for hit in got.json()["hits"]], [hit["id"] for hit in posted.json()["hits"]]


@pytest.mark.slow
@pytest.mark.parametrize("text", QUERIES)
def test_every_door_leads_to_the_same_hits_in_the_same_order(
    library: Path, address: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    got, posted = by_api(address, text)
    assert by_page(library, text, monkeypatch) == by_command(library, text) == got == posted
    assert got or "trips" in text
