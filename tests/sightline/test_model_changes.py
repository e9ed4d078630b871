"""What is changed of a model by its name: the size that it looks at, and its pooling."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import clip_like, noise, picture_only
from safetensors.torch import save_file

from sightline.models import load
from sightline.models.changes import Changes
from sightline.models.names import read_name
from sightline.models.presets import PRESETS
from sightline.models.resolve import resolve
from store.errors import SpaceError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("changes")
    picture_only(made / "pictures")
    clip_like(made / "words")
    return made


def test_a_name_with_changes_reads_as_itself_again(folder: Path) -> None:
    first = resolve(f" local-dir:{folder}/pictures ; pool=avg;size=320 ")
    assert first.spec == f"local-dir:{folder}/pictures;size=320;pool=avg"
    assert first.name == "pictures;size=320;pool=avg"
    again = resolve(first.spec)
    assert again == first
    assert again.preprocess.size == (320, 320)
    assert again.own_size == (160, 160)


def test_a_change_to_what_a_model_is_anyway_is_none(folder: Path) -> None:
    plain = resolve(f"local-dir:{folder}/pictures")
    for said in (";size=160", ";pool=token", ";size=160;pool=token"):
        assert resolve(f"{plain.spec}{said}") == plain
    assert resolve("demo;size=64") == resolve("demo")


def test_each_change_makes_a_space_of_its_own(folder: Path) -> None:
    plain = f"local-dir:{folder}/pictures"
    models = [resolve(f"{plain}{said}") for said in ("", ";size=320", ";pool=avg", ";pool=max", ";size=320;pool=avg")]
    assert len({model.fingerprint for model in models}) == len({model.name for model in models}) == 5
    assert all(not set(model.former_weights) & set(models[0].former_weights) for model in models[1:])


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (";size=big", "a number of pixels"), (";size=", "a number of pixels"), (";size=-4", "a number of pixels"),
        (";size=1", "8 to 4096"), (";size=99999", "8 to 4096"), (";size=320;size=160", "twice"),
        (";pool=A B", "names no pooling"), (";pool=", "names no pooling"),
    ],
)  # fmt: skip
def test_a_change_that_is_none_is_refused_with_what_may_be_said(folder: Path, said: str, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        resolve(f"local-dir:{folder}/pictures{said}")


def test_another_pooling_is_that_of_the_library(folder: Path) -> None:
    import timm

    pictures = noise(3, (160, 160))
    network: Any = timm.create_model(f"local-dir:{folder}/pictures", pretrained=True, num_classes=0).eval()
    for pool in ("avg", "max"):
        network.reset_classifier(0, global_pool=pool)
        with torch.inference_mode():
            expected = torch.nn.functional.normalize(network((pictures / 255 - 0.5) / 0.5), dim=-1).numpy()
        encoder = load(f"local-dir:{folder}/pictures;pool={pool}", precision="fp32")
        assert np.einsum("ij,ij->i", encoder.encode_images(pictures.numpy()), expected).min() > 0.9999
        encoder.close()


def test_pooling_is_changed_of_timm_s_models_only(folder: Path) -> None:
    with pytest.raises(SpaceError, match="timm's models only"):
        resolve(f"local-dir:{folder}/words;pool=avg")


@pytest.mark.parametrize(
    ("name", "argument"), [("beit_base_patch16_224", "use_fc_norm"), ("vit_base_patch16_clip_224", "fc_norm")]
)
def test_a_norm_that_is_missing_after_pooling_is_named_with_the_way_out(
    tmp_path: Path, name: str, argument: str
) -> None:
    """Files from before fine-tuning have their norm before pooling; timm makes the network with one after it."""
    import timm

    small: dict[str, Any] = {"depth": 1, "embed_dim": 96, "num_heads": 3, "global_pool": "avg"}
    made: dict[str, Any] = {**small, argument: False}
    before: Any = timm.create_model(name, pretrained=False, num_classes=0, **made).eval()
    save_file({key: value.contiguous() for key, value in before.state_dict().items()}, tmp_path / "model.safetensors")
    cfg = {"input_size": [3, 224, 224], "fixed_input_size": True, "mean": [0.5] * 3, "std": [0.5] * 3}
    config = {"architecture": name, "num_classes": 0, "model_args": small, "pretrained_cfg": cfg}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(SpaceError, match=f"lacks .*fc_norm.*'{argument}': false in 'model_args'"):
        load(f"local-dir:{tmp_path}")
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_args": made}))
    pictures = noise(2, (224, 224))
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(before((pictures / 255 - 0.5) / 0.5), dim=-1).numpy()
    vectors = load(f"local-dir:{tmp_path}", precision="fp32").encode_images(pictures.numpy())
    assert np.einsum("ij,ij->i", vectors, expected).min() > 0.9999


def test_a_model_of_timm_takes_changes_by_its_name_of_the_hub() -> None:
    address = read_name("timm/vit_small_patch14_dinov2.lvd142m;pool=avg;size=224")
    assert address.spec == "hf-hub:timm/vit_small_patch14_dinov2.lvd142m;size=224;pool=avg"
    assert read_name(address.spec) == address
    assert address.changes == Changes(224, "avg")
    assert read_name("dinov2-small;size=448").changes == Changes(448, PRESETS["dinov2-small"].changes.pool)


def test_a_pooling_that_a_network_does_not_have_is_refused(folder: Path) -> None:
    for pool in ("map", "median"):
        with pytest.raises(SpaceError, match=f"can't pool by '{pool}'"):
            resolve(f"local-dir:{folder}/pictures;pool={pool}")


@pytest.mark.parametrize("inside", ["m;size=320", "m;pool=avg", "m;size=big", "a;size=320/m", "fast;size=448"])
def test_a_folder_may_be_named_as_a_change_is_said(inside: str, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "pictures", tmp_path / inside)
    plain = resolve(f"local-dir:{folder}/pictures")
    found = resolve(f"local-dir:{tmp_path}/{inside}/")
    assert (found.folder, found.fingerprint, found.changes) == (tmp_path / inside, plain.fingerprint, Changes())
    assert resolve(found.spec) == found
    assert found.name not in ("fast;size=448", "fast")
    larger = resolve(f"{found.spec};size=320")
    assert (larger.changes.size, larger.folder) == (320, tmp_path / inside)
    assert resolve(larger.spec) == larger


def test_a_folder_whose_name_is_read_as_a_change_is_told_with_the_way_to_say_it(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "pictures", tmp_path / "m;size=320")
    with pytest.raises(SpaceError, match=r"There is no folder \S+/m\. .* with a slash behind it, \S+/m;size=320/ is"):
        resolve(f"local-dir:{tmp_path}/m;size=320")
