"""Rough times of a first run on this machine: downloading a model, and looking at pictures with it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Final

from sightline.models.hub import Repository, snapshots
from sightline.models.presets import DEFAULT_ON_CPU, DEFAULT_ON_GPU, Preset

MEGABITS: Final = 50.0
"""Of a second: the connection that times of downloads are told for."""

# Arithmetic of a second that models get out of a device, in GFLOPs: measured with ViT-B/32 on cores with AVX-512 (97,
# and 340 in bfloat16), and taken lower for others. Of GPUs only the order of magnitude is known here.
_CORE: Final = 60.0
_CORE_BF16: Final = 250.0
_APPLE: Final = 1_500.0
_CUDA: Final = 10_000.0
# Seconds that a core needs to read and decode a photo of a camera.
_DECODE: Final = 0.03


@cache
def has_cuda() -> bool:
    """Whether there seems to be an NVIDIA GPU, without loading what would ask it."""
    return Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None


def recommended() -> str:
    """Return the name of the model that suits this machine."""
    return DEFAULT_ON_GPU if has_cuda() else DEFAULT_ON_CPU


def indexing_seconds(preset: Preset, pictures: int) -> float:
    """Estimate how long so many photos take once the model is here; it may be a few times off."""
    cores = _cores()
    if has_cuda():
        speed = _CUDA
    elif sys.platform == "darwin" and platform.machine() == "arm64":
        speed = _APPLE
    else:
        speed = cores * (_CORE_BF16 if _has_bfloat16() else _CORE)
    return pictures * (preset.gflops / speed + _DECODE / cores)


def download_seconds(preset: Preset) -> float:
    """Estimate how long the download of a model takes at `MEGABITS`."""
    return preset.download * 8 / MEGABITS


def is_here(preset: Preset) -> bool:
    """Whether a model needs no download: it ships with Sightline, or is in the cache of the hub."""
    return not preset.download or any(
        next(folder.glob("*.safetensors"), None) is not None for folder in snapshots(Repository(preset.repository))
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _has_bfloat16() -> bool:
    try:
        facts = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in facts or "amx_bf16" in facts
