"""What a worker process is asked: the pictures of one file, decoded apart from this process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.images import wire
from sightline.images.errors import DecodeError
from sightline.images.scaling import PREVIEW_SIDE
from sightline.images.shared_memory import SharedMemory
from sightline.metadata.facts import Facts
from store.paths import display

if TYPE_CHECKING:
    from sightline.images.finish import Decoded, ToSrgb
    from sightline.images.gpu_jpeg import GpuJpegDecoder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file was when it was opened: bytes, nanoseconds, and its place on its device."""

    size: int
    mtime_ns: int
    ctime_ns: int
    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is, and its XMP sidecars beside it: all below a root, by paths with `/`.

    `follow_links` tells of a folder, by its path with a slash at the end, whether links that lie in it are followed;
    None: they never are. `name` is the one by which the file is known, where it is a copy with another.
    """

    root: bytes
    path: bytes
    sidecars: tuple[bytes, ...] = ()
    follow_links: Callable[[bytes], bool] | None = None
    name: bytes | None = None

    def request(self) -> wire.Message:
        """What a worker is told of it."""
        follow, at = self.follow_links, 0
        folders = []
        while follow is not None:
            folders.append(follow(self.path[:at]))
            at = self.path.find(b"/", at) + 1
            if not at:
                break
        return {
            "root": wire.text_of(self.root), "path": wire.text_of(self.path), "follow_links": folders,
            "sidecars": [wire.text_of(path) for path in self.sidecars],
            "name": os.fsdecode((self.name or self.path).rsplit(b"/", 1)[-1]),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole picture, to cut parts out of.

    Attributes:
        pixels: (height, width, 3) uint8, upright.
        profile: the ICC profile that makes sRGB of them, see `Reader.to_srgb`; None where they are in it.
    """

    pixels: NDArray[np.uint8]
    profile: bytes | None


class Process(Protocol):
    """What answers requests: a worker process, or this one."""

    memory: SharedMemory
    is_alive: bool
    was_killed: bool

    def ask(self, request: wire.Message) -> wire.Message:
        """Have a request answered."""

    def end(self) -> None:
        """End it."""


class Reader:
    """A worker while one file is at hand.

    Arrays are valid until the next call, and no longer than it is held.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._place = Place(b"", b"")

    @property
    def is_alive(self) -> bool:
        """Whether the worker goes on; if not, the file that it had has failed."""
        return self._process.is_alive

    @property
    def was_killed(self) -> bool:
        """Whether the worker was ended from outside, for which the file that it had need not be to blame."""
        return self._process.was_killed

    def open(
        self, place: Place, *, digest: bool = True, unless: tuple[int, int, int] | None = None
    ) -> tuple[FileFacts, bytes | None]:
        """Open a file: nothing else is read until the next one is opened, whatever becomes of its path.

        Args:
            place: of the file.
            digest: whether to read it whole, for its hash.
            unless: size, mtime and ctime with which it is not read.

        Returns:
            What the file is, and its SHA-256; None where it was not read.

        Raises:
            OSError: it can't be opened or read.
            DecodeError: it is too large, or its disk does not answer.
        """
        self._place = place
        answer = self._ask(
            {"do": "open", "hash": digest, "unless": None if unless is None else list(unless), **place.request()}
        )
        facts = self._stat(answer)
        return facts, self._digest(answer) if "digest" in answer else None

    def give(self, data: bytes) -> None:
        """Let the worker take a file's bytes in place of a file.

        Raises:
            DecodeError: there is no room for them.
        """
        self._place = Place(b"", b"")
        try:
            self._process.memory.array(0, (len(data),))[...] = np.frombuffer(data, np.uint8)
        except (ValueError, OSError, MemoryError) as error:
            raise DecodeError("read", f"there is no room for its {len(data):,} bytes") from error
        self._ask({"do": "given", "size": len(data)})

    def digest(self) -> bytes:
        """The SHA-256 of the file at hand; errors as of `open`."""
        return self._digest(self._ask({"do": "hash"}))

    def facts_now(self) -> FileFacts:
        """What the file at hand is by now: another time tells that it was written to since."""
        return self._stat(self._ask({"do": "stat"}))

    def header(self) -> Facts:
        """The facts of the file at hand, and of its sidecars; no pixels are decoded.

        Raises:
            DecodeError: its header can't be read.
        """
        return self._facts(self._ask({"do": "header", **self._place.request()}))

    def decode(self, *, need: int, thumbnail: bool = True, gpu: GpuJpegDecoder | None = None) -> Decoded:
        """Decode the file at hand: see `sightline.images.pixels.for_model`.

        With `gpu`, of whose `cores` the caller holds one, a JPEG may be decoded on a GPU: that is in this process.

        Raises:
            DecodeError: it can't be shown in full.
        """
        from sightline.images import finish

        request = {"do": "model", "need": need, "thumbnail": thumbnail, **self._place.request()}
        answer = self._ask({**request, "gpu": gpu is not None})
        pixels = None if gpu is None or "gpu" not in answer else self._by_gpu(gpu, answer["gpu"])
        if pixels is None:
            if "gpu" in answer:
                answer = self._ask({**request, "gpu": False})
            pixels = self._pixels(answer)
        facts, original, remark = self._facts(answer), self._pair(answer.get("original")), self._remark(answer)
        return finish.decoded(
            pixels, facts, original, remark, thumbnail=thumbnail, to_srgb=self._to_srgb(answer, pixels.nbytes)
        )

    def preview(self, side: int = PREVIEW_SIDE) -> bytes:
        """A preview of the file at hand: see `sightline.images.finish.preview`; errors as of `decode`."""
        from sightline.images import finish

        answer = self._ask({"do": "screen", "side": side})
        pixels = self._pixels(answer)
        return finish.preview(pixels, self._to_srgb(answer, pixels.nbytes), side)

    def whole(self, scale: int) -> Whole:
        """All of the file at hand at 1 / `scale`, a power of two: a copy; errors as of `decode`."""
        answer = self._ask({"do": "scale", "scale": scale})
        return Whole(self._pixels(answer).copy(), self._profile(answer))

    def embedded(self) -> NDArray[np.uint8] | None:
        """The small picture in the EXIF of the file at hand, upright: (h, w, 3); None without one."""
        answer = self._ask({"do": "embedded"})
        return self._pixels(answer) if "shape" in answer else None

    def to_srgb(self, pixels: NDArray[np.uint8], profile: bytes, *, start: int = 0) -> NDArray[np.uint8]:
        """Make sRGB of pixels (h, w, 3) by an ICC profile; `start`: where the shared memory is free."""
        part = self._process.memory.array(start, pixels.shape)
        part[...] = pixels
        shape = list(pixels.shape[:2])
        self._ask({"do": "convert", "start": start, "shape": shape, "profile": wire.text_of(profile)})
        return part

    # -- what the worker says ---------------------------------------------------------------------------------------

    def _ask(self, request: wire.Message) -> wire.Message:
        answer = self._process.ask(request)
        try:
            for path, reason in answer.get("unread", ()):
                where = display(self._place.root + b"/" + wire.bytes_of(path))
                log.warning("the sidecar %s %s; its picture is read without it", where, display(reason.encode()))
            if "wrong" in answer:
                raise wire.error_of_json(answer["wrong"])
            if "os" in answer:
                number, text = answer["os"]
                raise OSError(None if number is None else int(number), str(text))
        except (wire.NonsenseError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            raise self._nonsense(error) from error
        return answer

    def _nonsense(self, error: Exception) -> DecodeError:
        self._process.end()
        return wire.nonsense(error)

    def _facts(self, answer: wire.Message) -> Facts:
        try:
            return wire.facts_of_json(answer.get("facts"))
        except wire.NonsenseError as error:
            raise self._nonsense(error) from error

    def _stat(self, answer: wire.Message) -> FileFacts:
        try:
            return FileFacts(*wire.whole_numbers(answer.get("stat"), 5))
        except wire.NonsenseError as error:
            raise self._nonsense(error) from error

    def _digest(self, answer: wire.Message) -> bytes:
        try:
            return wire.digest_of(answer.get("digest"))
        except wire.NonsenseError as error:
            raise self._nonsense(error) from error

    def _pair(self, value: object) -> tuple[int, int]:
        try:
            return wire.pair_of(value)
        except wire.NonsenseError as error:
            raise self._nonsense(error) from error

    def _remark(self, answer: wire.Message) -> str | None:
        remark = answer.get("remark")
        return remark[:1000] if isinstance(remark, str) else None

    def _pixels(self, answer: wire.Message) -> NDArray[np.uint8]:
        height, width = self._pair(answer.get("shape"))
        try:
            return self._process.memory.array(0, (height, width, 3))
        except ValueError as error:
            raise self._nonsense(error) from error

    def _profile(self, answer: wire.Message) -> bytes | None:
        text = answer.get("profile")
        try:
            return None if text is None else wire.bytes_of(text)
        except wire.NonsenseError as error:
            raise self._nonsense(error) from error

    def _to_srgb(self, answer: wire.Message, used: int) -> ToSrgb | None:
        profile = self._profile(answer)
        if profile is None:
            return None
        start = self._process.memory.after(used)
        return lambda pixels: self.to_srgb(pixels, profile, start=start)

    def _by_gpu(self, gpu: GpuJpegDecoder, told: object) -> NDArray[np.uint8] | None:
        from sightline.images.upright import turned

        match told:
            case {"bytes": int(size), "size": [int(width), int(height)], "scale": int(scale), "turn": int(turn)}:
                made = gpu.decode(self._process.memory.array(0, (size,)).tobytes(), (width, height), scale)
                return None if made is None else turned(made, turn)
        raise self._nonsense(wire.NonsenseError("it does not say what a GPU is to decode"))
