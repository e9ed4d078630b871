"""Makes compiled towers of torch's own network in float32, and compares them with it.

While indexing only: this imports torch. A tower that differs is not used.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from torch import nn

from sightline.models.cache_folder import cache_folder
from sightline.models.compiled.comparing import is_same, timed, varied
from sightline.models.compiled.encoder import PictureTower, probe_picture, unit
from sightline.models.compiled.files import (
    PICTURES,
    Manifest,
    Part,
    encoded,
    lock_of,
    new_folder,
    place_of,
    read_manifest,
    say_not_kept,
    write_manifest,
)
from sightline.models.compiled.make_texts import make_texts
from sightline.models.compiled.runtime import BFLOAT16, FLOAT32, Tower, TowerError, compile_to, has_bfloat16
from sightline.models.memory import give_back
from sightline.models.resolve import Model
from store.arrays import Floats
from store.files import make_private, open_private

log = logging.getLogger(__name__)

# Pictures that are compared: at most, and at least, and the seconds that torch may take for them.
_MOST: Final = 16
_LEAST: Final = 4
_SECONDS: Final = 1


def make_compiled(model: Model, network: nn.Module, tokenizer: Any, pictures: NDArray[np.uint8]) -> bool:
    """Make the compiled towers of a model, unless another process is at it.

    Args:
        model: the model.
        network: its whole network as `load_network` gives it: float32, on the CPU, in evaluation mode. It is left as it
            was.
        tokenizer: its own; None for picture-only models.
        pictures: some that were prepared for it, uint8 (n, 3, *size), n > 0; real ones: drawn blots do not show what
            a precision costs.

    Returns:
        Whether there are towers now. No failure is an error: torch's network is used then.
    """
    try:
        place = place_of(model)
        make_private(place.parent, parents=True)
        os.close(open_private(lock_of(place)))
        with FileLock(lock_of(place), timeout=0):
            if read_manifest(place) is not None:
                return True
            with new_folder(place) as folder, torch.inference_mode(False), torch.no_grad():
                manifest = _pictures(model, network, pictures, folder)
                if model.has_text:
                    manifest = make_texts(model, network, tokenizer, folder, manifest)
                write_manifest(folder, manifest, place.name)  # without any tower, too: no other run tries it again
        if manifest.pictures is not None or manifest.texts is not None:
            return True
        log.info("the model %s starts by torch: none of its towers is exact enough when it is compiled", model.name)
    except Timeout:
        log.info("another process prepares the model %s for quick starts", model.name)
    except TowerError as error:
        log.info("the model %s starts by torch: %s", model.name, error)
    except OSError as error:
        say_not_kept(model, f"{cache_folder() / 'compiled'}: {error.strerror or error}")
    except Exception as error:  # noqa: BLE001 - whatever torch or a tokenizer raises: the run can do without towers
        log.info("the model %s starts by torch, as preparing it failed: %s", model.name, error)
    finally:
        give_back()
    return False


class _Pictures(nn.Module):
    """A picture tower that takes pixels, 0..255, and scales them itself."""

    def __init__(self, network: Any, model: Model) -> None:
        super().__init__()
        self.run = network.encode_image if model.library == "open_clip" else network
        self.network = network.visual if model.library == "open_clip" else network
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (model.preprocess.mean, model.preprocess.std))
        # (x / 255 - mean) / std as one multiply and one add, as `Encoder` does it.
        self.scale, self.shift = 1 / (255 * std), -mean / std

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.run(pixels.float() * self.scale + self.shift)
        return features


def _pictures(model: Model, network: nn.Module, pictures: NDArray[np.uint8], folder: Path) -> Manifest:
    """Make the picture tower; where it is not exact enough, there is neither part nor file."""
    tower = _Pictures(network, model).eval()

    def read(some: NDArray[np.uint8]) -> Floats:
        return unit(tower(torch.from_numpy(some)).float().numpy())

    first, slow = timed(lambda: read(pictures[:1]))
    pictures = varied(pictures, _MOST)[: max(_LEAST, min(_MOST, int(_SECONDS / slow)))]
    expected = np.concatenate([first, read(pictures[1:])])
    manifest = Manifest(dim=expected.shape[1])
    size, path = model.preprocess.size, folder / PICTURES
    # Two: of one, tracing takes any axis of length one for the batch.
    example, shape = torch.zeros((2, 3, *size), dtype=torch.uint8), (-1, 3, *size)
    # The smallest and quickest first. Where weights lose too much in half precision, they are kept as they are.
    for halves, precisions in ((True, (BFLOAT16, FLOAT32) if has_bfloat16() else (FLOAT32,)), (False, (FLOAT32,))):
        try:
            compile_to(path, tower, (example,), [shape], halves=halves)
        except TowerError as error:
            log.info("the picture tower of %s is not compiled: %s", model.name, error)
            break
        for precision in precisions:
            what = f"picture tower of {model.name} in {precision}, {'half-precision' if halves else 'float32'} weights"
            try:
                made = PictureTower(Tower(path, precision, manifest.dim))
                probe = made.encode(probe_picture(size))[0]
                found, quick = timed(partial(made.encode, pictures))
                one = made.encode(pictures[:1])  # a batch of another size, too
            except TowerError as error:
                log.info("the %s is not used: %s", what, error)
                continue
            if is_same(what, [*found, *one], [*expected, expected[0]]):
                return replace(manifest, pictures=Part(precision, encoded(probe), quick / len(pictures)))
    path.unlink(missing_ok=True)
    return manifest
