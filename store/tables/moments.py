"""When, and with which camera, pictures were taken: what tells the frames of a burst."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from sqlalchemy import Engine

from store.arrays import Doubles, Ids, Rows


@dataclass(frozen=True, slots=True)
class Moments:
    """When pictures were taken, in the order they were asked for.

    Attributes:
        seconds: by the camera's own clock, since 1970, float64 (n,); NaN where it is not known to the second.
        cameras: a number for make and model, int64 (n,), their CRC-32; 0 where they are not known.
    """

    seconds: Doubles
    cameras: Ids

    def take(self, rows: Rows | slice) -> Moments:
        """Those of some of the pictures."""
        return Moments(self.seconds[rows], self.cameras[rows])

    def followed_by(self, others: Moments) -> Moments:
        """These and others."""
        return Moments(
            np.concatenate([self.seconds, others.seconds]), np.concatenate([self.cameras, others.cameras])
        )  # fmt: skip


def no_moments(count: int) -> Moments:
    """Of pictures of which nothing is known."""
    return Moments(np.full(count, np.nan), np.zeros(count, np.int64))


def read_moments(engine: Engine, ids: Ids) -> Moments:
    """When contents were taken: int64 (n,), in any order."""
    found: dict[int, tuple[float, int]] = {}
    with engine.connect() as connection:
        for start in range(0, len(ids), _CHUNK):
            chunk = json.dumps(ids[start : start + _CHUNK].tolist())
            for id_, taken, camera in connection.exec_driver_sql(_READ, (chunk,)):
                found[id_] = _seconds(taken), zlib.crc32(camera.encode())
    rows = [found.get(id_, (np.nan, 0)) for id_ in ids.tolist()]
    return Moments(np.array([row[0] for row in rows], np.float64), np.array([row[1] for row in rows], np.int64))


def _seconds(taken: str) -> float:
    try:
        return datetime.fromisoformat(taken).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return float("nan")


_CHUNK: Final = 4_096
# To the second: YYYY-MM-DDTHH:MM:SS.
_READ: Final = (
    "SELECT id, taken_at, trim(coalesce(camera_make, '') || ' ' || coalesce(camera_model, '')) FROM contents "
    "WHERE id IN (SELECT value FROM json_each(?)) AND length(taken_at) >= 19"
)
