"""When, and with which camera, pictures were taken: what tells the frames of a burst."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from sqlalchemy import Engine

from store.arrays import Doubles, Ids


@dataclass(frozen=True, slots=True)
class Moments:
    """When pictures were taken, in the order they were asked for.

    Attributes:
        seconds: by the camera's own clock, since 1970, float64 (n,); NaN where it is not known to the second.
        cameras: make and model, object (n,) of str; empty where it is not known.
    """

    seconds: Doubles
    cameras: np.ndarray[Any, np.dtype[np.object_]]


def read_moments(engine: Engine, ids: Ids) -> Moments:
    """When contents were taken: int64 (n,), in any order."""
    found: dict[int, tuple[float, str]] = {}
    with engine.connect() as connection:
        for start in range(0, len(ids), _CHUNK):
            for id_, taken, camera in connection.exec_driver_sql(
                _READ, (json.dumps(ids[start : start + _CHUNK].tolist()),)
            ):
                found[id_] = _seconds(taken), camera
    rows = [found.get(id_, (np.nan, "")) for id_ in ids.tolist()]
    cameras = np.empty(len(rows), np.object_)
    cameras[:] = [camera for _, camera in rows]
    return Moments(np.array([seconds for seconds, _ in rows], np.float64), cameras)


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
