"""OpenVINO, and nothing else of it anywhere: imported in silence, run, and its results looked at.

`import openvino` alone writes an identifier into the home folder and calls an analytics service (2026.4: the child of
openvino.tools.ovc), consent or not, unless its telemetry module can't be imported. It is imported here only.
"""

from __future__ import annotations

import hashlib
import logging
import mmap
import os
import platform
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sightline.models.opened_file import OpenedFile
from store.arrays import Floats

_TELEMETRY: Final = "openvino_telemetry"
_importing: Final = threading.Lock()
_threads: int | None = None  # None: as many as OpenVINO takes
# They limit the instructions of kernels, and not what OpenVINO takes the processor for: errors and empty results.
_LIMITS: Final = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
# How often pages of weights that were read are given back while a tower is opened, seconds.
_PAUSE: Final = 0.01
BFLOAT16: Final = "bf16"
FLOAT32: Final = "f32"


class TowerError(Exception):
    """A compiled tower can't be used: damaged, of another machine or version, or wrong in its results."""


class ChangedError(TowerError):
    """A file of a tower was written after it was opened, and has to be opened and checked anew."""

    @classmethod
    def of(cls, path: Path) -> ChangedError:
        """The error for a file."""
        return cls(f"{path} was changed while it was in use")


def openvino() -> Any:
    """Import OpenVINO without its telemetry.

    Raises:
        TowerError: it is not installed, or does not load here.
    """
    with _importing:
        loaded = sys.modules.get("openvino")
        if loaded is not None:
            return loaded
        # None makes the import of it fail, which OpenVINO takes for "not installed" and uses a stub. Whoever imports it
        # afterwards, for another purpose, finds what was there before.
        before = sys.modules.get(_TELEMETRY)
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
        try:
            import openvino as imported
        except Exception as error:  # a library that it lacks, an old processor: anything
            raise TowerError(f"OpenVINO is not to be had: {error}") from error
        finally:
            if before is None:
                del sys.modules[_TELEMETRY]
            else:
                sys.modules[_TELEMETRY] = before
        return imported


def is_installed() -> bool:
    """Whether OpenVINO can be expected to load and to be right here; it is not imported for that."""
    if any(os.environ.get(name) for name in _LIMITS):
        return False
    if "openvino" in sys.modules:
        return True
    with suppress(ImportError, ValueError):
        return find_spec("openvino") is not None
    return False


def version() -> str:
    """The version of OpenVINO, with its build."""
    return str(openvino().get_version())


def machine() -> str:
    """A digest of the processor: what was compiled for one is not taken on another."""
    told = [platform.machine(), _property("FULL_DEVICE_NAME"), *sorted(_property("OPTIMIZATION_CAPABILITIES"))]
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "cpu family", "model", "flags", "Features", "CPU part"):
                told.append(value.strip())
            if not line.strip():
                break  # the others are the same
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:8]


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16."""
    return "BF16" in _property("OPTIMIZATION_CAPABILITIES")


def _property(name: str) -> Any:
    """What OpenVINO says of the processor."""
    return openvino().Core().get_property("CPU", name)


def limit_threads(threads: int) -> None:
    """Run what is opened from now on with so many threads, and torch: for who has a part of a machine."""
    global _threads
    _threads = threads
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads)


def options(precision: str) -> dict[str, Any]:
    """How a tower is compiled: for one answer as soon as possible, in `BFLOAT16` or `FLOAT32`."""
    limit = {} if _threads is None else {"INFERENCE_NUM_THREADS": _threads}
    return {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False, **limit}


def compile_to(
    path: Path, module: Any, example: tuple[Any, ...], shapes: Sequence[Sequence[int]], *, halves: bool
) -> None:  # fmt: skip
    """Convert a torch module, compile it for this processor, and write it.

    The file holds the network and its weights, and nothing of a precision; see `Tower`.

    Args:
        path: of the file.
        module: in evaluation mode.
        example: tensors that it takes; it is traced with them.
        shapes: of its inputs, with -1 for what varies.
        halves: whether its weights are kept in half precision.

    Raises:
        TowerError: it can't be converted.
        OSError: the file can't be written.
    """
    ov = openvino()
    try:
        from openvino._offline_transformations import compress_model_transformation
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        with _in_silence():
            # Not checked by tracing once more, either, which takes longer than all the rest.
            traced = TorchScriptPythonDecoder(module, example_input=example, trace_kwargs={"check_trace": False})
            converted = ov.convert_model(traced, input=[ov.PartialShape(list(shape)) for shape in shapes])
        if halves:
            compress_model_transformation(converted)  # as save_model does it
        stream = ov.Core().compile_model(converted, "CPU", options(FLOAT32)).export_model()
    except Exception as error:
        raise TowerError(f"OpenVINO can't convert it: {_first_line(error)}") from error
    path.write_bytes(stream.getbuffer())


@contextmanager
def _in_silence() -> Iterator[None]:
    """Have nothing said of what tracing touches, within a `with` block: what it makes is compared.

    torch warns, and transformers tells of settings of a text tower that nothing here uses.
    """
    logger = logging.getLogger("transformers")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


class Tower:
    """A compiled network, run by one thread at a time.

    Attributes:
        width: numbers in a row of its result.
    """

    def __init__(self, path: Path, precision: str, width: int) -> None:
        """Open what `export` wrote.

        Raises:
            TowerError: it can't be opened, or runs in another precision.
        """
        self.width = width
        ov = openvino()
        try:
            self._file, self._path = OpenedFile(path), path
            # Private, as OpenVINO takes writable memory only; nothing is written.
            self._mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_COPY)
            with _Giver(self._mapped):
                tensor = ov.Tensor(np.frombuffer(self._mapped, np.uint8), shared_memory=True)
                self._compiled = ov.Core().import_model(tensor, "CPU", options(precision))
                found = self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
                self._request = self._compiled.create_infer_request()
        except Exception as error:
            raise TowerError(f"{path} can't be opened by OpenVINO: {_first_line(error)}") from error
        self._is_new = True
        if found != precision:
            raise TowerError(f"{path} runs in {found}, not in {precision}")

    def run(self, *inputs: NDArray[Any]) -> Floats:
        """Rows for inputs whose first axis is the batch: float32 (n, width), a copy.

        Raises:
            ChangedError: its file was written since it was opened.
            TowerError: the result has another shape; OpenVINO gives empty ones where kernels fail.
        """
        # OpenVINO reads some of it each time: where a file was shortened that would end the process (SIGBUS).
        if not self._file.is_as_opened():
            raise ChangedError.of(self._path)
        try:
            if self._is_new:  # weights are packed with the first one
                with _Giver(self._mapped):
                    found = self._request.infer(inputs)
                self._is_new = False
            else:
                found = self._request.infer(inputs)
            rows: Floats = np.array(found[0], np.float32)
        except Exception as error:
            raise TowerError(f"a compiled tower fails: {_first_line(error)}") from error
        if rows.shape != (len(inputs[0]), self.width):
            raise TowerError(f"a compiled tower gave {rows.shape}, not {(len(inputs[0]), self.width)}")
        return rows


class _Giver:
    """Gives back, within a `with` block, pages of a mapped file: they count as this process's memory.

    The weights are read once and packed into memory of their own; without this both were held at once.
    """

    def __init__(self, mapped: mmap.mmap) -> None:
        self._mapped = mapped
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, name="give-back", daemon=True)

    def _give(self) -> None:
        if sys.platform == "linux":  # where it drops pages at once, and reads them again from the file
            self._mapped.madvise(mmap.MADV_DONTNEED)

    def _work(self) -> None:
        while not self._done.wait(_PAUSE):
            self._give()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._give()


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
