"""Compiled towers: a model that is known runs without torch, open_clip and timm.

They are made while indexing (`make`), from torch's own network and compared with it, and opened here by whoever answers
a query or indexes a few pictures. torch stays the authority: where anything is amiss, it is used. Importing this
package imports neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.models.compiled.encoder import CompiledEncoder
    from sightline.models.resolve import Model


def open_compiled(
    model: Model, *, pictures: bool, texts: bool, device: str = "auto", precision: str = "auto"
) -> CompiledEncoder | None:
    """Open a model's compiled towers.

    No tower is opened yet. One that turns out to be damaged when it is first needed is thrown away, and torch's
    network loaded in its stead; what is not asked for here is torch's too.

    Args:
        model: the model.
        pictures: whether pictures will be encoded.
        texts: whether texts will be.
        device, precision: as asked for; anything but `auto` and `cpu` is torch's.

    Returns:
        None where there are none of those for the OpenVINO and the processor here, or a GPU is used.
    """
    from sightline.models.compiled.files import has_any
    from sightline.models.compiled.runtime import is_installed

    if precision != "auto" or device not in ("auto", "cpu") or not has_any(model) or not is_installed():
        return None
    if device == "auto" and not _is_on_cpu():
        return None
    from sightline.models.compiled.encoder import open_encoder

    return open_encoder(model, pictures=pictures, texts=texts)


def can_compile(model: Model, *, device: str = "auto", precision: str = "auto") -> bool:
    """Whether towers of a model can be made: OpenVINO is here, it has none yet, and there is room."""
    from sightline.models.compiled.runtime import TowerError, is_installed

    if precision != "auto" or device not in ("auto", "cpu") or not is_installed():
        return False
    if device == "auto" and not _is_on_cpu():
        return False
    from sightline.models.compiled.files import has_room, place_of, read_manifest

    try:
        place = place_of(model)
    except TowerError:
        return False
    return read_manifest(place) is None and has_room(model)


def _is_on_cpu() -> bool:
    from sightline.models.devices import device_name

    return device_name("auto") == "cpu"
