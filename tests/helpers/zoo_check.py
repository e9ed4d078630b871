"""What is asserted of every architecture: through the product's own doors its vectors are its library's."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from zoo import TEXTS, pictures, publish
from zoo_table import Architecture

from sightline.models import load
from sightline.models.checks import check
from sightline.models.encoder import Encoder
from sightline.models.resolve import resolve

LEAST = 0.9999


def name_of(architecture: Architecture) -> str:
    """The id of its test."""
    return f"{architecture.library}-{architecture.name}"


def check_vectors(architecture: Architecture, folder: Path) -> None:
    """Publish a model with its library, load it, and compare pixels, pictures and texts with the library's own."""
    if architecture.library == "timm":
        import timm

        if not timm.is_model(architecture.name):
            pytest.skip(f"timm {timm.__version__} has no {architecture.name}")
    given = pictures()
    try:
        published = publish(architecture, folder / "model", given)
        encoder = load(published.space, device="cpu", precision="fp32")
        prepared = torch.from_numpy(np.stack([encoder.preprocess.apply(np.asarray(picture)) for picture in given]))
        assert (prepared.float() - published.pixels.float()).abs().max() <= 2
        ours = torch.from_numpy(encoder.encode_images(published.pixels))
        assert ours.shape == published.pictures.shape
        assert encoder.encode_images(published.pixels[:0]).shape == (0, ours.shape[1])
        assert float(ours[0] @ ours[1]) < LEAST, "two pictures have to differ, or nothing is compared"
        assert float((ours * published.pictures).sum(1).min()) >= LEAST
        assert check(encoder.model).dim == ours.shape[1]
        if published.texts is None:
            return
        texts = torch.from_numpy(encoder.encode_texts(TEXTS))
        assert float(texts[0] @ texts[1]) < LEAST
        assert float((texts * published.texts).sum(1).min()) >= LEAST
        del encoder
        alone = Encoder(resolve(published.space), device="cpu", precision="fp32", texts=False)
        towers = torch.from_numpy(alone.encode_images(published.pixels))
        assert float((towers * published.pictures).sum(1).min()) >= LEAST
    finally:
        shutil.rmtree(folder)  # some are large, and pytest keeps the folders of its last three runs
