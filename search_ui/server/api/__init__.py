"""The JSON interface under `/api/v1/`, for programs: a FastAPI application, built when it is first asked for.

FastAPI and the models take 0.3 s of processor time and 15 MB. A server whose visitors only open pages saves both.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

_lock = threading.Lock()
_built: list[FastAPI] = []


def json_api() -> FastAPI:
    """The application. The first call builds it; later ones give the same."""
    with _lock:
        if not _built:
            from search_ui.server.api.application import build

            _built.append(build())
        return _built[0]
