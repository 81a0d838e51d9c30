"""Who acts for whom: seen by both, ended by the patient (or by somebody who acts for the same patient).

A RelatedPerson acts for a Patient while it is active and a Consent of the patient permits it; here it is set inactive,
which holds at the next request of any app. To begin it is the clinic's: it knows both people.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from fhir_server.auth import sessions
from fhir_server.auth.sessions import SignedIn
from fhir_server.consent.stored import acting_for
from fhir_server.pages import patients, records
from fhir_server.pages.desk import address_of
from fhir_server.pages.frame import PageError, Visit, page, render, to

MOST = 100


class Proxy(msgspec.Struct, frozen=True):
    """Somebody who acts for a patient."""

    id: str
    name: str
    relation: str
    patient: str


@page(signed_in=True)
async def proxies(visit: Visit) -> Response:
    """Show who acts for whom, or end it."""
    who = await sessions.signed_in(visit.desk.store, visit.request.cookies)
    assert who is not None
    mine = [who.user] if who.user.startswith("Patient/") else []
    found = [one for name in (*mine, *who.acting_for) for one in await _of(visit, who, name)]
    if visit.request.method == "POST":
        wanted = visit.value("proxy", 64)
        if wanted not in {one.id for one in found}:
            raise PageError(404, "There is nobody to end this for", "Perhaps it was ended already.")
        step = {"op": "add", "path": "/active", "value": False}
        address = address_of(visit.request)
        if not await records.change(visit.desk, who, address, f"RelatedPerson/{wanted}", [step]):
            raise PageError(403, "You cannot end this yourself", "Please ask the people who care for you.")
        await visit.desk.note("consent", visit.request, who.account, what="proxy ended", proxy=wanted)
        return to(visit, "/auth/account/proxies", done="1")
    acts = await patients.own(visit.desk, who, address_of(visit.request))
    others = [one for one in acts if f"Patient/{one.id}" in who.acting_for]
    done = "That person does not act for you any more." if visit.value("done") else ""
    return render(visit, "proxies.html", proxies=found, others=others, user=who.user, done=done)


async def _of(visit: Visit, who: SignedIn, patient: str) -> list[Proxy]:
    """Return who acts for a patient by now."""
    query = [("patient", patient), ("_count", str(MOST))]
    found = await records.search(visit.desk, who, address_of(visit.request), "RelatedPerson", query)
    async with visit.desk.store.pool.connection() as conn:
        return [
            Proxy(one["id"], patients.name_of(one), _relation(one), patient)
            for one in found
            if patient in await acting_for(conn, f"RelatedPerson/{one['id']}")
        ]


def _relation(one: dict[str, Any]) -> str:
    """Return what a RelatedPerson is to the patient, in words where there are some."""
    for concept in one.get("relationship") or []:
        text = concept.get("text") or next(
            (c["display"] for c in concept.get("coding", []) if "display" in c), ""
        )
        if text:
            return str(text)
    return ""
