"""A cache of text vectors, in the library's folder: a saved search then needs no model.

The model can always make its content again. Texts are not written down: the hash of space and text names a file.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from store.arrays import Floats
from store.checked_files import read_checked, write_checked

MAX_TEXTS: Final = 2_000  # 10 MB, of 1,152 numbers each; those used last stay
_SUFFIX: Final = ".text"
NULLS_SUFFIX: Final = ".texts"
PROBE_SUFFIX: Final = ".probe"
_MOST_BYTES: Final = 100_000_000
_NUMBER: Final = np.dtype("<f4")


class TextVectorCache:
    """Vectors by text, in files of `folder`; without effect where that can't be written."""

    def __init__(self, folder: Path, *, readonly: bool) -> None:
        self._folder = folder
        self._readonly = readonly

    def get(self, space_key: str, text: str, dim: int) -> Floats | None:
        """The unit vector of a text in a space, float32 (dim,); None where it is not cached."""
        path = self._path(space_key, text)
        vector = read_vectors(path, (dim,))
        if vector is not None:
            with suppress(OSError):
                os.utime(path)
        return vector

    def put(self, space_key: str, text: str, vector: Floats) -> None:
        """Keep the vector of a text, float32 (dim,)."""
        if self._readonly:
            return
        path = self._path(space_key, text)
        write_vectors(path, vector)
        # One new text in sixteen looks at the folder, which therefore never grows much above its limit.
        if path.name[0] == "0":
            self._remove_oldest()

    def _path(self, space_key: str, text: str) -> Path:
        digest = hashlib.sha256(f"{space_key}\n{text}".encode()).hexdigest()
        return self._folder / f"{digest[:32]}{_SUFFIX}"

    def _remove_oldest(self) -> None:
        with suppress(OSError):
            files = sorted(self._folder.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
            for path in files[: max(0, len(files) - MAX_TEXTS)]:
                path.unlink(missing_ok=True)


def damaged_files(folder: Path) -> list[Path]:
    """Files of texts and probes in `folder` that are not what was written."""
    found = [path for suffix in (_SUFFIX, NULLS_SUFFIX, PROBE_SUFFIX) for path in folder.glob(f"*{suffix}")]
    return [path for path in found if read_checked(path, path.name.encode(), _MOST_BYTES) is None]


def read_vectors(path: Path, shape: tuple[int, ...]) -> Floats | None:
    """The float32 numbers of this shape in the file at `path`; None where it was not written so."""
    count = int(np.prod(shape))
    data = read_checked(path, path.name.encode(), count * _NUMBER.itemsize)
    if data is None or len(data) != count * _NUMBER.itemsize:
        return None
    return np.frombuffer(data, _NUMBER).reshape(shape).astype(np.float32)


def write_vectors(path: Path, numbers: Floats) -> None:
    """Write numbers to `path`; does nothing where that fails, as whoever made them can make them again."""
    write_checked(path, numbers.astype(_NUMBER).tobytes(), path.name.encode())
