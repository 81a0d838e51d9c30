"""SNOMED CT in Release Format 2, the Snapshot of an edition (International, GPS or a national one).

The display is the preferred synonym; further names are designations with language and use. `is a` gives the parents,
other relationships become properties under the type's code, membership of a simple reference set the property
`refset`. Maps become ConceptMaps under the url that R4 gives them.
Source: SNOMED CT Release File Specifications, sections 4.2 (components) and 5.2 (reference sets),
https://confluence.ihtsdotools.org/display/DOCRELFMT; http://hl7.org/fhir/R4/snomedct.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from terminology.loaders.release import Asked, LoadError, Release
from terminology.loaders.snomed_maps import maps, rows_of_maps
from terminology.loaders.source import Member, Source
from terminology.loaders.staging import ALIAS, Fact, Staging
from terminology.records import ConceptRecord, DeclaredProperty, Designation, PropertyValue, SystemHeader

Json = dict[str, Any]
URL = "http://snomed.info/sct"
COPYRIGHT = (
    "SNOMED CT® is copyright © International Health Terminology Standards Development Organisation"
    " (SNOMED International); its use needs a licence, or membership of the country."
)
CONCEPT, NAME, LANGUAGE, DEFINITION, RELATION, MEMBER = range(6)

IS_A = "116680003"
INTERNATIONAL = "900000000000207008"
MODEL = "900000000000012004"
"""The module of the model itself, which comes with every edition."""
US_ENGLISH = "900000000000509007"
_FSN, _SYNONYM = "900000000000003001", "900000000000013009"
_PREFERRED = "900000000000548007"
_DEFINED = "900000000000073002"
_STATED = "900000000000010007"
_USES = {
    _FSN: (URL, _FSN, "Fully specified name"),
    _SYNONYM: (URL, _SYNONYM, "Synonym"),
}
_DATE = re.compile(r"_(\d{8})(?:T\d+Z?)?\.(?:txt|zip)$|_(\d{8})T")


Reader = Callable[[Source, Member], Iterator[Fact]]


def read(source: Source, asked: Asked) -> Release:
    """Return what the Snapshot files of a release say.

    Shape:  `asked.version` is the edition's uri (`http://snomed.info/sct/{module}/version/{date}`); else it is made of
            the module that most concepts of the newest date are in, and the date that the file is named by
    """
    concepts = source.need("*sct2_Concept_Snapshot*.txt")
    found = {
        "names": source.find("*sct2_Description_Snapshot*.txt"),
        "definitions": source.find("*sct2_TextDefinition_Snapshot*.txt"),
        "relations": source.find("*sct2_Relationship_Snapshot*.txt"),
        "languages": source.find("*der2_cRefset_Language*Snapshot*.txt"),
        "members": source.find("*der2_Refset_*Simple*Snapshot*.txt"),
        "simple": source.find("*der2_sRefset_SimpleMap*Snapshot*.txt"),
        "extended": source.find("*der2_iisssccRefset_ExtendedMap*Snapshot*.txt"),
    }
    source.expect([concepts, *(one for those in found.values() for one in those)])
    staging, types = Staging(), set[str]()
    modules: dict[str, tuple[str, int]] = {}
    staging.add(_concepts(source, concepts, modules))
    readers: dict[str, Reader] = {
        "names": _names, "definitions": _definitions, "languages": _languages, "members": _members,
        "relations": partial(_relations, types=types),
        "simple": partial(rows_of_maps, extended=False), "extended": partial(rows_of_maps, extended=True),
    }  # fmt: skip
    for kind, reader in readers.items():
        for member in found[kind]:
            staging.add(reader(source, member))
    version = asked.version or _version(concepts, modules)
    header = SystemHeader(
        *(URL, version, "SNOMED_CT", "SNOMED CT"), compositional=True, copyright=COPYRIGHT,
        properties=_declared(types), resource={"valueSet": f"{URL}?fhir_vs"},
    )  # fmt: skip
    return Release(
        header, partial(_records, staging), staging.count(CONCEPT), partial(maps, staging, version)
    )


def _declared(types: set[str]) -> tuple[DeclaredProperty, ...]:
    return (
        DeclaredProperty("inactive", "boolean", "http://hl7.org/fhir/concept-properties#inactive"),
        DeclaredProperty("sufficientlyDefined", "boolean"),
        DeclaredProperty("moduleId", "code"),
        DeclaredProperty("effectiveTime", "string"),
        DeclaredProperty("refset", "code"),
        *(DeclaredProperty(one, "code", f"http://snomed.info/id/{one}") for one in sorted(types)),
    )


def _version(member: Member, modules: dict[str, tuple[str, int]]) -> str:
    """Return the edition's uri: an extension has a module besides the International one, which is then its name."""
    date = _DATE.search(member.name)
    if date is None or not modules:
        raise LoadError("The files' names do not tell their date: give --version http://snomed.info/sct/…")
    own = {one: seen for one, seen in modules.items() if one not in (INTERNATIONAL, MODEL)}
    module = max(own, key=lambda one: own[one]) if own else INTERNATIONAL
    return f"{URL}/{module}/version/{date.group(1) or date.group(2)}"


def _concepts(source: Source, member: Member, modules: dict[str, tuple[str, int]]) -> Iterator[Fact]:
    names = ("id", "effectiveTime", "active", "moduleId", "definitionStatusId")
    for line, (code, time, active, module, status) in source.columns(member, "\t", *names):
        if not code.isdigit():
            source.problems.add(member.name, line, "the id is no number")
            continue
        newest, count = modules.get(module, ("", 0))
        modules[module] = (max(newest, time), count + 1)
        yield Fact(code, CONCEPT, (active, module, time, status))


def _names(source: Source, member: Member) -> Iterator[Fact]:
    names = ("id", "active", "conceptId", "languageCode", "typeId", "term")
    for line, (code, active, concept, language, kind, term) in source.columns(member, "\t", *names):
        if not term or not concept:
            source.problems.add(member.name, line, "no term or no concept")
        elif active == "1":
            yield Fact(concept, NAME, (code, language, kind, term))
            yield Fact(concept, ALIAS, (code,))


def _definitions(source: Source, member: Member) -> Iterator[Fact]:
    for _, (active, concept, term) in source.columns(member, "\t", "active", "conceptId", "term"):
        if active == "1":
            yield Fact(concept, DEFINITION, (term,))


def _languages(source: Source, member: Member) -> Iterator[Fact]:
    names = ("active", "refsetId", "referencedComponentId", "acceptabilityId")
    for _, (active, refset, description, acceptability) in source.columns(member, "\t", *names):
        if active == "1" and acceptability == _PREFERRED:
            yield Fact(f"@{description}", LANGUAGE, (description, refset))


def _relations(source: Source, member: Member, *, types: set[str]) -> Iterator[Fact]:
    names = ("active", "sourceId", "destinationId", "typeId", "characteristicTypeId")
    for line, (active, here, there, kind, how) in source.columns(member, "\t", *names):
        if not (here and there and kind):
            source.problems.add(member.name, line, "a relationship without source, destination or type")
        elif active == "1" and how != _STATED:
            if kind != IS_A:
                types.add(kind)
            yield Fact(here, RELATION, (kind, there))


def _members(source: Source, member: Member) -> Iterator[Fact]:
    names = ("active", "refsetId", "referencedComponentId")
    for _, (active, refset, component) in source.columns(member, "\t", *names):
        if active == "1":
            yield Fact(component, MEMBER, (refset,))


def _records(staging: Staging) -> Iterator[ConceptRecord]:
    for code, facts in staging.grouped():
        known = next((fact.fields for fact in facts if fact.tag == CONCEPT), None)
        if known is not None:
            yield _record(code, known, facts)


def _record(code: str, known: Sequence[str], facts: Sequence[Fact]) -> ConceptRecord:
    active, module, time, status = known
    by = {tag: [fact.fields for fact in facts if fact.tag == tag] for tag in range(MEMBER + 1)}
    display = _display(by[NAME], by[LANGUAGE]) or code
    properties = [
        PropertyValue("inactive", "boolean", "false" if active == "1" else "true"),
        PropertyValue("sufficientlyDefined", "boolean", "true" if status == _DEFINED else "false"),
        PropertyValue("moduleId", "code", module),
        PropertyValue("effectiveTime", "string", time),
        *(PropertyValue(kind, "code", there) for kind, there in by[RELATION] if kind != IS_A),
        *(PropertyValue("refset", "code", refset) for (refset,) in by[MEMBER]),
    ]
    return ConceptRecord(
        code=code,
        display=display,
        definition=by[DEFINITION][0][0] if by[DEFINITION] else "",
        parents=tuple(dict.fromkeys(there for kind, there in by[RELATION] if kind == IS_A)),
        active=active == "1",
        properties=tuple(dict.fromkeys(properties)),
        designations=tuple(
            Designation(term, language, _USES.get(kind, (URL, kind, "")))
            for _, language, kind, term in by[NAME]
        ),
    )


def _display(names: Sequence[Sequence[str]], preferred: Sequence[Sequence[str]]) -> str:
    """Return the synonym that US English prefers, else one that any language prefers, else English, else any name."""
    us = {description for description, refset in preferred if refset == US_ENGLISH}
    liked = {description for description, _ in preferred}
    ordered = sorted(
        names, key=lambda n: (n[2] != _SYNONYM, n[0] not in us, n[0] not in liked, not n[1].startswith("en"))
    )
    return ordered[0][3] if ordered else ""
