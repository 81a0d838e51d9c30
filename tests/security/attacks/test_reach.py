"""An app with a patient's own grant reaches for another patient's record, by every way there is.

Source: OWASP API Security 2023, API1 (broken object level authorization), API3, API5; SMART App Launch 2.2 (scopes)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.access.people import observation
from tests.security.attacks.clinic import NOT_THERE, SECRETS, Attack, Target, attacked, shown

BOB = {"reference": "Patient/{x}"}
LAB = observation("{x}-lab", "Patient/{x}")
MINE = observation("ada-lab", "Patient/{x}")
PATCH = {"Content-Type": "application/json-patch+json"}


def _bundle(kind: str, *entries: tuple[str, str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [
            {"request": {"method": method, "url": url}, **({"resource": body} if body else {})}
            for method, url, body in entries
        ],
    }


def _graphql(query: str) -> dict[str, str]:
    return {"query": query}


READING = [
    Attack("read by a guessed id", "GET", "Patient/{x}", (404,)),
    Attack("read of another's Observation", "GET", "Observation/{x}-lab", (404,)),
    Attack("head instead of get", "HEAD", "Observation/{x}-lab", (404,)),
    Attack("read in XML", "GET", "Observation/{x}-lab?_format=xml", (404,)),
    Attack("read of a summary", "GET", "Patient/{x}?_summary=true", (404,)),
    Attack("read of some elements", "GET", "Patient/{x}?_elements=gender", (404,)),
    Attack("conditional read by the version that a stranger has", "GET", "Patient/{x}", (404,), None, {"If-None-Match": 'W/"1"'}),
    Attack("conditional read by time", "GET", "Patient/{x}", (404,), None, {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}),
    Attack("a version of another's", "GET", "Observation/{x}-lab/_history/1", (404,)),
    Attack("a version that there never was", "GET", "Observation/{x}-lab/_history/99", (404,)),
    Attack("history of another's", "GET", "Observation/{x}-lab/_history", (404,)),
    Attack("Task, which is in no compartment", "GET", "Task/{x}-task", (404,)),
    Attack("Provenance of another's", "GET", "Provenance/{x}-provenance", (404,)),
    Attack("Binary that another's document shows", "GET", "Binary/{x}-binary", (404,)),
    Attack("Binary itself", "GET", "Binary/{x}-binary", (404,), None, {"Accept": "text/plain"}),
    Attack("Binary by its security context", "GET", "Binary/{x}-own-binary", (404,)),
    Attack("Device of another", "GET", "Device/{x}-device", (404,)),
    Attack("id with a space", "GET", "Patient/{x}%20", (400, 404)),
    Attack("the way up and down again", "GET", "Patient/ada/../{x}", (400, 404)),
    Attack("the way up, encoded", "GET", "Patient/ada%2F..%2F{x}", (400, 404)),
    Attack("another method by header", "GET", "Patient/{x}", (404,), None, {"X-HTTP-Method-Override": "DELETE"}),
    Attack("the patient by header", "GET", "Patient/{x}", (404,), None, {"X-Patient": "{x}", "X-Forwarded-User": "{x}"}),
]  # fmt: skip

SEARCHING = [
    Attack("search by the other's id", "GET", "Observation?patient={x}", (200,)),
    Attack("search by the other's reference", "GET", "Observation?subject=Patient/{x}", (200,)),
    Attack("search by the absolute reference", "GET", "Observation?subject=http://server.example/fhir/Patient/{x}", (200,)),
    Attack("search by _id", "GET", "Observation?_id={x}-lab", (200,)),
    Attack("search for one's own or the other's", "GET", "Observation?patient=ada,{x}", (200,)),
    Attack("search by form", "POST", "Observation/_search", (200,), "patient={x}", {"Content-Type": "application/x-www-form-urlencoded"}),
    Attack("two parameters, one in the address", "POST", "Observation/_search?patient=ada", (200,), "patient={x}", {"Content-Type": "application/x-www-form-urlencoded"}),
    Attack("count only", "GET", "Observation?patient={x}&_summary=count", (200,)),
    Attack("exact total", "GET", "Observation?patient={x}&_total=accurate", (200,)),
    Attack("estimated total", "GET", "Observation?patient={x}&_total=estimate", (200,)),
    Attack("compartment of the other", "GET", "Patient/{x}/Observation", (200, 404)),
    Attack("whole compartment of the other", "GET", "Patient/{x}/*?_type=Observation,Condition", (200, 400, 404)),
    Attack("compartment of an encounter", "GET", "Encounter/{x}-encounter/Condition", (200, 404)),
    Attack("search of all types", "GET", "?_type=Patient,Observation&_id={x}", (200,)),
    Attack("chain through the other's name", "GET", "Observation?subject:Patient.family={x}", (200,)),
    Attack("chain that a shared record starts", "GET", "Appointment?patient.family={x}", (200,)),
    Attack("reverse chain from a shared type", "GET", "Practitioner?_has:Provenance:agent:target=Observation/{x}-lab", (200,)),
    Attack("reverse chain of reverse chains", "GET", "Patient?_has:Encounter:patient:_has:Condition:encounter:_id={x}-condition", (200,)),
    Attack("include from a shared record", "GET", "Appointment?_id=both&_include=Appointment:patient", (200,)),
    Attack("include of everything", "GET", "Appointment?_id=both&_include=*", (200, 400)),
    Attack("include of members", "GET", "Group?_id=both&_include=Group:member", (200, 403)),
    Attack("iterated include back from a shared type", "GET", "Practitioner?_id=doc&_revinclude=Provenance:agent&_include:iterate=Provenance:target", (200,)),
    Attack("revinclude of the other's", "GET", "Encounter?_id={x}-encounter&_revinclude=Condition:encounter", (200,)),
    Attack("filter with not", "GET", "Observation?_filter=not (patient re Patient/ada)", (200,)),
    Attack("filter by id", "GET", "Observation?_filter=_id eq {x}-lab", (200,)),
    Attack("not modifier", "GET", "Observation?code:not=none&patient={x}", (200,)),
    Attack("missing modifier", "GET", "Patient?family:missing=false&_id={x}", (200,)),
    Attack("prefix of a name, letter by letter", "GET", "Patient?family={x}", (200,)),
    Attack("contains", "GET", "Patient?family:contains={x}", (200,)),
    Attack("text of all", "GET", "Observation?_content={x}", (200, 400)),
    Attack("sort by what is hidden", "GET", "Patient?_sort=family&_count=1&family={x}", (200,)),
    Attack("list of the other", "GET", "Observation?_list={x}-list", (200, 400, 404)),
    Attack("identifier of a reference", "GET", "Observation?subject:identifier=x|{x}", (200,)),
]  # fmt: skip

OPERATIONS = [
    Attack("everything of the other", "GET", "Patient/{x}/$everything", (404,)),
    Attack("everything, the patient as a parameter", "GET", "Patient/ada/$everything?patient={x}", (200, 400)),
    Attack("everything of an encounter", "GET", "Encounter/{x}-encounter/$everything", (403, 404)),
    Attack("lastn of the other", "GET", "Observation/$lastn?patient=Patient/{x}&category=laboratory", (200, 403)),
    Attack("documents of the other", "GET", "DocumentReference/$docref?patient={x}", (200, 400, 403, 404)),
    Attack("meta of the other's", "GET", "Observation/{x}-lab/$meta", (403, 404)),
    Attack("tagging the other's", "POST", "Observation/{x}-lab/$meta-add", (403, 404), {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"code": "x"}]}}]}),
    Attack("validation of what is stored", "GET", "Observation/{x}-lab/$validate", (400, 403, 404)),
    Attack("FHIRPath on the other's", "GET", "Observation/{x}-lab/$fhirpath?expression=code.text", (400, 403, 404)),
    Attack("GraphQL at the other's", "GET", "Patient/{x}/$graphql?query={id gender}", (403, 404)),
    Attack("GraphQL by id", "POST", "$graphql", (404,), _graphql('{Patient(id:"{x}"){gender}}')),
    Attack("GraphQL list", "POST", "$graphql", (200, 403), _graphql('{ObservationList(patient:"{x}"){code{text}}}')),
    Attack("GraphQL through a reference", "POST", "$graphql", (404,), _graphql('{AppointmentList(_id:"both"){participant{actor{resource{... on Patient{name{family}}}}}}}')),
    Attack("GraphQL back references", "POST", "$graphql", (200, 403), _graphql('{Practitioner(id:"doc"){ProvenanceList(_reference:agent){target{resource{... on Observation{code{text}}}}}}}')),
    Attack("erasing the other", "POST", "Patient/{x}/$erase", (403, 404), {"resourceType": "Parameters"}),
    Attack("breaking the glass as a patient", "POST", "Patient/{x}/$break-glass", (403, 404), {"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": "x"}]}),
    Attack("who looked at the other's record", "GET", "Patient/{x}/$access-log", (403, 404)),
    Attack("why the other's cannot be seen", "GET", "Observation/{x}-lab/$explain-access", (403, 404)),
    Attack("the trail itself", "GET", "AuditEvent?patient=Patient/{x}", (200, 403)),
]  # fmt: skip

WRITING = [
    Attack("overwriting the other's", "PUT", "Observation/{x}-lab", (403, 404), LAB),
    Attack("overwriting with a version", "PUT", "Observation/{x}-lab", (403, 404), LAB, {"If-Match": 'W/"1"'}),
    Attack("only if it is not there", "PUT", "Observation/{x}-lab", (403, 404), LAB, {"If-None-Match": "*"}),
    Attack("taking the other's for oneself", "PUT", "Observation/{x}-lab", (403, 404), {**LAB, "subject": {"reference": "Patient/ada"}}),
    Attack("giving one's own away", "PUT", "Observation/ada-lab", (403, 404), MINE),
    Attack("one's own about both", "PUT", "Observation/ada-lab", (403, 404), {**MINE, "subject": {"reference": "Patient/{x}"}, "performer": [{"reference": "Patient/ada"}]}),
    Attack("a new one about the other", "POST", "Observation", (403, 404), {key: value for key, value in LAB.items() if key != "id"}),
    Attack("patch of the other's", "PATCH", "Observation/{x}-lab", (403, 404), [{"op": "replace", "path": "/status", "value": "amended"}], PATCH),
    Attack("probing by the test of a patch", "PATCH", "Observation/{x}-lab", (403, 404), [{"op": "test", "path": "/status", "value": "final"}], PATCH),
    Attack("patch of one's own to the other", "PATCH", "Observation/ada-lab", (403, 404), [{"op": "replace", "path": "/subject/reference", "value": "Patient/{x}"}], PATCH),
    Attack("patch by condition", "PATCH", "Observation?_id={x}-lab", (403, 404, 412), [{"op": "replace", "path": "/status", "value": "amended"}], PATCH),
    Attack("deleting the other's", "DELETE", "Observation/{x}-lab", (204, 403, 404)),
    Attack("deleting by condition", "DELETE", "Observation?patient={x}", (200, 204, 403, 404, 412)),
    Attack("deleting the other", "DELETE", "Patient/{x}", (204, 403, 404)),
    Attack("probing by a conditional create", "POST", "Observation", (403, 404), LAB, {"If-None-Exist": "patient={x}"}),
    Attack("conditional update", "PUT", "Observation?patient={x}", (403, 404, 412), {key: value for key, value in LAB.items() if key != "id"}),
    Attack("a provenance on the other's", "POST", "Provenance", (403, 404, 422), {"resourceType": "Provenance", "recorded": "2024-01-01T00:00:00Z", "target": [{"reference": "Observation/{x}-lab"}], "agent": [{"who": {"reference": "Patient/ada"}}]}),
    Attack("a consent in the other's name", "POST", "Consent", (403, 404), {"resourceType": "Consent", "status": "active", "scope": {"coding": [{"code": "patient-privacy"}]}, "category": [{"coding": [{"code": "IDSCL"}]}], "policyRule": {"coding": [{"code": "OPTIN"}]}, "patient": BOB}),
    Attack("kinship with the other", "POST", "RelatedPerson", (403, 404), {"resourceType": "RelatedPerson", "patient": BOB}),
    Attack("oneself into the other's care team", "POST", "CareTeam", (403, 404), {"resourceType": "CareTeam", "status": "active", "subject": BOB, "participant": [{"member": {"reference": "Patient/ada"}}]}),
    Attack("forging the trail", "POST", "AuditEvent", (403, 405), {"resourceType": "AuditEvent", "type": {"code": "rest"}, "recorded": "2024-01-01T00:00:00Z", "agent": [{"requestor": True}], "source": {"observer": {"display": "x"}}}),
]  # fmt: skip

BUNDLES = [
    Attack("read in a batch", "POST", "", (200,), _bundle("batch", ("GET", "Patient/{x}", None))),
    Attack("search in a batch", "POST", "", (200,), _bundle("batch", ("GET", "Observation?patient={x}", None))),
    Attack("operation in a batch", "POST", "", (200,), _bundle("batch", ("GET", "Patient/{x}/$everything", None))),
    Attack("history in a batch", "POST", "", (200,), _bundle("batch", ("GET", "Observation/{x}-lab/_history", None))),
    Attack("overwriting in a batch", "POST", "", (200,), _bundle("batch", ("PUT", "Observation/{x}-lab", LAB))),
    Attack("deleting in a batch", "POST", "", (200,), _bundle("batch", ("DELETE", "Observation/{x}-lab", None))),
    Attack("absolute address in a batch", "POST", "", (200,), _bundle("batch", ("GET", "http://server.example/fhir/Patient/{x}", None))),
    Attack("read in a transaction", "POST", "", (403, 404), _bundle("transaction", ("GET", "Patient/{x}", None))),
    Attack("overwriting in a transaction", "POST", "", (403, 404), _bundle("transaction", ("PUT", "Observation/{x}-lab", LAB))),
    Attack("conditional reference to the other", "POST", "", (400, 403, 404, 412), _bundle("transaction", ("POST", "Observation", observation("new", "Patient?_id={x}")))),
    Attack("batch within a batch", "POST", "", (200,), _bundle("batch", ("POST", "/", _bundle("batch", ("GET", "Patient/{x}", None))))),
]  # fmt: skip

pytestmark = pytest.mark.asyncio(loop_scope="module")
ALL = [*READING, *SEARCHING, *OPERATIONS, *WRITING, *BUNDLES]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target(database_url: str) -> AsyncIterator[Target]:
    """Yield the clinic with Ada's app, which may do everything that a patient may."""
    async with attacked(database_url, "patient/*.cruds", "user/*.cruds") as one:
        yield one


@pytest.mark.parametrize("attack", ALL, ids=lambda one: one.tried)
async def test_the_record_of_another_is_as_if_it_were_not_there(target: Target, attack: Attack) -> None:
    there = await target.send(attack)
    assert there.status_code in attack.answer, there.text
    assert not any(text in there.text for text in SECRETS)
    not_there = await target.send(attack, NOT_THERE)
    assert shown(there) == shown(not_there)


async def test_after_all_attacks_the_record_is_as_it_was(target: Target) -> None:
    async with target.here.client() as admin:
        for path in ("Patient/bob", "Observation/bob-lab", "Observation/ada-lab", "Task/bob-task"):
            before = (await admin.get(path)).json()
            assert before["meta"]["versionId"] == "1", path
