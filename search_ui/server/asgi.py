"""The web server: Streamlit's pages, and beside them our own routes for pictures, programs and health.

Pictures are private. They are served by the hash of their content and never by path, and only to pages of this server.
The `Host` header must be one of ours: another site can point its own name at 127.0.0.1. `Sec-Fetch-Site` and `Origin`,
which browsers set, must say that the request comes from a page of ours. Streamlit guards its WebSocket itself.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy.exc import DatabaseError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnected
from streamlit import config
from streamlit.starlette import App
from streamlit.web import bootstrap

from search_ui.runtime import map_payloads, zip_registry
from search_ui.runtime.metrics import MEDIA_TYPE, metrics
from search_ui.runtime.services import services
from search_ui.server import api, failed_routes, map_routes, picture_routes, zip_routes
from search_ui.server.api.problems import Problem
from search_ui.server.headers import SAFE
from search_ui.server.limits import RETRY_AFTER, Limits
from search_ui.server.responses import error_response
from store.errors import SightlineError
from store.time_limit import TimeLimitError

HERE: Final = Path(__file__).parent.parent
LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
NAMES: Final = (
    *picture_routes.NAMES, *map_payloads.NAMES, *failed_routes.NAMES, *zip_registry.NAMES, "healthz", "api", "metrics",
)  # fmt: skip
# In the scope of a request whose `Host` is ours.
_ADMITTED: Final = "sightline.admitted"


def create_app(hosts: Sequence[str] = ()) -> App:
    """The application, for any ASGI server.

    Args:
        hosts: names, besides those of the loopback, under which browsers may reach it.
    """
    return App(HERE / "app.py", middleware=middleware(hosts))


def middleware(hosts: Sequence[str] = ()) -> list[Middleware]:
    """The middleware around Streamlit: the check of `Host`, then our routes. `hosts` as for `create_app`."""
    return [
        Middleware(HostCheck, hosts=[*LOOPBACK, *hosts]),
        Middleware(AppRoutes),
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
            if _ADMITTED in scope:
                await send(message)

        await self._check(scope, receive, answer)
        if _ADMITTED not in scope:
            host = Headers(scope=scope).get("host", "")[:64]
            message = f"This server is not called {host!r}. Use localhost, or start it with --allow-host and the name."
            await _refusal(scope, 400, message)(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_ADMITTED] = True
        await self._app(scope, receive, send)


class AppRoutes:
    """ASGI middleware: our own routes, for requests that do not come from another site's page.

    Not `App(routes=...)`: an address that matches none of those falls through to Streamlit, which answers any address
    with its page and status 200. Addresses that begin with one of `NAMES` are answered here, with 404 if need be.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        routes = [
            *picture_routes.routes(),
            *map_routes.routes(),
            *failed_routes.routes(),
            *zip_routes.routes(),
            Route("/healthz", _health),
            Route("/metrics", _metrics),
        ]
        overran = {TimeLimitError: _overran}
        self._routes = Starlette(routes=routes, exception_handlers={HTTPException: _refused, **overran})
        self._routes.router.redirect_slashes = False
        self._api: ASGIApp | None = None
        self._limits = Limits()
        self._patterns: Mapping[object, str] = {route.endpoint: route.path for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = _name(scope)
        if scope["type"] == "websocket":
            # A visitor left while the page was being sent to them: Streamlit lets it come through as an error.
            with suppress(WebSocketDisconnected):
                await self._limits.session(self._app, scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                # In another site's frame a visitor could be made to press what they do not see.
                headers = MutableHeaders(scope=message)
                headers["X-Frame-Options"] = "SAMEORIGIN"
                headers.append("Content-Security-Policy", "frame-ancestors 'self'")
            await send(message)

        if name not in NAMES:
            await self._limits.page(self._app, scope, receive, framed)
            return

        if name == "api" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # FastAPI's routes know no HEAD; the server sends no body to it

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                metrics().count_response(self._pattern(scope, name), message["status"])
            await framed(message)

        if _foreign(Headers(scope=scope)):
            await _refusal(scope, 403, "This request comes from another site.")(scope, receive, counted)
        elif name == "api":
            if self._api is None:
                self._api = await run_in_threadpool(api.json_api)
            await self._limits.answer(self._api, scope, receive, counted)
        else:
            await self._limits.answer(self._routes, scope, receive, counted)

    def _pattern(self, scope: Scope, name: str) -> str:
        if name == "api":
            return str(getattr(scope.get("route"), "path", f"/{name}"))
        return self._patterns.get(scope.get("endpoint"), f"/{name}")


def _name(scope: Scope) -> str:
    return str(scope.get("path", "")).lstrip("/").split("/")[0]


def _refusal(scope: Scope, status: int, message: str) -> Response:
    return Problem(status, message).response() if _name(scope) == "api" else error_response(status, message)


def _refused(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, HTTPException)
    return error_response(refused.status_code, "There is nothing here.", refused.headers)


def _overran(request: Request, error: Exception) -> Response:
    return error_response(503, str(error), RETRY_AFTER)


def _foreign(headers: Headers) -> bool:
    # "same-site" is another port or name of this machine: as foreign as any. "none" is the address bar.
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


def _health(request: Request) -> Response:
    """GET /healthz: 200 while pages can be served, with or without a library."""
    try:
        generation: int | None = services().library().catalog.generation()
    except (SightlineError, DatabaseError):
        generation = None
    return JSONResponse({"ok": True, "generation": generation}, headers={"Cache-Control": "no-store"})


def _metrics(request: Request) -> Response:
    """GET /metrics."""
    return Response(metrics().text(), media_type=MEDIA_TYPE, headers=SAFE)
