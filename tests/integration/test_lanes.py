"""A heavy lane answers many requests at a time, and its death costs only the requests it had."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from fhir_server.exchange import Request, Result
from fhir_server.lanes import HeavyLane, LaneSocket, serve_lane
from resources.outcome import FhirError, Issue


async def handle(request: Request) -> Result:
    match request.path:
        case "slow":
            await asyncio.sleep(0.2)
        case "stuck":
            await asyncio.sleep(60)
        case "refused":
            raise FhirError(
                422, issues=[Issue("required", "no name", ("Patient.name",))], headers={"X-A": "b"}
            )
        case "broken":
            raise ZeroDivisionError
    return Result(200, request.body[::-1], 3, kind=str(os.getpid()))


def fork_lane(place: LaneSocket) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        with asyncio.Runner() as runner:
            runner.run(serve_lane(place.socket, handle, at_once=8, until=asyncio.Event()))
    finally:
        os._exit(1)


class Lane:
    def __init__(self) -> None:
        self.place = LaneSocket()
        self.pid = fork_lane(self.place)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.fixture
def lane() -> Iterator[Lane]:
    lane = Lane()
    yield lane
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        lane.kill()
    lane.place.close()


async def test_a_request_is_answered_by_another_process(lane: Lane) -> None:
    heavy = HeavyLane(lane.place.path)
    result = await heavy.submit(Request("POST", "", body=b"abc" * 1_000_000))
    await heavy.close()
    assert (result.status, result.version, result.kind) == (200, 3, str(lane.pid))
    assert result.body == b"cba" * 1_000_000


async def test_a_fast_request_does_not_wait_for_a_slow_one(lane: Lane) -> None:
    heavy = HeavyLane(lane.place.path)
    slow = asyncio.create_task(heavy.submit(Request("POST", "slow")))
    await asyncio.sleep(0.05)
    assert (await heavy.submit(Request("POST", ""))).status == 200
    assert not slow.done()
    assert (await slow).status == 200
    await heavy.close()


async def test_a_refusal_keeps_status_issues_and_headers(lane: Lane) -> None:
    heavy = HeavyLane(lane.place.path)
    with pytest.raises(FhirError) as refusal:
        await heavy.submit(Request("POST", "refused"))
    await heavy.close()
    assert refusal.value.status == 422
    assert refusal.value.headers == {"X-A": "b"}
    assert refusal.value.issues[0].expression == ("Patient.name",)


async def test_an_unexpected_error_stays_inside(lane: Lane) -> None:
    heavy = HeavyLane(lane.place.path)
    with pytest.raises(FhirError) as refusal:
        await heavy.submit(Request("POST", "broken"))
    assert refusal.value.status == 500
    assert (await heavy.submit(Request("POST", ""))).status == 200
    await heavy.close()


async def test_requests_of_a_killed_lane_get_503_and_the_next_lane_takes_over(lane: Lane) -> None:
    heavy = HeavyLane(lane.place.path)
    stuck = asyncio.create_task(heavy.submit(Request("POST", "stuck")))
    await asyncio.sleep(0.1)
    lane.kill()
    with pytest.raises(FhirError) as refusal:
        await stuck
    assert (refusal.value.status, refusal.value.headers) == (503, {"Retry-After": "1"})
    lane.pid = fork_lane(lane.place)
    result = await heavy.submit(Request("POST", ""))
    await heavy.close()
    assert result.kind == str(lane.pid)


async def test_a_client_that_goes_away_leaves_nothing_behind(lane: Lane) -> None:
    heavy = HeavyLane(lane.place.path)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await heavy.submit(Request("POST", "slow"))
    assert heavy.in_flight == 0
    assert (await heavy.submit(Request("POST", ""))).status == 200
    await heavy.close()


def test_a_lane_listens_where_its_user_alone_may_enter(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir(mode=0o755)
    (tmp_path / "x" / "lane").touch()  # left by a killed server
    place = LaneSocket(tmp_path / "x")
    assert stat.S_IMODE(place.folder.stat().st_mode) == 0o700
    assert stat.S_ISSOCK(place.path.stat().st_mode)
    place.close()
    assert not place.folder.exists()


def test_a_folder_too_deep_for_a_socket_is_replaced_by_a_temporary_one(tmp_path: Path) -> None:
    place = LaneSocket(tmp_path / ("x" * 100))
    assert tmp_path not in place.path.parents
    place.close()
