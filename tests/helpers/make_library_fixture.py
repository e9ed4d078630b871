"""Make the fixture of a layout of the tables: a small library, by the code of the version that wrote it.

    PYTHONPATH=CHECKOUT python tests/helpers/make_library_fixture.py

with CHECKOUT a checkout of the release. Run it as a user who may mount: the pictures must lie in `/photos`, which is
mounted for this process alone. The archive is named after the layout; see tests/fixtures/README.md.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

TARGET: Final = Path(__file__).parents[1] / "fixtures" / "libraries"
PHOTOS: Final = Path("/photos")
# All files have this time: 2024-05-06 07:08:09 UTC.
TIME_NS: Final = 1_714_979_289 * 10**9
GONE: Final = "gone/5.bmp"


def bmp(seed: int, width: int = 64, height: int = 48) -> bytes:
    """A picture of four coloured fields, written here so that its bytes depend on no library."""
    colours = [bytes((seed * 53 + n * 71 + c * 97) % 256 for c in range(3)) for n in range(4)]
    rows = [colours[0 if y < height // 2 else 2] * (width // 2) + colours[1 if y < height // 2 else 3] * (width // 2)
            for y in range(height)]  # fmt: skip
    pixels = b"".join(rows)
    head = struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 2835, 2835, 0, 0) + pixels


def write_photos(folder: Path) -> None:
    """Write what the libraries were made of: five pictures, one of them twice, and a file that is no picture."""
    files = {f"a/{seed}.bmp": bmp(seed) for seed in range(1, 5)}
    files |= {"b/copy of 1.bmp": bmp(1), GONE: bmp(5), "b/broken.bmp": b"no picture"}
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, ns=(TIME_NS, TIME_NS))


def _mark(library: Path) -> None:
    """Tag, like, save a search and set aside, as far as the version knows these."""
    from store.library import Library

    with Library.create(library) as opened:
        marks = getattr(opened, "marks", None)
        if marks is None:
            return
        marks.change([1, 2], add=["boat"])
        marks.favourite([3], True)
        marks.save_search("boats", "tag:boat")
        if hasattr(marks, "set_aside"):
            marks.set_aside([5], True)


def _make(folder: Path) -> Path:
    """Index twice, with a picture taken away between, and mark."""
    photos, library = folder / "photos", folder / "library"
    write_photos(photos)
    subprocess.run(["mount", "--bind", photos, PHOTOS], check=True)
    index = [sys.executable, "-m", "indexer", str(PHOTOS), "--library", str(library), "--space", "demo"]
    subprocess.run(index, check=False)
    (photos / GONE).unlink()
    subprocess.run(index, check=False)
    _mark(library)
    with closing(sqlite3.connect(library / "library.sqlite")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return library


def main() -> None:
    """Write the archive."""
    if os.environ.get("IN_NAMESPACE") is None:
        made = not PHOTOS.exists()
        PHOTOS.mkdir(exist_ok=True)
        command = ["unshare", "--mount", sys.executable, *sys.argv]
        try:
            subprocess.run(command, env={**os.environ, "IN_NAMESPACE": "1"}, check=True)
        finally:
            if made:
                PHOTOS.rmdir()
        return
    with tempfile.TemporaryDirectory() as folder:
        library = _make(Path(folder))
        with closing(sqlite3.connect(library / "library.sqlite")) as connection:
            layout = connection.execute("PRAGMA user_version").fetchone()[0]
            for name in ("maps", "previews"):
                assert not (library / name).exists()
        TARGET.mkdir(exist_ok=True)
        target = TARGET / f"layout-{layout}.tar.xz"
        with tarfile.open(target, "w:xz", preset=9) as tar:
            for path in sorted(library.rglob("*")):
                # Remembered texts are left out: a cache, of a quarter of a megabyte.
                if path.is_file() and path.name not in ("indexer.lock", "run.json") and path.suffix != ".texts":
                    member = tarfile.TarInfo(str(path.relative_to(library)))
                    member.size, member.mtime = path.stat().st_size, TIME_NS // 10**9
                    with path.open("rb") as file:
                        tar.addfile(member, file)
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
