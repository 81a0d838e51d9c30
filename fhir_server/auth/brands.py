"""The Bundle of user-access brands: by which name and logo people find this server in their apps.

Source: SMART App Launch 2.2, user-access brands and endpoints
"""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhir_server.auth.discovery import brand_identifier
from fhir_server.version import RELEASED

if TYPE_CHECKING:
    from fhir_server.auth.authority import Authority

Json = dict[str, Any]

ENDPOINT_PROFILE = "http://hl7.org/fhir/smart-app-launch/StructureDefinition/user-access-endpoint"
BRAND_PROFILE = "http://hl7.org/fhir/smart-app-launch/StructureDefinition/user-access-brand"
BUNDLE_PROFILE = "http://hl7.org/fhir/smart-app-launch/StructureDefinition/user-access-brands-bundle"
_FHIR_VERSION = "http://hl7.org/fhir/StructureDefinition/endpoint-fhir-version"
_PORTAL = "http://hl7.org/fhir/StructureDefinition/organization-portal"


def bundle(authority: Authority) -> tuple[bytes, str]:
    """Return the Bundle as JSON and its weak ETag: the operator's own file, else one of this server alone."""
    file = authority.settings.brands_file
    body = _read(file, file.stat().st_mtime_ns) if file is not None else json.dumps(_own(authority)).encode()
    return body, f'W/"{blake2b(body, digest_size=8).hexdigest()}"'


@lru_cache(2)
def _read(file: Path, _changed: int) -> bytes:
    return file.read_bytes()


def _own(authority: Authority) -> Json:
    places, name = authority.places, authority.settings.brand_name
    site = authority.settings.brand_url or places.issuer
    updated = {"lastUpdated": f"{RELEASED}T00:00:00Z"}
    endpoint = {
        "resourceType": "Endpoint",
        "id": "fhir",
        "meta": updated | {"profile": [ENDPOINT_PROFILE]},
        "extension": [{"url": _FHIR_VERSION, "valueCode": "4.0.1"}],
        "status": "active",
        "connectionType": {
            "system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type",
            "code": "hl7-fhir-rest",
        },
        "name": f"FHIR R4 of {name}",
        "contact": [{"system": "url", "value": site}],
        "payloadType": [
            {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/endpoint-payload-type", "code": "none"}
                ]
            }
        ],
        "address": places.base,
    }
    brand = {
        "resourceType": "Organization",
        "id": "brand",
        "meta": updated | {"profile": [BRAND_PROFILE]},
        "extension": [
            {
                "url": _PORTAL,
                "extension": [
                    {"url": "portalName", "valueString": name},
                    {"url": "portalUrl", "valueUrl": places.at("/auth/account")},
                    {"url": "portalEndpoint", "valueReference": {"reference": "Endpoint/fhir"}},
                ],
            }
        ],
        "identifier": [brand_identifier(authority)],
        "active": True,
        "name": name,
        "telecom": [{"system": "url", "value": site}],
        "endpoint": [{"reference": "Endpoint/fhir", "display": f"FHIR R4 of {name}"}],
    }
    return {
        "resourceType": "Bundle",
        "id": "user-access-brands",
        "meta": updated | {"profile": [BUNDLE_PROFILE]},
        "type": "collection",
        "timestamp": updated["lastUpdated"],
        "entry": [
            {"fullUrl": places.at(f"/auth/brands/{one['resourceType']}/{one['id']}"), "resource": one}
            for one in (brand, endpoint)
        ],
    }
