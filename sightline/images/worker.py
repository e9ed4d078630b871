"""What a worker does: reads files and decodes them, one at a time, for the process that started it.

Whatever a decoder does with a file, it does to this process. It holds no library, no network and no other file, and it
believes nothing of what it reads. It does not import torch.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from sightline.images import embedded, pixels, wire
from sightline.images.errors import DecodeError
from sightline.images.limits import PIXELS_AT_ONCE, Limits
from sightline.images.pixels import Budget
from sightline.images.shared_memory import SharedMemory
from sightline.images.to_rgb import to_srgb
from sightline.images.upright import TURNS
from sightline.images.whole_files import check_file
from sightline.metadata.facts import Beside
from sightline.models.memory import give_back, keep_freed
from store.descriptors import open_below

# A file up to this size is read once, into memory, for its hash and its pixels; a larger one is read twice.
WHOLE_FILE: Final = 64 * 2**20
# So many bytes are read at once, and so many seconds of reading are told of.
_CHUNK: Final = 16 * 2**20
_BEAT: Final = 1.0
# Far above what programs write; a sidecar that is larger is no sidecar.
LARGEST_SIDECAR: Final = 16 * 2**20
# What a large picture leaves free is given back, since few others need as much, bytes.
_LARGE: Final = 48 * 2**20

Answer = dict[str, Any]


@dataclass(slots=True)
class _Opened:
    """The file at hand: what is read of it, and its descriptor, unless its bytes were given."""

    source: io.BytesIO | io.BufferedReader[_Beating]
    file: io.BufferedReader[_Beating] | None

    def facts(self) -> list[int] | None:
        """Of its `stat`: size, times (mtime, ctime), device and inode."""
        if self.file is None:
            return None
        found = os.fstat(self.file.fileno())
        return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino]


class Worker:
    """Answers requests, one at a time: JSON in and out, pixels by the shared memory."""

    def __init__(self, memory: SharedMemory, limits: Limits, budget: Budget, beat: Callable[[], None]) -> None:
        """Prepare.

        Args:
            memory: shared with who asks.
            limits: of one file; of them the reasons tell.
            budget: of the pixels that are decoded at once.
            beat: called each second while much is read.
        """
        self._memory = memory
        self._limits = limits
        self._budget = budget
        self._beat = beat
        self._opened: _Opened | None = None
        self._does: dict[str, Callable[[Any], Answer]] = {
            "open": self._open, "given": self._given, "hash": self._hash, "header": self._header,
            "model": self._model, "screen": self._screen, "scale": self._scale, "embedded": self._embedded,
            "stat": self._stat, "convert": self._convert,
        }  # fmt: skip

    def answer(self, request: Mapping[str, Any]) -> Answer:
        """Answer a request; whatever is wrong with a file is in the answer."""
        try:
            return self._does[request["do"]](request)
        except DecodeError as error:
            return {"wrong": wire.error_to_json(error)}
        except MemoryError:
            reason = f"decoding it takes more than {self._limits.memory / 1e9:.1f} GB of memory"
            return {"wrong": wire.error_to_json(DecodeError("decode", reason))}
        except OSError as error:
            return {"os": [error.errno, error.strerror or str(error)]}

    # -- files ------------------------------------------------------------------------------------------------------

    def _open(self, request: Mapping[str, Any]) -> Answer:
        """Open a file below a root; with `hash`, unless its `stat` is `unless`, read it too."""
        self._close()
        descriptor = open_below(
            Path(os.fsdecode(wire.bytes_of(request["root"]))), wire.bytes_of(request["path"]),
            follow_links=_follows(request),
        )  # fmt: skip
        file = io.BufferedReader(_Beating(descriptor, self._beat))
        self._opened = opened = _Opened(file, file)
        facts = opened.facts()
        assert facts is not None
        if not request["hash"] or facts[:3] == request["unless"]:
            return {"stat": facts}
        return {"stat": facts, **self._hash(request)}

    def _hash(self, request: Mapping[str, Any]) -> Answer:
        opened = self._at_hand()
        if opened.file is not None:
            opened.file.seek(0)
            opened.file.raw.seek(0)  # where the buffer has that place, the file itself is not there yet
            size = os.fstat(opened.file.fileno()).st_size
            check_file(opened.file, size)
            if size <= WHOLE_FILE:
                opened.source = io.BytesIO(opened.file.raw.whole() if size > _CHUNK else opened.file.raw.readall())
        opened.source.seek(0)
        return {"digest": hashlib.file_digest(opened.source, "sha256").hexdigest()}

    def _given(self, request: Mapping[str, Any]) -> Answer:
        """Take the bytes of a file from the shared memory."""
        self._close()
        self._opened = _Opened(io.BytesIO(self._memory.array(0, (request["size"],)).tobytes()), None)
        return {}

    def _stat(self, request: Mapping[str, Any]) -> Answer:
        return {"stat": self._at_hand().facts()}

    def _at_hand(self) -> _Opened:
        assert self._opened is not None  # the program opens before it asks
        return self._opened

    def _close(self) -> None:
        if self._opened is not None and self._opened.file is not None:
            with suppress(OSError):
                self._opened.file.close()
        self._opened = None

    # -- pictures ---------------------------------------------------------------------------------------------------

    def _header(self, request: Mapping[str, Any]) -> Answer:
        beside, unread = self._beside(request)
        facts = pixels.facts_of_header(self._at_hand().source, beside=beside)
        return {"facts": wire.facts_to_json(facts), "unread": unread, "stat": self._at_hand().facts()}

    def _model(self, request: Mapping[str, Any]) -> Answer:
        beside, unread = self._beside(request)
        made = pixels.for_model(
            self._at_hand().source, need=request["need"], thumbnail=request["thumbnail"], beside=beside,
            budget=self._budget, gpu=request["gpu"],
        )  # fmt: skip
        return {**self._shown(made), "unread": unread, "stat": self._at_hand().facts()}

    def _screen(self, request: Mapping[str, Any]) -> Answer:
        return self._shown(pixels.for_screen(self._at_hand().source, request["side"]))

    def _scale(self, request: Mapping[str, Any]) -> Answer:
        return self._shown(pixels.at_scale(self._at_hand().source, request["scale"]))

    def _embedded(self, request: Mapping[str, Any]) -> Answer:
        picture = embedded.thumbnail(self._at_hand().source)
        if picture is None:
            return {}
        self._memory.array(0, picture.shape)[...] = picture
        return {"shape": picture.shape[:2]}

    def _shown(self, made: pixels.Pixels) -> Answer:
        """Put pixels into the shared memory, upright, or what a GPU is to decode."""
        answer = {
            "facts": wire.facts_to_json(made.facts), "original": made.original, "remark": made.remark,
            "profile": None if made.profile is None else wire.text_of(made.profile),
        }  # fmt: skip
        if isinstance(made.stored, pixels.OnGpu):
            data, size, scale = made.stored
            self._memory.array(0, (len(data),))[...] = np.frombuffer(data, np.uint8)
            return {**answer, "gpu": {"bytes": len(data), "size": size, "scale": scale, "turn": made.turn}}
        turn = TURNS.get(made.turn)
        if turn is None:
            height, width, _ = made.stored.shape
            self._memory.array(0, (height, width, 3))[...] = made.stored
        else:
            height, width = turn(made.stored[..., 0]).shape
            upright = self._memory.array(0, (height, width, 3))
            for channel in range(3):  # see `upright.turned`
                upright[..., channel] = turn(made.stored[..., channel])
        if made.stored.nbytes > _LARGE:
            del made
            give_back()
        return {**answer, "shape": (height, width)}

    def _convert(self, request: Mapping[str, Any]) -> Answer:
        """Make sRGB of pixels in the shared memory, in their place."""
        height, width = request["shape"]
        part = self._memory.array(request["start"], (height, width, 3))
        transform = to_srgb(wire.bytes_of(request["profile"]), "RGB")
        if transform is not None:
            part[...] = np.asarray(transform.apply(Image.fromarray(part)))
        return {}

    def _beside(self, request: Mapping[str, Any]) -> tuple[Beside, list[Sequence[str]]]:
        """What lies beside a file: its sidecars, and which of them can't be read, and why not."""
        found: list[bytes] = []
        unread: list[Sequence[str]] = []
        for path in request["sidecars"]:
            root = Path(os.fsdecode(wire.bytes_of(request["root"])))
            try:
                descriptor = open_below(root, wire.bytes_of(path), follow_links=_follows(request))
                with os.fdopen(descriptor, "rb") as file:
                    data = file.read(LARGEST_SIDECAR + 1)
            except OSError as error:
                unread.append((path, f"can't be read ({error.strerror or error})"))
                continue
            if len(data) > LARGEST_SIDECAR:
                unread.append((path, f"is over {LARGEST_SIDECAR >> 20} MB"))
            else:
                found.append(data)
        return Beside(request["name"], tuple(found)), unread


def _follows(request: Mapping[str, Any]) -> Callable[[bytes], bool] | bool:
    """Whether links in each folder on the way to a file are followed."""
    told = list(map(bool, request["follow_links"]))
    return (lambda folder: folder.count(b"/") < len(told) and told[folder.count(b"/")]) if any(told) else False


def serve(channel: Connection, memory: SharedMemory, limits: Limits) -> None:
    """Answer the requests of another process until it closes the channel."""
    worker = Worker(memory, limits, _Asked(channel), lambda: wire.send(channel, {"alive": True}))
    keep_freed()
    bound_memory(limits.memory)
    while True:
        try:
            request = wire.receive(channel)
            bound_time(limits.cpu_seconds)
            wire.send(channel, worker.answer(request))
        except (EOFError, OSError):
            return


class _Asked:
    """A budget of pixels that the program keeps: large pictures ask for their turn."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        if pixels > PIXELS_AT_ONCE:
            wire.send(self._channel, {"hold": pixels})
            wire.receive(self._channel)
        yield


class _Beating(io.FileIO):
    """A file that tells, while much of it is read, that its disk still answers."""

    def __init__(self, descriptor: int, beat: Callable[[], None]) -> None:
        super().__init__(descriptor, "rb")
        self._beat = beat
        self._last = time.monotonic()

    def readinto(self, buffer: Any, /) -> int:
        count = super().readinto(buffer)
        self._tell()
        return int(count or 0)

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._last > _BEAT:
            self._last = now
            self._beat()

    def whole(self) -> bytes:
        """All that is left, read in parts."""
        parts: list[bytes] = []
        while part := self.read(_CHUNK):
            parts.append(part)
            self._tell()
        return b"".join(parts)


def bound_memory(size: int) -> None:
    """Let this process have so many bytes of memory, and leave no picture of itself if it crashes."""
    with suppress(ImportError, ValueError, OSError):  # Windows has no such limits; a lower one may be set already
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # Linux counts what is private and writable; elsewhere the limit may mean less, or nothing.
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def bound_time(seconds: int) -> None:
    """Let this process have so many more seconds of a processor; the system ends it then."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        most = int(used.ru_utime + used.ru_stime) + 1 + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
