"""Headers that every answer carries: of our own routes, of Streamlit's, and refusals."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Final

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE: Final = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every answer: it is of private pictures, for pages of this server only."""

_EVERYWHERE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    # In another site's frame a visitor could be made to press what they do not see.
    "X-Frame-Options": "SAMEORIGIN",
}
# Of what is no page: a drawing that is opened by itself runs nothing.
_FILES: Final = (
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
_HOST: Final = re.compile(r"[A-Za-z0-9._\[\]:-]{1,255}")
_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def _inline_scripts() -> str:
    """The hashes of the scripts that stand in Streamlit's page itself."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    digests = [hashlib.sha256(script.encode()).digest() for script in _SCRIPT.findall(page)]
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


class SafeHeaders:
    """ASGI middleware: nosniff, a content security policy and the like on every answer, errors too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # Streamlit writes styles into elements, loads each of our components from a blob, runs protobuf's numbers as
        # WebAssembly, and has small fonts and drawings as data.
        self._pages = "; ".join((
            "default-src 'self'", f"script-src 'self' blob: 'wasm-unsafe-eval' {_inline_scripts()}",
            "style-src 'self' 'unsafe-inline'", "img-src 'self' data:", "font-src 'self' data:",
            "connect-src 'self'{sockets}", "worker-src 'none'", "media-src 'none'", "frame-src 'none'",
            "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'self'",
        ))  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def framed(message: Message) -> None:
            nonlocal has_begun
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                has_begun = True
                headers = MutableHeaders(scope=message)
                for name in [name for name in headers if name.startswith("access-control-")]:
                    del headers[name]  # Streamlit's: no other page may read anything here
                for name, value in _EVERYWHERE.items():
                    headers[name] = value
                # "Not modified" renews the headers of a page that is kept, and does not say that it is one.
                is_page = headers.get("content-type", "text/html").startswith("text/html")
                policy = self._pages.format(sockets=_sockets(scope)) if is_page else _FILES
                headers["Content-Security-Policy"] = policy
            await send(message)

        try:
            await self._app(scope, receive, framed)
        except Exception:
            # Starlette answers outside of all middleware, without these headers.
            if scope["type"] == "http" and not has_begun:
                await PlainTextResponse("Internal Server Error", 500, headers=SAFE)(scope, receive, framed)
            raise


def _sockets(scope: Scope) -> str:
    # Not every browser counts a WebSocket of the same host as 'self'.
    host = Headers(scope=scope).get("host", "")
    return f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
