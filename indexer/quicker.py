"""Whether a long run goes over from compiled towers to torch: where that was measured to be quicker.

OpenVINO's towers and torch's packed weights are alike in speed for transformers, and the towers two to five times as
fast for convolutions; which it is depends on the processor. See docs/decisions/compiled-towers-in-runs.md.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sightline.models.cache_folder import cache_folder, read_object, write_object
from sightline.models.compiled.files import place_of

if TYPE_CHECKING:
    from indexer.batcher import PictureEncoder
    from sightline.models.compiled.encoder import CompiledEncoder
    from sightline.models.resolve import Model

log = logging.getLogger(__name__)

KERNELS_LEFT: Final = 600
"""With so many files left to read torch is imported for its resizing: it saves 8 ms of each, and costs 2 s."""
TRIAL_LEFT: Final = 3_000
"""With so many left it is loaded, too, where it was never measured here: 8 s for a model of 600 MB, once."""

# Pictures that go first after a change, and those that are timed then.
_WARM, _TIMED = 64, 256
# How much quicker torch has to be: it takes more memory.
_WORTH: Final = 1.05
_TORCH, _COMPILED = "torch", "compiled"
_KEPT: Final = 64  # choices that are remembered


class Quicker:
    """Gives the encoder for each batch of a run that began with compiled towers.

    torch is imported and loaded by a thread; then each of the two is timed, or torch taken at once where that is known.
    """

    def __init__(self, model: Model, compiled: CompiledEncoder) -> None:
        """Nothing is begun yet."""
        self._model = model
        self._compiled = compiled
        self._torch: PictureEncoder | None = None
        self._current: PictureEncoder = compiled
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._known = ""
        self._since: tuple[int, float] | None = None  # pictures and seconds when the timing of `_current` begins
        self._pace = 0.0  # seconds for a picture, of the compiled tower

    def next(self, encoded: int, seconds: float, left: int) -> PictureEncoder:
        """The encoder for the next batch.

        Args:
            encoded: how many pictures were encoded in this run.
            seconds: how long that took.
            left: how many files are left to read, as far as is known.
        """
        if self._thread is None:
            if left >= KERNELS_LEFT:
                self._begin(left)
        elif self._torch is not None and not self._thread.is_alive():
            if self._known:
                self._settle(self._known)
            elif self._since is None:
                self._since = encoded + _WARM, 0.0
            elif encoded < self._since[0]:
                self._since = self._since[0], seconds  # still warming up
            elif encoded >= self._since[0] + _TIMED:
                self._compare((seconds - self._since[1]) / (encoded - self._since[0]), encoded)
        return self._current

    def _begin(self, left: int) -> None:
        self._known = str(read_object(_memory()).get(place_of(self._model).name, ""))
        loads = self._known == _TORCH or (not self._known and left >= TRIAL_LEFT)
        self._thread = threading.Thread(target=self._load, args=(loads,), name="torch")
        self._thread.start()

    def _load(self, loads: bool) -> None:
        from sightline.resampling import use_torch

        try:
            use_torch()
            if loads and not self._stop.is_set():
                from sightline.models import load

                self._torch = load(self._model, device="cpu", texts=False)
        except Exception as error:  # noqa: BLE001 - memory, files that are gone: the run goes on as it began
            log.info("torch is not used in this run: %s", error)

    def _compare(self, pace: float, encoded: int) -> None:
        """Take in the seconds for a picture of the current one: first the compiled tower, then torch."""
        if self._current is self._compiled and self._torch is not None:
            self._pace, self._current, self._since = pace, self._torch, (encoded + _WARM, 0.0)
            return
        faster = self._pace / pace if pace else 0.0
        log.info("torch is %.2f times as fast as the compiled tower of %s", faster, self._model.name)
        known = _TORCH if faster >= _WORTH else _COMPILED
        place, path = place_of(self._model).name, _memory()
        others = {name: value for name, value in read_object(path).items() if name != place}
        write_object(path, dict(list({**others, place: known}.items())[-_KEPT:]))
        self._settle(known)

    def _settle(self, known: str) -> None:
        """Go on with one, and release the other."""
        torch = self._torch
        if torch is None:
            return
        self._torch = None
        self._current, other = (torch, self._compiled) if known == _TORCH else (self._compiled, torch)
        other.close()

    def close(self) -> None:
        """Release what is not `_current`; what is being loaded is waited for: Python may not end in an import."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        for each in (self._torch, self._compiled):
            if each is not None and each is not self._current:
                each.close()


def _memory() -> Path:
    """The file of what was measured."""
    return cache_folder() / "quicker.cache"
