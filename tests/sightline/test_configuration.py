"""A model's configuration is read as its own library reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import models
import numpy as np
import open_clip
import pytest
import timm
import torch
from model_files import timm_folder
from PIL import Image
from timm.data.config import resolve_model_data_config
from timm.data.model_config import resolve_input_data_config
from timm.data.transforms_factory import create_transform

from sightline.models.preprocess import Preprocess
from sightline.models.resolve import resolve
from store.errors import SpaceError


def _picture(size: tuple[int, int]) -> Image.Image:
    seeded = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    return Image.fromarray(seeded).resize(size, Image.Resampling.BICUBIC)


def _largest_difference(ours: Preprocess, theirs: Any, picture: Image.Image) -> float:
    """Of 255 levels, between a picture as it is prepared here and by a library's own transform."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (ours.mean, ours.std))
    expected = (theirs(picture) * std + mean) * 255
    got = torch.from_numpy(ours.apply(np.asarray(picture))).float()
    assert got.shape == expected.shape
    return float((got - expected).abs().max())


TIMM: dict[str, dict[str, Any]] = {
    "silent": {"mean": None, "std": None, "interpolation": None, "crop_pct": None},
    "squash": {"crop_mode": "squash", "crop_pct": 0.9},
    "border": {"crop_mode": "border", "crop_pct": 0.95},
    "an unknown mode": {"crop_mode": "of nobody"},
    "not square": {"input_size": [3, 96, 160], "crop_pct": 0.9},
    "not square, border": {"input_size": [3, 96, 160], "crop_mode": "border", "crop_pct": 1.0},
    "one mean": {"mean": [0.5], "std": [0.5]},
    **{name: {"interpolation": name} for name in ("bilinear", "nearest", "box", "hamming", "lanczos")},
    "lanczos, squash": {"interpolation": "lanczos", "crop_mode": "squash"},
    "nearest, border": {"interpolation": "nearest", "crop_mode": "border"},
}


@pytest.mark.parametrize("kind", TIMM)
@pytest.mark.parametrize("size", [(311, 207), (150, 420)])
def test_pictures_are_prepared_as_timm_prepares_them(tmp_path: Path, kind: str, size: tuple[int, int]) -> None:
    space = timm_folder(tmp_path, "test_resnet", config=TIMM[kind])
    network = timm.create_model(space, pretrained=False)
    settings = resolve_model_data_config(network)  # type: ignore[no-untyped-call]
    if len(settings["mean"]) == 1:
        settings["mean"], settings["std"] = settings["mean"] * 3, settings["std"] * 3
    assert _largest_difference(resolve(space).preprocess, create_transform(**settings), _picture(size)) <= 2.01


@pytest.mark.parametrize("resize", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "random"])
@pytest.mark.parametrize("size", [48, [48, 80]])
def test_pictures_are_prepared_as_open_clip_prepares_them(resize: str, interpolation: str, size: Any) -> None:
    config = {"resize_mode": resize, "interpolation": interpolation, "mean": None, "size": 500}
    theirs = open_clip.transform.image_transform(
        size if isinstance(size, int) else tuple(size), is_train=False, resize_mode=resize, interpolation=interpolation
    )
    assert _largest_difference(Preprocess.from_open_clip(config, size), theirs, _picture((311, 207))) <= 2.01


@pytest.mark.parametrize(
    ("config", "args"),
    [
        ({}, {"img_size": 96, "dynamic_img_size": False}),
        ({"fixed_input_size": True}, {"img_size": 96, "dynamic_img_size": False}),
        ({"fixed_input_size": False}, {"img_size": 96}),
        ({"fixed_input_size": True}, {"img_size": 96, "dynamic_img_size": True}),
        ({"fixed_input_size": None}, {"img_size": [96, 128], "dynamic_img_size": False}),
        ({"fixed_input_size": True, "input_size": [3, 128, 128]}, {"dynamic_img_size": False}),
    ],
)
def test_the_input_size_is_the_networks(tmp_path: Path, config: dict[str, Any], args: dict[str, Any]) -> None:
    space = timm_folder(tmp_path, "test_vit", config=config, **args)
    network = timm.create_model(space, pretrained=False)
    assert resolve(space).preprocess.size == tuple(resolve_input_data_config(network)["input_size"][1:])


def test_a_configuration_on_one_level_is_read(tmp_path: Path) -> None:
    """As timm wrote them before version 0.9."""
    space = timm_folder(tmp_path, "test_resnet", config={"mean": [0.4, 0.5, 0.6]})
    expected = resolve(space).preprocess
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config.pop("pretrained_cfg"), **config}))
    assert resolve(space).preprocess == expected
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "test_resnet"}))
    silent = resolve(space).preprocess
    assert (silent.size, silent.mean, silent.crop) == ((224, 224), (0.485, 0.456, 0.406), 0.875)


@pytest.mark.parametrize(
    ("config", "args", "said"),
    [
        ({"input_size": [1, 64, 64]}, {}, "1 channels"),
        ({}, {"in_chans": 4}, "4 channels"),
        ({"interpolation": "random"}, {}, "'random' is for training"),
        ({"interpolation": "guess"}, {}, "'guess' is none of"),
        ({"std": [0.5, 0, 0.5]}, {}, "must be positive"),
        ({"crop_pct": 1.5}, {}, "at most 1"),
        ({"mean": [0.5, 0.5]}, {}, "three colours"),
        ({"input_size": [3, 64]}, {}, "channels, height, width"),
    ],
)
def test_what_can_not_be_prepared_is_refused(
    tmp_path: Path, config: dict[str, Any], args: dict[str, Any], said: str
) -> None:
    with pytest.raises(SpaceError, match=said):
        resolve(timm_folder(tmp_path, "test_resnet", config=config, **args))


@pytest.mark.parametrize("place", ["hf-hub:timm/test_vit.r160_in1k", "local-dir:/elsewhere"])
def test_an_image_tower_that_is_described_elsewhere_is_refused(tmp_path: Path, place: str) -> None:
    """Timm would ask the hub for it, offline too, and what it says is no part of the space's identity."""
    space = models.siglip_like(tmp_path)
    config = json.loads((tmp_path / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["timm_model_name"] = place
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(SpaceError, match=f"its 'timm_model_name' is '{place}'"):
        resolve(space)


@pytest.mark.parametrize("name", ["checkpoint_path", "pretrained", "cache_dir"])
def test_arguments_that_lead_to_other_weights_are_refused(tmp_path: Path, name: str) -> None:
    """Timm would open the file of `checkpoint_path`, a pickle too."""
    space = timm_folder(tmp_path, "test_resnet")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_args": {name: "elsewhere.pth"}}))
    with pytest.raises(SpaceError, match=f"its 'model_args' hold '{name}'"):
        resolve(space)


def test_a_description_of_a_network_only_is_refused(tmp_path: Path) -> None:
    """The files of open_clip's own list of architectures are of this form."""
    timm_folder(tmp_path, "test_resnet")
    (tmp_path / "open_clip_config.json").write_text(json.dumps(open_clip.get_model_config("ViT-B-32")))
    with pytest.raises(SpaceError, match=r"'model_cfg'.*'preprocess_cfg'"):
        resolve(f"local-dir:{tmp_path}")


def test_an_image_size_that_is_not_said_is_open_clips_own(tmp_path: Path) -> None:
    timm_folder(tmp_path, "test_resnet")
    model = {"embed_dim": 8, "vision_cfg": {"layers": 1}, "text_cfg": {}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": model, "preprocess_cfg": None}))
    preprocess = resolve(f"local-dir:{tmp_path}").preprocess
    assert (preprocess.size, preprocess.interpolation) == ((224, 224), "bicubic")


@pytest.mark.parametrize(
    ("preprocess", "kept"),
    [
        (
            Preprocess.from_timm({"input_size": [3, 8, 8], "mean": [0.1, 0.5, 0.6], "std": [1, 1, 1], "crop_pct": 1}),
            '{"crop": 1.0, "fill": 102, "interpolation": "bicubic", "mean": [0.1, 0.5, 0.6], "resize": "shortest", '
            '"size": [8, 8], "std": [1.0, 1.0, 1.0]}',
        ),
        (
            Preprocess.from_open_clip({"resize_mode": "longest", "mean": 0.5, "std": 0.5, "fill_color": 7}, 8),
            '{"crop": 1.0, "fill": 7, "interpolation": "bicubic", "mean": [0.5, 0.5, 0.5], "resize": "longest", '
            '"size": [8, 8], "std": [0.5, 0.5, 0.5]}',
        ),
    ],
)
def test_the_identity_of_older_spaces_is_what_it_was(preprocess: Preprocess, kept: str) -> None:
    assert preprocess.to_json() == kept


@pytest.mark.parametrize("name", ["pretrained_cfg", "model_args"])
def test_a_part_of_another_form_is_named(tmp_path: Path, name: str) -> None:
    space = timm_folder(tmp_path, "test_resnet")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, name: "text"}))
    with pytest.raises(SpaceError, match=f"'{name}' is no JSON object"):
        resolve(space)
