"""Where in a picture a text was found: maps that lie on the thing, for every family of towers, or a reason."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import indexing
import models
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from zoo import publish
from zoo_table import OPEN_CLIP, Architecture

import sightline
from indexer.commands import run
from indexer.demo.draw import Box, boxes, render
from indexer.demo.world import Scene, album, kind_named, scene_at
from sightline.models.encoder import Encoder
from sightline.models.preprocess import LONG, Preprocess
from sightline.models.resolve import resolve
from sightline.where.errors import UnknownTowerError
from sightline.where.patches import patch_map, without_outliers
from store.errors import SpaceError

# What the fixture `drawn` draws.
SCENES = album(0, 60)
SIZE = (160, 120)


@pytest.fixture(scope="module")
def library(drawn: Path) -> Iterator[sightline.Library]:
    with sightline.Library(drawn / "library", offline=True) as opened:
        yield opened


def scene_of(photo: sightline.records.Record) -> Scene | None:
    name = Path(photo["path"]).stem
    return SCENES[int(name[4:]) - 1] if name.startswith("IMG_") else None


def over(found: NDArray[np.float32], box: tuple[float, ...], size: tuple[int, int]) -> NDArray[np.float32]:
    """A map at each pixel of a picture; NaN where the model did not look."""
    width, height = size
    left, top, right, bottom = (share * side for share, side in zip(box, (*size, *size), strict=True))
    rows, columns = (
        np.floor((np.arange(side) + 0.5 - start) / (stop - start) * cells).astype(int)
        for side, start, stop, cells in (
            (height, top, bottom, found.shape[0]), (width, left, right, found.shape[1]),
        )
    )  # fmt: skip
    made = np.full((height, width), np.nan, np.float32)
    seen = np.ix_((rows >= 0) & (rows < found.shape[0]), (columns >= 0) & (columns < found.shape[1]))
    made[seen] = found[np.ix_(rows[seen[0].ravel()], columns[seen[1].ravel()])]
    return made


def inside(things: list[Box], size: tuple[int, int]) -> NDArray[np.bool_]:
    made = np.zeros(size[::-1], np.bool_)
    for left, top, right, bottom in things:
        made[round(top) : round(bottom), round(left) : round(right)] = True
    return made


@pytest.mark.parametrize("is_coloured", [False, True], ids=["a boat", "a red boat"])
def test_the_map_lies_on_the_thing_that_the_text_names(library: sightline.Library, is_coloured: bool) -> None:
    hits, ratios = [], []
    for photo in library.photos():
        scene = scene_of(photo)
        if scene is None:
            continue
        noun = kind_named(scene.kind).words[0][0]
        found = library.explain(photo["id"], f"a {scene.colour} {noun}" if is_coloured else f"a {noun}")
        assert found.map.shape == (8, 8)
        assert found.map.min() >= 0
        assert found.map.max() == 1
        assert found.peak is not None
        things = boxes(scene, *SIZE)
        x, y = (share * side for share, side in zip(found.peak, SIZE, strict=True))
        hits.append(any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in things))
        shown, thing = over(found.map, found.box, SIZE), inside(things, SIZE)
        ratios.append(shown[thing].mean() / max(1e-9, shown[~thing].mean()))
    assert len(hits) >= 50
    assert np.mean(hits) >= 0.9  # the bar is 0.8
    assert np.median(ratios) >= 4  # and 2
    assert np.mean(np.array(ratios) >= 2) >= 0.9


def test_a_picture_that_is_stored_on_its_side_has_the_map_of_the_upright_one(drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    upright = Image.open(next(drawn.glob("photos/*/IMG_0001.jpg"))).convert("RGB").resize((320, 240))
    upright.save(tmp_path / "photos" / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "photos" / "turned.png", exif=exif)
    indexing.add(tmp_path / "library", tmp_path / "photos", "demo")
    with sightline.Library(tmp_path / "library", offline=True) as library:
        maps = {photo["path"]: library.explain(photo["id"], "a boat") for photo in library.photos()}
    np.testing.assert_allclose(maps["turned.png"].map, maps["upright.png"].map, atol=1e-4)
    assert maps["turned.png"].peak == maps["upright.png"].peak


def changed(name: str, about: str, **vision: object) -> Architecture:
    """An architecture of the zoo with another image tower."""
    changes = next(a for a in OPEN_CLIP if a.name == name).changes
    return Architecture("open_clip", name, about, {**changes, "vision_cfg": {**changes["vision_cfg"], **vision}})


PLACES = ("ViT-B-32", "RN50", "ViT-H-14-CLIPA", "coca_ViT-B-32", "ViT-B-16-SigLIP", "PE-Core-T-16-384", "EVA02-B-16",
          "convnext_large_d", "vit_medium_patch16_gap_256", "swin_base_patch4_window7_224", "MobileCLIP2-S0",
          "vit_relpos_medium_patch16_cls_224")  # fmt: skip

FAMILIES = [
    *(a for a in OPEN_CLIP if a.name in PLACES),
    changed("vit_medium_patch16_gap_256", "registers", timm_model_name="vit_wee_patch16_reg1_gap_256", image_size=256,
            timm_pool="avg", timm_proj="linear"),
    changed("ViT-B-32", "higher than wide", image_size=[224, 160]),
    changed("ViT-B-32", "wider than high, averaged", image_size=[160, 288], pool_type="avg"),
]  # fmt: skip


@pytest.mark.parametrize("architecture", FAMILIES, ids=lambda a: f"{a.name} {a.about}")
def test_each_family_of_towers_finds_the_place_that_differs(architecture: Architecture, tmp_path: Path) -> None:
    """By the difference that a square makes to a grey picture's vector: weights that were never trained know that."""
    published = publish(architecture, tmp_path / "model", [Image.new("RGB", (64, 64))])
    encoder = Encoder(resolve(published.space), device="cpu", precision="fp32", texts=False)
    height, width = encoder.preprocess.size
    pictures = np.full((2, 3, height, width), 120, np.uint8)
    # Neither in the middle nor on a diagonal.
    rows, columns = slice(height // 4, height // 2), slice(width * 5 // 8, width * 7 // 8)
    square = pictures[1, :, rows, columns]
    square[...] = np.random.default_rng(0).integers(0, 256, square.shape)
    before = encoder.encode_images(pictures)
    found = patch_map(encoder, pictures[1], before[1] - before[0])

    assert found.dtype == np.float32
    assert found.shape[0] / found.shape[1] == height / width
    assert min(found.shape) >= 5
    shown = over(found, (0, 0, 1, 1), (width, height))
    thing = np.zeros((height, width), np.bool_)
    thing[rows, columns] = True
    assert shown[thing].mean() >= 1.5 * shown[~thing].mean()
    # Nothing stays behind in the network.
    np.testing.assert_array_equal(encoder.encode_images(pictures), before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in encoder.module.modules())


UNKNOWN = (
    ("mixer", {"timm_model_name": "mixer_s32_224", "timm_pool": "avg", "timm_proj": "linear", "image_size": 224}),
    ("pooled by attention", {"timm_model_name": "resnet18", "timm_pool": "rot_attn", "timm_proj": "linear"}),
)


@pytest.mark.parametrize(("about", "vision"), UNKNOWN, ids=[about for about, _ in UNKNOWN])
def test_a_tower_that_can_not_tell_says_so(about: str, vision: dict[str, object], tmp_path: Path) -> None:
    published = publish(changed("convnext_tiny", about, **vision), tmp_path / "model", [Image.new("RGB", (64, 64))])
    encoder = Encoder(resolve(published.space), device="cpu", precision="fp32", texts=False)
    with pytest.raises(UnknownTowerError, match="can't be shown for the model"):
        patch_map(encoder, np.zeros((3, *encoder.preprocess.size), np.uint8), np.ones(64, np.float32))


def test_outlying_patches_have_what_is_around_them() -> None:
    shares = torch.arange(36.0).reshape(6, 6)
    lengths = torch.ones(6, 6)
    lengths[2, 3] = lengths[0, 0] = 12
    mended = without_outliers(shares.clone(), lengths)
    assert mended[2, 3] == shares[1:4, 2:5].flatten()[[0, 1, 2, 3, 5, 6, 7, 8]].median()
    assert mended[0, 0] in shares[:2, :2].flatten()[1:]
    lengths[2, 3] = lengths[0, 0] = 1
    assert torch.equal(mended.where(lengths > 1, shares), shares)
    # Longer, but not as much longer as registers are: what a thing is drawn by.
    assert torch.equal(without_outliers(shares, lengths + torch.eye(6)), shares)


# -- what the model looks at -----------------------------------------------------------------------------------------


def _preprocess(resize: str, size: tuple[int, int] = (64, 64), crop: float = 1.0) -> Preprocess:
    return Preprocess(size, resize, "bilinear", (0.5,) * 3, (0.5,) * 3, 200, crop)


@pytest.mark.parametrize("shape", [(90, 90), (60, 240), (301, 100), (20, 20 * LONG * 3)], ids=str)
@pytest.mark.parametrize(
    "preprocess",
    [
        _preprocess("squash"), _preprocess("shortest"), _preprocess("shortest", crop=0.8), _preprocess("longest"),
        _preprocess("longest", (48, 64)), _preprocess("shortest", (48, 64), 0.9), _preprocess("squash", crop=0.7),
    ],
    ids=lambda made: f"{made.resize} {made.size} {made.crop}",
)  # fmt: skip
def test_what_a_model_sees_of_a_picture_is_where_its_pixels_come_from(
    preprocess: Preprocess, shape: tuple[int, int]
) -> None:
    """Each pixel of this picture says in red and green where it is: the input's edges must say what `seen` does."""
    height, width = shape
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 180, width).round()
    pixels[..., 1] = np.linspace(0, 180, height).round()[:, None]
    made = preprocess.apply(pixels).astype(float)
    (left, top, right, bottom), (before, above, after, below) = preprocess.seen(height, width)
    high, wide = preprocess.size
    y0, y1, x0, x1 = (
        round(share * side) for share, side in ((above, high), (below, high), (before, wide), (after, wide))
    )
    kept = made[:, y0:y1, x0:x1]
    assert kept.size
    red, green = kept[0].mean(0) / 180, kept[1].mean(1) / 180
    across, down = (right - left) / (x1 - x0), (bottom - top) / (y1 - y0)
    assert red[0] == pytest.approx(left + across / 2, abs=0.02 + across / 2)
    assert red[-1] == pytest.approx(right - across / 2, abs=0.02 + across / 2)
    assert green[0] == pytest.approx(top + down / 2, abs=0.02 + down / 2)
    assert green[-1] == pytest.approx(bottom - down / 2, abs=0.02 + down / 2)
    made[:, y0:y1, x0:x1] = 200
    assert (made == 200).all()  # nothing but padding is left


def test_what_a_centre_crop_leaves_out_is_not_in_the_map(tmp_path: Path, tiny_space: str) -> None:
    (tmp_path / "photos").mkdir()
    wide = Image.new("RGB", (300, 100), (90, 90, 90))
    wide.paste((250, 30, 30), (110, 20, 140, 50))
    wide.save(tmp_path / "photos" / "wide.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    wide.save(tmp_path / "photos" / "high.jpg", exif=exif, quality=95)
    indexing.add(tmp_path / "library", tmp_path / "photos", tiny_space)
    with sightline.Library(tmp_path / "library", offline=True) as library:
        found = {photo["path"]: library.explain(photo["id"], "a boat") for photo in library.photos()}
    assert found["wide.png"].box == pytest.approx((1 / 3, 0, 2 / 3, 1), abs=0.01)
    assert found["high.jpg"].box == pytest.approx((0, 1 / 3, 1, 2 / 3), abs=0.01)
    for each in found.values():
        assert each.map.shape == (4, 4)
        assert each.peak is None or (each.box[0] <= each.peak[0] <= each.box[2])


def test_a_larger_size_gives_a_finer_map(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    scene = Scene("boat", "red", 1, "water", "clear", 7)
    render(scene, 400, 300).save(tmp_path / "photos" / "boat.png")
    indexing.add(tmp_path / "library", tmp_path / "photos", "demo;size=128")
    with sightline.Library(tmp_path / "library", offline=True) as library:
        assert library.explain(library.photos()[0]["id"], "a red boat").map.shape == (16, 16)


def test_padding_is_not_in_the_map(tmp_path: Path) -> None:
    space = models.clip_like(tmp_path / "model", preprocess={"resize_mode": "longest"})
    (tmp_path / "photos").mkdir()
    Image.effect_noise((320, 80), 90).convert("RGB").save(tmp_path / "photos" / "wide.png")
    indexing.add(tmp_path / "library", tmp_path / "photos", space)
    with sightline.Library(tmp_path / "library", offline=True) as library:
        found = library.explain(library.photos()[0]["id"], "a boat")
    assert found.box == (0, 0, 1, 1)
    assert found.map.shape == (1, 4)  # a quarter as high as wide, and the model sees 4 x 4 patches


def test_what_was_found_in_a_tile_is_shown_in_that_tile(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    # Not of the albums that the model was tried with.
    scenes = [scene_at(5, index) for index in range(40)]
    for number, scene in enumerate(scenes):
        render(scene, 640, 480, 0.3).save(folder / f"{number:02}.jpg", quality=92)
    assert run([str(folder), "--library", str(tmp_path / "library"), "--space", "demo", "--tiles", "3", "--quiet"]) == 0
    found, hits = 0, 0
    with sightline.Library(tmp_path / "library", offline=True) as library:
        for photo in library.photos():
            scene = scenes[int(photo["path"][:2])]
            text = f"a {scene.colour} {kind_named(scene.kind).words[0][0]}"
            hit = next((each for each in library.search(text, limit=60) if each["id"] == photo["id"]), None)
            if hit is None or hit["box"] is None:
                continue
            seen = library.explain(photo["id"], text)
            tile = hit["box"]
            ends = tile["left"] + tile["width"], tile["top"] + tile["height"]
            assert seen.box == pytest.approx((tile["left"], tile["top"], *ends), abs=1e-3)
            assert seen.peak is not None
            x, y = seen.peak[0] * 640, seen.peak[1] * 480
            found += 1
            hits += any(a - 8 <= x <= c + 8 and b - 8 <= y <= d + 8 for a, b, c, d in boxes(scene, 640, 480, 0.3))
    assert found >= 15
    assert hits >= 0.8 * found


def test_a_part_that_is_given_is_looked_at(library: sightline.Library) -> None:
    part = {"left": 0.3333, "top": 0.5, "width": 0.6667, "height": 0.5}
    seen = library.explain(1, "a boat", part=part)
    assert seen.box == pytest.approx((1 / 3, 0.5, 1, 1), abs=1e-3)
    assert not np.array_equal(seen.map, library.explain(1, "a boat").map)
    assert library.explain(1, "a boat", part=None).box == (0, 0, 1, 1)


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"left": 0.0, "top": 0.0, "width": 0.0, "height": 1.0},
        {"left": 0.5, "top": 0.0, "width": 0.6, "height": 1.0},
        {"left": -0.1, "top": 0.0, "width": 0.5, "height": 1.0},
        {"left": 0.0, "top": 0.0, "width": math.nan, "height": 1.0},
    ],
)
def test_what_is_no_part_of_a_picture_is_refused(library: sightline.Library, part: dict[str, float]) -> None:
    with pytest.raises(sightline.QueryError, match="is no part of a picture"):
        library.explain(1, "a boat", part=part)


# -- what is asked ---------------------------------------------------------------------------------------------------


def test_filters_and_exclusions_of_a_query_change_no_map(library: sightline.Library) -> None:
    plain = library.explain(1, "boat")
    other = library.explain(1, "boat -night date:2020..")
    np.testing.assert_array_equal(plain.map, other.map)
    assert (other.text, other.space) == ("boat", "demo")
    np.testing.assert_array_equal(np.asarray(plain), plain.map)
    assert np.asarray(plain, np.float64).dtype == np.float64


def test_a_picture_whose_file_is_away_is_explained_by_its_thumbnail(drawn: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn / "photos" / "2019-summer-brighton", tmp_path / "photos")
    indexing.add(tmp_path / "library", tmp_path / "photos", "demo")
    with sightline.Library(tmp_path / "library", offline=True) as library:
        id_ = library.photos()[0]["id"]
        before = library.explain(id_, "a boat")
        (tmp_path / "photos").rename(tmp_path / "away")
        after = library.explain(id_, "a boat")
    assert np.corrcoef(before.map.ravel(), after.map.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("text", ["like:1", "date:2020..", "-boat"])
def test_without_words_there_is_no_map(library: sightline.Library, text: str) -> None:
    with pytest.raises(sightline.QueryError, match="no words to look for"):
        library.explain(1, text)


@pytest.mark.parametrize("id_", [999_999, 0, -1, 10**30])
def test_a_picture_that_is_not_there_has_no_map(library: sightline.Library, id_: int) -> None:
    with pytest.raises(sightline.QueryError, match=f"no picture {id_} "):
        library.explain(id_, "boat")


def test_a_model_without_words_says_so(tmp_path: Path) -> None:
    space = models.picture_only(tmp_path / "model")
    (tmp_path / "photos").mkdir()
    Image.effect_noise((200, 100), 90).convert("RGB").save(tmp_path / "photos" / "noise.png")
    indexing.add(tmp_path / "library", tmp_path / "photos", space)
    with (
        sightline.Library(tmp_path / "library", offline=True) as library,
        pytest.raises(SpaceError, match="no words"),
    ):
        library.explain(library.photos()[0]["id"], "a boat")
