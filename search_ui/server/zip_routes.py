"""Pictures as one ZIP file that is made while it is sent: never whole in memory, and never on disk."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Generator, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from search_ui.runtime.zip_registry import zip_registry
from search_ui.server.headers import SAFE
from search_ui.server.responses import error_response
from search_ui.server.streams import PartsResponse
from sightline.media.opened import OpenedPhoto, SourceError
from sightline.media.originals import disposition, original
from store.library import Library
from store.paths import display
from store.tables.filters import casefolded

NOT_INCLUDED: Final = "not-included.txt"
"""The member that says which pictures are not in the archive, and why; there only where there are such."""

_CHUNK: Final = 1 << 18
# What the time of a member can be: PKWARE's APPNOTE 4.4.6, which is of MS-DOS.
_FIRST_YEAR: Final = 1980
_LATEST: Final = 4_340_000_000.0  # in 2107, its last year


def archive(library: Library, content_ids: Sequence[int]) -> Generator[bytes, None, None]:
    """A ZIP file of the pictures' files, in their order, as they lie on the disk: not compressed again.

    Where a name is taken, " (2)", " (3)" ... is put before its suffix; names that differ in case alone count as one,
    since some systems would write one over the other. A picture whose file is gone, changed or can't be read is named,
    with the reason, in the member `NOT_INCLUDED`; one that changes while it is sent ends where that was seen, and is
    named there too.
    """
    sink = _Sink()
    names = _Names()
    failed: list[str] = []
    with ZipFile(sink, "w", ZIP_STORED) as bundle:
        for content_id in content_ids:
            try:
                with original(library, content_id).photo as photo:
                    yield from _member(bundle, sink, photo, names)
            except SourceError as wrong:
                failed.append(f"{_shown(library, content_id)}: {wrong.strerror}")
        if failed:
            bundle.writestr(_info(names.free(NOT_INCLUDED), time.time()), "\n".join([*failed, ""]))
    yield sink.taken()


def _member(bundle: ZipFile, sink: _Sink, photo: OpenedPhoto, names: _Names) -> Iterator[bytes]:
    info = _info(names.free(_name(photo.name)), photo.facts.st_mtime)
    info.file_size = left = photo.place.size
    with bundle.open(info, "w") as member:
        try:
            for chunk in photo.chunks(size=_CHUNK):
                member.write(chunk)
                left -= len(chunk)
                yield sink.taken()
        except SourceError as wrong:
            reason = f"{wrong.strerror}: the last {left:,} bytes are missing in {info.filename}"
            raise SourceError(wrong.errno, reason) from wrong


def _info(name: str, modified: float) -> ZipInfo:
    moment = time.localtime(min(max(modified, 0.0), _LATEST))
    year = max(moment.tm_year, _FIRST_YEAR)
    info = ZipInfo(name, (year, moment.tm_mon, moment.tm_mday, moment.tm_hour, moment.tm_min, moment.tm_sec))
    info.external_attr = 0o600 << 16
    return info


def _name(name: bytes) -> str:
    """A file's name as every system can write it where the archive is opened, and nowhere else."""
    text = name.decode("utf-8", "replace")
    # A backslash parts folders on Windows: it would lead out of the folder that is written to.
    return "".join("_" if char in "\\/:" or unicodedata.category(char) == "Cc" else char for char in text)


def _shown(library: Library, content_id: int) -> str:
    photo = library.catalog.photos([content_id]).get(content_id)
    return f"picture {content_id}" if photo is None else f"{display(photo.root)}/{photo.display}"


class _Names:
    """Names that were not used yet in an archive."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._next: dict[str, int] = {}

    def free(self, wanted: str) -> str:
        path, name = PurePosixPath(wanted), wanted
        while casefolded(name) in self._given:
            number = self._next[casefolded(wanted)] = self._next.get(casefolded(wanted), 1) + 1
            name = f"{path.stem} ({number}){path.suffix}"
        self._given.add(casefolded(name))
        return name


class _Sink:
    """The file that the archive is written to: what was written is taken out at once. It can't seek."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """What was written can still be taken."""

    def taken(self) -> bytes:
        data, self._written = b"".join(self._written), []
        return data


# -- the route ------------------------------------------------------------------------------------------------------


def routes() -> list[Route]:
    """GET /zip/NAME.zip; what matches none is not found."""
    return [Route("/zip/{name:path}", _zip)]


def _zip(request: Request) -> Response:
    match = re.fullmatch(r"([0-9a-f]{32})\.zip", request.path_params["name"])
    offered = zip_registry().get(match[1]) if match is not None else None
    if offered is None:
        return error_response(404, "This archive is not here any more. Choose the pictures again.")
    library, ids = offered
    headers = {**SAFE, "Content-Disposition": disposition(f"sightline-{len(ids)}.zip".encode())}
    if request.method == "HEAD":
        return Response(headers=headers, media_type="application/zip")
    return PartsResponse(archive(library, ids), 200, headers, "application/zip")
