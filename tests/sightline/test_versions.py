"""Versions of a picture: what pixels confirm, what searches fold, and that a picture matches itself."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import indexing
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from search_ui.parts.duplicate_cards import card
from sightline.duplicates import groups as duplicates
from sightline.duplicates.hash_pairs import hash_pairs
from sightline.duplicates.steps import DEFAULT_STEP, DISTANCE_STEPS
from sightline.images.look import SIDE, look_of
from sightline.models.loaded import Encoders
from sightline.query.parser import parse
from sightline.searcher import Searcher
from sightline.similar import similar
from sightline.versions import VERSION, agreement, hash_distance
from store.library import Library
from store.tables.looks import read_looks


def photo(seed: int, width: int = 480, height: int = 360) -> Image.Image:
    """A picture with a photograph's spectrum, and some things in it."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for octave in range(1, 8):
        cells = Image.fromarray(rng.integers(0, 256, (1 << octave, 1 << octave, 3), dtype=np.uint8))
        total += (np.asarray(cells.resize((width, height), Image.Resampling.BICUBIC)) - 127.5) / 1.7**octave
    image = Image.fromarray(np.clip(127.5 + 1.5 * total, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(5):
        x, y, size = int(rng.integers(0, width)), int(rng.integers(0, height)), int(rng.integers(20, 90))
        draw.ellipse((x, y, x + size, y + size), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return image


def page(seed: int) -> Image.Image:
    """A page of text: all have the same margins and lines."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (420, 594), "white")
    draw = ImageDraw.Draw(image)
    for line in range(40):
        x = 40
        while x < 350:
            word = int(rng.integers(8, 40))
            draw.rectangle((x, 40 + 13 * line, x + word, 46 + 13 * line), fill=(40, 40, 40))
            x += word + 6
    return image


def sky(seed: int) -> Image.Image:
    """From light to dark, with a little noise."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(rng.integers(180, 250), rng.integers(60, 120), 300)[:, None, None]
    noise = rng.normal(0, 3, (300, 400, 3))
    return Image.fromarray(np.clip(rows + noise + [0, 10, 30], 0, 255).astype(np.uint8))


def horizon(seed: int) -> Image.Image:
    """The sea under a plain sky: one straight edge."""
    rng = np.random.default_rng(seed)
    line = int(rng.integers(120, 180))
    rows = np.where(np.arange(300) < line, 210, 60)[:, None, None] + rng.normal(0, 2, (300, 400, 3))
    return Image.fromarray(np.clip(rows, 0, 255).astype(np.uint8))


def window(seed: int) -> Image.Image:
    """A window of a program: the same bars and menu always, other words in it."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (800, 500), (245, 245, 245))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 160, 500), fill=(40, 44, 60))
    draw.rectangle((0, 0, 800, 40), fill=(60, 90, 160))
    for line in range(8):
        draw.text((20, 60 + 40 * line), f"menu {line}", "white", font_size=14)
        words = ["".join(rng.choice(list("aeioustrnlm"), rng.integers(2, 11))) for _ in range(7)]
        draw.text((200, 70 + 50 * line), " ".join(words), "black", font_size=14)
    return image


def saved(image: Image.Image, kind: str = "JPEG", quality: int = 90) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=quality)
    return Image.open(buffer).convert("RGB")


def marked(image: Image.Image) -> Image.Image:
    image = image.copy()
    width, height = image.size
    ImageDraw.Draw(image).rectangle(
        (width * 7 // 10, height * 88 // 100, width * 97 // 100, height * 96 // 100), "white"
    )
    return image


def cut(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    width, height = image.size
    box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
    return image.crop((round(box[0]), round(box[1]), round(box[2]), round(box[3])))


VERSIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "saved anew": lambda image: saved(image, quality=50),
    "saved badly": lambda image: saved(image, quality=30),
    "as WebP": lambda image: saved(image, "WEBP", 50),
    "half size": lambda image: saved(image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)),
    "a quarter": lambda image: saved(image.resize((image.width // 4, image.height // 4), Image.Resampling.LANCZOS)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.2),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "sharpened": lambda image: image.filter(ImageFilter.UnsharpMask(2, 120, 2)),
    "cut all round": lambda image: cut(image, 0.025, 0.025, 0.025, 0.025),
    "cut by a tenth": lambda image: cut(image, 0.05, 0.05, 0.05, 0.05),
    "cut on the left": lambda image: cut(image, 0.06, 0, 0, 0),
    "cut at the top": lambda image: cut(image, 0, 0.08, 0, 0),
    "in a white frame": lambda image: ImageOps.expand(image, image.width // 30, "white"),
    "in a black frame": lambda image: ImageOps.expand(image, image.width // 30, "black"),
    "in a green frame": lambda image: ImageOps.expand(image, image.width // 40, "green"),
    "turned by a degree": lambda image: cut(image.rotate(1, Image.Resampling.BICUBIC), 0.015, 0.015, 0.005, 0.015),
    "marked": marked,
}  # fmt: skip


def greys(images: list[Image.Image]) -> NDArray[np.uint8]:
    looks = [look_of(np.asarray(image)).grey for image in images]
    return np.stack([np.frombuffer(grey, np.uint8).reshape(SIDE, SIDE) for grey in looks])


def every_pair(images: list[Image.Image]) -> NDArray[np.float32]:
    grey = greys(images)
    first, second = np.triu_indices(len(images), 1)
    return agreement(grey[first], grey[second])


# -- pixels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", VERSIONS)
def test_pixels_confirm_versions(kind: str) -> None:
    originals = [photo(seed) for seed in range(12)]
    made = [VERSIONS[kind](image) for image in originals]
    assert (agreement(greys(originals), greys(made)) >= VERSION).all()


def test_pixels_tell_different_photos_apart() -> None:
    assert np.nanmax(every_pair([photo(seed) for seed in range(30)])) < 0.8


@pytest.mark.parametrize("draw", [page, sky, horizon])
def test_pages_of_text_and_plain_pictures_are_not_taken_for_versions(draw: Callable[[int], Image.Image]) -> None:
    assert not (every_pair([draw(seed) for seed in range(20)]) >= VERSION).any()


def test_windows_with_other_words_in_them_are_mostly_told_apart() -> None:
    found = every_pair([window(seed) for seed in range(20)])
    assert np.count_nonzero(found >= VERSION) <= 0.25 * len(found)


@pytest.mark.parametrize("draw", [page, window])
def test_the_same_page_saved_anew_is_a_version(draw: Callable[[int], Image.Image]) -> None:
    pages = [draw(seed) for seed in range(6)]
    assert (agreement(greys(pages), greys([saved(image, quality=50) for image in pages])) >= VERSION).all()


def test_pictures_that_show_nearly_nothing_are_left_to_whatever_proposed_them() -> None:
    plain = greys([sky(3), Image.new("RGB", (90, 60), "white")])
    assert np.isnan(agreement(plain, plain)).all()


def test_agreement_does_not_depend_on_the_order_or_on_other_pairs() -> None:
    originals = greys([photo(seed) for seed in range(6)])
    made = greys([VERSIONS["in a white frame"](photo(seed)) for seed in range(6)])
    found = agreement(originals, made)
    assert np.array_equal(found, agreement(made, originals))
    single = [agreement(one[None], other[None])[0] for one, other in zip(originals, made, strict=True)]
    assert np.allclose(found, single, atol=1e-4)
    assert agreement(originals[:0], made[:0]).shape == (0,)


def test_near_hashes_are_found_all_in_a_small_library_and_the_nearest_in_a_large_one() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 600).astype(np.uint64)
    hashes[300:] = hashes[:300] ^ (np.uint64(1) << rng.integers(0, 63, 300).astype(np.uint64))
    distances = hash_distance(hashes[:, None], hashes)
    expected = {(i, j) for i, j in zip(*np.nonzero(distances <= 10), strict=True) if i < j}
    assert set(zip(*(rows.tolist() for rows in hash_pairs(hashes, 10)), strict=True)) == expected
    likely = set(zip(*(rows.tolist() for rows in hash_pairs(hashes, 10, exact=0)), strict=True))
    assert likely <= expected and len(likely & {(row, row + 300) for row in range(300)}) == 300
    # Thousands of empty pages are not millions of pairs.
    assert len(hash_pairs(np.zeros(2_000, np.uint64), 10)[0]) < 2_000 * 64


# -- libraries ------------------------------------------------------------------------------------------------------

COUNT = 12  # photos
_KINDS = ("saved anew", "half size", "brighter", "cut all round", "in a white frame", "turned by a degree")


@pytest.fixture(scope="module", params=["tiny", "demo"])
def library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_space: str
) -> Iterator[Path]:
    """Photos and versions of each, in a space that was never trained, or in one that knows drawings only."""
    folder = tmp_path_factory.mktemp("versions")
    (folder / "photos").mkdir()
    for seed in range(COUNT):
        photo(seed).save(folder / "photos" / f"{seed:02}-original.jpg", quality=95)
        for kind in _KINDS:
            VERSIONS[kind](photo(seed)).save(folder / "photos" / f"{seed:02}-{kind}.jpg", quality=92)
    indexing.add(folder / "library", folder / "photos", "demo" if request.param == "demo" else tiny_space)
    yield folder / "library"
    shutil.rmtree(folder)


@pytest.fixture
def searcher(library: Path) -> Iterator[Searcher]:
    with Library.open(library) as opened:
        yield Searcher(opened, Encoders(offline=True))


def ids_by_name(searcher: Searcher) -> dict[str, int]:
    hits = searcher.search(parse("name:* dedup:off"), limit=500).hits
    return {Path(hit.photo.display).stem: hit.photo.content_id for hit in hits}


def test_a_search_folds_the_versions_of_a_photo_and_no_other(searcher: Searcher) -> None:
    ids = ids_by_name(searcher)
    for seed in range(COUNT):
        hits = searcher.search(parse(f"like:{ids[f'{seed:02}-original']}"), limit=500).hits
        found = {hits[0].photo.content_id, *hits[0].folded}
        assert found == {id_ for name, id_ in ids.items() if name.startswith(f"{seed:02}-")}
        assert len(hits) == COUNT


def test_without_looks_vectors_decide_alone(library: Path, tmp_path: Path) -> None:
    shutil.copytree(library, tmp_path / "library")
    with Library.open(tmp_path / "library") as opened:
        with opened.catalog.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM looks")
        searcher = Searcher(opened, Encoders(offline=True))
        ids = ids_by_name(searcher)
        index = opened.vectors.get(searcher.space().id)
        hits = searcher.search(parse(f"like:{ids['00-original']}"), limit=500).hits
        threshold = searcher._comparisons.nearness(searcher.space().id, 0).alone
        own = index.vectors_of(np.array([hits[0].photo.content_id]))[0]
        assert (index.vectors_of(np.array(hits[0].folded, np.int64)) @ own >= threshold - 1e-6).all()


def test_similar_pictures_are_no_versions(searcher: Searcher) -> None:
    ids = ids_by_name(searcher)
    names = {id_: name[:2] for name, id_ in ids.items()}
    found = similar(searcher.library, searcher.space().id, ids["00-original"], 6)
    assert "00" not in [names[id_] for id_ in found]
    assert len({names[id_] for id_ in found}) == len(found) == 6


def test_duplicates_are_versions_from_the_strict_steps_to_the_loose_ones(searcher: Searcher) -> None:
    names = {id_: name for name, id_ in ids_by_name(searcher).items()}
    steps = duplicates.near(searcher.library, searcher.space())
    assert len(steps) == len(DISTANCE_STEPS)
    groups = steps[DEFAULT_STEP]
    assert len(groups) == COUNT
    for number in range(COUNT):
        assert len({names[id_][:2] for id_ in groups[number].tolist()}) == 1
        assert len(groups[number]) == len(_KINDS) + 1
    strict = {names[id_] for id_ in steps[0].ids.tolist()}
    assert {"00-original", "00-saved anew"} <= strict and "00-in a white frame" not in strict
    pictures = [len(found.ids) for found in steps]
    assert pictures == sorted(pictures)


# -- a picture matches itself ---------------------------------------------------------------------------------------


def test_every_picture_and_its_versions_match_it(searcher: Searcher) -> None:
    ids = ids_by_name(searcher)
    for name, id_ in ids.items():
        hits = searcher.search(parse(f"like:{id_} dedup:off"), limit=500).hits
        own = {names: hit for hit in hits for names in [Path(hit.photo.display).stem] if names[:2] == name[:2]}
        assert own[name].band == "strong" and own[name].parts[0].score >= 0
        if name.endswith("original"):
            assert {hit.band for hit in own.values()} == {"strong"}
            assert all(hit.parts[0].score >= 0 for hit in own.values())


def test_a_given_picture_matches_what_the_library_has_of_it(searcher: Searcher, tmp_path: Path) -> None:
    ids = ids_by_name(searcher)
    photo(3).save(tmp_path / "3.jpg", quality=95)  # the very bytes of a photo of the library
    VERSIONS["cut by a tenth"](photo(5)).save(tmp_path / "5.jpg", quality=80)  # and others
    for seed in (3, 5):
        given = {"1": (tmp_path / f"{seed}.jpg").read_bytes()}
        hits = searcher.search(parse("picture:1 dedup:off"), pictures=given, limit=500).hits
        bands = {hit.photo.content_id: hit.band for hit in hits}
        assert bands[ids[f"{seed:02}-original"]] == "strong"
        assert bands[ids[f"{seed:02}-half size"]] == "strong"
        without = searcher.search(parse("-picture:1 dedup:off"), pictures=given, limit=500).hits
        assert {hit.band for hit in without if hit.photo.content_id == ids[f"{seed:02}-original"]} == {"below"}


@pytest.mark.parametrize("count", [1, 2, 5, 13])
def test_pictures_match_themselves_in_tiny_libraries(count: int, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for seed in range(count):
        photo(100 + seed).save(tmp_path / "photos" / f"{seed}.jpg")
    indexing.add(tmp_path / "library", tmp_path / "photos", "demo")
    with Library.open(tmp_path / "library") as opened:
        searcher = Searcher(opened, Encoders(offline=True))
        for id_ in ids_by_name(searcher).values():
            first = searcher.search(parse(f"like:{id_}")).hits[0]
            assert (first.photo.content_id, first.band) == (id_, "strong")
            assert first.parts[0].score >= 0


# -- bursts ---------------------------------------------------------------------------------------------------------


def frame(number: int) -> Image.Image:
    """One of a scene in which something large moves."""
    image = photo(7)
    ImageDraw.Draw(image).rectangle((30 + 90 * number, 40, 170 + 90 * number, 330), fill=(200, 40, 40))
    return image


def exif(seconds: int, camera: str = "Model") -> bytes:
    made = Image.Exif()
    made[ExifTags.Base.Make], made[ExifTags.Base.Model] = "Maker", camera
    made.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = f"2024:05:01 12:00:{seconds:02}"
    return made.tobytes()


@pytest.fixture
def shots(tmp_path: Path) -> Iterator[Searcher]:
    """A burst of three, the same scene a minute later and by another camera, a copy of a frame, other photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        frame(number).save(folder / f"burst{number}.jpg", exif=exif(number))
    frame(1).save(folder / "later.jpg", exif=exif(40))
    frame(2).save(folder / "other.jpg", exif=exif(1, "Other"))
    frame(0).save(folder / "copy.jpg", exif=exif(0), quality=60)
    for seed in range(40, 80):
        photo(seed).save(folder / f"{seed}.jpg", exif=exif(seed - 20 if seed < 79 else 0, "Third"))
    indexing.add(tmp_path / "library", folder, "demo")
    with Library.open(tmp_path / "library") as opened:
        yield Searcher(opened, Encoders(offline=True))


def test_bursts_are_a_kind_of_their_own(shots: Searcher) -> None:
    names = {id_: name for name, id_ in ids_by_name(shots).items()}
    found = duplicates.bursts(shots.library, shots.space())
    groups = [{names[id_] for id_ in found[number].tolist()} for number in range(len(found))]
    burst = next(group for group in groups if "burst1" in group)
    assert {"burst0", "burst1", "burst2"} <= burst
    assert not {"later", "other"} & burst
    near = duplicates.near(shots.library, shots.space())[DEFAULT_STEP]
    copies = [{names[id_] for id_ in near[number].tolist()} for number in range(len(near))]
    assert {"burst0", "copy"} in copies
    assert not any({"burst0", "burst1"} <= group for group in copies)


def test_nothing_of_a_burst_is_offered_to_be_freed(shots: Searcher) -> None:
    found = duplicates.bursts(shots.library, shots.space())
    (group,) = duplicates.load_groups(shots.library, found, 0, 1)
    shown = card(group, are_copies=False)
    assert "freed" not in shown["title"] and shown["rest"] == 0
    assert "freed" in card(group)["title"] and card(group)["rest"] > 0


def test_a_search_folds_a_burst_into_one_place(shots: Searcher) -> None:
    ids = ids_by_name(shots)
    first = shots.search(parse(f"like:{ids['burst1']}")).hits[0]
    assert {ids["burst0"], ids["burst2"]} <= {first.photo.content_id, *first.folded}


def test_every_indexed_picture_has_a_look(searcher: Searcher) -> None:
    ids = np.array(sorted(ids_by_name(searcher).values()))
    assert read_looks(searcher.library.catalog.engine, ids).held.all()
