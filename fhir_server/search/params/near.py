"""Near: places within a distance of a point, on a sphere.

A value is `latitude|longitude|distance|unit`, in degrees of WGS84; kilometres where the unit is left out, and
`DEFAULT_METRES` where the distance is, which R4 leaves to the server. Distances are great circles on a sphere of the
Earth's mean radius: up to 0.6% off the ellipsoid.

Source: http://hl7.org/fhir/R4/location.html#positional
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from fhir_server.search.param import Param
from fhir_server.search.params.number import is_number
from fhir_server.search.sink import Sink
from fhir_server.search.sql import Sql, Test, all_of, any_of
from fhir_server.search.values import bad_value, piped
from terminology import ucum

EARTH_RADIUS = 6_371_008.7714
"""The mean radius R1 of the Earth in metres.

Source: Moritz, Geodetic Reference System 1980, Journal of Geodesy 74:128 (2000)
"""

DEFAULT_METRES = 50_000.0
"""What is near where no distance is given: ours to choose, as location.html#positional says."""

WANTED = "latitude|longitude|distance|unit, such as 42.25|-83.69|11.2|km, the unit a UCUM length (km, [mi_us], m …)"
_SLACK = 1e-9
"""Degrees by which the box is wider than the circle, so that rounding loses nothing."""
_ROUNDING = 1e-30
"""How far from nothing the haversine of a place to itself can be, where it has two longitudes: nanometres."""


class Circle(NamedTuple):
    """A point and how far around it: degrees, degrees, metres."""

    latitude: float
    longitude: float
    metres: float


def index(param: int, value: Any, _type_name: str, sink: Sink) -> None:
    """Add one position to `sink`; what is no place (R4 has 90 and 180 degrees at most, as KML does) is left out."""
    latitude, longitude = value.get("latitude"), value.get("longitude")
    if not (is_number(latitude) and is_number(longitude)):
        return
    if -90 <= latitude <= 90 and -180 <= longitude <= 180:
        sink.positions.add((param, float(latitude), float(longitude)))
        sink.present.add(param)


def test(param: Param, _modifier: str, values: Sequence[str]) -> Test:
    """Return the test that a position lies within any of the circles.

    Errors: 400 value
    """
    circles = [asked(param.code, value) for value in values]
    ids = ", ".join(str(part.id) for part in param.parts)

    def rows(sql: Sql) -> str:
        inside = any_of([_within(sql, circle) for circle in circles])
        return f"SELECT i.rid FROM idx_position i WHERE i.param IN ({ids}) AND {inside}"

    return Test(lambda sql, row: f"EXISTS ({rows(sql)} AND i.rid = {row}.rid)", 30, rows)


def asked(code: str, text: str) -> Circle:
    """Return the circle that a search value means.

    Errors: 400 value
    """
    parts = [part.strip() for part in piped(text)]
    if not 2 <= len(parts) <= 4:
        raise bad_value(code, text, WANTED)
    latitude, longitude = (_decimal(code, text, part) for part in parts[:2])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise bad_value(code, text, "latitudes are -90 to 90, longitudes -180 to 180 degrees")
    distance = parts[2] if len(parts) > 2 else ""
    unit = parts[3] if len(parts) > 3 else ""
    metres = _metres(code, text, distance, unit or "km") if distance else DEFAULT_METRES
    return Circle(float(latitude), float(longitude), metres)


_DECIMAL = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,2})?\Z", re.ASCII)


def _decimal(code: str, text: str, part: str) -> Decimal:
    if not _DECIMAL.match(part):
        raise bad_value(code, text, WANTED)
    return Decimal(part)


def _metres(code: str, text: str, distance: str, unit: str) -> float:
    found = ucum.convert(_decimal(code, text, distance), unit, "m")
    if found is None:
        raise bad_value(code, text, f"'{unit[:50]}' is no UCUM length; {WANTED}")
    if found < 0:
        raise bad_value(code, text, "a distance is not negative")
    return float(found)


def _within(sql: Sql, circle: Circle) -> str:
    """Return the condition that a row `i` lies within a circle: in its box, and by the haversine formula."""
    angle = circle.metres / EARTH_RADIUS
    if angle >= math.pi:
        return "true"
    latitude, longitude = _place(sql, circle.latitude), _place(sql, circle.longitude)
    haversine = (
        f"power(sin(radians(i.lat - {latitude}) / 2), 2) + cos(radians({latitude})) * cos(radians(i.lat))"
        f" * power(sin(radians(i.lon - {longitude}) / 2), 2)"
    )
    return (
        f"({_box(sql, circle, angle)} AND {haversine} <= {_place(sql, math.sin(angle / 2) ** 2 + _ROUNDING)})"
    )


def _box(sql: Sql, circle: Circle, angle: float) -> str:
    """Return the condition that a row `i` lies within the box around a circle of `angle` (in radians).

    A circle with a pole in it reaches all longitudes; one across the antimeridian lies in two boxes.
    """
    reach = math.degrees(angle) + _SLACK
    south, north = circle.latitude - reach, circle.latitude + reach
    conditions = [f"i.lat BETWEEN {_place(sql, max(south, -90.0))} AND {_place(sql, min(north, 90.0))}"]
    if south > -90 and north < 90:
        aside = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(math.radians(circle.latitude)))))
        conditions.append(any_of(_between(sql, circle.longitude, aside + _SLACK)))
    return all_of(conditions)


def _between(sql: Sql, longitude: float, aside: float) -> list[str]:
    west, east = longitude - aside, longitude + aside
    ranges = [(west, east)]
    if west <= -180:
        ranges.append((west + 360, 180.0))
    if east >= 180:
        ranges.append((-180.0, east - 360))
    return [f"i.lon BETWEEN {_place(sql, lo)} AND {_place(sql, hi)}" for lo, hi in ranges]


def _place(sql: Sql, value: float) -> str:
    return sql.cast(repr(value), "float8")
