"""What the page of the map fetches: points as it reads them, and where land is."""

from __future__ import annotations

import numpy as np
import pytest

from search_ui.runtime import map_payloads
from search_ui.server import map_routes
from sightline.maps import lasso


def test_points_are_packed_as_the_page_reads_them() -> None:
    ids, places = np.array([5, 70_000, 2**32 - 1]), np.array([[0.5, -1], [0, 0], [1, 0.25]], np.float32)
    data = map_payloads.packed(ids, places, np.array([0, 255, 3], np.uint8))
    assert data[:4] == b"SLPT"
    assert np.frombuffer(data, "<u4", 3, 4).tolist() == [1, 3, 0]
    np.testing.assert_array_equal(np.frombuffer(data, "<f4", 6, 16).reshape(3, 2), places)
    assert np.frombuffer(data, "<u4", 3, 40).tolist() == ids.tolist()
    assert list(data[52:]) == [0, 255, 3]
    with pytest.raises(ValueError, match="4294967296"):
        map_payloads.packed(np.array([2**32]), places[:1], np.zeros(1, np.uint8))


def test_the_newest_points_are_kept_and_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_payloads, "_MOST_BYTES", 250)
    payloads = map_payloads.MapPayloads()
    addresses = [payloads.register(1, bytes([number]) * 100) for number in range(3)]
    held = [payloads.get(address.rsplit("/", 1)[1]) is not None for address in addresses]
    assert held == [False, True, True]
    assert payloads.register(1, b"\x02" * 100) == addresses[2], "the address says what it leads to"


def test_land_is_where_land_is() -> None:
    data = map_routes.LAND.read_bytes()
    assert len(data) < 40_000
    count = int.from_bytes(data[:2], "little")
    lengths = np.frombuffer(data, "<u2", count, 2)
    corners = np.frombuffer(data, "<i2", offset=2 + 2 * count).reshape(-1, 2) / 180
    assert lengths.sum() == len(corners)
    assert np.abs(corners[:, 0]).max() == 180
    assert np.abs(corners[:, 1]).max() <= 90
    rings = np.split(corners, np.cumsum(lengths)[:-1])
    assert all((ring[0] == ring[-1]).all() for ring in rings)
    longest = max(np.abs(np.diff(ring[:, 0])).max() for ring in rings if ring[:, 1].min() > -89)
    assert longest < 30, "no coast goes across the whole map"
    known = {(2.35, 48.85): True, (-100, 40): True, (0, -85): True, (178, 67): True, (-30, 30): False, (90, -40): False}
    for place, is_land in known.items():
        hits = sum(lasso.inside(ring, np.array([place], np.float32))[0] for ring in rings)
        assert hits % 2 == is_land, place
