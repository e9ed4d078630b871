"""Files that are larger than the memory a worker may take: none is read whole."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from sightline.images.cut_short import zeros_at_end
from sightline.images.errors import DecodeError
from sightline.images.limits import Limits
from sightline.images.reader import Place
from sightline.images.workers import Workers

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no worker processes on this system")

SIZE = 640 * 2**20
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\2\0\0\0"


@pytest.fixture(scope="module")
def small() -> Iterator[Workers]:
    made = Workers(1, Limits(memory_bytes=300_000_000))
    yield made
    made.close()


def sparse(path: Path, head: bytes) -> Path:
    """A large file that takes no room."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(SIZE)
    return path


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.png", PNG), ("a.bmp", b"BM"), ("a.tif", b"II*\0"),
        ("a.psd", b"8BPS\0\1"), ("a.tga", b"\0\0\x0a\0\0\0\0\0\0\0\0\0\x10\0\x10\0\x18\0"),
        ("a.dng", b"II*\0\x08\0\0\0"),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n"), ("a.ppm", b"P3 16 16 255\n"), ("a.pgm", b"P5 16 16 255\n"),
        ("a.ico", b"\0\0\1\0\1\0"), ("a.pcx", b"\x0a\5\1\x08"),
    ],
)  # fmt: skip
def test_a_file_that_goes_on_and_on_is_not_taken_into_memory(
    small: Workers, tmp_path: Path, name: str, head: bytes
) -> None:
    sparse(tmp_path / name, head)
    said = ""
    with small.reader() as reader:
        reader.open(Place(os.fsencode(tmp_path), name.encode()), digest=False)
        try:
            reader.decode(need=32)
        except DecodeError as error:
            said = error.reason
        assert reader.is_alive
    assert "memory" not in said


def test_how_much_of_a_file_is_zeros_is_told_of_large_files_too(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 60).save(buffer, "PNG")
    for end in (50_000, 16 * 2**20, 40_000_001):
        data = buffer.getvalue() + bytes(end)
        share = end / len(data)
        assert f"the last {share:.0%}".replace("%", " %") in str(zeros_at_end(io.BytesIO(data)))
    assert (
        zeros_at_end(io.BytesIO(bytes(5000)))
        == "the last 100 % of the file are zeros: a part of the picture may be missing"
    )
