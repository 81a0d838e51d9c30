"""LOINC's release: terms, parts, answers, the hierarchy, names in other languages, answer lists as value sets.

Properties are the columns of R4's page, under their names; the six axes (COMPONENT … METHOD_TYP) have the part's
code besides its text, so that value sets may filter by either. DEPRECATED terms are inactive.
Source: LOINC Users' Guide, Appendix A "LOINC Database Structure", and the Readme files of the release (2.78),
https://loinc.org/kb/users-guide/; http://hl7.org/fhir/R4/loinc.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from terminology.loaders.release import Asked, LoadError, Release
from terminology.loaders.source import Member, Source
from terminology.loaders.staging import APART, Fact, Staging
from terminology.records import ConceptRecord, DeclaredProperty, Designation, PropertyValue, SystemHeader

Json = dict[str, Any]
URL = "http://loinc.org"
COPYRIGHT = (
    "This content LOINC® is copyright © 1995 Regenstrief Institute, Inc. and the LOINC Committee, and available at no"
    " cost under the license at http://loinc.org/terms-of-use"
)
TERM, NAME, TEXT, PART, PARENT = range(5)
LIST = APART

AXES = ("COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP")
PLAIN = ("STATUS", *AXES, "CLASS", "CONSUMER_NAME", "CLASSTYPE", "ORDER_OBS", "DOCUMENT_SECTION")
_AXIS_OF_PART = {
    "COMPONENT": "COMPONENT", "PROPERTY": "PROPERTY", "TIME": "TIME_ASPCT",
    "SYSTEM": "SYSTEM", "SCALE": "SCALE_TYP", "METHOD": "METHOD_TYP",
}  # fmt: skip
_SHORT_NAME = (URL, "SHORTNAME", "Short name")
_LONG_NAME = (URL, "LONG_COMMON_NAME", "Long common name")
_VARIANT = re.compile(r"([a-z]{2,3})([A-Z]{2})\d+LinguisticVariant\.csv")


def read(source: Source, asked: Asked) -> Release:
    """Return what the CSV files of a LOINC release say."""
    terms = source.need("Loinc.csv")
    parts = source.first("Part.csv")
    links = source.first("LoincPartLink_Primary.csv")
    tree = source.first("ComponentHierarchyBySystem.csv", "MultiAxialHierarchy.csv")
    answers = source.first("AnswerList.csv")
    variants = [one for one in source.find("*LinguisticVariant.csv") if _language(one)]
    source.expect([terms, parts, links, tree, answers, *variants])
    staging = Staging()
    staging.add(_terms(source, terms))
    for member, reader in ((parts, _parts), (links, _links), (tree, _tree), (answers, _answers)):
        if member is not None:
            staging.add(reader(source, member))
    for member in variants:
        staging.add(_names(source, member))
    version = asked.version or _version(source)
    declared = (
        *(DeclaredProperty(name, "code" if name in AXES else "string") for name in PLAIN),
        DeclaredProperty("copyright", "string"),
    )
    header = SystemHeader(
        *(URL, version, "LOINC"), cased=False, properties=declared, copyright=COPYRIGHT,
        resource={"valueSet": f"{URL}/vs"},
    )  # fmt: skip
    return Release(header, partial(_records, staging), staging.count(TERM), partial(_lists, staging, version))


def _version(source: Source) -> str:
    """Return the version that folder or archive is named by (`Loinc_2.78`)."""
    found = re.search(r"loinc[_-]?v?(\d+\.\d+)", source.path.name, re.IGNORECASE)
    if found is None:
        raise LoadError("LOINC's files do not tell their version: give --version, such as 2.78")
    return found.group(1)


def _terms(source: Source, member: Member) -> Iterator[Fact]:
    for line, row in source.table(member):
        code = row.get("LOINC_NUM", "")
        display = row.get("LONG_COMMON_NAME") or row.get("SHORTNAME", "")
        if not code or not display:
            source.problems.add(member.name, line, "no LOINC_NUM or no name")
            continue
        owner = "3rdParty" if row.get("EXTERNAL_COPYRIGHT_NOTICE") else "LOINC"
        values = [row.get(name, "") for name in PLAIN]
        yield Fact(code, TERM, (display, row.get("DefinitionDescription", ""), *values, owner))
        if row.get("SHORTNAME") and row["SHORTNAME"] != display:
            yield Fact(code, NAME, ("en", "short", row["SHORTNAME"]))


def _parts(source: Source, member: Member) -> Iterator[Fact]:
    for line, row in source.table(member):
        code, display = row.get("PartNumber", ""), row.get("PartDisplayName") or row.get("PartName", "")
        if code and display:
            yield _bare(code, display, row.get("Status", ""))
        else:
            source.problems.add(member.name, line, "no PartNumber or no name")


def _bare(code: str, display: str, status: str) -> Fact:
    """Return what makes a part or an answer a concept."""
    return Fact(code, TERM, (display, "", status, *([""] * len(PLAIN))))


def _links(source: Source, member: Member) -> Iterator[Fact]:
    for line, row in source.table(member):
        code, part = row.get("LoincNumber", ""), row.get("PartNumber", "")
        axis = _AXIS_OF_PART.get(row.get("PartTypeName", ""))
        if not code or not part:
            source.problems.add(member.name, line, "no LoincNumber or no PartNumber")
        elif axis is not None:
            yield Fact(code, PART, (axis, part, row.get("PartName", "")))


def _tree(source: Source, member: Member) -> Iterator[Fact]:
    for line, row in source.table(member):
        code = row.get("CODE", "")
        if not code:
            source.problems.add(member.name, line, "no CODE")
            continue
        if code.startswith("LP"):
            yield Fact(code, TEXT, (row.get("CODE_TEXT", ""),))
        if row.get("IMMEDIATE_PARENT"):
            yield Fact(code, PARENT, (row["IMMEDIATE_PARENT"],))


def _answers(source: Source, member: Member) -> Iterator[Fact]:
    for line, row in source.table(member):
        key, code = row.get("AnswerListId", ""), row.get("AnswerStringId", "")
        if not key:
            source.problems.add(member.name, line, "no AnswerListId")
        elif code:
            display = row.get("DisplayText", "")
            yield _bare(code, display, "ACTIVE")
            yield Fact(
                key, LIST, (row.get("AnswerListName", ""), code, display, row.get("SequenceNumber", ""))
            )


def _language(member: Member) -> str:
    """Return the language of a file of names, empty where its name does not tell one."""
    found = _VARIANT.search(member.name)
    return f"{found.group(1)}-{found.group(2)}" if found else ""


def _names(source: Source, member: Member) -> Iterator[Fact]:
    language = _language(member)
    for line, row in source.table(member):
        if not row.get("LOINC_NUM"):
            source.problems.add(member.name, line, "no LOINC_NUM")
            continue
        for column, kind in (("LONG_COMMON_NAME", "long"), ("SHORTNAME", "short")):
            if row.get(column):
                yield Fact(row["LOINC_NUM"], NAME, (language, kind, row[column]))


def _records(staging: Staging) -> Iterator[ConceptRecord]:
    for code, facts in staging.grouped():
        terms = [fact.fields for fact in facts if fact.tag == TERM]
        texts = [fact.fields[0] for fact in facts if fact.tag == TEXT]
        if terms or texts:
            yield _record(code, terms[0] if terms else (texts[0], "", *([""] * (len(PLAIN) + 1))), facts)


def _record(code: str, term: Sequence[str], facts: Sequence[Fact]) -> ConceptRecord:
    values = dict(zip(PLAIN, term[2:-1], strict=True))
    properties = [PropertyValue(name, "string", value) for name, value in values.items() if value]
    properties += [PropertyValue(f[0], "code", f[1], "", f[2]) for f in _tagged(facts, PART)]
    if term[-1]:
        properties.append(PropertyValue("copyright", "string", term[-1]))
    return ConceptRecord(
        code=code,
        display=term[0],
        definition=term[1],
        parents=tuple(dict.fromkeys(f[0] for f in _tagged(facts, PARENT))),
        active=values["STATUS"] not in ("DEPRECATED", "INACTIVE"),
        properties=tuple(properties),
        designations=tuple(
            Designation(f[2], f[0], _SHORT_NAME if f[1] == "short" else _LONG_NAME)
            for f in _tagged(facts, NAME)
        ),
    )


def _tagged(facts: Sequence[Fact], tag: int) -> Iterator[tuple[str, ...]]:
    return (fact.fields for fact in facts if fact.tag == tag)


def _lists(staging: Staging, version: str) -> Iterator[Json]:
    """Yield each answer list as a value set."""
    for key, facts in groupby(staging.tagged(LIST), key=lambda fact: fact.key):
        rows = sorted((fact.fields for fact in facts), key=lambda f: int(f[3]) if f[3].isdigit() else 0)
        unique = {f[1]: {"code": f[1]} | ({"display": f[2]} if f[2] else {}) for f in rows}
        yield {
            "resourceType": "ValueSet",
            "url": f"{URL}/vs/{key}",
            "version": version,
            "name": re.sub(r"\W", "_", key),
            "title": rows[0][0] or key,
            "status": "active",
            "copyright": COPYRIGHT,
            "compose": {"include": [{"system": URL, "concept": list(unique.values())}]},
        }
