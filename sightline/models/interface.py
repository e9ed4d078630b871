"""What a loaded model gives, whichever library runs it. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from store.arrays import Floats
from store.errors import SpaceError

if TYPE_CHECKING:
    from sightline.models.preprocess import Preprocess
    from sightline.models.resolve import Model


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


class JointEncoder(Protocol):
    """Turns pictures and texts into vectors: `Encoder` by torch, `CompiledEncoder` by OpenVINO.

    Safe for use from several threads.
    """

    @property
    def model(self) -> Model:
        """What it was loaded from."""

    @property
    def preprocess(self) -> Preprocess:
        """The preparation of pixels for `encode_images`."""

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""

    @property
    def head(self) -> Head | None:
        """How its cosines become probabilities; None where it encodes no texts."""

    def encode_images(self, batch: NDArray[np.uint8]) -> Floats:
        """Encode prepared pictures, uint8 (n, 3, *preprocess.size), as unit vectors, float32 (n, dim)."""

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Encode texts as unit vectors: float32 (n, dim).

        Raises:
            SpaceError: the space has no text.
            TextTooLongError: a text has more tokens than the model reads.
        """

    def close(self) -> None:
        """Release the model's memory. The encoder can't be used afterwards."""
