"""Every way of asking that can show a resource, for one world."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.security.properties.worlds import TYPES

Json = dict[str, Any]


def asked(resources: dict[str, Json], tag: str) -> Iterator[tuple[str, str, Json | None]]:
    """Yield (method, path, body)."""
    for key in resources:
        yield "GET", key, None
        yield "GET", f"{key}/_history/1", None
        yield "GET", f"{key}/_history", None
    for kind in TYPES:
        yield "GET", f"{kind}?_count=500", None
        yield "GET", f"{kind}?_count=2&_total=accurate", None
        yield "GET", f"{kind}?_summary=count", None
        yield "GET", f"{kind}/_history?_count=200", None
    yield "GET", "_history?_count=200", None
    yield "GET", "?_type=Patient,Observation,Condition&_count=300", None
    for query in SEARCHES:
        yield "GET", query.replace("TAG", tag), None
    for n in range(3):
        yield from _of_patient(f"p{n}-{tag}")
    entries = [{"request": {"method": "GET", "url": key}} for key in list(resources)[:12]]
    entries += [{"request": {"method": "GET", "url": "Observation?_include=Observation:subject&_count=100"}}]
    yield "POST", "", {"resourceType": "Bundle", "type": "batch", "entry": entries}
    subject = "subject {reference resource {... on Patient {id resourceType}}}"
    yield "POST", "$graphql", {"query": f"{{ObservationList(_count: 200) {{id resourceType {subject}}}}}"}


SEARCHES = (
    "Observation?subject:Patient.family=Fam1&_count=200",
    "Observation?patient.given=TAG&_count=200",
    "Observation?encounter.subject:Patient.family=Fam0&_count=200",
    "Condition?encounter.patient.family=Fam2&_count=200",
    "Patient?_has:Observation:patient:code=8867-4&_count=200",
    "Patient?_has:Observation:performer:status=final&_count=200",
    "Patient?_has:Encounter:patient:_has:Observation:encounter:code=718-7&_count=200",
    "Observation?_include=Observation:subject&_include=Observation:performer&_include=Observation:encounter&_count=200",
    "Observation?_include=*&_count=200",
    "Observation?_include=Observation:encounter&_include:iterate=Encounter:patient&_count=200",
    "Patient?_revinclude=Observation:patient&_revinclude=Provenance:target&_revinclude=List:item&_count=200",
    "Encounter?_revinclude=*&_count=200",
    "List?_include=List:item&_count=100",
    "MedicationRequest?_include=MedicationRequest:medication&_include=MedicationRequest:requester&_count=100",
    "Medication?_revinclude=MedicationRequest:medication&_count=100",
    "Group?_include=Group:member&_count=100",
    "Provenance?_include=Provenance:target&_count=100",
    "DocumentReference?_include=*&_count=100",
    "Observation?_filter=subject.family eq Fam1 or code eq 718-7&_count=200",
    "Observation?_sort=-date,code&_count=200",
    "Observation?code:not=718-7&_sort=_lastUpdated&_count=200",
    "Observation?subject:missing=false&_total=accurate&_count=200",
    "Patient?family=Fam&_sort=family&_total=accurate&_count=200",
    "Observation/$lastn?max=5&patient=Patient/p0-TAG",
    "DocumentReference/$docref?patient=Patient/p1-TAG",
)


def _of_patient(id_: str) -> Iterator[tuple[str, str, Json | None]]:
    yield "GET", f"Patient/{id_}/$everything", None
    yield "GET", f"Patient/{id_}/*?_count=200", None
    yield "GET", f"Patient/{id_}/Observation?_count=200", None
    yield "GET", f"Patient/{id_}/Provenance?_count=200", None
    yield "GET", f"Patient/{id_}/$meta", None
    query = json.dumps(f"Patient/{id_}")[1:-1]
    yield "GET", f"Observation?patient={query}&_count=200", None
    yield "POST", f"Patient/{id_}/$graphql", {"query": "{id resourceType name {family}}"}
