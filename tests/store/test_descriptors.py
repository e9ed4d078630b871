"""Files below a root: opened without following links, and never a FIFO."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from store.descriptors import open_below


def _read(root: Path, relative: bytes, *, follow_links: bool = False) -> bytes:
    descriptor = open_below(root, relative, follow_links=follow_links)
    with os.fdopen(descriptor, "rb") as opened:
        return opened.read()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a file, links out of it and a FIFO, and itself reached through a link."""
    real = tmp_path / "disk"
    (real / "trip").mkdir(parents=True)
    (real / "trip" / "a.jpg").write_bytes(b"photo")
    outside = tmp_path / "secret"
    outside.mkdir()
    (outside / "key").write_bytes(b"secret")
    (real / "file").symlink_to(outside / "key")
    (real / "folder").symlink_to(outside)
    (real / "trip" / "inside.jpg").symlink_to(real / "trip" / "a.jpg")
    (tmp_path / "photos").symlink_to(real)
    return tmp_path / "photos"


def test_a_file_is_opened_though_the_root_itself_is_a_link(root: Path) -> None:
    assert _read(root, b"trip/a.jpg") == b"photo"


@pytest.mark.parametrize("path", [b"file", b"folder/key", b"trip/inside.jpg"])
def test_no_link_below_the_root_is_followed_unless_the_root_says_so(root: Path, path: bytes) -> None:
    with pytest.raises(OSError, match="link"):
        open_below(root, path)
    assert _read(root, path, follow_links=True) in (b"secret", b"photo")


@pytest.mark.parametrize(
    "path", [b"../secret/key", b"/etc/passwd", b"", b"trip/../trip/a.jpg", b"trip//a.jpg", b"a\0b"]
)
def test_what_is_no_path_below_the_root_opens_nothing(root: Path, path: bytes) -> None:
    with pytest.raises(OSError, match="no path"):
        open_below(root, path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
@pytest.mark.parametrize("follow_links", [False, True])
def test_a_fifo_or_a_folder_is_refused_at_once(root: Path, follow_links: bool) -> None:
    os.mkfifo(root / "pipe")
    for path in (b"pipe", b"trip"):
        with pytest.raises(OSError, match="regular"):
            open_below(root, path, follow_links=follow_links)
