"""Run the server: bind, say where, open a browser, serve until stopped."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import uvicorn

from search_ui.runtime.services import services
from search_ui.runtime.watch_keeper import watch_keeper
from search_ui.server import budget, connections, event_routes
from search_ui.server.asgi import configure, create_app
from search_ui.server.gate import PARAMETER, Gate
from search_ui.server.tokens import SHORT, VARIABLE, token_of
from sightline_cli.calls import as_called
from store.errors import LibraryError, SightlineError
from store.paths import to_path
from store.printing import printable

# Seconds from the start. Drawing a page comes first: imports for the model would share one lock (the GIL) with it.
PRELOAD_AFTER: Final = 5.0
# Seconds until a thread that runs Python lets another one. A search goes in and out of SQLite and numpy tens of times,
# and waits that long each time while a page is drawn. Python's own 5 ms make searches beside pages twice as slow.
SWITCH: Final = 0.0005
# So many connections wait in the system until they are taken on; a client whose is one more tries again in a second.
WAITING: Final = 128
# What uvicorn logs of requests that were refused: anyone could fill the log with it, and the first is not even so.
_REFUSALS: Final = (
    "ASGI callable returned without completing handshake.",
    "Invalid HTTP request received.",
    "Unsupported upgrade request.",
)


class ServeError(SightlineError):
    """The server could not start; the message says why and what to do."""


class _Server(uvicorn.Server):
    """Says where the page is once it answers, not before."""

    def __init__(self, settings: uvicorn.Config, url: str, opened: str | None) -> None:
        super().__init__(settings)
        self._url = url
        self._opened = opened

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or ():
            # Uvicorn has one number for what it takes on at once and for what may wait; who waits takes no handle.
            each.listen(WAITING)
        if self.started:
            click.echo(f"Sightline is at {self._url}   (Ctrl-C stops it)", err=True)
            if self._opened:
                threading.Thread(target=webbrowser.open, args=(self._opened,), daemon=True).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        event_routes.watcher().close()
        await super().shutdown(sockets)


def serve(
    host: str, port: int, hosts: Sequence[str] = (), *, browser: bool, manage: bool | None = None, guarded: bool = True,
    folder: Path | None = None,
) -> None:  # fmt: skip
    """Serve the page until interrupted.

    Args:
        host: the address to listen on.
        port: the port there.
        hosts: names, besides those of the loopback, under which browsers may reach it.
        browser: open one.
        manage: whether pages may index folders, copy files and open folders on this machine; None: where only this
            machine can reach them.
        guarded: ask for the library's token.
        folder: open the page where this one can be indexed, unless it is already.

    Raises:
        ServeError: the address can't be listened on, or others could reach it without a token.
        TokenError: the token can't be had.
    """
    is_own = _is_loopback(host) and not hosts
    token = token_of(services().path) if guarded else None
    if not is_own and (token is None or len(token) < SHORT):
        reached = f"--host {host}" if not _is_loopback(host) else f"--allow-host {hosts[0]}"
        raise ServeError(
            f"{reached} lets others reach the pictures, so a token is needed: leave --no-token away."
            if token is None
            else f"{reached} lets others reach the pictures, and {VARIABLE} has {len(token)} characters, which can be "
            f"guessed. Give it {SHORT} or more, or unset it to have one made."
        )
    sys.setswitchinterval(SWITCH)
    listener = _bind(host, port)
    shown = _shown(host)
    if not _is_loopback(host):
        click.echo(
            f"Listening on {host}: whoever can reach this address and has the token can see the pictures. What is sent "
            "can be read on the way, unless a proxy with TLS stands before it.", err=True,
        )  # fmt: skip
    if token is None:
        click.echo("Without a token: every user and program of this machine can see and mark the pictures.", err=True)
    names = [*hosts, *([] if host in ("0.0.0.0", "::") else [shown])]
    gate = Gate(token)
    app = create_app(names, gate)
    configure(host, port, names)
    # A name that others use means a proxy, whose visitors all seem to be at this machine.
    services().manages = is_own if manage is None else manage
    try:
        services().library()
    except LibraryError as error:
        # The page says so too, and finds the library once there is one.
        click.echo(printable(as_called(str(error))), err=True)
    page = "/" if folder is None else _offer(folder)
    if services().manages:
        watch_keeper().sync()
    services().preloads = True
    # Programs ask for no page: their first search should not wait either.
    preload = threading.Timer(PRELOAD_AFTER, services().preload_async)
    preload.daemon = True
    preload.start()
    settings = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="auto",
        timeout_graceful_shutdown=2,
        http=connections.guarded(budget.most_connections(), budget.most_pages()),
        backlog=budget.most_accepted(),
    )
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.msg not in _REFUSALS)
    opened = None
    if browser:
        # Other users see what a program is started with: a ticket is of no use to them.
        opened = address(host, port, None if token is None else gate.ticket(), page)
    try:
        with listener:
            _Server(settings, address(host, port, token, page), opened).run(sockets=[listener])
    finally:
        preload.cancel()  # a thread that imports torch while Python ends can crash it


def address(host: str, port: int, token: str | None, page: str = "/") -> str:
    """The address of a page to open in a browser."""
    return f"http://{_shown(host)}:{port}" + (f"{page}?{PARAMETER}={token}" if token else page.rstrip("/"))


def _offer(folder: Path) -> str:
    """Let the pages offer to index a folder, unless it is indexed; returns the page that does."""
    services().offered = folder
    try:
        roots = services().library().catalog.roots()
    except SightlineError:
        return "/"
    if any(folder.is_relative_to(to_path(root.path)) for root in roots):
        services().offered = None
        return "/"
    return "/library" if roots else "/"


def _bind(host: str, port: int) -> socket.socket:
    # Asked for by its numbers: with a name, or "", a socket might listen on more than was meant.
    try:
        family, _, _, _, address = socket.getaddrinfo(host or "127.0.0.1", port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Listening now: two servers started at once must not both believe that the port is theirs.
        listener.listen(WAITING)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServeError(
                f"Port {port} is taken, perhaps by another Sightline. Open http://{_shown(host)}:{port}, or choose "
                f"another port: --port {port + 1 if port < 65535 else 8501}"
            ) from error
        raise ServeError(f"Can't listen on {host}:{port} ({error.strerror or error}).") from error
    return listener


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::", ""):
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "")
