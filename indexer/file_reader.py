"""Reading of files: the hash, and of new contents the pixels, facts and thumbnail.

Runs in many threads at once; everything shared is either locked or only read.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, BinaryIO

from indexer import sidecars
from indexer.scanner import Task
from indexer.walk import inode_of
from sightline.images.budget import PixelBudget
from sightline.images.decode import DecodeError, decode, decode_header
from sightline.images.look import Look, look_of_thumbnail
from sightline.images.place_names import with_place_names
from sightline.metadata.facts import Beside
from sightline.models.preprocess import Preprocess
from store.disk_errors import disk_sentence
from store.errors import LibraryError
from store.images.thumbnails import Thumbnails
from store.paths import to_path
from store.tables.catalog import Catalog
from store.tables.looks import has_look
from store.tables.writer import Failed, File

if TYPE_CHECKING:
    import torch

    from sightline.images.gpu_jpeg import GpuJpegDecoder

_Source = io.BytesIO | io.BufferedReader

# A file up to this size is read once, into memory, for its hash and its pixels; a larger one is read twice.
WHOLE_FILE = 64 * 2**20
# So many are decoded at once by each of the threads; a larger picture is decoded with fewer beside it.
PIXELS_A_THREAD = 25_000_000


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The result of reading one file.

    Attributes:
        hash: SHA-256 of its bytes; empty where it could not be read that far.
        known_content: the id of its content, where the library knows it.
        duplicate_in_flight: another file with these bytes is being worked on.
        facts: where the content is new, or an older version read those that the library has.
        is_anew: an older version read another picture from its bytes: all that was made of that is to be replaced.
        pixels: uint8, as `Preprocess.apply` gives them, by the id of each space in which it must be encoded.
        look: what the picture looks like, where the library lacks it.
        failed: why it could not be read or decoded.
        gone: the file was deleted since the walk came by; the next walk will say so.
    """

    task: Task
    file: File
    hash: bytes
    known_content: int | None = None
    duplicate_in_flight: bool = False
    facts: Mapping[str, Any] | None = None
    is_anew: bool = False
    pixels: Mapping[int, torch.Tensor] = field(default_factory=dict, repr=False)
    look: Look | None = field(default=None, repr=False)
    failed: Failed | None = None
    gone: bool = False


class InFlight:
    """The contents that are being worked on, so that two copies of one picture are not both encoded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hashes: set[bytes] = set()

    def add(self, content_hash: bytes) -> bool:
        """Add a content; whether the caller is the first to do so since it was last removed."""
        with self._lock:
            if content_hash in self._hashes:
                return False
            self._hashes.add(content_hash)
            return True

    def remove(self, content_hash: bytes) -> None:
        """Remove a content once it is committed, known or failed."""
        with self._lock:
            self._hashes.discard(content_hash)

    def __contains__(self, content_hash: bytes) -> bool:
        with self._lock:
            return content_hash in self._hashes


class FileReader:
    """Reads files for spaces of one library, in threads of its own: each file once for all of them."""

    def __init__(
        self, catalog: Catalog, thumbnails: Thumbnails, preprocess: Mapping[int, Preprocess],
        threads: int, gpu: GpuJpegDecoder | None = None,
    ) -> None:  # fmt: skip
        """Start the threads.

        Args:
            catalog: of the library.
            thumbnails: of the library.
            preprocess: of each space, by its id.
            threads: how many files are read at once.
            gpu: decodes JPEGs for the threads, which then compute by its permits.
        """
        self.in_flight = InFlight()
        self._catalog = catalog
        self._thumbnails = thumbnails
        self._preprocess = preprocess
        self._space_ids = tuple(preprocess)
        self._gpu = gpu
        self._budget = PixelBudget(PIXELS_A_THREAD * threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="read")

    def submit(self, task: Task) -> Future[ReadResult]:
        """Have a file read (see `read`) as soon as a thread is free."""
        return self._pool.submit(self.read, task)

    def close(self) -> None:
        """Wait for what is being read, and drop what is not yet begun."""
        self._pool.shutdown(cancel_futures=True)

    def read(self, task: Task) -> ReadResult:
        """Read one file; whatever is wrong with it is in the result.

        Raises:
            LibraryError: the library's disk is full or read-only.
        """
        with nullcontext() if self._gpu is None else self._gpu.cores:
            result = self._read_file(task)
            return result if result.facts is None else replace(result, facts=with_place_names(result.facts))

    def _read_file(self, task: Task) -> ReadResult:
        path = to_path(os.fsencode(task.root), task.path)
        file = File(task.root_id, task.path, 0, 0)
        result: ReadResult | None = None
        try:
            with path.open("rb") as opened:
                file = _file(task, opened)
                result = self._read_header(task, file, opened)
                if result is None:
                    source: _Source = io.BytesIO(opened.read()) if file.size <= WHOLE_FILE else opened
                    result = self._read(task, file, source)
                after = _file(task, opened)
                # Its row keeps the ctime from before: if that is another now, the next run reads it again.
                if (after.size, after.mtime_ns) == (file.size, file.mtime_ns):
                    return result
                # Its row keeps the old time, so the next run reads it again.
                return _failed(task, file, "read", "the file changed while it was read", _hash_in_flight(result))
        except FileNotFoundError:
            return ReadResult(task, file, b"", gone=True)
        except OSError as error:
            return _failed(
                task, file, "read", f"the file can't be read: {error.strerror or error}", _hash_in_flight(result)
            )

    def _read_header(self, task: Task, file: File, opened: BinaryIO) -> ReadResult | None:
        """The facts of a file that is still what the library knows; None where all of it must be read."""
        if task.old_content is None or task.header_only != (file.size, file.mtime_ns, file.ctime_ns):
            return None
        digest = self._catalog.hash_of(task.old_content)
        if digest is None:
            return None
        try:
            facts = asdict(decode_header(opened, beside=_beside(task)))
        except DecodeError:  # its bytes tell whether it is damaged
            opened.seek(0)
            return None
        if self._is_another_picture(task.old_content, facts):
            opened.seek(0)
            return None
        return ReadResult(task, file, digest, task.old_content, facts=facts)

    def _read(self, task: Task, file: File, source: _Source) -> ReadResult:
        digest = hashlib.file_digest(source, "sha256").digest()
        # Added before the look into the library: a content that is committed in between is then found there.
        if not self.in_flight.add(digest):
            return ReadResult(task, file, digest, duplicate_in_flight=True)
        try:
            return self._read_first(task, file, source, digest)
        except BaseException:  # else its copies would wait for ever
            self.in_flight.remove(digest)
            raise

    def _read_first(self, task: Task, file: File, source: _Source, digest: bytes) -> ReadResult:
        known = self._catalog.content_by_hash(digest, self._space_ids)
        held = frozenset[int]() if known is None else known[1]
        is_anew = False
        if known is not None and held:
            again = self._facts_again(task, source) if task.facts_due else None
            is_anew = again is not None and self._is_another_picture(known[0], again)
            if not is_anew and len(held) == len(self._space_ids):
                self.in_flight.remove(digest)
                return ReadResult(task, file, digest, known[0], facts=again)
        lacking = {id_: each for id_, each in self._preprocess.items() if is_anew or id_ not in held}
        source.seek(0)
        try:
            wanted = known is None or is_anew or not self._thumbnails.path(digest).exists()
            decoded = decode(
                source,
                need=max(each.need for each in lacking.values()),
                thumbnail=wanted,
                gpu=self._gpu,
                budget=self._budget,
                beside=_beside(task),
            )
        except DecodeError as error:
            return _failed(task, file, error.stage, error.reason, digest)
        if decoded.thumbnail is not None:
            self._write_thumbnail(digest, decoded.thumbnail)
        facts = {**asdict(decoded.facts), "colour": decoded.colour, "remark": decoded.remark}
        content_id = None if known is None else known[0]
        try:
            # Spaces that prepare pictures alike share them.
            prepared = {each: each.apply(decoded.pixels, decoded.original) for each in set(lacking.values())}
        except (RuntimeError, MemoryError) as error:
            return _failed(task, file, "decode", f"it can't be prepared for the model: {error}", digest)
        pixels = {id_: prepared[each] for id_, each in lacking.items()}
        look = self._look_due(content_id, digest) if decoded.look is None else decoded.look
        return ReadResult(task, file, digest, content_id, facts=facts, is_anew=is_anew, pixels=pixels, look=look)

    def _look_due(self, content_id: int | None, digest: bytes) -> Look | None:
        """The look of a known content that has none, by its thumbnail."""
        if content_id is None or has_look(self._catalog.engine, content_id):
            return None
        thumbnail = self._thumbnails.read(digest)
        return None if thumbnail is None else look_of_thumbnail(thumbnail)

    def _is_another_picture(self, content_id: int, facts: Mapping[str, Any]) -> bool:
        """Whether an older version read a picture of another shape, such as the stamp in a raw file."""
        return self._catalog.shape_of(content_id) != (facts["width"], facts["height"], facts["orientation"])

    def _facts_again(self, task: Task, source: _Source) -> Mapping[str, Any] | None:
        """The facts of a known content from this file's header and sidecars; None without a header."""
        source.seek(0)
        with suppress(DecodeError):
            return asdict(decode_header(source, beside=_beside(task)))
        return None

    def _write_thumbnail(self, digest: bytes, data: bytes) -> None:
        try:
            self._thumbnails.write(digest, data)
        except OSError as error:  # the library's trouble, not the picture's: the run can't go on
            said = disk_sentence(error) or f"A thumbnail can't be written: {error.strerror}: {error.filename}."
            raise LibraryError(f"{said} What was committed is safe.") from error


def _file(task: Task, opened: BinaryIO) -> File:
    facts = os.fstat(opened.fileno())
    return File(
        task.root_id, task.path, facts.st_size, facts.st_mtime_ns, facts.st_dev, inode_of(facts), facts.st_ctime_ns,
        task.sidecars,
    )  # fmt: skip


def _beside(task: Task) -> Beside:
    picture = to_path(os.fsencode(task.root), task.path)
    return Beside(picture.name, sidecars.read(picture, task.sidecars))


def _hash_in_flight(result: ReadResult | None) -> bytes:
    """The hash that a read has added to those in flight and not removed; empty where there is none."""
    return result.hash if result is not None and (result.pixels or result.failed is not None) else b""


def _failed(task: Task, file: File, stage: str, reason: str, content_hash: bytes = b"") -> ReadResult:
    return ReadResult(task, file, content_hash, failed=Failed(file, stage, reason))
