"""Small pictures by the hash of their content. A cache: each can be made again from its photo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from store.files import make_private, replace_file


class Thumbnails:
    """Small JPEG files under `folder`, in 256 sub-folders by the first byte of the hash."""

    def __init__(self, folder: Path, check: Callable[[], object] = lambda: None) -> None:
        """`check`: called before each write; it raises where the library is not where it was."""
        self.folder = folder
        self._check = check

    def path(self, content_hash: bytes) -> Path:
        """Where the thumbnail of this content lies, whether it is there or not."""
        name = content_hash.hex()
        return self.folder / name[:2] / f"{name}.jpg"

    def write(self, content_hash: bytes, data: bytes) -> None:
        """Store a thumbnail; whole or not at all.

        Raises:
            OSError: the disk is full, or the library can't be written.
            LibraryMovedError: its folder was renamed, moved or replaced.
        """
        self._check()
        target = self.path(content_hash)
        try:
            self._replace(target, data)
        except FileNotFoundError:
            self._check()
            make_private(self.folder)
            make_private(target.parent)
            self._replace(target, data)

    def _replace(self, target: Path, data: bytes) -> None:
        # Not synced: thousands of syncs would rule the run, and a lost thumbnail is made again. What a killed writer
        # leaves lies above the 256, so that the next run need not look through them.
        replace_file(target, lambda path: path.write_bytes(data), durable=False, folder=self.folder)

    def read(self, content_hash: bytes) -> bytes | None:
        """The thumbnail's bytes, or None where there is none."""
        try:
            return self.path(content_hash).read_bytes() or None
        except OSError:
            return None

    def remove(self, content_hash: bytes) -> None:
        """Forget a thumbnail; nothing happens where there is none."""
        self.path(content_hash).unlink(missing_ok=True)
