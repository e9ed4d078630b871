"""A root keeps how it was walked: every later run of it, from anywhere, leaves out and takes the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import Index

import sightline
from store.library import Library
from store.paths import to_path


@pytest.fixture
def root(photos: Path, tmp_path: Path) -> Path:
    """A folder with pictures that are private, hidden, and behind a link."""
    pictures = sorted(photos.rglob("*.jpg"))
    made = tmp_path / "root"
    for place, picture in zip(
        ("plain.jpg", "sub/inner.jpg", "private/secret.jpg", ".hidden/h.jpg", "../album/linked.jpg"),
        pictures,
        strict=False,
    ):
        (made / place).parent.mkdir(parents=True, exist_ok=True)
        picture.rename(made / place)
    (made / "album").symlink_to(tmp_path / "album")
    return made


def shown(library: Path) -> set[str]:
    """Paths of all photos that are there."""
    with Library.open(library) as opened:
        return {
            str(to_path(state.path, path))
            for state in opened.catalog.roots()
            for _, path in opened.catalog.present_photos(state.id)
        }


def under(root: Path, *names: str) -> set[str]:
    return {str(root / name) for name in names}


CHOSEN = ("plain.jpg", "sub/inner.jpg", ".hidden/h.jpg", "album/linked.jpg")


def test_a_root_is_walked_again_as_it_was(root: Path, index: Index, library: Path) -> None:
    index(root, "--follow-symlinks", "--hidden", "--exclude", "private")
    assert shown(library) == under(root, *CHOSEN)
    again = index(root)
    assert (again.added, again.missing, again.unchanged) == (0, 0, 4)
    assert index(root, "--dry-run").out == ""
    assert index(root / "sub").unchanged == 1
    assert sightline.Library(library).index([root])["unchanged"] == 4
    assert shown(library) == under(root, *CHOSEN)


def test_what_is_given_takes_the_place_of_what_was_kept_and_can_be_taken_back(
    root: Path, index: Index, library: Path
) -> None:
    index(root, "--follow-symlinks", "--hidden", "--exclude", "private")
    assert index(root, "--no-hidden").missing == 1
    assert shown(library) == under(root, *(set(CHOSEN) - {".hidden/h.jpg"}))
    index(root, "--exclude", "sub", "--hidden")
    assert shown(library) == under(root, "plain.jpg", "private/secret.jpg", ".hidden/h.jpg", "album/linked.jpg")
    index(root, "--no-exclude", "--no-follow-symlinks")
    run = index(root)
    assert (run.unchanged, run.encoded) == (4, 0)
    assert shown(library) == under(root, "plain.jpg", "sub/inner.jpg", "private/secret.jpg", ".hidden/h.jpg")


def test_what_is_excluded_comes_back_with_its_vector_when_it_is_no_more(
    root: Path, index: Index, library: Path
) -> None:
    index(root)
    assert index(root, "--exclude", "private").missing == 1
    assert index(root, "--prune", "--yes").forgotten == 0
    back = index(root, "--no-exclude")
    assert (back.restored, back.encoded) == (1, 0)


def test_options_for_a_folder_inside_a_root_are_for_that_folder(root: Path, index: Index, library: Path) -> None:
    index(root, "--exclude", "private")
    (root / "sub" / "private").mkdir()
    (root / "plain.jpg").rename(root / "sub" / "private" / "moved.jpg")
    index(root / "sub", "--no-exclude")
    index(root)
    assert shown(library) == under(root, "sub/inner.jpg", "sub/private/moved.jpg")
    # Given for the whole root, it is for all of it again.
    index(root, "--exclude", "private")
    assert shown(library) == under(root, "sub/inner.jpg")


def test_a_root_that_becomes_part_of_another_is_walked_as_before(root: Path, index: Index, library: Path) -> None:
    index(root, "--follow-symlinks", "--hidden", "--exclude", "/private")
    outer = root.parent
    (root / "sub" / "inner.jpg").rename(outer / ".unseen.jpg")
    (outer / "album").rename(outer / "photos" / "album")
    (root / "album").unlink()
    (root / "album").symlink_to(outer / "photos" / "album")
    index(outer, "--exclude", "photos")
    kept = under(root, *(set(CHOSEN) - {"sub/inner.jpg"}))
    assert shown(library) == kept
    # Another pattern for all of it adds to what is left out in the part; only --no-exclude ends that.
    index(outer, "--exclude", "photos", "--exclude", "plain.*")
    assert shown(library) == kept - under(root, "plain.jpg")
    index(outer, "--no-exclude")
    assert shown(library) >= under(root, "private/secret.jpg", "plain.jpg", ".hidden/h.jpg")


def test_a_hidden_root_stays_when_what_is_around_it_is_indexed(root: Path, index: Index, library: Path) -> None:
    index(root / ".hidden")
    run = index(root)
    assert (run.missing, run.unchanged) == (0, 1)
    assert str(root / ".hidden" / "h.jpg") in shown(library)
    assert index(root).missing == 0


@pytest.mark.parametrize("asked", ["private", ".hidden", "@eaDir"])
def test_a_folder_that_is_left_out_and_then_asked_for_stays(
    root: Path, index: Index, library: Path, asked: str
) -> None:
    (root / "@eaDir").mkdir()
    (root / "sub" / "inner.jpg").rename(root / "@eaDir" / "thumb.jpg")
    index(root, "--exclude", "private")
    assert index(root / asked).added == 1
    again = index(root)
    assert (again.missing, again.added) == (0, 0)
    assert len(shown(library)) == 2


def test_status_says_how_a_root_is_walked(
    root: Path, index: Index, library: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from indexer.commands import run

    index(root, "--hidden", "--exclude", "private", "--exclude", "*.png")
    index(root / "sub", "--no-hidden")
    status = index("status", space=None).summary
    assert status["roots"][0]["options"] == {
        "exclude": ["private", "*.png"], "hidden": True, "follow_symlinks": False, "caches": False,
        "parts": {"sub/": {"hidden": False}},
    }  # fmt: skip
    assert run(["status", "--library", str(library)]) == 0
    assert "walked with: hidden files too; without private, *.png; in sub: no hidden files" in capfd.readouterr().out


def test_the_python_interface_chooses_how_a_folder_is_walked(root: Path, index: Index, library: Path) -> None:
    index(root, "--exclude", "private")
    opened = sightline.Library(library)
    assert opened.index([root], hidden=True)["added"] == 1
    assert opened.index([root], exclude=())["added"] == 1
    assert opened.index([root], exclude=["sub"], hidden=False)["missing"] == 2


# -- patterns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        "private", "PRIVATE", "private/", "/private", "./private", "/private/", "private/**",
        "**/private", "**/private/**",
        "private/*", "./private/secret.jpg", "secret.*", "SECRET.JPG", "pri*", "privat[ef]", "?rivate", "*/secret.jpg",
        "{root}/private", "{root}/private/", "{root}/private/*.jpg", "{name}/private",
    ],
)  # fmt: skip
def test_a_pattern_leaves_out_what_a_person_means(
    root: Path, index: Index, library: Path, pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root.parent)
    run = index(root, "--exclude", pattern.format(root=root, name=root.name))
    assert (run.code, run.unmatched) == (0, [])
    assert shown(library) == under(root, "plain.jpg", "sub/inner.jpg")
    monkeypatch.chdir("/")
    assert index(root).unchanged == 2


@pytest.mark.parametrize(
    "pattern", ["secret", "/secret.jpg", "plain.jpg/", "private/secret", "[z-a]", "{root}/../x", "nowhere/**"]
)
def test_a_pattern_that_leaves_nothing_out_is_told(
    root: Path, index: Index, pattern: str, capfd: pytest.CaptureFixture[str], library: Path, tiny_space: str
) -> None:
    from indexer.commands import run

    given = pattern.format(root=root)
    assert index(root, "--exclude", given, "--exclude", "private").unmatched == [given]
    assert run([str(root), "--library", str(library)]) == 0
    assert f"--exclude {given} left nothing out" in capfd.readouterr().err


def test_patterns_of_another_part_of_the_root_are_not_blamed(root: Path, index: Index) -> None:
    index(root, "--exclude", "private", "--exclude", ".hidden")
    assert index(root / "sub").unmatched == []
    assert index(root).unmatched == []


def test_names_are_matched_however_their_accents_are_composed(root: Path, index: Index, library: Path) -> None:
    (root / "private").rename(root / "Caf\u0065\u0301")
    index(root, "--exclude", "caf\u00e9")
    assert shown(library) == under(root, "plain.jpg", "sub/inner.jpg")


def test_a_name_with_brackets_is_meant_as_it_is(root: Path, index: Index, library: Path) -> None:
    (root / "private").rename(root / "private [2019]")
    run = index(root, "--exclude", "private [2019]")
    assert (run.unmatched, shown(library)) == ([], under(root, "plain.jpg", "sub/inner.jpg"))


def test_a_pattern_is_for_the_folder_it_leads_into(root: Path, photos: Path, index: Index) -> None:
    run = index(root, photos, "--exclude", str(root / "private"))
    assert (run.code, run.unmatched) == (0, [])


def test_leaving_out_everything_is_refused_with_the_reason(root: Path, index: Index, library: Path) -> None:
    index(root)
    run = index(root, "--exclude", "*")
    assert run.code == 2
    assert "would be left out" in run.err
    assert "mounted" not in run.err
    assert index(root).unchanged == 3


@pytest.mark.parametrize("given", [["--exclude", "a", "--no-exclude"], ["--exclude", ""], ["--exclude", "/"]])
def test_patterns_that_say_nothing_are_refused(root: Path, index: Index, given: list[str]) -> None:
    assert index(root, *given).code == 2


# -- bins and caches ------------------------------------------------------------------------------------------------

OTHERS = (
    "$RECYCLE.BIN/S-1/$R1.jpg", "#recycle/x.jpg", "@eaDir/IMG_1.jpg/SYNOPHOTO_THUMB_XL.jpg", "lost+found/l.jpg",
    "Photos Library.photoslibrary/resources/derivatives/d.jpg", "Previews.lrdata/p.jpg", "RECYCLER/r.jpg",
    "Shoot/CaptureOne/Cache/Thumbnails/t.jpg", "Mine.cocatalog/Cache/c.jpg", "Android/data/org.app/cache/a.jpg",
    "phone/.thumbnails/1.jpg", ".Trash-1000/files/b.jpg", ".trashed-1700000000-IMG_2.jpg", "@Recycle/q.jpg",
    "RECYCLED/d.jpg", ".snapshots/1/snapshot/s.jpg", ".sync/Archive/x.jpg", "__MACOSX/._m.jpg",
    "iPhoto Library/Data/2008/t.jpg",
)  # fmt: skip
OWN = (
    "Photos Library.photoslibrary/originals/0/o.jpg", "Old.photoslibrary/Masters/m.jpg", "Cache/c.jpg", "Trash/t.jpg",
    "Deleted/d.jpg", "thumbnails/u.jpg", "Mine.cocatalog/Originals/o.jpg", "Recycler/art.jpg", "resources/r.jpg",
    "Recycled/art.jpg", "Archive/a.jpg", "iPhoto Library/Originals/2008/o.jpg",
    "Android/data/d.jpg",
)  # fmt: skip


@pytest.fixture
def disk(photos: Path, tmp_path: Path) -> Path:
    """A folder as it is found on disks: with bins, and with what other programs keep."""
    picture = min(photos.rglob("*.jpg")).read_bytes()
    made = tmp_path / "disk"
    for number, name in enumerate((*OTHERS, *OWN)):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(picture + b" " * number)
    return made


def test_bins_and_caches_of_other_programs_are_left_out_and_counted(
    disk: Path, index: Index, library: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from indexer.commands import run

    summary = index(disk, "--hidden")
    assert shown(library) == under(disk, *OWN)
    assert summary.caches["$RECYCLE.BIN"] == 1
    assert sum(summary.caches.values()) == len(OTHERS) - 1  # one of them is a file
    assert run([str(disk), "--library", str(library)]) == 0
    assert "--caches takes them" in capfd.readouterr().err
    index(disk, "--caches")
    assert shown(library) == under(disk, *OWN, *OTHERS)
    assert index(disk).unchanged == len(OWN) + len(OTHERS)
    assert index(disk, "--no-caches").missing == len(OTHERS)


@pytest.mark.parametrize("given", ["@eaDir", "Photos Library.photoslibrary/resources", "$RECYCLE.BIN/S-1"])
def test_a_bin_or_cache_that_is_given_is_indexed(disk: Path, index: Index, given: str) -> None:
    assert index(disk / given).added == 1
