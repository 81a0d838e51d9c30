"""What is hidden makes no difference: changing or deleting it leaves every answer as it was, byte for byte.

Statuses, bodies (totals, links, entries, errors) and the headers ETag, Last-Modified, Location and Link are compared;
what tells the time of the answer itself (Bundle.meta.lastUpdated, Bundle.timestamp) is left aside.
"""

from __future__ import annotations

import json
import os
import re
from random import Random
from typing import Any

import httpx
import pytest

from fhir_server.access.grant import OPEN
from tests.security.judge.grants import Asker
from tests.security.properties.paths import asked
from tests.security.properties.stages import Stage, seen
from tests.security.properties.worlds import asker, world

Json = dict[str, Any]
WORLDS = int(os.environ.get("HEALTHBUDDY_WORLDS", "4"))
_HEADERS = ("etag", "last-modified", "location", "link", "content-type", "www-authenticate")
_NOW = re.compile(r'("resourceType":\s*"Bundle",\s*"meta":\s*\{"lastUpdated":\s*")[^"]+')
_CURSOR = re.compile(r"_cursor=[\w\-]+")
KINDS = ("Observation", "Condition", "Encounter", "MedicationRequest", "DocumentReference", "Task", "List")
NEVER = "nothing-has-this-id"


def told(answer: httpx.Response) -> tuple[int, dict[str, str], str]:
    """Return what an answer tells, without the instant at which it was made."""
    headers = {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
    return answer.status_code, headers, _NOW.sub(r"\1", answer.text)


async def _all(stage: Stage, one: Asker, resources: dict[str, Json], tag: str) -> dict[str, Any]:
    stage.becomes(one)
    questions = list(asked(resources, tag))
    return {
        f"{method} {path} {json.dumps(body)}": told(await stage.ask(method, path, body))
        for method, path, body in questions
    }


@pytest.mark.parametrize("seed", range(WORLDS))
async def test_changing_or_deleting_what_is_hidden_changes_no_answer(stage: Stage, seed: int) -> None:
    random, tag = Random(2000 + seed), f"n{seed}"
    resources = world(random, tag)
    await stage.load(resources)
    hidden: list[str] = []
    while len(hidden) < 2:
        one = asker(random, resources, tag)
        hidden = [
            key for key in resources if key.partition("/")[0] in KINDS and not seen(one, key, resources)
        ]
    removed, changed = hidden[: len(hidden) // 2], hidden[len(hidden) // 2 :]
    kept = {key: value for key, value in resources.items() if key not in hidden}
    before = await _all(stage, one, kept, tag)
    direct = {key: told(await stage.ask("GET", key)) for key in hidden}
    stage.grant = OPEN
    for key in removed:
        assert (await stage.ask("DELETE", key)).status_code in (200, 204)
    for key in changed:
        note = {"extension": [{"url": "http://example.org/x", "valueString": f"changed {key}"}]}
        assert (await stage.ask("PUT", key, {**resources[key], **note})).status_code == 200
    after = await _all(stage, one, kept, tag)
    for question, answer in before.items():
        assert after[question] == answer, (one, question)
    for key, answer in direct.items():
        assert told(await stage.ask("GET", key)) == answer, (one, key)


@pytest.mark.parametrize("seed", range(WORLDS))
async def test_what_is_hidden_answers_as_what_never_was(stage: Stage, seed: int) -> None:
    random, tag = Random(3000 + seed), f"h{seed}"
    resources = world(random, tag)
    await stage.load(resources)
    one = asker(random, resources, tag)
    for key in (key for key in resources if not seen(one, key, resources)):
        kind = key.partition("/")[0]
        for path in ("", "/_history", "/_history/1", "/$meta", "/$everything"):
            hidden = await _asked(stage, one, f"{key}{path}")
            never = await _asked(stage, one, f"{kind}/{NEVER}{path}")
            assert hidden == never.replace(f"{kind}/{NEVER}", key), (one, key, path)


async def _asked(stage: Stage, one: Asker, path: str) -> str:
    stage.becomes(one)
    return str(told(await stage.ask("GET", path)))
