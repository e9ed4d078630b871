"""Exports: what is exported is what was indexed, and nothing that is there is ever replaced."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import indexing
import pytest
from PIL import Image

import sightline
from search_ui.__main__ import main

posix = pytest.mark.skipif(os.name != "posix", reason="links need a right of their own elsewhere")


@dataclass
class Made:
    """Two photos, `root/sea/a.bmp` and `root/b.bmp`, of one size, and a secret of that size beside them."""

    folder: Path

    @property
    def a(self) -> Path:
        return self.folder / "root" / "sea" / "a.bmp"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def secret(self) -> Path:
        return self.folder / "secret" / "a.bmp"


@pytest.fixture
def made(tmp_path: Path, tiny_space: str) -> Made:
    one = Made(tmp_path)
    for number, path in enumerate((one.a, tmp_path / "root" / "b.bmp", one.secret)):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 40), (90 * number, 60, 200)).save(path)
    indexing.add(tmp_path / "library", tmp_path / "root", tiny_space)
    return one


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Export the whole library to `out`; gives the exit code and what was said."""
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(made.folder / "library"))

    def call(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["export", "--to", str(made.out), "--all", *arguments])
        code = ended.value.code
        assert isinstance(code, int)
        return code, capsys.readouterr().err

    return call


def _to_a_link(made: Made) -> None:
    made.a.unlink()
    made.a.symlink_to(made.secret)


def _folder_to_a_link(made: Made) -> None:
    shutil.rmtree(made.a.parent)
    made.a.parent.symlink_to(made.secret.parent)


def _to_a_link_to_the_same(made: Made) -> None:
    made.a.rename(made.folder / "same.bmp")
    made.a.symlink_to(made.folder / "same.bmp")


def _to_a_hard_link(made: Made) -> None:
    facts = made.a.stat()
    made.a.unlink()
    os.utime(made.secret, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    made.a.hardlink_to(made.secret)


def _to_other_bytes(made: Made) -> None:
    facts = made.a.stat()
    made.a.write_bytes(made.secret.read_bytes())
    os.utime(made.a, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _to_a_fifo(made: Made) -> None:
    made.a.unlink()
    os.mkfifo(made.a)


def _to_a_folder(made: Made) -> None:
    made.a.unlink()
    made.a.mkdir()


SWAPS = [
    (_to_a_link, "it is a link, or lies behind one"), (_folder_to_a_link, "it is a link, or lies behind one"),
    (_to_a_link_to_the_same, "it is a link, or lies behind one"), (_to_a_hard_link, "it changed since it was indexed"),
    (_to_other_bytes, "it changed since it was indexed"), (_to_a_fifo, "it is no regular file"),
    (_to_a_folder, "it is no regular file"),
]  # fmt: skip


@posix
@pytest.mark.parametrize("link", ["copy", "hard", "symbolic"])
@pytest.mark.parametrize(("swap", "reason"), SWAPS, ids=[swap.__name__.strip("_") for swap, _ in SWAPS])
def test_nothing_is_exported_of_what_was_put_in_a_photos_place(
    made: Made, run: Run, swap: Callable[[Made], None], reason: str, link: str
) -> None:
    swap(made)
    code, said = run("--link", link)
    assert (code, "1 written, 0 there already, 1 failed" in said) == (1, True), said
    assert f"Failed: {made.a}: {reason}" in said
    assert [file.name for file in made.out.iterdir()] == ["b.bmp"]


@posix
@pytest.mark.parametrize("link", ["copy", "hard", "symbolic"])
def test_another_file_of_the_same_content_is_exported_under_the_name_of_the_one_that_changed(
    made: Made, run: Run, link: str, tiny_space: str
) -> None:
    data = made.a.read_bytes()
    (made.folder / "root" / "zz.bmp").write_bytes(data)
    indexing.add(made.folder / "library", made.folder / "root", tiny_space)
    _to_a_link(made)
    assert run("--link", link)[0] == 0
    assert sorted(file.name for file in made.out.iterdir()) == ["a.bmp", "b.bmp"]
    assert (made.out / "a.bmp").read_bytes() == data


@posix
def test_a_root_whose_links_are_followed_is_exported(made: Made, run: Run, tiny_space: str) -> None:
    data = made.a.read_bytes()
    made.a.parent.rename(made.folder / "elsewhere")
    made.a.parent.symlink_to(made.folder / "elsewhere")
    with sightline.Library(made.folder / "library") as library:
        library.index([made.folder / "root"], space=tiny_space, follow_symlinks=True)
    for link in ("copy", "hard", "symbolic"):
        assert run("--link", link)[0] == 0
    assert {file.read_bytes() == data for file in made.out.glob("a*.bmp")} == {True}
    assert len(list(made.out.iterdir())) == 6, "copies beside hard links beside symbolic ones"


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@posix
@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o277, 0o777])
def test_exports_are_for_their_user_alone_whatever_the_umask(made: Made, run: Run, mask: int) -> None:
    mode = made.a.stat().st_mode
    made.out.mkdir(mode=0o755)
    with umask(mask):
        assert run("--tree")[0] == 0
    assert made.out.stat().st_mode & 0o777 == 0o755, "a folder that was there is left as it is"
    for path in made.out.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert run("--link", "hard")[0] == 0
    assert made.a.stat().st_mode == mode, "a hard link is the user's own file"


@posix
def test_the_folders_around_a_new_folder_are_for_their_user_alone(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(made.folder / "library"))
    with umask(0), pytest.raises(SystemExit) as ended:
        main(["export", "--to", str(made.folder / "x" / "y" / "z"), "--all"])
    assert ended.value.code == 0
    assert {path.stat().st_mode & 0o777 for path in (made.folder / "x").rglob("*") if path.is_dir()} == {0o700}


# -- targets ----------------------------------------------------------------------------------------------------------


def no_links(patch: pytest.MonkeyPatch) -> None:
    """A file system without hard links, as FAT."""

    def refused(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    patch.setattr(os, "link", refused)


def no_links_and_no_renames(patch: pytest.MonkeyPatch) -> None:
    """One that has no rename without replacing either, as some network drives."""
    no_links(patch)

    def missing(*_: Any, **__: Any) -> None:
        raise OSError("no such library")

    patch.setattr(ctypes, "CDLL", missing)


FILE_SYSTEMS = [lambda patch: None, no_links, no_links_and_no_renames]


@posix
@pytest.mark.parametrize("system", FILE_SYSTEMS, ids=["usual", "no hard links", "no renames"])
def test_what_has_a_name_is_never_replaced(
    made: Made, run: Run, system: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made.out.mkdir()
    (made.out / "a.bmp").symlink_to(made.folder / "nowhere")  # leads to nothing
    (made.out / "b.bmp").write_bytes(b"mine")
    (made.out / "a (2).bmp").symlink_to(made.folder / "root" / "b.bmp")
    (made.out / "b (2).bmp").mkdir()
    os.mkfifo(made.out / "a (3).bmp")
    system(monkeypatch)
    os.utime(made.a, ns=(10**18, 10**18))
    for written in ("2 written, 0 there already", "0 written, 2 there already"):
        code, said = run()
        assert (code, written in said) == (0, True), said
    assert not (made.folder / "nowhere").exists()
    assert (made.out / "b.bmp").read_bytes() == b"mine"
    assert (made.out / "a (4).bmp").read_bytes() == made.a.read_bytes()
    assert (made.out / "b (3).bmp").read_bytes() == (made.folder / "root" / "b.bmp").read_bytes()
    assert (made.out / "a (4).bmp").stat().st_mtime_ns == 10**18
    assert (made.out / "a (4).bmp").stat().st_mode & 0o777 == 0o600
    assert len(list(made.out.iterdir())) == 7, "no passing file is left"


@posix
@pytest.mark.parametrize("appears", ["file", "link", "folder"])
@pytest.mark.parametrize("system", FILE_SYSTEMS, ids=["usual", "no hard links", "no renames"])
def test_what_appears_under_a_name_meanwhile_is_never_replaced(
    made: Made, run: Run, system: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, appears: str
) -> None:
    """Another program makes its file when ours is written, before ours gets its name."""
    system(monkeypatch)
    real = os.utime
    taken = made.out / "a.bmp"

    def meanwhile(*arguments: Any, **named: Any) -> None:
        real(*arguments, **named)
        if not os.path.lexists(taken):
            if appears == "file":
                taken.write_bytes(b"theirs")
            elif appears == "link":
                taken.symlink_to(made.folder / "nowhere")
            else:
                taken.mkdir()

    monkeypatch.setattr(os, "supports_fd", {*os.supports_fd, meanwhile})
    monkeypatch.setattr(os, "utime", meanwhile)
    assert run()[0] == 0
    assert (made.out / "a (2).bmp").read_bytes() == made.a.read_bytes()
    if appears == "file":
        assert taken.read_bytes() == b"theirs"
    assert not (made.folder / "nowhere").exists()
    assert sorted(file.name for file in made.out.iterdir()) == ["a (2).bmp", "a.bmp", "b.bmp"]


@posix
def test_what_appears_while_a_hard_link_is_made_is_never_replaced(
    made: Made, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link
    taken = made.out / "a.bmp"

    def meanwhile(*arguments: Any, **named: Any) -> None:
        if not taken.exists():
            taken.write_bytes(b"theirs")
        real(*arguments, **named)

    monkeypatch.setattr(os, "link", meanwhile)
    assert run("--link", "hard")[0] == 0
    assert taken.read_bytes() == b"theirs"
    assert (made.out / "a (2).bmp").samefile(made.a)


@posix
def test_a_photo_swapped_just_before_it_is_hard_linked_is_refused(
    made: Made, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def swapped(source: Any, *arguments: Any, **named: Any) -> None:
        if str(source).endswith("a.bmp") and not made.a.is_symlink():
            _to_a_link(made)
        real(source, *arguments, **named)

    monkeypatch.setattr(os, "link", swapped)
    code, said = run("--link", "hard")
    assert code == 1
    assert f"Failed: {made.a}: another file was put in its place" in said
    assert [file.name for file in made.out.iterdir()] == ["b.bmp"]


@posix
@pytest.mark.parametrize("system", FILE_SYSTEMS, ids=["usual", "no hard links", "no renames"])
def test_a_photo_changed_while_it_is_copied_is_no_file_of_the_export(
    made: Made, run: Run, system: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    system(monkeypatch)
    real = os.write

    def changing(descriptor: int, data: Any) -> int:
        if made.a.read_bytes() != made.secret.read_bytes():
            made.a.write_bytes(made.secret.read_bytes())
        return real(descriptor, data)

    # Written in parts, and changed after the first of them.
    large = made.a.read_bytes() + bytes(3_000_000)
    made.a.write_bytes(large)
    made.secret.write_bytes(made.secret.read_bytes() + b"\1" * 3_000_000)
    with sightline.Library(made.folder / "library") as library:
        library.index([made.folder / "root"])
    monkeypatch.setattr(os, "write", changing)
    code, said = run()
    assert (code, "1 written, 0 there already, 1 failed" in said) == (1, True), said
    assert [file.name for file in made.out.iterdir()] == ["b.bmp"]


@posix
def test_a_link_that_leads_to_another_folder_of_the_export_is_followed_and_no_other(made: Made, run: Run) -> None:
    (made.out / "root").mkdir(parents=True)
    (made.out / "inside").mkdir()
    (made.out / "root" / "sea").symlink_to(made.out / "inside")
    assert run("--tree")[0] == 0
    assert (made.out / "inside" / "a.bmp").read_bytes() == made.a.read_bytes()
    (made.out / "root" / "sea").unlink()
    (made.out / "root" / "sea").symlink_to(made.secret.parent)
    code, said = run("--tree")
    assert code == 1
    assert "sea is a link that leads out of the folder" in said
    assert [file.name for file in made.secret.parent.iterdir()] == ["a.bmp"]


@posix
@pytest.mark.skipif(sys.platform != "linux", reason="the others have no such device")
def test_a_full_disk_leaves_no_part_of_a_file(made: Made, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    code, said = run()
    assert (code, "No space left on device" in said) == (1, True)
    assert list(made.out.iterdir()) == []
