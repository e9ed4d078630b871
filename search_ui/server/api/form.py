"""multipart/form-data, bounded while it is read.

Not Starlette's parser: it bounds fields, but a file only once all of it is on disk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from search_ui.server.api.problems import Problem
from sightline.query.types import MAX_PICTURE_BYTES, MAX_QUERY

PICTURE: Final = "picture"
MAX_PICTURES: Final = 8
_MAX_FIELD: Final = 4 * MAX_QUERY  # bytes; a character has at most four in UTF-8
_MAX_HEADER: Final = 4_000
_MAX_PARTS: Final = MAX_PICTURES + 16
_MAX_BODY: Final = MAX_PICTURES * MAX_PICTURE_BYTES + 1_000_000


async def read_form(content_type: str, stream: AsyncIterator[bytes]) -> tuple[dict[str, str], dict[str, bytes]]:
    """The fields by name, and the parts called `picture` as files named "1", "2", ... in their order.

    Raises:
        Problem: 400 it is no form, 413 a picture, a field, their number or the whole is too large.
    """
    options = parse_options_header(content_type)[1]
    boundary = options.get(b"boundary")
    if not boundary:
        raise Problem(400, "The content type of the body says no boundary.")
    form, size = _Form(), 0
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": form.begin,
                "on_header_field": form.header_name,
                "on_header_value": form.header_value,
                "on_header_end": form.header_end,
                "on_headers_finished": form.headers_finished,
                "on_part_data": form.data,
                "on_part_end": form.end,
                "on_end": form.finish,
            },
        )
        async for chunk in stream:
            size += len(chunk)
            if size > _MAX_BODY:
                raise Problem(413, f"The body has more than {_MAX_BODY / 1e6:.0f} MB. Send fewer or smaller pictures.")
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise Problem(400, f"The body is not multipart/form-data: {error}.") from None
    if not form.finished:
        raise Problem(400, "The body ends before its last part does.")
    return form.fields, form.pictures


class _Form:
    """Takes what the parser finds, part by part, and refuses what is too much."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.pictures: dict[str, bytes] = {}
        self.finished = False
        self._parts = 0
        self._name = ""
        self._data = bytearray()
        self._header = (bytearray(), bytearray())
        self._disposition = ""

    def begin(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise Problem(413, f"The form has more than {_MAX_PARTS} parts.")
        self._data, self._disposition = bytearray(), ""

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._extend_header(0, data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._extend_header(1, data[start:end])

    def _extend_header(self, which: int, data: bytes) -> None:
        self._header[which].extend(data)
        if len(self._header[which]) > _MAX_HEADER:
            raise Problem(413, f"A header of a part has more than {_MAX_HEADER:,} bytes.")

    def header_end(self) -> None:
        name, value = (bytes(part).decode("latin-1") for part in self._header)
        if name.lower() == "content-disposition":
            self._disposition = value
        self._header = (bytearray(), bytearray())

    def headers_finished(self) -> None:
        options = parse_options_header(self._disposition)[1]
        if b"name" not in options:
            raise Problem(400, "A part of the form has no name.")
        self._name = _text(options[b"name"])
        if (self._name == PICTURE) != (b"filename" in options):
            raise Problem(400, f"Files, and only files, are called {PICTURE!r}.", parameter=self._name[:64])
        if self._name == PICTURE and len(self.pictures) == MAX_PICTURES:
            raise Problem(413, f"A search takes at most {MAX_PICTURES} pictures; there are more.", parameter=PICTURE)

    def data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]
        limit = MAX_PICTURE_BYTES if self._name == PICTURE else _MAX_FIELD
        if len(self._data) > limit:
            what = f"Picture {len(self.pictures) + 1}" if self._name == PICTURE else f"The field {self._name[:64]!r}"
            raise Problem(413, f"{what} has more than {limit:,} bytes. Make it smaller.", parameter=self._name[:64])

    def end(self) -> None:
        if self._name == PICTURE:
            self.pictures[str(len(self.pictures) + 1)] = bytes(self._data)
        elif self._name in self.fields:
            raise Problem(400, f"{self._name[:64]!r} is given twice; give it once.", parameter=self._name[:64])
        else:
            self.fields[self._name] = _text(bytes(self._data))

    def finish(self) -> None:
        self.finished = True


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Problem(400, "A field of the form is not UTF-8.") from None
