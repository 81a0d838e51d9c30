"""capabilities: what this server truly does, written from the tables that do it.

Source: http://hl7.org/fhir/R4/http.html#capabilities, http://hl7.org/fhir/R4/capabilitystatement.html
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from fhir_server.auth import discovery
from fhir_server.auth.places import places
from fhir_server.conformance.listed import Listed, listed
from fhir_server.exchange import Request, Result, Session, only
from fhir_server.operations import OPERATIONS, Operation
from fhir_server.operations.published import address
from fhir_server.operations.terminology import capable
from fhir_server.search import named, several
from fhir_server.search.context import follow
from fhir_server.search.criteria import EXPRESSIONS
from fhir_server.search.param import Param
from fhir_server.search.registry import Epoch, registry
from fhir_server.search.scope import COMPARTMENTS
from fhir_server.version import NAME, RELEASED, VERSION
from resources.codec.json import dump_json
from resources.definitions import definitions
from resources.outcome import FhirError

MODES = ("full", "normative", "terminology")

NORMATIVE = frozenset({
    "Binary", "Bundle", "CapabilityStatement", "CodeSystem", "Observation", "OperationDefinition",
    "OperationOutcome", "Parameters", "Patient", "StructureDefinition", "ValueSet",
})  # fmt: skip
"""Resource types that are normative in R4. Source: http://hl7.org/fhir/R4/resourcelist.html"""

PATCH_FORMATS = (
    "application/json-patch+json",
    "application/xml-patch+xml",
    "application/fhir+json",
    "application/fhir+xml",
)

NOTHING = Listed()
_PER_TYPE = (
    "read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type",
)  # fmt: skip
_SYSTEM = ("transaction", "batch", "search-system", "history-system")

_OPEN = {
    "cors": False,
    "description": "Authorization is switched off: whoever reaches this server may do everything.",
}


async def capabilities(session: Session, request: Request) -> Result:
    """Return the statement of the asked-for mode, made once and kept as bytes.

    Errors: 400 value for an unknown mode
    """
    mode = only(request.query, "mode") or "full"
    if mode not in MODES:
        raise FhirError(400, "value", f"mode must be one of {', '.join(MODES)}")
    if mode == "terminology":
        async with session.connection() as conn:
            known = await capable.told(conn)
        told = {"resourceType": "TerminologyCapabilities", **_head(mode, request.base), **known}
        return Result(200, dump_json(told), kind="metadata")
    body = await asyncio.to_thread(
        statement,
        mode,
        request.base,
        frozenset(session.server.handlers),
        frozenset(OPERATIONS),
        Epoch.value,
        await named.listed(session),
        await listed(session),
        session.server.settings.instantiates,
        places(session.server.settings).issuer if session.server.settings.authorization == "smart" else "",
    )
    return Result(200, body, kind="metadata")


@lru_cache(32)
def statement(
    mode: str,
    base: str,
    interactions: frozenset[str],
    operations: frozenset[str],
    _epoch: int = 0,
    queries: named.Listed = (),
    stored: Listed = NOTHING,
    instantiates: tuple[str, ...] = (),
    issuer: str = "",
) -> bytes:
    """Return the statement as JSON; `interactions` and `operations` are the names that have a handler.

    Shape:  `_epoch` is that of the search parameters, `queries` are the named ones, `stored`
            guides and profiles, `instantiates` what the settings claim; `issuer` the authorization server, '' none
    """
    known = sorted((OPERATIONS[name] for name in operations), key=lambda operation: operation.name)
    types = [name for name in definitions().resource_types if mode == "full" or name in NORMATIVE]
    rest: dict[str, Any] = {
        "mode": "server",
        "security": discovery.security(issuer) if issuer else _OPEN,
        "resource": [
            _resource(name, interactions, known, queries, base) | _profiles(name, stored) for name in types
        ],
        "interaction": [{"code": code} for code in _SYSTEM if _does(code, interactions)],
        "searchParam": _common_params() if "search-system" in interactions else [],
    }
    system_wide = [_operation(one, base) for one in known if "system" in one.levels] + _queries(
        ("",), queries, base
    )
    if system_wide:
        rest["operation"] = system_wide
    if "search-compartment" in interactions:
        rest["compartment"] = [f"http://hl7.org/fhir/CompartmentDefinition/{c.lower()}" for c in COMPARTMENTS]
    return dump_json(
        {
            "resourceType": "CapabilityStatement",
            **_head(mode, base),
            **({"instantiates": list(instantiates)} if instantiates else {}),
            "fhirVersion": "4.0.1",
            **({"implementationGuide": list(stored.guides)} if stored.guides else {}),
            "format": ["application/fhir+json", "application/fhir+xml", "json", "xml"],
            "patchFormat": list(PATCH_FORMATS)
            if "patch" in interactions
            else ["application/json-patch+json"],
            "rest": [{key: value for key, value in rest.items() if value}],
        }
    )


follow(statement.cache_clear)


def _head(mode: str, base: str) -> dict[str, Any]:
    return {
        "url": f"{base}/metadata?mode={mode}" if mode != "full" else f"{base}/metadata",
        "version": VERSION,
        "name": "HealthBuddy",
        "title": NAME,
        "status": "active",
        "date": RELEASED,
        "publisher": NAME,
        "description": "What this FHIR R4 server implements, written by the server from its own tables",
        "kind": "instance",
        "software": {"name": NAME, "version": VERSION},
        "implementation": {"description": NAME, "url": base},
    }


def _profiles(name: str, stored: Listed) -> dict[str, Any]:
    found = dict(stored.profiles).get(name)
    return {"supportedProfile": list(found)} if found else {}


def _does(code: str, interactions: frozenset[str]) -> bool:
    return ("transaction" if code == "batch" else code) in interactions


def _resource(
    name: str,
    interactions: frozenset[str],
    operations: list[Operation],
    queries: named.Listed,
    base: str,
) -> dict[str, Any]:
    searchable = "search-type" in interactions
    entry: dict[str, Any] = {
        "type": name,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{name}",
        "interaction": [{"code": code} for code in _PER_TYPE if _does(code, interactions)],
        "versioning": "versioned",
        "readHistory": "vread" in interactions,
        "updateCreate": "update" in interactions,
        "conditionalCreate": searchable and "create" in interactions,
        "conditionalRead": "full-support",
        "conditionalUpdate": searchable and "update" in interactions,
        "conditionalDelete": "multiple" if searchable and "delete" in interactions else "not-supported",
        "referencePolicy": ["literal", "logical"],
    }
    if searchable:
        entry["searchInclude"] = [
            f"{name}:{param.code}" for param in served(name) if param.kind == "reference"
        ]
        entry["searchRevInclude"] = list(_pointing(Epoch.value)[name])
        entry["searchParam"] = [_search_param(param) for param in served(name)]
    entry["operation"] = [
        _operation(one, base)
        for one in operations
        if one.levels & {"type", "instance"} and name in (one.types or {name})
    ] + _queries((name, "Resource", "DomainResource"), queries, base)
    return {key: value for key, value in entry.items() if value != []}


def _common_params() -> list[dict[str, Any]]:
    """Return the parameters that searches across all types take."""
    shared = several.known(definitions().resource_types).params
    return [_search_param(shared[code]) for code in sorted(shared) if shared[code].place != "refused"]


def served(type_name: str) -> list[Param]:
    """Return the search parameters of a type that are answered, by code; those refused by name are left out."""
    params = registry(type_name).params
    return [params[code] for code in sorted(params) if params[code].place != "refused" or code in EXPRESSIONS]


@lru_cache(2)
def _pointing(_epoch: int) -> dict[str, list[str]]:
    """Return {type: 'Other:param' of every served reference parameter that can point to it}."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in definitions().resource_types:
        for param in served(name):
            for target in dict.fromkeys(param.targets if param.kind == "reference" else ()):
                found[target].append(f"{name}:{param.code}")
    return found


def _search_param(param: Param) -> dict[str, Any]:
    return {"name": param.code, "definition": param.url, "type": param.kind}


def _queries(types: Sequence[str], queries: named.Listed, base: str) -> list[dict[str, Any]]:
    """Return the named queries (`_query`) of any of `types`, listed among the operations as R4 has it."""
    return [
        {"name": name, "definition": url if ":" in url else f"{base}/{url}"}
        for owner, name, url in queries
        if owner in types
    ]


def _operation(operation: Operation, base: str) -> dict[str, Any]:
    return {"name": operation.name.lstrip("$"), "definition": address(operation.definition, base)}
