"""Who may use the server: whoever sends its token, or a cookie that the token was exchanged for.

The address that a browser is opened with holds the token once. It is exchanged for a cookie and the browser is sent on
to the address without it: no history, referrer or screenshot has it. Cookies are shared by all ports of a host, so the
cookie's name has the port, and its value is not the token but is made from it, and ends.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import secrets
import threading
import time
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Scope

from search_ui.server.headers import SAFE
from search_ui.server.peers import is_own_connection

PARAMETER: Final = "token"
REFUSED: Final = (
    "This server answers who has its token. Send the header that `python -m search_ui address --header` prints."
)
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="Sightline"'}

# Seconds. A cookie that was seen by another server of this machine is of no use for good.
_COOKIE_AGE: Final = 30 * 86400
_TICKET_AGE: Final = 120
_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">{again}
<title>Sightline: the token is missing</title>
<style>:root {{ color-scheme: light dark }} body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 36rem;
margin: 10vh auto; padding: 0 1rem }} code {{ user-select: all }} input, button {{ font: inherit }}</style></head>
<body><main><h1>This is for the owner of the pictures</h1>
<p>Other users of this machine can reach this address too. So Sightline answers only who has its token, and this browser
has none that is valid{why}.</p>
<h2>How to get in</h2>
<p>Open the address that Sightline printed when it was started. This prints it again, for the user who started it:</p>
<p><code>python -m search_ui address</code></p>
<p>Say the same <code>--library</code> and <code>--port</code> there, if the server was started with any.</p>
<form method="get">{kept}<label>Or give the token:
<input name="token" type="password" autocomplete="off" required></label>
<button>Open</button></form></main></body></html>
"""


class Gate:
    """Decides about requests.

    Args:
        token: what to ask for; None: nothing.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._tickets: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether everyone is let in."""
        return self._token is None

    def admits(self, scope: Scope) -> bool:
        """Whether a request or a WebSocket has the token, or a cookie that was given for it."""
        if self._token is None:
            return True
        headers = Headers(scope=scope)
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(given.strip(), self._token):
            return True
        # Each of that name: a page of another port can add cookies for the host, but not take ours away.
        name = _cookie_name(headers)
        cookies = (part.strip().partition("=") for line in headers.getlist("cookie") for part in line.split(";"))
        return any(self._is_cookie(value) for key, _, value in cookies if key == name)

    def ticket(self) -> str:
        """A token for one use within two minutes: what a browser is opened with is in the list of processes.

        Where the system tells whose a connection is, it is of use to our own user only.
        """
        made = secrets.token_urlsafe(32)
        with self._lock:
            self._tickets[made] = time.monotonic() + _TICKET_AGE
        return made

    def exchange(self, scope: Scope) -> Response | None:
        """The answer to a page's address with a token in it: a cookie, and the address without it."""
        if scope["method"] != "GET":
            return None
        fields = _fields(scope)
        given = [value for name, value in fields if name == PARAMETER]
        if not given:
            return None
        query = urlencode([(name, value) for name, value in fields if name != PARAMETER])
        # In place: servers that log requests take the address from here, after the answer.
        scope["query_string"] = query.encode("ascii")
        is_right = self._token is not None and any(
            _same(each, self._token) or self._spend(each, scope) for each in given
        )
        if not (is_right or self.admits(scope)):
            return self.page(scope, "; the token in the address was not the right one")
        # A path of two slashes would be another host.
        path = "/" + quote(scope["path"].lstrip("/"))
        answer = RedirectResponse(f"{path}?{query}" if query else path, 303, headers=SAFE)
        if is_right:
            answer.set_cookie(
                _cookie_name(Headers(scope=scope)), self._cookie(), max_age=_COOKIE_AGE, httponly=True,
                samesite="strict", secure=scope["scheme"] in ("https", "wss"),
            )  # fmt: skip
        return answer

    def page(self, scope: Scope, why: str = "", *, again: bool = False) -> Response:
        """The page for who has no token. `again`: it loads itself once more, as from a page of ours."""
        # A browser does not send the cookie with a link of another site's page, but with one of our own.
        refresh = '<meta http-equiv="refresh" content="0">' if again else ""
        # A form's fields take the place of the address's: with these, it leads to what the address asks for.
        kept = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in _fields(scope) if name != PARAMETER
        )  # fmt: skip
        text = _PAGE.format(why=html.escape(why), again=refresh, kept=kept)
        return HTMLResponse(text, 401, headers={**SAFE, **CHALLENGE})

    def _spend(self, ticket: str, scope: Scope) -> bool:
        with self._lock:
            until = next((self._tickets.pop(known) for known in [*self._tickets] if _same(ticket, known)), 0.0)
        client, server = scope.get("client"), scope.get("server")
        if time.monotonic() > until or not client or not server or server[1] is None:
            return False
        # What a proxy says of its clients, anyone can say.
        if not {"x-forwarded-for", "forwarded"}.isdisjoint(Headers(scope=scope)):
            return False
        return is_own_connection(client[1], server[1])

    def _cookie(self) -> str:
        until = int(time.time()) + _COOKIE_AGE
        return f"{until}.{self._signature(until)}"

    def _is_cookie(self, value: str) -> bool:
        until, _, signature = value.partition(".")
        if not (until.isascii() and until.isdigit() and len(until) <= 12):
            return False
        return _same(signature, self._signature(int(until))) and time.time() < int(until)

    def _signature(self, until: int) -> str:
        assert self._token is not None
        return hmac.new(self._token.encode(), f"cookie {until}".encode(), hashlib.sha256).hexdigest()


def _fields(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _same(one: str, other: str) -> bool:
    # As bytes: of text, compare_digest takes ASCII only.
    return secrets.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode())


def _cookie_name(headers: Headers) -> str:
    """The name, by the port that the browser sees."""
    try:
        port = urlsplit(f"//{headers.get('host', '')}").port
    except ValueError:
        port = None
    return f"sightline-{port}" if port else "sightline"
