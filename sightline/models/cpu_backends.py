"""The fastest way to run a model on this CPU: measured, checked against float32, and remembered.

Nothing here is assumed of a processor. bfloat16 is several times as fast where it has AVX-512 BF16 or AMX, and emulated
where it has not; packed weights win where MKL is slow. The numbers are in
docs/decisions/bfloat16-and-packed-weights.md.
"""

from __future__ import annotations

import copy
import logging
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

from sightline.models.cache_folder import cache_folder, read_object, write_object
from sightline.models.memory import give_back
from sightline.models.onednn_linear import pack

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backend:
    """A way to run a model: the type of its weights, and whether they are packed for oneDNN."""

    name: str
    dtype: torch.dtype
    packed: bool = False

    def apply(self, module: nn.Module) -> None:
        """Change a module in place so that it runs this way.

        Raises:
            RuntimeError, AttributeError: it can't run this way here; the module is of no more use.
        """
        module.to(self.dtype)
        if self.packed:
            pack(module)


REFERENCE: Final = Backend("float32", torch.float32)
# The most exact first; a later one must be faster than the best before it by `MIN_SPEEDUP`.
CANDIDATES: Final = (
    Backend("float32 packed", torch.float32, True),
    Backend("bfloat16", torch.bfloat16),
    Backend("bfloat16 packed", torch.bfloat16, True),
)
# Least cosine of a picture's vector, or a text's, to that of float32.
MIN_COSINE: Final = 0.999
MIN_SPEEDUP: Final = 1.15
MAX_DISAGREEMENT: Final = 1.25
# As many pictures at once as a block takes so long for in float32, seconds: of short turns some have the cores to
# themselves.
_TURN: Final = 0.05
_MAX_PICTURES: Final = 8
# Of remembered choices; a library sees one or two models.
_KEPT: Final = 64

Run = Callable[[nn.Module, torch.Tensor], torch.Tensor]
Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Probe:
    """How back ends are compared.

    Attributes:
        candidates: what is tried, the most exact first.
        min_speedup: how many times faster than the best before it a candidate must be to be chosen.
        max_disagreement: up to which factor the two comparisons of a candidate say the same; a choice is remembered
            where all do.
        seconds: how long a comparison lasts, if one turn of both does not take longer.
        clock: gives seconds.
    """

    candidates: tuple[Backend, ...] = CANDIDATES
    min_speedup: float = MIN_SPEEDUP
    max_disagreement: float = MAX_DISAGREEMENT
    seconds: float = 0.4
    clock: Callable[[], float] = time.perf_counter

    def speedup(self, slow: Work, fast: Work) -> float:
        """How many times faster `fast` is, by the fastest of alternating runs: other work may share the cores."""
        of_slow, of_fast = float("inf"), float("inf")
        end = self.clock() + self.seconds
        while of_slow == float("inf") or self.clock() < end:
            of_slow = min(of_slow, self.time(slow))
            of_fast = min(of_fast, self.time(fast))
        return of_slow / of_fast

    def time(self, work: Work) -> float:
        """Seconds that some work takes."""
        begun = self.clock()
        work()
        return self.clock() - begun


DEFAULT_PROBE: Final = Probe()


def recall(key: str) -> Backend | None:
    """The back end found fastest here for the space with this `key`; None where none was found yet."""
    known = _read(_memory()).get(f"{_machine()} | {key}")
    return next((backend for backend in (REFERENCE, *CANDIDATES) if backend.name == known), None)


def choose(key: str, tower: nn.Module, run: Run, size: tuple[int, int], probe: Probe = DEFAULT_PROBE) -> Backend:
    """Find the fastest back end for a model here, in some seconds; remember it for `recall` if it is sure.

    Args:
        key: of the model's space.
        tower: its image tower, float32, on the CPU; left as it is.
        run: (module, float32 pixels (n, 3, *size)) to features (n, any); casts the pixels to the module's type.
        size: height and width of its input, px.
        probe: how it is measured.
    """
    found, is_sure = measure(tower, run, size, probe)
    if not is_sure:
        log.info("other work made the measurement uncertain: the next start measures again")
        return found
    path = _memory()
    known = _read(path)
    place = f"{_machine()} | {key}"
    known.pop(place, None)  # the newest go last
    _remember(path, {**known, place: found.name})
    return found


def measure(tower: nn.Module, run: Run, size: tuple[int, int], probe: Probe = DEFAULT_PROBE) -> tuple[Backend, bool]:
    """Measure every candidate against float32, on a copy of the model; arguments as for `choose`.

    Vectors are compared of the whole model, times of one block: a large model takes seconds for a picture on a CPU.

    Returns:
        The fastest in both of its comparisons, and whether none of them contradicted the other: on a busy machine the
        moment at which other work ran may decide, and what is remembered is never measured again.
    """
    is_sure = True
    with torch.inference_mode():
        _, block = _run_with_block(tower, run, _pictures(1, size))
        count = min(_MAX_PICTURES, max(1, round(_TURN / probe.time(block))))
        pixels = _pictures(count, size)
        expected, block = _run_with_block(tower, run, pixels)
        best, best_speed = REFERENCE, 1.0
        for candidate in probe.candidates:
            other = other_block = None  # one copy at a time
            give_back()
            try:
                other = copy.deepcopy(tower)
                candidate.apply(other)
                vectors, other_block = _run_with_block(other, run, pixels)
                cosine = least_cosine(vectors, expected)
            except Exception as error:  # noqa: BLE001 - operators that a build lacks, or a model can't take, raise anything
                log.debug("back end %s can't run this model here: %s", candidate.name, error)
                continue
            if not cosine >= MIN_COSINE:  # NaN neither
                log.debug("back end %s: cosine %.5f", candidate.name, cosine)
                continue
            speed, more = sorted(probe.speedup(block, other_block) for _ in range(2))
            log.debug("back end %s: %.2f and %.2f times float32, cosine %.5f", candidate.name, speed, more, cosine)
            needed = probe.min_speedup * best_speed
            is_sure = is_sure and (more < needed or speed * probe.max_disagreement >= needed)
            if speed >= needed:
                best, best_speed = candidate, speed
    log.info("the model runs as %s, %.1f times as fast as in float32", best.name, best_speed)
    return best, is_sure


def _run_with_block(tower: nn.Module, run: Run, pixels: torch.Tensor) -> tuple[torch.Tensor, Work]:
    """Run a network on pixels; returns its features, and a call that runs one of its blocks again.

    The call repeats the block's own input. The block is the second of the longest list of modules, as of a transformer
    or a stage: the first may be of another shape. A network without such a list is its own block.
    """
    lists = (module for module in tower.modules() if isinstance(module, nn.ModuleList | nn.Sequential))
    longest: Any = max(lists, key=len, default=())
    block: nn.Module = longest[1] if len(longest) > 1 else tower
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    hook = block.register_forward_pre_hook(lambda _, given, named: calls.append((given, named)), with_kwargs=True)
    features = run(tower, pixels)
    hook.remove()
    if not calls:  # a list whose members are not called one by one
        return features, lambda: run(tower, pixels)
    given, named = calls[0]
    return features, lambda: block(*given, **named)


def least_cosine(made: torch.Tensor, expected: torch.Tensor) -> float:
    """The least cosine of features (n, any) to float32's, row by row; NaN where either is not finite."""
    return float(functional.cosine_similarity(made.float(), expected.float(), dim=-1).min())


def _pictures(count: int, size: tuple[int, int]) -> torch.Tensor:
    """Seeded blots with some noise, in the range of normalised pixels."""
    generator = torch.Generator().manual_seed(0)
    blots = torch.randn(count, 3, 7, 7, generator=generator)
    smooth = functional.interpolate(blots, size, mode="bilinear")
    return smooth + 0.1 * torch.randn(smooth.shape, generator=generator)


def _machine() -> str:
    """What the choice depends on besides the model: processor, threads, torch's version, oneDNN's limits."""
    limits = ",".join(os.environ.get(name, "") for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"))
    return " | ".join(
        (_processor(), torch.backends.cpu.get_cpu_capability(), str(torch.get_num_threads()), torch.__version__, limits)
    )


def _processor() -> str:
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        fields: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
        named = [fields.get(name, "") for name in ("model name", "cpu family", "model", "CPU part")]
        if any(named):
            return " ".join(filter(None, named))
    return f"{platform.machine()} {platform.processor()}".strip()


def _memory() -> Path:
    """The file of remembered choices."""
    return cache_folder() / "backends.cache"


def _read(path: Path) -> dict[str, str]:
    """What was remembered; nothing of a file that is damaged or not ours."""
    known = read_object(path)
    return {place: name for place, name in known.items() if isinstance(name, str)}


def _remember(path: Path, known: Mapping[str, str]) -> None:
    write_object(path, dict(list(known.items())[-_KEPT:]))  # a cache: measured again where it can't be kept
