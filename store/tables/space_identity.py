"""What tells two spaces apart. No SQLAlchemy here: who finds a model needs no tables."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpaceIdentity:
    """The identity of a space. Vectors of two identities never meet.

    Attributes:
        key: of a new space; what is kept on the disk for it is named by it.
        name: for people; `model`: the address that leads to its model; `weights`: where those came from.
        fingerprint: of all that decides about its vectors; None where only the key is known.
        former_keys: keys that it may have in a library that was made before there were fingerprints.
    """

    key: str
    name: str
    model: str
    weights: str
    preprocess: str
    dim: int
    has_text: bool
    fingerprint: str | None = None
    former_keys: tuple[str, ...] = ()

    def is_of(self, key: str, fingerprint: str | None) -> bool:
        """Whether this is the identity of a space with that key and fingerprint."""
        if fingerprint is not None and self.fingerprint is not None:
            return fingerprint == self.fingerprint
        return key == self.key or key in self.former_keys
