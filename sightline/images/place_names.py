"""Names of the place where a picture was taken, from its position, where none are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def with_place_names(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Facts with town, region and country: those that are missing follow from the position.

    What is written in the file stays, but for a country, which gets one name however it is written: "Deutschland",
    "DEU" and "Germany" are one. Safe to call from many threads.
    """
    written = {name: facts[name] for name in ("town", "region", "country") if facts.get(name)}
    made = dict(written)
    # The gazetteer takes 50 MB: it is not loaded for pictures without a place.
    if facts.get("latitude") is not None and facts.get("longitude") is not None and len(written) < 3:
        from store.places.position import place_at

        place = place_at(facts["latitude"], facts["longitude"])
        found = {"town": place.town, "region": place.region, "country": place.country}
        made = {name: value for name, value in found.items() if value} | written
    if "country" in written:
        from store.places.names import country_called

        country = country_called(written["country"])
        made["country"] = written["country"] if country is None else country.name
    return {**facts, **made}
