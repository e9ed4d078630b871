"""Backups: one file of a library that is in use, and a library from it, elsewhere or in its old place."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, Index, as_nobody

import sightline
from indexer.commands import run
from store.library import Library
from store.lock import locked
from store.tables.migrations import VERSION


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


Call = Callable[..., Done]


@pytest.fixture
def call(library: Path, capfd: pytest.CaptureFixture[str]) -> Call:
    """The indexer's command line, on the test's library unless told otherwise."""

    def command(*arguments: str | Path, code: int = 0) -> Done:
        given = [str(argument) for argument in arguments]
        given += [] if "--library" in given else ["--library", str(library)]
        capfd.readouterr()
        done = Done(run(given), *capfd.readouterr())
        assert done.code == code, done.err
        assert "Traceback" not in done.err
        return done

    return command


@pytest.fixture
def filled(index: Index, photos: Path, library: Path) -> Path:
    """The library of 24 pictures, with one that failed, a tag, a favourite and a saved search."""
    (photos / "no.jpg").write_bytes(b"a sentence")
    assert index(photos).code == 1
    with sightline.Library(library) as opened:
        ids = [picture["id"] for picture in opened.photos()]
        opened.tag(ids[:3], "boat")
        opened.favourite(ids[4])
    with Library.open(library) as store:
        store.marks.save_search("boats", "tag:boat")
    return library


def facts(library: Path) -> dict[str, Any]:
    """What a library answers: pictures, marks, failures, and hits of a text."""
    with sightline.Library(library, offline=True) as opened:
        said: dict[str, Any] = {
            "photos": [dict(photo) for photo in opened.photos()],
            "hits": [(hit["id"], hit["score"]) for hit in opened.search("a boat", limit=24)],
            "tags": [dict(tag) for tag in opened.tags()],
        }
    with Library.open(library) as store:
        said["failures"] = [(row.path, row.reason) for row in store.catalog.failures()]
        said["marks"] = store.marks.export()
    said["marks"].pop("exported_at", None)
    return said


def test_a_restored_library_answers_as_the_one_that_was_backed_up(call: Call, filled: Path, tmp_path: Path) -> None:
    before = facts(filled)
    assert before["hits"] and before["tags"] and before["failures"]
    call("backup", tmp_path / "a.backup")
    restored = tmp_path / "elsewhere" / "library"
    call("restore", tmp_path / "a.backup", "--library", restored)
    assert facts(restored) == before
    with sightline.Library(restored) as opened:  # made again from the photo
        assert opened.thumbnail(1).startswith(b"\xff\xd8")
    call("verify", "--library", restored)


def test_thumbnails_go_along_if_asked(call: Call, filled: Path, photos: Path, tmp_path: Path) -> None:
    assert call("backup", tmp_path / "a.backup", "--thumbnails", "--json").record["thumbnails"] == 24
    shutil.rmtree(photos)
    call("restore", tmp_path / "a.backup", "--library", tmp_path / "b")
    with sightline.Library(filled) as old, sightline.Library(tmp_path / "b") as new:
        assert all(new.thumbnail(id_) == old.thumbnail(id_) for id_ in (1, 12, 24))


@pytest.mark.skipif(shutil.which("tar") is None, reason="there is no tar")
def test_any_tar_unpacks_a_backup_and_the_sums_are_right(call: Call, filled: Path, tmp_path: Path) -> None:
    call("backup", tmp_path / "a.backup", "--thumbnails")
    subprocess.run(["tar", "xf", tmp_path / "a.backup", "-C", tmp_path], check=True)
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert len(lines) == 2 + 24
    for line in lines:
        digest, name = line.split("  ")
        assert sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    told = json.loads((tmp_path / "manifest.json").read_text())
    assert told["layout"] == VERSION and told["counts"]["pictures"] == 24 and told["counts"]["tags"] == 1


def test_a_backup_is_of_one_moment_though_others_commit_all_the_time(call: Call, filled: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(filled / "library.sqlite")) as connection, connection:
        # So that a copy takes many steps, between which is time for many commits.
        connection.execute("INSERT INTO sets (name, ids, made_at) VALUES ('large', randomblob(60000000), '')")
        connection.execute("CREATE TABLE pair (one INTEGER)")
        connection.execute("INSERT INTO pair VALUES (0)")
        connection.execute("CREATE TABLE other_pair (other INTEGER)")
        connection.execute("INSERT INTO other_pair VALUES (0)")
    writer = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
print("ready", flush=True)
number = 0
while True:
    number += 1
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE pair SET one = ?", (number,))
    connection.execute("UPDATE library SET generation = generation + 1")
    connection.execute("UPDATE other_pair SET other = ?", (number,))
    connection.execute("COMMIT")
    print(number, flush=True)
"""
    log = tmp_path / "numbers"
    with log.open("w") as numbers, subprocess.Popen(
        [sys.executable, "-c", writer, str(filled / "library.sqlite")], stdout=numbers
    ) as process:  # fmt: skip
        try:
            while "3\n" not in log.read_text():
                assert process.poll() is None
            first = int(log.read_text().split()[-1])
            call("backup", tmp_path / "a.backup")
            last = int(log.read_text().split()[-1])
        finally:
            process.kill()
    assert last > first + 20  # the writer was not kept waiting
    call("restore", tmp_path / "a.backup", "--library", tmp_path / "b")
    with closing(sqlite3.connect(tmp_path / "b" / "library.sqlite")) as connection:
        one = connection.execute("SELECT one FROM pair").fetchone()[0]
        other = connection.execute("SELECT other FROM other_pair").fetchone()[0]
    assert one == other and first <= one <= last


def test_only_the_owner_may_read_a_backup_and_what_is_made_of_it(call: Call, filled: Path, tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        call("backup", tmp_path / "a.backup", "--thumbnails")
        call("restore", tmp_path / "a.backup", "--library", tmp_path / "b")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "a.backup").stat().st_mode) == 0o600
    for path in [tmp_path / "b", *(tmp_path / "b").glob("*")]:
        if path.name != "indexer.lock":
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.parametrize("name", ["library.sqlite", "library.sqlite-wal", "a.backup", "vectors/a.backup"])
def test_a_backup_never_goes_into_its_own_library(call: Call, filled: Path, name: str) -> None:
    before = facts(filled)
    assert "in the library itself" in call("backup", filled / name, "--replace", code=2).err
    assert facts(filled) == before


def test_nothing_is_overwritten_or_left_where_a_backup_can_not_be_made(
    call: Call, filled: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "a.backup"
    assert "There is no folder" in call("backup", target, code=2).err
    target.parent.mkdir()
    assert "is a folder" in call("backup", target.parent, code=2).err
    target.write_text("mine")
    assert "--replace" in call("backup", target, code=2).err
    assert "There is no library" in call("backup", target, "--replace", "--library", tmp_path / "none", code=2).err
    assert "is no backup" in call("backup", target, "--replace", code=2).err
    assert target.read_text() == "mine"
    target.write_text("")
    call("backup", target, "--replace")
    whole = target.read_bytes()
    with (filled / "library.sqlite").open("r+b") as file:  # of a page in the middle
        file.seek(16_384 * 5)
        file.write(os.urandom(16_384))
    assert "damaged" in call("backup", target, "--replace", code=2).err
    assert target.read_bytes() == whole
    assert [path.name for path in target.parent.iterdir()] == ["a.backup"]


def test_a_library_that_may_not_be_written_is_backed_up(call: Call, filled: Path, public_tmp: Path) -> None:
    shutil.copytree(filled, public_tmp / "library")
    for path in [public_tmp / "library", *(public_tmp / "library").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    (public_tmp / "out").mkdir()
    (public_tmp / "out").chmod(0o777)
    try:
        with as_nobody():
            call("backup", public_tmp / "out" / "a.backup", "--library", public_tmp / "library")
    finally:
        (public_tmp / "library").chmod(0o755)
    call("restore", public_tmp / "out" / "a.backup", "--library", public_tmp / "b")


def test_a_damaged_backup_is_refused_and_nothing_is_put_in_place(call: Call, filled: Path, tmp_path: Path) -> None:
    call("backup", tmp_path / "a.backup", "--thumbnails")
    whole = (tmp_path / "a.backup").read_bytes()
    end = whole.rindex(b"library.sqlite\n")  # in the sums
    places = [0, 600, 1100, 1600, *range(2000, end, end // 40), end]
    for damaged in (
        *(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :] for at in places),
        *(whole[:at] for at in (0, 100, 512, 1024, 5000, len(whole) // 2, end)),
        b"not a backup at all" * 1000,
    ):
        (tmp_path / "b.backup").write_bytes(damaged)
        said = call("restore", tmp_path / "b.backup", "--library", tmp_path / "b", code=2).err
        assert "damaged" in said and "Nothing was restored" in said
        assert not (tmp_path / "b").exists()
        call("restore", tmp_path / "b.backup", "--dry-run", code=2)
    assert "There is no backup" in call("restore", tmp_path / "none", "--library", tmp_path / "b", code=2).err
    assert "is no file" in call("restore", tmp_path, "--library", tmp_path / "b", code=2).err


def repacked(backup: Path, target: Path, change: Callable[[dict[str, bytes]], None], odd: str = "") -> Path:
    """A backup with other members, and sums that are right for them."""
    with tarfile.open(backup) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    members.pop("SHA256SUMS")
    change(members)
    sums = "".join(f"{sha256(data).hexdigest()}  {name}\n" for name, data in members.items())
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in (*members.items(), ("SHA256SUMS", sums.encode())):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            if name == odd:
                member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc", 0
            tar.addfile(member, io.BytesIO(data))
    return target


@pytest.mark.parametrize(
    "name",
    [
        "../outside.jpg", "/outside.jpg", "thumbnails/../../outside.jpg", "thumbnails/00/../../../outside.jpg",
        "library.sqlite", "library.sqlite-wal", "thumbnails/ab/" + "cd" * 32 + ".jpg", "thumbnails/AB/x.jpg",
        "indexer.lock", "C:/outside.jpg", "thumbnails\\ab\\x.jpg", "thumbnails/zz.jpg\0.jpg",
    ],
)  # fmt: skip
def test_names_that_no_backup_has_are_refused(call: Call, filled: Path, tmp_path: Path, name: str) -> None:
    call("backup", tmp_path / "a.backup")
    with tarfile.open(tmp_path / "a.backup") as tar:
        sizes = {member.name: member.size for member in tar}
    assert list(sizes) == ["manifest.json", "library.sqlite", "SHA256SUMS"]
    inner = tmp_path / "in" / "side"
    inner.mkdir(parents=True)
    with tarfile.open(tmp_path / "a.backup") as tar, tarfile.open(tmp_path / "b.backup", "w") as other:
        for member in tar:
            if member.name == "SHA256SUMS":
                added = tarfile.TarInfo(name)
                added.size = 3
                other.addfile(added, io.BytesIO(b"abc"))
            other.addfile(member, tar.extractfile(member))
    said = call("restore", tmp_path / "b.backup", "--library", inner / "library", code=2).err
    assert "damaged" in said
    assert not list((tmp_path / "in").rglob("*.jpg")) and not list(inner.iterdir())


def test_a_link_in_a_backup_is_refused(call: Call, filled: Path, tmp_path: Path) -> None:
    call("backup", tmp_path / "a.backup")
    odd = repacked(tmp_path / "a.backup", tmp_path / "b.backup", lambda members: None, odd="library.sqlite")
    assert "damaged" in call("restore", odd, "--library", tmp_path / "b", code=2).err
    assert not (tmp_path / "b").exists()


def changed_database(members: dict[str, bytes], folder: Path, statement: str) -> None:
    path = folder / "changed.sqlite"
    path.write_bytes(members["library.sqlite"])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
    members["library.sqlite"] = path.read_bytes()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (f"PRAGMA user_version = {VERSION + 1}", f"its layout is {VERSION + 1}"),
        ("CREATE TRIGGER extra AFTER INSERT ON tags BEGIN DELETE FROM photos; END", "the trigger extra"),
        ("CREATE VIEW extra AS SELECT * FROM photos", "the view extra"),
        ("UPDATE photos SET content_id = 99999 WHERE id = 3", "refers to nothing"),
    ],
)
def test_a_database_that_no_library_has_is_refused(
    call: Call, filled: Path, tmp_path: Path, statement: str, said: str
) -> None:
    call("backup", tmp_path / "a.backup")
    other = repacked(
        tmp_path / "a.backup", tmp_path / "b.backup", lambda members: changed_database(members, tmp_path, statement)
    )
    error = call("restore", other, "--library", tmp_path / "b", code=2).err
    assert said in error or "newer" in error or "layout version" in error
    assert not (tmp_path / "b").exists()


def test_a_backup_of_a_newer_program_is_refused_in_words(call: Call, filled: Path, tmp_path: Path) -> None:
    call("backup", tmp_path / "a.backup")

    def newer(members: dict[str, bytes]) -> None:
        told = json.loads(members["manifest.json"])
        members["manifest.json"] = json.dumps({**told, "layout": VERSION + 1}).encode()
        changed_database(members, tmp_path, f"PRAGMA user_version = {VERSION + 1}")

    other = repacked(tmp_path / "a.backup", tmp_path / "b.backup", newer)
    for extra in ((), ("--dry-run",)):
        said = call("restore", other, "--library", tmp_path / "b", *extra, code=2).err
        assert f"layout version {VERSION + 1}" in said and "Update Sightline" in said
    assert not (tmp_path / "b").exists()


def test_a_library_is_only_replaced_if_asked_and_is_kept(call: Call, filled: Path, tmp_path: Path) -> None:
    before = facts(filled)
    call("backup", tmp_path / "a.backup")
    with sightline.Library(filled) as opened:
        opened.tag(1, "later")
    later = facts(filled)
    assert "--replace" in call("restore", tmp_path / "a.backup", code=2).err
    assert facts(filled) == later
    aside = Path(call("restore", tmp_path / "a.backup", "--replace", "--json").record["aside"])
    assert facts(filled) == before
    assert facts(aside) == later
    second = Path(call("restore", tmp_path / "a.backup", "--replace", "--json").record["aside"])
    assert second != aside and facts(aside) == later


def test_a_library_that_is_open_elsewhere_is_not_replaced(call: Call, filled: Path, tmp_path: Path) -> None:
    call("backup", tmp_path / "a.backup")
    before = facts(filled)
    with sightline.Library(filled) as opened:
        opened.photos()
        assert "open" in call("restore", tmp_path / "a.backup", "--replace", code=75).err
        opened.tag(1, "still here")
    assert [tag["name"] for tag in facts(filled)["tags"]] == ["boat", "still here"]
    call("restore", tmp_path / "a.backup", "--replace")
    assert facts(filled) == before


def test_a_damaged_library_is_replaced_and_kept_as_it_is(call: Call, filled: Path, tmp_path: Path) -> None:
    before = facts(filled)
    call("backup", tmp_path / "a.backup")
    (filled / "library.sqlite").write_bytes(b"no database" * 1000)
    aside = Path(call("restore", tmp_path / "a.backup", "--replace", "--json").record["aside"])
    assert facts(filled) == before
    assert (aside / "library.sqlite").read_bytes() == b"no database" * 1000


def test_a_folder_with_something_else_is_left_alone(call: Call, filled: Path, tmp_path: Path) -> None:
    call("backup", tmp_path / "a.backup")
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter.txt").write_text("dear")
    for extra in ((), ("--replace",)):
        assert "letter.txt" in call("restore", tmp_path / "a.backup", "--library", home, *extra, code=2).err
    assert [path.name for path in home.iterdir()] == ["letter.txt"]
    (home / "letter.txt").unlink()
    call("restore", tmp_path / "a.backup", "--library", home)
    assert facts(home) == facts(filled)


def test_a_backup_or_restore_that_was_killed_can_be_done_again(call: Call, filled: Path, tmp_path: Path) -> None:
    before = facts(filled)
    with closing(sqlite3.connect(filled / "library.sqlite")) as connection, connection:
        connection.execute("INSERT INTO sets (name, ids, made_at) VALUES ('large', randomblob(60000000), '')")
    call("backup", tmp_path / "a.backup")
    whole = (tmp_path / "a.backup").read_bytes()
    place = tmp_path / "b"
    for moment in ("copying", "writing", "checking"):
        assert killed_at(moment, "backup", tmp_path / "a.backup", "--replace", "--library", filled) == -9
        assert (tmp_path / "a.backup").read_bytes() == whole
    for fraction in (0.1, 0.5, 0.9):
        assert killed_at("reading", "restore", tmp_path / "a.backup", "--library", place, fraction=fraction) == -9
        assert not (place / "library.sqlite").exists()
    call("restore", tmp_path / "a.backup", "--library", place)
    assert facts(place) == before
    assert not list(place.glob("restoring-*"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_what_is_told_to_end_leaves_nothing_half_done(call: Call, filled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    call("backup", tmp_path / "a.backup", "--thumbnails")
    for number, code in ((15, 143), (2, 130)):
        for moment in ("copying", "writing", "checking"):
            backup = ("backup", out / "b.backup", "--library", filled)
            assert killed_at(moment, *backup, number=number) == code
            assert not list(out.iterdir())
        restore = ("restore", tmp_path / "a.backup", "--library", out / "library")
        assert killed_at("reading", *restore, number=number) == code
        assert not list(out.iterdir())


def test_an_indexer_at_work_keeps_a_restore_and_a_move_away_but_no_backup(
    call: Call, filled: Path, photos: Path, tmp_path: Path
) -> None:
    with locked(filled):
        call("backup", tmp_path / "a.backup")
        call("restore", tmp_path / "a.backup", "--replace", code=75)
        call("move-root", photos, tmp_path, "--yes", code=75)


def test_other_files_beside_a_library_stay_where_they_are(call: Call, filled: Path, tmp_path: Path) -> None:
    call("backup", tmp_path / "a.backup")
    (filled / "mine.jpg").write_bytes(b"mine")
    (filled / "marks-before-2020-01-01.json").write_text("{}")
    aside = Path(call("restore", tmp_path / "a.backup", "--replace", "--json").record["aside"])
    assert (filled / "mine.jpg").read_bytes() == b"mine" and (filled / "marks-before-2020-01-01.json").exists()
    assert {path.name for path in aside.iterdir()} >= {"library.sqlite", "thumbnails", "vectors"}


def killed_at(moment: str, *arguments: str | Path, fraction: float = 0.5, number: int = 9) -> int:
    """Run a command as a process that gets a signal at a moment of its progress; returns how it ended."""
    dying = f"""
import os, sys
import indexer.backup_commands as commands
from contextlib import contextmanager
@contextmanager
def progress():
    def show(step, done, total):
        if step == {moment!r} and done >= {fraction} * total:
            os.kill(os.getpid(), {number})
    yield show
commands._progress = progress
from indexer.commands import run
sys.exit(run(sys.argv[1:]))
"""
    return subprocess.run([sys.executable, "-c", dying, *map(str, arguments)], cwd=ROOT, check=False).returncode


@pytest.mark.skipif(sys.platform != "linux", reason="needs a small disk of its own")
def test_a_full_disk_is_named_and_nothing_is_left_on_it(filled: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    script = f"""
mount -t tmpfs -o size=1500k none {small} || exit 77
{sys.executable} -m indexer backup {small}/a.backup --library {filled}; echo "code $?"; ls -A {small}
{sys.executable} -m indexer backup {tmp_path}/a.backup --library {filled}; echo "code $?"
{sys.executable} -m indexer restore {tmp_path}/a.backup --library {small}/lib; echo "code $?"; ls -A {small}
"""
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no disk can be mounted here")
    assert "is full" in done.stderr and "Make room" in done.stderr, done.stderr
    assert done.stdout.splitlines()[:2] == ["code 2", "code 0"], done.stdout + done.stderr
