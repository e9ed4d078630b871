"""`sightline.Library`: what a program asks of it, and an import that costs nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import ROOT, as_nobody

import sightline
from sightline.models import load
from store.errors import LibraryLockedError
from store.lock import locked

HEAVY = ("torch", "faiss", "sqlalchemy", "numpy", "numba", "PIL", "lark", "pandas", "streamlit", "sightline.library")


@pytest.fixture
def path(drawn: Path, tmp_path: Path) -> Path:
    """A copy of the library that a test may change."""
    shutil.copytree(drawn / "library", tmp_path / "library")
    return tmp_path / "library"


@pytest.fixture
def library(path: Path) -> Iterator[sightline.Library]:
    with sightline.Library(path) as opened:
        yield opened


# -- the import -----------------------------------------------------------------------------------------------------


def test_importing_sightline_loads_nothing_heavy() -> None:
    script = "import sys, sightline, json; print(json.dumps([dir(sightline), sorted(sys.modules)]))"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    names, modules = json.loads(run.stdout)
    assert not set(modules) & set(HEAVY)
    assert {"Library", "Records", "QueryError", "LibraryError", "SpaceError", "__version__"} <= set(names)


def test_the_public_names_are_these_and_no_others() -> None:
    public = {name for name in sightline.__all__ if name != "__version__"}
    assert public == {"Library", "Records", "QueryError", "LibraryError", "SpaceError", "backup", "restore"}
    assert all(getattr(sightline, name) for name in sightline.__all__)
    assert sightline.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="no attribute 'Libary'"):
        sightline.Libary  # noqa: B018


# -- searching, vectors, tags ---------------------------------------------------------------------------------------


def test_a_picture_in_memory_finds_its_file(library: sightline.Library, drawn: Path) -> None:
    with Image.open(drawn / "photos" / "copy.jpg") as image:
        # Its pixels as they are stored: of a picture that EXIF does not turn these are the upright ones.
        assert image.getexif().get(0x0112, 1) == 1
        (first,) = library.search(images=[image], limit=1)
        assert first["copies"] == 2
        assert library.search(images=[image.convert("CMYK")], limit=1)[0]["id"] == first["id"]


def test_without_a_limit_a_search_gives_every_match(library: sightline.Library) -> None:
    all_ = library.search("boat", limit=None)
    first = library.search("boat", limit=500)
    assert all_ == [hit for hit in first if hit["band"] != "below"]
    assert all_[1:] == library.search("boat", limit=None, offset=1)
    assert len(library.search("size:>0 dedup:off", limit=None)) == 60


def test_photos_are_all_that_pass_the_filters(library: sightline.Library) -> None:
    assert [photo["id"] for photo in library.photos()] == list(range(1, 61))
    some = library.photos("folder:2019-summer-brighton")
    found = library.search("folder:2019-summer-brighton dedup:off", limit=500)
    assert {photo["id"] for photo in some} == {hit["id"] for hit in found}
    assert library.photo(some[0]["id"]) | some[0] == library.photo(some[0]["id"])


def test_duplicates_name_the_file_to_keep(library: sightline.Library, drawn: Path) -> None:
    exact = library.duplicates("exact")
    assert [photo["state"] for photo in exact] == ["keep", "undecided"]
    assert exact[1]["path"] == str(drawn / "photos" / "copy.jpg")
    assert exact.about == {"groups": 1, "min_cosine": 1.0}
    near = [library.duplicates(tolerance=step) for step in (1, 3, 5)]
    assert [len(found) for found in near] == sorted(len(found) for found in near)
    assert len(near[0]) < len(near[2])
    assert library.duplicates("near", "folder:no-such-folder") == []


def test_vectors_are_unit_rows_in_the_order_asked_for(library: sightline.Library) -> None:
    vectors = library.vectors([5, 2, 5])
    assert vectors.dtype == np.float32 and vectors.shape == (3, 128)
    np.testing.assert_array_equal(vectors[0], vectors[2])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=2e-3)
    files = [library.photo(id_)["absolute"] for id_ in range(1, 41)]  # more than one batch
    encoded = library.encode_images(files)
    assert encoded.dtype == np.float32 and encoded.shape == (40, 128)
    assert ((encoded * library.vectors(range(1, 41))).sum(axis=1) > 0.99).all()
    assert library.vectors([]).shape == library.encode_images([]).shape == library.encode_texts([]).shape == (0, 128)


def test_the_cosine_of_a_text_and_a_picture_is_the_one_that_a_search_names(library: sightline.Library) -> None:
    hits = library.search('"two red boats on a lake" template:off', limit=5)
    cosines = library.vectors([hit["id"] for hit in hits]) @ library.encode_texts(["two red boats on a lake"])[0]
    assert cosines.tolist() == pytest.approx([hit["score"] for hit in hits], abs=2e-3)
    np.testing.assert_array_equal(library.encode_texts("boat"), library.encode_texts(["boat"]))


def test_tags_and_favourites_come_and_go(library: sightline.Library) -> None:
    library.tag([1, 2], "sea", "boat")
    library.untag(2, "sea")
    library.favourite([1, 2])
    library.favourite(2, False)
    assert [photo["id"] for photo in library.photos("tag:sea")] == [1]
    assert [photo["id"] for photo in library.photos("favourite:yes")] == [1]
    with pytest.raises(ValueError, match="no picture 999"):
        library.tag([1, 999], "lost")
    assert len(library.photos("tag:boat")) == 2


def test_records_become_a_data_frame(library: sightline.Library) -> None:
    hits = library.search("boat", limit=4)
    frame = hits.to_pandas()
    assert frame["id"].tolist() == [hit["id"] for hit in hits]
    assert frame["path"].tolist() == [hit["path"] for hit in hits]
    assert hits[1:3].to_pandas()["rank"].tolist() == [2, 3]
    assert "<4 records: [{'rank': 1" in repr(hits)
    assert library.search("date:1999").to_pandas().empty


# -- opening, indexing, errors --------------------------------------------------------------------------------------


def test_the_library_is_the_one_that_the_programs_would_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(path))
    with sightline.Library() as library:
        assert library.path == path
        assert len(library.photos()) == 60


@pytest.mark.slow
def test_a_new_picture_is_found_once_it_is_indexed(
    library: sightline.Library, tmp_path: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boat = drawn / "photos" / library.search("boat", limit=1)[0]["path"]
    monkeypatch.chdir(tmp_path)
    Path("new").mkdir()
    shutil.copy(boat, "new/same.jpg")
    with Image.open(boat) as image:
        for side in (100, 120):
            image.resize((side, side)).save(f"new/x{side}.png")
    summary = library.index(["new"], exclude=["*.jpg"])
    assert (summary["added"], summary["failed"]) == (2, 0)
    assert library.search("boat name:x100.png", limit=1)[0]["root"] == str(tmp_path / "new")
    Path("new/x100.png").unlink()
    assert library.index(["new"], prune=True)["forgotten"] == 1
    assert library.search("name:x100.png") == []


# Interrupts itself once an indexer is at work. A process of its own: after AMX was used in one, a signal needs more
# room than faulthandler, which pytest enables, sets aside for it, and Linux ends the process.
INTERRUPTED = """
import os, signal, sys, threading, time
import sightline
from store.lock import is_indexing

def interrupt():
    while not is_indexing(library.path):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
with sightline.Library(sys.argv[1]) as library:
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        library.index([sys.argv[2]], space="demo")
    except KeyboardInterrupt:
        print("interrupted", is_indexing(library.path))
    library.index([sys.argv[2]], space="demo")
    print(len(library.photos()))
"""


@pytest.mark.slow
def test_an_interrupt_stops_the_run_and_the_next_one_goes_on(tmp_path: Path, drawn: Path) -> None:
    program = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "library"), str(drawn / "photos")]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["interrupted False", "60"], done.stderr


def test_a_closed_library_opens_again(library: sightline.Library) -> None:
    before = library.search("boat")
    library.close()
    assert library.search("boat") == before


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda library: library.search(""), "nothing to search for"),
        (lambda library: library.search("date:soon"), "'soon' is no date"),
        (lambda library: library.search("boat", limit=501), "1 to 500"),
        (lambda library: library.search("boat space:fast"), "no model 'fast'"),
        (lambda library: library.search(images=["nowhere.jpg"]), r"nowhere\.jpg can't be read: No such file"),
        (lambda library: library.search(images=[b"no picture"]), "can't be read"),
        (lambda library: library.similar(999), "no picture 999"),
        (lambda library: library.photo(999), "no picture 999"),
        (lambda library: library.photos("boat"), "only filters"),
        (lambda library: library.label([], "date:2023"), "no labels"),
        (lambda library: library.label(["cat"], "boat"), "only filters"),
        (lambda library: library.duplicates("all"), "exact, near or burst"),
        (lambda library: library.duplicates(tolerance=6), "1 to 5"),
        (lambda library: library.vectors([1, 999]), "Picture 999 has no vector"),
        (lambda library: library.encode_images([b"no picture"]), "Picture number 1 can't be read"),
        (lambda library: library.encode_images([ROOT / "Makefile"]), "Makefile can't be read"),
    ],
)
def test_what_is_asked_wrongly_is_one_sentence(library: sightline.Library, call: Any, said: str) -> None:
    with pytest.raises(sightline.QueryError, match=said):
        call(library)


def test_where_there_is_no_library_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    library = sightline.Library(tmp_path / "none")
    with pytest.raises(sightline.LibraryError, match=r"no library in .*none\. Index a folder first"):
        library.search("boat")
    assert not (tmp_path / "none").exists()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "library.sqlite").write_bytes(b"no database" * 1_000)
    with pytest.raises(sightline.LibraryError, match="can't be read"):
        sightline.Library(tmp_path / "damaged")


def test_a_run_that_fails_raises_what_the_indexer_said(library: sightline.Library, path: Path, tmp_path: Path) -> None:
    with pytest.raises(sightline.LibraryError, match=r"^There is no folder .*nowhere"):
        library.index([tmp_path / "nowhere"])
    with locked(path), pytest.raises(LibraryLockedError, match="nother indexer"):
        library.index([tmp_path])


def test_a_library_that_may_not_be_written_can_be_searched(public_tmp: Path, drawn: Path) -> None:
    shutil.copytree(drawn / "library", public_tmp / "library")
    for each in [*(public_tmp / "library").rglob("*"), public_tmp / "library"]:
        each.chmod(0o755 if each.is_dir() else 0o644)
    load("demo", offline=True).encode_texts(["a boat"])  # imports it all: Python may lie where nobody may not read
    with as_nobody(), sightline.Library(public_tmp / "library") as library:
        assert library.search("boat")
        with pytest.raises(sightline.LibraryError, match="read-only"):
            library.tag(1, "boat")
