"""Why a file gave no picture, as one true sentence for the person who owns it.

People delete files by these words. "Damaged", "cut short" and "not supported by Sightline" are different things: the
first two are said of bytes that are wrong or missing, the last of files that another program may show.
"""

from __future__ import annotations

from typing import BinaryIO, Final, Literal

from PIL import Image

from sightline.images import jpeg_markers
from sightline.images.cut_short import is_cut_short
from store.errors import SightlineError

# What plugins say of sound files that they have no code for.
_UNSUPPORTED: Final = (
    "unsupported", "not supported", "not yet supported", "cannot handle", "unknown pixel mode", "not available",
    "not implemented", "not configured", "not installed", "no codec", "no decoder",
)  # fmt: skip
_TRUNCATED: Final = ("truncated", "end of file", "eof", "cut short", "incomplete", "bytes of", "ran out of data",
              "read error on", "io error during reading")  # fmt: skip


class DecodeError(SightlineError):
    """A file gave no picture. `stage`: how far it came; `reason`: a sentence for the person who owns it."""

    def __init__(self, stage: Literal["read", "open", "decode"], reason: str) -> None:
        super().__init__(reason)
        self.stage: Literal["read", "open", "decode"] = stage
        self.reason = reason


class TooLargeError(DecodeError):
    """The header says more pixels than are decoded."""


class UnsupportedError(DecodeError):
    """The file may be sound, and another program show it."""


class NotSupportedError(Exception):
    """A sound file holds a picture that Sightline can't read; the text says of what kind."""


def explained(
    error: Exception, size: tuple[int, int] | None, name: str | None = None, source: BinaryIO | None = None
) -> DecodeError:
    """Any exception of a plugin as a sentence.

    `size` is known once a header was read. `name` is the plugin's name of the format, and `source` the file, whose end
    tells whether it is cut short.
    """
    stage: Literal["open", "decode"] = "decode" if size else "open"
    detail = "".join(c for c in " ".join(str(error).split()) if c.isprintable())[:200]
    if isinstance(error, DecodeError):
        return error
    if isinstance(error, NotSupportedError) and not (name == "TIFF" and source and is_cut_short(source, name)):
        return UnsupportedError(stage, f"not supported by Sightline: {detail}")
    if isinstance(error, NotSupportedError):  # what tells of its kind is missing
        return DecodeError(stage, "the file is cut short")
    if isinstance(error, OSError) and error.errno is not None:  # Pillow's own have none: this one is the disk's
        return DecodeError("read", f"the file could not be read: {error.strerror}")
    if isinstance(error, Image.DecompressionBombError):
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6  # GIF frames and TIFFs are also held to Pillow's own limit
        return TooLargeError(
            stage, f"the picture has more than {limit:,.1f} megapixels, the most Pillow opens of its kind"
        )
    if isinstance(error, MemoryError):
        measure = f" {size[0]}x{size[1]} pixels" if size else ""
        return DecodeError(stage, f"not enough memory to decode the picture{measure and ':' + measure}")
    if (kind := _unsupported(detail, name, source)) is not None:
        return UnsupportedError(stage, f"not supported by Sightline: {kind}")
    cut = any(word in detail.lower() for word in _TRUNCATED)
    if cut or (source is not None and is_cut_short(source, name or "")):
        return DecodeError(stage, f"the file is cut short: {detail}" if detail else "the file is cut short")
    what = "the picture data is damaged"
    if size is None and name is not None:
        what = f"it begins like a {name} file, but its header is damaged"
    return DecodeError(stage, f"{what}: {detail}" if any(c.isalpha() for c in detail) else what)


def _unsupported(detail: str, name: str | None, source: BinaryIO | None) -> str | None:
    """What kind of file is not supported; None where that isn't the trouble."""
    if name in ("JPEG", "MPO") and source is not None:
        source.seek(0)
        kind = jpeg_markers.not_supported(source.read())
        if kind:
            return kind
    if any(word in detail.lower() for word in _UNSUPPORTED):
        return f"{'an' if name in ('AVIF', 'MPO') else 'a'} {name} file ({detail})" if name else detail
    return None
