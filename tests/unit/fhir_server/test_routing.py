"""Routing of the R4 interactions. Source: http://hl7.org/fhir/R4/http.html#summary"""

from __future__ import annotations

import pytest

from fhir_server.routing import Route, allowed, route
from resources.outcome import FhirError

ROUTES = [
    ("GET", "", Route("search-system")),
    ("POST", "", Route("transaction")),
    ("GET", "metadata", Route("capabilities")),
    ("HEAD", "metadata", Route("capabilities")),
    ("GET", "_history", Route("history-system")),
    ("POST", "_search", Route("search-system")),
    ("GET", "Patient/1/Observation", Route("search-compartment", "Patient", "1")),
    ("GET", "Patient/1/*", Route("search-compartment", "Patient", "1")),
    ("POST", "Patient/1/*/_search", Route("search-compartment", "Patient", "1")),
    ("POST", "Encounter/1/Observation/_search", Route("search-compartment", "Encounter", "1")),
    ("GET", "Patient", Route("search-type", "Patient")),
    ("GET", "Patient/", Route("search-type", "Patient")),
    ("POST", "Patient", Route("create", "Patient")),
    ("PUT", "Patient", Route("update", "Patient")),
    ("PATCH", "Patient", Route("patch", "Patient")),
    ("DELETE", "Patient", Route("delete", "Patient")),
    ("POST", "Patient/_search", Route("search-type", "Patient")),
    ("GET", "Patient/_history", Route("history-type", "Patient")),
    ("GET", "Patient/1", Route("read", "Patient", "1")),
    ("HEAD", "Patient/1", Route("read", "Patient", "1")),
    ("PUT", "Patient/a.b-C", Route("update", "Patient", "a.b-C")),
    ("PATCH", "Patient/1", Route("patch", "Patient", "1")),
    ("DELETE", "Patient/1", Route("delete", "Patient", "1")),
    ("GET", "Patient/1/_history", Route("history-instance", "Patient", "1")),
    ("GET", "Patient/1/_history/2", Route("vread", "Patient", "1", "2")),
    ("POST", "$convert", Route("operation", operation="$convert")),
    ("GET", "Patient/$match", Route("operation", "Patient", operation="$match")),
    ("GET", "Patient/1/$everything", Route("operation", "Patient", "1", operation="$everything")),
]


@pytest.mark.parametrize(("method", "path", "wanted"), ROUTES)
def test_every_r4_interaction_has_its_route(method: str, path: str, wanted: Route) -> None:
    assert route(method, path) == wanted


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("Patiant", 404, "not-supported"),
        ("patient/1", 404, "not-supported"),
        ("DomainResource/1", 404, "not-supported"),
        ("_other", 404, "not-found"),
        ("Patient/1/name", 404, "not-found"),
        ("Patient/1/_history/2/3", 404, "not-found"),
        ("Patient//1", 400, "value"),
        ("Patient/a_b", 400, "value"),
        ("Patient/" + "x" * 65, 400, "value"),
        ("Patient/1/_history/a b", 400, "value"),
        ("Patient/1/Observation/2", 404, "not-found"),
        ("Patient/1/*/2", 404, "not-found"),
    ],
)
def test_what_is_not_there_is_refused(path: str, status: int, code: str) -> None:
    with pytest.raises(FhirError) as caught:
        route("GET", path)
    assert (caught.value.status, caught.value.issues[0].code) == (status, code)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "", "GET, POST, HEAD, OPTIONS"),
        ("PUT", "metadata", "GET, HEAD, OPTIONS"),
        ("POST", "Patient/1", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"),
        ("GET", "Patient/_search", "POST, OPTIONS"),
        ("TRACE", "Patient", "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"),
        ("DELETE", "Patient/1/_history/2", "GET, HEAD, OPTIONS"),
    ],
)
def test_wrong_method_is_405_with_allow(method: str, path: str, allow: str) -> None:
    with pytest.raises(FhirError) as caught:
        route(method, path)
    assert caught.value.status == 405
    assert caught.value.headers == {"Allow": allow}
    assert ", ".join(allowed(path)) == allow


def test_options_on_an_unknown_path_is_404() -> None:
    with pytest.raises(FhirError) as caught:
        allowed("Patiant")
    assert caught.value.status == 404
