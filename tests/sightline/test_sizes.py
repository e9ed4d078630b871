"""Models at another size than their own: by each library's own door, or refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from zoo import pictures, publish
from zoo_table import ARCHITECTURES, Architecture

from sightline.models import load
from sightline.models.encoder import Encoder
from sightline.models.resolve import resolve
from store.errors import SpaceError

LEAST = 0.9999
BY_NAME: dict[tuple[str, str], Architecture] = {(each.library, each.name): each for each in ARCHITECTURES}
# A size for one of each kind; larger and smaller than its own, none of them a multiple of it.
FIT = [
    ("open_clip", "ViT-B-32", 320),  # its positions are turned while weights are loaded
    ("open_clip", "ViT-H-14-CLIPA", 196),  # mean pooling
    ("open_clip", "coca_ViT-B-32", 320),
    ("open_clip", "ViT-B-32-SigLIP2-256", 240),  # towers of timm are turned after it
    ("open_clip", "EVA02-B-16", 336),
    ("open_clip", "convnext_base", 320),
    ("timm", "vit_small_patch14_reg4_dinov2", 224),
    ("timm", "vit_small_patch16_dinov3", 336),  # rotary positions, four registers
    ("timm", "beit_base_patch16_224", 320),  # a table of relative positions
    ("timm", "swin_tiny_patch4_window7_224", 448),
    ("timm", "naflexvit_base_patch16_gap", 224),
    ("timm", "convnext_atto", 300),
    ("timm", "test_maxvit", 288),
    ("timm", "tf_efficientnet_lite0", 250),
]
MISFIT = [
    ("open_clip", "ViT-B-32", 450, ("patches are of 32 px", "2 px of the right", "size=448 or size=480")),
    ("open_clip", "ViT-H-14-CLIPA", 256, ("patches are of 14 px", "4 px of the right", "size=252 or size=266")),
    ("open_clip", "ViT-B-32-SigLIP2-256", 250, ("patches are of 16 px", "size=240 or size=256")),
    ("open_clip", "RN50", 320, ("its weights fit its own size only", "size=224")),
    (
        "timm",
        "vit_small_patch14_reg4_dinov2",
        450,
        ("patches are of 14 px", "2 px of the right", "size=448 or size=462"),
    ),
    ("timm", "vit_small_patch16_dinov3", 450, ("patch size", "size=448 or size=464")),
    ("timm", "beit_base_patch16_224", 225, ("patches are of 16 px", "size=224 or size=240")),
    ("timm", "swinv2_tiny_window8_256", 384, ("12 x 12 places", "windows of 8", "size=256 or size=512")),
    ("timm", "naflexvit_base_patch16_gap", 230, ("size=224 or size=240",)),
    ("timm", "convnext_atto", 226, ("patches are of 4 px", "size=224 or size=228")),
    ("timm", "hiera_tiny_224", 448, ("its weights fit its own size only", "size=224")),
    ("timm", "coatnet_pico_rw_224", 300, ("size=288 or size=320",)),
]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """Names of the models, saved by their own libraries."""
    folder = tmp_path_factory.mktemp("zoo")
    kinds = dict.fromkeys([row[:2] for row in FIT] + [row[:2] for row in MISFIT])
    return {kind: publish(BY_NAME[kind], folder / "-".join(kind), pictures()).space for kind in kinds}


def by_the_library(library: str, space: str, size: int, pixels: torch.Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    if library == "open_clip":
        import open_clip

        joint: Any = open_clip.create_model(space, force_image_size=size)
        network = joint.eval().encode_image
    else:
        try:
            network = timm.create_model(space, pretrained=True, num_classes=0, img_size=size).eval()
        except TypeError:  # it reads any size
            network = timm.create_model(space, pretrained=True, num_classes=0).eval()
    with torch.inference_mode():
        vectors: np.ndarray[Any, np.dtype[np.float32]] = torch.nn.functional.normalize(network(pixels), dim=-1).numpy()
    return vectors


@pytest.mark.parametrize(("library", "name", "size"), FIT)
def test_vectors_at_another_size_are_those_of_the_models_own_library(
    published: dict[tuple[str, str], str], library: str, name: str, size: int
) -> None:
    space = published[library, name]
    model = resolve(f"{space};size={size}")
    assert model.preprocess.size == (size, size)
    assert (model.preprocess.crop, model.preprocess.resize) == (
        resolve(space).preprocess.crop, resolve(space).preprocess.resize,
    )  # fmt: skip
    pixels = np.stack([model.preprocess.apply(np.asarray(picture)) for picture in pictures()])
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (model.preprocess.mean, model.preprocess.std))
    expected = by_the_library(library, space, size, (torch.from_numpy(pixels) / 255 - mean) / std)
    assert float(expected[0] @ expected[1]) < LEAST, "two pictures have to differ, or nothing is compared"
    for texts in (True, False):
        encoder = Encoder(model, device="cpu", precision="fp32", texts=texts)
        vectors = encoder.encode_images(pixels)
        assert float((vectors * expected).sum(1).min()) >= LEAST
        encoder.close()


@pytest.mark.parametrize(("library", "name", "size", "parts"), MISFIT)
def test_a_size_that_does_not_fit_is_refused_before_loading_with_those_that_do(
    published: dict[tuple[str, str], str], library: str, name: str, size: int, parts: tuple[str, ...]
) -> None:
    space = published[library, name]
    with pytest.raises(SpaceError) as caught:
        resolve(f"{space};size={size}")
    said = str(caught.value)
    assert space in said
    assert f"{size} px" in said
    for part in parts:
        assert part in said
    for fits in re.findall(r"size=(\d+)", said.partition("nearest")[2]):
        assert resolve(f"{space};size={fits}").preprocess.size == (int(fits), int(fits))


def test_what_a_size_costs_is_said(published: dict[tuple[str, str], str]) -> None:
    model = resolve(f"{published['timm', 'vit_small_patch14_reg4_dinov2']};size=224")
    said = model.remark()
    assert "224 px" in said
    assert "trained at 518" in said
    work = float(re.findall(r"([\d.]+) times the work", said)[0])
    assert 0.01 < work < 224**2 / 518**2  # attention is more than linear in the patches
    assert not resolve("demo").remark()


def test_a_network_that_was_configured_for_a_size_is_the_same_there(
    published: dict[tuple[str, str], str], tmp_path: Path
) -> None:
    """The size that a configuration asks for and the one that a name asks for give the same vectors."""
    kind = ("open_clip", "ViT-B-32")
    source, edited = Path(published[kind].removeprefix("local-dir:")), tmp_path / "edited"
    edited.mkdir()
    for file in source.iterdir():
        (edited / file.name).symlink_to(file)
    config = json.loads((source / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["image_size"] = 320
    (edited / "open_clip_config.json").unlink()
    (edited / "open_clip_config.json").write_text(json.dumps(config))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 320, 320), dtype=np.uint8)
    vectors = [
        load(space, device="cpu", precision="fp32").encode_images(pixels)
        for space in (f"local-dir:{edited}", f"{published[kind]};size=320")
    ]
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_a_tower_of_timm_reads_the_size_that_its_configuration_says(
    published: dict[tuple[str, str], str], tmp_path: Path
) -> None:
    """open_clip itself makes it at the architecture's size, and it refuses the first picture."""
    space = published["open_clip", "ViT-B-32-SigLIP2-256"]
    edited = tmp_path / "edited"
    shutil.copytree(space.removeprefix("local-dir:"), edited)
    config = json.loads((edited / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["image_size"] = 240
    (edited / "open_clip_config.json").write_text(json.dumps(config))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 240, 240), dtype=np.uint8)
    for texts in (True, False):
        first, second = (
            Encoder(resolve(name), device="cpu", precision="fp32", texts=texts).encode_images(pixels)
            for name in (f"local-dir:{edited}", f"{space};size=240")
        )
        np.testing.assert_allclose(first, second, atol=1e-6)


def test_a_model_that_was_published_with_its_edge_cut_off_is_taken_as_it_is_and_no_other_size_is_cut(
    tmp_path: Path,
) -> None:
    """As ViT-SO400M-14-SigLIP-384 is: 27 patches of 14 px are 378 of 384 px."""
    so400m = Architecture(
        "timm", "vit_base_patch16_siglip_224", "", {"depth": 1, "embed_dim": 96, "num_heads": 3, "img_size": 70}
    )
    space = publish(so400m, tmp_path / "model", pictures()).space
    assert resolve(space).preprocess.size == (70, 70)
    with pytest.raises(SpaceError, match="size=80 or size=96"):
        resolve(f"{space};size=86")  # it would leave out no more than the own size does


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("library", "name", "size"), [("open_clip", "ViT-B-32", 320), ("timm", "vit_small_patch14_reg4_dinov2", 224)]
)
def test_weights_in_half_precision_are_turned_to_another_size_too(
    published: dict[tuple[str, str], str], tmp_path: Path, library: str, name: str, size: int, kind: torch.dtype
) -> None:
    """open_clip's force_image_size itself fails with them: torch interpolates none on a CPU."""
    space = published[library, name]
    shutil.copytree(space.removeprefix("local-dir:"), tmp_path / "half")
    (file,) = (tmp_path / "half").glob("*.safetensors")
    halves = {key: value.to(kind) if value.is_floating_point() else value for key, value in load_file(file).items()}
    save_file(halves, file)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, size, size), dtype=np.uint8)
    first, second = (
        Encoder(resolve(f"{each};size={size}"), device="cpu", precision="fp32").encode_images(pixels)
        for each in (f"local-dir:{tmp_path}/half", space)
    )
    assert float((first * second).sum(1).min()) > 0.999


def test_the_model_that_ships_looks_at_another_size() -> None:
    model = resolve("demo;size=96")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 96, 96), dtype=np.uint8)
    encoder = Encoder(model, device="cpu", precision="fp32")
    assert encoder.encode_images(pixels).shape == (2, 128)
    own = Encoder(resolve("demo"), device="cpu", precision="fp32")
    np.testing.assert_array_equal(encoder.encode_texts(["a red boat"]), own.encode_texts(["a red boat"]))
