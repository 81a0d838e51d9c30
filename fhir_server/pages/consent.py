"""What an app may have: the consent page, and before it the choice of a patient.

Nothing is kept between the two but in the address: who chooses is asked again each time whether that patient may be.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response

from fhir_server.auth import asking, sessions
from fhir_server.auth.asking import Chosen, ConsentAsk
from fhir_server.auth.authority import Authority
from fhir_server.auth.errors import OAuthError
from fhir_server.auth.sessions import SignedIn
from fhir_server.pages import patients, wording
from fhir_server.pages.desk import address_of
from fhir_server.pages.frame import PageError, Visit, page, render, to
from fhir_server.pages.patients import Known

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_OVER = PageError(400, "Please start again", "The app waited too long. Go back to it and connect once more.")


@page(signed_in=True)
async def consent(visit: Visit) -> Response:
    """Show what an app asks for, or take the answer."""
    authority, ask, who = await _waiting(visit)
    if visit.request.method == "POST" and visit.value("decision") != "allow":
        return await _answer(authority, ask, who, None)
    patient = await _patient(visit, ask, who)
    if ask.picks and patient is None:
        return to(visit, "/auth/patient")
    if visit.request.method != "POST":
        return _page(visit, ask, patient)
    scopes = wording.chosen(ask.scopes, visit.many)
    if not wording.offers(scopes) and not set(scopes) & {"openid"}:
        return _page(visit, ask, patient, 400, error="Nothing is ticked. Tick something, or say no.")
    fixed = patient.id if patient and ask.picks else ask.patient
    return await _answer(authority, ask, who, Chosen(scopes, fixed))


@page(signed_in=True)
async def picker(visit: Visit) -> Response:
    """Let somebody choose the patient that an app is for."""
    _authority, ask, who = await _waiting(visit)
    if not ask.picks:
        return to(visit, "/auth/consent")
    desk, address = visit.desk, address_of(visit.request)
    name, born = (
        visit.request.query_params.get("name", "")[:200],
        visit.request.query_params.get("born", "")[:10],
    )
    errors = {} if not born or _DATE.fullmatch(born) else {"born": "A date looks like 1984-02-29"}
    mine = [] if name or born else await patients.own(desk, who, address)
    found = [] if errors else await patients.searched(desk, who, address, name, born)
    searches = not {"patient", "caregiver"} >= set(who.roles)
    return render(
        visit,
        "picker.html",
        400 if errors else 200,
        app=ask.client_name,
        mine=mine,
        found=found,
        searches=searches,
        searched=bool(name or born) and not errors,
        most=patients.MOST,
        name=name,
        born=born,
        errors=errors,
    )


async def _waiting(visit: Visit) -> tuple[Authority, ConsentAsk, SignedIn]:
    """Return the request that waits and who is asked; raises PageError where it does not wait for this person."""
    authority = visit.authority
    who = await sessions.signed_in(visit.desk.store, visit.request.cookies)
    if authority is None or who is None or not visit.ask:
        raise _OVER
    ask = await asking.asked(authority, visit.ask, who)
    if ask is None or ask.session not in ("", who.session):
        raise _OVER
    return authority, ask, who


async def _patient(visit: Visit, ask: ConsentAsk, who: SignedIn) -> Known | None:
    """Return the patient of the launch or of the choice, where this person may see that one."""
    wanted = ask.patient if not ask.picks else visit.value("patient", 64)
    if not wanted or not _ID.fullmatch(wanted):
        return None
    found = await patients.one(visit.desk, who, address_of(visit.request), wanted)
    if found is None:
        raise PageError(404, "There is no such patient", "Or it is not one that you may see.")
    return found


async def _answer(authority: Authority, ask: ConsentAsk, who: SignedIn, chosen: Chosen | None) -> Response:
    try:
        url = await asking.answered(authority, ask.request, who, chosen)
    except OAuthError as error:
        raise PageError(400, "That cannot be done", error.text) from None
    return RedirectResponse(url, 303, headers={"Cache-Control": "no-store"})


def _page(
    visit: Visit, ask: ConsentAsk, patient: Known | None, status: int = 200, error: str = ""
) -> Response:
    return render(
        visit,
        "consent.html",
        status,
        to_app=ask.redirect_uri,
        app=ask,
        home=_host(ask.redirect_uri),
        patient=patient,
        offers=wording.offers(ask.scopes),
        others=wording.others(ask.scopes),
        error=error,
    )


def _host(url: str) -> str:
    """Return where an app's answers go, as a person may recognize it."""
    parts = urlsplit(url)
    return parts.hostname or f"the app on this device ({parts.scheme})"
