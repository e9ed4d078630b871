"""What is changed of a model by its name: the size that it looks at, and its pooling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import clip_like, noise, picture_only

from sightline.models import load
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
