"""For random data and random grants, what leaves on any path is what brute force says may be seen, and no more.

The judge (`tests/security/judge`) imports nothing of this project. HEALTHBUDDY_WORLDS sets how many worlds are tried.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from tests.security.judge.grants import Asker, has_scope
from tests.security.properties.paths import asked
from tests.security.properties.stages import Stage, seen
from tests.security.properties.worlds import TYPES, asker, world

Json = dict[str, Any]
WORLDS = int(os.environ.get("HEALTHBUDDY_WORLDS", "5"))
ASKERS = 3


def shown(value: Any) -> Iterator[str]:
    """Yield 'Type/id' of every resource somewhere in an answer, also those of a Bundle's deletions and fullUrls."""
    if isinstance(value, dict):
        if "resourceType" in value and "id" in value:
            yield f"{value['resourceType']}/{value['id']}"
        if "fullUrl" in value:
            yield "/".join(value["fullUrl"].split("/")[-2:])
        for child in value.values():
            yield from shown(child)
    elif isinstance(value, list):
        for child in value:
            yield from shown(child)


@pytest.mark.parametrize("seed", range(WORLDS))
async def test_no_path_shows_what_may_not_be_seen(stage: Stage, seed: int) -> None:
    random = Random(seed)
    resources = world(random, f"w{seed}")
    await stage.load(resources)
    for _ in range(ASKERS):
        one = asker(random, resources, f"w{seed}")
        stage.becomes(one)
        for method, path, body in asked(resources, f"w{seed}"):
            answer = await stage.ask(method, path, body)
            for key in shown(answer.json()) if answer.content else ():
                if key in stage.world:
                    assert seen(one, key, stage.world), (one, path, key)


@pytest.mark.parametrize("seed", range(WORLDS))
async def test_what_may_be_seen_is_found_counted_and_read(stage: Stage, seed: int) -> None:
    random = Random(1000 + seed)
    resources = world(random, f"x{seed}")
    await stage.load(resources)
    for _ in range(ASKERS):
        one = asker(random, resources, f"x{seed}")
        stage.becomes(one)
        visible = {key for key in stage.world if seen(one, key, stage.world)}
        for kind in TYPES:
            await _searched(stage, one, kind, {key for key in visible if key.startswith(f"{kind}/")})
        for key in stage.world:
            answer = await stage.ask("GET", key, None)
            expected = (
                403 if not has_scope(one, key.partition("/")[0], "r") else 200 if key in visible else 404
            )
            assert answer.status_code == expected, (one, key, answer.text)


async def _searched(stage: Stage, one: Asker, kind: str, expected: set[str]) -> None:
    answer = await stage.ask("GET", f"{kind}?_count=500", None)
    if not has_scope(one, kind, "s"):
        assert answer.status_code == 403, (one, kind, answer.text)
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        return
    found = {f"{kind}/{entry['resource']['id']}" for entry in answer.json().get("entry", ())}
    assert found == expected, (one, kind)
    counted = (await stage.ask("GET", f"{kind}?_summary=count", None)).json()["total"]
    assert counted == len(expected), (one, kind)
