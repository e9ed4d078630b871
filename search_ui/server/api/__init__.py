"""The JSON interface under `/api/v1/`, for programs: a FastAPI application, built on first use.

FastAPI and the models take 0.3 s of processor time and 20 MB. A server whose visitors only open pages saves both.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI


@functools.cache
def json_api() -> FastAPI:
    """The application. The first call imports FastAPI and builds it."""
    from search_ui.server.api.application import build

    return build()
