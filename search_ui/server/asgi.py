"""The web server: Streamlit's pages, and beside them our own routes for pictures, programs and health.

Pictures are private. They are served by the hash of their content and never by path, and only to who has the token (see
`search_ui.server.gate`). The `Host` header must be one of ours: another site can point its own name at 127.0.0.1.
`Sec-Fetch-Site` and `Origin`, which browsers set, must say that a request or a WebSocket comes from a page of ours.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import DatabaseError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnected
from streamlit import config
from streamlit.starlette import App
from streamlit.web import bootstrap

from search_ui.runtime import map_payloads, timelines, zip_registry
from search_ui.runtime.metrics import MEDIA_TYPE, metrics
from search_ui.runtime.services import services
from search_ui.server import (
    api,
    event_routes,
    failed_routes,
    index_page,
    map_routes,
    picture_routes,
    slide_routes,
    timeline_routes,
    zip_routes,
)
from search_ui.server.api.problems import Problem
from search_ui.server.gate import CHALLENGE, PARAMETER, REFUSED, Gate
from search_ui.server.headers import SAFE, SafeHeaders
from search_ui.server.limits import RETRY_AFTER, Limits
from search_ui.server.responses import error_response
from search_ui.server.tokens import token_of
from sightline.images.worker_errors import BusyError, WorkerError
from store.errors import SightlineError
from store.paths import default_library
from store.time_limit import TimeLimitError

HERE: Final = Path(__file__).parent.parent
LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
NAMES: Final = (
    *picture_routes.NAMES, *map_payloads.NAMES, *timelines.NAMES, *failed_routes.NAMES, *zip_registry.NAMES,
    *event_routes.NAMES, *index_page.NAMES, *slide_routes.NAMES,
    "healthz", "api", "metrics",
)  # fmt: skip
# In the scope of a request whose `Host` is ours, and whether it was let in.
_OURS: Final = "sightline.ours"
_ADMITTED: Final = "sightline.admitted"


def create_app(hosts: Sequence[str] = (), gate: Gate | None = None) -> App:
    """The application, for any ASGI server.

    Args:
        hosts: names, besides those of the loopback, under which browsers may reach it.
        gate: who may use it; None: who has the token of the library that is served.

    Raises:
        TokenError: the token can't be had.
    """
    return App(HERE / "app.py", middleware=middleware(hosts, gate))


def middleware(hosts: Sequence[str] = (), gate: Gate | None = None) -> list[Middleware]:
    """The middleware around Streamlit: headers, the check of `Host`, our routes. See `create_app`."""
    return [
        Middleware(SafeHeaders),
        Middleware(HostCheck, hosts=[*LOOPBACK, *hosts]),
        Middleware(AppRoutes, gate=gate or Gate(token_of(default_library()))),
    ]


def configure(host: str, port: int, hosts: Sequence[str] = ()) -> None:
    """Tell Streamlit its settings: ours, whatever the environment or a file in the user's folders says.

    Call after `create_app`, which tells Streamlit where the page is.
    """
    names = [name.strip("[]") for name in (*LOOPBACK, *hosts)]
    options = {"server.address": host, "server.port": port, "server.allowedHosts": names}
    bootstrap.load_config_options({**settings(), **options})
    config._server_mode = "starlette-app-direct"


def settings() -> dict[str, Any]:
    """The options of `.streamlit/config.toml` by their dotted names."""
    return _flat(tomllib.loads((HERE / ".streamlit" / "config.toml").read_text(encoding="utf-8")))


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in table.items():
        options |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return options


class HostCheck:
    """ASGI middleware: Starlette's check of `Host`. On our routes a refusal has the form of their errors.

    Args:
        hosts: the names that are ours.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app = app
        self._check = TrustedHostMiddleware(self._admit, allowed_hosts=hosts, www_redirect=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _name(scope) not in NAMES:
            await self._check(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if _OURS in scope:
                await send(message)

        await self._check(scope, receive, answer)
        if _OURS not in scope:
            host = Headers(scope=scope).get("host", "")[:64]
            message = f"This server is not called {host!r}. Use localhost, or start it with --allow-host and the name."
            await _error(scope, 400, message)(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_OURS] = True
        await self._app(scope, receive, send)


class AppRoutes:
    """ASGI middleware: our own routes, and the check of who may use them and Streamlit's.

    That is who `gate` admits, from a page of ours or a program. Not `App(routes=...)`: an address that matches none of
    those falls through to Streamlit, which answers any address with its page and status 200. Addresses that begin with
    one of `NAMES` are answered here, with 404 if need be.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = index_page.IndexPage(app)
        self._gate = gate
        routes = [
            *picture_routes.routes(),
            *map_routes.routes(),
            *timeline_routes.routes(),
            *failed_routes.routes(),
            *zip_routes.routes(),
            *slide_routes.routes(),
            *event_routes.routes(),
            *index_page.routes(),
            Route("/healthz", _health),
            Route("/metrics", _metrics),
        ]
        handlers = {HTTPException: _refused, BusyError: _busy, WorkerError: _busy, TimeLimitError: _busy}
        self._routes = Starlette(routes=routes, exception_handlers=handlers)
        self._routes.router.redirect_slashes = False
        self._api: ASGIApp | None = None
        self._limits = Limits()
        self._patterns: Mapping[object, str] = {route.endpoint: route.path for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        name = _name(scope)
        refusal = self._refusal(scope, name)
        if scope["type"] == "websocket":
            # A visitor left while the page was being sent to them: Streamlit lets it come through as an error.
            with suppress(WebSocketDisconnected):
                await self._limits.session(refusal or self._app, scope, receive, send)
            return
        if name not in NAMES:
            await self._limits.page(refusal or self._app, scope, receive, send)
            return

        if name == "api" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # FastAPI's routes know no HEAD; the server sends no body to it

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                metrics().count_response(self._pattern(scope, name), message["status"])
            await send(message)

        # Who leaves before all of a body is sent gets no answer: no fault of ours, which the log would show.
        with suppress(ClientDisconnect):
            if refusal:
                await refusal(scope, receive, counted)
            elif name == "api":
                if self._api is None:
                    self._api = await run_in_threadpool(api.json_api)
                await self._limits.answer(self._api, scope, receive, counted)
            else:
                await self._limits.answer(self._routes, scope, receive, counted)

    def _refusal(self, scope: Scope, name: str) -> ASGIApp | None:
        """The answer to a request that is not let in; also the one that exchanges a token for a cookie."""
        headers = Headers(scope=scope)
        is_page = scope["type"] == "http" and name not in NAMES and _is_page(scope, headers)
        is_foreign = _is_foreign(headers)
        if is_foreign and not is_page:
            return _error(scope, 403, "This request comes from another site.")
        if is_page and (exchanged := self._gate.exchange(scope)):
            return exchanged
        scope[_ADMITTED] = self._gate.admits(scope)
        if scope[_ADMITTED] or (scope["type"] == "http" and scope["path"] == "/healthz"):
            return None
        if is_page:
            return self._gate.page(scope, again=is_foreign)
        return _error(scope, 401, REFUSED, CHALLENGE)

    def _pattern(self, scope: Scope, name: str) -> str:
        if name == "api":
            return str(getattr(scope.get("route"), "path", f"/{name}"))
        return self._patterns.get(scope.get("endpoint"), f"/{name}")


def _name(scope: Scope) -> str:
    return str(scope.get("path", "")).lstrip("/").split("/")[0]


def _error(scope: Scope, status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    if _name(scope) == "api":
        return Problem(status, message, headers=headers).response()
    return error_response(status, message, headers)


def _refused(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, HTTPException)
    return error_response(refused.status_code, "There is nothing here.", refused.headers)


def _busy(request: Request, error: Exception) -> Response:
    return error_response(503, str(error), RETRY_AFTER)


def _is_page(scope: Scope, headers: Headers) -> bool:
    """Whether a browser asks for a page to show it, or a program for what a browser would show."""
    if scope["method"] not in ("GET", "HEAD") or headers.get("sec-fetch-dest", "document") != "document":
        return False
    if headers.get("sec-fetch-mode", "navigate") != "navigate":
        return False
    return PARAMETER.encode() in scope["query_string"] or "text/html" in headers.get("accept", "")


def _is_foreign(headers: Headers) -> bool:
    # "same-site" is another port or name of this machine: as foreign as any. "none" is the address bar.
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin, host = headers.get("origin"), headers.get("host", "")
    return origin is not None and origin not in (f"http://{host}", f"https://{host}")


def _health(request: Request) -> Response:
    """GET /healthz: 200 while pages can be served, with or without a library.

    More is told to who has the token.
    """
    if not request.scope[_ADMITTED]:
        return JSONResponse({"ok": True}, headers={"Cache-Control": "no-store"})
    try:
        generation: int | None = services().library().catalog.generation()
    except (SightlineError, DatabaseError):
        generation = None
    return JSONResponse({"ok": True, "generation": generation}, headers={"Cache-Control": "no-store"})


def _metrics(request: Request) -> Response:
    """GET /metrics."""
    return Response(metrics().text(), media_type=MEDIA_TYPE, headers=SAFE)
