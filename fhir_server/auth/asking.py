"""Requests for authorization on their way from the app over the person back to the app.

A request is checked once (`authorizing.py`) and kept under an unguessable id; the pages between carry nothing but that
id. What was agreed is checked again against what was asked.

Source: RFC 6749 section 4.1, RFC 9207, SMART App Launch 2.2
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from psycopg.types.json import Jsonb

from fhir_server.access import scopes
from fhir_server.access.grant import Grant
from fhir_server.auth import clients, opaque
from fhir_server.auth.allowed import Allowed, dumped
from fhir_server.auth.clients import Client
from fhir_server.auth.errors import OAuthError, RefusedError
from fhir_server.auth.places import LOOPBACK
from fhir_server.auth.words import FHIR_USER, LAUNCH_PATIENT

if TYPE_CHECKING:
    from fhir_server.auth.authority import Authority
    from fhir_server.auth.people import Signed

SIGN_IN, CONSENT, CONTINUE = "/auth/sign-in", "/auth/consent", "/auth/continue"

_LOAD = """SELECT client, request, session, account, extract(epoch FROM created)::float8
FROM auth_ask WHERE id = %s AND state = 'open' AND expires > now()"""
_BIND = """UPDATE auth_ask SET session = %(session)s, account = %(account)s
WHERE id = %(id)s AND state = 'open' AND expires > now() AND account IN ('', %(account)s)"""
_END = "UPDATE auth_ask SET state = %s WHERE id = %s AND state = 'open' AND expires > now()"
_REMEMBER = """INSERT INTO auth_agreed (account, client, scopes) VALUES (%s, %s, %s)
ON CONFLICT (account, client) DO UPDATE SET scopes = excluded.scopes, at = now()"""


class Wanted(msgspec.Struct, kw_only=True):
    """A request that was checked.

    Shape:  `scopes` are what of the app's wish it may have, normalized, `asked` the same in its words; `launch` is the
            context of an EHR launch with `launched_by` as its account; `prompt` and `max_age` are OpenID Connect's
    """

    redirect_uri: str
    state: str
    challenge: str
    scopes: list[str]
    asked: list[str]
    nonce: str = ""
    prompt: list[str] = []
    max_age: int = -1
    launch: dict[str, Any] = {}
    launched_by: str = ""


class ConsentAsk(msgspec.Struct, frozen=True):
    """What the consent page shows.

    Shape:  `picks` where a patient must be chosen, else `patient` is '' or the id that the launch says; `session` is ''
            or the session that the request is bound to
    """

    request: str
    client: str
    client_name: str
    client_uri: str
    policy_uri: str
    tos_uri: str
    redirect_uri: str
    scopes: tuple[str, ...]
    picks: bool
    patient: str
    session: str


class Chosen(msgspec.Struct, frozen=True):
    """What the person agreed to."""

    scopes: tuple[str, ...]
    patient: str = ""


class _Ask(msgspec.Struct, frozen=True):
    id: str
    client: Client
    wanted: Wanted
    session: str
    account: str
    created: float


async def keep(authority: Authority, client: str, wanted: Wanted) -> str:
    """Return the id of a request that was checked."""
    request = opaque.fresh()
    async with authority.store.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO auth_ask (id, client, request, expires) "
            "VALUES (%s, %s, %s, now() + make_interval(secs => %s))",
            (opaque.digest(request), client, Jsonb(msgspec.to_builtins(wanted)), authority.lifetimes.ask),
        )
    return request


async def _load(authority: Authority, request: str) -> _Ask | None:
    async with authority.store.pool.connection() as conn:
        row = await (await conn.execute(_LOAD, (opaque.digest(request),))).fetchone()
        client = await clients.load(conn, row[0]) if row is not None else None
    if row is None or client is None or client.state != "active":
        return None
    return _Ask(request, client, msgspec.convert(row[1], Wanted), *row[2:])


def _over() -> RefusedError:
    return RefusedError(
        "invalid_request", "This request has expired or was answered. Start again from the app."
    )


async def asked(authority: Authority, request: str, signed: Signed | None = None) -> ConsentAsk | None:
    """Return what a request asks for, None where it is unknown, over, or answered."""
    ask = await _load(authority, request)
    if ask is None:
        return None
    said = ask.client.metadata
    patient = _patient(ask.wanted, signed)
    return ConsentAsk(
        request=request,
        client=ask.client.id,
        client_name=ask.client.name,
        client_uri=said.get("client_uri", ""),
        policy_uri=said.get("policy_uri", ""),
        tos_uri=said.get("tos_uri", ""),
        redirect_uri=ask.wanted.redirect_uri,
        scopes=tuple(ask.wanted.scopes),
        picks=needs_patient(ask.wanted.scopes) and not patient,
        patient=patient,
        session=ask.session,
    )


def needs_patient(granted: list[str] | tuple[str, ...]) -> bool:
    """Whether these scopes mean one patient."""
    return LAUNCH_PATIENT in granted or any(one.level == "patient" for one in scopes.clinical(granted))


def _patient(wanted: Wanted, signed: Signed | None) -> str:
    """Return the patient that nobody has to choose: the launch's, or the only one that a patient can mean."""
    if found := wanted.launch.get("patient"):
        return str(found)
    if signed is not None and signed.user.startswith("Patient/") and not signed.acting_for:
        return signed.user.removeprefix("Patient/")
    return ""


def _may_mean(signed: Signed, patient: str) -> bool:
    """Whether a person may work on a patient at all: clinicians on whom their roles let them see, others on their own.

    Shape:  the policy of each request asks again, by roles, care teams and consents
    """
    if signed.user.startswith(("Practitioner/", "PractitionerRole/")):
        return True
    return f"Patient/{patient}" in (signed.user, *signed.acting_for)


async def proceed(authority: Authority, request: str, signed: Signed | None) -> str:
    """Return the URL where a request goes on: to sign in, to be agreed to, or back to the app.

    Errors: RefusedError where there is no such request any more, or it is somebody else's
    """
    ask = await _load(authority, request)
    if ask is None:
        raise _over()
    wanted = ask.wanted
    if signed is None or _again(ask, signed):
        if "none" in wanted.prompt:
            return back(authority, wanted, error=OAuthError("login_required"))
        return f"{SIGN_IN}?request={quote(request, safe='')}"
    await _bind(authority, ask, signed)
    if wanted.launch and wanted.launched_by not in ("", signed.account):
        return await _refuse(authority, ask, "Another person has started this launch")
    patient = _patient(wanted, signed)
    if patient and not _may_mean(signed, patient):
        return await _refuse(authority, ask, "This patient is none of the person's")
    picks = needs_patient(wanted.scopes) and not patient
    if not picks and await _agreed(authority, ask, signed):
        return await _finish(authority, ask, signed, Chosen(tuple(wanted.scopes), patient))
    if "none" in wanted.prompt:
        code = "interaction_required" if picks else "consent_required"
        return back(authority, wanted, error=OAuthError(code))
    return f"{CONSENT}?request={quote(request, safe='')}"


def _again(ask: _Ask, signed: Signed) -> bool:
    """Whether the person has to sign in although somebody is: the app wants it fresh. Sessions count whole seconds."""
    if "login" in ask.wanted.prompt and signed.auth_time < int(ask.created):
        return True
    return (
        ask.wanted.max_age >= 0
        and time.time() - signed.auth_time > ask.wanted.max_age + 1
        and (signed.auth_time < int(ask.created))
    )


async def _bind(authority: Authority, ask: _Ask, signed: Signed) -> None:
    """Tie a request to who is signed in: nobody else may answer it."""
    said = {"id": opaque.digest(ask.id), "session": signed.session, "account": signed.account}
    async with authority.store.pool.connection() as conn:
        cursor = await conn.execute(_BIND, said)
    if not cursor.rowcount:
        raise RefusedError(
            "invalid_request", "This request was begun by another person. Start again from the app."
        )


async def _agreed(authority: Authority, ask: _Ask, signed: Signed) -> bool:
    """Whether the person agreed to all of this before, to an app of which we know that it is the same.

    Source: RFC 8252 section 8.6, RFC 6749 section 10.2: what only claims to be an app must be agreed to each time
    """
    split = urlsplit(ask.wanted.redirect_uri)
    known = ask.client.kind != "public" or (split.scheme == "https" and split.hostname not in LOOPBACK)
    if not known or "consent" in ask.wanted.prompt:
        return False
    async with authority.store.pool.connection() as conn:
        row = await (
            await conn.execute(
                "SELECT scopes FROM auth_agreed WHERE account = %s AND client = %s",
                (signed.account, ask.client.id),
            )
        ).fetchone()
    return row is not None and all(scopes.covers(row[0], one) for one in ask.wanted.scopes)


async def answered(authority: Authority, request: str, signed: Signed, chosen: Chosen | None) -> str:
    """Return the URL to send the browser to, with a code, or with a refusal where `chosen` is None.

    Shape:  who calls has made sure that the person may choose that patient
    Errors: RefusedError where the request is over or somebody else's, or more was chosen than asked for
    """
    ask = await _load(authority, request)
    if ask is None:
        raise _over()
    await _bind(authority, ask, signed)
    if chosen is None:
        return await _refuse(authority, ask, "The person said no")
    if not all(scopes.covers(ask.wanted.scopes, one) for one in chosen.scopes):
        raise RefusedError("invalid_request", "More was agreed to than the app has asked for.")
    fixed = _patient(ask.wanted, signed)
    if fixed and chosen.patient not in ("", fixed):
        raise RefusedError("invalid_request", "The patient of this launch cannot be changed.")
    if not any(scopes.scope(one) is not None or one == "openid" for one in chosen.scopes):
        return await _refuse(authority, ask, "Nothing was agreed to")
    patient = fixed or chosen.patient
    if needs_patient(chosen.scopes) and not patient:
        return await _refuse(authority, ask, "No patient was chosen")
    if patient and not _may_mean(signed, patient):
        return await _refuse(authority, ask, "This patient is none of the person's")
    return await _finish(authority, ask, signed, Chosen(chosen.scopes, patient))


async def _refuse(authority: Authority, ask: _Ask, why: str) -> str:
    await _ended(authority, ask, "refused")
    return back(authority, ask.wanted, error=OAuthError("access_denied", why))


async def _ended(authority: Authority, ask: _Ask, state: str) -> None:
    async with authority.store.pool.connection() as conn:
        cursor = await conn.execute(_END, (state, opaque.digest(ask.id)))
    if not cursor.rowcount:
        raise _over()


async def _finish(authority: Authority, ask: _Ask, signed: Signed, chosen: Chosen) -> str:
    """Return the app's URL with a code; the request is used up."""
    await _ended(authority, ask, "agreed")
    wanted = ask.wanted
    allowed = _allowed(wanted, signed, chosen)
    code = opaque.fresh()
    async with authority.store.transaction() as conn:
        await conn.execute(
            "INSERT INTO auth_code (hash, client, family, redirect_uri, challenge, allowed, expires) "
            "VALUES (%s, %s, %s, %s, %s, %s, now() + make_interval(secs => %s))",
            (
                opaque.digest(code), ask.client.id, opaque.fresh(), wanted.redirect_uri, wanted.challenge,
                Jsonb(dumped(allowed)), authority.lifetimes.code,
            ),
        )  # fmt: skip
        await conn.execute(_REMEMBER, (signed.account, ask.client.id, list(chosen.scopes)))
    grant = Grant(
        subject=signed.account,
        client=ask.client.id,
        scopes=chosen.scopes,
        user=signed.user,
        patient=chosen.patient,
    )
    await authority.trail.note("authorization", grant, detail={"agreed": " ".join(chosen.scopes)})
    return back(authority, wanted, code=code)


def _allowed(wanted: Wanted, signed: Signed, chosen: Chosen) -> Allowed:
    context = {name: value for name, value in wanted.launch.items() if name not in ("patient", "encounter")}
    return Allowed(
        account=signed.account,
        session=signed.session,
        user=signed.user,
        name=signed.name,
        scopes=[one for one in chosen.scopes if one != FHIR_USER or signed.user],
        asked=wanted.asked,
        patient=chosen.patient if needs_patient(chosen.scopes) or wanted.launch.get("patient") else "",
        encounter=str(wanted.launch.get("encounter", "")),
        context=context,
        nonce=wanted.nonce,
        auth_time=int(signed.auth_time),
        amr=list(signed.amr),
        roles=list(signed.roles),
        acting_for=list(signed.acting_for),
    )


def back(authority: Authority, wanted: Wanted, *, code: str = "", error: OAuthError | None = None) -> str:
    """Return the app's redirect URI with the answer, its own `state`, and `iss`, by which it tells servers apart."""
    return redirected(authority, wanted.redirect_uri, wanted.state, code=code, error=error)


def redirected(
    authority: Authority, redirect_uri: str, state: str, *, code: str = "", error: OAuthError | None = None
) -> str:
    """Return a redirect URI with an answer; a query that it has stays."""
    said = error.body() if error is not None else {"code": code}
    said |= {"state": state} if state else {}
    said["iss"] = authority.places.issuer
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(said)}"
