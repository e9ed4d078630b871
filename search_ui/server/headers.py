"""Headers that every response of ours carries."""

from __future__ import annotations

from typing import Final

SAFE: Final = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every answer: it is of private pictures, for pages of this server only."""
