"""Ways to break what hangs together: contained resources, Bundles, forms and their answers, US Core's profiles."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from tests.conformance.validate.mutations import Mutation
from tests.conformance.validate.places import Json

Change = Callable[[Json], None]
BASE = "http://x.org/fhir/"
CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"


def broken(kind: str, resource: Json, change: Change, message: str, expression: str) -> Mutation:
    """Return `resource` after `change`."""
    result = copy.deepcopy(resource)
    change(result)
    return Mutation(kind, result, message, expression)


# ------------------------------------------------------------------------------------------------- contained


def contained(resource: Json) -> Iterator[Mutation]:
    """Yield a resource with contained ones that must not be as they are."""
    name = resource["resourceType"]
    if "contained" in resource:
        return
    index = f"{name}.contained[0]"
    inner = {"resourceType": "Organization", "id": "inner", "name": "Inner"}

    def hold(*listed: Json) -> Change:
        # what points back at its container needs not to be referred to
        return lambda result: result.update(contained=list(listed))

    back = inner | {"partOf": {"reference": "#"}}
    yield broken("contained, not referred to", resource, hold(inner), "contained-unreferenced", index)
    nameless = {"resourceType": "Organization", "name": "Inner"}
    yield broken("contained without id", resource, hold(nameless), "contained-without-id", index)
    twice = f"{name}.contained[1]"
    yield broken("contained twice", resource, hold(back, back), "contained-duplicate-id", twice)
    for element, value in (("versionId", "1"), ("lastUpdated", "2024-01-01T00:00:00Z")):
        wrong = hold(back | {"meta": {element: value}})
        yield broken("contained with meta", resource, wrong, "contained-meta", f"{index}.meta.{element}")
    labelled = hold(back | {"meta": {"security": [{"system": BASE, "code": "R"}]}})
    yield broken("contained with label", resource, labelled, "contained-security", f"{index}.meta.security")
    nested = hold(back | {"contained": [inner]})
    yield broken("contained in contained", resource, nested, "contained-nested", f"{index}.contained")


# --------------------------------------------------------------------------------------------------- bundles


def collection(resources: list[Json]) -> Json:
    """Return a Bundle of type collection that is right."""
    entries = [{"fullUrl": f"{BASE}{r['resourceType']}/{r['id']}", "resource": r} for r in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def bundles(resources: list[Json]) -> Iterator[Mutation]:
    """Yield Bundles of these resources, each with one mistake."""
    right = collection(resources)

    def entry(change: Callable[[Json], None]) -> Change:
        return lambda result: change(result["entry"][0])

    at = "Bundle.entry[0]"
    full = f"{at}.fullUrl"
    for kind, change, message in (
        ("entry without fullUrl", lambda e: e.pop("fullUrl"), "bundle-fullurl-missing"),
        ("relative fullUrl", lambda e: e.update(fullUrl="Patient/1"), "bundle-fullurl-relative"),
        ("fullUrl of another", lambda e: e.update(fullUrl=BASE + "Patient/other"), "bundle-fullurl-id"),
    ):
        yield broken(kind, right, entry(change), message, full)
    yield broken(
        "fullUrl twice",
        right,
        lambda result: result["entry"].append(result["entry"][0]),
        "bundle-fullurl-duplicate",
        f"Bundle.entry[{len(resources)}].fullUrl",
    )
    link = {"relation": "self", "url": BASE}
    yield broken(
        "link twice",
        right,
        lambda result: result.update(link=[link, link]),
        "bundle-link-duplicate",
        "Bundle.link[1].relation",
    )
    yield broken(
        "searchset without self",
        right,
        lambda b: b.update(type="searchset"),
        "bundle-self-missing",
        "Bundle.link",
    )
    outcome = {"type": "searchset", "link": [link]}
    found = entry(lambda e: e.update(search={"mode": "outcome"}))

    def as_outcome(result: Json) -> None:
        result.update(outcome)
        found(result)

    yield broken("mode outcome", right, as_outcome, "bundle-search-outcome", f"{at}.search.mode")


REQUESTS: tuple[tuple[str, str, bool, str, str], ...] = (
    ("POST", "Patient", False, "bundle-method-resource", ""),
    ("DELETE", "Patient/p", True, "bundle-method-resource", ".resource"),
    ("POST", "Patient/p", True, "bundle-request-url", ".request.url"),
    ("POST", "Device", True, "bundle-request-url", ".request.url"),
    ("PUT", "Patient", True, "bundle-request-url", ".request.url"),
    ("PUT", "Patient/q", True, "bundle-request-url", ".request.url"),
    ("DELETE", "Patient", False, "bundle-request-url", ".request.url"),
    ("PUT", "Pacient/p", True, "bundle-request-url", ".request.url"),
)


def transactions(patient: Json) -> Iterator[Mutation]:
    """Yield transactions with a request that does not fit, and links that nothing answers."""
    for kind in ("transaction", "batch"):
        for method, url, body, message, where in REQUESTS:
            entry: Json = {"request": {"method": method, "url": url}}
            if body:
                entry["resource"] = patient | {"id": "p"}
            bundle = {"resourceType": "Bundle", "type": kind, "entry": [entry]}
            yield Mutation(f"request {method}", bundle, message, f"Bundle.entry[0]{where}")
    answer = {"resourceType": "Bundle", "type": "batch-response", "entry": [{"response": {"status": "OK"}}]}
    yield Mutation("status", answer, "bundle-response-status", "Bundle.entry[0].response.status")
    lost = {"reference": "urn:uuid:11111111-1111-4111-8111-111111111111"}
    entry = {
        "request": {"method": "POST", "url": "Patient"},
        "resource": patient | {"managingOrganization": lost},
    }
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    where = "Bundle.entry[0].resource.managingOrganization.reference"
    yield Mutation("urn that nobody answers", bundle, "bundle-reference-unresolved", where)


def document() -> Json:
    """Return a document that is right."""
    composition = {
        "resourceType": "Composition",
        "id": "c",
        "status": "final",
        "type": {"text": "Letter"},
        "date": "2024-01-01",
        "title": "Letter",
        "subject": {"reference": "Patient/p"},
        "author": [{"reference": "Practitioner/a"}],
        "section": [{"title": "All", "entry": [{"reference": "Observation/o"}]}],
    }
    observation = {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": "Patient/p"},
    }
    others = [{"resourceType": kind, "id": name} for kind, name in (("Patient", "p"), ("Practitioner", "a"))]
    identifier = {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:0c3201bd-1cbf-4d64-b04d-cd9187a4c6e0"}
    more = {"type": "document", "timestamp": "2024-01-01T00:00:00Z", "identifier": identifier}
    return collection([composition, observation, *others]) | more


def documents() -> Iterator[Mutation]:
    """Yield documents that lack what belongs to them, or hold what does not."""
    right = document()
    first = "Bundle.entry[0].resource"
    for name in ("subject", "author[0]", "section[0].entry[0]"):

        def lose(result: Json, name: str = name) -> None:
            kind = {"s": "Patient", "a": "Practitioner"}.get(name[0], "") if name[1] != "e" else "Observation"
            result["entry"] = [e for e in result["entry"] if e["resource"]["resourceType"] != kind]

        yield broken(
            "link of a document", right, lose, "bundle-reference-unresolved", f"{first}.{name}.reference"
        )

    def elsewhere(result: Json) -> None:
        result["entry"][2]["fullUrl"] = "urn:uuid:11111111-1111-4111-8111-111111111111"

    subject = "Bundle.entry[1].resource.subject.reference"
    yield broken("entry under another name", right, elsewhere, "bundle-reference-unresolved", subject)
    device = {"fullUrl": BASE + "Device/d", "resource": {"resourceType": "Device", "id": "d"}}

    def stray(result: Json) -> None:
        result["entry"].append(device)

    yield broken("entry that nothing reaches", right, stray, "bundle-entry-unreachable", "Bundle.entry[4]")
    yield broken("no entries", right, lambda b: b.pop("entry"), "bundle-entries-missing", "Bundle.entry")
    for name in ("identifier", "timestamp"):

        def take(result: Json, name: str = name) -> None:
            del result[name]

        yield broken(f"document without {name}", right, take, "invariant-failed", "Bundle")

    def turned(result: Json) -> None:
        result["entry"].reverse()

    yield broken("Composition not first", right, turned, "invariant-failed", "Bundle")


# ----------------------------------------------------------------------------------------------------- forms


def _each(items: list[Json], path: str) -> Iterator[tuple[list[Any], Json, str]]:
    """Yield (way to it, item, path) of every item."""
    for index, item in enumerate(items):
        way: list[Any] = ["item", index]
        place = f"{path}.item[{index}]"
        yield way, item, place
        for below, one, at in _each(item.get("item", []), place):
            yield way + below, one, at


def _at(resource: Json, way: list[Any]) -> Json:
    found: Any = resource
    for step in way:
        found = found[step]
    return dict.__or__({}, found) if not isinstance(found, dict) else found


def questionnaires(form: Json) -> Iterator[Mutation]:
    """Yield a Questionnaire with one item that is wrong."""
    listed = list(_each(form["item"], "Questionnaire"))
    first = listed[0][1]["linkId"]
    for way, _, path in listed[1:3]:

        def same(result: Json, way: list[Any] = way) -> None:
            _at(result, way)["linkId"] = first

        yield broken("linkId twice", form, same, "questionnaire-linkid-duplicate", f"{path}.linkId")

        def rule(question: str, way: list[Any] = way) -> Change:
            when = {"question": question, "operator": "exists", "answerBoolean": True}
            return lambda result: _at(result, way).update(enableWhen=[when])

        where = f"{path}.enableWhen[0].question"
        yield broken("rule of no question", form, rule("nowhere"), "questionnaire-enable-question", where)
        groups = [one["linkId"] for _, one, _ in listed if one["type"] == "group"]
        if groups:
            yield broken("rule of a group", form, rule(groups[0]), "questionnaire-enable-display", where)
    for way, item, path in [one for one in listed if one[1]["type"] not in ("group", "display")][:3]:

        def start(result: Json, way: list[Any] = way) -> None:
            _at(result, way)["initial"] = [{"valueReference": {"display": "x"}}]
            _at(result, way).pop("answerOption", None)

        if item["type"] != "reference":
            yield broken("initial", form, start, "questionnaire-initial-type", f"{path}.initial[0].value")


def responses(form: Json, response: Json) -> Iterator[Mutation]:
    """Yield a QuestionnaireResponse with one answer or item that its form does not allow."""
    top = "QuestionnaireResponse"
    for way, item, path in list(_each(response["item"], top)):

        def rename(result: Json, way: list[Any] = way) -> None:
            _at(result, way)["linkId"] = "nowhere"

        yield broken("item of no question", response, rename, "response-linkid-unknown", f"{path}.linkId")
        if "answer" not in item:

            def answer(result: Json, way: list[Any] = way) -> None:
                _at(result, way)["answer"] = [{"valueString": "x"}]
                _at(result, way).pop("item", None)

            yield broken("answer to a group", response, answer, "response-answer-to-group", f"{path}.answer")
            continue

        def other(result: Json, way: list[Any] = way) -> None:
            _at(result, way)["answer"] = [{"valueAttachment": {"title": "x"}}]

        yield broken(
            "answer of a wrong type", response, other, "response-answer-type", f"{path}.answer[0].value"
        )

        def double(result: Json, way: list[Any] = way) -> None:
            _at(result, way)["answer"] *= 2

        yield broken("two answers", response, double, "response-answers-repeat", f"{path}.answer")

        def retitle(result: Json, way: list[Any] = way) -> None:
            _at(result, way)["text"] = "Something else"

        yield broken("another text", response, retitle, "response-text-differs", f"{path}.text")
