"""Vectors of texts that were searched for, kept in the library's folder: a saved search needs no model to be loaded.

A cache, which only holds what the model would say again. Texts are not written down: a file is named by the hash of the
space and the text.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from store.files import replace_file
from store.vectors.index import Floats

# Of 1,152 numbers each, 10 MB; those used last stay.
LIMIT: Final = 2_000
_SUFFIX: Final = ".text.npy"


class Remembered:
    """Vectors by text, in files of `folder`; without effect where that can't be written."""

    def __init__(self, folder: Path, *, readonly: bool) -> None:
        self._folder = folder
        self._readonly = readonly

    def get(self, space_key: str, text: str, dim: int) -> Floats | None:
        """The unit vector of a text in a space, float32 (dim,); None where it is not remembered."""
        path = self._path(space_key, text)
        vector = read(path, (dim,))
        if vector is None or abs(float(np.linalg.norm(vector)) - 1) > 1e-3:
            return None
        with suppress(OSError):
            os.utime(path)
        return vector

    def keep(self, space_key: str, text: str, vector: Floats) -> None:
        """Remember the vector of a text, float32 (dim,)."""
        if self._readonly:
            return
        path = self._path(space_key, text)
        keep(path, vector)
        # Each file is looked at once in sixteen new texts: the folder is never much larger than its limit.
        if path.name[0] == "0":
            self._forget_oldest()

    def _path(self, space_key: str, text: str) -> Path:
        digest = hashlib.sha256(f"{space_key}\n{text}".encode()).hexdigest()
        return self._folder / f"{digest[:32]}{_SUFFIX}"

    def _forget_oldest(self) -> None:
        with suppress(OSError):
            files = sorted(self._folder.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
            for path in files[: max(0, len(files) - LIMIT)]:
                path.unlink(missing_ok=True)


def read(path: Path, shape: tuple[int, ...]) -> Floats | None:
    """The float32 numbers kept at `path`; None where there are none, or not of this shape."""
    try:
        numbers = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return numbers if numbers.shape == shape and numbers.dtype == np.float32 else None


def keep(path: Path, numbers: Floats) -> None:
    """Keep numbers at `path`, where that can be: what made them can make them again."""

    def save(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.save(file, numbers, allow_pickle=False)

    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, save, durable=False)
