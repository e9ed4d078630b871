"""Small things in pictures: overlapping tiles, encoded beside the whole picture."""

from __future__ import annotations

from typing import Final

LEAST_GRID: Final = 2
"""Fewest tiles along the shorter side: one is the whole picture, which is encoded anyway."""
MOST_GRID: Final = 8
"""Most tiles along the shorter side."""
