"""Whether a GPU may be here, asked of the system: torch, which knows, takes seconds to import."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from functools import lru_cache
from typing import Any, Final

# The driver's own library, and what its calls answer where all is well (<cuda.h>).
_CUDA_LIBRARIES: Final = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so")
_CUDA_SUCCESS: Final = 0
# The device file that ROCm's runtime opens; its build of torch calls these GPUs "cuda", too.
_ROCM: Final = "/dev/kfd"


@lru_cache(maxsize=1)
def may_have_gpu() -> bool:
    """Whether torch might find a CUDA or MPS device; False only where there is none for sure."""
    if sys.platform == "darwin":
        # Metal also drives the graphics of Intel Macs, of which torch takes none since 2.3.
        return platform.machine() == "arm64"
    return may_have_cuda()


@lru_cache(maxsize=1)
def may_have_cuda() -> bool:
    """Whether torch might find a CUDA device; asked of the driver, as torch does."""
    if sys.platform == "darwin":
        return False
    if os.path.exists(_ROCM):  # noqa: PTH110 - cheap, and pathlib is not
        return True
    if _hides_all(os.environ.get("CUDA_VISIBLE_DEVICES")):
        return False
    library = _cuda_library()
    if library is None:
        return False
    count = ctypes.c_int(0)
    try:
        if library.cuInit(0) != _CUDA_SUCCESS:
            return False
        return library.cuDeviceGetCount(ctypes.byref(count)) != _CUDA_SUCCESS or count.value > 0
    except AttributeError:  # a library of that name that is none of these
        return True


def _hides_all(visible: str | None) -> bool:
    """Whether the list of visible devices holds none; for CUDA it ends before the first unknown one."""
    return visible is not None and (not visible.strip() or visible.strip().startswith("-"))


def _cuda_library() -> Any | None:
    for name in _CUDA_LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
