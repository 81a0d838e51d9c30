"""What an app finds out before it knows anything.

Source: https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html, RFC 8414, OpenID Connect Discovery 1.0,
https://hl7.org/fhir/smart-app-launch/STU2.2/brands.html
"""

from __future__ import annotations

import pytest

from tests.integration.auth.smart import BASE, ISSUER, Smart

CONFIGURATION = "/fhir/.well-known/smart-configuration"
ENDPOINTS = tuple(
    f"{name}_endpoint"
    for name in ("authorization", "token", "introspection", "revocation", "registration", "management")
)


@pytest.mark.parametrize("accept", ["application/json", "application/fhir+xml", "text/html", "*/*"])
async def test_the_configuration_is_json_whatever_is_accepted(server: Smart, accept: str) -> None:
    answer = await server.web.get(CONFIGURATION, headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"


async def test_the_configuration_has_what_smart_requires(server: Smart) -> None:
    told = (await server.web.get(CONFIGURATION)).json()
    for name in (*ENDPOINTS, "issuer", "jwks_uri", "user_access_brand_bundle"):
        assert told[name].startswith(ISSUER), name
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["response_types_supported"] == ["code"]
    assert {"authorization_code", "client_credentials"} <= set(told["grant_types_supported"])
    assert "private_key_jwt" in told["token_endpoint_auth_methods_supported"]
    assert {"RS384", "ES384"} == set(told["token_endpoint_auth_signing_alg_values_supported"])
    assert {
        "launch-ehr", "launch-standalone", "authorize-post", "client-public", "client-confidential-symmetric",
        "client-confidential-asymmetric", "sso-openid-connect", "context-banner", "context-style",
        "context-ehr-patient", "context-ehr-encounter", "context-standalone-patient", "permission-offline",
        "permission-online", "permission-patient", "permission-user", "permission-v1", "permission-v2",
    } <= set(told["capabilities"])  # fmt: skip
    assert "scopes_supported" in told


async def test_every_advertised_address_answers(server: Smart) -> None:
    told = (await server.web.get(CONFIGURATION)).json()
    for name in ("jwks_uri", "user_access_brand_bundle"):
        assert (await server.web.get(told[name])).status_code == 200
    for name in ("token_endpoint", "introspection_endpoint", "revocation_endpoint", "registration_endpoint"):
        answer = await server.web.post(told[name])
        assert answer.status_code in (400, 401, 415), name
        assert answer.json()["error"]


async def test_openid_and_oauth_say_the_same_places(server: Smart) -> None:
    smart = (await server.web.get(CONFIGURATION)).json()
    openid = (await server.web.get("/.well-known/openid-configuration")).json()
    oauth = (await server.web.get("/.well-known/oauth-authorization-server")).json()
    for name in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"):
        assert smart[name] == openid[name] == oauth[name]
    assert openid["id_token_signing_alg_values_supported"] == ["RS256"]
    assert openid["subject_types_supported"] == ["public"]
    assert oauth["authorization_response_iss_parameter_supported"] is True
    assert (await server.web.get("/.well-known/jwks.json")).json() == (
        await server.web.get("/auth/jwks")
    ).json()


async def test_the_capability_statement_says_it_too(server: Smart) -> None:
    security = (await server.web.get("/fhir/metadata")).json()["rest"][0]["security"]
    assert security["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    (oauth,) = security["extension"]
    assert oauth["url"] == "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
    uris = {one["url"]: one["valueUri"] for one in oauth["extension"]}
    told = (await server.web.get(CONFIGURATION)).json()
    assert uris["authorize"] == told["authorization_endpoint"]
    assert uris["token"] == told["token_endpoint"]
    assert uris["register"] == told["registration_endpoint"]


@pytest.mark.parametrize(
    "path",
    [CONFIGURATION, "/fhir/metadata", "/auth/jwks", "/auth/brands", "/.well-known/openid-configuration"],
)
async def test_any_page_may_read_what_is_public(server: Smart, path: str) -> None:
    answer = await server.web.get(path, headers={"Origin": "https://anywhere.example"})
    assert answer.status_code == 200
    assert answer.headers.get_list("access-control-allow-origin") == ["*"]


async def test_the_token_endpoint_and_the_api_are_for_pages_of_registered_apps(server: Smart) -> None:
    await server.client()
    server.app.state.cors._until = 0.0
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "app"}
    for origin, allowed in (
        ("https://app.example.org", ["https://app.example.org"]),
        ("https://evil.example", []),
    ):
        token = await server.web.post("/auth/token", data=form, headers={"Origin": origin})
        assert token.headers.get_list("access-control-allow-origin") == allowed
        read = await server.web.get("/fhir/Patient/1", headers={"Origin": origin})
        assert read.headers.get_list("access-control-allow-origin") == allowed
        asked = await server.web.options(
            "/fhir/Patient/1", headers={"Origin": origin, "Access-Control-Request-Method": "GET"}
        )
        assert asked.headers.get_list("access-control-allow-origin") == allowed


async def test_the_brands_name_this_server(server: Smart) -> None:
    answer = await server.web.get("/auth/brands")
    bundle = answer.json()
    assert bundle["type"] == "collection"
    assert bundle["timestamp"]
    brand, endpoint = (one["resource"] for one in bundle["entry"])
    told = (await server.web.get(CONFIGURATION)).json()
    assert told["user_access_brand_identifier"] in brand["identifier"]
    assert endpoint["address"] == BASE
    assert answer.headers["etag"].startswith('W/"')
    again = await server.web.get("/auth/brands", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_another_method_is_refused_with_the_ones_that_there_are(server: Smart) -> None:
    answer = await server.web.get("/auth/token")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
