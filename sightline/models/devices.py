"""Where a model runs, and in which precision: asked of the machine, not assumed."""

from __future__ import annotations

import re

import torch

from store.errors import SpaceError

DEVICES = ("auto", "cuda", "cuda:N", "mps", "cpu")
PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def choose_device(name: str) -> torch.device:
    """The device of this name; `auto` is the first of CUDA, MPS and the CPU found here; `cuda` is one GPU.

    Raises:
        SpaceError: the device is not here.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, present in here.items() if present)
    gpu = re.fullmatch(r"cuda:(\d{1,4})", name)
    kind = "cuda" if gpu else name
    if kind not in here:
        raise SpaceError(f"There is no device {name!r}; choose one of {', '.join(DEVICES)}.")
    if not here[kind]:
        raise SpaceError(f"This machine has no usable {kind} device; say --device auto or --device cpu.")
    count = torch.cuda.device_count() if gpu else 0
    if gpu and int(gpu[1]) >= count:
        raise SpaceError(f"This machine has {count} CUDA devices, cuda:0 to cuda:{count - 1}, and no {name}.")
    return torch.device(name)


def choose_devices(name: str) -> list[str]:
    """The devices that work on a run: every GPU where `cuda`, by this name or `auto`, names no single one.

    Raises:
        SpaceError: the device is not here.
    """
    device = choose_device(name)
    if device.type == "cuda" and device.index is None:
        return [f"cuda:{gpu}" for gpu in range(torch.cuda.device_count())]
    return [str(device)]


def choose_precision(name: str, device: torch.device) -> torch.dtype | None:
    """The type of the weights; `auto`: half precision on a GPU, None on a CPU, which has to be measured.

    Raises:
        SpaceError: the precision is unknown, or the device has none such.
    """
    if name == "auto":
        if device.type == "cuda":
            with torch.cuda.device(device):  # the question is about the current one
                return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
        if device.type == "mps":
            return torch.float16
        return None
    if name not in PRECISIONS:
        raise SpaceError(f"There is no precision {name!r}; choose one of auto, {', '.join(PRECISIONS)}.")
    if name == "fp16" and device.type == "cpu":
        raise SpaceError("CPUs compute in bf16 or fp32, not in fp16; say --precision auto.")
    return PRECISIONS[name]
