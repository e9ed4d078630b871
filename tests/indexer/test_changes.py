"""Identity is content: what each change of a folder costs, counted in pictures that went through the model."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest
from PIL import Image
from searching import nearest
from support import AWKWARD, Index

from indexer import scanner
from indexer.chosen_spaces import Chosen
from indexer.file_reader import FileReader
from indexer.options import Options
from indexer.pipeline import Pipeline
from indexer.scanner import Task
from sightline.images.workers import Workers
from sightline.models.encoder import Encoder
from sightline.models.resolve import resolve
from store.images.thumbnails import Thumbnails
from store.library import Library
from store.tables.writer import Writer


def first(photos: Path) -> Path:
    return min(photos.rglob("*.jpg"))


def redraw(path: Path, colour: str) -> None:
    Image.new("RGB", (64, 48), colour).save(path)


def findable(library: Path) -> set[str]:
    """Every path that a search brings up."""
    with Library.open(library) as opened:
        space = opened.catalog.default_space()
        assert space is not None
        index = opened.vectors.get(space.id)
        ids = index.ids
        if not len(ids):
            return set()
        hits = nearest(opened, space.id, index.vectors_of(ids[:1])[0], 10_000)
        return {hit.photo.display for hit in hits}


def test_a_second_run_encodes_nothing(photos: Path, index: Index) -> None:
    one = index(photos)
    assert (one.code, one.added, one.encoded) == (0, 24, 24)
    two = index(photos)
    assert (two.code, two.unchanged, two.encoded, two.added) == (0, 24, 0, 0)


def test_a_touched_file_is_hashed_and_not_encoded(photos: Path, index: Index) -> None:
    index(photos)
    os.utime(first(photos), (1, 1))
    again = index(photos)
    assert (again.unchanged, again.encoded, again.changed) == (24, 0, 0)
    assert index(photos).unchanged == 24


def test_a_renamed_file_keeps_its_vector(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    first(photos).rename(photos / "renamed.JPG")
    run = index(photos)
    assert (run.moved, run.encoded, run.missing, run.duplicates, run.added) == (1, 0, 0, 0, 0)
    assert "renamed.JPG" in findable(library)
    assert len(findable(library)) == 24


def test_a_moved_folder_keeps_its_vectors(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    folder = first(photos).parent
    count = len(list(folder.glob("*.jpg")))
    folder.rename(photos / "elsewhere")
    run = index(photos)
    assert (run.moved, run.encoded, run.missing) == (count, 0, 0)
    assert sum(path.startswith("elsewhere/") for path in findable(library)) == count


def test_a_copy_is_not_encoded_again(photos: Path, index: Index) -> None:
    index(photos)
    shutil.copy(first(photos), photos / "copy.jpg")
    run = index(photos)
    assert (run.duplicates, run.encoded, run.moved, run.added) == (1, 0, 0, 0)


def test_copies_in_one_run_are_encoded_once(tmp_path: Path, photos: Path, index: Index) -> None:
    folder = tmp_path / "same"
    folder.mkdir()
    for number in range(30):
        shutil.copy(first(photos), folder / f"{number}.jpg")
    run = index(folder)
    assert (run.encoded, run.added, run.duplicates) == (1, 1, 29)


def test_copies_of_a_broken_file_all_fail_with_the_reason(tmp_path: Path, index: Index) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for number in range(10):
        shutil.copy(AWKWARD / "cut_short.jpg", folder / f"{number}.jpg")
    run = index(folder)
    assert (run.code, run.failed, run.encoded) == (1, 10, 0)


def test_an_edited_file_is_encoded_again(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    redraw(first(photos), "red")
    run = index(photos)
    assert (run.changed, run.encoded, run.unchanged) == (1, 1, 23)
    assert len(findable(library)) == 24


def test_a_deleted_file_leaves_the_results_and_comes_back_without_encoding(
    photos: Path, index: Index, library: Path, tmp_path: Path
) -> None:
    index(photos)
    name = first(photos)
    aside = tmp_path / "aside.jpg"
    shutil.move(name, aside)
    gone = index(photos)
    assert (gone.missing, gone.encoded, gone.unchanged) == (1, 0, 23)
    assert len(findable(library)) == 23
    shutil.move(aside, name)
    back = index(photos)
    assert (back.restored, back.encoded, back.unchanged) == (1, 0, 23)
    assert len(findable(library)) == 24


@pytest.mark.parametrize("at_once", [200, pytest.param(scanner.AT_ONCE, marks=pytest.mark.nightly)])
def test_what_changes_among_thousands_of_unchanged_files_is_noticed(
    tmp_path: Path, photos: Path, index: Index, library: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    # More than are compared at once, twice over, and in folders between which files lie.
    monkeypatch.setattr(scanner, "AT_ONCE", at_once)
    root = tmp_path / "many"
    files = [root / f"{number // (at_once * 7 // 20)}" / f"{number:05d}.jpg" for number in range(at_once * 9 // 4)]
    files += [root / "3.jpg", root / "9.jpg"]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(first(photos), path)
    assert index(root).duplicates == len(files) - 1
    assert index(root).unchanged == len(files)
    for gone in (files[0], files[at_once - 1], files[at_once * 3 // 2], files[-1]):
        gone.unlink()
    shutil.rmtree(files[at_once * 7 // 10].parent)
    left = [path for path in files if path.exists()]
    run = index(root)
    assert (run.missing, run.unchanged, run.encoded) == (len(files) - len(left), len(left), 0)
    redraw(root / "new.jpg", "red")
    run = index(root)
    assert (run.missing, run.unchanged, run.added) == (0, len(left), 1)
    with Library.open(library) as opened:
        (known,) = opened.catalog.roots()
        assert {path.decode() for _, path in opened.catalog.present_photos(known.id)} == {
            path.relative_to(root).as_posix() for path in [*left, root / "new.jpg"]
        }


def test_a_deleted_file_that_comes_back_elsewhere_has_moved(
    photos: Path, index: Index, library: Path, tmp_path: Path
) -> None:
    index(photos)
    aside = tmp_path / "aside.jpg"
    shutil.move(first(photos), aside)
    index(photos)
    shutil.move(aside, photos / "back.jpg")
    run = index(photos)
    assert (run.moved, run.encoded, run.missing) == (1, 0, 0)
    assert index("status", space=None).summary["missing"] == 0


def test_the_help_says_that_pruning_loses_what_a_person_decided(capfd: pytest.CaptureFixture[str]) -> None:
    from indexer.commands import run

    assert run(["index", "--help"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "loses its tags and its being a favourite for good" in said


def test_prune_forgets_what_is_missing_and_only_that(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    first(photos).unlink()
    run = index(photos, "--prune")
    assert (run.missing, run.forgotten) == (1, 1)
    with Library.open(library) as opened:
        assert opened.catalog.counts().pictures == 23
        assert opened.catalog.spaces()[0].count == 23
    assert len(list((library / "thumbnails").rglob("*.jpg"))) == 23
    assert len(findable(library)) == 23


def test_a_pruned_picture_loses_its_preview(photos: Path, index: Index, library: Path) -> None:
    from indexer.commands import run

    index(photos)
    with Library.open(library) as opened:
        first, second, *_ = opened.catalog.photos([1, 2]).values()
        for row in (first, second):
            opened.previews.write(row.hash, b"data")
        (photos / first.display).unlink()
        index(photos, "--prune")
        assert [opened.previews.read(row.hash) for row in (first, second)] == [None, b"data"]
        assert run(["forget", str(photos), "--library", str(library)]) == 0
        assert opened.previews.read(second.hash) is None


def test_a_root_that_is_gone_or_emptied_changes_nothing(
    photos: Path, index: Index, library: Path, tmp_path: Path
) -> None:
    index(photos)
    before = findable(library)
    photos.rename(tmp_path / "unplugged")
    gone = index(photos, "--prune")
    assert gone.code == 2
    assert "24 photos" in gone.err
    assert "Nothing was changed" in gone.err
    photos.mkdir()
    empty = index(photos, "--prune")
    assert empty.code == 2
    assert "mounted" in empty.err
    photos.rmdir()
    (tmp_path / "unplugged").rename(photos)
    assert findable(library) == before
    assert index(photos).unchanged == 24


def test_a_broken_file_is_listed_not_retried_and_indexed_once_it_is_mended(
    photos: Path, index: Index, library: Path
) -> None:
    whole = first(photos).read_bytes()
    broken = photos / "broken.jpg"
    broken.write_bytes(whole[: len(whole) // 2])
    run = index(photos)
    assert (run.code, run.added, run.failed, run.failed_now) == (1, 24, 1, 1)
    with Library.open(library) as opened:
        (failure,) = opened.catalog.failures()
    assert (failure.stage, failure.display) == ("decode", "broken.jpg")
    assert "cut short" in failure.reason
    again = index(photos)
    assert (again.code, again.failed, again.failed_now) == (1, 1, 0)
    redraw(broken, "blue")
    mended = index(photos)
    assert (mended.code, mended.added, mended.failed) == (0, 1, 0)


def test_an_edit_that_breaks_a_file_takes_the_old_picture_out_of_the_results(
    photos: Path, index: Index, library: Path
) -> None:
    index(photos)
    broken = first(photos)
    whole = broken.read_bytes()
    broken.write_bytes(whole[:500])
    assert index(photos).failed == 1
    assert len(findable(library)) == 23
    broken.write_bytes(whole)
    mended = index(photos)
    assert (mended.restored, mended.encoded, mended.failed) == (1, 0, 0)


def test_a_failed_file_that_is_deleted_leaves_the_list(photos: Path, index: Index) -> None:
    (photos / "bad.jpg").write_bytes(b"not a picture")
    assert index(photos).failed == 1
    (photos / "bad.jpg").unlink()
    run = index(photos)
    assert (run.code, run.failed) == (0, 0)


def test_a_folder_inside_a_known_root_is_part_of_it(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    inner = first(photos).parent
    count = len(list(inner.glob("*.jpg")))
    run = index(inner)
    assert (run.unchanged, run.missing, run.encoded) == (count, 0, 0)
    with Library.open(library) as opened:
        assert len(opened.catalog.roots()) == 1


def test_a_root_around_a_known_one_takes_it_in(photos: Path, index: Index, library: Path) -> None:
    index(first(photos).parent)
    run = index(photos)
    assert run.duplicates == 0
    assert run.missing == 0
    with Library.open(library) as opened:
        (root,) = opened.catalog.roots()
    assert root.photos == 24
    assert len(findable(library)) == 24


def test_a_root_that_takes_others_in_forgets_nothing_that_was_missing_in_them(
    photos: Path, index: Index, library: Path
) -> None:
    earlier, later = sorted({path.parent for path in photos.rglob("*.jpg")})[:2]
    for folder in (earlier, later):  # each settled at a time of its own
        shutil.copy(first(folder), folder / "copy.jpg")
        index(folder)
        (folder / "copy.jpg").unlink()
        assert index(folder).missing == 1
    run = index(photos)
    assert (run.moved, run.missing) == (0, 0)
    with Library.open(library) as opened:
        (root,) = opened.catalog.roots()
        known = {path for _, path in opened.catalog.missing_photos(root.id)}
    assert known == {os.fsencode((folder / "copy.jpg").relative_to(photos)) for folder in (earlier, later)}


def test_two_spaces_live_side_by_side(photos: Path, index: Index, library: Path, other_space: str) -> None:
    index(photos)
    other = index(photos, space=other_space)
    assert (other.encoded, other.added, other.unchanged) == (24, 0, 24)
    assert index(photos, space=other_space).encoded == 0
    assert index(photos).encoded == 0
    with Library.open(library) as opened:
        assert [(space.dim, space.count) for space in opened.catalog.spaces()] == [(32, 24), (48, 24)]
        query = opened.vectors.get(1).vectors_of(opened.vectors.get(1).ids[:1])[0]
        with pytest.raises(ValueError, match="wants"):
            nearest(opened, 2, query, 5)


def test_a_space_is_not_used_before_it_is_complete(photos: Path, index: Index, library: Path, other_space: str) -> None:
    index(photos)
    with Library.open(library) as opened:
        assert opened.catalog.default_space().name == opened.catalog.spaces()[0].name  # type: ignore[union-attr]
    index(photos, space=other_space)
    with Library.open(library) as opened:
        assert opened.catalog.default_space().dim == 48  # type: ignore[union-attr]
    assert index(photos, space=None).encoded == 0  # without --space: the library's own


def test_a_dry_run_names_what_would_happen_and_changes_nothing(photos: Path, index: Index, library: Path) -> None:
    from indexer.commands import run

    dry = index(photos, "--dry-run")
    assert dry.out.count('"change": "new"') == 24
    assert not library.exists()
    index(photos)
    redraw(first(photos), "green")
    max(photos.rglob("*.jpg")).unlink()
    redraw(photos / "new.jpg", "blue")
    before = (library / "library.sqlite").read_bytes()
    dry = index(photos, "--dry-run")
    assert sorted(line.split('"')[3] for line in dry.out.splitlines()) == ["changed", "gone", "new"]
    assert (library / "library.sqlite").read_bytes() == before
    assert run([str(photos), "--dry-run", "--library", str(library)]) == 0


def test_an_unplugged_root_inside_a_newly_given_folder_changes_nothing(
    tmp_path: Path, photos: Path, index: Index, library: Path
) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    drive = outer / "drive"
    photos.rename(drive)
    index(drive)
    redraw(outer / "other.png", "red")
    drive.rename(tmp_path / "unplugged")
    assert index(outer, "--prune").code == 2
    drive.mkdir()
    assert index(outer, "--prune").code == 2
    assert len(findable(library)) == 24
    drive.rmdir()
    (tmp_path / "unplugged").rename(drive)
    run = index(outer, drive)
    assert (run.code, run.added, run.unchanged, run.duplicates) == (0, 1, 24, 0)
    with Library.open(library) as opened:
        assert len(opened.catalog.roots()) == 1


def test_an_emptied_folder_inside_a_root_is_not_believed_when_it_is_given_alone(
    photos: Path, index: Index, library: Path, tmp_path: Path
) -> None:
    index(photos)
    inner = first(photos).parent
    inner.rename(tmp_path / "unplugged")
    inner.mkdir()
    assert index(inner, "--prune").code == 2
    assert len(findable(library)) == 24


def test_prune_spares_what_is_elsewhere_excluded_or_unreadable(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    folders = sorted({path.parent for path in photos.rglob("*.jpg")})
    first(folders[0]).unlink()
    assert index(folders[1], "--prune").forgotten == 0
    run = index(photos, "--exclude", "*.jpg", "--prune")
    assert run.code == 2 or run.forgotten <= 1
    broken = first(folders[1])
    whole = broken.read_bytes()
    broken.write_bytes(whole[:500])
    run = index(photos, "--prune")
    assert (run.failed, run.forgotten) == (1, 1)
    broken.write_bytes(whole)
    assert index(photos).encoded == 0


def test_searches_keep_their_space_until_the_new_one_holds_everything(
    tmp_path: Path, photos: Path, index: Index, library: Path, other_space: str
) -> None:
    index(photos)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert index(empty, space=other_space).code == 0
    part = index(first(photos).parent, space=other_space)
    assert part.not_in_space > 0
    with Library.open(library) as opened:
        assert opened.catalog.default_space().dim == 32  # type: ignore[union-attr]
    assert index(photos, space=other_space).not_in_space == 0
    with Library.open(library) as opened:
        assert opened.catalog.default_space().dim == 48  # type: ignore[union-attr]


def test_a_very_long_thin_picture_is_indexed_without_gigabytes(tmp_path: Path, index: Index) -> None:
    folder = tmp_path / "thin"
    folder.mkdir()
    Image.new("L", (1, 500_000), 90).save(folder / "tall.png")
    Image.new("RGB", (300_000, 2), "red").save(folder / "wide.png")
    run = index(folder)
    assert (run.code, run.added) == (0, 2)


def test_a_move_is_known_even_if_the_run_that_saw_it_was_stopped(photos: Path, index: Index, library: Path) -> None:
    index(photos)
    with Library.open(library) as opened:
        spec = opened.catalog.spaces()[0].model
    first(photos).rename(photos / "renamed.jpg")
    with Library.create(library) as opened:
        stopped = Pipeline(opened, Chosen([resolve(spec)]), Options(), report=lambda _: stopped.stop.set())
        stopped.run([photos])
    assert len(findable(library)) == 24
    run = index(photos)
    assert (run.moved, run.missing, run.encoded) == (1, 0, 0)


def test_what_fails_in_one_spaces_model_stays_findable_in_another(
    photos: Path, index: Index, library: Path, other_space: str
) -> None:
    index(photos)
    # A model that never gives a finite vector is refused before: this one does so only now.
    encoder = Encoder(resolve(other_space), device="cpu", precision="fp32", texts=False)
    for parameter in encoder.module.parameters():
        parameter.data.fill_(float("nan"))
    with Library.create(library) as opened:
        run = Pipeline(opened, Chosen([encoder.model]), Options(), encoders=[encoder]).run([photos])
    assert run.failed == 24
    assert len(findable(library)) == 24
    assert index(photos).unchanged == 24


def test_a_photo_that_only_one_space_holds_is_missed_in_a_run_of_the_other(
    photos: Path, index: Index, other_space: str
) -> None:
    index(photos)
    index(photos, space=other_space)
    last = first(photos).with_name("~.jpg")
    between = first(photos).with_name(first(photos).name + "~.jpg")
    redraw(between, "red")
    redraw(last, "blue")
    assert index(photos).added == 2
    between.unlink()
    assert index(photos, "--dry-run", space=other_space).out.count('"gone"') == 1
    run = index(photos, space=other_space)
    assert (run.missing, run.unchanged, run.encoded) == (1, 25, 1)
    last.unlink()
    assert index(photos, space=other_space).missing == 1


@pytest.mark.parametrize("taken", [1, 2, 3, 5, 9])
def test_a_stop_among_copies_ends_the_run(
    tmp_path: Path, photos: Path, tiny_space: str, library: Path, taken: int
) -> None:
    folder = tmp_path / "same"
    folder.mkdir()
    for number in range(200):
        shutil.copy(sorted(photos.rglob("*.jpg"))[number % 3], folder / f"{number}.jpg")
    reports = iter(range(1, 1_000))

    def stop(_: object) -> None:
        if next(reports) == taken:
            pipeline.stop.set()

    with Library.create(library) as opened:
        pipeline = Pipeline(opened, Chosen([resolve(tiny_space)]), Options(workers=4, batch_size=2), report=stop)
        run = threading.Thread(target=pipeline.run, args=[[folder]], daemon=True)
        run.start()
        run.join(60)
        assert not run.is_alive()


def test_copies_of_a_file_that_could_not_be_read_to_its_end_do_not_wait_for_it(
    tmp_path: Path, photos: Path, index: Index, library: Path, other_space: str
) -> None:
    index(photos)
    model = resolve(other_space)
    with Library.open(library) as opened:
        space_id = Writer(opened.catalog.engine).add_space(model.identity())
        # A name that no file system takes: asking for a thumbnail there is an error, as on a drive that went away.
        nowhere, workers = Thumbnails(tmp_path / ("x" * 300)), Workers(1)
        reader = FileReader(opened.catalog, nowhere, {space_id: model.preprocess}, workers, threads=1)
        path = first(photos)
        for _ in range(2):
            read = reader.submit(Task(path.parent, 1, os.fsencode(path.name), None, was_missing=False)).result()
            assert read.failed is not None
            assert read.failed.stage == "read"
            assert not read.duplicate_in_flight
        reader.close()


def test_a_dry_run_knows_what_a_space_lacks(photos: Path, index: Index, other_space: str) -> None:
    index(photos)
    assert index(photos, "--dry-run", space=None).out == ""
    assert index(photos, "--dry-run", space=other_space).out.count('"unencoded"') == 24
