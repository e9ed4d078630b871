"""What scale.py asks of every index that it compares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from scale_data import Data

from store.arrays import Floats, Ids


class Engine(ABC):
    """An index of one kind. Ids are those of the set: the row's number + 1.

    Attributes:
        module: what has to be installed.
        variants: what a search can be set to; the first is the usual.
        label: what stands before a variant in a table.
    """

    module: ClassVar[str] = ""
    variants: ClassVar[Sequence[Any]] = (0,)
    label: ClassVar[str] = "ef "

    def __init__(self, dim: int) -> None:
        self.dim = dim

    @staticmethod
    @abstractmethod
    def memory(count: int, dim: int) -> int:
        """Bytes that building or opening will need, roughly."""

    @abstractmethod
    def build(self, data: Data, folder: Path) -> None:
        """Make the index of a set and write it to `folder`."""

    @abstractmethod
    def open(self, folder: Path) -> None:
        """Read what `build` wrote."""

    def set(self, variant: Any) -> None:  # noqa: B027 - most have one way to search
        """Search as `variant` says from now on."""

    @abstractmethod
    def search(self, query: Floats) -> Ids:
        """The ids of the `TOP` nearest of one query float32 (dim,), best first."""

    # Whether it can: some can't search among some, and some can't forget.
    filtered: Callable[[Floats, Ids], Ids] | None = None
    remove: Callable[[Ids], None] | None = None

    @abstractmethod
    def add(self, ids: Ids, vectors: Floats) -> None:
        """Take more vectors, float32 (n, dim)."""
