"""`DocumentReference/$docref`: the documents of a patient, by care dates and kind.

Only documents that exist are found; none is generated for the call.
Source: http://hl7.org/fhir/us/core/STU6.1/OperationDefinition-docref.html
"""

from __future__ import annotations

from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import Call, read_call
from fhir_server.search.bundle import searchset
from fhir_server.search.find import find
from fhir_server.search.page import url
from fhir_server.search.params.date import span
from resources.outcome import FhirError, Issue

NAME = "$docref"
KNOWN = frozenset({"patient", "start", "end", "type", "on-demand", "profile", "_count", "_cursor"})
SUMMARY = "http://loinc.org|34133-9"
"""Summary of episode note: what a Continuity of Care Document is. Source: US Core 6.1.0, $docref, parameter `type`"""


async def docref(session: Session, request: Request) -> Result:
    """Return the searchset of DocumentReferences; of neither dates nor type given, the current summary is in scope.

    Errors: 400 without patient, for wrong dates, and for `profile`, which a DocumentReference does not say
    """
    call = read_call(request, NAME, KNOWN)
    patient = call.text("patient")
    if not patient:
        raise FhirError(400, "required", f"{NAME} needs a 'patient'", "patient")
    if call.all("profile"):
        text = f"{NAME} cannot tell documents by 'profile': a DocumentReference does not name its document's"
        raise FhirError(400, "not-supported", text, "profile")
    pairs = [
        ("patient", patient.removeprefix("Patient/")),
        ("status", "current"),
        *_dates(call),
        *_types(call),
    ]
    pairs += [(name, str(one.value)) for name in ("_count", "_cursor") for one in call.all(name)]
    page = await find(session, "DocumentReference", pairs, base=request.base, strict=True)
    page.links = [(name, address) for name, address in page.links if name != "self"]
    own = [(one.name, one.searched) for one in call.given]
    page.links.insert(0, ("self", url(request.base, f"DocumentReference/{NAME}", own)))
    if call.flag("on-demand"):
        page.rows, page.total = [], 0
        text = "This server generates no documents on demand; without 'on-demand' it shows those that exist"
        page.issues.append(Issue("informational", text, (), "information"))
    return Result(200, searchset(page, request.base), kind="bundle")


def _dates(call: Call) -> list[tuple[str, str]]:
    """Return the filter by care dates: the period of care, and where a document has none, its own date."""
    bounds = [(prefix, name, call.text(name)) for prefix, name in (("ge", "start"), ("le", "end"))]
    filters = []
    for prefix, name, text in bounds:
        if text is None:
            continue
        try:
            span(text)
        except ValueError:
            raise FhirError(400, "value", f"'{text[:60]}' is no date for '{name}'", name) from None
        filters.append(f"(period {prefix} {text} or (period pr false and date {prefix} {text}))")
    return [("_filter", " and ".join(filters))] if filters else []


def _types(call: Call) -> list[tuple[str, str]]:
    """Return the types in scope; without type and dates the summary, newest first."""
    given = [one.searched for one in call.all("type")]
    if given:
        return [("type", ",".join(given)), ("_sort", "-date")]
    if call.text("start") is None and call.text("end") is None:
        return [("type", SUMMARY), ("_sort", "-date")]
    return [("_sort", "-date")]


register(
    Operation(
        NAME,
        docref,
        "http://hl7.org/fhir/us/core/OperationDefinition/docref",
        frozenset({"type"}),
        frozenset({"DocumentReference"}),
    )
)
