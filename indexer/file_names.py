"""Which files may be pictures, as far as their names tell."""

from __future__ import annotations

import mimetypes
from typing import Final

from sightline.images.formats import EXTENSIONS, UNREAD_EXTENSIONS

# Common beside pictures and never pictures, where the system's type tables are silent.
_OTHER: Final = frozenset(
    """.aae .bak .cfg .crdownload .csv .dat .db .dop .h5 .icloud .idx .ini .json .jsonl .lnk .lock .log .lrcat .lrprev
    .md .modd .moff .npy .npz .nfo .onnx .parquet .part .pickle .pkl .plist .pp3 .properties .pt .pth .py .safetensors
    .sqlite .srt .thm .tmp .toml .txt .url .vcf .xmp .yaml .yml""".split()
)


def may_be_by_name(extension: str) -> bool | None:
    """Whether a file with such an extension, in lower case, is worth reading.

    None without one: its bytes tell.
    """
    if extension in EXTENSIONS or extension in UNREAD_EXTENSIONS:
        return True
    if not extension:
        return None
    kind, _ = mimetypes.guess_type(f"x{extension}", strict=False)
    return extension not in _OTHER and (kind is None or kind.startswith("image/"))
