"""The indexer as a test of another part calls it."""

from __future__ import annotations

from pathlib import Path

from indexer.commands import run


def add(library: Path, photos: Path, space: str) -> None:
    """Index a folder in this process, as the command line does."""
    code = run([str(photos), "--library", str(library), "--space", space, "--precision", "fp32", "--quiet"])
    assert code in (0, 1), code
