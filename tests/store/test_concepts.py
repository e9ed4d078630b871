"""Concepts: words that a person taught by pictures. They belong to the pictures, as tags do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import Index, as_nobody

from store.errors import LibraryError
from store.library import Library
from store.lock import locked
from store.tables.concepts import MAX_PICTURES, Concept
from store.tables.marks import MarksError
from store.tables.writer import File, Indexed, SpaceIdentity, Writer

SPACE = SpaceIdentity("key", "name", "model", "weights", "{}", 4, True)
FACTS = {"width": 4, "height": 3, "format": "JPEG", "orientation": 1}
VECTOR = np.array([1, 0, 0, 0], np.float32)


def add(library: Library, first: int, count: int) -> list[int]:
    """Index so many pictures, whose hashes are `first` and on; their ids."""
    writer = Writer(library.catalog.engine)
    root, space = writer.add_root(b"/photos"), writer.add_space(SPACE)
    hashes = [n.to_bytes(32, "big") for n in range(first, first + count)]
    files = [File(root, b"%d.jpg" % n, 1, 1) for n in range(first, first + count)]
    made = [Indexed(file, hash_, FACTS, {space: VECTOR}) for file, hash_ in zip(files, hashes, strict=True)]
    writer.commit(made, [])
    return [found[0] for hash_ in hashes if (found := library.catalog.content_by_hash(hash_))]


@pytest.fixture
def opened(library: Path) -> Iterator[Library]:
    """A library of nine pictures, ids 1 to 9."""
    with locked(library), Library.create(library) as made:
        assert add(made, 1, 9) == list(range(1, 10))
        yield made


def _taught(library: Library) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    return {each.name: (each.examples, each.counter_examples) for each in library.concepts.all()}


def test_a_concept_is_taught_by_examples_and_counter_examples_and_more_of_them_later(opened: Library) -> None:
    concepts = opened.concepts
    made = concepts.teach("Ours-Boat", [3, 1, 2], [5])
    assert (made.name, made.examples, made.counter_examples) == ("Ours-Boat", (1, 2, 3), (5,))
    concepts.teach("ours-boat", [4, 5], [1], without=[2, 9])
    assert _taught(opened) == {"Ours-Boat": ((3, 4, 5), (1,))}
    concepts.teach("Été", [7, 8, 9])
    assert [each.name for each in concepts.all()] == ["Ours-Boat", "Été"]
    found = concepts.find("E\u0301TE\u0301")
    assert isinstance(found, Concept)
    assert found.examples == (7, 8, 9)
    assert concepts.names_of(1) == [("Ours-Boat", False)]
    assert concepts.names_of(5) == [("Ours-Boat", True)]
    assert concepts.forget("OURS-BOAT")
    assert not concepts.forget("ours-boat")
    assert concepts.find("ours-boat") is None
    assert concepts.names_of(5) == []


def test_only_a_change_of_a_concept_is_noted(opened: Library) -> None:
    generation, at = opened.catalog.state()
    before = opened.concepts.teach("a", [1, 2, 3])
    assert opened.catalog.state() == (generation, at + 1)
    assert opened.concepts.teach("A", [3], without=[9]) == before
    assert not opened.concepts.forget("b")
    assert opened.catalog.state() == (generation, at + 1)
    opened.concepts.teach("a", [], [4])
    opened.concepts.forget("a")
    assert opened.catalog.state() == (generation, at + 3)


@pytest.mark.parametrize(
    ("name", "examples", "others", "without", "said"),
    [
        ("new", [1, 2], [3], [], "'new' would have 2"), ("known", [], [1], [], "'known' would have 2"),
        ("known", [], [], [1], "'known' would have 2"), ("", [1], [], [], "1 to 64"),
        ("a" * 65, [1], [], [], "has 65"), ("two words", [1], [], [], "as in ours-boat"),
        ("a_b", [1], [], [], "hyphens"), ("-a", [1], [], [], "hyphens"), ("a--b", [1], [], [], "hyphens"),
        ('a"b', [1], [], [], "hyphens"), ("\ud800", [1], [], [], "hyphens"), ("new", [], [], [], "no concept 'new'"),
        ("new", [], [], [1], "no concept 'new'"), ("known", [99], [], [], "no picture 99"),
        ("known", [], [4, 98], [], "no picture 98"), ("known", [4], [4], [], "Picture 4 is given as two"),
        ("known", [], [4], [4], "Picture 4 is given as two"),
    ],
)  # fmt: skip
def test_what_cant_be_taught_is_refused_and_nothing_changed(
    opened: Library, name: str, examples: list[int], others: list[int], without: list[int], said: str
) -> None:
    opened.concepts.teach("known", [1, 2, 3])
    with pytest.raises(MarksError, match=said):
        opened.concepts.teach(name, examples, others, without=without)
    assert _taught(opened) == {"known": ((1, 2, 3), ())}


def test_a_concept_has_a_bounded_number_of_pictures(opened: Library) -> None:
    ids = add(opened, 100, MAX_PICTURES)
    opened.concepts.teach("many", ids)
    with pytest.raises(MarksError, match="would have 2,001 pictures; the limit is 2,000"):
        opened.concepts.teach("many", [], [1])
    opened.concepts.teach("many", [], [1], without=ids[:1])


def test_concepts_go_to_another_library_by_content_and_add_to_what_is_there(opened: Library, tmp_path: Path) -> None:
    opened.concepts.teach("Boat", [1, 2, 3], [4])
    opened.concepts.teach("elsewhere", [7, 8, 9])
    data = json.loads(json.dumps(opened.marks.export()))
    assert data["version"] == 4
    other = tmp_path / "other"
    with locked(other), Library.create(other) as target:
        add(target, 2, 5)  # ids 1 to 5 hold what 2 to 6 hold there
        target.concepts.teach("boat", [3, 4, 5], [2])
        done = target.marks.restore(data)
        assert _taught(target) == {"boat": ((1, 3, 4, 5), (2,))}
        assert (done.taught, len(done.unknown)) == (1, 4)
        assert target.marks.restore(data).taught == 0
    opened.concepts.forget("boat")
    opened.concepts.forget("elsewhere")
    assert opened.marks.restore(data).taught == 7
    assert _taught(opened) == {"Boat": ((1, 2, 3), (4,)), "elsewhere": ((7, 8, 9), ())}


def test_marks_without_concepts_are_written_as_earlier_versions_read_them(opened: Library) -> None:
    opened.marks.change([1], add=["a"])
    assert opened.marks.export()["version"] == 2
    opened.concepts.teach("a", [1, 2, 3])
    assert opened.marks.export()["version"] == 4


@pytest.mark.parametrize(
    ("concepts", "said"),
    [
        ([], "concepts should be an object"),
        ({"a b": {"examples": [], "counter_examples": []}}, "letters and digits"),
        ({"a": []}, r"concepts\['a'\] should be an object"),
        ({"a": {"examples": []}}, "counter_examples, examples, each once"),
        ({"a": {"examples": ["1"], "counter_examples": []}}, "should be a SHA-256"),
        ({"a": {"examples": ["1" * 64], "counter_examples": ["1" * 64]}}, "different pictures"),
    ],
)
def test_concepts_in_a_file_that_are_wrong_are_refused(opened: Library, concepts: Any, said: str) -> None:
    data = {
        "format": "sightline-marks", "version": 4, "tags": {}, "favourites": [], "searches": [], "set_aside": [],
        "selections": {}, "concepts": concepts,
    }  # fmt: skip
    with pytest.raises(MarksError, match=said):
        opened.marks.restore(data)
    assert opened.concepts.all() == []


@pytest.mark.sqlite
def test_a_library_that_cant_be_written_teaches_nothing_and_says_so(library: Path, public_tmp: Path) -> None:
    with locked(library), Library.create(library) as made:
        add(made, 1, 3)
        made.concepts.teach("a", [1, 2, 3])
    closed = public_tmp / "library"
    library.rename(closed)
    for path in [closed, *closed.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with as_nobody(), Library.open(closed) as opened:
        with pytest.raises(LibraryError, match=r"read-only for this user.*concepts"):
            opened.concepts.teach("a", [], [1])
        assert _taught(opened) == {"a": ((1, 2, 3), ())}
    for path in [closed, *closed.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_concept_outlives_its_files_until_they_are_pruned(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    with Library.open(library) as opened:
        ids = opened.catalog.matching(())[:4].tolist()
        opened.concepts.teach("ours", ids)
        gone = opened.catalog.photos(ids[:1])
        for photo in gone.values():
            (photos / photo.display).unlink()
        index(photos)
        assert _taught(opened) == {"ours": (tuple(ids), ())}
        said = index(photos, "--prune", space=None).err
        assert "1 picture that teaches a concept" in said
        index(photos, "--prune", "--yes", space=None)
        assert _taught(opened) == {"ours": (tuple(ids[1:]), ())}
