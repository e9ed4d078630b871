"""Errors of runs on a Ray cluster."""

from __future__ import annotations

from store.errors import SightlineError


class RayError(SightlineError):
    """The cluster can't be reached, lacks something, or its workers can't go on."""
