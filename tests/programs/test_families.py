"""A model of each family of presets, with random weights: it indexes, finds like by like, and answers words."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import indexing
import pytest
from PIL import Image
from zoo import pictures, publish
from zoo_table import ARCHITECTURES, FAMILIES

import sightline
from indexer.demo.pictures import write_pictures
from sightline.models.presets import EVERYDAY, PRESETS
from store.errors import SightlineError

TWINS = 3
# Its network can't be cut.
SLOW = {"mobileclip2": pytest.mark.slow}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine drawn pictures, and three of them again, compressed otherwise."""
    folder = tmp_path_factory.mktemp("families") / "photos"
    for picture in write_pictures(folder, 9, 3, (320, 240))[:TWINS]:
        with Image.open(folder / picture.path) as opened:
            opened.save(folder / f"twin-{Path(picture.path).name}", quality=90, exif=opened.getexif())
    return folder


@pytest.fixture(scope="module")
def library(photos: Path) -> Iterator[Path]:
    yield photos.parent / "library"
    shutil.rmtree(photos.parent)


def test_every_preset_is_of_a_family_that_is_tried() -> None:
    others = PRESETS.keys() - {preset.name for preset in EVERYDAY}
    assert [name for name in others if not any(name.startswith(f"{family}-") for family in FAMILIES)] == []
    assert [family for family in FAMILIES if not any(name.startswith(f"{family}-") for name in others)] == []


@pytest.mark.parametrize("family", [pytest.param(each, marks=SLOW.get(each, ())) for each in FAMILIES])
def test_a_family_indexes_finds_like_by_like_and_answers_words(
    family: str, photos: Path, library: Path, tmp_path: Path
) -> None:
    name, changes = FAMILIES[family]
    architecture = next(each for each in ARCHITECTURES if each.name == name)
    published = publish(architecture, tmp_path / family, pictures())
    indexing.add(library, photos, f"{published.space}{changes}")
    space = f"{family}{changes}"
    with sightline.Library(library) as opened:
        everything = {str(hit["path"]): hit for hit in opened.search("sort:name dedup:off", limit=50)}
        assert len(everything) == 9 + TWINS
        for path, hit in everything.items():
            if "twin-" not in path:
                continue
            found = opened.search(f'like:{hit["id"]} space:"{space}" dedup:off', limit=3)
            nearest = [Path(str(each["path"])).name for each in found if each["id"] != hit["id"]]
            assert nearest[0] == Path(path).name.removeprefix("twin-"), (path, nearest)
        if published.texts is None:
            with pytest.raises(SightlineError, match="words"):
                opened.search(f'a red boat space:"{space}"')
            return
        found = opened.search(f'a red boat space:"{space}" dedup:off', limit=50)
        assert found.about["space"] == space
        scores = [float(hit["parts"][0]["cosine"]) for hit in found]
        assert len(scores) == 9 + TWINS and all(map(math.isfinite, scores)) and len(set(scores)) > TWINS
