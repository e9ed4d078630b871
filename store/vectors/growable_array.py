"""An array that grows at its end."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

_Kind = TypeVar("_Kind", bound=np.generic)


class Growing(Generic[_Kind]):
    """Rows of one shape, appended to in a time that does not grow with how many there are."""

    def __init__(self, shape: tuple[int, ...], dtype: Any, start: NDArray[_Kind] | None = None) -> None:
        """`start`: the first rows, (n, *shape); taken over, not copied."""
        self._rows: NDArray[Any] = np.empty((0, *shape), dtype) if start is None else start
        self._count = len(self._rows)

    def __len__(self) -> int:
        return self._count

    @property
    def view(self) -> NDArray[_Kind]:
        """All rows: a view, which later rows are not in."""
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
