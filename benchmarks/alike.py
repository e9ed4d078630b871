"""Image-to-image precision on labelled photographs: the product, beside timm and FAISS by themselves.

    python benchmarks/alike.py MODEL_FOLDER PHOTOS [--at 10] [--precision auto]

MODEL_FOLDER holds a model of timm (config.json, model.safetensors). PHOTOS has a folder for each class. Each photo is
a query; of the nearest ones, itself left out, those of its class are right. The script beside the product is the short
way to do the same: timm's own transform and network in float32, and an exact FAISS index.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import click
import faiss
import numpy as np
import timm
import torch
from PIL import Image
from timm.data.config import resolve_model_data_config
from timm.data.transforms_factory import create_transform

import sightline
from indexer.commands import run

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
BATCH = 32


def direct(model: Path, photos: Sequence[Path], at: int) -> Mapping[Path, list[Path]]:
    """The nearest photos of each by timm and FAISS, the photo itself left out."""
    network = timm.create_model(f"local-dir:{model}", pretrained=True, num_classes=0).eval()
    config: dict[str, Any] = resolve_model_data_config(network)  # type: ignore[no-untyped-call]
    transform: Any = create_transform(**config)
    rows = []
    with torch.inference_mode():
        for start in range(0, len(photos), BATCH):
            batch = [transform(Image.open(photo).convert("RGB")) for photo in photos[start : start + BATCH]]
            rows.append(network(torch.stack(batch)).numpy())
    vectors = np.concatenate(rows)
    faiss.normalize_L2(vectors)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    _, nearest = index.search(vectors, at + 1)
    return {
        photo: [photos[other] for other in row if other != own][:at]
        for own, (photo, row) in enumerate(zip(photos, nearest, strict=True))
    }


def product(model: Path, folder: Path, at: int, precision: str, library: Path) -> Mapping[Path, list[Path]]:
    """The nearest photos of each by `like:`, near-duplicates one by one, the photo itself left out."""
    with contextlib.redirect_stdout(io.StringIO()):
        run([str(folder), "--library", str(library), "--space", f"local-dir:{model}", "--precision", precision, "-q"])
    found: dict[Path, list[Path]] = {}
    with sightline.Library(library) as opened:
        everything = opened.search("sort:name dedup:off", limit=None)
        for photo in everything:
            hits = opened.search(f"like:{photo['id']} dedup:off", limit=at + 1)
            found[folder / str(photo["path"])] = [
                folder / str(hit["path"]) for hit in hits if hit["id"] != photo["id"]
            ][:at]
    return found


def judged(found: Mapping[Path, list[Path]]) -> float:
    """The mean share of the nearest photos that are of a photo's class."""
    return mean(mean(other.parent == photo.parent for other in others) for photo, others in found.items())


@click.command()
@click.argument("model", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("photos", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--at", default=10, show_default=True, help="Nearest photos that are judged.")
@click.option("--precision", default="auto", show_default=True, help="As the indexer takes it.")
def main(model: Path, photos: Path, at: int, precision: str) -> None:
    """Print P@N of both."""
    model, photos = model.absolute(), photos.absolute()
    files = sorted(file for file in photos.rglob("*") if file.suffix.lower() in SUFFIXES)
    beside = direct(model, files, at)
    with tempfile.TemporaryDirectory() as folder:
        ours = product(model, photos, at, precision, Path(folder) / "library")
    click.echo(f"{len(files)} photos; in the library {len(ours)}")
    click.echo(f"timm and FAISS  P@{at} {judged(beside):.4f}, P@1 {judged(_first(beside)):.4f}")
    click.echo(f"Sightline       P@{at} {judged(ours):.4f}, P@1 {judged(_first(ours)):.4f}")
    shared = [len(set(beside[photo]) & set(others)) / at for photo, others in ours.items()]
    click.echo(f"of the nearest {at} the same: {mean(shared):.3f}")


def _first(found: Mapping[Path, list[Path]]) -> dict[Path, list[Path]]:
    return {photo: others[:1] for photo, others in found.items()}


if __name__ == "__main__":
    main()
