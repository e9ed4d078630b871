"""Counts and times of this process, and what the library holds, in Prometheus' text format.

The names follow https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import DatabaseError

from search_ui.runtime.services import services
from store.errors import SightlineError

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class _Holdings(Collector):
    """What the library holds when asked; nothing where there is none."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            counts = services().library().catalog.counts()
        except (SightlineError, DatabaseError):
            return
        for name, about, value in (
            ("pictures", "Distinct pictures that a file holds.", counts.pictures),
            ("photos", "Files of pictures that are there.", counts.photos),
            ("failures", "Files that could not be indexed.", counts.failed),
            ("generation", "Raised with every change of what a search can return.", counts.generation),
        ):
            yield GaugeMetricFamily(f"sightline_{name}", about, value=value)


class Metrics:
    """The numbers of one process, in a registry of their own."""

    def __init__(self) -> None:
        # Else each counter has the time it began beside it, as a series of its own.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._registry.register(_Holdings())
        self._searches = Counter("sightline_searches", "Searches that were answered.", registry=self._registry)
        self._seconds = Histogram(
            "sightline_search_seconds", "Time a search took, without loading a model.",
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._requests = Counter(
            "sightline_http_requests", "Requests to our own routes, not those of the page's framework.",
            ("route", "status"), registry=self._registry,
        )  # fmt: skip

    def observe_search(self, seconds: float) -> None:
        """Count a search and its time."""
        self._searches.inc()
        self._seconds.observe(seconds)

    def count_response(self, route: str, status: int) -> None:
        """Count a response. `route` is the pattern of the address, not the address: there is no end of those."""
        self._requests.labels(route, str(status)).inc()

    def text(self) -> bytes:
        """The metrics as text, of media type `MEDIA_TYPE`."""
        return generate_latest(self._registry)


@functools.cache
def metrics() -> Metrics:
    """The metrics of this process."""
    return Metrics()
