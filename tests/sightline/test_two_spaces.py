"""A space for words and one for pictures in a library: who answers what, and that the answer says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import models
import pytest
from support import DEMO

from indexer.commands import run as run_indexer
from sightline.library import Library as PublicLibrary
from sightline.models.loaded import Encoders
from sightline.query.parser import parse
from sightline.searcher import Searcher
from store.library import Library
from store.remote import DATABASE

WORDS, PICTURES = "demo", "seeing"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A library of the demo pictures in both spaces, their folder, and the name of the picture-only model."""
    folder = tmp_path_factory.mktemp("two")
    photos, library = folder / "photos", folder / "library"
    shutil.copytree(DEMO, photos, ignore=shutil.ignore_patterns("*.json"))
    model = models.picture_only(folder / PICTURES)
    for space in (model, WORDS):
        assert run_indexer([str(photos), "--library", str(library), "--space", space, "--quiet"]) == 0
    return library, photos, model


@pytest.fixture(scope="module")
def searcher(made: tuple[Path, Path, str]) -> Iterator[Searcher]:
    with Library.open(made[0]) as library:
        yield Searcher(library, Encoders(offline=True))


def test_pictures_are_compared_by_the_model_for_pictures_and_words_by_the_one_that_reads_them(
    made: tuple[Path, Path, str], searcher: Searcher
) -> None:
    picture = next(iter(sorted(made[1].rglob("*.jpg")))).read_bytes()
    asked = {
        "a boat": WORDS, "like:1": PICTURES, "like:1 like:2 -like:3": PICTURES, "picture:a": PICTURES,
        "like:1 a boat": WORDS, "like:1 -snow": WORDS, "like:1 width:>1": PICTURES, "width:>1": WORDS,
        f"like:1 space:{WORDS}": WORDS, f"picture:a space:{WORDS}": WORDS,
    }  # fmt: skip
    for text, space in asked.items():
        found = searcher.search(parse(text), pictures={"a": picture})
        assert (text, found.space) == (text, space)
        assert (text, found.note is not None) == (text, space == PICTURES)
    note = searcher.search(parse("like:1")).note
    assert note is not None and PICTURES in note and f"space:{WORDS}" in note


def test_each_of_two_spaces_has_its_own_threshold(searcher: Searcher) -> None:
    """Bands are those that the space gives when it is asked for by name: its own calibration, not the other's."""
    for text in ("like:1", "like:5"):
        alone = searcher.search(parse(f"{text} space:{PICTURES}"))
        chosen = searcher.search(parse(text))
        assert [(hit.photo.content_id, hit.band, hit.score) for hit in chosen.hits] == [
            (hit.photo.content_id, hit.band, hit.score) for hit in alone.hits
        ]
        other = searcher.search(parse(f"{text} space:{WORDS}"))
        assert [hit.score for hit in other.hits] != [hit.score for hit in chosen.hits]
        assert chosen.strong >= 1 and other.strong >= 1


def test_both_models_stay_loaded(searcher: Searcher) -> None:
    spaces = [searcher.space(name) for name in (WORDS, PICTURES)]
    first = [searcher.encoders.get(space) for space in spaces]
    assert all(searcher.encoders.ready(space) for space in spaces)
    assert [searcher.encoders.get(space) for space in spaces] == first


def test_the_library_and_its_answers_name_the_model(made: tuple[Path, Path, str]) -> None:
    with PublicLibrary(made[0], offline=True) as library:
        assert library.similar(1).about["space"] == PICTURES
        assert library.similar(1, space=WORDS).about["space"] == WORDS
        about = library.search("like:1").about
        assert (about["space"], PICTURES in about["note"]) == (PICTURES, True)
        assert library.search("a boat").about["space"] == WORDS


def test_a_model_that_has_not_seen_every_picture_is_not_asked_by_itself(
    made: tuple[Path, Path, str], tmp_path: Path
) -> None:
    library, photos = tmp_path / "library", tmp_path / "photos"
    shutil.copytree(made[0], library)
    shutil.copytree(made[1], photos)
    sub = photos / "new"
    sub.mkdir()
    from PIL import Image

    Image.effect_noise((300, 200), 90).convert("RGB").save(sub / "noise.png")
    assert run_indexer([str(sub), "--library", str(library), "--space", WORDS, "--quiet"]) == 0
    with Library.open(library) as opened:
        searcher = Searcher(opened, Encoders(offline=True))
        assert searcher.search(parse("like:1")).space == WORDS
    assert run_indexer([str(sub), "--library", str(library), "--space", made[2], "--quiet"]) == 0
    with Library.open(library) as opened:
        assert Searcher(opened, Encoders(offline=True)).search(parse("like:1")).space == PICTURES


# -- the same model at two sizes --------------------------------------------------------------------------------------


def test_a_size_is_a_space_of_its_own_that_is_found_again_after_its_model_moved(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photos, library, folder = tmp_path / "photos", tmp_path / "library", tmp_path / "model"
    photos.mkdir()
    for file in sorted(DEMO.rglob("*.jpg"))[:3]:
        shutil.copy(file, photos)
    model = models.picture_only(folder)
    run = [str(photos), "--library", str(library)]
    assert run_indexer([*run, "--space", model, "--quiet"]) == 0
    assert run_indexer([*run, "--space", model, "--size", "224"]) == 0
    said = capfd.readouterr().err
    assert "224 px" in said and "trained at 160: quality may fall" in said and "times the work" in said
    assert run_indexer([*run, "--space", model, "--size", "160", "--quiet"]) == 0  # its own: no other space
    assert run_indexer([*run, "--space", f"{model};size=224", "--quiet"]) == 0
    with Library.open(library) as opened:
        assert [(space.name, space.count) for space in opened.catalog.spaces()] == [("model", 3), ("model;size=224", 3)]
        found = Searcher(opened, Encoders(offline=True)).search(parse("like:1 space:model;size=224"))
        assert found.space == "model;size=224" and found.total == 3
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    assert run_indexer(["spaces", "--library", str(library), "--find", f"local-dir:{moved}"]) == 0
    with Library.open(library) as opened:
        assert [space.model for space in opened.catalog.spaces()] == [
            f"local-dir:{moved}", f"local-dir:{moved};size=224",
        ]  # fmt: skip
    capfd.readouterr()
    assert run_indexer([*run, "--json"]) == 0  # both are found where they are now, and nothing is encoded
    assert json.loads(capfd.readouterr().out.splitlines()[-1])["encoded"] == 0
    assert run_indexer(["spaces", "--library", str(library)]) == 0
    assert "at 224 px, not its usual size: quality may fall" in capfd.readouterr().out


def test_a_size_that_does_not_fit_stops_the_run_before_anything_is_made(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photos, library = tmp_path / "photos", tmp_path / "library"
    photos.mkdir()
    for size, said in (("100", "size=96 or size=104"), ("4", "8<=x<=4096")):
        assert run_indexer([str(photos), "--library", str(library), "--space", "demo", "--size", size]) == 2
        assert said in capfd.readouterr().err
    assert run_indexer([str(photos), "--library", str(library), "--size", "96"]) == 2
    assert "--space fast --size 96" in capfd.readouterr().err
    assert not (library / DATABASE).exists()
