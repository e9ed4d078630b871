"""Marks of files that are edited: they stay with the picture, and are never lost where it becomes another one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from support import ROOT, Index, Outcome

from store.library import Library
from store.tables.edits import LeftMarks


def save(path: Path, image: Image.Image, *, taken: str = "", orientation: int = 1, quality: int = 90) -> None:
    """Save a picture with tags, as an editor of tags does: the same pixels give the same data between the tags."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    if taken:
        tags[0x0132] = tags.get_ifd(0x8769)[0x9003] = taken
    image.save(path, "JPEG", exif=tags, quality=quality)


def drawn(seed: float = 1.5) -> Image.Image:
    return Image.effect_mandelbrot((160, 120), (-2, -seed, 1, seed), 50).convert("RGB")


class Shelf:
    """A folder with the file `a.jpg`, and its library."""

    def __init__(self, photos: Path, library: Path, index: Index) -> None:
        self.photos, self.library, self._index, self.file = photos, library, index, photos / "a.jpg"

    def index(self, *arguments: str | Path, space: str | None = "demo") -> Outcome:
        """Run the indexer, in a space that tells drawn pictures apart unless told otherwise."""
        return self._index(*arguments, space=space)

    def picture(self, name: str = "a.jpg") -> int:
        """The content that a path holds."""
        with Library.open(self.library) as opened:
            return {
                os.fsdecode(photo.path): photo.content_id for photo in opened.catalog.photos_of(list(range(1, 100)))
            }[name]

    def mark(self) -> str:
        """Give `a.jpg` every mark; returns the name of its selection."""
        with Library.open(self.library) as opened:
            id_ = self.picture()
            opened.marks.change([id_], add=["holiday", "sea"])
            opened.marks.favourite([id_], True)
            opened.marks.set_aside([opened.catalog.photos_of([id_])[0].photo_id], True)
            name = opened.marks.keep_set([id_])
            opened.marks.save_search("chosen", f"set:{name}")
        return name

    def marks(self, name: str = "a.jpg") -> tuple[tuple[str, ...], bool, bool]:
        """The tags of the picture at a path, and whether it is a favourite and the photo is set aside."""
        with Library.open(self.library) as opened:
            id_ = self.picture(name)
            photo = next(of for of in opened.catalog.photos_of([id_]) if os.fsdecode(of.path) == name)
            return (
                opened.marks.tags_of([id_]).get(id_, ()),
                id_ in opened.marks.favourites_of([id_]),
                photo.photo_id in opened.marks.set_aside_of(),
            )

    def teach(self) -> None:
        """Let `a.jpg` be a counter-example of what the others show."""
        with Library.open(self.library) as opened:
            others = [id_ for id_ in opened.catalog.matching(()).tolist() if id_ != self.picture()]
            opened.concepts.teach("ours", others, [self.picture()])

    def taught(self) -> list[tuple[str, bool]]:
        with Library.open(self.library) as opened:
            return opened.concepts.names_of(self.picture())

    def selected(self, name: str) -> list[int]:
        with Library.open(self.library) as opened:
            ids = opened.marks.set_ids(name)
            assert ids is not None
            return [int(id_) for id_ in ids]

    def left(self) -> list[LeftMarks]:
        with Library.open(self.library) as opened:
            return opened.marks.left()


ALL = (("holiday", "sea"), True, True)


@pytest.fixture
def shelf(tmp_path: Path, library: Path, index: Index) -> Shelf:
    photos = tmp_path / "pictures"
    photos.mkdir()
    save(photos / "a.jpg", drawn(), taken="2019:07:12 06:57:58")
    for number in range(3):
        Image.new("RGB", (64, 48), ("red", "green", "blue")[number]).save(photos / f"{number}.png")
    made = Shelf(photos, library, index)
    assert made.index(photos).added == 4
    return made


def other_date(file: Path) -> None:
    save(file, drawn(), taken="2019:07:12 07:57:58")


def a_turn(file: Path) -> None:
    save(file, drawn(), taken="2019:07:12 06:57:58", orientation=6)


def another_quality(file: Path) -> None:
    save(file, drawn(), quality=60)


def a_new_file_in_its_place(file: Path) -> None:
    other_date(file.with_suffix(".tmp"))
    file.with_suffix(".tmp").replace(file)


@pytest.mark.parametrize("edit", [other_date, a_turn, another_quality, a_new_file_in_its_place])
def test_marks_stay_where_an_edit_leaves_the_picture_the_same(shelf: Shelf, edit: Callable[[Path], None]) -> None:
    name, before = shelf.mark(), shelf.picture()
    shelf.teach()
    edit(shelf.file)
    run = shelf.index(shelf.photos)
    assert (run.changed, run.marks_carried, run.marks_left) == (1, 1, 0)
    assert shelf.picture() != before
    assert shelf.marks() == ALL
    assert shelf.taught() == [("ours", False)]
    assert shelf.selected(name) == [shelf.picture()]
    assert shelf.left() == []
    with Library.open(shelf.library) as opened:
        assert opened.marks.tags() == [("holiday", 1), ("sea", 1)]


def test_an_edit_that_is_taken_back_takes_the_marks_along(shelf: Shelf) -> None:
    name = shelf.mark()
    data = shelf.file.read_bytes()
    other_date(shelf.file)
    shelf.index(shelf.photos)
    shelf.file.write_bytes(data)
    assert shelf.index(shelf.photos).encoded == 0
    assert shelf.marks() == ALL
    assert shelf.selected(name) == [shelf.picture()]


def test_a_saved_search_for_pictures_like_one_follows_its_edits(shelf: Shelf) -> None:
    before = shelf.picture()
    with Library.open(shelf.library) as opened:
        opened.marks.save_search("more", f'like:{before}^2 -like:{before}0 "like:{before}"')
    other_date(shelf.file)
    assert shelf.index(shelf.photos).marks_carried == 1
    with Library.open(shelf.library) as opened:
        (search,) = opened.marks.saved_searches()
    assert search.query == f'like:{shelf.picture()}^2 -like:{before}0 "like:{before}"'


def test_where_a_copy_stays_as_it_was_both_have_the_marks(shelf: Shelf) -> None:
    shutil.copy(shelf.file, shelf.photos / "copy.jpg")
    shelf.index(shelf.photos)
    name = shelf.mark()
    other_date(shelf.file)
    shelf.index(shelf.photos)
    assert shelf.marks() == ALL
    assert shelf.marks("copy.jpg") == (*ALL[:2], False)
    assert shelf.selected(name) == sorted([shelf.picture(), shelf.picture("copy.jpg")])


def test_marks_wait_for_an_edit_that_is_half_written_at_first(shelf: Shelf) -> None:
    shelf.mark()
    other_date(shelf.file)
    data = shelf.file.read_bytes()
    shelf.file.write_bytes(data[: len(data) // 2])
    assert shelf.index(shelf.photos, "--prune").failed == 1
    shelf.file.write_bytes(data)
    assert shelf.index(shelf.photos).marks_carried == 1
    assert shelf.marks() == ALL


def test_marks_wait_for_the_picture_to_come_back_after_another_one(shelf: Shelf) -> None:
    shelf.mark()
    drawn(0.2).save(shelf.file)
    assert shelf.index(shelf.photos).marks_left == 1
    other_date(shelf.file)
    assert shelf.index(shelf.photos).marks_carried == 1
    assert shelf.marks() == (*ALL[:2], False)
    assert shelf.left() == []


def test_marks_go_on_in_a_space_that_has_no_vector_of_the_old_file(shelf: Shelf, tiny_space: str) -> None:
    shelf.mark()
    other_date(shelf.file)
    assert shelf.index(shelf.photos, space=tiny_space).marks_carried == 1
    assert shelf.marks() == ALL


def test_without_thumbnails_vectors_tell_that_the_picture_is_the_same(shelf: Shelf) -> None:
    shelf.mark()
    shutil.rmtree(shelf.library / "thumbnails")
    other_date(shelf.file)
    assert shelf.index(shelf.photos).marks_carried == 1
    assert shelf.marks() == ALL


def test_marks_stay_with_the_old_version_where_the_picture_is_another(shelf: Shelf) -> None:
    name, before = shelf.mark(), shelf.picture()
    shelf.teach()
    drawn(0.2).save(shelf.file)
    run = shelf.index(shelf.photos)
    assert (run.changed, run.marks_carried, run.marks_left) == (1, 0, 1)
    assert shelf.marks() == ((), False, False)
    (left,) = shelf.left()
    assert (left.content_id, left.tags, left.is_favourite, left.selections) == (before, ALL[0], True, (name,))
    assert (left.path, left.now, left.concepts) == (b"a.jpg", shelf.picture(), ("ours",))
    assert shelf.taught() == []
    (told,) = shelf.index("status", space=None).summary["left_marks"]
    assert told == {
        "picture": before, "path": str(shelf.file), "tags": ["holiday", "sea"], "favourite": True,
        "selections": [name], "concepts": ["ours"], "now": shelf.picture(),
    }  # fmt: skip


def test_marks_that_were_left_are_told_of_the_path_that_the_file_was_renamed_to(shelf: Shelf) -> None:
    shelf.mark()
    drawn(0.2).save(shelf.file)
    shelf.index(shelf.photos)
    shelf.file.rename(shelf.photos / "b.jpg")
    assert shelf.index(shelf.photos).moved == 1
    (left,) = shelf.left()
    assert (left.path, left.now) == (b"b.jpg", shelf.picture("b.jpg"))


def test_what_no_photo_holds_is_not_pruned_while_it_has_marks(shelf: Shelf) -> None:
    shelf.mark()
    before = shelf.picture()
    drawn(0.2).save(shelf.file)
    shelf.index(shelf.photos)
    (shelf.photos / "0.png").unlink()
    assert shelf.index(shelf.photos, "--prune").forgotten == 1
    assert [each.content_id for each in shelf.left()] == [before]


@pytest.mark.parametrize("all_", [True, False])
def test_marks_that_were_left_can_be_moved_to_the_new_picture_or_deleted(shelf: Shelf, all_: bool) -> None:
    def command(*given: str) -> subprocess.CompletedProcess[str]:
        whole = [sys.executable, "-m", "search_ui", "left-marks", "--library", str(shelf.library), *given]
        return subprocess.run(whole, cwd=ROOT, text=True, capture_output=True, check=False)

    name, before = shelf.mark(), shelf.picture()
    shelf.teach()
    drawn(0.2).save(shelf.file)
    shelf.index(shelf.photos)
    assert str(shelf.file) in command().stdout
    assert command("--move").returncode == 2
    assert "No marks were left behind by picture 99" in command("--move", "99").stderr
    assert command("--move" if all_ else "--delete", *(["--all"] if all_ else [str(before)])).returncode == 0
    assert shelf.left() == []
    assert shelf.marks() == ((*ALL[:2], False) if all_ else ((), False, False))
    if all_:
        assert shelf.selected(name) == [shelf.picture()]
    else:
        with Library.open(shelf.library) as opened:
            assert (opened.marks.tags(), opened.marks.set_ids(name)) == ([], None)


def test_two_crops_of_a_photograph_are_two_pictures(tmp_path: Path, library: Path, index: Index) -> None:
    photos = tmp_path / "pictures"
    photos.mkdir()
    whole = Image.effect_mandelbrot((640, 480), (-2, -1.5, 1, 1.5), 50).convert("RGB")
    save(photos / "a.jpg", whole.crop((0, 0, 320, 480)))
    shelf = Shelf(photos, library, index)
    shelf.index(photos)
    shelf.mark()
    save(photos / "a.jpg", whole.crop((320, 0, 640, 480)))
    assert shelf.index(photos).marks_left == 1
