"""Large requests are worked on in the lane, in every format, and are answered as all others."""

from __future__ import annotations

from typing import Any, cast

import psycopg.errors
import pytest

from fhir_server.exchange import Request, Result
from fhir_server.interactions import dispatch
from fhir_server.lanes import HeavyLane
from fhir_server.rest.heavy import lane_handler
from tests.integration.web import JSON, XML, client_of, outcome_codes, patient, running


class Lane:
    """A lane in this process, which counts."""

    in_flight = 0

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.seen: list[str] = []

    async def submit(self, request: Request) -> Result:
        """Return the answer, as a lane's other end would."""
        self.seen.append(request.path)
        result: Result = await self.handle(request)
        return result

    async def close(self) -> None:
        """Do nothing."""


BIG = "x" * 2000
BODIES = {
    JSON: b'{"resourceType":"Patient","id":"big","name":[{"text":"%s"}]}' % BIG.encode(),
    XML: b'<Patient xmlns="http://hl7.org/fhir"><id value="big"/><name><text value="%s"/></name></Patient>'
    % BIG.encode(),
}


@pytest.mark.parametrize("kind", [JSON, XML])
async def test_a_large_body_goes_through_the_lane_and_comes_back(database_url: str, kind: str) -> None:
    async with running(database_url, heavy_lane_bytes=1000) as app, client_of(app) as web:
        lane = Lane(lane_handler(app.fhir, dispatch))
        app.fhir.lane = cast("HeavyLane", lane)
        answer = await web.put("Patient/big", content=BODIES[kind], headers={"Content-Type": kind})
        small = await web.put("Patient/small", json=patient(id="small"), headers={"Content-Type": JSON})
        app.fhir.lane = None
    assert answer.json()["name"] == [{"text": BIG}]
    assert small.is_success
    assert lane.seen == ["Patient/big"]


async def test_raw_content_is_understood_in_the_lane(database_url: str) -> None:
    async with running(database_url, heavy_lane_bytes=1000) as app, client_of(app) as web:
        app.fhir.lane = cast("HeavyLane", Lane(lane_handler(app.fhir, dispatch)))
        made = await web.put("Binary/big", content=BIG.encode(), headers={"Content-Type": "text/plain"})
        app.fhir.lane = None
        read = await web.get("Binary/big", headers={"Accept": "*/*"})
    assert made.status_code == 201
    assert read.text == BIG


async def test_a_failure_in_the_lane_has_its_own_status(database_url: str) -> None:
    async def broken(_session: Any, _request: Request) -> Result:
        raise psycopg.errors.QueryCanceled

    async with running(database_url, heavy_lane_bytes=1000) as app, client_of(app) as web:
        app.fhir.lane = cast("HeavyLane", Lane(lane_handler(app.fhir, broken)))
        answer = await web.put("Patient/big", content=BODIES[JSON], headers={"Content-Type": JSON})
        app.fhir.lane = None
    assert (answer.status_code, outcome_codes(answer)) == (503, ["timeout"])
