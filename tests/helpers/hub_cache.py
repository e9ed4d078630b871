"""A cache of the Hugging Face hub, laid out by hand as huggingface_hub lays it out."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

COMMITS = tuple(f"{number}" * 40 for number in "abcdef")


def add_snapshot(cache: Path, repository: str, commit: str, folder: Path, *, ref: str | None = "main") -> Path:
    """Put the files of a folder into a cache as the snapshot of a commit; `ref` then refers to it.

    Large files are blobs named by their SHA-256, others by 40 digits, and a snapshot is links to them.
    """
    place = cache / f"models--{repository.replace('/', '--')}"
    snapshot = place / "snapshots" / commit
    for file in sorted(folder.rglob("*")):
        if file.is_dir():
            continue
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        blob = place / "blobs" / (digest if file.suffix == ".safetensors" else digest[:40])
        blob.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, blob)
        link = snapshot / file.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * len(link.relative_to(place).parent.parts)
        link.symlink_to(f"{up}blobs/{blob.name}")
    if ref is not None:
        refer(cache, repository, commit, ref)
    return snapshot


def refer(cache: Path, repository: str, commit: str, ref: str = "main") -> None:
    """Let a branch or tag be at a commit, as a download of it would."""
    refs = cache / f"models--{repository.replace('/', '--')}" / "refs"
    refs.mkdir(parents=True, exist_ok=True)
    (refs / ref).write_text(commit)
