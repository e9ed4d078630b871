"""Thumbnails and previews in a store of objects: written once, checked, found by other machines, removed."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from object_store import Bucket
from PIL import Image
from support import Index

from sightline.media.derived import thumbnail
from store.errors import SightlineError
from store.images.stored import StoredPreviews, StoredThumbnails
from store.images.thumbnails import Thumbnails
from store.library import Library
from store.objects import Objects
from store.remote import Remote, folder_of, remote_of, write

HASH = bytes(range(32))
KEY = f"thumbs/thumbnails/{HASH.hex()[:2]}/{HASH.hex()}.jpg"


def picture(seed: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 12, 3), np.uint8)
    Image.fromarray(pixels).resize((96, 64)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def thumbs(bucket: Bucket, tmp_path: Path) -> StoredThumbnails:
    return StoredThumbnails(tmp_path / "kept", lambda: f"s3://{bucket.name}/thumbs")


def test_a_thumbnail_is_found_by_another_machine_and_kept_there(
    bucket: Bucket, thumbs: StoredThumbnails, tmp_path: Path
) -> None:
    assert (thumbs.read(HASH), thumbs.has(HASH), list(thumbs.hashes())) == (None, False, [])
    thumbs.write(HASH, picture(1))
    assert bucket.keys() == [KEY]
    other = StoredThumbnails(tmp_path / "other", lambda: f"s3://{bucket.name}/thumbs")
    assert (other.has(HASH), list(other.hashes()), other.read(HASH)) == (True, [HASH], picture(1))
    bucket.client.delete_object(Bucket=bucket.name, Key=KEY)
    assert other.read(HASH) == picture(1)
    assert (other.look_at(HASH), other.has(HASH)) == (None, False)


def test_files_in_a_store_are_the_same_as_in_a_folder(bucket: Bucket, thumbs: StoredThumbnails, tmp_path: Path) -> None:
    local = Thumbnails(tmp_path / "local")
    local.write(HASH, picture(1))
    thumbs.write(HASH, picture(1))
    stored = bucket.client.get_object(Bucket=bucket.name, Key=KEY)["Body"].read()
    assert stored == local.path(HASH).read_bytes()


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: b"<html>"])
def test_a_damaged_object_is_never_shown(
    bucket: Bucket, thumbs: StoredThumbnails, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    thumbs.write(HASH, picture(1))
    stored = bucket.client.get_object(Bucket=bucket.name, Key=KEY)["Body"].read()
    bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=damage(stored))
    shutil.rmtree(tmp_path / "kept")
    assert thumbs.read(HASH) is None
    assert (thumbs.look_at(HASH) or ("",))[0] == "wrong"


def test_what_is_removed_goes_here_and_there(bucket: Bucket, thumbs: StoredThumbnails, tmp_path: Path) -> None:
    thumbs.write(HASH, picture(1))
    thumbs.remove(HASH)
    thumbs.remove(HASH)
    assert (bucket.keys(), thumbs.read(HASH)) == ([], None)
    previews = StoredPreviews(tmp_path / "previews", lambda: f"s3://{bucket.name}/thumbs")
    previews.write(HASH, picture(2))
    shutil.rmtree(tmp_path / "previews")
    assert previews.read(HASH) == picture(2)
    previews.remove(HASH)
    assert (bucket.keys(), previews.read(HASH)) == ([], None)


def test_a_store_that_does_not_answer_is_an_error_of_writes_alone(
    thumbs: StoredThumbnails, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    def away(self: Objects, path: bytes, *rest: Any) -> bytes:
        asked.append(path)
        raise TimeoutError(110, "its store did not answer for 20 seconds")

    monkeypatch.setattr(Objects, "read", away)
    monkeypatch.setattr(Objects, "write", away)
    assert (thumbs.read(HASH), thumbs.read(HASH), thumbs.look_at(HASH)) == (None, None, None)
    assert len(asked) == 1
    with pytest.raises(OSError, match="did not answer"):
        thumbs.write(HASH, picture(1))


@pytest.mark.sqlite
def test_an_address_of_thumbnails_is_checked(tmp_path: Path) -> None:
    for wrong in ("thumbs", "s3://key:s3cret@bucket/x", "https://host/x"):
        with pytest.raises(SightlineError) as error:
            folder_of(tmp_path / "library", None, wrong)
        assert "s3cret" not in str(error.value)
    folder_of(tmp_path / "library", None, "s3://bucket/thumbs/")
    assert remote_of(tmp_path / "library").thumbnails == "s3://bucket/thumbs"
    folder_of(tmp_path / "library", None, "local")
    assert remote_of(tmp_path / "library").is_local


def test_a_library_keeps_its_thumbnails_in_a_bucket_and_another_machine_finds_them(
    library: Path, bucket: Bucket, index: Index, tmp_path: Path
) -> None:
    for number in range(3):
        bucket.put(f"{number}.jpg", picture(number))
    address = f"s3://{bucket.name}/photos/of-sightline"
    done = index(bucket.address, "--thumbnails", address)
    assert (done.code, done.added) == (0, 3)
    assert len(bucket.keys("photos/of-sightline/thumbnails/")) == 3
    again = index(bucket.address)  # what lies in the photos' own folder is not taken for pictures
    assert (again.unchanged, again.added) == (3, 0)
    remote, other = remote_of(library), library
    if remote.database is not None:
        # Of another machine the folder says nothing of thumbnails: the database does.
        other = tmp_path / "other"
        write(other, Remote(database=remote.database))
        again = index(bucket.address, "--library", other)
        assert (again.unchanged, again.added) == (3, 0)
    shutil.rmtree(library / "thumbnails")
    with Library.open(other) as opened:
        hashes = list(opened.thumbnails.hashes())
        assert len(hashes) == 3
        assert all(thumbnail(opened, each) for each in hashes)
        assert (other / "thumbnails").is_dir()
        opened.previews.write(hashes[0], picture(9))
    assert len(bucket.keys("photos/of-sightline/previews/")) == 1
    bucket.remove("0.jpg")
    assert index(bucket.address, "--prune", "--yes").forgotten == 1
    assert len(bucket.keys("photos/of-sightline/thumbnails/")) == 2
    with Library.open(other) as opened:
        assert len(list(opened.thumbnails.hashes())) == 2
