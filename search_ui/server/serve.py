"""Run the server: bind, say where, open a browser, serve until stopped."""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading
import webbrowser
from collections.abc import Sequence
from typing import Final

import click
import uvicorn

from search_ui.runtime.services import services
from search_ui.server.asgi import configure, create_app
from store.errors import LibraryError, SightlineError
from store.printing import printable

# Seconds from the start. Drawing a page comes first: imports for the model would share one lock (the GIL) with it.
PRELOAD_AFTER: Final = 5.0


class ServeError(SightlineError):
    """The server could not start; the message says why and what to do."""


class _Server(uvicorn.Server):
    """Says where the page is once it answers, not before."""

    def __init__(self, settings: uvicorn.Config, url: str, *, browser: bool) -> None:
        super().__init__(settings)
        self._url = url
        self._browser = browser

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            click.echo(f"Sightline is at {self._url}   (Ctrl-C stops it)", err=True)
            if self._browser:
                threading.Thread(target=webbrowser.open, args=(self._url,), daemon=True).start()


def serve(host: str, port: int, hosts: Sequence[str] = (), *, browser: bool, manage: bool | None = None) -> None:
    """Serve the page until interrupted.

    Args:
        host: the address to listen on.
        port: the port there.
        hosts: names, besides those of the loopback, under which browsers may reach it.
        browser: open one.
        manage: whether pages may index folders, copy files and open folders on this machine; None: where only this
            machine can reach them.

    Raises:
        ServeError: the address can't be listened on.
    """
    listener = _bind(host, port)
    shown = _shown(host)
    if not _is_loopback(host):
        click.echo(f"Listening on {host}: whoever can reach this address can see the pictures.", err=True)
    names = [*hosts, *([] if host in ("0.0.0.0", "::") else [shown])]
    app = create_app(names)
    configure(host, port, names)
    # A name that others use means a proxy, whose visitors all seem to be at this machine.
    services().manages = _is_loopback(host) and not hosts if manage is None else manage
    try:
        services().library()
    except LibraryError as error:
        click.echo(printable(str(error)), err=True)  # the page says so too, and finds the library once there is one
    services().preloads = True
    # Programs ask for no page: their first search should not wait either.
    preload = threading.Timer(PRELOAD_AFTER, services().preload_async)
    preload.daemon = True
    preload.start()
    settings = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, ws="auto", timeout_graceful_shutdown=2
    )
    with listener:
        _Server(settings, f"http://{shown}:{port}", browser=browser).run(sockets=[listener])


def _bind(host: str, port: int) -> socket.socket:
    # Asked for by its numbers: with a name, or "", a socket might listen on more than was meant.
    try:
        family, _, _, _, address = socket.getaddrinfo(host or "127.0.0.1", port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Listening now: two servers started at once must not both believe that the port is theirs.
        listener.listen(128)
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
