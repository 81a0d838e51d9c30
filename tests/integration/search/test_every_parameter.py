"""Every official parameter of every type is answered by the database, and nothing a client sends breaks a statement."""

from __future__ import annotations

import random
import string

from fhir_server.search.find import find
from fhir_server.search.params.token import leaf_types
from fhir_server.search.registry import Param, registry
from fhir_server.search.sorting import unsortable
from resources.definitions import definitions
from resources.outcome import FhirError
from tests.integration.search.conftest import BASE, Asker
from tests.integration.search.people import observation, patient

WORLD = [patient("p", "X"), observation("o", "Patient/p", "c")]
SAMPLES = {
    "string": "x",
    "reference": "Patient/p",
    "date": "ge2020",
    "number": "5",
    "quantity": "5|http://unitsofmeasure.org|g",
    "uri": "http://x",
    "special": "48.2|16.4|10|km",
}


def sample(param: Param) -> str:
    """Return a value that a parameter takes."""
    if param.kind == "composite":
        return "$".join(sample(one.param) for one in param.pairings[0].components).replace(",", r"\,")
    if param.kind == "token":
        return "true" if "boolean" in leaf_types(param) else "x,y"
    return SAMPLES[param.kind]


async def test_every_official_parameter_is_answered(world: Asker) -> None:
    answered = 0
    for type_name in definitions().resource_types:
        for param in registry(type_name).params.values():
            if param.place == "refused" or (
                param.code.startswith("_") and type_name not in ("Patient", "Binary")
            ):
                continue
            pairs = [(param.code, sample(param)), ("_count", "5")]
            if not unsortable(param):
                pairs.append(("_sort", f"-{param.code}"))
            page = await find(world.session, type_name, pairs, base=BASE, strict=True)
            assert page.issues == []
            answered += 1
    assert answered > 1_300


NAMES = [
    "name",
    "name:exact",
    "name:contains",
    "identifier",
    "birthdate",
    "_id",
    "_lastUpdated",
    "link",
    "_has:Observation:patient:code",
    "general-practitioner.name",
    "_sort",
    "_include",
    "_revinclude",
    "_tag",
    "_profile",
    "deceased",
    "organization",
]
VALUES = [
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "9999",
    "0001",
    "lt0001",
    "ap9999",
    "1e999",
    "-1e-999",
    "||",
    "\\",
    "\\,",
    "%",
    "a" * 499,
    "Patient/" + "x" * 64,
    "http://" + "x" * 3000,
    "-_id,name,-birthdate",
    "Patient:link:Patient",
]


async def status(world: Asker, pairs: list[tuple[str, str]]) -> int:
    """Return the status that a search of Patient ends with."""
    try:
        await find(world.session, "Patient", pairs, base=BASE, strict=False)
    except FhirError as refused:
        return refused.status
    return 200


async def test_whatever_is_sent_is_answered_or_refused(world: Asker) -> None:
    rng = random.Random(5)
    letters = string.printable + "äß漢\U0001f600٣"
    for _ in range(400):
        value = (
            rng.choice(VALUES) if rng.random() < 0.5 else "".join(rng.choices(letters, k=rng.randint(1, 12)))
        )
        pairs = [(rng.choice(NAMES), value) for _ in range(rng.randint(1, 3))]
        assert await status(world, pairs) in (200, 400), pairs
