"""Compiled towers give torch's vectors without torch, in silence, and are never served damaged."""

from __future__ import annotations

import gc
import logging.handlers
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
import text_towers
import torch
import zoo
from numpy.typing import NDArray
from support import as_nobody
from zoo_table import OPEN_CLIP, TIMM

pytest.importorskip("openvino", reason="the extra `compiled` is not installed")

import sightline
from sightline.models.compiled import can_compile, open_compiled
from sightline.models.compiled.comparing import varied
from sightline.models.compiled.encoder import CompiledEncoder
from sightline.models.compiled.files import read_manifest, write_manifest
from sightline.models.compiled.make import make_compiled
from sightline.models.encoder import Encoder
from sightline.models.interface import TextTooLongError
from sightline.models.resolve import Model, resolve
from sightline.models.text_tower import count_tokens

TEXTS = ("a red boat", "two green kites over a hill at night", "tree", "Ein Hund, 3 Katzen & 日本!", "a", "cat")


def prepared(model: Model) -> NDArray[np.uint8]:
    """Pictures, prepared for a model: uint8 (6, 3, h, w)."""
    smooth = [model.preprocess.apply(np.asarray(picture)) for picture in zoo.pictures()]
    return np.stack([*smooth, *models.noise(4, model.preprocess.size).numpy()])


def make(model: Model) -> Encoder:
    """Make the compiled towers of a model; returns torch's own encoder in float32."""
    torch = Encoder(model, device="cpu", precision="fp32")
    assert make_compiled(model, torch.module, torch.tokenizer, prepared(model))
    return torch


def opened(model: Model) -> CompiledEncoder:
    """The compiled towers of a model, both of them."""
    found = open_compiled(model, pictures=True, texts=model.has_text, device="cpu")
    assert found is not None
    return found


def is_by_torch(encoder: CompiledEncoder) -> bool:
    """Whether it went over to torch."""
    return encoder._torch is not None


def assert_same(compiled: CompiledEncoder, torch: Encoder) -> None:
    """Every vector of pictures and texts has a cosine of at least 0.999 to torch's in float32."""
    pictures = prepared(torch.model)
    found = compiled.encode_images(pictures)
    assert found.dtype == np.float32 and found.shape == (len(pictures), torch.dim) == (len(pictures), compiled.dim)
    assert (found * torch.encode_images(pictures)).sum(axis=1).min() >= 0.999
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(compiled.encode_images(pictures[3:4]), found[3:4], atol=1e-5)
    if torch.model.has_text:
        texts = [text for text in TEXTS if count_tokens(torch.tokenizer, text) <= torch.tokenizer.context_length]
        expected = torch.encode_texts(texts)
        assert (compiled.encode_texts(texts) * expected).sum(axis=1).min() >= 0.9999
        assert (compiled.encode_texts(texts[1:2]) @ expected[1]).min() >= 0.9999  # of another length
        assert compiled.head == torch.head


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Encoder]]:
    """A cache folder with the demo model's towers, and torch's encoder. Not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("compiled")
        patch.setenv("SIGHTLINE_CACHE", str(folder))
        torch = make(resolve("demo"))
        yield folder, torch


@pytest.fixture
def copy(demo: tuple[Path, Encoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the towers in a cache of the test's own."""
    shutil.copytree(demo[0], tmp_path / "cache")
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    (folder,) = (path for path in (tmp_path / "cache" / "compiled").iterdir() if path.is_dir())
    return folder


def test_vectors_of_the_demo_model_are_torchs(demo: tuple[Path, Encoder]) -> None:
    compiled = opened(demo[1].model)
    assert_same(compiled, demo[1])
    assert not is_by_torch(compiled)
    assert compiled.encode_images(prepared(demo[1].model)[:0]).shape == (0, 128)
    assert compiled.encode_texts([]).shape == (0, 128)


def test_searches_and_labels_are_those_of_torch(
    drawn: Path, demo: tuple[Path, Encoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a library that torch or compiled towers made: words that were never asked for, a picture, and labels."""
    found, alike, labels = [], [], []
    for name, cache in (("compiled", demo[0]), ("torch", tmp_path / "empty")):
        monkeypatch.setenv("SIGHTLINE_CACHE", str(cache))
        shutil.copytree(drawn / "library", tmp_path / name)
        with sightline.Library(tmp_path / name) as library:
            hits = library.search('"a yellow castle beside a grey sea" template:off', limit=20)
            by_picture = library.search(images=[zoo.pictures()[0]], limit=20)
            labels.append([each["label"] for each in library.label(["boat", "castle", "tree", "duck"])])
        found.append({each["id"]: each["score"] for each in hits})
        alike.append({each["id"]: each["score"] for each in by_picture})
    assert labels[0] == labels[1]
    for ours, torchs in (found, alike):
        best = list(torchs)[:8]
        assert set(best) <= set(ours)  # two of nearly the same score may change places
        np.testing.assert_allclose([ours[id_] for id_ in best], [torchs[id_] for id_ in best], atol=0.01)


SMALL: dict[str, Callable[[Path], str]] = {
    **{kind: getattr(models, maker) for kind, maker in (("siglip", "siglip_like"), ("timm", "picture_only"))},
    "xlm-roberta": lambda folder: text_towers.hf_text(folder, "xlm-roberta"),
}
REAL = [each for each in (*OPEN_CLIP, *TIMM) if each.everyday and each.name in (
    "RN50", "coca_ViT-B-32", "swin_tiny_patch4_window7_224", "mobilenetv3_small_050"
)]  # fmt: skip


@pytest.mark.parametrize("kind", SMALL)
def test_vectors_of_every_kind_of_model_are_torchs(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    model = resolve(SMALL[kind](tmp_path / "model"))
    told = logging.handlers.MemoryHandler(1_000)
    logging.getLogger("transformers").addHandler(told)
    try:
        torch = make(model)
    finally:
        logging.getLogger("transformers").removeHandler(told)
    assert not [record.getMessage() for record in told.buffer]  # users would read it
    compiled = open_compiled(model, pictures=True, texts=False, device="cpu")
    assert compiled is not None
    assert_same(compiled, torch)


@pytest.mark.parametrize("architecture", REAL, ids=lambda each: each.name)
def test_vectors_of_real_architectures_are_torchs(
    architecture: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not all of them are exact enough in each precision: what is not is torch's."""
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    model = resolve(zoo.publish(architecture, tmp_path / "model", zoo.pictures()).space)
    torch = make(model)
    compiled = open_compiled(model, pictures=False, texts=False, device="cpu")
    assert compiled is not None
    assert_same(compiled, torch)


def test_texts_too_long_and_batches_of_another_shape_are_refused_as_by_torch(demo: tuple[Path, Encoder]) -> None:
    compiled = opened(demo[1].model)
    with pytest.raises(TextTooLongError) as ours:
        compiled.encode_texts(["boat " * 100])
    with pytest.raises(TextTooLongError) as torchs:
        demo[1].encode_texts(["boat " * 100])
    assert str(ours.value) == str(torchs.value)
    with pytest.raises(ValueError, match="a batch is uint8"):
        compiled.encode_images(np.zeros((1, 3, 8, 8), np.uint8))


_WATCHED = """
import os, sys
seen = []
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "os.fork", "os.posix_spawn", "subprocess.Popen"):
        seen.append((event, str(arguments)))
    elif event == "open" and (isinstance(arguments[1], str) and set("wax+") & set(arguments[1])
                              or not arguments[1] and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
        seen.append((event, str(arguments[0])))
sys.addaudithook(hook)
from sightline.models.resolve import resolve
model = resolve("demo", offline=True)
"""
_USE = """
import numpy as np
from sightline.models.compiled import open_compiled
encoder = open_compiled(model, pictures=True, texts=True, device="cpu")
encoder.encode_texts(["a boat"])
encoder.encode_images(np.zeros((1, 3, *model.preprocess.size), np.uint8))
assert not {"torch", "torchvision", "open_clip", "timm", "transformers", "openvino_telemetry"} & set(sys.modules)
import openvino_telemetry  # whoever wants it has it
"""
_MAKE = """
import numpy as np
import torch
from sightline.models.encoder import Encoder
encoder = Encoder(model, device="cpu", precision="fp32")
del seen[:]
from sightline.models.compiled.files import read_manifest, write_manifest
from sightline.models.compiled.make import make_compiled
pixels = np.zeros((2, 3, *model.preprocess.size), np.uint8)
assert make_compiled(model, encoder.module, encoder.tokenizer, pixels)
"""
_SAY = """
outside = [what for kind, what in seen if kind != "open" or not what.startswith(os.environ["SIGHTLINE_CACHE"])]
assert not [what for what in outside if what != os.devnull], outside
assert sorted(os.listdir(os.environ["HOME"])) == [], os.listdir(os.environ["HOME"])
"""


@pytest.mark.parametrize("work", [_USE, _MAKE], ids=["used", "made"])
def test_no_socket_and_no_file_outside_the_cache_folder(
    work: str, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if work is _MAKE:
        shutil.rmtree(copy)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CI", raising=False)  # the telemetry is silent then, so nothing would be tested
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED + work + _SAY], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr


def _flip(path: Path, at: float) -> None:
    data = bytearray(path.read_bytes())
    place = int(len(data) * at)
    data[place : place + 8] = (byte ^ 0x41 for byte in data[place : place + 8])
    path.write_bytes(data)


@pytest.mark.parametrize("at", [0.0, 0.5, 0.98])
@pytest.mark.parametrize("name", ["pictures.blob", "texts.blob", "rows.bin", "tokenizer.sqlite", "manifest.json"])
def test_a_damaged_file_is_never_served_and_made_again(
    name: str, at: float, copy: Path, demo: tuple[Path, Encoder]
) -> None:
    model = demo[1].model
    if name == "rows.bin":  # a query reads some rows of it
        with (copy / name).open("r+b") as file:
            whole = np.memmap(file, np.uint8, "r+")
            whole[int(len(whole) * at / 2) :: 64] ^= 0x10
    else:
        _flip(copy / name, at)
    compiled = open_compiled(model, pictures=True, texts=True, device="cpu")
    if compiled is not None:
        assert_same(compiled, demo[1])
        assert is_by_torch(compiled)
        compiled.close()
    assert can_compile(model, device="cpu")
    if at == 0.5 and name == "texts.blob":
        make(model)
        assert_same(opened(model), demo[1])


def test_a_file_cut_short_or_missing_is_not_opened(copy: Path, demo: tuple[Path, Encoder]) -> None:
    (copy / "pictures.blob").write_bytes((copy / "pictures.blob").read_bytes()[:-1])
    assert open_compiled(demo[1].model, pictures=True, texts=True, device="cpu") is None
    (copy / "pictures.blob").unlink()
    assert open_compiled(demo[1].model, pictures=False, texts=True, device="cpu") is None


@pytest.mark.parametrize("how", ["overwritten", "shortened"])
@pytest.mark.parametrize("name", ["texts.blob", "rows.bin", "tokenizer.sqlite"])
def test_a_file_that_is_damaged_while_it_is_in_use_is_never_served(
    name: str, how: str, copy: Path, demo: tuple[Path, Encoder]
) -> None:
    compiled = opened(demo[1].model)
    compiled.encode_texts(["a"])
    with (copy / name).open("r+b") as file:
        if how == "shortened":  # what of it is mapped can't be read any more
            file.truncate(8192)
        else:
            file.seek(4096)
            file.write(bytes(byte ^ 0x41 for byte in file.read()))
    assert_same(compiled, demo[1])
    assert is_by_torch(compiled)
    assert not copy.exists()
    compiled.close()


def test_a_file_that_is_written_as_it_was_is_still_used(copy: Path, demo: tuple[Path, Encoder]) -> None:
    compiled = opened(demo[1].model)
    assert_same(compiled, demo[1])
    for path in copy.iterdir():
        path.write_bytes(path.read_bytes())
    assert_same(compiled, demo[1])
    assert not is_by_torch(compiled)
    compiled.close()


def test_towers_that_were_made_anew_meanwhile_are_not_taken_for_damaged(copy: Path, demo: tuple[Path, Encoder]) -> None:
    """Bytes of two makings may differ: what was opened before goes on with those that are there now."""
    manifest = read_manifest(copy)
    assert manifest is not None
    _flip(copy / "texts.blob", 0.5)
    (copy / "manifest.json").unlink()
    write_manifest(copy, manifest, copy.name)
    compiled = opened(demo[1].model)
    shutil.rmtree(copy)
    make(demo[1].model)
    assert_same(compiled, demo[1])
    assert not is_by_torch(compiled)
    assert copy.exists()
    compiled.close()


def test_towers_of_another_version_are_not_used_and_go_when_new_ones_are_made(
    copy: Path, demo: tuple[Path, Encoder]
) -> None:
    digits, _, *rest = copy.name.split("-")
    former = copy.rename(copy.with_name("-".join([digits, "2026.1.0", *rest])))
    assert open_compiled(demo[1].model, pictures=True, texts=True, device="cpu") is None
    make(demo[1].model)
    assert not former.exists()
    assert [path.name for path in copy.parent.iterdir() if path.is_dir()] == [copy.name]
    other = copy.parent / former.name
    shutil.copytree(copy, other)
    shutil.rmtree(copy)
    other.rename(copy.with_name("-".join([digits, "2026.1.0", "00000000", rest[-1]])))
    assert open_compiled(demo[1].model, pictures=True, texts=True, device="cpu") is None


def test_another_processor_has_towers_of_its_own(
    copy: Path, demo: tuple[Path, Encoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")  # OpenVINO fails, or gives nothing, with it
    assert open_compiled(demo[1].model, pictures=True, texts=True, device="cpu") is None
    assert not can_compile(demo[1].model, device="cpu")


def test_another_device_or_precision_is_torchs(demo: tuple[Path, Encoder]) -> None:
    model = demo[1].model
    for asked in ({"device": "cuda"}, {"precision": "fp32"}, {"precision": "bf16"}):
        assert open_compiled(model, pictures=True, texts=True, **asked) is None


_AT_ONCE = """
import sys
import numpy as np
from sightline.models.compiled.make import make_compiled
from sightline.models.encoder import Encoder
from sightline.models.resolve import resolve
model = resolve("demo", offline=True)
encoder = Encoder(model, device="cpu", precision="fp32")
print("ready", flush=True)
sys.stdin.readline()
pictures = np.random.default_rng(0).integers(0, 256, (4, 3, *model.preprocess.size), np.uint8)
print(make_compiled(model, encoder.module, encoder.tokenizer, pictures))
"""


def test_two_processes_that_make_them_at_once_do_not_spoil_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo: tuple[Path, Encoder]
) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path))
    both = [
        subprocess.Popen([sys.executable, "-c", _AT_ONCE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for each in both:
        assert each.stdout is not None and each.stdout.readline() == "ready\n"
    said = []
    for each in both:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    for each in both:
        out, _ = each.communicate(timeout=200)
        assert each.returncode == 0
        said.append(out.strip())
    assert "True" in said  # the other one found it at work, or done
    assert_same(opened(demo[1].model), demo[1])
    assert not list((tmp_path / "compiled").glob(".tmp-*"))


def test_a_read_only_cache_means_torch_said_once(
    public_tmp: Path, monkeypatch: pytest.MonkeyPatch, demo: tuple[Path, Encoder], caplog: pytest.LogCaptureFixture
) -> None:
    public_tmp.chmod(0o555)
    monkeypatch.setenv("SIGHTLINE_CACHE", str(public_tmp))
    caplog.set_level(logging.WARNING, logger="sightline")  # a run of another test may have been a quiet one
    with as_nobody():
        for _ in range(2):
            assert not make_compiled(demo[1].model, demo[1].module, demo[1].tokenizer, prepared(demo[1].model))
    assert [record.levelname for record in caplog.records if "quick starts" in record.message] == ["WARNING"]


_FULL = """
import resource, sys, logging
logging.basicConfig(level=logging.WARNING)
import numpy as np
from sightline.models.encoder import Encoder
from sightline.models.compiled.files import read_manifest, write_manifest
from sightline.models.compiled.make import make_compiled
from sightline.models.resolve import resolve
model = resolve("demo", offline=True)
encoder = Encoder(model, device="cpu", precision="fp32")
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
assert not make_compiled(model, encoder.module, encoder.tokenizer, np.zeros((2, 3, *model.preprocess.size), np.uint8))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of the size of files")
def test_a_full_disk_means_torch_said_once_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", _FULL], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("quick starts") == 1
    assert not [path for path in (tmp_path / "compiled").iterdir() if path.is_dir()]


def test_what_a_killed_process_left_goes(copy: Path, demo: tuple[Path, Encoder]) -> None:
    """Of the same model at once; of others, that may be at work, after a while, and where the clock went back."""
    now = time.time()
    ages = {f".tmp-{copy.name}-left": now, ".tmp-0123-old": 1, ".tmp-0123-ahead": now + 9_000, ".tmp-0123-at-work": now}
    for name, written in ages.items():
        left = copy.parent / name
        left.mkdir()
        (left / "pictures.blob").write_bytes(b"half")
        os.utime(left, (written, written))
    shutil.rmtree(copy)
    assert open_compiled(demo[1].model, pictures=True, texts=True, device="cpu") is None
    make(demo[1].model)
    assert [path.name for path in copy.parent.glob(".tmp-*")] == [".tmp-0123-at-work"]


def test_one_picture_is_compared_as_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo: tuple[Path, Encoder]
) -> None:
    """One alone may not show what bfloat16 costs."""
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path))
    model, network = demo[1].model, demo[1].module
    assert isinstance(network.visual, torch.nn.Module)
    seen: list[int] = []
    hook = network.visual.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[0]))
    try:
        assert make_compiled(model, network, demo[1].tokenizer, prepared(model)[:1])
    finally:
        hook.remove()
    assert max(seen) >= 3
    made = varied(np.arange(3 * 5 * 8, dtype=np.uint8).reshape(1, 3, 5, 8), 16)
    assert made.shape == (16, 3, 5, 8) and made.dtype == np.uint8
    assert len({picture.tobytes() for picture in made}) == 16


class _Failing(torch.nn.Module):
    """A network that has no memory left."""

    def encode_image(self, _: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")


def test_a_network_that_fails_while_it_is_prepared_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo: tuple[Path, Encoder]
) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path))
    failing = _Failing()
    failing.visual = torch.nn.Identity()
    assert not make_compiled(demo[1].model, failing, demo[1].tokenizer, prepared(demo[1].model))
    assert not [path for path in (tmp_path / "compiled").iterdir() if path.is_dir()]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files can't be counted")
def test_an_encoder_that_is_dropped_closes_its_files(
    demo: tuple[Path, Encoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(demo[0]))
    opened(demo[1].model).encode_texts(["a"])
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    gc.disable()
    try:
        for _ in range(3):
            opened(demo[1].model).encode_texts(["a"])
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    finally:
        gc.enable()
