"""Names of the place where a picture was taken, from its position, where none are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def with_place_names(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Facts with town, region and country: those that are missing follow from the position.

    What is written in the file stays, but for a country, which gets one name however it is written: "Deutschland",
    "DEU" and "Germany" are one. Where another country is written than that of the position, one of them is wrong, and
    nothing is added. Safe to call from many threads.
    """
    made = {name: facts[name] for name in ("town", "region", "country") if facts.get(name)}
    # The gazetteer takes memory: it is not loaded for pictures without a place.
    if "country" in made:
        from store.places.names import country_called

        country = country_called(made["country"])
        made["country"] = made["country"] if country is None else country.name
    if len(made) < 3 and facts.get("latitude") is not None and facts.get("longitude") is not None:
        from store.places.position import place_at

        place = place_at(facts["latitude"], facts["longitude"])
        if made.get("country", place.country) == place.country:
            found = {"town": place.town, "region": place.region, "country": place.country}
            made = {name: value for name, value in found.items() if value} | made
    return {**facts, **made}
