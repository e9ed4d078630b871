"""JPEG decoding on a GPU: nvJPEG by torchcodec, a batch at a time.

Off by default, and why: docs/decisions/jpeg-decoding-on-gpus.md.

A GPU can't shrink while it decodes, as libjpeg-turbo does. It decodes the whole picture and shrinks it with the filter
of the models' own preprocessing: 56 dB to the full path in the median of camera photos, where libjpeg-turbo gives 53.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from importlib import import_module
from queue import Empty, SimpleQueue
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.images import jpeg
from sightline.images.scaling import rounded_size
from sightline.models.devices import choose_device
from store.errors import SightlineError

BATCH: Final = 32  # pictures decoded at once, at most; each of a GPU's decoding engines, up to eight, takes one of them
MAX_PIXELS: Final = 50_000_000  # of one picture; a full batch takes 5 GB of GPU memory then, and shrinking one 1 GB

_Pixels = NDArray[np.uint8] | None


class GpuJpegError(SightlineError):
    """JPEGs can't be decoded on a GPU here."""


@dataclass(frozen=True, slots=True)
class _Request:
    data: bytearray
    size: tuple[int, int]
    scale: int
    pixels: Future[_Pixels] = field(default_factory=Future)


class GpuJpegDecoder:
    """Decodes JPEGs on one device, in batches of whatever waits. Safe for use from many threads.

    Attributes:
        cores: a permit for each thread that may compute; `decode` gives its caller's back while it waits.
        threads: how many callers keep the cores and the device busy.
        decoded: how many pictures the device decoded.
    """

    def __init__(self, device: str, cores: int) -> None:
        """Open the decoder on a CUDA device; `cpu` works too, for tests.

        Raises:
            GpuJpegError: there is no CUDA device, it can't decode, or torchcodec is missing or made for another torch.
            SpaceError: there is no device of this number.
        """
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise GpuJpegError("--decode-on gpu needs a CUDA device, and torch finds none it can use; leave it out.")
        self.cores = threading.Semaphore(cores)
        self.threads = cores + 2 * BATCH  # one batch waits while another is decoded
        self.decoded = 0
        self._device = choose_device(device)
        self._waiting: SimpleQueue[_Request] = SimpleQueue()
        try:
            # torchcodec says that a library is missing by a RuntimeError.
            self._decode_jpeg = import_module("torchcodec.decoders").decode_jpeg
        except Exception as error:
            raise GpuJpegError(
                f"Decoding on a GPU needs torchcodec 0.16 or later, made for torch {torch.__version__}; it can't be "
                f"imported: {' '.join(str(error).split())[:200]}. Install it with pip install '.[gpu-jpeg]' where "
                "Sightline's pyproject.toml is, or leave --decode-on out."
            ) from error
        try:
            # A stream of its own: pictures would wait for the model otherwise.
            is_cuda = self._device.type == "cuda"
            self._stream = torch.cuda.Stream(self._device) if is_cuda else None  # type: ignore[no-untyped-call]
            self._decode_whole([bytearray(jpeg.encoded(np.zeros((16, 16, 3), np.uint8), 90))])
        except Exception as error:
            raise GpuJpegError(f"{device} can't decode JPEGs: {error}. Leave --decode-on out.") from error
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="gpu-jpeg")

    def decode(self, data: bytes, size: tuple[int, int], scale: int) -> _Pixels:
        """Decode a grey or YCbCr JPEG; the caller holds a permit of `cores`. Arguments: `jpeg.pixels_of`.

        Returns:
            RGB, not turned: uint8 (height, width, 3) of `rounded_size`, contiguous and writable. None where a batch
            waits already, the decoder is closed, or it refuses the picture: decode it on the CPU.
        """
        if size[0] * size[1] > MAX_PIXELS or self._waiting.qsize() >= BATCH or (bare := jpeg.bare(data)) is None:
            return None
        request = _Request(bare, size, scale)
        self._waiting.put(request)
        try:
            self._pool.submit(self._decode_waiting)
        except RuntimeError:  # closed
            return None
        self.cores.release()
        try:
            return request.pixels.result()
        finally:
            self.cores.acquire()

    def close(self) -> None:
        """Finish what was asked for, and stop."""
        self._pool.shutdown()

    def _decode_waiting(self) -> None:
        """Decode what waits as one batch; nothing may be left of it, as each request has this called once."""
        batch: list[_Request] = []
        made: list[_Pixels] = []
        try:
            with suppress(Empty):
                while len(batch) < BATCH:
                    batch.append(self._waiting.get_nowait())
            with torch.inference_mode(), nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
                # nvJPEG refuses a whole batch for one picture that it can't decode, or that there is no memory for.
                made = self._decode_batch(batch) or [(self._decode_batch([each]) or [None])[0] for each in batch]
            self.decoded += sum(pixels is not None for pixels in made)
        finally:  # whatever happens, no caller is left waiting
            for request, pixels in zip(batch, made or [None] * len(batch), strict=True):
                request.pixels.set_result(pixels)

    def _decode_batch(self, batch: list[_Request]) -> list[_Pixels]:
        """The pixels of each; an empty list where the device refuses one of them."""
        try:
            whole = self._decode_whole([request.data for request in batch])
            return self._to_host([_shrunk(image, request) for image, request in zip(whole, batch, strict=True)])
        except Exception:  # noqa: BLE001 - whatever it is, the CPU can decode the picture
            if self._stream is not None:
                with suppress(RuntimeError):  # what was begun for the batch may still write into its memory
                    self._stream.synchronize()
            return []

    def _decode_whole(self, files: list[bytearray]) -> list[torch.Tensor]:
        # torchcodec would make tensors of bytes under `warnings.catch_warnings`, which is not safe among threads.
        tensors = [torch.frombuffer(data, dtype=torch.uint8) for data in files]
        made: list[torch.Tensor] = self._decode_jpeg(tensors, mode="RGB", device=self._device)
        return made

    def _to_host(self, images: list[torch.Tensor | None]) -> list[_Pixels]:
        if self._stream is not None:
            images = [None if image is None else _pinned(image) for image in images]
            done: Any = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            done.record()
            done.synchronize()  # sleeping, as the cores have other pictures to decode
        return [None if image is None else image.numpy() for image in images]


def _pinned(image: torch.Tensor) -> torch.Tensor:
    return torch.empty(image.shape, dtype=image.dtype, pin_memory=True).copy_(image, non_blocking=True)


def _shrunk(image: torch.Tensor, request: _Request) -> torch.Tensor | None:
    """A decoded picture (3, height, width), shrunk as requested: (h, w, 3); None if its size is another."""
    height, width = image.shape[1:]
    if (width, height) != request.size or image.dtype != torch.uint8:
        return None
    if request.scale > 1:
        wide, high = rounded_size(request.size, request.scale)
        rate = 1 / request.scale
        # As in `Preprocess.apply`: by the true scale, not by the quotient of two rounded sizes.
        floats = torch.ops.aten._upsample_bicubic2d_aa(image[None].float(), [high, wide], False, rate, rate)
        image = floats[0].round_().clamp_(0, 255).to(torch.uint8)
    return image.permute(1, 2, 0).contiguous()
