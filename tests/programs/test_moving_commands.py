"""The command that copies a whole library, beside the one of the same name that copies pictures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import postgres
import pytest
from support import ROOT, Index

from indexer.commands import run
from sightline_cli.calls import is_of_library
from store.library import Library
from store.moving import Copied
from store.remote import folder_of, remote_of

Printed = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Working folders of libraries on servers go into the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def address() -> Iterator[str]:
    with postgres.database() as made:
        yield made


@pytest.fixture
def indexed(photos: Path, index: Index, library: Path) -> Path:
    index(photos)
    with Library.open(library) as opened:
        opened.marks.change([1, 2], add=["boat"])
    return library


def test_a_library_goes_to_a_server_and_back(
    indexed: Path, address: str, tmp_path: Path, capfd: Printed, photos: Path
) -> None:
    assert run(["export", "--to", address, "--library", str(indexed)]) == 0
    assert re.search(r"Copied \d+ rows and \d+ thumbnails .* Both are equal", capfd.readouterr().err)
    assert run(["verify", "--library", address]) == 0
    capfd.readouterr()
    assert run(["status", "--json", "--library", address]) == 0
    there = json.loads(capfd.readouterr().out)
    assert run(["status", "--json", "--library", str(indexed)]) == 0
    here = json.loads(capfd.readouterr().out)
    assert there["photos"] == here["photos"] and there["roots"] == here["roots"]
    back = tmp_path / "back"
    assert run(["export", "--from", address, "--library", str(back), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["copied"] == told["rows"] and told["to"] == str(back) and told["from"] == address
    assert run(["verify", "--library", str(back)]) == 0
    capfd.readouterr()
    assert run([str(photos), "--library", str(back), "--json"]) in (0, 1)
    assert json.loads(capfd.readouterr().out)["encoded"] == 0, "what was indexed there is known here"


def test_another_library_keeps_its_services(indexed: Path, address: str, tmp_path: Path, capfd: Printed) -> None:
    assert run(["export", "--to", address, "--library", str(indexed), "--thumbnails", "memory://mine"]) == 0
    folder = folder_of(address)
    with Library(folder, readonly=False) as opened, opened.catalog.engine.execution_options(write=True).begin() as one:
        one.exec_driver_sql("UPDATE library SET created_at = 'before'")
    capfd.readouterr()
    assert run(["export", "--to", address, "--library", str(indexed), "--thumbnails", "memory://other"]) == 2
    assert "has another library already. Nothing was changed" in capfd.readouterr().err
    assert remote_of(folder).thumbnails == "memory://mine"


def test_what_can_not_be_copied_is_said(indexed: Path, tmp_path: Path, capfd: Printed) -> None:
    for arguments, said in (
        (["export"], "by --to, or where from, by --from"),
        (["export", "--to", "a", "--from", "b"], "by --to, or where from, by --from"),
        (["export", "--to", "s3://bucket/x"], "s3://bucket/x is not the address of a library"),
        (["export", "--to", str(tmp_path / "new"), "--library", str(tmp_path / "none")], "There is no library in"),
        (["export", "--to", str(indexed), "--library", str(indexed)], "can't be copied onto itself"),
        (["export", "boat", "--to", "out"], "To copy pictures: python -m search_ui export boat --to out"),
    ):
        assert run(arguments) == 2
        assert said in capfd.readouterr().err
    assert not (tmp_path / "new" / "library.sqlite").exists()


def test_what_goes_wrong_with_a_server_names_no_password(indexed: Path, capfd: Printed) -> None:
    url = "postgresql://user:geheim@127.0.0.1:1/db"
    assert run(["export", "--to", url, "--library", str(indexed)]) == 2
    said = capfd.readouterr()
    assert "geheim" not in said.err + said.out and "postgresql://user@127.0.0.1:1/db" in said.err
    assert "geheim" not in repr(remote_of(folder_of(url))) + repr(Copied(1, 1, 1, False, 0))


@pytest.mark.parametrize(
    ("words", "of_library"),
    [
        (["--to", "postgresql://db/photos"], True),
        (["--json", "--to=postgresql://db/photos"], True),
        (["--from", "old"], True),
        (["--from=postgresql://db/photos", "--library", "new"], True),
        (["boat", "--to", "out"], False),
        (["boat", "--to", "C:\\out"], False),
        (["--to", "./out", "--all"], False),
        (["--to"], False),
        (["--help"], False),
        ([], False),
    ],
)
def test_options_tell_whether_pictures_are_copied_or_the_library(words: list[str], of_library: bool) -> None:
    assert is_of_library(words) == of_library


def sightline(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sightline_cli", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_one_command_has_both(indexed: Path, address: str, tmp_path: Path) -> None:
    done = sightline("--library", indexed, "export", "--to", address)
    assert done.returncode == 0 and "Both are equal" in done.stderr
    done = sightline("export", "--from", address, "--library", tmp_path / "back")
    assert done.returncode == 0 and "Both are equal" in done.stderr
    done = sightline("export", "tag:boat", "--to", tmp_path / "out", "--library", tmp_path / "back")
    assert done.returncode == 0 and "2 written" in done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert "the pictures that suit TEXT" in sightline("export", "--help").stdout
    assert "Copy the library to a PostgreSQL" in sightline("export", "--from", "x", "--help").stdout


def test_a_folder_of_pictures_is_no_database(indexed: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "search_ui",
        "export",
        "boat",
        "--to",
        "postgresql://db/x",
        "--library",
        str(indexed),
    ]
    done = subprocess.run(command, cwd=tmp_path, env=None, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "python -m indexer export --to postgresql://" in done.stderr
    assert not (tmp_path / "postgresql:").exists()
