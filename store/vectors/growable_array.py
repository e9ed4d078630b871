"""An array that grows at its end."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

_Kind = TypeVar("_Kind", bound=np.generic)


class GrowableArray(Generic[_Kind]):
    """Rows of one shape, appended to in a time that does not grow with how many there are."""

    def __init__(self, start: NDArray[_Kind]) -> None:
        """`start`: the first rows, (n, ...); taken over, not copied, and never written to."""
        self._rows: NDArray[Any] = start
        self._count = len(start)

    @property
    def view(self) -> NDArray[_Kind]:
        """All rows. A view: later rows are not in it, and what is in it stays where it is."""
        return self._rows[: self._count]

    def extend(self, rows: NDArray[_Kind]) -> None:
        """Append rows."""
        count = self._count + len(rows)
        if count > len(self._rows):
            grown = np.empty((max(count, self._count + self._count // 4), *self._rows.shape[1:]), self._rows.dtype)
            grown[: self._count] = self.view
            self._rows = grown
        self._rows[self._count : count] = rows
        self._count = count
