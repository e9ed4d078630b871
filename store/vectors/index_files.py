"""The files that a space's vectors are kept in: appended to, checked, mapped into memory.

    space-N.json              the manifest: what the others hold, with checksums, its own last; replaced whole, last
    space-N.TOKEN.faiss       the rows, half precision, one after another, as a FAISS index that any program can read
    space-N.TOKEN.ids         for each row: vector id, content id, and a checksum of the row
    space-N.TOKEN.bits        one-bit codes of the first rows (`store.vectors.one_bit_codes`)
    space-N.TOKEN.fine        four-bit codes of the first rows (`store.vectors.four_bit_codes`)
    space-N.TOKEN.EPOCH.dead  rows that are deleted from the database

Files are only appended to, and the manifest says how far. What a killed process wrote beyond that is not read, and the
next save overwrites it.

What is read whole when opening is verified whole: ids and one-bit codes, by SHA-256 over blocks of rows, so that
appending need not read what was there. The rows and the four-bit codes, fourteen times as much, are verified one by
one when they are first used (`store.vectors.row_store`): opening reads none of them.

Files of small spaces are read into memory, others are mapped; `store.vectors.mapped_files` says what another program
that truncates one does. Sightline itself never truncates them.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import struct
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.arrays import Bytes, CodeWords, Halves, Rows
from store.checked_files import read_file
from store.files import make_private, open_private, replace_file, sync
from store.vectors.four_bit_codes import width
from store.vectors.mapped_files import array_in
from store.vectors.policy import DEFAULT

FORMAT: Final = 4
KINDS: Final = ("faiss", "ids", "bits", "fine", "dead")
# Of a billion vectors: two checksums for each 65,536 of them.
_LARGEST_MANIFEST: Final = 16_000_000
BLOCK: Final = 65_536  # rows under one checksum
# faiss.METRIC_INNER_PRODUCT, and ScalarQuantizer.QT_fp16.
_INNER_PRODUCT, _QT_FP16 = 0, 4
# A row's entry in the file of ids. Packed: 20 bytes.
ENTRY: Final = np.dtype([("vector", "<i8"), ("content", "<i8"), ("check", "<u4")])


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the files of a space hold and were made from.

    On any mismatch with the catalog or a file, the files are not used and are made again.

    Attributes:
        space, dim, epoch, last_id: of the space, see `SpaceState`.
        token: in the names of the files that belong to this manifest.
        rows, dead: how many rows there are, and how many of those are deleted.
        coded, fine: how many of the rows have one-bit codes, and how many four-bit codes.
        ids, bits, dead_check: SHA-256 of each block of the ids and of the one-bit codes, and of the list of deleted
            rows.
        centre: the centroid of the codes.
        measured: what `store.vectors.recall_probe` found.
        head: what the file of rows begins with, as hex digits: see `faiss_header`.
    """

    format: int
    space: str
    dim: int
    epoch: int
    last_id: int
    token: str
    rows: int
    dead: int
    coded: int
    fine: int
    ids: tuple[str, ...] = ()
    bits: tuple[str, ...] = ()
    dead_check: str = ""
    centre: tuple[float, ...] = ()
    measured: Mapping[str, float] = field(default_factory=dict)
    head: str = ""

    @property
    def start(self) -> int:
        """Where in their file the rows begin, bytes."""
        return len(self.head) // 2


@dataclass(frozen=True, slots=True)
class IndexContents:
    """What a space's files hold.

    Mapped, where they are large: rows float16 (n, dim), one-bit codes uint64 (k, words) and four-bit codes uint8 (m,
    width). In memory: entries of dtype ENTRY (n,), and deleted rows int64, sorted.
    """

    manifest: Manifest
    rows: Halves
    entries: NDArray[Any]
    codes: CodeWords
    fine: Bytes
    deleted: Rows


class Kept(NamedTuple):
    """How many rows, one-bit codes and four-bit codes are in the files already, and stay there."""

    rows: int
    codes: int
    fine: int


class DamagedError(Exception):
    """A file of an index is not what its manifest says."""


class IndexFiles:
    """The files of one space in a folder."""

    def __init__(
        self, folder: Path, space_id: int, in_memory_bytes: int = DEFAULT.in_memory_bytes, *, name: str = "space"
    ) -> None:
        """`in_memory_bytes`: see `Policy`; `name`: what their names begin with."""
        self.folder = folder
        self._in_memory_bytes = in_memory_bytes
        self._name = f"{name}-{space_id}"
        self.manifest_path = folder / f"{self._name}.json"

    def path(self, manifest: Manifest, kind: str) -> Path:
        """Where a manifest's file of one of KINDS lies."""
        epoch = f".{manifest.epoch}" if kind == "dead" else ""
        return self.folder / f"{self._name}.{manifest.token}{epoch}.{kind}"

    def manifest(self) -> Manifest | None:
        """The manifest, not compared with anything; None where there is none, or it can't be read."""
        try:
            text, _, check = (read_file(self.manifest_path, _LARGEST_MANIFEST) or b"").rpartition(b"\n")
            if hashlib.sha256(text).hexdigest().encode() != check:
                return None
            values = json.loads(text)
            found = Manifest(**{**values, **{name: tuple(values[name]) for name in ("ids", "bits", "centre")}})
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        counts = (found.rows, found.dead, found.coded, found.fine, found.dim, found.epoch, found.last_id)
        texts = (found.space, found.token, found.head, found.dead_check)
        is_valid = all(isinstance(count, int) and 0 <= count < 2**62 for count in counts) and all(
            isinstance(text, str) for text in texts
        )
        return found if is_valid and found.token.isalnum() and found.format == FORMAT else None

    def _is_mapped(self, manifest: Manifest) -> bool:
        return manifest.rows * manifest.dim * 2 > self._in_memory_bytes

    def memory_bytes(self, manifest: Manifest) -> int:
        """Bytes that opening them takes in memory: one-bit codes, entries, rows by id, and what is not mapped."""
        codes = manifest.coded * (-(-manifest.dim // 64) + 1) * 8
        read = (
            0 if self._is_mapped(manifest) else manifest.rows * manifest.dim * 2 + manifest.fine * width(manifest.dim)
        )
        return codes + read + manifest.fine + manifest.rows * (ENTRY.itemsize + 1 + 16)

    def disk_bytes(self, manifest: Manifest) -> int:
        """Bytes of the files of a manifest."""
        size = 0
        for path in (self.manifest_path, *(self.path(manifest, kind) for kind in KINDS)):
            with suppress(OSError):
                size += path.stat().st_size
        return size

    def read(self, manifest: Manifest) -> IndexContents:
        """What the files hold: verified, but for the rows and their four-bit codes.

        Raises:
            DamagedError: a file is missing, short, or not what it was.
        """
        try:
            rows, fine, codes = self.rows(manifest), self.fine(manifest), self._codes(manifest)
            entries = array_in(self.path(manifest, "ids"), np.uint8, 0, (manifest.rows, ENTRY.itemsize), mapped=False)
            entries = entries.view(ENTRY)[:, 0]
            deleted = np.empty(0, np.int64)
            if manifest.dead:
                deleted = array_in(self.path(manifest, "dead"), np.int64, 0, (manifest.dead, 1), mapped=False)[:, 0]
        except (OSError, ValueError, MemoryError, OverflowError) as error:
            raise DamagedError(str(error)) from error
        if (len(entries), len(codes), len(deleted)) != (manifest.rows, manifest.coded, manifest.dead):
            raise DamagedError(f"the files of {self.manifest_path} are shorter than its manifest says")
        checks = (_digests(entries), _digests(codes), _digest(deleted))
        if checks != (manifest.ids, manifest.bits, manifest.dead_check):
            raise DamagedError(f"the files of {self.manifest_path} do not have the checksums of its manifest")
        if len(deleted) and not (deleted.min() >= 0 and deleted.max() < manifest.rows):
            raise DamagedError(f"the files of {self.manifest_path} list rows that are not there")
        return IndexContents(manifest, rows, entries, codes, fine, deleted)

    def rows(self, manifest: Manifest) -> Halves:
        """The rows, float16 (n, dim), unverified.

        Raises:
            OSError, ValueError: the file is missing or short.
        """
        shape = (manifest.rows, manifest.dim)
        return array_in(
            self.path(manifest, "faiss"), np.float16, manifest.start, shape, mapped=self._is_mapped(manifest)
        )

    def fine(self, manifest: Manifest) -> Bytes:
        """The four-bit codes, uint8 (n, width), unverified; errors as for `rows`."""
        shape = (manifest.fine, width(manifest.dim))
        return array_in(self.path(manifest, "fine"), np.uint8, 0, shape, mapped=self._is_mapped(manifest))

    def _codes(self, manifest: Manifest) -> CodeWords:
        # Mapped, where they are large: memory of our own would have to be cleared before it is read into.
        shape = (manifest.coded, -(-manifest.dim // 64) + 1)
        return array_in(self.path(manifest, "bits"), np.uint64, 0, shape, mapped=self._is_mapped(manifest))

    def has_faiss_header(self, manifest: Manifest) -> bool:
        """Whether the file of rows begins as it was written; only other programs read that part."""
        try:
            with self.path(manifest, "faiss").open("rb") as file:
                return file.read(manifest.start) == bytes.fromhex(manifest.head)
        except OSError:
            return False

    def write(
        self, manifest: Manifest, rows: Iterable[Halves], entries: NDArray[Any], codes: CodeWords,
        fine: Iterable[Bytes], deleted: Rows, *, kept: Kept,
    ) -> Manifest:  # fmt: skip
        """Append rows, then replace the manifest; returns it as written, with checksums and token.

        Args:
            manifest: with the space's state; its token is that of the files to append to, or "" for new ones.
            rows, fine: those to append, in parts, float16 (n, dim) and uint8 (n, width) each.
            entries, codes, deleted: all of them, those that are in the files already too.
            kept: how much is in the files already, and stays.

        Raises:
            OSError: the disk is full or the folder can't be written; what was there before is still there.
        """
        make_private(self.folder)
        before = self.manifest() if manifest.token else None
        known = ((), ()) if before is None else (before.ids, before.bits)
        head = faiss_header(manifest.dim, manifest.rows).hex()
        if before is not None and len(before.head) != len(head):
            head = before.head  # another FAISS writes it longer: it goes on saying how many rows there were
        written = replace(
            manifest, token=manifest.token or secrets.token_hex(4), dead_check=_digest(deleted), head=head,
            ids=_digests(entries, known[0], kept.rows), bits=_digests(codes, known[1], kept.codes),
        )  # fmt: skip
        self._sweep(written)  # before the disk is full: what killed runs left may be as large as what is to come
        try:
            _append(self.path(written, "faiss"), written.start + kept.rows * written.dim * 2, rows)
            _append(self.path(written, "faiss"), 0, [np.frombuffer(bytes.fromhex(head), np.uint8)])
            _append(self.path(written, "ids"), kept.rows * ENTRY.itemsize, [entries[kept.rows :]])
            _append(self.path(written, "bits"), kept.codes * codes.strides[0], [codes[kept.codes :]])
            _append(self.path(written, "fine"), kept.fine * width(written.dim), fine)
            replace_file(self.path(written, "dead"), lambda temporary: temporary.write_bytes(deleted.tobytes()))
            text = json.dumps(asdict(written)).encode()
            check = hashlib.sha256(text).hexdigest().encode()
            replace_file(self.manifest_path, lambda temporary: temporary.write_bytes(text + b"\n" + check))
        finally:
            self._sweep()  # the files of before, or where this failed its own
        return written

    def remove(self) -> None:
        """Remove them all; who has one mapped keeps it."""
        self.manifest_path.unlink(missing_ok=True)
        self._sweep()

    def _sweep(self, coming: Manifest | None = None) -> None:
        """Remove the files that neither the manifest nor one that is coming names.

        Who has one mapped keeps it. What can't be removed, as where a mapped file can't, is left for the next time: it
        stops no save.
        """
        named = [manifest for manifest in (self.manifest(), coming) if manifest is not None]
        wanted = {self.path(manifest, kind) for manifest in named for kind in KINDS}
        for path in self.folder.glob(f"{self._name}.*"):
            if path not in wanted and path != self.manifest_path:
                with suppress(OSError):
                    path.unlink()


def faiss_header(dim: int, count: int) -> bytes:
    """What a FAISS file of `count` rows float16 (count, dim) begins with; the rows are all that follows.

    An `IndexScalarQuantizer` (QT_fp16, inner product) in an `IndexPreTransform` that transforms nothing: alone it would
    begin with an odd number of bytes, and half-precision numbers have to lie at even ones.
    """
    # Written as FAISS does (impl/index_write.cpp), which takes 150 MB and a quarter of a second to import.
    common = struct.pack("<iqqqBi", dim, count, 1 << 20, 1 << 20, 1, _INNER_PRODUCT)
    quantizer = struct.pack("<iifQQQ", _QT_FP16, 0, 0.0, dim, 2 * dim, 0)
    # The last of it is the number of bytes of the rows.
    return b"IxPT" + common + struct.pack("<i", 0) + b"IxSQ" + common + quantizer + struct.pack("<Q", count * dim * 2)


def _digests(rows: NDArray[Any], known: tuple[str, ...] = (), kept: int = 0) -> tuple[str, ...]:
    """SHA-256 of each block of rows; of blocks within the first `kept` rows they are taken from `known`."""
    whole = min(kept // BLOCK, len(known))
    starts = range(whole * BLOCK, len(rows), BLOCK)

    def digest(start: int) -> str:
        return _digest(rows[start : start + BLOCK])

    if len(starts) < 2:
        return known[:whole] + tuple(map(digest, starts))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return known[:whole] + tuple(pool.map(digest, starts))


def _digest(rows: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows).view(np.uint8).data if rows.size else b"").hexdigest()


def _append(path: Path, start: int, parts: Iterable[NDArray[Any]]) -> None:
    """Write at `start`, whatever lies there, and make sure of it."""
    with os.fdopen(open_private(path), "r+b") as file:
        file.seek(start)
        for part in parts:
            if part.size:
                file.write(np.ascontiguousarray(part).view(np.uint8).data)
        file.flush()
        os.fsync(file.fileno())
    with suppress(OSError):
        sync(path.parent)
