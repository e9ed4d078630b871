"""Things that cover under 2 % of a picture are found by its tiles, and matches stay precise."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Final, NamedTuple

import numpy as np
import pytest
import scripts
from PIL import Image

import sightline
from indexer.demo.captions import article
from indexer.demo.draw import boxes, render
from indexer.demo.world import KINDS, Scene, scene_at
from sightline.models.loaded import Encoders
from sightline.query.parser import parse
from sightline.ranking.closer import LOOKED_AT
from sightline.ranking.results import Hit
from sightline.searcher import Searcher
from store.library import Library

measuring = scripts.load("benchmarks/relevance.py")
SIZE: Final = (320, 240)
SMALL, USUAL, SEED = 180, 90, 21
# Of the picture, what a small thing and its shadow cover: a little less than 2 %.
COVERED: Final = 0.018
ASKED: Final = [kind for kind in KINDS if kind.name not in measuring.WITHOUT]


class World(NamedTuple):
    """Pictures of small and of usual things, searched without tiles and with them."""

    scenes: dict[str, Scene]
    small: dict[str, tuple[float, float, float, float]]
    whole: Searcher
    tiled: Searcher


def _small(scene: Scene) -> tuple[Image.Image, float]:
    """A picture of one small thing, and how small: it covers `COVERED`."""
    empty, scale = np.asarray(render(scene, *SIZE, 0.004)).astype(int), 0.25
    for _ in range(3):
        picture = render(scene, *SIZE, scale)
        covered = float((np.abs(np.asarray(picture).astype(int) - empty).max(axis=2) > 8).mean())
        scale *= (COVERED / covered) ** 0.5
    picture = render(scene, *SIZE, scale)
    assert (np.abs(np.asarray(picture).astype(int) - empty).max(axis=2) > 8).mean() < 0.02
    return picture, scale


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("small")
    (folder / "photos").mkdir()
    drawn = (scene_at(SEED, number) for number in range(1_000))
    scenes: dict[str, Scene] = {}
    small = {}
    for scene in drawn:
        if scene.kind in measuring.WITHOUT or len(scenes) == SMALL + USUAL:
            continue
        name = f"{len(scenes)}.png"
        if len(scenes) < SMALL:
            one = replace(scene, count=1)
            picture, scale = _small(one)
            (box,) = boxes(one, *SIZE, scale)
            small[name] = (box.left / SIZE[0], box.top / SIZE[1], box.right / SIZE[0], box.bottom / SIZE[1])
        else:
            picture = render(scene, *SIZE)
        scenes[name] = scene
        picture.save(folder / "photos" / name)
    with sightline.Library(folder / "whole") as library:
        library.index([folder / "photos"], space="demo")
    shutil.copytree(folder / "whole", folder / "tiled")
    with sightline.Library(folder / "tiled") as library:
        assert library.index([folder / "photos"], tiles=4)["tiled"] == len(scenes)
    whole, tiled = (Searcher(Library.open(folder / name), Encoders(offline=True)) for name in ("whole", "tiled"))
    return World(scenes, small, whole, tiled)


def _hits(searcher: Searcher, text: str) -> list[Hit]:
    return [hit for hit in searcher.search(parse(f"{text} dedup:off"), limit=500).hits if hit.band != "below"]


class Found(NamedTuple):
    """Means over kinds: small found, usual that match, precision of matches, with possible ones."""

    small: float
    usual: float
    precision: float
    of_all: float


def _found(world: World, searcher: Searcher) -> Found:
    rows = []
    for kind in ASKED:
        right = {name for name, scene in world.scenes.items() if scene.kind == kind.name}
        small = right & world.small.keys()
        hits = _hits(searcher, article(kind.words[0][0]))
        found = {hit.photo.display for hit in hits}
        strong = {hit.photo.display for hit in hits if hit.band == "strong"}
        rows.append((
            len(found & small) / len(small), len(strong & (right - small)) / max(1, len(right - small)),
            len(strong & right) / len(strong) if strong else 1.0, len(found & right) / len(found) if found else 1.0,
        ))  # fmt: skip
    return Found(*(mean(column) for column in zip(*rows, strict=True)))


def test_small_things_are_found_by_tiles_and_matches_stay_as_right_as_they_were(world: World) -> None:
    before, after = _found(world, world.whole), _found(world, world.tiled)
    assert before.small <= 0.25
    assert after.small >= 0.8
    assert after.usual >= before.usual
    assert after.precision >= before.precision - 0.01


def test_what_is_not_there_gets_no_more_matches_with_tiles(world: World) -> None:
    counts = []
    for searcher in (world.whole, world.tiled):
        answers = [measuring.ask(searcher, question) for question in measuring.absent(measuring.WITHOUT)]
        counts.append(sum(len(answer.strong) for answer in answers))
    assert counts[1] <= counts[0]


def test_a_hit_says_in_which_tile_it_was_found(world: World) -> None:
    inside = total = 0
    for kind in ASKED:
        for hit in _hits(world.tiled, article(kind.words[0][0])):
            name = hit.photo.display
            if name not in world.small or world.scenes[name].kind != kind.name or hit.box is None:
                continue
            left, top, right, bottom = world.small[name]
            x, y, width, height = hit.box
            total += 1
            inside += x <= (left + right) / 2 <= x + width and y <= (top + bottom) / 2 <= y + height
    assert total > 0.5 * SMALL
    assert inside >= 0.9 * total
    assert all(hit.box is None for hit in _hits(world.whole, "a boat"))


def test_whole_pictures_alone_give_what_a_library_without_tiles_gives(world: World) -> None:
    for text in ("a boat", '"a car" -"night"', "like:200", "like:200 a boat"):
        query = parse(text)
        whole = world.whole.search(query, limit=300)
        alone = world.tiled.search(query, limit=300, looks="whole")
        assert [(hit.photo.content_id, hit.score, hit.band) for hit in whole.hits] == [
            (hit.photo.content_id, hit.score, hit.band) for hit in alone.hits
        ]
        tiled = world.tiled.search(query, limit=300)
        bands = {hit.photo.content_id: hit.band for hit in tiled.hits}
        if "-" not in text:
            assert all(bands[hit.photo.content_id] == "strong" for hit in whole.hits if hit.band == "strong")


def test_filters_pages_and_orders_of_facts_agree_with_the_whole_list(world: World) -> None:
    everything = world.tiled.search(parse("a boat dedup:off"), limit=300).hits
    pages = [world.tiled.search(parse("a boat dedup:off"), limit=50, offset=at).hits for at in range(0, 300, 50)]
    assert [hit.photo.content_id for hits in pages for hit in hits] == [hit.photo.content_id for hit in everything]
    by_id = {hit.photo.content_id: hit for hit in everything}
    for hit in world.tiled.search(parse("a boat dedup:off sort:name"), limit=300).hits:
        known = by_id[hit.photo.content_id]
        assert (hit.parts, hit.band, hit.box) == (known.parts, known.band, known.box)
    for hit in world.tiled.search(parse("a boat dedup:off ext:png")).hits:
        assert hit.parts == by_id[hit.photo.content_id].parts


def test_a_closer_look_finds_them_without_tiles_in_the_library(world: World) -> None:
    found = total = 0
    for kind in ASKED[:8]:
        query = parse(f"{article(kind.words[0][0])} dedup:off")
        world.whole.look_closer(query)
        result = world.whole.search(query, limit=300, looks="closer")
        right = {name for name in world.small if world.scenes[name].kind == kind.name}
        hits = [hit for hit in result.hits if hit.band != "below"]
        found += len(right & {hit.photo.display for hit in hits})
        total += len(right)
        assert any(hit.box is not None for hit in hits)
        before = {hit.photo.content_id: hit.band for hit in world.whole.search(query, limit=300).hits}
        now = {hit.photo.content_id: hit.band for hit in result.hits}
        assert before.keys() == now.keys()
        assert all(now[id_] == "strong" for id_, band in before.items() if band == "strong")
    assert found >= 0.6 * total


def test_a_closer_look_that_is_stopped_goes_on_where_it_was(world: World) -> None:
    searcher, query = Searcher(world.whole.library, world.whole.encoders), parse("a boat dedup:off")
    far: list[tuple[int, int]] = []
    searcher.look_closer(query, report=lambda *each: far.append(each), is_stopped=lambda: far[-1][0] >= 40)
    assert 40 <= far[-1][0] < LOOKED_AT
    again: list[tuple[int, int]] = []
    searcher.look_closer(query, report=lambda *each: again.append(each))
    assert again[0][0] == far[-1][0] and again[-1][0] == LOOKED_AT
    searcher.look_closer(query, report=lambda *each: again.append(each))
    assert again[-1] == again[-2]


def test_a_closer_look_that_waits_for_another_can_be_stopped_and_makes_nothing_twice(world: World) -> None:
    searcher, query = Searcher(world.whole.library, world.whole.encoders), parse("a boat dedup:off")
    begun, free = threading.Event(), threading.Event()

    def hold(done: int, _: int) -> None:
        if done:
            begun.set()
            free.wait(60)

    waiting: list[tuple[int, int]] = []
    with ThreadPoolExecutor(2) as visitors:
        first = visitors.submit(searcher.look_closer, query, report=hold)
        assert begun.wait(60)
        searcher.look_closer(query, is_stopped=lambda: True)
        assert not first.done()
        second = visitors.submit(searcher.look_closer, query, report=lambda *each: waiting.append(each))
        while not waiting:
            time.sleep(0.01)
        free.set()
        first.result(60)
        second.result(60)
    assert waiting[0][0] < LOOKED_AT and waiting[1:] == [(LOOKED_AT, LOOKED_AT)]


def test_a_closer_look_for_concepts_alone_reads_no_picture(world: World) -> None:
    searcher = Searcher(world.whole.library, world.whole.encoders)
    world.whole.library.concepts.teach("few", [1, 2, 3])
    looked: list[tuple[int, int]] = []
    searcher.look_closer(parse("concept:few -concept:few"), report=lambda *each: looked.append(each))
    assert looked == []
    searcher.look_closer(parse("concept:few a boat"), report=lambda *each: looked.append(each))
    assert looked[-1] == (LOOKED_AT, LOOKED_AT)
    world.whole.library.concepts.forget("few")


def test_a_closer_look_at_a_picture_that_cant_be_read_leaves_it_as_it_is(world: World, tmp_path: Path) -> None:
    folder = Path(next(iter(world.whole.library.catalog.roots())).display)
    shutil.copytree(world.whole.library.path, tmp_path / "library")
    away = tmp_path / "away"
    folder.rename(away)
    try:
        searcher = Searcher(Library.open(tmp_path / "library"), world.whole.encoders)
        searcher.look_closer(parse("a boat"))
        result = searcher.search(parse("a boat"), looks="closer")
    finally:
        away.rename(folder)
    assert [(hit.photo.content_id, hit.score) for hit in result.hits] == [
        (hit.photo.content_id, hit.score) for hit in world.whole.search(parse("a boat")).hits
    ]
