"""What a folder holds is loaded exactly, or refused by one clear sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models
import numpy as np
import open_clip
import pytest
import timm
import torch
from model_files import rewrite, shard, timm_folder, weights_of

from sightline.models.checks import check
from sightline.models.encoder import Encoder
from sightline.models.resolve import resolve
from store.arrays import Floats
from store.errors import SpaceError

if TYPE_CHECKING:
    from model_files import Weights


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One small model of each kind; copied before it is changed."""
    folder = tmp_path_factory.mktemp("models")
    models.each(folder)
    timm_folder(folder / "classes", "test_efficientnet", classes=7)
    return {name: folder / name for name in ("clip", "siglip", "timm", "classes")}


@pytest.fixture
def copy(made: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda kind: Path(shutil.copytree(made[kind], tmp_path / kind))


KINDS = ("clip", "siglip", "timm", "classes")


def load(folder: Path, *, texts: bool = True) -> Encoder:
    return Encoder(resolve(f"local-dir:{folder}"), precision="fp32", texts=texts)


def vectors(folder: Path, *, texts: bool = True) -> Floats:
    """Of three pictures, and of two texts where the model has words."""
    encoder = load(folder, texts=texts)
    pictures = encoder.encode_images(models.noise(3, encoder.preprocess.size))
    return np.concatenate([pictures, encoder.encode_texts(["a boat", "two"])]) if texts and encoder.head else pictures


def refused(folder: Path, *, texts: bool = True) -> str:
    """The one sentence that a folder is refused by."""
    with pytest.raises(SpaceError) as error:
        load(folder, texts=texts)
    said = str(error.value)
    assert str(folder) in said
    assert "\n" not in said
    assert len(said) < 500
    return said


def _prefixed(prefix: str) -> Callable[[Weights], Weights]:
    return lambda state: {f"{prefix}{name}": tensor for name, tensor in state.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_weights_in_another_form_give_the_same_vectors(
    made: dict[str, Path], copy: Callable[[str], Path], kind: str
) -> None:
    expected = vectors(made[kind])
    folder = copy(kind)
    np.testing.assert_array_equal(vectors(folder), expected)
    # Pickles that open_clip and timm would take first are not even opened.
    for name in ("open_clip_pytorch_model.bin", "pytorch_model.bin", "model.pth"):
        (folder / name).write_bytes(b"no pickle at all")
    np.testing.assert_array_equal(vectors(folder), expected)
    rewrite(folder, lambda state: state, name="of-another-name.safetensors")
    np.testing.assert_array_equal(vectors(folder), expected)
    rewrite(folder, _prefixed("module."))
    np.testing.assert_array_equal(vectors(folder), expected)
    np.testing.assert_array_equal(vectors(folder, texts=False), expected[:3])


@pytest.mark.parametrize("kind", KINDS)
def test_shards_are_read_whole(made: dict[str, Path], copy: Callable[[str], Path], kind: str) -> None:
    folder = copy(kind)
    parts = shard(folder)
    expected = vectors(made[kind])
    np.testing.assert_array_equal(vectors(folder), expected)
    np.testing.assert_array_equal(vectors(folder, texts=False), expected[:3])
    key = resolve(f"local-dir:{folder}").weights
    parts[2].write_bytes(parts[2].read_bytes()[:-4] + b"\0\0\0\0")
    assert resolve(f"local-dir:{folder}").weights != key
    parts[1].unlink()
    assert parts[1].name in refused(folder)


@pytest.mark.parametrize(("dtype", "least"), [(torch.float16, 0.9999), (torch.bfloat16, 0.999)])
@pytest.mark.parametrize("kind", KINDS)
def test_files_in_half_precision_are_read_as_they_are(
    made: dict[str, Path], copy: Callable[[str], Path], kind: str, dtype: torch.dtype, least: float
) -> None:
    folder = copy(kind)
    rewrite(folder, lambda state: {n: t.to(dtype) if t.is_floating_point() else t for n, t in state.items()})
    assert (vectors(folder) * vectors(made[kind])).sum(1).min() > least


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_counters_that_were_converted_with_the_weights_do_not_matter(
    made: dict[str, Path], copy: Callable[[str], Path], dtype: torch.dtype
) -> None:
    """Batch normalisation's, which nothing reads."""
    folder = copy("classes")
    rewrite(folder, lambda state: {name: tensor.to(dtype) for name, tensor in state.items()})
    assert (vectors(folder) * vectors(made["classes"])).sum(1).min() > 0.999


def _without(part: str) -> Callable[[Weights], Weights]:
    def change(state: Weights) -> Weights:
        name = next(name for name in state if part in name)
        return {other: tensor for other, tensor in state.items() if other != name}

    return change


def _with(**more: torch.Tensor) -> Callable[[Weights], Weights]:
    return lambda state: {**state, **more}


def _cut(state: Weights) -> Weights:
    name = next(name for name, tensor in state.items() if tensor.ndim > 1)
    return {**state, name: state[name][..., :-1]}


def _as_bytes(state: Weights) -> Weights:
    return {name: tensor.to(torch.int8) if tensor.ndim > 1 else tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("clip", _without("visual.transformer"), "lacks 1 of the network's"),
        ("clip", _without("token_embedding"), "token_embedding"),
        ("siglip", _without("visual.trunk.blocks"), "visual.trunk.blocks"),
        ("siglip", _without("logit_bias"), "logit_bias"),
        ("timm", _without("blocks"), "lacks 1 of the network's"),
        ("classes", _without("conv_stem"), "conv_stem.weight"),
        ("classes", _without("running_var"), "running_var"),
        ("timm", _prefixed("model."), "'model.'"),
        ("classes", _prefixed("backbone."), "'backbone.'"),
        ("clip", _prefixed("model."), "'model.'"),
        ("timm", _with(another=torch.ones(3)), "another"),
        ("clip", _with(another=torch.ones(3)), "another"),
        ("timm", _cut, " x "),
        ("clip", _cut, " x "),
        ("classes", _as_bytes, "I8"),
        ("clip", _as_bytes, "I8"),
    ],
)
def test_weights_that_are_not_the_networks_are_refused_by_name(
    copy: Callable[[str], Path], kind: str, change: Callable[[Weights], Weights], said: str
) -> None:
    folder = copy(kind)
    rewrite(folder, change)
    message = refused(folder)
    assert said in message
    assert weights_of(folder).name in message
    if "visual" in said or kind in ("timm", "classes"):
        refused(folder, texts=False)


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 64, b"\x10" + b"\0" * 7 + b"{}", None])
@pytest.mark.parametrize("kind", ["clip", "timm"])
def test_damaged_files_are_refused(copy: Callable[[str], Path], kind: str, content: bytes | None) -> None:
    folder = copy(kind)
    file = weights_of(folder)
    file.write_bytes(file.read_bytes()[:-100] if content is None else content)
    assert file.name in refused(folder)
    assert "again" in refused(folder, texts=False)


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"


def test_pointers_of_git_lfs_are_named(made: dict[str, Path], tmp_path: Path) -> None:
    for kind in ("clip", "siglip", "timm"):
        for file in made[kind].iterdir():
            folder = tmp_path / f"{kind}-{file.name}"
            shutil.copytree(made[kind], folder)
            (folder / file.name).write_text(POINTER)
            said = refused(folder)
            assert "git lfs pull" in said
            assert file.name in said


@pytest.mark.parametrize(
    ("name", "content"), [("model.safetensors", POINTER), ("._weights.safetensors", "\0\5\26\7"), ("._a.json", POINTER)]
)
def test_files_that_are_not_the_models_do_not_matter(
    made: dict[str, Path], copy: Callable[[str], Path], name: str, content: str
) -> None:
    """A pointer in the place of weights that are not needed; what macOS writes beside files on other systems' disks."""
    folder = copy("clip")
    if name.startswith("._"):
        weights_of(folder).rename(folder / "weights.safetensors")
    (folder / name).write_text(content)
    assert np.array_equal(vectors(folder), vectors(made["clip"]))


def test_a_folder_of_transformers_own_format_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "siglip", "architectures": ["SiglipModel"]}))
    torch_file = timm_folder(tmp_path / "timm", "test_vit").removeprefix("local-dir:")
    shutil.copy(Path(torch_file) / "model.safetensors", tmp_path)
    shutil.rmtree(tmp_path / "timm")
    said = refused(tmp_path)
    assert "transformers" in said
    assert "open_clip_config.json" in said


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pth"])
def test_a_folder_of_pickles_is_refused_and_none_is_opened(copy: Callable[[str], Path], name: str) -> None:
    folder = copy("clip")
    weights_of(folder).rename(folder / name)
    said = refused(folder)
    assert name in said
    assert "pickle" in said


def test_which_of_several_files_is_meant_is_asked(copy: Callable[[str], Path]) -> None:
    folder = copy("timm")
    weights_of(folder).rename(folder / "one.safetensors")
    shutil.copy(folder / "one.safetensors", folder / "two.safetensors")
    said = refused(folder)
    assert "one.safetensors" in said
    assert "two.safetensors" in said
    shutil.copy(folder / "one.safetensors", folder / "model.safetensors")
    load(folder)


def test_parts_without_their_index_are_refused(copy: Callable[[str], Path]) -> None:
    folder = copy("clip")
    first, *rest = shard(folder)
    next(folder.glob("*.index.json")).unlink()
    assert "index" in refused(folder)
    for part in rest:
        part.unlink()
    assert "one of 3 parts" in refused(folder)
    assert first.name in refused(folder)


def test_a_classifier_is_left_out(made: dict[str, Path], copy: Callable[[str], Path]) -> None:
    """Also one that the configuration does not tell of."""
    folder = copy("classes")
    network = timm.create_model(f"local-dir:{made['classes']}", pretrained=True, num_classes=0).eval()
    encoder = load(made["classes"])
    batch = models.noise(3, encoder.preprocess.size)
    pre = encoder.preprocess
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (pre.mean, pre.std))
    with torch.inference_mode():
        theirs = torch.nn.functional.normalize(network((batch / 255 - mean) / std), dim=-1).numpy()
    assert (encoder.encode_images(batch) * theirs).sum(1).min() > 0.9999
    config = json.loads((folder / "config.json").read_text())
    del config["num_classes"], config["pretrained_cfg"]["classifier"]
    (folder / "config.json").write_text(json.dumps(config))
    np.testing.assert_array_equal(vectors(folder), vectors(made["classes"]))


def test_weights_as_others_named_them_are_converted_as_timm_does(tmp_path: Path) -> None:
    """DINOv2's own files have a mask token, which timm drops; position embeddings are resampled to the input's size."""
    space = timm_folder(tmp_path, "test_vit", img_size=96, dynamic_img_size=False)
    expected = vectors(tmp_path)
    rewrite(tmp_path, _with(mask_token=torch.zeros(1, 64)))
    np.testing.assert_array_equal(vectors(tmp_path), expected)

    rewrite(tmp_path, lambda state: {name: tensor for name, tensor in state.items() if name != "mask_token"})
    config = json.loads((tmp_path / "config.json").read_text())
    config["model_args"]["img_size"] = 128
    (tmp_path / "config.json").write_text(json.dumps(config))
    theirs = timm.create_model(space, pretrained=True, num_classes=0).state_dict()["pos_embed"]
    ours = load(tmp_path).module.state_dict()["pos_embed"]
    assert tuple(ours.shape) == (1, 65, 64)
    torch.testing.assert_close(ours, theirs)


def test_older_files_of_open_clip_are_converted_as_it_does(copy: Callable[[str], Path]) -> None:
    folder = copy("clip")
    file = folder / "open_clip_config.json"
    config = json.loads(file.read_text())
    config["model_cfg"]["custom_text"] = True  # its text tower was not a part of its own then
    file.write_text(json.dumps(config))
    rewrite(folder, lambda state: {**state, "logit_scale": state["logit_scale"].reshape(1)})
    theirs = open_clip.create_model(f"local-dir:{folder}").eval()
    with torch.inference_mode():
        words = theirs.encode_text(open_clip.get_tokenizer(f"local-dir:{folder}")(["a boat", "two"]), normalize=True)
    np.testing.assert_allclose(vectors(folder)[3:], words.numpy(), atol=1e-5)


@pytest.mark.parametrize("architecture", ["mobilenetv3_small_050", "ghostnet_050", "efficientvit_b0", "hgnetv2_b0"])
def test_the_width_is_the_networks(tmp_path: Path, architecture: str) -> None:
    """These say one width and give another."""
    space = timm_folder(tmp_path, architecture)
    model = resolve(space)
    network = timm.create_model(architecture, num_classes=0).eval()
    with torch.inference_mode():
        width = network(torch.zeros(1, 3, 64, 64)).shape[1]
    assert width != json.loads((tmp_path / "config.json").read_text())["num_features"]
    encoder = Encoder(model, precision="fp32")
    assert encoder.dim == width
    assert encoder.encode_images(models.noise(0, model.preprocess.size)).shape == (0, width)
    assert check(model).dim == width


def test_an_architecture_is_found_with_its_tag_and_an_unknown_one_is_named(
    made: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made["timm"], folder)
    config = json.loads((folder / "config.json").read_text())
    for name in ("test_vit.r160_in1k", "test_vit.a_tag_of_nobody"):
        (folder / "config.json").write_text(json.dumps({**config, "architecture": name}))
        np.testing.assert_array_equal(vectors(folder), vectors(made["timm"]))
    (folder / "config.json").write_text(json.dumps({**config, "architecture": "no_such_network"}))
    assert "'no_such_network'" in refused(folder)


def test_arguments_that_the_library_does_not_know_are_named(tmp_path: Path) -> None:
    timm_folder(tmp_path, "test_resnet")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_args": {"of_nobody": 1}}))
    said = refused(tmp_path)
    assert "'of_nobody'" in said
    assert "another version" in said


def _settings(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    config = json.loads(file.read_text())
    config["pretrained_cfg"] |= changes
    file.write_text(json.dumps(config))


def test_a_size_that_the_network_does_not_read_is_refused(tmp_path: Path) -> None:
    folder = tmp_path
    silent = {"input_size": [3, 160, 160], "fixed_input_size": False}
    timm_folder(folder, "test_vit", config=silent, dynamic_img_size=False)
    assert "224 x 224" in refused(folder)
    _settings(folder, input_size=[1, 224, 224])
    assert "1 channels" in refused(folder)


# What a model that loads can still be wrong in: `check`.


def test_a_model_that_keeps_its_promises_is_passed_with_its_width(made: dict[str, Path]) -> None:
    widths = {kind: check(resolve(f"local-dir:{made[kind]}")).dim for kind in KINDS}
    assert widths == {kind: vectors(made[kind]).shape[1] for kind in KINDS}
    assert check(resolve("demo")).dim == 128


def _not_checked(folder: Path) -> str:
    with pytest.raises(SpaceError) as error:
        check(resolve(f"local-dir:{folder}"))
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_give_no_use_of_vectors_are_told(copy: Callable[[str], Path], kind: str) -> None:
    folder = copy(kind)
    rewrite(folder, lambda state: {name: torch.zeros_like(tensor) for name, tensor in state.items()})
    assert "damaged" in _not_checked(folder)
    rewrite(folder, lambda state: {n: t / 0 if t.is_floating_point() else t for n, t in state.items()})
    assert "not finite" in _not_checked(folder)


def test_a_network_that_gives_no_vector_is_told(tmp_path: Path) -> None:
    timm_folder(tmp_path, "test_resnet", global_pool="")
    assert "global_pool" in _not_checked(tmp_path)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_text_weights_of_no_use_are_told(copy: Callable[[str], Path], kind: str) -> None:
    folder = copy(kind)
    rewrite(folder, lambda state: {n: t * (0 if "text_projection" in n else 1) for n, t in state.items()})
    assert "texts" in _not_checked(folder)


def test_a_tokenizer_of_another_network_is_told(copy: Callable[[str], Path]) -> None:
    folder = copy("siglip")
    file = folder / "open_clip_config.json"
    config = json.loads(file.read_text())
    config["model_cfg"]["text_cfg"]["vocab_size"] = 30
    file.write_text(json.dumps(config))
    rewrite(folder, lambda state: {n: t[:30] if "token_embedding" in n else t for n, t in state.items()})
    said = _not_checked(folder)
    assert "tokenizer" in said
    assert " 30" in said

    folder = copy("clip")  # open_clip's own tokenizer on an embedding of another size
    file = folder / "open_clip_config.json"
    config = json.loads(file.read_text())
    config["model_cfg"]["text_cfg"]["vocab_size"] = 60000
    file.write_text(json.dumps(config))
    rewrite(
        folder, lambda state: {n: torch.randn(60000, 32) if "token_embedding" in n else t for n, t in state.items()}
    )
    assert "49408" in _not_checked(folder)
