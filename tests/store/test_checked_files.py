"""A file that can be made again is read as it was written, or not at all."""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from examples import examples
from store import progress
from store.checked_files import SEAL_BYTES, read_checked, read_file, sealed, unsealed, write_checked
from store.images.thumbnails import Thumbnails
from store.lock import RUN, read_run

ONE, OTHER = b"\x01" * 32, b"\x02" * 32


def jpeg(colour: str) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(made, "JPEG")
    return made.getvalue()


@given(data=st.binary(max_size=300), about=st.binary(max_size=40), flips=st.lists(st.integers(0, 9_999), max_size=12))
@examples(200)
def test_any_change_of_a_file_or_of_what_it_is_for_is_seen(data: bytes, about: bytes, flips: list[int]) -> None:
    whole = sealed(data, about)
    assert unsealed(whole, about) == data
    changed = bytearray(whole)
    for flip in flips:
        changed[flip // 8 % len(changed)] ^= 1 << flip % 8
    assert unsealed(bytes(changed), about) == (data if changed == whole else None)
    assert unsealed(whole, about + b"x") is None
    for size in range(len(whole)):
        assert unsealed(whole[:size], about) is None


def test_only_a_regular_file_of_the_expected_size_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="store")
    path = tmp_path / "file"
    assert read_checked(path, b"a", 10) is None
    assert not caplog.records
    write_checked(path, b"0123456789", b"a")
    assert read_checked(path, b"a", 10) == b"0123456789"
    assert read_checked(path, b"a", 9) is None
    path.write_bytes(b"")
    with path.open("r+b") as file:
        file.truncate(10**12)  # a file without contents, which takes no room
    assert read_checked(path, b"a", 10) is None
    path.unlink()
    os.mkfifo(path)
    assert read_checked(path, b"a", 10) is None  # at once: nobody writes into it
    assert str(path) in caplog.text
    assert read_file(tmp_path, 10) is None


@pytest.mark.parametrize("is_older", [False, True])
def test_a_thumbnail_is_the_one_that_was_written_or_none(tmp_path: Path, is_older: bool) -> None:
    thumbnails = Thumbnails(tmp_path, is_older=lambda: is_older)
    red, blue = jpeg("red"), jpeg("blue")
    thumbnails.write(ONE, red)
    thumbnails.write(OTHER, blue)
    assert (thumbnails.read(ONE), thumbnails.read(OTHER)) == (red, blue)
    path, whole = thumbnails.path(ONE), thumbnails.path(ONE).read_bytes()
    Image.open(path).load()  # other programs read it as it lies
    flipped = bytearray(whole)
    flipped[len(red) // 2] ^= 1
    others = (b"", b"<!DOCTYPE html><title>Sign in</title>", whole[:-1], whole[: len(red) - 1], bytes(flipped),
              thumbnails.path(OTHER).read_bytes(), red + b"more")  # fmt: skip
    for damaged in others:
        path.write_bytes(damaged)
        assert thumbnails.read(ONE) is None
    path.write_bytes(whole[:-SEAL_BYTES])  # as versions wrote it that kept no checksum
    assert thumbnails.read(ONE) == (red if is_older else None)
    path.unlink()
    path.mkdir()
    assert thumbnails.read(ONE) is None


@given(data=st.one_of(st.binary(max_size=200), st.sampled_from([b'{"pid": Infinity, "since": "", "progress": null}',
       b"[" * 100_000, b'{"pid": 1e999, "since": 5, "progress": {}}', b"9" * 5_000, b" " * 2_000_000])))  # fmt: skip
@examples(60)
def test_progress_that_is_not_ours_is_none(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("library")
    (folder / RUN).write_bytes(data)
    assert read_run(folder) is None
    assert progress.read(folder) is None
