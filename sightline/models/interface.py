"""What a loaded model gives, whichever library runs it. No torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from store.arrays import Floats
from store.errors import SpaceError


class TextTooLongError(SpaceError):
    """A text has more tokens than the space reads; cutting it would search for something else."""

    @classmethod
    def of(cls, text: str, count: int, model: str, context: int) -> TextTooLongError:
        """Say so of a text with `count` tokens, for a model that reads `context`."""
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        return cls(f"The text {shown!r} has {count} tokens; the model {model!r} reads {context}. Shorten it.")


@dataclass(frozen=True, slots=True)
class Head:
    """How a model was taught to read a cosine: its logit is `scale * cosine + bias`, in natural units.

    Attributes:
        scale: `exp(logit_scale)`, the inverse of the temperature.
        bias: None where the model chose among the texts of a batch (softmax: CLIP, Radford et al., 2021, figure 3);
            a number where it judged each pair of picture and text alone (sigmoid: SigLIP, Zhai et al., 2023, section
            3.2). open_clip tells the two apart in the same way.
    """

    scale: float
    bias: float | None


class PendingBatch:
    """A batch of pictures that was given to a device, which may still be at work on it.

    Attributes:
        seconds: how long the device worked on them; 0 until `vectors` was asked.
    """

    def __init__(self, wait: Callable[[], tuple[Floats, float]]) -> None:
        """`wait` returns the vectors and the seconds, once they are there."""
        self.seconds = 0.0
        self._wait = wait
        self._vectors: Floats | None = None

    def vectors(self) -> Floats:
        """Wait for the vectors, float32 (n, dim); what went wrong with them is raised here."""
        if self._vectors is None:
            self._vectors, self.seconds = self._wait()
        return self._vectors


def join(parts: list[PendingBatch]) -> PendingBatch:
    """Join the parts of one batch, at least one, in their order."""

    def wait() -> tuple[Floats, float]:
        # A copy, so that no pinned memory is held by who keeps a vector.
        vectors = np.concatenate([part.vectors() for part in parts])
        return vectors, sum(part.seconds for part in parts)

    return PendingBatch(wait)
