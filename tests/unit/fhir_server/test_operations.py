"""Operations are served and claimed where they are registered, and nowhere else.

Source: http://hl7.org/fhir/R4/operations.html
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import OPERATIONS, Operation, find, register
from fhir_server.routing import route
from resources.outcome import FhirError


async def answer(session: Session, request: Request) -> Result:
    return Result(200, b"{}")


@pytest.fixture
def registered() -> Iterator[Operation]:
    """Yield an operation on Patient and its instances that changes data."""
    levels = frozenset({"type", "instance"})
    operation = Operation("$try", answer, "http://x/$try", levels, frozenset({"Patient"}), affects_state=True)
    yield register(operation)
    del OPERATIONS["Patient/$try"]


@pytest.mark.parametrize("path", ["Patient/$try", "Patient/1/$try"])
def test_a_registered_operation_is_found(registered: Operation, path: str) -> None:
    assert find(route("POST", path), "POST") is registered


@pytest.mark.parametrize("path", ["$try", "Observation/$try", "Patient/$other"])
def test_elsewhere_it_is_404_by_name(registered: Operation, path: str) -> None:
    with pytest.raises(FhirError, match=r"\$(try|other)") as caught:
        find(route("POST", path), "POST")
    assert caught.value.status == 404


def test_one_that_changes_data_is_not_called_by_get(registered: Operation) -> None:
    with pytest.raises(FhirError) as caught:
        find(route("GET", "Patient/$try"), "GET")
    assert (caught.value.status, caught.value.headers["Allow"]) == (405, "POST, OPTIONS")
