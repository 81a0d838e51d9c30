"""Directives that change the shape of the answer.

Source: http://hl7.org/fhir/R4/graphql.html#flattening
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.operations.graphql import document
from fhir_server.operations.graphql.compiler import Compiler
from fhir_server.operations.graphql.gather import Gatherer
from fhir_server.operations.graphql.limits import LIMITS, Budget
from fhir_server.operations.graphql.plan import Home, Obj
from fhir_server.operations.graphql.shape import shaped
from resources.outcome import FhirError

PATIENT = {
    "resourceType": "Patient",
    "name": [{"given": ["A", None], "_given": [None, {"id": "x"}]}, {"given": ["B"]}],
    "contact": [
        {"telecom": [{"use": "home", "value": "1"}, {"use": "work", "value": "2"}]},
        {"telecom": [{"use": "home", "value": "3"}]},
    ],
    "maritalStatus": {"text": "single"},
}


async def answer(query: str) -> Any:
    """Return what `query` makes of the patient; nothing has to be read for it."""
    budget = Budget(LIMITS)
    compiler = Compiler(document.read(query, None, LIMITS), {}, budget)
    root = Obj("Patient", PATIENT, Home(PATIENT, None))
    unread: Any = None
    return shaped(
        await Gatherer(unread, budget, "http://x", threaded=False).gathered(root, compiler.root("Patient"))
    )


async def test_names_of_slices_add_up() -> None:
    query = '{ contact @flatten @slice(path: "$index") { telecom @flatten @slice(path: "use") { value } } }'
    assert await answer(query) == {"value.0.home": ["1"], "value.0.work": ["2"], "value.1.home": ["3"]}


async def test_children_of_a_flattened_single_element_stay_single() -> None:
    assert await answer("{ maritalStatus @flatten { text } }") == {"text": "single"}


async def test_slices_are_lists_until_they_are_said_to_be_single() -> None:
    query = '{ name @slice(path: "$index") { given } }'
    assert await answer(query) == {"name.0": [{"given": ["A", None]}], "name.1": [{"given": ["B"]}]}
    query = '{ name @slice(path: "$index") @singleton { given @first } }'
    assert await answer(query) == {"name.0": {"given": ["A"]}, "name.1": {"given": ["B"]}}


async def test_extensions_of_primitives_in_a_list_keep_their_place() -> None:
    assert await answer("{ name @first { given _given { id } } }") == {
        "name": [{"given": ["A", None], "_given": [None, {"id": "x"}]}]
    }


async def test_a_slice_by_what_is_no_single_text_is_refused() -> None:
    with pytest.raises(FhirError) as caught:
        await answer('{ contact @slice(path: "telecom.use") { gender } }')
    assert caught.value.status == 422
