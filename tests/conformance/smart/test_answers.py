"""What SMART App Launch requires of answers and is not asked about elsewhere.

Source: SMART App Launch 2.2, `../shared/testdata/requirements/smart_app_launch_test_kit_requirements.csv`
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet

from fhir_server.auth.assertions import TYPE
from tests.conformance.smart.conftest import BRANDS, TENANT
from tests.integration.auth.smart import CREDENTIALS, ISSUER, REFRESH, Person, Smart
from tests.live import ROOT

KEY = ECKey.generate_key("P-384", {"kid": "ec"})
CONFIGURATION = "/fhir/.well-known/smart-configuration"


async def test_a_refresh_answers_with_all_that_is_required(server: Smart) -> None:
    await server.client("staying")
    told = await server.launch(client_id="staying")
    answer = await server.token(grant_type=REFRESH, refresh_token=told["refresh_token"], client_id="staying")
    again = answer.json()
    assert answer.status_code == 200
    assert again["access_token"] != told["access_token"]
    assert again["token_type"].lower() == "bearer"
    assert isinstance(again["expires_in"], int)
    assert set(again["scope"].split()) == set(told["scope"].split())
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")


async def test_a_backend_is_answered_with_all_that_is_required(server: Smart) -> None:
    keys = {"keys": [KEY.as_dict(private=False)]}
    await server.client(
        "nightly", kind="key", jwks=keys, grants=[CREDENTIALS], scopes=["system/Patient.rs"], redirect_uris=[]
    )
    claims = {
        "iss": "nightly", "sub": "nightly", "aud": f"{ISSUER}/auth/token", "exp": int(time.time()) + 200,
        "jti": str(uuid.uuid4()),
    }  # fmt: skip
    assertion = jwt.encode({"alg": "ES384", "kid": "ec"}, claims, KEY, algorithms=["ES384"])
    form = {"grant_type": CREDENTIALS, "client_assertion_type": TYPE, "client_assertion": assertion}
    answer = await server.token(**form, scope="system/Patient.rs system/Observation.rs")
    told = answer.json()
    assert answer.status_code == 200, told
    assert told["token_type"].lower() == "bearer"
    assert 0 < told["expires_in"] <= 300
    assert told["scope"] == "system/Patient.rs"  # less than was asked for, and told so
    assert "refresh_token" not in told
    assert jws.extract_compact(told["access_token"].encode()).headers()["typ"] == "at+jwt"


def test_the_documentation_says_what_linked_patients_mean() -> None:
    text = (ROOT / "docs" / "smart.md").read_text()
    (said,) = [line for line in text.splitlines() if "`Patient.link`" in line]
    assert "no access" in said


async def test_the_style_that_an_app_is_told_of_is_there(server: Smart) -> None:
    await server.client("styled")
    told = await server.launch(client_id="styled")
    answer = await server.web.get(told["smart_style_url"])
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert all(name.startswith(("color_", "dim_", "font_")) for name in answer.json())


async def test_the_tenant_is_told_to_the_app(server: Smart) -> None:
    await server.client("tenanted")
    assert (await server.launch(client_id="tenanted"))["tenant"] == TENANT


async def test_who_is_no_resource_has_no_fhir_user(server: Smart) -> None:
    nobody = Person("clerk", "", name="A Clerk", roles=("operator",))
    server.people.people["clerk"] = nobody
    await server.client("office")
    told: dict[str, Any] = await server.launch(nobody, client_id="office", scope="openid fhirUser user/*.rs")
    published: Any = server.authority.keys.jwks()
    claims = jwt.decode(told["id_token"], KeySet.import_key_set(published), algorithms=["RS256"]).claims
    assert "fhirUser" not in claims
    assert "fhirUser" not in told["scope"].split()


async def test_the_brand_is_found_by_its_identifier(server: Smart) -> None:
    told = (await server.web.get(CONFIGURATION)).json()
    sought = told["user_access_brand_identifier"]
    assert sought["value"]
    answer = await server.web.get(told["user_access_brand_bundle"])
    brands = [one["resource"] for one in answer.json()["entry"]]
    found = [
        one for one in brands if one["resourceType"] == "Organization" and sought in one.get("identifier", ())
    ]
    assert len(found) == 1
    assert "data-absent-reason" not in answer.text


async def test_an_operator_publishes_brands_of_their_own(branded: Smart) -> None:
    assert (await branded.web.get("/auth/brands")).text == BRANDS
