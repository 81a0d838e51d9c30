"""Places near a point, against great circles worked out with vectors.

Source: http://hl7.org/fhir/R4/location.html#positional
"""

from __future__ import annotations

import math
import random
from decimal import Decimal
from typing import Any

import pytest

from fhir_server.search.params.near import EARTH_RADIUS
from resources.outcome import FhirError
from tests.integration.search.conftest import Asker

Json = dict[str, Any]
PLACES = {
    "vienna": (48.2082, 16.3738),
    "graz": (47.0707, 15.4395),
    "fiji": (-16.5, 179.9),
    "taveuni": (-16.8, -179.95),
    "date-line": (10.0, 180.0),
    "date-line-west": (10.0, -180.0),
    "pole": (90.0, 0.0),
    "alert": (82.5, -62.35),
    "barneo": (89.5, 120.0),
    "south": (-89.9, -45.0),
    "equator": (0.0, 0.0),
}


def location(id_: str, latitude: float, longitude: float) -> Json:
    """Return a Location."""
    position = {"latitude": Decimal(repr(latitude)), "longitude": Decimal(repr(longitude))}
    return {"resourceType": "Location", "id": id_, "position": position}


WORLD = [
    *(location(id_, *place) for id_, place in PLACES.items()),
    {"resourceType": "Location", "id": "nowhere", "name": "Nowhere"},
    {"resourceType": "Location", "id": "wrong", "position": {"latitude": 95, "longitude": 10}},
]


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the great circle between two places, from the angle between their vectors."""
    (a, b, c), (x, y, z) = _vector(one), _vector(other)
    cross = math.hypot(b * z - c * y, c * x - a * z, a * y - b * x)
    return EARTH_RADIUS * math.atan2(cross, a * x + b * y + c * z)


def _vector(place: tuple[float, float]) -> tuple[float, float, float]:
    latitude, longitude = map(math.radians, place)
    return (
        math.cos(latitude) * math.cos(longitude),
        math.cos(latitude) * math.sin(longitude),
        math.sin(latitude),
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("48.2|16.4|10|km", "vienna"),
        ("48.2|16.4|10", "vienna"),
        ("48.2|16.4", "vienna"),
        ("48.2|16.4|10000|m", "vienna"),
        ("48.2|16.4|150|km", "graz vienna"),
        ("48.2|16.4|90|[mi_us]", "graz vienna"),
        ("48.2|16.4|90|km", "vienna"),
        ("48.2|16.4|1|km", ""),
        ("48.2082|16.3738|0|m", "vienna"),
        ("48.2|16.4|10|km,47|15.4|10|km", "graz vienna"),
        ("-16.5|180|60|km", "fiji taveuni"),
        ("-16.5|-180|60|km", "fiji taveuni"),
        ("10|179.99|5|km", "date-line date-line-west"),
        ("10|-179.99|5|km", "date-line date-line-west"),
        ("10|180|0", "date-line date-line-west"),
        ("90|77|60|km", "barneo pole"),
        ("89.9|-60|100|km", "barneo pole"),
        ("-90|10|20|km", "south"),
        ("0|0|20100|km", " ".join(sorted(PLACES))),
    ],
)
async def test_places_are_found_within_a_distance(world: Asker, query: str, expected: str) -> None:
    assert sorted(await world.ids(f"Location?near={query}")) == expected.split()


async def test_every_circle_holds_what_the_sphere_says(world: Asker) -> None:
    rng = random.Random(3)
    for _ in range(60):
        place = rng.choice(list(PLACES.values()))
        centre = (
            max(-90.0, min(90.0, round(place[0] + rng.uniform(-5, 5), 4))),
            (round(place[1] + rng.uniform(-9, 9), 4) + 180) % 360 - 180,
        )
        radius = 10 ** rng.uniform(3, 7.2)
        found = await world.ids(f"Location?near={centre[0]:.6f}|{centre[1]:.6f}|{radius:.3f}|m")
        inside = {id_ for id_, at in PLACES.items() if metres(centre, at) <= radius}
        assert set(found) == inside, (centre, radius)


async def test_a_place_without_a_position_is_missing(world: Asker) -> None:
    assert sorted(await world.ids("Location?near:missing=true")) == ["nowhere", "wrong"]
    assert len(await world.ids("Location?near:missing=false")) == len(PLACES)


@pytest.mark.parametrize(
    "query",
    [
        "near=48.2",
        "near=48.2|x|5|km",
        "near=91|16|5|km",
        "near=48|181|5|km",
        "near=48|16|-5|km",
        "near=48|16|5|kg",
        "near=48|16|5|miles",
        "near=48|16|5|km|more",
        "near=48|16|lt5|km",
        "near=nan|16|5|km",
        "near=48|16|1e999|km",
        "near:exact=48|16|5|km",
    ],
)
async def test_what_is_no_circle_is_refused(world: Asker, query: str) -> None:
    with pytest.raises(FhirError) as refused:
        await world.ids(f"Location?{query}")
    assert refused.value.status == 400
