"""Responses of our own routes: errors in one shape, JPEGs, and how long browsers may keep them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import JSONResponse, Response

from search_ui.server.headers import SAFE

# A content never changes, so neither does a picture that is asked for by its hash.
IMMUTABLE: Final = "private, max-age=31536000, immutable"
# Kept, but asked for again each time: what an id or a name means may change.
REVALIDATE: Final = "private, no-cache"


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error with a sentence for people."""
    return JSONResponse({"error": message}, status, headers={**SAFE, **(headers or {})})


def jpeg_response(data: bytes, headers: Mapping[str, str]) -> Response:
    """A JPEG, for pages of this server; `headers` say how long it may be kept."""
    return Response(data, media_type="image/jpeg", headers={**SAFE, **headers})


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has this version already (RFC 9110, section 13.1.2, with weak comparison)."""
    given = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return "*" in given or etag in given
