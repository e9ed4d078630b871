"""A library whose folder is renamed, moved or replaced while it is open: nothing goes to what lies there then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import Index

from indexer.chosen_spaces import choose
from indexer.options import Options
from indexer.pipeline import Pipeline
from sightline.ranking.text_vector_cache import TextVectorCache
from store.library import Library
from store.lock import locked
from store.place import LibraryMovedError
from store.remote import DATABASE

Change = Callable[[Path, Path], None]


def rename(library: Path, aside: Path) -> None:
    library.rename(aside)


def replace_by_nothing(library: Path, aside: Path) -> None:
    library.rename(aside)
    library.mkdir()


def replace_by_another(library: Path, aside: Path) -> None:
    library.rename(aside)
    with locked(library), Library.create(library):
        pass


def replace_the_database(library: Path, aside: Path) -> None:
    aside.mkdir()
    for path in library.glob(f"{DATABASE}*"):
        path.rename(aside / path.name)
    shutil.copy(aside / DATABASE, library / DATABASE)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run_and_change(library: Path, photos: Path, space: str, change: Callable[[], None]) -> None:
    """Index, and change something when the run has begun to read."""
    changed = False

    def report(progress: object) -> None:
        nonlocal changed
        if not changed:
            changed = True
            change()

    with locked(library), Library.create(library) as opened:
        Pipeline(opened, choose(library, space, "cpu", offline=True), Options(), report).run([photos])


@pytest.mark.parametrize("change", [rename, replace_by_nothing, replace_by_another, replace_the_database])
@pytest.mark.parametrize("news", [True, False])
def test_a_run_stops_and_writes_nothing_to_what_took_the_place(
    photos: Path, library: Path, tmp_path: Path, index: Index, tiny_space: str, change: Change, news: bool
) -> None:
    index(photos)
    if news:
        shutil.copytree(photos, photos / "more")
        for path in (photos / "more").rglob("*.jpg"):
            path.write_bytes(path.read_bytes() + b" ")
    before: dict[str, bytes] = {}

    def act() -> None:
        change(library, tmp_path / "aside")
        if library.exists():
            before.update(contents(library))

    with pytest.raises(LibraryMovedError, match="renamed, moved or replaced"):
        run_and_change(library, photos, tiny_space, act)
    after = contents(library) if library.exists() else {}
    assert library.exists() == (change is not rename)
    # The folder itself is the same where only the database was replaced: pictures that were being read go on.
    apart = ("run.json", "thumbnails") if change is replace_the_database else ("run.json",)
    for names in (after, before):
        for name in [name for name in names if name.startswith(apart)]:
            del names[name]
    assert after == before
    if change is not replace_the_database:
        whole = index(photos, "--library", tmp_path / "aside")
        assert whole.code == 0
        with Library.open(tmp_path / "aside") as opened:
            assert opened.catalog.counts().photos == (48 if news else 24)
            assert opened.integrity() == []


def test_the_command_line_says_it_and_ends_with_2(
    photos: Path, library: Path, tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    from indexer.progress_bar import RunScreen

    shown = RunScreen.show

    def show(self: RunScreen, progress: object) -> None:
        if (library / DATABASE).exists():
            library.rename(tmp_path / "aside")
        shown(self, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(RunScreen, "show", show)
    run = index(photos)
    assert run.code == 2
    assert f"Error: The library {library} is not where it was" in run.err
    assert "--library" in run.err
    assert not library.exists()


def test_marks_and_caches_of_a_reader_do_not_go_to_what_took_the_place(
    photos: Path, library: Path, tmp_path: Path, index: Index
) -> None:
    index(photos)
    with Library.open(library) as opened:
        ids = opened.catalog.matching([]).tolist()
        cache = TextVectorCache(library / "vectors", readonly=False)
        library.rename(tmp_path / "aside")
        with pytest.raises(LibraryMovedError):
            opened.marks.favourite(ids, True)
        with pytest.raises(LibraryMovedError):
            opened.previews.write(b"a" * 32, b"data")
        cache.put("space", "words", np.array([1], np.float32))
        assert not library.exists()
    with Library.open(tmp_path / "aside") as opened:
        assert not opened.marks.favourites_of(ids)


def test_another_working_directory_moves_nothing(
    photos: Path, library: Path, tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(photos)
    monkeypatch.chdir(library.parent)
    with Library.open(Path(library.name)) as opened:
        monkeypatch.chdir(photos)
        opened.marks.favourite(opened.catalog.matching([]).tolist(), True)
