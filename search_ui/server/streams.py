"""Responses that are read while they are sent: a photo's file, with ranges, and archives."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from email.utils import formatdate
from typing import Final

from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from search_ui.server.responses import error_response
from sightline.media.opened import OpenedPhoto, SourceError

# Ranges in one request; a request with more gets the whole file.
MAX_RANGES: Final = 100

_LOG: Final = logging.getLogger(__name__)
_Range = tuple[int, int]


class PartsResponse(StreamingResponse):
    """Sends parts as a generator makes them, and closes it, also where the client leaves.

    Where it raises SourceError, the connection is broken off: the client sees that the body is not whole.
    """

    def __init__(
        self, made: Generator[bytes, None, None], status: int, headers: Mapping[str, str], media_type: str
    ) -> None:  # fmt: skip
        super().__init__(_sent(made), status, headers, media_type)

    async def stream_response(self, send: Send) -> None:
        """Send the head and the parts. A body that is not completed makes the server close the connection."""
        try:
            await super().stream_response(send)
        except SourceError as broken:
            _LOG.warning("a download was broken off: %s", broken.strerror)


async def _sent(made: Generator[bytes, None, None]) -> AsyncIterator[bytes]:
    try:
        async for part in iterate_in_threadpool(made):
            yield part
    finally:
        made.close()  # who leaves ends the reading


def photo_response(photo: OpenedPhoto, request: Request, headers: Mapping[str, str], media_type: str) -> Response:
    """Send a photo's file, or the parts of it that `Range` asks for (RFC 9110, section 14), and close it.

    Args:
        photo: open, and checked.
        request: of GET or HEAD.
        headers: of the response; with an ETag.
        media_type: of the file.
    """
    size = photo.place.size
    own = {**headers, "Accept-Ranges": "bytes", "Last-Modified": _date(photo.facts.st_mtime)}
    ranges: list[_Range] = []
    if "range" in request.headers and request.headers.get("if-range", own["ETag"]) in (
        own["ETag"],
        own["Last-Modified"],
    ):
        try:
            ranges = _ranges(request.headers["range"], size)
        except _RangeError as wrong:
            photo.close()
            more = {"Content-Range": f"bytes */{size}"} if wrong.status == 416 else {}
            return error_response(wrong.status, str(wrong), more)
    parts: list[tuple[bytes, _Range]] = [(b"", each) for each in ranges or [(0, size)]]
    end = b""
    if len(ranges) > 1:
        boundary = secrets.token_hex(13)
        parts = [(_part_head(boundary, media_type, each, size), each) for each in ranges]
        media_type, end = f"multipart/byteranges; boundary={boundary}", f"\r\n--{boundary}--\r\n".encode()
    elif ranges:
        own["Content-Range"] = f"bytes {ranges[0][0]}-{ranges[0][1] - 1}/{size}"
    length = len(end) + sum(len(head) + stop - start for head, (start, stop) in parts)
    own["Content-Length"] = str(length)
    status = 206 if ranges else 200
    if request.method == "HEAD":
        photo.close()
        return Response(None, status, own, media_type)
    return PartsResponse(_parts(photo, parts, end), status, own, media_type)


def _parts(photo: OpenedPhoto, parts: Sequence[tuple[bytes, _Range]], end: bytes) -> Generator[bytes, None, None]:
    with photo:
        for head, (start, stop) in parts:
            if head:
                yield head
            yield from photo.chunks(start, stop)
        if end:
            yield end


def _part_head(boundary: str, media_type: str, part: _Range, size: int) -> bytes:
    start, stop = part
    said = f"Content-Type: {media_type}\r\nContent-Range: bytes {start}-{stop - 1}/{size}"
    return f"\r\n--{boundary}\r\n{said}\r\n\r\n".encode()


class _RangeError(Exception):
    """`Range` can't be understood, or nothing of the file is in it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _ranges(asked: str, size: int) -> list[_Range]:
    """The parts of a file that `Range` asks for, in order, merged; none where it asks for too many."""
    unit, _, given = asked.partition("=")
    specs = [spec.strip() for spec in given.split(",")]
    if unit.strip().lower() != "bytes" or not given:
        raise _RangeError(400, "Range takes bytes only, as in bytes=0-999.")
    if len(specs) > MAX_RANGES:
        return []
    found = sorted(part for spec in specs if spec and (part := _range(spec, size)) is not None)
    if not found:
        raise _RangeError(416, f"Nothing of the file is in that range: it has {size:,} bytes.")
    made = [found[0]]
    for start, stop in found[1:]:
        if start <= made[-1][1]:
            made[-1] = made[-1][0], max(made[-1][1], stop)
        else:
            made.append((start, stop))
    return made


def _range(spec: str, size: int) -> _Range | None:
    """One part, as where it begins and where the next one would; None where the file has nothing of it."""
    first, dash, last = (part.strip() for part in spec.partition("-"))
    digits = first + last
    # Longer numbers than any file's size: Python refuses to read thousands of digits.
    if not dash or not digits or not digits.isascii() or not digits.isdigit() or len(digits) > 40:
        raise _RangeError(400, "Range takes parts such as 0-999, 1000- and -500.")
    if not first:
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            raise _RangeError(400, "A range ends before it begins.")
    return (start, stop) if start < min(stop, size) else None


def _date(seconds: float) -> str:
    try:
        return formatdate(seconds, usegmt=True)
    except (ValueError, OverflowError, OSError):
        return formatdate(0, usegmt=True)  # a time that no calendar has
