"""What the server says of itself to apps that have never seen it.

Source: SMART App Launch 2.2 (conformance), RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhir_server.auth.authenticating import METHODS
from fhir_server.auth.client_keys import ALGORITHMS
from fhir_server.auth.clients import CODE, CREDENTIALS, REFRESH
from fhir_server.auth.keys import ALGORITHM
from fhir_server.auth.words import DISCOVERED

if TYPE_CHECKING:
    from fhir_server.auth.authority import Authority

Json = dict[str, Any]

CAPABILITIES = (
    "launch-ehr", "launch-standalone", "authorize-post",
    "client-public", "client-confidential-symmetric", "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner", "context-style", "context-ehr-patient", "context-ehr-encounter", "context-standalone-patient",
    "permission-offline", "permission-online", "permission-patient", "permission-user",
    "permission-v1", "permission-v2",
)  # fmt: skip
"""Source: SMART App Launch 2.2, conformance, SMART on FHIR capabilities."""

EXTENSION = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"


def _oauth(authority: Authority) -> Json:
    """Return what all three documents say."""
    at = authority.places.at
    told: Json = {
        "issuer": authority.places.issuer,
        "authorization_endpoint": at("/auth/authorize"),
        "token_endpoint": at("/auth/token"),
        "jwks_uri": at("/auth/jwks"),
        "introspection_endpoint": at("/auth/introspect"),
        "revocation_endpoint": at("/auth/revoke"),
        "management_endpoint": at("/auth/account"),
        "scopes_supported": list(DISCOVERED),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [CODE, REFRESH, CREDENTIALS],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": list(METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "authorization_response_iss_parameter_supported": True,
    }
    if authority.settings.client_registration != "closed":
        told["registration_endpoint"] = at("/auth/register")
    return told


def smart_configuration(authority: Authority) -> Json:
    """Return `.well-known/smart-configuration`."""
    return _oauth(authority) | {
        "capabilities": list(CAPABILITIES),
        "user_access_brand_bundle": authority.places.at("/auth/brands"),
        "user_access_brand_identifier": brand_identifier(authority),
        "associated_endpoints": [
            {"url": authority.places.at("/appstate"), "capabilities": ["smart-app-state"]},
        ],
    }


def authorization_server(authority: Authority) -> Json:
    """Return `.well-known/oauth-authorization-server`."""
    methods = [one for one in METHODS if one != "none"]
    return _oauth(authority) | {
        "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": list(METHODS),
    }


def openid_configuration(authority: Authority) -> Json:
    """Return `.well-known/openid-configuration`."""
    return _oauth(authority) | {
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "amr", "fhirUser", "name",
        ],
        "prompt_values_supported": ["none", "login", "consent"],
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }  # fmt: skip


def brand_identifier(authority: Authority) -> Json:
    """Return what identifies the organization whose records these are."""
    site = authority.settings.brand_url or authority.places.issuer
    return {"system": "urn:ietf:rfc:3986", "value": site}


def security(issuer: str) -> Json:
    """Return what the CapabilityStatement says: the same endpoints, for clients that look only there."""
    places = {"authorize": "authorize", "token": "token", "introspect": "introspect", "revoke": "revoke"}
    uris = [
        {"url": name, "valueUri": f"{issuer}/auth/{path}"}
        for name, path in (places | {"register": "register", "manage": "account"}).items()
    ]
    return {
        "extension": [{"url": EXTENSION, "extension": uris}],
        "cors": True,
        "service": [
            {"coding": [{"system": SERVICE, "code": "SMART-on-FHIR"}], "text": "OAuth2 with SMART App Launch"}
        ],
        "description": "SMART App Launch 2.2: see .well-known/smart-configuration below this base",
    }
