"""docs/search.md tells the truth: every example on it is answered, or refused where it says so."""

from __future__ import annotations

from urllib.parse import parse_qsl

import httpx
import pytest

from fhir_server.search.features import Feature, features

STRICT = {"Prefer": "handling=strict"}


@pytest.mark.parametrize("feature", features(), ids=lambda feature: feature.name)
async def test_what_the_page_says_is_answered_is_answered(
    client: httpx.AsyncClient, feature: Feature
) -> None:
    path, _, query = feature.example.removeprefix("POST ").partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    if feature.example.startswith("POST "):
        body = "&".join(f"{name}={value}" for name, value in pairs)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await client.post(path, content=body, headers=STRICT | form)
    else:
        answer = await client.get(path, params=httpx.QueryParams(tuple(pairs)), headers=STRICT)
    assert answer.status_code == (400 if feature.refused else 200), answer.text
    wanted = "OperationOutcome" if feature.refused else "Bundle"
    assert answer.json()["resourceType"] == wanted
    if not feature.refused:
        assert [e for e in answer.json().get("entry", ()) if e["search"]["mode"] == "outcome"] == []


def test_every_row_is_there_once() -> None:
    names = [feature.name for feature in features()]
    assert len(names) == len(set(names)) > 80
