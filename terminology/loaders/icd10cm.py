"""ICD-10-CM: the order file gives the codes, the tabular XML chapters, blocks and categories; either or both.

`billable` tells whether a code is valid for a claim. Codes carry the dot that FHIR wants (`E11.9`).
Source: CDC/NCHS and CMS, "ICD-10-CM Order File Format" (icd10OrderFiles.pdf) and `icd10cm-tabular.xsd` (FY 2025),
https://www.cms.gov/medicare/coding-billing/icd-10-codes; http://hl7.org/fhir/R4/icd.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from lxml import etree

from terminology.loaders.release import Asked, LoadError, Release
from terminology.loaders.source import Member, Source
from terminology.records import ConceptRecord, DeclaredProperty, Designation, PropertyValue, SystemHeader

URL = "http://hl7.org/fhir/sid/icd-10-cm"
_YEAR = re.compile(r"(20\d\d)")
_LINE = re.compile(r"(\d{5}) ([A-Z0-9]{3,7}) +([01]) (.{1,60})(?: (.+))?")
_CATEGORY = 3


def read(source: Source, asked: Asked) -> Release:
    """Return what an order file, a tabular XML or both say; version: the fiscal year in the files' names."""
    order = source.first("icd10cm*order*.txt")
    tabular = source.first("icd10cm*tabular*.xml")
    if order is None and tabular is None:
        raise LoadError(f"There is no icd10cm-order-….txt or icd10cm-tabular-….xml in {source.path}")
    source.expect([order, tabular])
    named = _YEAR.search((order or tabular or source.members[0]).name) or _YEAR.search(source.path.name)
    if not asked.version and named is None:
        raise LoadError("The files' names do not tell the year: give --version")
    header = SystemHeader(
        URL,
        asked.version or (named.group(1) if named else ""),
        "ICD_10_CM",
        "ICD-10-CM",
        cased=False,
        properties=(DeclaredProperty("billable", "boolean"),),
        resource={"valueSet": f"{URL}/vs"},
    )
    records = {one.code: one for one in (_tabular(source, tabular) if tabular else ())}
    if order is not None:
        _merge(records, source, order)
    return Release(header, partial(_all, records), len(records))


def _all(records: dict[str, ConceptRecord]) -> Iterator[ConceptRecord]:
    return iter(records.values())


def dotted(code: str) -> str:
    """Return a code as FHIR writes it."""
    return code if len(code) <= _CATEGORY else f"{code[:_CATEGORY]}.{code[_CATEGORY:]}"


def _merge(records: dict[str, ConceptRecord], source: Source, member: Member) -> None:
    """Add the codes of an order file, those with seventh characters too, and whether they are billable."""
    for line, text in source.lines(member):
        found = _LINE.fullmatch(text.rstrip("\r\n").rstrip())
        if found is None:
            if text.strip():
                source.problems.add(member.name, line, "is no line of an order file")
            continue
        _, bare, valid, short, long = found.groups()
        code, short = dotted(bare), short.strip()
        display = (long or short).strip()
        known = records.get(code)
        records[code] = ConceptRecord(
            code=code,
            display=display,
            parents=known.parents if known else _above(records, bare),
            properties=(PropertyValue("billable", "boolean", "true" if valid == "1" else "false"),),
            designations=(
                (Designation(short, "en", ("", "short", "Short description")),) if short != display else ()
            ),
        )


def _above(records: dict[str, ConceptRecord], bare: str) -> tuple[str, ...]:
    """Return the code with the longest beginning of `bare` that is there (seventh characters follow fillers)."""
    for length in range(len(bare) - 1, _CATEGORY - 1, -1):
        if dotted(bare[:length]) in records:
            return (dotted(bare[:length]),)
    return ()


def _tabular(source: Source, member: Member) -> Iterator[ConceptRecord]:
    """Yield chapters (`Chapter 1`), blocks (`A00-A09`) and codes of the tabular list."""
    with source.binary(member) as stream:
        above: list[str] = []
        settings = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
        for event, element in etree.iterparse(
            stream, events=("start", "end"), tag=("chapter", "section", "diag", "desc"), **settings
        ):
            if element.tag == "desc":
                if event == "end" and above and element.getparent().tag != "desc":
                    yield _heading(element.getparent(), (element.text or "").strip(), above)
            elif event == "start":
                above.append("")
            else:
                above.pop()
                element.clear()


def _heading(element: etree._Element, text: str, above: list[str]) -> ConceptRecord:
    """Return the concept that a description makes; its code becomes what is above those that follow inside."""
    name = (element.findtext("name") or "").strip()
    code = {"chapter": f"Chapter {name}", "section": element.get("id", "")}.get(str(element.tag), name)
    above[-1] = code
    parents = tuple(one for one in above[-2:-1] if one)
    group = element.tag != "diag"
    return ConceptRecord(code=code, display=text, parents=parents, abstract=group)
