"""Libraries named by addresses: which services they use is kept, passwords are not shown, wrong ones are refused."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sightline_cli.library_options import library_options
from store.errors import LibraryError
from store.remote import (
    EDGE,
    FILE,
    Remote,
    checked_database,
    checked_vectors,
    folder_of,
    has_library,
    is_address,
    remote_of,
    shown,
    truth_file,
    write,
)

SECRET = "s3cret-word"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("given", "is_one"),
    [
        ("postgresql://db/photos", True), ("s3://bucket/x", True), ("s3:/bucket/x", True), ("file:///x", True),
        ("/photos", False), ("photos", False), ("./a:b", False), ("C", False), ("a b://c", False),
    ],
)  # fmt: skip
def test_addresses_are_told_from_paths(given: str, is_one: bool) -> None:
    assert is_address(given) is is_one
    assert is_address(Path(given)) is is_one


def test_a_folder_without_services_is_local(tmp_path: Path) -> None:
    assert remote_of(tmp_path) == Remote()
    assert Remote().is_local
    assert not has_library(tmp_path)
    assert shown(tmp_path) == str(tmp_path)
    assert folder_of(tmp_path / "x") == tmp_path / "x"
    assert not (tmp_path / "x").exists()


def test_passwords_are_kept_for_the_owner_alone_and_never_shown() -> None:
    folder = folder_of(
        f"postgresql://ann:{SECRET}@db:5433/photos?sslmode=require&password={SECRET}",
        f"http://key:{SECRET}@qdrant:6333",
        f"s3://bucket/x?secret={SECRET}",
    )
    kept = remote_of(folder)
    assert kept.database is not None
    assert SECRET in kept.database
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o077 == 0
    for text in (repr(kept), str(kept), shown(folder), str(folder)):
        assert SECRET not in text
    assert shown(folder).startswith("postgresql://ann@db:5433/photos")
    assert has_library(folder)
    assert truth_file(folder) == folder / FILE


def test_what_is_not_given_stays_as_it_was() -> None:
    address = f"postgresql://ann:{SECRET}@db/photos"
    folder = folder_of(address, EDGE, "s3://bucket/small")
    assert folder_of(address) == folder
    assert remote_of(folder) == Remote(address, EDGE, "s3://bucket/small")
    assert folder_of(address, "local") == folder
    assert remote_of(folder) == Remote(address, None, "s3://bucket/small")
    # As messages name it, without the password: that stays, too.
    assert folder_of(shown(folder)) == folder
    assert remote_of(folder).database == address
    assert folder_of(folder) == folder
    assert remote_of(folder).database == address


def test_a_folder_of_sqlite_keeps_its_vector_service_and_lets_go_of_it(tmp_path: Path) -> None:
    assert folder_of(tmp_path, EDGE) == tmp_path
    assert remote_of(tmp_path) == Remote(vectors=EDGE)
    assert shown(tmp_path) == str(tmp_path)
    folder_of(tmp_path, "local")
    assert not (tmp_path / FILE).exists()


def test_the_folder_is_the_same_whatever_user_and_password() -> None:
    given = ("db/photos", "ann@db/photos", f"ann:{SECRET}@db/photos", "bob:x@DB/photos")
    assert len({folder_of(f"postgresql://{each}") for each in given}) == 1
    assert folder_of("postgres://db/photos") == folder_of("postgresql+psycopg://db/photos")
    others = ("db/other", "db:5433/photos", "other/photos", "/photos?host=/run/a", "/photos?host=/run/b")
    assert len({folder_of(f"postgresql://{each}") for each in ("db/photos", *others)}) == 1 + len(others)


@pytest.mark.parametrize(
    "address",
    [f"mysql://ann:{SECRET}@db/photos", f"postgresql://ann:{SECRET}@db", f"postgresql://ann:{SECRET}@db/",
     f"http://ann:{SECRET}@db/photos", f"s3:/{SECRET[:0]}bucket"],
)  # fmt: skip
def test_what_is_no_database_is_refused_with_the_way_out(address: str) -> None:
    with pytest.raises(LibraryError, match=r"is not the address of a library.*postgresql://USER@HOST/DATABASE") as said:
        checked_database(address)
    assert SECRET not in str(said.value)


@pytest.mark.parametrize("address", ["qdrant:6333", "", "ftp://x", "http://", f"ftp://ann:{SECRET}@x", "Edge"])
def test_what_is_no_vector_service_is_refused_with_the_way_out(address: str) -> None:
    with pytest.raises(LibraryError, match=r"is not the address of a vector service.*`edge`.*`local`") as said:
        checked_vectors(address)
    assert SECRET not in str(said.value)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"database": 7, "vectors": null, "thumbnails": null}', b'{"database": null}',
                b"[" * 5000, b"\xff"],
)  # fmt: skip
def test_a_damaged_note_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(LibraryError, match=r"remote\.json can't be read.*--library and --vectors"):
        remote_of(tmp_path)


def test_a_note_of_nothing_is_not_kept(tmp_path: Path) -> None:
    write(tmp_path / "x", Remote(vectors=EDGE))
    write(tmp_path / "x", Remote())
    assert not (tmp_path / "x" / FILE).exists()


@click.command
@library_options(lambda context, parameter, folder: folder, default=None, help="The library.")
def where(library_path: Path | None) -> None:
    """Say which folder was meant."""
    click.echo(library_path)


def test_the_options_of_every_command_name_a_folder(tmp_path: Path) -> None:
    call = CliRunner().invoke
    assert call(where, []).output == "\n"
    assert call(where, ["--library", str(tmp_path)]).output == f"{tmp_path}\n"
    address = f"postgresql://ann:{SECRET}@db/photos"
    for given in (["--library", address, "--vectors", "edge"], ["--vectors", "edge", "--library", address]):
        answer = call(where, given)
        folder = Path(answer.output.strip())
        assert SECRET not in answer.output
        assert json.loads((folder / FILE).read_text()) == {"database": address, "vectors": "edge", "thumbnails": None}
    refused = call(where, ["--library", f"mysql://ann:{SECRET}@db/photos"])
    assert isinstance(refused.exception, LibraryError)
    assert SECRET not in str(refused.exception)
    file = tmp_path / "a-file"
    file.touch()
    assert "is a file, not a folder" in call(where, ["--library", str(file)]).output


def test_the_default_library_can_be_an_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "mine"))
    answer = CliRunner().invoke(where, ["--vectors", "edge"])
    assert answer.output == f"{tmp_path / 'mine'}\n"
    assert remote_of(tmp_path / "mine") == Remote(vectors=EDGE)
