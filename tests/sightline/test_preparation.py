"""From a JPEG file to a vector: the same as with the transform that the model's library makes of its configuration."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from zoo import pictures, publish
from zoo_table import Architecture

from sightline.model_input import encode_images
from sightline.models import load

NETWORK = Architecture("timm", "test_convnext", "takes any size")
FIXED = Architecture("timm", "test_vit", "made for another size", {"img_size": 96, "dynamic_img_size": False})
JOINT = Architecture(
    "open_clip", "ViT-B-32", "small",
    {
        "embed_dim": 32,
        "vision_cfg": {"layers": 1, "width": 64, "head_width": 32, "image_size": 96},
        "text_cfg": {"width": 32, "heads": 2, "layers": 1, "context_length": 16},
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A wide and a high photo, one large enough to be decoded small."""
    folder = tmp_path_factory.mktemp("photos")
    names = [folder / "wide.jpg", folder / "high.jpg"]
    for name, picture, size in zip(names, pictures(), ((1500, 1000), (500, 750)), strict=True):
        picture.resize(size, Image.Resampling.BICUBIC).save(name, quality=92)
    return names


def compare(space: str, own: Any, transform: Callable[[Image.Image], torch.Tensor], files: list[Path]) -> None:
    """The vectors of the files through the product, and by the library."""
    with torch.inference_mode():
        pixels = torch.stack([transform(Image.open(file).convert("RGB")) for file in files])
        features = own.encode_image(pixels) if hasattr(own, "encode_image") else own(pixels)
    expected = torch.nn.functional.normalize(features.float(), dim=-1)
    ours = torch.from_numpy(encode_images(load(space, device="cpu", precision="fp32"), files))
    assert ours.shape == expected.shape
    assert float(expected[0] @ expected[1]) < 0.99, "two pictures have to differ, or nothing is compared"
    assert float((ours * expected).sum(1).min()) >= 0.9999


@pytest.mark.parametrize(
    ("network", "changes"),
    [
        (NETWORK, {}),
        (NETWORK, {"crop_mode": "squash", "crop_pct": 1.0}),
        (NETWORK, {"crop_mode": "squash", "crop_pct": 0.8}),
        (NETWORK, {"crop_mode": "border", "crop_pct": 0.9}),
        (NETWORK, {"crop_mode": None, "crop_pct": None, "interpolation": None}),
        (NETWORK, {"mean": None, "std": None}),
        (NETWORK, {"mean": [0.1, 0.4, 0.7], "std": [0.5, 0.2, 0.3], "interpolation": "bilinear"}),
        (NETWORK, {"input_size": [3, 96, 192]}),
        (NETWORK, {"input_size": [3, 192, 96], "crop_mode": "squash"}),
        (NETWORK, {"input_size": [3, 96, 96], "test_input_size": [3, 160, 160], "test_crop_pct": 1.0}),
        (FIXED, {}),
    ],
    ids=lambda given: given.name if isinstance(given, Architecture) else str(given),
)
def test_a_configuration_of_timm_prepares_pictures_as_timm_does(
    network: Architecture, changes: dict[str, Any], tmp_path: Path, files: list[Path]
) -> None:
    import timm
    from timm.data.config import resolve_data_config
    from timm.data.transforms_factory import create_transform

    space = publish(network, tmp_path / "model", pictures()).space
    file = tmp_path / "model" / "config.json"
    config = json.loads(file.read_text())
    for name, value in changes.items():
        config["pretrained_cfg"].pop(name, None)
        if value is not None:
            config["pretrained_cfg"][name] = value
    file.write_text(json.dumps(config))
    own = timm.create_model(space, pretrained=True, num_classes=0).eval()
    data: dict[str, Any] = resolve_data_config({}, model=own)  # type: ignore[no-untyped-call]
    compare(space, own, create_transform(**data), files)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"resize_mode": "squash"},
        {"resize_mode": "longest", "fill_color": 128},
        {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "interpolation": "bilinear"},
        None,
    ],
    ids=str,
)
def test_a_configuration_of_open_clip_prepares_pictures_as_open_clip_does(
    changes: dict[str, Any] | None, tmp_path: Path, files: list[Path]
) -> None:
    import open_clip

    space = publish(JOINT, tmp_path / "model", pictures()).space
    file = tmp_path / "model" / "open_clip_config.json"
    config = json.loads(file.read_text())
    config["preprocess_cfg"] = changes
    if changes is None:
        del config["preprocess_cfg"]
    file.write_text(json.dumps(config))
    own, _, transform = open_clip.create_model_and_transforms(space)
    compare(space, own.eval(), transform, files)
