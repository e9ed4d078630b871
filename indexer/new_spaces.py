"""A model is tried before a library gets a space of it."""

from __future__ import annotations

import logging
from dataclasses import replace

from sightline.models.resolve import Model
from store.tables.catalog import Catalog
from store.tables.space_identity import SpaceIdentity

log = logging.getLogger(__name__)


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

    Raises:
        SpaceError: see `sightline.models.checks.check`.
    """
    from sightline.models.checks import check  # imports torch, which a run without news does not wait for

    log.info("trying the model %s before its space is made", model.name)
    return check(model).dim
