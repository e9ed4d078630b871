"""Whether a GPU can be here is known without torch, and never denied where torch finds one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sightline.models.gpu_devices import may_have_gpu

ASK = "from sightline.models.gpu_devices import may_have_gpu; print(may_have_gpu())"
CHOOSE = """
import sys
from sightline.models.devices import choose_devices
from store.errors import SpaceError
try:
    print(choose_devices(sys.argv[1]))
except SpaceError as error:
    print(error)
print("torch" in sys.modules)
"""
# What the driver answers: cuInit, and how many devices it counts.
DRIVER = """
int cuInit(unsigned int flags) { return %d; }
int cuDeviceGetCount(int *count) { *count = %d; return 0; }
"""


def python(*arguments: str, **variables: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", *arguments], capture_output=True, text=True, check=True, env={**os.environ, **variables}
    )
    return done.stdout.splitlines()


def test_no_gpu_of_torchs_is_denied() -> None:
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        assert may_have_gpu()


@pytest.mark.skipif(sys.platform == "darwin", reason="Macs have no CUDA")
def test_without_a_gpu_devices_are_chosen_or_refused_without_torch() -> None:
    if Path("/dev/kfd").exists():
        pytest.skip("a GPU of AMD is here")
    for name, said in {
        "auto": "['cpu']",
        "cpu": "['cpu']",
        "cuda": "This machine has no usable cuda device; say --device auto or --device cpu.",
        "cuda:1": "This machine has no usable cuda device; say --device auto or --device cpu.",
        "abacus": "There is no device 'abacus'; choose one of auto, cuda, cuda:N, mps, cpu.",
    }.items():
        assert python(CHOOSE, name, CUDA_VISIBLE_DEVICES="") == [said, "False"]


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="needs a C compiler on Linux")
@pytest.mark.parametrize(
    ("answer", "count", "visible", "expected"),
    [(0, 1, None, True), (0, 8, "1", True), (0, 0, None, False), (100, 0, None, False), (0, 1, "-1", False)],
)
def test_the_driver_says_whether_there_are_devices(
    tmp_path: Path, answer: int, count: int, visible: str | None, expected: bool
) -> None:
    if Path("/dev/kfd").exists():
        pytest.skip("a GPU of AMD is here")
    source, library = tmp_path / "cuda.c", tmp_path / "libcuda.so.1"
    source.write_text(DRIVER % (answer, count))
    subprocess.run(["cc", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    seen = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert python(ASK, LD_LIBRARY_PATH=str(tmp_path), **seen) == [str(expected)]
