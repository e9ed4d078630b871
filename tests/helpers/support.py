"""What tests of every part use: where things are, how a run of the indexer ended, acting as another user."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
DEMO = FIXTURES / "demo"
AWKWARD = FIXTURES / "awkward"


@dataclass(frozen=True)
class Outcome:
    """How a run of the indexer ended."""

    code: int
    summary: dict[str, Any]
    out: str
    err: str

    def __getattr__(self, name: str) -> Any:
        return self.summary[name]


Index = Callable[..., Outcome]


class Answer(Protocol):
    """What a web server answered. httpx and Starlette's TestClient, which prefers httpx2, share no class for it."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def text(self) -> str: ...
    def json(self) -> Any: ...


@contextmanager
def as_nobody() -> Iterator[None]:
    """Act as a user without rights: root may write read-only files, so nothing would be tested."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
