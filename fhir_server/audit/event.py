"""An entry as an AuditEvent: what auditors and patients read.

Source: IHE Basic Audit Log Patterns 1.1; http://hl7.org/fhir/R4/auditevent.html; kinds.json has the codes
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from fhir_server.audit.entry import Entry
from fhir_server.version import CANONICAL

Json = dict[str, Any]

DCM = "http://dicom.nema.org/resources/ontology/DCM"
TYPES = "http://terminology.hl7.org/CodeSystem/audit-event-type"
SUBTYPES = "http://hl7.org/fhir/restful-interaction"
OUTCOMES = "http://terminology.hl7.org/CodeSystem/audit-event-outcome"
BALP = "https://profiles.ihe.net/ITI/BALP"
_ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_SOURCE, _DESTINATION = ("110153", "Source Role ID"), ("110152", "Destination Role ID")
ROLES = f"{CANONICAL}/CodeSystem/role"


class Kinds(msgspec.Struct):
    """The rows of kinds.json."""

    interactions: dict[str, dict[str, Any]]
    kinds: dict[str, dict[str, str]]


@cache
def kinds() -> Kinds:
    """Return the codes of each kind of entry."""
    return msgspec.json.decode(files(__package__).joinpath("kinds.json").read_bytes(), type=Kinds)


class Names(msgspec.Struct, frozen=True):
    """What an entry's numbers and references are called.

    Shape:  `patients` ids by row number, without those that are no longer there; `people` by reference
    """

    patients: Mapping[int, str] = {}
    people: Mapping[str, str] = {}


def outcome(status: int) -> str:
    """Return the outcome that an HTTP status stands for: 0 success, 4 minor failure, 8 serious failure."""
    return "0" if status < 400 else "4" if status < 500 else "8"


def action(one: Entry) -> str:
    """Return what was done: C, R, U, D or E."""
    row: Mapping[str, Any] = kinds().kinds.get(one.kind) or kinds().interactions.get(one.interaction, {})
    return str(row.get("action", "E"))


def rendered(one: Entry, id_: str, server: str, names: Names) -> Json:
    """Return the AuditEvent of an entry.

    Shape:  `server` is the FHIR base of the server that wrote it
    """
    if one.kind == "posted":
        return {**msgspec.json.decode(one.content), "id": id_, "meta": _meta(one, [])}
    row = kinds().interactions.get(one.interaction, {})
    patients = [names.patients[rid] for rid in one.patients if rid in names.patients]
    event: Json = {
        "resourceType": "AuditEvent",
        "id": id_,
        "meta": _meta(one, _profiles(one, row, patients)),
        **_coded(one, row),
        "action": action(one),
        "recorded": _instant(one.at),
        "outcome": outcome(one.status),
        **_told(one),
        **({"purposeOfEvent": [_concept(_REASON, one.purpose)]} if one.purpose else {}),
        "agent": _agents(one, bool(row.get("reads")), server, names),
        "source": {"observer": {"display": server}, "type": [_code(_SYSTEM, "4", "Application Server")]},
    }
    entities = _entities(one, patients)
    return event | ({"entity": entities} if entities else {})


_SYSTEM = "http://terminology.hl7.org/CodeSystem/security-source-type"


def _meta(one: Entry, profiles: list[str]) -> Json:
    meta: Json = {"versionId": "1", "lastUpdated": _instant(one.at)}
    return meta | ({"profile": profiles} if profiles else {})


def _profiles(one: Entry, row: Mapping[str, Any], patients: list[str]) -> list[str]:
    """Return the patterns that the event follows; they are of what succeeded, for at most one patient."""
    pattern = row.get("pattern", "")
    if one.kind != "rest" or not pattern or one.status >= 400 or not one.address:
        return []
    named = "Patient" if len(patients) == 1 else ""
    return [f"{BALP}/StructureDefinition/IHE.BasicAudit.{named}{pattern}"]


def _coded(one: Entry, row: Mapping[str, Any]) -> Json:
    kind = kinds().kinds.get(one.kind)
    if kind is None:
        named = "operation" if one.interaction.startswith("$") else row.get("subtype", one.interaction)
        subtype = [_code(SUBTYPES, named, named)]
        return {"type": _code(TYPES, "rest", "Restful Operation"), "subtype": subtype if named else []}
    coded: Json = {"type": _code(DCM, kind["type"], kind["display"])}
    if kind["subtype"]:
        coded["subtype"] = [_code(DCM, kind["subtype"], kind["subtype-display"])]
    return coded


def _told(one: Entry) -> Json:
    said = [f"HTTP status {one.status}"] if one.status >= 400 else []
    said += [f"{name}: {value}" for name, value in one.detail.items()]
    said += [one.interaction] if one.interaction.startswith("$") else []
    said += [f"elevation: {elevation}" for elevation in one.elevations]
    return {"outcomeDesc": "; ".join(said)} if said else {}


def _agents(one: Entry, reads: bool, server: str, names: Names) -> list[Json]:
    here, there = (_SOURCE, _DESTINATION) if reads else (_DESTINATION, _SOURCE)
    network = {"network": {"address": one.address, "type": "2"}} if one.address else {}
    agents: list[Json] = [
        {
            "type": _concept(DCM, *there),
            "who": {"identifier": {"value": one.client}},
            "requestor": not one.user,
            **network,
        },
        {
            "type": _concept(DCM, *here),
            "who": {"display": server},
            "requestor": False,
            "network": {"address": server, "type": "5"},
        },
    ]
    return agents + ([_person(one, action(one), names)] if one.user or one.subject != one.client else [])


def _person(one: Entry, did: str, names: Names) -> Json:
    given = did in ("C", "U", "D")
    kind = (
        _concept("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "AGNT", "agent")
        if given
        else _concept(
            "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP", "information recipient"
        )
    )
    who: Json = {"reference": one.user} if one.user else {}
    who |= {"identifier": {"value": one.subject}}
    name = names.people.get(one.user, "")
    return {
        "type": kind,
        **({"role": [_concept(ROLES, role) for role in one.roles]} if one.roles else {}),
        "who": who | ({"display": name} if name else {}),
        **({"name": name} if name else {}),
        "requestor": True,
        **({"policy": [f"urn:healthbuddy:session:{one.session}"]} if one.session else {}),
        **({"purposeOfUse": [_concept(_REASON, one.purpose)]} if one.purpose else {}),
    }


def _entities(one: Entry, patients: list[str]) -> list[Json]:
    found: list[Json] = []
    if one.query:
        asked = base64.b64encode(one.query.encode()).decode()
        found.append(
            {
                "type": _code(_ENTITY, "2", "System Object"),
                "role": _code(_ROLE, "24", "Query"),
                "query": asked,
            }
        )
    if one.id:
        version = f"/_history/{one.version}" if one.version else ""
        what = {"reference": f"{one.type}/{one.id}{version}"}
        role = _code(_ROLE, "4", "Domain Resource")
        found.append({"what": what, "type": _code(_ENTITY, "2", "System Object"), "role": role})
    for id_ in patients:
        what, role = {"reference": f"Patient/{id_}"}, _code(_ROLE, "1", "Patient")
        found.append({"what": what, "type": _code(_ENTITY, "1", "Person"), "role": role})
    if one.request:
        kind = _code(f"{BALP}/CodeSystem/BasicAuditEntityType", "XrequestId")
        found.append({"what": {"identifier": {"value": one.request}}, "type": kind})
    return found


def _code(system: str, code: str, display: str = "") -> Json:
    return {"system": system, "code": code} | ({"display": display} if display else {})


def _concept(system: str, code: str, display: str = "") -> Json:
    return {"coding": [_code(system, code, display)]}


def _instant(micros: int) -> str:
    return (
        datetime.fromtimestamp(micros / 1_000_000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
