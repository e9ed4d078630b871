"""Names for the kinds of arrays that go from one module to another; shapes stand where they are used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]  # of contents, unless a name says otherwise
VectorIds = NDArray[np.int64]  # of the table of vectors: they grow with each one that is written
Rows = NDArray[np.int64]  # places in an array of vectors

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
CodeWords = NDArray[np.uint64]  # of one-bit codes, 64 signs each

Halves = NDArray[np.float16]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
