"""Apps keep a little state with us, each its own, about its own patient and person alone.

Source: https://hl7.org/fhir/smart-app-launch/STU2.2/app-state.html
"""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from tests.integration.auth.smart import ANA, BASE, DOCTOR, ISSUER, Smart, pkce

SYSTEM = "https://app.example.org"
SCOPE = "openid fhirUser launch/patient patient/Basic.cuds user/Basic.cuds"


def _state(
    about: str = "Patient/ana", kind: str = "keys", value: str = "secret-1", **more: Any
) -> dict[str, Any]:
    subject = {"subject": {"reference": f"{BASE}/{about}"}} if about else {}
    coding = {"system": SYSTEM, "code": kind}
    extension = [{"url": f"{SYSTEM}/{kind}", "valueString": value}]
    return {"resourceType": "Basic", **subject, "code": {"coding": [coding]}, "extension": extension, **more}


class Kept:
    """The app's side."""

    def __init__(self, server: Smart, token: str) -> None:
        self.web, self.headers = server.web, {"Authorization": f"Bearer {token}"}

    async def send(self, method: str, path: str = "", tag: str = "", **said: Any) -> httpx.Response:
        """Return an answer."""
        headers = {**self.headers, **({"If-Match": tag} if tag else {})}
        return await self.web.request(method, f"{ISSUER}/appstate/Basic{path}", headers=headers, **said)

    async def find(self, subject: str = "Patient/ana", code: str = "keys") -> httpx.Response:
        """Return what a search answers."""
        about = {"subject": f"{BASE}/{subject}"} if subject else {"subject:missing": "true"}
        return await self.send("GET", params={"code": f"{SYSTEM}|{code}", **about})


async def _app(
    server: Smart, scope: str = SCOPE, person: Any = ANA, client: str = "app", **said: Any
) -> Kept:
    await server.client(client, **said)
    return Kept(server, (await server.launch(person, scope=scope, client_id=client))["access_token"])


async def test_a_state_is_kept_changed_found_and_removed(server: Smart) -> None:
    app = await _app(server)
    made = await app.send("POST", json=_state())
    assert made.status_code == 201, made.text
    kept = made.json()
    assert made.headers["location"] == f"{ISSUER}/appstate/Basic/{kept['id']}"
    assert made.headers["etag"] == 'W/"1"'
    assert {name: kept[name] for name in ("subject", "code", "extension")} == {
        name: _state()[name] for name in ("subject", "code", "extension")
    }
    changed = await app.send(
        "PUT", f"/{kept['id']}", made.headers["etag"], json=_state(value="b", id=kept["id"])
    )
    assert changed.status_code == 200
    assert changed.headers["etag"] == 'W/"2"'
    found = (await app.find()).json()
    assert found["total"] == 1
    assert found["entry"][0]["resource"] == changed.json()
    stale = await app.send("PUT", f"/{kept['id']}", 'W/"1"', json=_state(id=kept["id"]))
    assert stale.status_code == 412
    assert (await app.send("DELETE", f"/{kept['id']}")).status_code == 412
    assert (await app.send("DELETE", f"/{kept['id']}", 'W/"2"')).status_code == 204
    assert (await app.send("DELETE", f"/{kept['id']}", 'W/"3"')).status_code == 412
    assert (await app.find()).json()["total"] == 0


async def test_subject_and_code_cannot_be_changed(server: Smart) -> None:
    app = await _app(server)
    kept = (await app.send("POST", json=_state())).json()
    for other in (_state(kind="other", id=kept["id"]), _state("", id=kept["id"])):
        assert (await app.send("PUT", f"/{kept['id']}", 'W/"1"', json=other)).status_code == 412


async def test_a_state_is_sealed_and_no_part_of_the_record(server: Smart) -> None:
    app = await _app(server)
    await app.send("POST", json=_state(value="very-secret-value"))
    async with server.authority.store.pool.connection() as conn:
        rows = await (
            await conn.execute("SELECT t::text, body FROM auth_app_state t WHERE body IS NOT NULL")
        ).fetchall()
    assert rows
    assert all(
        "very-secret-value" not in text and b"very-secret-value" not in bytes(body) for text, body in rows
    )
    token = (await server.launch(scope="launch/patient patient/*.rs"))["access_token"]
    answer = await server.web.get("/fhir/Basic", headers={"Authorization": f"Bearer {token}"})
    assert answer.json().get("entry", []) == []


@pytest.mark.parametrize("subject", ["Patient/zoe", "Practitioner/doctor", ""])
async def test_states_about_others_are_out_of_reach(server: Smart, subject: str) -> None:
    app = await _app(server)
    assert (await app.send("POST", json=_state(subject))).status_code == 403
    if subject:
        assert (await app.find(subject)).status_code == 403


async def test_a_patients_app_and_a_clinicians_app_share_a_state_of_the_patient(server: Smart) -> None:
    patients = await _app(server)
    kept = (await patients.send("POST", json=_state())).json()
    await server.client("companion", origins=[SYSTEM])
    page = await server.ask("x" * 43, DOCTOR, client_id="companion", scope="launch/patient patient/Basic.s")
    assert page.startswith("/auth/consent")
    doctors = Kept(server, await _token(server, "companion"))
    found = (await doctors.find()).json()
    assert kept["id"] in [one["resource"]["id"] for one in found["entry"]]
    assert (await doctors.send("POST", json=_state())).status_code == 403


async def _token(server: Smart, client: str) -> str:
    verifier, challenge = pkce()
    page = await server.ask(challenge, DOCTOR, client_id=client, scope="launch/patient patient/Basic.s")
    back = await server.agree(page, DOCTOR, patient="ana")
    return str((await server.redeem(back, verifier, client)).json()["access_token"])


async def test_another_apps_codes_are_out_of_reach(server: Smart) -> None:
    await (await _app(server)).send("POST", json=_state())
    elsewhere = "https://other.example/back"
    await server.client("other", redirect_uris=[elsewhere])
    page = await server.ask("x" * 43, client_id="other", redirect_uri=elsewhere, scope=SCOPE)
    assert page.startswith("/auth/consent")
    grant = msgspec.structs.replace(
        server.authority.bearer.known((await server.launch(scope=SCOPE))["access_token"]), client="other"
    )

    async def known(headers: object, address: str) -> Any:
        return grant

    server.authority.bearer.grant = known  # type: ignore[method-assign]
    assert (await Kept(server, "x").find()).status_code == 403


async def test_a_scope_for_one_code_reaches_that_code_alone(server: Smart) -> None:
    app = await _app(server, f"launch/patient patient/Basic.cuds?code={SYSTEM}|keys")
    assert (await app.send("POST", json=_state())).status_code == 201
    assert (await app.send("POST", json=_state(kind="other"))).status_code == 403


async def test_what_holds_for_all_is_read_by_all_and_changed_by_operators(server: Smart) -> None:
    boss = msgspec.structs.replace(DOCTOR, account="boss", roles=("operator",))
    server.people.people["boss"] = boss
    admin = await _app(server, "openid user/Basic.cuds", boss)
    assert (await admin.send("POST", json=_state("", "config"))).status_code == 201
    user = await _app(server, "openid user/Basic.s")
    assert (await user.find("", "config")).json()["total"] == 1


@pytest.mark.parametrize(
    "state",
    [
        _state(id="mine"), _state(meta={"versionId": "1"}), _state(resourceType="Patient"), _state(text={"div": "x"}),
        _state(code={"coding": []}), {"resourceType": "Basic"}, _state(subject={"reference": "Patient/ana"}),
        _state(subject={"reference": "https://other.example/Patient/ana"}), _state(subject={"display": "x"}),
        _state(extension=[{"url": "x", "valueInteger": 1}]), _state(extension={}), _state(code=7),
    ],
    ids=lambda one: str(one)[:50],
)  # fmt: skip
async def test_what_is_no_state_is_refused(server: Smart, state: dict[str, Any]) -> None:
    answer = await (await _app(server)).send("POST", json=state)
    assert answer.status_code == 400, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_a_state_has_256_kilobytes_at_most(server: Smart) -> None:
    app = await _app(server)
    assert (await app.send("POST", json=_state(value="x" * 262_000))).status_code == 413
    assert (await app.send("POST", json=_state(value="x" * 200_000))).status_code == 201


async def test_nobody_reaches_states_without_a_token(server: Smart) -> None:
    assert (await Kept(server, "x").find()).status_code == 401
    assert (await server.web.get("/appstate/metadata")).json()["resourceType"] == "CapabilityStatement"
