"""Places by name: the right country and town at known points, and the right place for a name."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from store.places.folding import folded
from store.places.gazetteer import political
from store.places.names import country_called, similar_names, town_called
from store.places.position import NOWHERE, Place, place_at

# Latitude, longitude, country, and towns that are right, "" for none; "*" for any.
Point = tuple[float, float, str | None, str]

BORDERS: list[Point] = [
    (47.6633, 9.1758, "Germany", "Konstanz"),
    (47.6500, 9.1850, "Switzerland", "Kreuzlingen"),
    (47.5565, 7.5925, "Switzerland", "Basel"),
    (47.5930, 7.6110, "Germany", "Weil am Rhein"),
    (47.5880, 7.5600, "France", "Saint-Louis"),
    (46.2074, 6.1559, "Switzerland", "Geneva"),
    (46.2560, 6.1080, "France", "Ferney-Voltaire"),
    (48.5818, 7.7509, "France", "Strasbourg"),
    (48.5720, 7.8150, "Germany", "Kehl"),
    (59.3753, 28.2010, "Estonia", "Narva"),
    (59.3730, 28.2060, "Russia", "Ivangorod"),
    (65.8340, 24.1390, "Sweden", "Haparanda"),
    (65.8480, 24.1460, "Finland", "Tornio"),
    (41.9022, 12.4539, "Vatican City", "Vatican City"),
    (41.9031, 12.4663, "Italy", "Rome"),
    (43.7393, 7.4275, "Monaco", "Monaco|Monte-Carlo"),
    (36.1440, -5.3530, "Gibraltar", "Gibraltar"),
    (36.1680, -5.3480, "Spain", "La Línea de la Concepción"),
    (35.8890, -5.3198, "Spain", "Ceuta"),
    (43.9356, 12.4473, "San Marino", "San Marino"),
    (45.9700, 8.9720, "Italy", "Campione d'Italia|Campione"),
    (47.6960, 8.6900, "Germany", "Büsingen"),
    (-29.3100, 27.4800, "Lesotho", "Maseru"),
    (-29.1950, 27.4560, "South Africa", "Ladybrand"),
    (-4.3220, 15.3130, "Democratic Republic of the Congo", "Kinshasa"),
    (-4.2690, 15.2710, "Republic of the Congo", "Brazzaville"),
    (-17.9320, 25.8300, "Zimbabwe", "Victoria Falls"),
    (-17.8500, 25.8600, "Zambia", "Livingstone"),
    (31.7587, -106.4869, "United States", "El Paso"),
    (31.7380, -106.4870, "Mexico", "Ciudad Juárez"),
    (43.0790, -79.0785, "Canada", "Niagara Falls"),
    (43.0850, -79.0660, "United States", "Niagara Falls"),
    (42.3293, -83.0398, "United States", "Detroit"),
    (42.3190, -83.0400, "Canada", "Windsor"),
    (-25.5400, -54.5880, "Brazil", "Foz do Iguaçu"),
    (-25.5090, -54.6110, "Paraguay", "Ciudad del Este"),
    (22.2819, 114.1580, "Hong Kong", "Hong Kong"),
    (22.5420, 114.1130, "China", "Shenzhen"),
    (1.2868, 103.8545, "Singapore", "Singapore"),
    (1.4580, 103.7640, "Malaysia", "Johor Bahru"),
    (17.8780, 102.7420, "Thailand", "Nong Khai"),
    (17.9630, 102.6120, "Laos", "Vientiane"),
    # A time zone of two countries, which do not even touch.
    (21.0285, 105.8542, "Vietnam", "Hanoi"),
    (13.7500, 100.4913, "Thailand", "Bangkok"),
    (42.6629, 21.1655, "Kosovo", "Pristina"),
    (44.8176, 20.4569, "Serbia", "Belgrade"),
]
ISLANDS: list[Point] = [
    (62.0107, -6.7720, "Faroe Islands", "Tórshavn"),
    (28.2724, -16.6425, "Spain", "Vilaflor|La Orotava|Los Realejos|*"),
    (-20.8789, 55.4481, "Reunion", "Saint-Denis"),
    (21.2766, -157.8278, "United States", "Honolulu"),
    (-27.1497, -109.4260, "Chile", "Hanga Roa"),
    (64.1750, -51.7390, "Greenland", "Nuuk"),
    (78.2232, 15.6267, "Svalbard and Jan Mayen", "Longyearbyen"),
    # On both sides of the date line, and on it.
    (-16.7960, -179.9870, "Fiji", "*"),
    (-16.8000, 180.0, "Fiji", "*"),
    (-18.1416, 178.4419, "Fiji", "Suva"),
    (-43.9500, -176.5600, "New Zealand", "*"),
    (53.8740, -166.5360, "United States", "Unalaska"),
    (51.8800, -176.6580, "United States", ""),
    (1.9870, -157.4760, "Kiribati", "*"),
    (1.3290, 172.9760, "Kiribati", "*"),
    (-13.8330, -171.7640, "Samoa", "Apia"),
    (-14.2780, -170.7020, "American Samoa", "Pago Pago"),
]
CITIES: list[Point] = [
    (35.0394, 135.7292, "Japan", "Kyoto"),
    (34.9671, 135.7727, "Japan", "Kyoto"),
    (35.6595, 139.7005, "Japan", "Shibuya|Tokyo"),
    (48.1374, 11.5755, "Germany", "Munich"),
    (50.9413, 6.9583, "Germany", "Köln"),
    (52.5163, 13.3777, "Germany", "Berlin"),
    (48.8584, 2.2945, "France", "Paris"),
    (48.8049, 2.1204, "France", "Versailles"),
    (51.5007, -0.1246, "United Kingdom", "London"),
    (51.4839, -0.6044, "United Kingdom", "Windsor"),
    (40.7580, -73.9855, "United States", "New York City|Manhattan"),
    (40.7440, -74.0270, "United States", "Hoboken"),
    (37.7955, -122.3937, "United States", "San Francisco"),
    (37.8040, -122.2570, "United States", "Oakland"),
    (-33.8568, 151.2153, "Australia", "Sydney"),
    (27.1751, 78.0421, "India", "Agra"),
    (41.0054, 28.9768, "Turkey", "Istanbul"),
    (29.6577, 91.1169, "China", "Lhasa"),
    # In the country, 20 km from a city.
    (55.1048, -1.8845, "United Kingdom", "Meldon"),
]
NOWHERE_NAMED: list[Point] = [
    (-25.0, 125.0, "Australia", ""),
    (-90.0, 0.0, "Antarctica", ""),
    (-89.99, 139.0, "Antarctica", ""),
    (-77.8460, 166.6680, "Antarctica", ""),
    # What several countries claim, and what nobody does.
    (-64.8, -62.9, "Antarctica", ""),
    (-80.0, -110.0, "Antarctica", ""),
    (90.0, 0.0, None, ""),
    (30.0, -40.0, None, ""),
    (10.0, 180.0, None, ""),
    (0.0, 0.0, None, ""),
    (56.5, 3.5, None, ""),
]


@pytest.mark.parametrize(
    ("latitude", "longitude", "country", "towns"), BORDERS + ISLANDS + CITIES + NOWHERE_NAMED, ids=str
)
def test_known_points_are_in_the_right_country_and_town(
    latitude: float, longitude: float, country: str | None, towns: str
) -> None:
    found = place_at(latitude, longitude)
    assert found.country == country
    assert "*" in towns or (found.town or "") in towns.split("|")


@pytest.mark.parametrize(
    ("latitude", "longitude", "place"),
    [
        (39.8017, -89.6437, Place("Springfield", "Illinois", "United States")),
        (48.1374, 11.5755, Place("Munich", "Bavaria", "Germany")),
        (43.7793, 11.2463, Place("Florence", "Tuscany", "Italy")),
        (1.2868, 103.8545, Place("Singapore", None, "Singapore")),
    ],
)
def test_a_place_has_its_region(latitude: float, longitude: float, place: Place) -> None:
    assert place_at(latitude, longitude) == place


@examples(300)
@given(st.floats(-90, 90), st.floats(-180, 180))
def test_any_position_is_somewhere_or_nowhere(latitude: float, longitude: float) -> None:
    found = place_at(latitude, longitude)
    assert found == NOWHERE or found.country in {country.name for country in political().countries.values()}
    assert found.country or not found.town
    assert found.town or not found.region


@examples(100)
@given(st.floats(-90, 90))
def test_both_names_of_the_date_line_are_one_line(latitude: float) -> None:
    east, west = place_at(latitude, 180.0), place_at(latitude, -180.0)
    # A border may run along the line itself; what is on land on both sides is the same land.
    assert east == west or NOWHERE in (east, west) or east.country == west.country


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("kyoto", "Kyoto, Japan"),
        ("KYŌTO", "Kyoto, Japan"),
        ("京都", "Kyoto, Japan"),
        ("münchen", "Munich, Bavaria, Germany"),
        ("Muenchen", "Munich, Bavaria, Germany"),
        ("cologne", "Köln, North Rhine-Westphalia, Germany"),
        ("koln", "Köln, North Rhine-Westphalia, Germany"),
        ("san  francisco", "San Francisco, California, United States"),
        ("St. Louis", "St. Louis, Missouri, United States"),
        ("sao paulo", "São Paulo, Brazil"),
        ("Tromso", "Tromsø, Troms, Norway"),
        ("springfield", "Springfield, Missouri, United States"),
        ("springfield, illinois", "Springfield, Illinois, United States"),
        ("Springfield,IL", "Springfield, Illinois, United States"),
        ("paris", "Paris, Île-de-France, France"),
        ("paris, texas, usa", "Paris, Texas, United States"),
        ("london, canada", "London, Ontario, Canada"),
    ],
)
def test_a_name_is_the_most_populous_place_that_is_called_so(name: str, about: str) -> None:
    town = town_called(name)
    assert town is not None
    assert town.about == about


def test_names_lie_where_their_places_lie() -> None:
    town = town_called("Kyoto")
    assert town is not None
    assert math.dist((town.latitude, town.longitude), (35.02, 135.75)) < 0.02
    assert place_at(town.latitude, town.longitude).town == "Kyoto"


@pytest.mark.parametrize("name", ["zzyzx", "", ",", "paris, japan", "1", "x" * 2_000, "\u0301"])
def test_a_name_of_no_place_finds_none(name: str) -> None:
    assert town_called(name) is None


def test_names_that_are_almost_right_are_suggested() -> None:
    assert similar_names("kyotto")[0] == "Kyoto"
    assert similar_names("xxxxxx") == []


@pytest.mark.parametrize(
    ("name", "country"),
    [
        ("usa", "United States"), ("U.S.A.", "United States"), ("us", "United States"), ("america", "United States"),
        ("UK", "United Kingdom"), ("great britain", "United Kingdom"), ("holland", "Netherlands"),
        ("Deutschland", "Germany"), ("de", "Germany"), ("DEU", "Germany"), ("日本", "Japan"), ("Россия", "Russia"),
        ("turkey", "Turkey"), ("Türkiye", "Turkey"), ("czech republic", "Czechia"),
        ("vatican", "Vatican City"), ("Côte d\u2019Ivoire", "Ivory Coast"), ("korea", "South Korea"),
        ("réunion", "Reunion"),
    ],
)  # fmt: skip
def test_countries_have_many_names(name: str, country: str) -> None:
    found = country_called(name)
    assert found is not None
    assert found.name == country


@pytest.mark.parametrize("name", ["", "xx", "atlantis", "kyoto"])
def test_what_is_no_country_is_none(name: str) -> None:
    assert country_called(name) is None


@given(st.text(max_size=30))
def test_folding_twice_is_folding_once(name: str) -> None:
    assert folded(folded(name)) == folded(name)
    assert folded(name.upper()) == folded(name.upper().lower().upper())
