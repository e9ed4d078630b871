"""Embedding models: presets, weights, encoders, back ends. `load` is the way in.

Importing this package imports no torch, which takes seconds: `load` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

if TYPE_CHECKING:
    from sightline.models.encoder import Encoder
    from sightline.models.multi_gpu import ImageEncoder
    from sightline.models.resolve import Model


@overload
def load(
    model: str | Model,
    *,
    device: str = ...,
    precision: str = ...,
    offline: bool = ...,
    texts: Literal[True] = ...,
) -> Encoder: ...
@overload
def load(
    model: str | Model, *, device: str = ..., precision: str = ..., offline: bool = ..., texts: Literal[False]
) -> ImageEncoder: ...
def load(
    model: str | Model, *, device: str = "auto", precision: str = "auto", offline: bool = False, texts: bool = True
) -> ImageEncoder:
    """Load an embedding model.

    Args:
        model: a name as `resolve` reads it, such as `fast` or `local-dir:PATH`; or what it found.
        device: `auto`, `cuda`, `cuda:1` and so on, `mps` or `cpu`.
        precision: `bf16`, `fp16` or `fp32`, as torch runs them; `auto` is what runs fastest on the device.
        offline: use no network, even where weights are missing.
        texts: whether texts will be encoded. Without, the model takes less memory, and `cuda` is every GPU.

    Raises:
        SpaceError: the model is unknown or can't be loaded, or the device or precision is not available here.
    """
    from sightline.models.devices import choose_devices
    from sightline.models.encoder import Encoder
    from sightline.models.multi_gpu import MultiDeviceEncoder
    from sightline.models.resolve import resolve

    if isinstance(model, str):
        model = resolve(model, offline=offline)
    if texts:
        return Encoder(model, device=device, precision=precision)
    devices = choose_devices(device)
    if len(devices) == 1:
        return Encoder(model, device=devices[0], precision=precision, texts=False)
    return MultiDeviceEncoder(model, devices, precision=precision)
