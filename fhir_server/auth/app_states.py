"""SMART App State: a little configuration that apps keep with us, apart from the record, sealed.

An app reaches the states whose code's system is one of its own origins, and of those only the ones about the patient in
context, about who is signed in, or about nobody; what is about nobody is changed by operators alone.

Source: https://hl7.org/fhir/smart-app-launch/STU2.2/app-state.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.access.grant import Grant
from fhir_server.access.scopes import clinical
from fhir_server.auth import clients, opaque
from fhir_server.auth.places import Places
from fhir_server.auth.seal import Seal
from resources.outcome import FhirError

if TYPE_CHECKING:
    from fhir_server.auth.authority import Authority

Json = dict[str, Any]

MOST_BYTES = 256 * 1024
MOST_STATES = 200
"""States that one app may keep about one subject."""

SUBJECTS = ("Patient", "Practitioner", "PractitionerRole", "RelatedPerson", "Person")
GLOBAL_EDITORS = frozenset({"operator"})
_ELEMENTS = frozenset({"resourceType", "id", "meta", "subject", "code", "extension"})
_COUNT = """SELECT count(*) FROM auth_app_state WHERE client = %s AND subject = %s AND body IS NOT NULL"""
_ADD = """INSERT INTO auth_app_state (id, version, system, code, subject, client, body)
VALUES (%s, 1, %s, %s, %s, %s, %s)"""
_CHANGE = """UPDATE auth_app_state SET version = version + 1, body = %s, updated = now() WHERE id = %s"""


class Key(msgspec.Struct, frozen=True):
    """What a state is about. Shape:  `subject` is relative ('Patient/1'), '' for all users of the app"""

    system: str
    code: str
    subject: str


class States:
    """The states that one request may reach."""

    def __init__(self, authority: Authority, seal: Seal, grant: Grant) -> None:
        self._store = authority.store
        self._places: Places = authority.places
        self._seal = seal
        self._grant = grant

    async def create(self, state: Json) -> Json:
        """Return a new state as it is stored. Errors: 400 invalid, 403 forbidden, 422 too-costly"""
        if "id" in state or "versionId" in state.get("meta", {}):
            raise FhirError(400, "invalid", "A new state has no id and no versionId")
        key = self._key(state)
        id_ = opaque.fresh()[:22]
        async with self._store.transaction() as conn:
            await self._require(conn, "c", key)
            row = await (await conn.execute(_COUNT, (self._grant.client, key.subject))).fetchone()
            if row is not None and row[0] >= MOST_STATES:
                raise FhirError(422, "too-costly", f"An app may keep {MOST_STATES} states about one subject")
            sealed = self._sealed(id_, 1, state)
            values = (id_, key.system, key.code, key.subject, self._grant.client, sealed)
            await conn.execute(_ADD, values)
        return _versioned(state, id_, 1)

    async def update(self, id_: str, state: Json, tags: tuple[str, ...]) -> Json:
        """Return a state as it is stored now. Errors: 400, 403, 412 conflict where it was changed meanwhile"""
        if state.get("id") != id_:
            raise FhirError(400, "invalid", "The state's id must be that of the address")
        key = self._key(state)
        async with self._store.transaction() as conn:
            old, version = await self._current(conn, id_, tags)
            await self._require(conn, "u", old)
            if key != old:
                raise FhirError(412, "conflict", "subject and code of a state cannot be changed")
            await conn.execute(_CHANGE, (self._sealed(id_, version + 1, state), id_))
        return _versioned(state, id_, version + 1)

    async def delete(self, id_: str, tags: tuple[str, ...]) -> None:
        """Remove a state. Errors: 403, 412"""
        async with self._store.transaction() as conn:
            old, _ = await self._current(conn, id_, tags)
            await self._require(conn, "d", old)
            await conn.execute(_CHANGE, (None, id_))

    async def search(self, system: str, code: str, subject: str) -> list[Json]:
        """Return the states of a code about a subject ('' nobody). Errors: 403"""
        key = Key(system, code, subject)
        async with self._store.pool.connection() as conn:
            await self._require(conn, "s", key)
            rows = await (
                await conn.execute(
                    "SELECT id, version, body FROM auth_app_state WHERE subject = %s AND system = %s AND code = %s "
                    "AND body IS NOT NULL ORDER BY updated, id",
                    (subject, system, code),
                )
            ).fetchall()
        return [
            _versioned(json.loads(self._seal.opened(bytes(body), _place(id_, version))), id_, version)
            for id_, version, body in rows
        ]

    def subject(self, reference: str) -> str:
        """Return the relative form of an absolute reference to one of our people; raises FhirError 400."""
        kind, _, id_ = reference.removeprefix(f"{self._places.base}/").partition("/")
        if not reference.startswith(f"{self._places.base}/") or kind not in SUBJECTS or not id_ or "/" in id_:
            text = f"subject must be absolute: {self._places.base}/ and a {', '.join(SUBJECTS)}"
            raise FhirError(400, "value", text)
        return f"{kind}/{id_}"

    async def _current(self, conn: AsyncConnection[Any], id_: str, tags: tuple[str, ...]) -> tuple[Key, int]:
        """Return what a state is about and its version; the same answer for what is gone and what never was."""
        cursor = await conn.execute(
            "SELECT system, code, subject, version FROM auth_app_state WHERE id = %s AND body IS NOT NULL FOR UPDATE",
            (id_,),
        )
        row = await cursor.fetchone()
        if row is None or str(row[3]) not in tags:
            raise FhirError(412, "conflict", "If-Match must name the state's version that is stored now")
        return Key(row[0], row[1], row[2]), row[3]

    def _key(self, state: Json) -> Key:
        if state.get("resourceType") != "Basic" or set(state) - _ELEMENTS:
            raise FhirError(400, "invalid", f"A state is a Basic with {', '.join(sorted(_ELEMENTS))} alone")
        codes = state.get("code", {}).get("coding", []) if isinstance(state.get("code"), dict) else []
        if not isinstance(codes, list) or len(codes) != 1 or not isinstance(codes[0], dict):
            raise FhirError(400, "required", "code.coding must have one coding")
        system, code = codes[0].get("system"), codes[0].get("code")
        if not (isinstance(system, str) and isinstance(code, str) and system and code):
            raise FhirError(400, "required", "code.coding must have a system and a code")
        _require_strings(state.get("extension", []))
        subject = state.get("subject")
        if subject is None:
            return Key(system, code, "")
        reference = subject.get("reference") if isinstance(subject, dict) else None
        if not isinstance(reference, str):
            raise FhirError(400, "invalid", "subject must have a reference")
        return Key(system, code, self.subject(reference))

    async def _require(self, conn: AsyncConnection[Any], letter: str, key: Key) -> None:
        """Raise FhirError 403 where the app or its person may not do this to a state."""
        client = await clients.load(conn, self._grant.client)
        if client is None or key.system.rstrip("/") not in client.origins:
            raise _forbidden("The code's system must be an origin that the app is registered with")
        if not any(self._reaches(scope, letter, key) for scope in clinical(self._grant.scopes)):
            raise _forbidden("The access token does not reach this state")
        if not key.subject and letter != "s" and not GLOBAL_EDITORS & {*self._grant.roles}:
            raise _forbidden("What holds for all users of an app is changed by operators")

    def _reaches(self, scope: Any, letter: str, key: Key) -> bool:
        if scope.type not in ("Basic", "*") or letter not in scope.actions:
            return False
        if any(pair != ("code", f"{key.system}|{key.code}") for pair in scope.query):
            return False
        patient = f"Patient/{self._grant.patient}" if self._grant.patient else None
        if scope.level == "patient":
            return key.subject == patient
        return scope.level == "user" and key.subject in ("", self._grant.user, patient)

    def _sealed(self, id_: str, version: int, state: Json) -> bytes:
        return self._seal.sealed(json.dumps(state).encode(), _place(id_, version))


def _require_strings(extensions: object) -> None:
    good = isinstance(extensions, list) and all(
        isinstance(one, dict)
        and set(one) == {"url", "valueString"}
        and all(isinstance(value, str) and value for value in one.values())
        for one in extensions
    )
    if not good:
        raise FhirError(400, "invalid", "extension must be a list of url and valueString")


def _place(id_: str, version: int) -> str:
    return f"app-state/{id_}/{version}"


def _versioned(state: Json, id_: str, version: int) -> Json:
    return {**state, "id": id_, "meta": {"versionId": str(version)}}


def _forbidden(text: str) -> FhirError:
    return FhirError(
        403, "forbidden", text, headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
    )
