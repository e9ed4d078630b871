"""Pictures of an object store are shown, given out, exported and checked as files are: only what was indexed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import indexing
import pytest
import serving
from object_store import Bucket
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from indexer.commands import run
from search_ui.runtime.file_manager import FileManagerError, show_folder_of_photo
from search_ui.runtime.folder_input import FolderError, folder, presences
from search_ui.runtime.services import services
from search_ui.runtime.zip_registry import zip_registry
from search_ui.server import asgi
from search_ui.server.gate import Gate
from search_ui.server.zip_routes import NOT_INCLUDED
from sightline.media.crop import crop
from sightline.media.export import export
from sightline.query.types import QueryError
from store.library import Library

APP = Starlette(middleware=asgi.middleware(gate=Gate(None)))
SIDE = 400


def picture(colour: str) -> bytes:
    """A picture that no other test has."""
    buffer = io.BytesIO()
    Image.new("RGB", (SIDE, 300), colour).save(buffer, "PNG")
    return buffer.getvalue() + os.urandom(8)


@dataclass
class Own:
    """A library of one photo in a bucket, trips/boat.png."""

    library: Path
    bucket: Bucket
    data: bytes
    id: int

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.data).digest()


@pytest.fixture
def own(bucket: Bucket, tmp_path: Path, tiny_space: str, monkeypatch: pytest.MonkeyPatch) -> Own:
    made = Own(tmp_path / "library", bucket, picture("teal"), 0)
    bucket.put("trips/boat.png", made.data)
    assert run([bucket.address, "--library", str(made.library), "--space", tiny_space, "--quiet"]) == 0
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(made.library))
    (made.id, _) = services().library().catalog.content_by_hash(made.hash) or (0, None)
    return made


@pytest.fixture
def client(own: Own) -> TestClient:
    base = "http://127.0.0.1:8501"
    return TestClient(APP, base_url=base, headers=serving.header(), raise_server_exceptions=False)


def answers(client: TestClient, own: Own) -> Mapping[str, bytes | None]:
    """What each way out gives of the photo, made anew; None where it gives nothing."""
    library = services().library()
    found: dict[str, bytes | None] = {}
    library.forget_pictures([own.hash])
    for name, path, headers in (
        ("original", f"/original/{own.id}", {}),
        ("range", f"/original/{own.id}", {"Range": "bytes=10-59"}),
        ("thumbnail", f"/thumb/{own.hash.hex()}.jpg", {}),
        ("preview", f"/preview/{own.hash.hex()}.jpg", {}),
        ("tile", f"/tile/{own.hash.hex()}/1/0-0.jpg", {}),
    ):
        answer = client.get(path, headers=headers)
        assert answer.status_code in (200, 206, 404), answer.text
        found[name] = answer.content if answer.status_code < 300 else None
    with zipfile.ZipFile(io.BytesIO(client.get(zip_registry().offer(library, [own.id])).content)) as bundle:
        found["zip"] = bundle.read("boat.png") if "boat.png" in bundle.namelist() else None
        assert (found["zip"] is None) == (NOT_INCLUDED in bundle.namelist())
    library.forget_pictures([own.hash])
    try:
        found["crop"] = crop(library, own.id, (0.0, 0.0, 1.0, 1.0))
    except QueryError:
        found["crop"] = None
    return found


def test_all_ways_out_give_the_object_that_was_indexed(client: TestClient, own: Own) -> None:
    found = answers(client, own)
    assert (found["original"], found["range"], found["zip"]) == (own.data, own.data[10:60], own.data)
    for name in ("thumbnail", "preview", "tile", "crop"):
        data = found[name]
        assert data is not None, name
        assert Image.open(io.BytesIO(data)).size == (SIDE, 300), name


@pytest.mark.parametrize("swap", ["other bytes", "nothing", "no bucket"])
def test_nothing_leaves_of_what_was_put_in_an_objects_place(client: TestClient, own: Own, swap: str) -> None:
    if swap == "other bytes":
        own.bucket.put("trips/boat.png", own.data[:-8] + os.urandom(8))
    else:
        own.bucket.remove("trips/boat.png")
    if swap == "no bucket":
        own.bucket.client.delete_bucket(Bucket=own.bucket.name)
    assert set(answers(client, own).values()) == {None}


def test_objects_are_exported_as_copies_with_their_times_and_not_as_links(own: Own, tmp_path: Path) -> None:
    library = services().library()
    photos = list(library.catalog.photos([own.id]).values())
    (made,) = export(library, photos, tmp_path / "out", tree=True)
    assert (made.outcome, made.target) == ("written", tmp_path / "out" / "photos" / "trips" / "boat.png")
    assert made.target.read_bytes() == own.data
    with Library.open(own.library) as opened:
        (place,) = opened.catalog.photos_of([own.id])
    assert made.target.stat().st_mtime_ns // 10**9 == place.mtime_ns // 10**9
    (again,) = export(library, photos, tmp_path / "out", tree=True)
    assert again.outcome == "there"
    (linked,) = export(library, photos, tmp_path / "links", link="symbolic")
    assert (linked.outcome, "use copies" in linked.reason) == ("failed", True)


def test_verify_compares_objects_by_their_bytes(own: Own, capfd: pytest.CaptureFixture[str]) -> None:
    def found() -> list[dict[str, str]]:
        capfd.readouterr()
        run(["verify", "--files", "--json", "--library", str(own.library)])
        lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        return [line for line in lines if line["part"] in ("file", "files")]

    assert found()[-1] == {"state": "ok", "part": "files", "text": "1 as they were indexed"}
    own.bucket.put("trips/boat.png", picture("red"))
    listed = found()[0]
    assert (listed["state"], listed["path"]) == ("changed", f"{own.bucket.address}/trips/boat.png")
    own.bucket.remove("trips/boat.png")
    assert found()[0]["state"] == "missing"


def test_a_root_moves_to_a_bucket_and_back_and_is_forgotten_by_its_address(
    own: Own, tmp_path: Path, tiny_space: str, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    (copy / "trips").mkdir(parents=True)
    (copy / "trips" / "boat.png").write_bytes(own.data)
    address, named = own.bucket.address, ["--library", str(own.library)]
    assert run(["move-root", address, str(copy), *named]) == 0
    assert run(["move-root", str(copy), address, *named]) == 0
    assert run(["move-root", address, f"s3://{own.bucket.name}/elsewhere", *named]) == 2
    assert "There is no folder s3://" in capfd.readouterr().err
    indexing.add(own.library, Path(address), tiny_space)
    with Library.open(own.library) as library:
        (root,) = library.catalog.roots()
        assert (root.path, root.photos, root.missing) == (address.encode(), 1, 0)
    assert run(["forget", address, *named, "--yes"]) == 0
    with Library.open(own.library) as library:
        assert library.catalog.roots() == []


def test_an_address_is_watched_only_by_looking_now_and_then(own: Own, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["watch", own.bucket.address, "--library", str(own.library)]) == 2
    said = capfd.readouterr().err
    assert own.bucket.address in said
    assert "--every" in said


def test_the_page_knows_addresses(own: Own) -> None:
    library = services().library()
    roots = library.catalog.roots()
    assert presences(roots) == {roots[0].id: "there"}
    assert folder(own.bucket.address, roots, own.library).note.startswith("The library has this folder already")
    with pytest.raises(FolderError, match="can't be listed"):
        folder(f"s3://{own.bucket.name}/nothing", roots, own.library)
    with pytest.raises(FileManagerError, match="store of objects"):
        show_folder_of_photo(library.catalog, library.catalog.photos([own.id])[own.id])
    own.bucket.remove("trips/boat.png")
    assert presences(roots) == {roots[0].id: "gone"}
