"""Where a model runs, and in which precision: asked of the machine, not assumed.

torch knows, and takes seconds to import: where no GPU can be, it is not asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sightline.models.gpu_devices import may_have_gpu
from store.errors import SpaceError

if TYPE_CHECKING:
    import torch

DEVICES: Final = ("auto", "cuda", "cuda:N", "mps", "cpu")
# As torch names their types.
PRECISIONS: Final = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def device_name(name: str) -> str:
    """The name that torch has for a device; `auto` is the first of CUDA, MPS and the CPU found here.

    Raises:
        SpaceError: the device is not here.
    """
    here = _found()
    if name == "auto":
        name = next(device for device, present in here.items() if present)
    gpu = re.fullmatch(r"cuda:(\d{1,4})", name)
    kind = "cuda" if gpu else name
    if kind not in here:
        raise SpaceError(f"There is no device {name!r}; choose one of {', '.join(DEVICES)}.")
    if not here[kind]:
        raise SpaceError(f"This machine has no usable {kind} device; say --device auto or --device cpu.")
    count = here[kind] if gpu else 0
    if gpu and int(gpu[1]) >= count:
        raise SpaceError(f"This machine has {count} CUDA devices, cuda:0 to cuda:{count - 1}, and no {name}.")
    return name


def _found() -> dict[str, int]:
    """How many devices of each kind are here."""
    if not may_have_gpu():
        return {"cuda": 0, "mps": 0, "cpu": 1}
    import torch

    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return {"cuda": cuda, "mps": int(torch.backends.mps.is_available()), "cpu": 1}


def choose_device(name: str) -> torch.device:
    """The device of this name; `cuda` is one GPU. Errors as of `device_name`."""
    import torch

    return torch.device(device_name(name))


def choose_devices(name: str) -> list[str]:
    """The devices that work on a run: every GPU where `cuda`, by this name or `auto`, names no single one.

    Raises:
        SpaceError: the device is not here.
    """
    device = device_name(name)
    return [f"cuda:{gpu}" for gpu in range(_found()["cuda"])] if device == "cuda" else [device]


def choose_precision(name: str, device: torch.device) -> torch.dtype | None:
    """The type of the weights; `auto`: half precision on a GPU, None on a CPU, which has to be measured.

    Raises:
        SpaceError: the precision is unknown, or the device has none such.
    """
    import torch

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
    dtype: torch.dtype = getattr(torch, PRECISIONS[name])
    return dtype
