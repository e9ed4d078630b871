"""Names of places among the facts of a picture: from its position, and never over what somebody wrote."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from sightline.images.place_names import with_place_names

KYOTO = {"latitude": 35.0394, "longitude": 135.7292}
NONE = {"town": None, "region": None, "country": None}


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ({}, ("Kyoto", "Kyoto", "Japan")),
        ({"town": "Kinkaku-ji"}, ("Kinkaku-ji", "Kyoto", "Japan")),
        # One of them is wrong, and nobody knows which.
        ({"country": "France"}, (None, None, "France")),
        ({"town": "Paris", "country": "FRA"}, ("Paris", None, "France")),
        ({"country": "Oz"}, (None, None, "Oz")),
        ({"country": "JPN"}, ("Kyoto", "Kyoto", "Japan")),
        ({"town": "Nara", "region": "Nara", "country": "Japón"}, ("Nara", "Nara", "Japan")),
    ],
)
def test_what_is_written_stays_and_the_rest_follows_from_the_position(
    written: dict[str, str], named: tuple[str, ...]
) -> None:
    facts: dict[str, Any] = {**NONE, **KYOTO, **written, "width": 40}
    made = with_place_names(facts)
    assert (made["town"], made["region"], made["country"]) == named
    assert {name: made[name] for name in facts if name not in NONE} == {**KYOTO, "width": 40}


def test_without_a_position_there_are_only_the_names_that_are_written() -> None:
    nowhere: dict[str, Any] = {**NONE, "latitude": None, "longitude": None}
    assert with_place_names(nowhere) == nowhere
    assert with_place_names({**nowhere, "country": "Deutschland"}) == {**nowhere, "country": "Germany"}


def test_at_sea_there_is_no_name() -> None:
    at_sea: dict[str, Any] = {**NONE, "latitude": 30.0, "longitude": -40.0}
    assert with_place_names(at_sea) == at_sea


def test_no_gazetteer_is_loaded_for_pictures_without_a_position() -> None:
    code = (
        "import sys\n"
        "from sightline.images.place_names import with_place_names\n"
        "with_place_names({'latitude': None, 'longitude': None, 'town': 'x'})\n"
        "print({'tzfpy', 'store.places.gazetteer'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
