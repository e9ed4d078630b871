"""A RAW file and its JPEG are one hit, shown as the JPEG; as duplicates, neither is set aside for the other."""

from __future__ import annotations

from collections.abc import Iterator

import indexing
import numpy as np
import pytest
from pictures import encoded, photo
from PIL import Image, ImageEnhance
from raw_pictures import dng

from indexer.demo.pictures import write_pictures
from sightline.duplicates import groups as duplicates
from sightline.duplicates.groups import load_groups
from sightline.models.loaded import Encoders
from sightline.query.parser import parse
from sightline.ranking.near_duplicates import WINDOW, Fold, Folding
from sightline.ranking.results import Hit
from sightline.searcher import Searcher
from sightline.similar import similar
from sightline.twins import NO_SHOT, Shot, shot
from sightline.version_pairs import Nearness
from store.library import Library

STAMP = Image.new("RGB", (64, 48))


def raw_of(picture: Image.Image) -> bytes:
    return dng(picture, STAMP, encoded(picture, "JPEG", quality=95))


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """Drawn pictures; of the first three there are RAW files, beside them and elsewhere, as their camera shows them."""
    folder = tmp_path_factory.mktemp("twins")
    drawn = write_pictures(folder / "photos", 40, 0, (320, 240))
    for number, each in enumerate(drawn[:3]):
        with Image.open(folder / "photos" / each.path) as image:
            picture = image.convert("RGB")
        shots = folder / "photos" / "shots"
        shots.mkdir(exist_ok=True)
        # The JPEG as its camera made it: so far from the preview that their vectors alone would not fold them.
        ImageEnhance.Brightness(picture).enhance(0.35).save(shots / f"IMG_{number}.JPG", quality=90)
        (shots / f"img_{number}.DNG").write_bytes(raw_of(picture))
    # And one that is its preview to the last pixel but for its bytes: a near-duplicate for sure.
    same = photo(320, 240)
    same.save(folder / "photos" / "shots" / "IMG_9.jpg", quality=90)
    (folder / "photos" / "shots" / "IMG_9.dng").write_bytes(raw_of(same))
    (folder / "photos" / "alone.dng").write_bytes(raw_of(photo(320, 240).rotate(180)))
    indexing.add(folder / "library", folder / "photos", "demo")
    with Library.open(folder / "library") as library:
        yield Searcher(library, Encoders(offline=True))


def names(hits: list[Hit]) -> dict[str, Hit]:
    return {hit.photo.display.rpartition("/")[2]: hit for hit in hits}


def ids(searcher: Searcher) -> dict[str, int]:
    hits = searcher.search(parse("ext:dng,jpg,png dedup:off"), limit=500).hits
    return {hit.photo.display.rpartition("/")[2]: hit.photo.content_id for hit in hits}


@pytest.mark.parametrize("query", ["a boat", "ext:dng,jpg", "ext:jpg,dng sort:name"])
def test_a_raw_file_and_its_jpeg_are_one_hit_that_shows_the_jpeg(searcher: Searcher, query: str) -> None:
    every = ids(searcher)
    found = names(list(searcher.search(parse(query), limit=500).hits))
    for number in range(3):
        raw, rendered = f"img_{number}.DNG", f"IMG_{number}.JPG"
        assert raw not in found
        hit = next(hit for hit in found.values() if every[raw] in hit.folded)
        assert every[rendered] in (hit.photo.content_id, *hit.folded)
    shown = [name for name in found if name.lower().endswith(".dng")]
    assert shown in ([], ["alone.dng"])


def test_raw_files_are_found_where_only_they_are_asked_for(searcher: Searcher) -> None:
    found = names(list(searcher.search(parse("ext:dng"), limit=500).hits))
    assert {"img_0.DNG", "img_1.DNG", "img_2.DNG", "alone.dng"} <= set(found)
    assert found["img_0.DNG"].photo.facts["format"] == "DNG"


def test_folding_can_be_turned_off(searcher: Searcher) -> None:
    found = names(list(searcher.search(parse("a boat dedup:off"), limit=500).hits))
    assert {"img_0.DNG", "IMG_0.JPG"} <= set(found)


def test_a_twin_is_not_similar_to_its_picture(searcher: Searcher) -> None:
    every, space = ids(searcher), searcher.space()
    for one, other in (("img_0.DNG", "IMG_0.JPG"), ("IMG_0.JPG", "img_0.DNG")):
        assert every[other] not in similar(searcher.library, space.id, every[one])


def test_twins_alone_are_no_group_of_duplicates_and_stay_together_in_any(searcher: Searcher) -> None:
    library, space = searcher.library, searcher.space()
    for groups in duplicates.near(library, space, lambda done, doing: None):
        for group in load_groups(library, groups, 0, len(groups)):
            shots = [shot([(version.root, version.path)]) for version in group.versions]
            assert not (len(shots) == 2 and shots[0].is_twin_of(shots[1]))
            kept = shot([(group.suggestion.kept.root, group.suggestion.kept.path)])
            twins = {
                version.photo_id for version, each in zip(group.versions, shots, strict=True) if each.is_twin_of(kept)
            }
            assert not twins & set(group.rest)


# -- folding, without a library -------------------------------------------------------------------------------------


def a(name: str, folder: str = "f") -> Shot:
    return shot([(b"/root", f"{folder}/{name}".encode())])


@pytest.mark.parametrize(
    ("one", "other", "are"),
    [
        (a("IMG_1.CR2"), a("IMG_1.JPG"), True),
        (a("IMG_1.CR2"), a("img_1.heic"), True),
        (a("IMG_1.CR2"), a("IMG_2.JPG"), False),
        (a("IMG_1.CR2"), a("IMG_1.JPG", "g"), False),
        (a("IMG_1.HEIC"), a("IMG_1.JPG"), False),
        (a("IMG_1.CR2"), a("IMG_1.DNG"), False),
        (a("IMG_1.CR2"), shot([(b"/other", b"f/IMG_1.JPG")]), False),
        (a("IMG_1.CR2"), shot([(b"/root", b"g/x.jpg"), (b"/root", b"f/IMG_1.jpg")]), True),
        (NO_SHOT, a("IMG_1.CR2"), False),
    ],
)
def test_twins_are_a_raw_file_and_what_lies_beside_it_under_its_name(one: Shot, other: Shot, are: bool) -> None:
    assert one.is_twin_of(other) == other.is_twin_of(one) == are


def folds(shots: list[Shot], block: int) -> list[Fold]:
    """Folded by nothing but their shots."""
    vectors = np.eye(len(shots), dtype=np.float32)
    folding = Folding(len(shots), Nearness(0.9))
    for start in range(0, len(shots), block):
        folding.extend(vectors[start : start + block], shots[start : start + block])
    return folding.places


@pytest.mark.parametrize("block", [1, 3, 256])
def test_a_raw_file_that_is_first_lends_its_place_to_the_picture_made_of_it(block: int) -> None:
    shots = [a("1.cr2"), a("2.jpg"), a("3.jpg"), a("1.jpg"), a("2.cr2"), a("1.heic"), a("4.cr2")]
    places = folds(shots, block)
    assert [(place.shown, place.others) for place in places] == [(3, [0, 5]), (1, [4]), (2, []), (6, [])]
    assert [place.rank for place in places] == [0, 1, 2, 6]


def test_twins_further_apart_than_the_window_keep_a_place_each() -> None:
    others = [a(f"{number}.jpg") for number in range(10, WINDOW + 11)]
    assert len(folds([a("1.cr2"), *others, a("1.jpg")], 256)) == len(others) + 2
