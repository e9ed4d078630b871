"""Encoding of pixels and texts as unit vectors: a model is loaded, run under a lock, and released."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from sightline.models import cpu_backends
from sightline.models.cpu_backends import Backend, Probe
from sightline.models.device_queue import CopyStream
from sightline.models.devices import choose_device, choose_precision
from sightline.models.interface import Head, PendingBatch, TextTooLongError, join
from sightline.models.memory import give_back
from sightline.models.preprocess import Preprocess
from sightline.models.resolve import Model
from sightline.models.text_tower import causal_text, count_tokens, features_up_to_the_end
from sightline.models.weights import load_image_tower, load_network
from sightline.resampling import use_torch
from store.arrays import Floats
from store.errors import SpaceError

log = logging.getLogger(__name__)


# What the text tower of a measured back end is compared with float32 on.
_A_TEXT: Final = "a photo of two red boats on a lake at sunset"
# Characters of what a library says that are shown of it: some write pages.
_SAID: Final = 300


class Encoder:
    """A loaded model. Safe for use from several threads: one runs at a time.

    Attributes:
        model: what it was loaded from.
        device: where it runs.
        backend: how it runs: the type of its weights, and their layout. Where it was found by measuring pictures and is
            not exact enough for texts, these are read in float32.
        head: how its cosines become probabilities; None where it was not loaded to encode texts.
        batch_limit: most pictures at once; halved whenever the device runs out of memory.
    """

    def __init__(
        self, model: Model, *, device: str = "auto", precision: str = "auto", texts: bool = True,
        probe: Probe = cpu_backends.DEFAULT_PROBE,
    ) -> None:  # fmt: skip
        """Load the model's weights.

        Args:
            device: `auto`, `cuda`, `cuda:1` and so on, `mps` or `cpu`; one device (several: see `multi_gpu`).
            precision: `bf16`, `fp16` or `fp32`, as torch runs them; `auto` is what runs fastest here.
            texts: whether texts will be encoded; without, a joint model takes a fraction of the memory.
            probe: how the fastest way to run it on a CPU is measured, where that is not known yet.

        Raises:
            SpaceError: the files can't be loaded, or the device or precision is not available here.
        """
        use_torch()  # for resizing as well, now that it is here
        self.model = model
        self.device = choose_device(device)
        dtype = choose_precision(precision, self.device)
        self.batch_limit: int | None = None
        self._dim = 0
        self._lock = threading.Lock()
        known = Backend(precision, dtype) if dtype else cpu_backends.recall(model.identity().key)
        # Whatever a damaged file makes a loader raise, the user is told which folder it was.
        try:
            visual: nn.Module | None = None
            if model.has_text and not texts:
                visual = load_image_tower(model, known.dtype if known else torch.float32)
            loaded: tuple[nn.Module, Any, int] = load_network(model) if visual is None else (visual, None, 0)
        except SpaceError:
            raise
        except Exception as error:
            said = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
            raise SpaceError(
                f"The model in {model.folder} can't be loaded by {model.library}: {said[:_SAID].rstrip('.')}. Its "
                "configuration or tokenizer is damaged, or made for another version of that library."
            ) from error
        self._tower, self._tokenizer, self._context = loaded
        self._reads = model.has_text and self._tokenizer is not None
        # Before the weights are made small: bfloat16 keeps 3 digits, and an exponential makes of them a scale 2 % off.
        self.head = head_of(self._tower) if self._reads else None
        self._tower.eval().requires_grad_(False)
        self.backend = known or self._fastest(probe)
        self._causal = causal_text(self._tower) if self._reads else None
        if self._reads and dtype is None and self.backend != cpu_backends.REFERENCE:
            self._apply_measured()
        else:
            self.backend.apply(self._tower)
        self._tower.to(self.device)
        if not known:
            give_back()  # the float32 weights
        self._copies = CopyStream(self.device)
        mean, std = (
            torch.tensor(values, device=self.device) for values in (model.preprocess.mean, model.preprocess.std)
        )
        # (x / 255 - mean) / std as one multiply and one add.
        self._scale = (1 / (255 * std)).view(1, 3, 1, 1)
        self._shift = (-mean / std).view(1, 3, 1, 1)

    def _fastest(self, probe: Probe) -> Backend:
        """Measure what runs the image tower, which does nearly all the work, fastest on this CPU."""
        tower: Any = self._tower
        visual: nn.Module = tower.visual if self.model.library == "open_clip" else tower

        def run(module: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
            features: torch.Tensor = module(pixels.to(next(module.parameters()).dtype))
            return features

        return cpu_backends.choose(self.model.identity().key, visual, run, self.preprocess.size, probe)

    def _apply_measured(self) -> None:
        """Apply the fastest back end; the text tower stays float32 if its cosine falls below `MIN_COSINE`."""
        tokens = self._tokenizer([_A_TEXT])
        expected = self._text_features(tokens)
        try:
            self.backend.apply(self._tower)
            cosine = cpu_backends.least_cosine(self._text_features(tokens), expected)
        except Exception as error:  # noqa: BLE001 - as in the measurement: any operator may be lacking
            log.debug("back end %s can't run the text tower here: %s", self.backend.name, error)
            cosine = -1.0
        if cosine >= cpu_backends.MIN_COSINE:
            return
        log.info("texts are read in float32: as %s their cosine to it was %.5f", self.backend.name, cosine)
        # From the file once more: to keep the weights until now would take memory from every model for the sake of few.
        self._tower, self._causal = nn.Identity(), None
        self._tower = load_network(self.model)[0].eval().requires_grad_(False)
        self._causal = causal_text(self._tower)
        tower: Any = self._tower
        self.backend.apply(tower.visual)

    @property
    def preprocess(self) -> Preprocess:
        """The preparation of pixels for `encode_images`."""
        return self.model.preprocess

    @property
    def dim(self) -> int:
        """How many numbers a vector has: as many as the network gives, whatever its configuration says."""
        if not self._dim:
            self.encode_images(torch.zeros((1, 3, *self.preprocess.size), dtype=torch.uint8))
        return self._dim

    @property
    def module(self) -> nn.Module:
        """The loaded network, for measuring and for hooks."""
        return self._tower

    @property
    def tokenizer(self) -> Any:
        """open_clip's tokenizer for the model; None where it was not loaded to encode texts."""
        return self._tokenizer

    @property
    def ahead(self) -> int:
        """How many batches are worth submitting before the vectors of the oldest are waited for."""
        return 1 if self.device.type == "cuda" else 0

    def encode_images(self, batch: NDArray[np.uint8] | torch.Tensor) -> Floats:
        """Encode prepared pictures as unit vectors: `submit`, and wait for them."""
        return self.submit(batch).vectors()

    def submit(self, batch: NDArray[np.uint8] | torch.Tensor) -> PendingBatch:
        """Give the device a batch of prepared pictures; on CUDA without waiting for it.

        Args:
            batch: uint8 (n, 3, *preprocess.size), as `Preprocess.apply` makes them. It may be reused afterwards.

        Returns:
            Its `vectors()` are float32 (n, dim), rows of length 1. A row is NaN where the model gave no finite vector.

        Raises:
            ValueError: the batch has another shape or type.
            torch.OutOfMemoryError: not even one picture fits on the device. Memory is taken here and never later.
        """
        expected = (3, *self.preprocess.size)
        batch = torch.as_tensor(batch)
        if batch.dtype != torch.uint8 or tuple(batch.shape[1:]) != expected:
            raise ValueError(f"a batch is uint8 (n, *{expected}); this one is {batch.dtype} {tuple(batch.shape)}")
        if not len(batch):
            none = np.empty((0, self.dim), np.float32)
            return PendingBatch(lambda: (none, 0.0))
        parts: list[PendingBatch] = []
        done = 0
        with self._lock, torch.inference_mode():
            while done < len(batch):
                part = batch[done : done + (self.batch_limit or len(batch))]
                pending = self._try(part)
                if pending is None:
                    # Outside the handler: the exception's traceback would keep the failed attempt's tensors alive.
                    self._halve(len(part))
                    continue
                parts.append(pending)
                done += len(part)
        return join(parts)

    def _try(self, batch: torch.Tensor) -> PendingBatch | None:
        """Unit vectors, or None where the device has no room for so many pictures."""
        try:
            begun = self._copies.begin()
            # uint8 crosses to the device: a quarter of float32's bytes.
            pixels = self.normalised(self._copies.send(batch))
            features = self._image_features(pixels.to(self.backend.dtype))
            self._dim = features.shape[-1]
            return self._copies.fetch(_unit(features), begun)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
            return None

    def normalised(self, batch: torch.Tensor) -> torch.Tensor:
        """Prepared pictures as the network takes them: float32 (n, 3, height, width), on its device."""
        return batch.to(self.device).float() * self._scale + self._shift

    def _halve(self, size: int) -> None:
        self.batch_limit = (size + 1) // 2
        log.warning(
            "out of memory on %s with %d pictures at once; going on with %d", self.device, size, self.batch_limit
        )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        tower: Any = self._tower
        features: torch.Tensor = tower.encode_image(pixels) if self.model.library == "open_clip" else tower(pixels)
        return features

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Encode texts as unit vectors: float32 (n, dim).

        Raises:
            SpaceError: the space has no text.
            TextTooLongError: a text has more tokens than the model reads.
        """
        if not self.model.has_text:
            raise SpaceError(f"The model {self.model.name!r} knows pictures only, no words; search it with a picture.")
        if not self._reads:
            raise SpaceError(f"The model {self.model.name!r} was loaded for pictures only.")
        if not texts:
            return np.empty((0, self.dim), np.float32)
        with self._lock:
            for text in texts:
                self._check_length(text)
            return _unit(self._text_features(self._tokenizer(list(texts)).to(self.device))).cpu().numpy()

    @torch.inference_mode()
    def _text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        if self._causal is not None:
            return features_up_to_the_end(self._causal, tokens)
        tower: Any = self._tower
        features: torch.Tensor = tower.encode_text(tokens)
        return features

    def _check_length(self, text: str) -> None:
        count = count_tokens(self._tokenizer, text)
        if count > self._context:
            raise TextTooLongError.of(text, count, self.model.name, self._context)

    def close(self) -> None:
        """Release the model's memory. The encoder can't be used afterwards."""
        with self._lock:
            self._tower, self._causal = nn.Identity(), None
            if self.device.type == "cuda":
                torch.cuda.empty_cache()


def _unit(features: torch.Tensor) -> torch.Tensor:
    return functional.normalize(features.float(), dim=-1)


def head_of(tower: Any) -> Head:
    """The head of a joint network."""
    bias = tower.logit_bias
    return Head(math.exp(tower.logit_scale.item()), None if bias is None else bias.item())
