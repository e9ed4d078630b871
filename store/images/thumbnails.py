"""Small pictures by the hash of their content. A cache: each can be made again from its photo.

After the end of the JPEG there is a checksum of it and of its content's hash, which is not given out. Versions up to
0.2 wrote none: in libraries of theirs a file without one is taken where it begins and ends as a JPEG does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from store.checked_files import is_there, read_file, say_damaged, sealed, unsealed
from store.files import make_private, replace_file

State = Literal["right", "unchecked", "wrong"]
"""Of a file: it has its checksum; it is a JPEG of an older version, without one; it is anything else."""

_MOST_BYTES: Final = 64_000_000
# Others write files of their own into folders of pictures.
_NAME: Final = re.compile(r"(?:[0-9a-f]{2})+\.jpg")
_START, _END = b"\xff\xd8\xff", b"\xff\xd9"


def no_older_version() -> bool:
    """Say that no older version wrote files here."""
    return False


def name_of(file: str) -> bytes | None:
    """The hash that a file is named by; None of others."""
    return bytes.fromhex(file[: -len(".jpg")]) if _NAME.fullmatch(file) else None


class Thumbnails:
    """Small JPEG files under `folder`, in 256 sub-folders by the first byte of the hash."""

    def __init__(
        self,
        folder: Path,
        kind: str = "thumbnail",
        is_older: Callable[[], bool] = no_older_version,
        check: Callable[[], object] = lambda: None,
    ) -> None:
        """Nothing is read or made yet.

        Args:
            folder: where they lie.
            kind: what the pictures are.
            is_older: whether there may be files without a checksum.
            check: called before each write; it raises where the library is not where it was.
        """
        self.folder = folder
        self._kind = kind.encode()
        self._is_older = is_older
        self._check = check

    @property
    def address(self) -> str | None:
        """The store of objects that has them; None where they lie in `folder` alone."""
        return None

    def path(self, content_hash: bytes) -> Path:
        """Where the thumbnail of this content lies, whether it is there or not."""
        name = content_hash.hex()
        return self.folder / name[:2] / f"{name}.jpg"

    def has(self, content_hash: bytes) -> bool:
        """Whether there is a thumbnail of this content, right or not.

        Raises:
            OSError: it can't be looked for.
        """
        return self.path(content_hash).exists()

    def hashes(self) -> Iterator[bytes]:
        """Hashes of contents that have a thumbnail, in order; one sub-folder is listed at a time."""
        for number in range(256):
            with suppress(OSError):
                names = sorted(path.name for path in (self.folder / f"{number:02x}").iterdir())
                yield from (found for name in names if (found := name_of(name)) is not None)

    def write(self, content_hash: bytes, data: bytes) -> int:
        """Store a thumbnail; whole or not at all. Returns how many bytes it takes.

        Raises:
            OSError: the disk is full, or the library can't be written.
            LibraryMovedError: its folder was renamed, moved or replaced.
        """
        self._check()
        target, data = self.path(content_hash), self.sealed(content_hash, data)
        try:
            self._replace(target, data)
        except FileNotFoundError:
            self._check()
            make_private(self.folder)
            make_private(target.parent)
            self._replace(target, data)
        return len(data)

    def _replace(self, target: Path, data: bytes) -> None:
        # Not synced: thousands of syncs would rule the run, and a lost thumbnail is made again. What a killed writer
        # leaves lies above the 256, so that the next run need not look through them.
        replace_file(target, lambda path: path.write_bytes(data), durable=False, folder=self.folder)

    def read(self, content_hash: bytes) -> bytes | None:
        """The thumbnail, a JPEG; None where there is none, or it is damaged or another's."""
        found = self.look_at(content_hash)
        if found is None:
            return None
        state, data = found
        if state == "wrong":
            say_damaged(self.path(content_hash))
            return None
        return data

    def look_at(self, content_hash: bytes) -> tuple[State, bytes] | None:
        """What the file is, and its JPEG; None where there is none."""
        path = self.path(content_hash)
        data = read_file(path, _MOST_BYTES)
        if data is None:
            return ("wrong", b"") if is_there(path) else None
        return self.state(content_hash, data)

    def sealed(self, content_hash: bytes, data: bytes) -> bytes:
        """The bytes of a file that holds this JPEG."""
        return sealed(data, self._about(content_hash))

    def state(self, content_hash: bytes, data: bytes) -> tuple[State, bytes]:
        """What the bytes of a file are, and its JPEG."""
        picture = unsealed(data, self._about(content_hash))
        if picture is not None:
            return "right", picture
        is_bare = data.startswith(_START) and data.endswith(_END)
        return ("unchecked" if is_bare and self._is_older() else "wrong"), data

    def remove(self, content_hash: bytes) -> None:
        """Forget a thumbnail; nothing happens where there is none. An empty folder in its place goes, too.

        Raises:
            OSError: it can't be removed.
        """
        path = self.path(content_hash)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)

    def _about(self, content_hash: bytes) -> bytes:
        return self._kind + content_hash
