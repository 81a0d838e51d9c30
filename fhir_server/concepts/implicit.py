"""Value sets that nobody stores: those that a url of SNOMED CT or LOINC implies, and all codes of a code system.

Source: http://hl7.org/fhir/R4/snomedct.html#implicit, http://hl7.org/fhir/R4/loinc.html#implicit, codesystem.html
(CodeSystem.valueSet)
"""

from __future__ import annotations

from urllib.parse import unquote

from fhir_server.concepts import expressions, memory
from fhir_server.concepts.leaves import Clause
from fhir_server.concepts.model import Conn, Json, System

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
_EXPRESSION = "?fhir_vs=ecl/"


async def valueset(conn: Conn, canonical: str) -> Json | None:
    """Return the ValueSet that a canonical (`url` or `url|version`) implies, None where it implies none.

    Shape:  the version is the code system's; the bars of an expression are its own and begin no version
    """
    return await memory.asked(("implied", canonical), lambda: _implied(conn, canonical))


async def _implied(conn: Conn, canonical: str) -> Json | None:
    url, _, version = (canonical, "", "") if _EXPRESSION in canonical else canonical.partition("|")
    base, mark, query = url.partition("?")
    if mark and query.startswith("fhir_vs"):
        return _by_query(url, base, query.removeprefix("fhir_vs"), version)
    loinc = {"system": LOINC} | ({"version": version} if version else {})
    if url == f"{LOINC}/vs":
        return _made(url, loinc)
    if url.startswith(f"{LOINC}/vs/LP"):
        part = url.removeprefix(f"{LOINC}/vs/")
        return _made(url, loinc | {"filter": [_filter("concept", "is-a", part)]})
    return await _all_of(conn, url, version)


def _by_query(url: str, base: str, rest: str, wanted: str) -> Json | None:
    system, edition = _edition(base)
    if edition and wanted not in ("", edition):
        return None
    version = edition or wanted
    rule: Json = {"system": system} | ({"version": version} if version else {})
    kind, _, value = rest.removeprefix("=").partition("/")
    match kind:
        case "":
            return _made(url, rule)
        case "isa":
            return _made(url, rule | {"filter": [_filter("concept", "is-a", value)]})
        case "refset" if value:
            return _made(url, rule | {"filter": [_filter("concept", "in", value)]})
        case "ecl":
            return _made(url, rule | {"filter": [_filter("constraint", "=", unquote(value))]})
    return None


def _edition(base: str) -> tuple[str, str]:
    """Return code system and version of a base such as `http://snomed.info/sct/{module}/version/{date}`."""
    return (SNOMED, base) if base.startswith(SNOMED + "/") else (base, "")


def _made(url: str, rule: Json) -> Json:
    return {"resourceType": "ValueSet", "url": url, "status": "active", "compose": {"include": [rule]}}


def _filter(name: str, operator: str, value: str) -> Json:
    return {"property": name, "op": operator, "value": value}


async def _all_of(conn: Conn, url: str, version: str) -> Json | None:
    """Return the value set of all codes of the code system (in a version) that names it so."""
    cursor = await conn.execute(
        "SELECT url, version FROM code_system WHERE ready AND replaced IS NULL AND valueset = %s"
        " AND (%s = '' OR version = %s) ORDER BY loaded DESC LIMIT 1",
        (url, version, version),
    )
    found = await cursor.fetchone()
    return _made(url, {"system": found[0], "version": found[1]}) if found else None


async def clause(conn: Conn, system: System, json: Json) -> Clause | None:
    """Return the condition of a filter that only SNOMED CT has: expressions, and membership of a reference set.

    Errors: FhirError 400 for what is no expression, UnknownError where it names a concept that is not there
    """
    if system.url != SNOMED:
        return None
    name, operator, value = json.get("property"), json.get("op"), json.get("value", "")
    if name in ("constraint", "expression") and operator == "=":
        return await expressions.clause(conn, system, value)
    if name == "concept" and operator == "in":
        return await expressions.members(conn, system, value)
    return None
