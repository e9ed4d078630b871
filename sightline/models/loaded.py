"""The model of a library's space: loaded when a query first needs it, shared by everyone who searches."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from store.tables.catalog import SpaceState

if TYPE_CHECKING:
    from sightline.models.interface import JointEncoder


class Encoders:
    """Gives the encoder of a space. Holds the last that reads words, and the last that reads none.

    No more: a model may fill the memory. No fewer: a library may have two, one for words and one for pictures.

    Attributes:
        offline: whether no model may be downloaded.
    """

    def __init__(self, *, offline: bool = False) -> None:
        self.offline = offline
        self._lock = threading.Lock()
        self._held: dict[bool, tuple[str, JointEncoder]] = {}

    def ready(self, space: SpaceState) -> bool:
        """Whether the space's model is loaded; False also while it is being loaded."""
        key, _ = self._held.get(space.has_text, ("", None))
        return key == space.key

    def get(self, space: SpaceState) -> JointEncoder:
        """The encoder of a space; whoever asks while it is being loaded waits for it.

        Raises:
            SpaceError: the model that the vectors were made with is not available.
        """
        with self._lock:
            if not self.ready(space):
                # Dropped, not closed: another thread may be encoding with it, and frees it when done.
                self._held.pop(space.has_text, None)
                self._held[space.has_text] = space.key, self._load(space)
            return self._held[space.has_text][1]

    def _load(self, space: SpaceState) -> JointEncoder:
        from sightline.models.compiled import open_compiled
        from sightline.models.space_models import model_of

        model = model_of(space, offline=self.offline)
        compiled = open_compiled(model, pictures=False, texts=model.has_text)
        if compiled is not None:
            return compiled
        from sightline.models import load

        return load(model)
