"""Tags, favourites and saved searches: they belong to the picture, not to the file, and are never half written."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import Index, as_nobody

from store.errors import LibraryError, SightlineError
from store.library import Library
from store.lock import locked
from store.tables import id_sets
from store.tables.filters import Favourite, Tag, casefolded
from store.tables.marks import MarksError, Restored
from store.tables.marks_json import tag_name
from store.tables.records import PlacedPhoto
from store.tables.writer import File, Indexed, SpaceIdentity, Writer

SPACE = SpaceIdentity("key", "name", "model", "weights", "{}", 4, True)
FACTS = {"width": 4, "height": 3, "format": "JPEG", "orientation": 1}
VECTOR = np.array([1, 0, 0, 0], np.float32)


def add(library: Library, first: int, count: int) -> list[int]:
    """Index so many pictures, whose hashes are `first` and on; their ids."""
    writer = Writer(library.catalog.engine)
    root, space = writer.add_root(b"/photos"), writer.add_space(SPACE)
    numbers = range(first, first + count)
    writer.commit(
        [Indexed(File(root, b"%d.jpg" % n, 1, 1), n.to_bytes(32, "big"), FACTS, {space: VECTOR}) for n in numbers],
        [],
    )
    known = [library.catalog.content_by_hash(n.to_bytes(32, "big")) for n in numbers]
    return [found[0] for found in known if found is not None]


@pytest.fixture
def opened(library: Path) -> Iterator[Library]:
    """A library of five pictures, ids 1 to 5."""
    with locked(library), Library.create(library) as made:
        assert add(made, 1, 5) == [1, 2, 3, 4, 5]
        yield made


def test_marks_follow_a_file_that_moves(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    with Library.open(library) as opened:
        (chosen,) = opened.catalog.matching(())[:1].tolist()
        before = opened.catalog.photos([chosen])[chosen].display
        opened.marks.change([chosen], add=["Summer"])
        opened.marks.favourite([chosen], True)
        (photos / before).rename(photos / "moved.jpg")
        index(photos)
        assert opened.catalog.photos([chosen])[chosen].display == "moved.jpg"
        assert opened.catalog.matching([Tag(("summer",))]).tolist() == [chosen]
        assert opened.catalog.matching([Favourite()]).tolist() == [chosen]
        (photos / "moved.jpg").unlink()
        index(photos)
        assert opened.marks.tags() == [("Summer", 0)]
        index(photos, "--prune", "--yes")
        assert opened.marks.tags() == []
        assert opened.marks.export()["favourites"] == []


def test_a_tag_keeps_its_first_name_and_case_makes_no_other(opened: Library) -> None:
    marks = opened.marks
    marks.change([1, 2], add=["Été", "sea"])
    marks.change([3], add=["ÉTÉ", " e\u0301te\u0301 "])
    assert marks.tags() == [("sea", 2), ("Été", 3)]
    assert marks.tags_of([1, 3, 4]) == {1: ("sea", "Été"), 3: ("Été",)}
    marks.change([1, 2, 3, 4], remove=["été", "no such tag"])
    assert marks.tags() == [("sea", 2)]
    marks.change([1], add=["ÉTÉ"])
    assert marks.tags() == [("sea", 2), ("ÉTÉ", 1)]


def test_tags_are_added_and_removed_in_one_step(opened: Library) -> None:
    marks, state = opened.marks, opened.catalog.state
    marks.change([1, 2], add=["old", "sea"])
    generation, at = state()
    marks.change([1, 2, 3], add=["New", "sea"], remove=["OLD", "no such tag"])
    assert marks.tags() == [("New", 3), ("sea", 3)]
    assert state() == (generation, at + 1)
    with pytest.raises(MarksError, match="no picture 99"):
        marks.change([1, 99], add=["other"], remove=["sea"])
    with pytest.raises(MarksError, match="comma"):
        marks.change([1], add=["other"], remove=["a,b"])
    marks.change([1, 99], remove=["sea"])
    assert marks.tags_of([1, 2]) == {1: ("New",), 2: ("New", "sea")}


def test_a_tag_cant_be_added_and_removed_at_once(opened: Library) -> None:
    opened.marks.change([1], add=["a"])
    with pytest.raises(MarksError, match="'\u00c9T\u00c9 b' is to be added and removed at once"):
        opened.marks.change([1], add=["c", "e\u0301te\u0301 b"], remove=["a", "\u00c9T\u00c9 b"])
    assert opened.marks.tags() == [("a", 1)]


def test_favourites_come_and_go(opened: Library) -> None:
    opened.marks.favourite([2, 4], True)
    opened.marks.favourite([4, 5], False)
    assert opened.marks.favourites_of(range(10)) == {2}
    assert opened.catalog.matching([Favourite(negated=True)]).tolist() == [1, 3, 4, 5]


def test_only_a_change_that_a_search_can_see_is_noted_and_apart_from_the_pictures(opened: Library) -> None:
    marks, state = opened.marks, opened.catalog.state
    generation, at = state()
    marks.change([1], add=["a"])
    assert state() == (generation, at + 1)
    marks.change([1], add=["A"])
    marks.change([2], remove=["a"])
    marks.favourite([3], False)
    marks.save_search("s", "boat")
    assert state() == (generation, at + 1)
    marks.favourite([3], True)
    marks.change([1], remove=["a"])
    assert state() == (generation, at + 3)


def test_saved_searches_are_kept_by_name(opened: Library) -> None:
    marks = opened.marks
    marks.save_search("boats", "boat")
    marks.save_search("Attic", "dust -people")
    marks.save_search("boats", "boat date:2023..")
    assert [(search.name, search.query) for search in marks.saved_searches()] == [
        ("Attic", "dust -people"),
        ("boats", "boat date:2023.."),
    ]
    assert marks.delete_search("boats")
    assert not marks.delete_search("boats")
    assert len(marks.saved_searches()) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [("", "1 to 64"), ("   ", "1 to 64"), ("a" * 65, "has 65"), ("a,b", "comma"), ('a"b', "double quote"),
     ("a\x1bb", "control character"), ("a\nb", "control character"), ("\ud800", "control character")],
)  # fmt: skip
def test_a_tag_that_cant_be_is_refused_and_nothing_changed(opened: Library, name: str, said: str) -> None:
    for what in ("add", "remove"):
        with pytest.raises(MarksError, match=said) as raised:
            opened.marks.change([1], **{what: ["good", name]})
        assert isinstance(raised.value, SightlineError)
    assert opened.marks.tags() == []


@given(st.text(min_size=1, max_size=20))
def test_the_name_of_a_tag_is_stable(name: str) -> None:
    try:
        kept = tag_name(name)
    except MarksError:
        return
    assert tag_name(kept) == kept
    assert casefolded(kept)


@pytest.mark.parametrize("name", ["", "a" * 201, " a", "a\n", "\ud800"])
def test_a_search_that_cant_be_named_or_read_is_refused(opened: Library, name: str) -> None:
    with pytest.raises(MarksError, match="name"):
        opened.marks.save_search(name, "boat")
    for text in (" ", "a" * 8001, "\ud800"):
        with pytest.raises(MarksError, match="search"):
            opened.marks.save_search("name", text)
    assert opened.marks.saved_searches() == []


def test_a_picture_that_is_not_there_cant_be_marked(opened: Library) -> None:
    with pytest.raises(MarksError, match="no picture 99"):
        opened.marks.change([1, 99], add=["a"])
    with pytest.raises(MarksError, match="no picture 99"):
        opened.marks.favourite([1, 99], True)
    assert (opened.marks.tags(), opened.marks.favourites_of([1, 99])) == ([], set())


def test_marks_go_to_another_library_of_the_same_pictures(opened: Library, tmp_path: Path) -> None:
    opened.marks.change([1, 2], add=["Sea"])
    opened.marks.change([5], add=["gone"])
    opened.marks.favourite([2, 5], True)
    opened.marks.save_search("boats", "boat")
    opened.marks.save_search("attic", "dust")
    data = json.loads(json.dumps(opened.marks.export()))
    with locked(tmp_path / "other"), Library.create(tmp_path / "other") as other:
        add(other, 2, 2)
        other.marks.change([2], add=["SEA"])
        other.marks.save_search("attic", "cobweb")
        kept = other.marks.saved_searches()
        gone = tuple(number.to_bytes(32, "big").hex() for number in (1, 5))
        assert other.marks.restore(data) == Restored(1, 1, 1, gone, ("attic",))
        assert other.marks.restore(data) == Restored(0, 0, 0, gone, ("attic",))
        assert other.marks.tags() == [("SEA", 2)]
        assert other.marks.favourites_of([1, 2]) == {1}
        assert [search for search in other.marks.saved_searches() if search.name == "attic"] == kept
    assert opened.marks.restore(data) == Restored(0, 0, 0, (), ())
    assert opened.marks.export() == data


def placed(library: Library) -> list[PlacedPhoto]:
    return library.catalog.photos_of(list(range(100)))


def photos(library: Library, *content_ids: int) -> list[int]:
    return [photo.photo_id for photo in library.catalog.photos_of(content_ids)]


def test_photos_are_set_aside_and_taken_back_and_searches_know_nothing_of_it(opened: Library) -> None:
    marks, state = opened.marks, opened.catalog.state()
    marks.set_aside(photos(opened, 1, 2, 4), True)
    marks.set_aside(photos(opened, 2), True)
    marks.set_aside([*photos(opened, 4, 5), 99], False)
    assert marks.set_aside_of() == set(photos(opened, 1, 2))
    assert marks.set_aside_of([*photos(opened, 2, 3), 99]) == set(photos(opened, 2))
    with pytest.raises(MarksError, match="no photo 98, 99 in this library; nothing"):
        marks.set_aside([*photos(opened, 3), 98, 99], True)
    assert marks.set_aside_of() == set(photos(opened, 1, 2))
    assert opened.catalog.state() == state


def test_a_photo_that_changes_or_is_forgotten_is_not_set_aside_any_more(opened: Library) -> None:
    writer = Writer(opened.catalog.engine)
    opened.marks.set_aside(same := photos(opened, 1, 2, 3), True)
    root, space = writer.add_root(b"/photos"), writer.add_space(SPACE)
    same_again = Indexed(File(root, b"1.jpg", 1, 2), (1).to_bytes(32, "big"), FACTS, {space: VECTOR})
    changed = Indexed(File(root, b"2.jpg", 2, 2), (77).to_bytes(32, "big"), FACTS, {space: VECTOR})
    writer.commit([same_again, changed], [])
    writer.prune(photos(opened, 3))
    assert opened.marks.set_aside_of() == {same[0]}


def test_what_was_set_aside_goes_to_a_file_by_place_and_comes_back_to_the_same_bytes(
    opened: Library, tmp_path: Path
) -> None:
    writer = Writer(opened.catalog.engine)
    root, space = writer.add_root(b"/photos"), writer.add_space(SPACE)
    odd = Indexed(File(root, b"d\xff.jpg", 1, 1), (1).to_bytes(32, "big"), None, {space: VECTOR})
    writer.commit([odd], [])
    opened.marks.set_aside(chosen := photos(opened, 1, 2, 3), True)
    data = json.loads(json.dumps(opened.marks.export()))
    assert [place.get("path", place.get("path_b64")) for place in data["set_aside"]] == [
        "1.jpg", "2.jpg", "3.jpg", "ZP8uanBn"
    ]  # fmt: skip
    opened.marks.set_aside(chosen, False)
    assert opened.marks.restore(data).set_aside == 4
    assert opened.marks.restore(data).set_aside == 0
    assert opened.marks.set_aside_of() == set(chosen)
    with locked(tmp_path / "other"), Library.create(tmp_path / "other") as other:
        add(other, 2, 1)
        other_writer = Writer(other.catalog.engine)
        changed = Indexed(File(root, b"3.jpg", 1, 1), (33).to_bytes(32, "big"), FACTS, {space: VECTOR})
        other_writer.commit([changed], [])
        done = other.marks.restore(data)
        assert (done.set_aside, done.unknown) == (1, ())
        assert done.elsewhere == ("/photos/1.jpg", "/photos/3.jpg", "/photos/d\\xff.jpg")
        assert [other.catalog.photos_of([1])[0].photo_id] == list(other.marks.set_aside_of())


def test_marks_of_before_photos_could_be_set_aside_are_read(opened: Library) -> None:
    old = _file(version=1, set_aside=..., favourites=[(2).to_bytes(32, "big").hex()])
    assert opened.marks.restore(old).favourites == 1
    with pytest.raises(MarksError, match="see 'set_aside'"):
        opened.marks.restore(_file(version=1))


def test_a_set_has_the_name_of_what_is_in_it(opened: Library) -> None:
    marks = opened.marks
    name = marks.keep_set([3, 1, 3])
    # SHA-256 of two numbers of eight bytes, the least significant first.
    assert name == hashlib.sha256(bytes([1, *7 * [0], 3, *7 * [0]])).hexdigest()[:12]
    assert marks.keep_set(iter([1, 3])) == name
    kept = marks.set_ids(name)
    assert kept is not None
    assert kept.dtype == np.int64
    assert kept.tolist() == [1, 3]
    assert marks.set_ids("0" * 12) is None
    with pytest.raises(MarksError, match="at least one"):
        marks.keep_set([])
    with pytest.raises(MarksError, match="no picture 99"):
        marks.keep_set([1, 99])


def test_the_newest_200_sets_stay_and_what_is_chosen_again_is_new(opened: Library) -> None:
    marks, ids = opened.marks, add(opened, 100, 201)
    state = opened.catalog.state()
    first, second, *rest = [marks.keep_set([id_]) for id_ in ids[:200]]
    marks.keep_set(ids[:1])
    assert opened.catalog.state() == state
    last = marks.keep_set(ids[200:])
    # Whoever remembers what `set:` found must ask again: one of them is gone.
    assert opened.catalog.state() == (state[0], state[1] + 1)
    assert marks.set_ids(second) is None
    assert all(marks.set_ids(name) is not None for name in (first, *rest, last))


def test_sets_take_no_more_room_than_was_meant_for_them(opened: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_sets, "BYTES", 8 * 25)
    marks, ids = opened.marks, add(opened, 100, 31)
    first, second, third = (marks.keep_set(ids[start : start + 10]) for start in (0, 10, 20))
    assert marks.set_ids(first) is None
    assert marks.set_ids(second) is not None
    whole = marks.keep_set(ids)
    assert marks.set_ids(third) is None
    assert marks.set_ids(whole) is not None, "the last one stays, however large"


def _file(**changes: Any) -> dict[str, Any]:
    whole = {
        "format": "sightline-marks", "version": 2, "tags": {}, "favourites": [], "searches": [],
        "set_aside": [],
    }  # fmt: skip
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def _place(**changes: Any) -> dict[str, Any]:
    whole = {"root": "/photos", "path": "1.jpg", "hash": (1).to_bytes(32, "big").hex()}
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def _saved(saved_at: str) -> dict[str, str]:
    return {"name": "a", "query": "b", "saved_at": saved_at}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "the file should be an object"),
        ({"format": "other"}, "the file should be an object"),
        (_file(version=5), "version 5; this program reads 1 to 4"),
        (_file(version=3), "see 'selections'"),
        (_file(version=3, selections={"a": []}), "selections should be an object from names of 12"),
        (_file(version=3, selections={"0" * 12: ["00"]}), r"selections\['0{12}'\]\[0\] should be a SHA-256"),
        (_file(version=True, set_aside=...), "version True"),
        (_file(set_aside=[{"root": "/a", "path": "b"}]), r"set_aside\[0\] has hash, path, root, each once; see 'hash'"),
        (_file(set_aside=[_place(path=1)]), r"set_aside\[0\].path should be text; it is 1"),
        (_file(set_aside=[_place(path="\ud800")]), r"set_aside\[0\].path should be text"),
        (_file(set_aside=[_place(root=..., root_b64="?")]), r"set_aside\[0\].root_b64 should be bytes in base64"),
        (_file(set_aside=[_place(hash="00")]), r"set_aside\[0\].hash should be a SHA-256"),
        (_file(set_aside=["a"]), r"set_aside\[0\] should be an object"),
        (_file(tags=...), "see 'tags'"),
        (_file(more=1), "see 'more'"),
        (_file(**{"\ud800" * 500: 1}), r"see '(\\ud800){5}.{,60}$"),
        (_file(tags=[]), "tags should be an object"),
        (_file(tags={"a": "b"}), r"tags\['a'\] should be a list"),
        (_file(tags={"a,b": []}), "comma"),
        (_file(tags={"a": ["00"]}), r"tags\['a'\]\[0\] should be a SHA-256"),
        (_file(favourites=[None]), r"favourites\[0\] should be a SHA-256"),
        (_file(searches=[{"name": "a"}]), r"searches\[0\] has name, query, saved_at"),
        (_file(searches=[{"name": "a", "query": 1, "saved_at": ""}]), r"searches\[0\].query should be text"),
        (_file(searches=[{"name": "a", "query": "b", "saved_at": "now"}]), r"searches\[0\].saved_at should be a time"),
        (_file(searches=[_saved("2026-01-01\ud80012:00")]), r"saved_at should be a time.*'2026-01-01\\ud800"),
        (_file(searches=[_saved("2026-01-01\x0012:00")]), r"searches\[0\].saved_at should be a time"),
        (_file(searches=[_saved("2026-01-01") | {"query": "\ud800"}]), "half a character"),
        (_file(searches=[_saved("2026-01-01") | {"name": "\ud800"}]), "control character"),
        (_file(tags={"\ud800" * 500: []}), r"The tag '(\\ud800){5}[^ ]{,70} has a control character"),
        (_file(version="2" * 500), r"version '2{30,40}\.\.\.2{30,40}';"),
        (_file(favourites=[{"a": [["b" * 500] * 500] * 500}]), r"it is \{'a': .{,80}$"),
        (_file(searches=[{"name": "a", "query": "b", "saved_at": "2026-01-01"}] * 2), "2 searches have 1 names"),
    ],
)
def test_a_file_that_is_wrong_is_refused_whole_and_says_where(opened: Library, data: Any, said: str) -> None:
    if isinstance(data, dict) and isinstance(data.get("favourites"), list):
        data["favourites"].insert(len(data["favourites"]), (1).to_bytes(32, "big").hex())
    with pytest.raises(MarksError, match=said):
        opened.marks.restore(data)
    assert opened.marks.export() == _file()


def test_tags_that_differ_in_white_space_or_case_are_one_and_none_of_their_pictures_is_lost(opened: Library) -> None:
    one, two, three = ([n.to_bytes(32, "big").hex()] for n in (1, 2, 3))
    data = _file(tags={"a b": one + two, " a  b ": two, "A\u00a0B": three})
    assert opened.marks.restore(data).tags == 3
    assert opened.marks.tags() == [("a b", 3)]


@pytest.mark.sqlite
def test_marks_of_a_read_only_library_can_be_read_and_not_changed(
    opened: Library, library: Path, public_tmp: Path
) -> None:
    opened.marks.change([1], add=["a"])
    opened.close()
    closed = public_tmp / "library"
    library.rename(closed)
    for path in [closed, *closed.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with as_nobody(), Library.open(closed) as reader:
        assert reader.marks.tags() == [("a", 1)]
        assert reader.catalog.matching([Tag(("a",))]).tolist() == [1]
        for change in (
            lambda: reader.marks.change([1], add=["b"]),
            lambda: reader.marks.favourite([1], True),
            lambda: reader.marks.save_search("a", "b"),
            lambda: reader.marks.restore(_file()),
            lambda: reader.marks.keep_set([1]),
            lambda: reader.marks.set_aside([1], True),
        ):
            with pytest.raises(LibraryError, match="read-only"):
                change()
    for path in [closed, *closed.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    closed.rename(library)


def test_marking_while_an_indexer_commits_loses_nothing_on_either_side(opened: Library, library: Path) -> None:
    done = threading.Event()
    failures: list[Exception] = []

    def index() -> None:
        try:
            for batch in range(40):
                add(opened, 100 + 20 * batch, 20)
        except Exception as error:  # noqa: BLE001  # shown by the assertion below
            failures.append(error)
        done.set()

    thread = threading.Thread(target=index)
    with Library.open(library) as page:
        thread.start()
        rounds = 0
        while not done.is_set() or rounds < 5:
            page.marks.change([1, 2, 3], add=[f"round {rounds}"])
            page.marks.favourite([1], rounds % 2 == 0)
            rounds += 1
        thread.join()
        assert not failures
        assert len(page.marks.tags()) == rounds
        assert page.catalog.counts().pictures == 805


@pytest.mark.parametrize("copies", [1, 3])
def test_what_is_set_aside_stays_so_where_its_folder_is_renamed(
    photos: Path, index: Index, library: Path, copies: int
) -> None:
    picture = min(photos.rglob("*.jpg"))
    for number in range(copies):
        copy = photos / "copies" / str(number) / f"{number}.jpg"
        copy.parent.mkdir(parents=True)
        copy.write_bytes(picture.read_bytes())
    index(photos)
    with Library.open(library) as opened:
        (content,) = {row.content_id for row in placed(opened) if row.path == b"copies/0/0.jpg"}
        opened.marks.set_aside([row.photo_id for row in placed(opened) if row.path == b"copies/0/0.jpg"], True)
        (photos / "copies").rename(photos / "a folder")
        assert index(photos).moved == copies
        aside = opened.marks.set_aside_of()
        assert [row.path for row in opened.catalog.photos_of([content]) if row.photo_id in aside] == [
            b"a folder/0/0.jpg"
        ]


def test_the_last_copy_is_not_set_aside_for_one_that_was(photos: Path, index: Index, library: Path) -> None:
    kept, aside = min(photos.rglob("*.jpg")), photos / "copy.jpg"
    aside.write_bytes(kept.read_bytes())
    index(photos)
    with Library.open(library) as opened:
        opened.marks.set_aside([row.photo_id for row in placed(opened) if row.path == b"copy.jpg"], True)
        kept.rename(photos / "the last copy.jpg")
        aside.unlink()
        assert index(photos).moved == 1
        assert opened.marks.set_aside_of() & {row.photo_id for row in placed(opened) if row.path[:3] == b"the"} == set()
