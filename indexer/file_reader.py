"""Reading of files: the hash, and of new contents the pixels, facts and thumbnail.

Runs in many threads at once, each of which has a worker process read and decode; everything shared is either locked or
only read. What a decoder does with a file, it does to the worker.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from indexer import sidecars
from indexer.fetching import Fetched, Fetcher
from indexer.scanner import Task
from indexer.stat_numbers import inode_of, time_of
from indexer.uploads import Uploads
from sightline.images.errors import DecodeError
from sightline.images.look import Look, look_of_thumbnail
from sightline.images.place_names import with_place_names
from sightline.images.reader import FileFacts, Place, Reader
from sightline.images.workers import Workers
from sightline.models.preprocess import Preprocess
from sightline.tiles.grid import CutPicture, cut, need_of
from store.addresses import is_address
from store.disk_errors import disk_sentence
from store.errors import LibraryError
from store.images.thumbnails import Thumbnails
from store.paths import to_bytes
from store.tables.catalog import Catalog
from store.tables.looks import has_look
from store.tables.tiles import tiled_among
from store.tables.writer import Failed, File

if TYPE_CHECKING:
    from sightline.images.gpu_jpeg import GpuJpegDecoder


NO_GRIDS: Final[Mapping[int, int]] = MappingProxyType({})


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
        tiles: of the picture, by the id of each space in which these must be encoded.
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
    pixels: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict, repr=False)
    tiles: Mapping[int, CutPicture] = field(default_factory=dict, repr=False)
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
        workers: Workers, threads: int, gpu: GpuJpegDecoder | None = None, grids: Mapping[int, int] = NO_GRIDS,
    ) -> None:  # fmt: skip
        """Start the threads.

        Args:
            catalog: of the library.
            thumbnails: of the library.
            preprocess: of each space, by its id.
            workers: one for each thread; they are ended with this.
            threads: how many files are read at once.
            gpu: decodes JPEGs for the threads, which then compute by its permits.
            grids: of the spaces that have tiles.
        """
        self.in_flight = InFlight()
        self._catalog = catalog
        self._thumbnails = thumbnails
        self._preprocess = preprocess
        self._grids = grids
        self._space_ids = tuple(preprocess)
        self._gpu = gpu
        self._workers = workers
        self._threads = threads
        self._undecodable: dict[bytes, tuple[str, str]] = {}  # by hash: stage and reason
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="read")
        self._fetcher: Fetcher | None = None
        self._uploads = Uploads() if thumbnails is not None and thumbnails.address is not None else None

    def submit(self, task: Task) -> Future[ReadResult]:
        """Have a file read as soon as a thread is free; whatever is wrong with it is in the result.

        The future raises LibraryError where the library's disk is full or read-only, or a store does not answer.
        """
        read = self._pool.submit(self._read_wherever, task, self._fetching(task))
        return read if self._uploads is None else self._uploads.after(read)

    def _fetching(self, task: Task) -> Future[Fetched] | None:
        """An object that is being fetched from now on; None for a file of this machine."""
        if not is_address(task.root):
            return None
        if self._fetcher is None:
            self._fetcher = Fetcher(self._threads, self._workers.limits)
        return self._fetcher.submit(task)

    def close(self) -> None:
        """End what is being read, and drop what is not yet begun: nobody wants it any more."""
        if self._fetcher is not None:
            self._fetcher.close()
        self._workers.close()
        self._pool.shutdown(cancel_futures=True)
        if self._uploads is not None:
            self._uploads.close()

    def _read_wherever(self, task: Task, fetching: Future[Fetched] | None) -> ReadResult:
        """Read a file, or an object once it is a file of this machine; others are fetched meanwhile."""
        if fetching is None:
            return self._read(task)
        file = File(task.root_id, task.path, 0, 0)
        try:
            with fetching.result() as fetched:
                return self._read(task, fetched)
        except FileNotFoundError:
            return ReadResult(task, file, b"", gone=True)
        except OSError as error:
            return _failed(task, file, "read", f"the object can't be read: {error.strerror or error}")
        except DecodeError as error:
            return _failed(task, _walked(task, file), error.stage, error.reason)

    def _read(self, task: Task, fetched: Fetched | None = None) -> ReadResult:
        with nullcontext() if self._gpu is None else self._gpu.cores:
            with self._workers.reader() as reader:
                result = self._read_file(task, reader, fetched)
            # By a person, or by the system, where memory ran out: the file need not be to blame.
            if reader.was_killed and result.failed is not None:
                self.in_flight.remove(result.hash)
                with self._workers.reader() as reader:
                    result = self._read_file(task, reader, fetched)
        return result if result.facts is None else replace(result, facts=with_place_names(result.facts))

    def _read_file(self, task: Task, reader: Reader, fetched: Fetched | None) -> ReadResult:
        file = File(task.root_id, task.path, 0, 0)
        result: ReadResult | None = None
        try:
            # Only its header, where the file is what the walk saw and the library knows all else of it.
            known = None if task.old_content is None or fetched is not None else task.header_only
            facts, digest = reader.open(_place(task) if fetched is None else fetched.place, unless=known)
            file = _file(task, facts) if fetched is None else fetched.file(task)
            if digest is None:
                result = self._read_header(task, file, reader)
            if result is None:
                result = self._read_content(task, file, reader, digest or reader.digest())
            after = reader.facts_now() if reader.is_alive else facts
            # Its row keeps the ctime from before: if that is another now, the next run reads it again.
            if (after.size, after.mtime_ns) == (facts.size, facts.mtime_ns):
                return result
            # Its row keeps the old time, so the next run reads it again.
            return _failed(task, file, "read", "the file changed while it was read", _hash_in_flight(result))
        except FileNotFoundError:
            return ReadResult(task, file, b"", gone=True)
        except OSError as error:
            return _failed(
                task, file, "read", f"the file can't be read: {error.strerror or error}", _hash_in_flight(result)
            )
        except DecodeError as error:  # its disk does not answer, or it is too large to be read
            return _failed(task, _walked(task, file), error.stage, error.reason, _hash_in_flight(result))

    def _read_header(self, task: Task, file: File, reader: Reader) -> ReadResult | None:
        """The facts of a file that is still what the library knows; None where all of it must be read."""
        assert task.old_content is not None
        digest = self._catalog.hash_of(task.old_content)
        if digest is None:
            return None
        try:
            facts = asdict(reader.header())
        except DecodeError:
            if not reader.is_alive:
                raise
            return None  # its bytes tell whether it is damaged
        if self._is_another_picture(task.old_content, facts):
            return None
        return ReadResult(task, file, digest, task.old_content, facts=facts)

    def _read_content(self, task: Task, file: File, reader: Reader, digest: bytes) -> ReadResult:
        if digest in self._undecodable:  # a copy of it was tried in this run, which may have taken minutes
            return _failed(task, file, *self._undecodable[digest])
        # Added before the look into the library: a content that is committed in between is then found there.
        if not self.in_flight.add(digest):
            return ReadResult(task, file, digest, duplicate_in_flight=True)
        try:
            return self._read_first(task, file, reader, digest)
        except BaseException:  # else its copies would wait for ever
            self.in_flight.remove(digest)
            raise

    def _read_first(self, task: Task, file: File, reader: Reader, digest: bytes) -> ReadResult:
        known = self._catalog.content_by_hash(digest, self._space_ids)
        held = frozenset[int]() if known is None else known[1]
        tiled = frozenset[int]()
        if known is not None and self._grids:
            tiled = self._tiled(known[0])
        is_anew = False
        if known is not None and held:
            again = self._facts_again(reader) if task.facts_due else None
            is_anew = again is not None and self._is_another_picture(known[0], again)
            if not is_anew and len(held) == len(self._space_ids) and len(tiled) == len(self._grids):
                self.in_flight.remove(digest)
                return ReadResult(task, file, digest, known[0], facts=again)
        lacking = {id_: each for id_, each in self._preprocess.items() if is_anew or id_ not in held}
        uncut = {id_: (self._preprocess[id_], grid) for id_, grid in self._grids.items() if is_anew or id_ not in tiled}
        try:
            wanted = known is None or is_anew or not self._has_thumbnail(digest)
            needs = [*(each.need for each in lacking.values()), *(need_of(*each) for each in uncut.values())]
            decoded = reader.decode(need=max(needs), thumbnail=wanted, gpu=self._gpu)
        except DecodeError as error:
            if error.stage != "read" and not reader.was_killed:
                self._undecodable[digest] = error.stage, error.reason
            return _failed(task, file, error.stage, error.reason, digest)
        if decoded.thumbnail is not None:
            self._write_thumbnail(digest, decoded.thumbnail)
        facts = {**asdict(decoded.facts), "colour": decoded.colour, "remark": decoded.remark}
        content_id = None if known is None else known[0]
        try:
            # Spaces that prepare pictures alike share them.
            prepared = {each: each.apply(decoded.pixels, decoded.original) for each in set(lacking.values())}
            made = {each: cut(decoded.pixels, decoded.original, each[1], each[0]) for each in set(uncut.values())}
        except (RuntimeError, ValueError, MemoryError) as error:
            return _failed(task, file, "decode", f"it can't be prepared for the model: {error}", digest)
        pixels = {id_: prepared[each] for id_, each in lacking.items()}
        look = self._look_due(content_id, digest) if decoded.look is None else decoded.look
        return ReadResult(
            task, file, digest, content_id, facts=facts, is_anew=is_anew, pixels=pixels,
            tiles={id_: made[each] for id_, each in uncut.items()}, look=look,
        )  # fmt: skip

    def _tiled(self, content_id: int) -> frozenset[int]:
        """The ids of the spaces in which a known content has its tiles."""
        return tiled_among(self._catalog.engine, content_id, tuple(self._grids))

    def _has_thumbnail(self, digest: bytes) -> bool:
        return self._thumbnails.has(digest)

    def _look_due(self, content_id: int | None, digest: bytes) -> Look | None:
        """The look of a known content that has none, by its thumbnail."""
        if content_id is None or has_look(self._catalog.engine, content_id):
            return None
        thumbnail = self._thumbnails.read(digest)
        return None if thumbnail is None else look_of_thumbnail(thumbnail)

    def _is_another_picture(self, content_id: int, facts: Mapping[str, Any]) -> bool:
        """Whether an older version read a picture of another shape, such as the stamp in a raw file."""
        return self._catalog.shape_of(content_id) != (facts["width"], facts["height"], facts["orientation"])

    def _facts_again(self, reader: Reader) -> Mapping[str, Any] | None:
        """The facts of a known content from this file's header and sidecars; None without a header."""
        with suppress(DecodeError):
            return asdict(reader.header())
        return None

    def _write_thumbnail(self, digest: bytes, data: bytes) -> None:
        if self._uploads is None:
            self._put_thumbnail(digest, data)
        else:
            self._uploads.send(digest, lambda: self._put_thumbnail(digest, data))

    def _put_thumbnail(self, digest: bytes, data: bytes) -> None:
        try:
            self._thumbnails.write(digest, data)
        except OSError as error:  # the library's trouble, not the picture's: the run can't go on
            where = f": {error.filename}" if error.filename else ""
            said = disk_sentence(error) or f"A thumbnail can't be written: {error.strerror}{where}."
            raise LibraryError(f"{said} What was committed is safe.") from error


def _place(task: Task) -> Place:
    return Place(to_bytes(task.root), task.path, sidecars.paths_of(task.path, task.sidecars), task.follow_links)


def _file(task: Task, facts: FileFacts) -> File:
    return File(
        task.root_id, task.path, facts.size, time_of(facts.mtime_ns), facts.device, inode_of(facts.inode),
        time_of(facts.ctime_ns), task.sidecars,
    )  # fmt: skip


def _walked(task: Task, file: File) -> File:
    """The file as it was opened, or as the walk saw it, so that it is not tried in every run."""
    if file.ctime_ns is not None or task.seen is None:
        return file
    size, mtime_ns, ctime_ns = task.seen
    return File(task.root_id, task.path, size, mtime_ns, ctime_ns=ctime_ns, sidecars=task.sidecars)


def _hash_in_flight(result: ReadResult | None) -> bytes:
    """The hash that a read has added to those in flight and not removed; empty where there is none."""
    if result is None or not (result.pixels or result.tiles or result.failed is not None):
        return b""
    return result.hash


def _failed(task: Task, file: File, stage: str, reason: str, content_hash: bytes = b"") -> ReadResult:
    return ReadResult(task, file, content_hash, failed=Failed(file, stage, reason))
