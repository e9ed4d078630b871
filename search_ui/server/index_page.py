"""Streamlit's page with what must be there before its script runs: styles, and the bar of pages.

Streamlit's own page is empty until its script has run, connected and been answered. What comes with the answer moves
what was drawn before. So the style sheet is a file that the page links to, and the bar is a part of the page itself.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search_ui.navigation import MARK, PAGES
from search_ui.server.headers import SAFE
from search_ui.server.responses import IMMUTABLE

NAMES: Final = ("page",)
_HERE: Final = Path(__file__).parent.parent
_FILES: Final = {"style.css": "text/css", "navigation.js": "text/javascript"}
_TEXTS: Final = {name: (_HERE / name).read_text(encoding="utf-8") for name in _FILES}
# Parts of Streamlit's script that every page needs and that it loads late: until then an element has another height.
_PARTS: Final = (
    "Html", "purify.es", "PageLink", "BidiComponent", "serialization", "recordbatch", "Button", "ButtonGroup",
)  # fmt: skip
_STREAMLIT: Final = Path(streamlit.__file__).parent / "static"
# Whether a browser's copy is Streamlit's own page of today says nothing of ours. And it must come as it is.
_UNASKED: Final = (b"if-none-match", b"if-modified-since", b"accept-encoding")


def routes() -> list[Route]:
    """The files that the page links to."""
    return [Route("/page/{name}", _file)]


def _file(request: Request) -> Response:
    """GET /page/{name}: a style sheet or a script of the page itself."""
    name = request.path_params["name"]
    if name not in _FILES:
        return Response(status_code=404, headers=SAFE)
    return Response(_TEXTS[name], media_type=_FILES[name], headers={**SAFE, "Cache-Control": IMMUTABLE})


class IndexPage:
    """ASGI middleware: the page of `index_page` in the place of Streamlit's, at any address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "text/html" not in Headers(scope=scope).get("accept", ""):
            await self._app(scope, receive, send)
            return
        is_replaced = False

        async def sent(message: Message) -> None:
            nonlocal is_replaced
            if message["type"] == "http.response.start" and message["status"] == 200:
                headers = MutableHeaders(scope=message)
                is_replaced = headers.get("content-type", "").startswith("text/html")
                if is_replaced:
                    headers["Content-Length"] = str(len(index_page()))
                    for name in ("etag", "last-modified", "accept-ranges"):
                        del headers[name]
            elif message["type"] == "http.response.body" and is_replaced:
                if message.get("more_body"):
                    return
                message = {**message, "body": index_page() if scope["method"] == "GET" else b""}
            await send(message)

        headers = [pair for pair in scope["headers"] if pair[0] not in _UNASKED]
        await self._app({**scope, "headers": headers}, receive, sent)


@cache
def index_page() -> bytes:
    """Streamlit's page with our style sheet, script and bar; addresses begin at the server's root."""
    page = (_STREAMLIT / "index.html").read_text(encoding="utf-8")
    page = re.sub(r'(href|src)="\./', r'\1="/', page).replace("<title>Streamlit</title>", "<title>Sightline</title>")
    # Else nothing is known of a phone's rounded corners.
    page = page.replace("shrink-to-fit=no", "viewport-fit=cover")
    # Before Streamlit's script: those that are deferred run in their order, and so do modules.
    script = f'<script defer src="{_address("navigation.js")}"></script>'
    # Behind the head: Streamlit writes its own styles into that, and the last of two that are as special counts.
    style = f'<link rel="stylesheet" href="{_address("style.css")}">'
    page = page.replace("<title>", f"{script}{_preloads()}<title>", 1).replace("<body>", f"<body>{style}{_bar()}", 1)
    return page.encode()


def _preloads() -> str:
    """Links that load parts of Streamlit's script, and the font of its signs, beside the script itself."""
    scripts, media = _STREAMLIT / "static" / "js", _STREAMLIT / "static" / "media"
    parts = [file for name in _PARTS for file in sorted(scripts.glob(f"{name}.*.js"))]
    links = [f'<link rel="modulepreload" crossorigin href="/static/js/{file.name}">' for file in parts]
    links += [
        f'<link rel="preload" as="font" crossorigin href="/static/media/{file.name}">'
        for file in media.glob("MaterialSymbols-Rounded.*.woff2")
    ]
    return "".join(links)


def _address(name: str) -> str:
    return f"/page/{name}?v={hashlib.sha256(_TEXTS[name].encode()).hexdigest()[:12]}"


def _bar() -> str:
    links = "".join(
        f'<a href="/{link.path if place else ""}"><svg viewBox="0 0 24 24" aria-hidden="true">{link.icon}</svg>'
        f"<span>{link.title}</span></a>"
        for place, link in enumerate(PAGES)
    )
    bar = f'<nav id="pages" aria-label="Pages"><span class="pages-mark" aria-hidden="true">{MARK}</span>{links}</nav>'
    return f'{bar}<p id="away" role="status"></p>'
