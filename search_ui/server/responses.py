"""How our own routes answer: errors in one shape, and how long what they give may be kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import JSONResponse

from search_ui.server.headers import SAFE

# A content never changes, so neither does a picture that is asked for by its hash.
FOR_EVER: Final = "private, max-age=31536000, immutable"
# Kept, but asked for again each time: what an id or a name means may change.
ASK_AGAIN: Final = "private, no-cache"


def error(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An answer that is an error, with a sentence for people."""
    return JSONResponse({"error": message}, status, headers={**SAFE, **(headers or {})})


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether who asks has this version already (RFC 9110, section 13.1.2, with weak comparison)."""
    given = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return "*" in given or etag in given
