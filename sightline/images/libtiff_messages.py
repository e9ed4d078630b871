"""What libtiff has to say of a file, caught for the thread that reads it and not on the terminal.

libtiff's error handler is one for the process. Ours knows by the thread which file it is about, and passes what no
thread of ours listens for to the handler that was there. Pillow has no door to it, so that the library which Pillow
loaded is asked itself. Where that can't be found (it is linked into Pillow on Windows), its lines go where they went.

Damaged fax data are a warning to libtiff, and Pillow switches warnings off whenever it decodes. So these few files are
read a second time, with a handler of their own.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Final

from PIL import Image

_LONGEST: Final = 500  # bytes of a line
_MOST_LINES: Final = 20  # of one file; a damaged fax has one for each row

# void handler(const char *module, const char *format, va_list arguments). A va_list is passed as a pointer by the
# calling conventions of x86-64 and AArch64, of System V, Apple and Microsoft alike.
_Handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)

# int handler(TIFF *, void *user_data, const char *module, const char *format, va_list arguments).
_ExtendedHandler = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p
)
_POINTER: Final = ctypes.c_void_p
_FUNCTIONS: Final[dict[str, tuple[Any, ...]]] = {  # of <tiffio.h>: the type of the result, then of the arguments
    "TIFFSetErrorHandler": (_POINTER, _POINTER),
    "TIFFOpenOptionsAlloc": (_POINTER,),
    "TIFFOpenOptionsFree": (None, _POINTER),
    "TIFFOpenOptionsSetWarningHandlerExtR": (None, _POINTER, _ExtendedHandler, _POINTER),
    "TIFFOpenOptionsSetErrorHandlerExtR": (None, _POINTER, _ExtendedHandler, _POINTER),
    "TIFFFdOpenExt": (_POINTER, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, _POINTER),
    "TIFFIsTiled": (ctypes.c_int, _POINTER),
    "TIFFStripSize": (ctypes.c_ssize_t, _POINTER),
    "TIFFNumberOfStrips": (ctypes.c_uint32, _POINTER),
    "TIFFReadEncodedStrip": (ctypes.c_ssize_t, _POINTER, ctypes.c_uint32, _POINTER, ctypes.c_ssize_t),
    "TIFFClose": (None, _POINTER),
}

_listening = threading.local()
# `cache` lets two threads in at once and keeps the result of one: libtiff would call the handler that was thrown away.
_installing = threading.Lock()


@contextmanager
def caught() -> Iterator[list[str]]:
    """Catch the lines of what this thread has libtiff do; they are in the list, each once, in their order."""
    with _installing:
        _install()
    lines: list[str] = []
    before, _listening.lines = getattr(_listening, "lines", None), lines
    try:
        yield lines
    finally:
        _listening.lines = before


def fax_is_damaged(source: BinaryIO) -> bool:
    """Whether libtiff warns of the fax data of the first page of a TIFF; False where it can't be asked."""
    library = _loaded()
    if library is None or not hasattr(library, "TIFFOpenOptionsSetWarningHandlerExtR"):  # libtiff 4.5
        return False
    warned: list[bool] = []

    def warn(*_: object) -> int:
        warned.append(True)
        return 1

    handler = _ExtendedHandler(warn)
    with tempfile.TemporaryFile() as copy:
        source.seek(0)
        shutil.copyfileobj(source, copy)
        copy.seek(0)
        options = library.TIFFOpenOptionsAlloc()
        library.TIFFOpenOptionsSetWarningHandlerExtR(options, handler, None)
        library.TIFFOpenOptionsSetErrorHandlerExtR(options, handler, None)
        # It closes the descriptor it is given.
        tiff = library.TIFFFdOpenExt(os.dup(copy.fileno()), b"", b"r", options)
        library.TIFFOpenOptionsFree(options)
        if not tiff:
            return False
        try:
            warned.clear()  # what it says of tags is not about the picture
            if not library.TIFFIsTiled(tiff):
                scratch = ctypes.create_string_buffer(max(1, library.TIFFStripSize(tiff)))
                for strip in range(library.TIFFNumberOfStrips(tiff)):
                    library.TIFFReadEncodedStrip(tiff, strip, scratch, len(scratch))
        finally:
            library.TIFFClose(tiff)
    return bool(warned)


@cache
def _install() -> Any:
    """Set the handler, once for the process; what is returned must live as long."""
    library = _loaded()
    if library is None:
        return None
    formatter = ctypes.CDLL(None).vsnprintf
    formatter.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p]
    previous: list[Callable[..., None]] = []

    def note(module: bytes | None, pattern: bytes, arguments: int) -> None:
        lines = getattr(_listening, "lines", None)
        if lines is None:
            for each in previous:
                each(module, pattern, arguments)
            return
        buffer = ctypes.create_string_buffer(_LONGEST)
        formatter(buffer, _LONGEST, pattern, arguments)
        line = buffer.value.decode("utf-8", "replace").strip().rstrip(".")
        if len(lines) < _MOST_LINES and line not in lines:
            lines.append(line)

    handler = _Handler(note)
    address = library.TIFFSetErrorHandler(ctypes.cast(handler, ctypes.c_void_p))
    if address:
        previous.append(_Handler(address))
    return handler


@cache
def _loaded() -> ctypes.CDLL | None:
    """The libtiff that Pillow loaded, with the types of the functions that are called."""
    path = _library()
    if path is None:
        return None
    try:
        library = ctypes.CDLL(path)
        for name, (result, *arguments) in _FUNCTIONS.items():
            if ("Options" in name or name == "TIFFFdOpenExt") and not hasattr(library, name):
                continue
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        return None
    return library


def _library() -> str | None:
    """The libtiff that Pillow loaded."""
    if sys.platform == "linux":
        with suppress(OSError):
            for line in Path("/proc/self/maps").read_text().splitlines():
                place = line.partition("/")
                if place[1] and Path(place[2]).name.startswith("libtiff"):
                    return "/" + place[2]
    elif sys.platform == "darwin":
        found = sorted((Path(Image.__file__).parent / ".dylibs").glob("libtiff*.dylib"))
        return str(found[0]) if found else None
    return None
