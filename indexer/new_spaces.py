"""A model is tried before a library gets a space of it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sightline.models.compiled import can_compile, open_compiled
from sightline.models.resolve import Model
from store.tables.catalog import Catalog
from store.tables.space_identity import SpaceIdentity

if TYPE_CHECKING:
    from sightline.models.encoder import Encoder

log = logging.getLogger(__name__)

# Networks that were loaded to be tried, by their model's fingerprint: compiled towers are made of them.
_networks: Final[dict[str, Encoder]] = {}


def identity_of(model: Model, catalog: Catalog) -> SpaceIdentity:
    """The identity of a model's space, with the width of its vectors.

    While the library has no vector of it, the model is tried: that takes seconds, and what would fail after hours of
    work fails now. A width that a space without vectors was given by the model's configuration is corrected so.

    Raises:
        SpaceError: see `sightline.models.checks.check`.
    """
    identity = model.identity()
    for space in catalog.spaces():
        if space.count and identity.is_of(space.key, space.fingerprint):
            return replace(identity, dim=space.dim)
    return replace(identity, dim=try_model(model))


def try_model(model: Model) -> int:
    """Try a model, once in a process. Returns the width of its vectors.

    One that has compiled towers passed when these were made. Where they are yet to be made, the network stays loaded:
    see `take_network`.

    Raises:
        SpaceError: see `sightline.models.checks.check`.
    """
    compiled = open_compiled(model, pictures=True, texts=False)
    if compiled is not None:
        return compiled.dim
    from sightline.models.checks import check  # imports torch, which a run without news does not wait for

    log.info("trying the model %s before its space is made", model.name)
    return check(model, _keep if can_compile(model) else None).dim


def _keep(encoder: Encoder) -> None:
    _networks[encoder.model.fingerprint] = encoder


def take_network(model: Model) -> Encoder | None:
    """The float32 network of a model that was tried, if it is still loaded; who takes it closes it."""
    return _networks.pop(model.fingerprint, None)


def network_of(model: Model) -> Encoder:
    """Load a model whole, in float32 on the CPU.

    Raises:
        SpaceError: it can't be loaded.
    """
    from sightline.models.encoder import Encoder

    return Encoder(model, device="cpu", precision="fp32")
