"""Whether the environment forbids the network."""

from __future__ import annotations

import os


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE is on, read as huggingface_hub reads it: 1, ON, YES or TRUE in any case."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
