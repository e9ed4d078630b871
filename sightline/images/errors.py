"""Why a file gave no picture, as one true sentence for the person who owns it."""

from __future__ import annotations

from typing import Literal

from PIL import Image

from store.errors import SightlineError


class DecodeError(SightlineError):
    """A file gave no picture. `stage`: how far it came; `reason`: a sentence for the person who owns it."""

    def __init__(self, stage: Literal["read", "open", "decode"], reason: str) -> None:
        super().__init__(reason)
        self.stage: Literal["read", "open", "decode"] = stage
        self.reason = reason


def explained(error: Exception, size: tuple[int, int] | None, name: str = "") -> DecodeError:
    """Any exception of a plugin as a sentence. `size` is known once a header was read, `name` until then."""
    stage: Literal["open", "decode"] = "decode" if size else "open"
    detail = "".join(c for c in " ".join(str(error).split()) if c.isprintable())[:200]
    if isinstance(error, DecodeError):
        return error
    if isinstance(error, OSError) and error.errno is not None:  # Pillow's own have none: this one is the disk's
        return DecodeError("read", f"the file could not be read: {error.strerror}")
    if isinstance(error, Image.DecompressionBombError):
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6  # GIF frames and TIFFs are also held to Pillow's own limit
        return DecodeError(
            stage, f"the picture has more than {limit:,.1f} megapixels, the most Pillow opens of its kind"
        )
    if isinstance(error, MemoryError):
        measure = f" {size[0]}x{size[1]} pixels" if size else ""
        return DecodeError(stage, f"not enough memory to decode the picture{measure and ':' + measure}")
    if any(word in detail.lower() for word in ("truncated", "end of file", "eof", "cut short", "incomplete")):
        return DecodeError(stage, f"the file is cut short: {detail}")
    what = f"it begins like a {name} file, but its header is damaged" if name else "the picture data is damaged"
    return DecodeError(stage, f"{what}: {detail}" if any(c.isalpha() for c in detail) else what)
