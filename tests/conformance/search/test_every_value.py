"""Every value of every official parameter in the data is found by the search for it.

Source: http://hl7.org/fhir/R4/searchparameter-registry.html
"""

from __future__ import annotations

import pytest

from tests.conformance.search.queries import equal, supported
from tests.conformance.search.server import Server
from tests.oracle.definitions import parameters
from tests.oracle.search import World

PER_PARAMETER = 3
"""How many of the values of a parameter are asked for."""


@pytest.mark.timeout(300)
def test_every_value_is_found_by_asking_for_it(server: Server, oracle: World) -> None:
    asked = 0
    wrong: list[tuple[object, ...]] = []
    for type_name in oracle.types():
        for parameter in parameters(type_name).values():
            if not supported(parameter):
                continue
            pairs = {
                pair: None
                for key in oracle.keys(type_name)
                for value in oracle.values(key, parameter)
                for pair in equal(parameter, value)
            }
            for pair in list(pairs)[:: max(1, len(pairs) // PER_PARAMETER)][:PER_PARAMETER]:
                asked += 1
                answer = server.get(type_name, [pair, ("_count", "1000"), ("_elements", "id")])
                expected = oracle.search(type_name, [pair])
                if answer.status_code != 200:
                    wrong.append((type_name, pair, answer.json()["issue"][0]))
                    continue
                found = {f"{type_name}/{e['resource']['id']}" for e in answer.json().get("entry", [])}
                if found != expected:
                    wrong.append(
                        (type_name, pair, sorted(found - expected)[:3], sorted(expected - found)[:3])
                    )
    assert wrong == [], "\n".join(map(str, wrong))
    assert asked > 2_000
