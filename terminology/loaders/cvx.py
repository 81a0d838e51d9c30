"""CVX, the CDC's codes of vaccines: the flat file `cvx.txt`, fields apart by bars.

Inactive are the statuses Inactive and Never Active.
Source: CDC, "IIS: Current HL7 Standard Code Set, CVX", column list of the flat file,
https://www2.cdc.gov/vaccines/iis/iisstandards/vaccines.asp?rpt=cvx; http://hl7.org/fhir/R4/cvx.html
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from terminology.loaders.release import Asked, LoadError, Release
from terminology.loaders.source import Member, Source
from terminology.records import ConceptRecord, DeclaredProperty, Designation, PropertyValue, SystemHeader

URL = "http://hl7.org/fhir/sid/cvx"
_SHORT = ("", "short", "Short description")
_INACTIVE = frozenset({"inactive", "never active"})


def read(source: Source, asked: Asked) -> Release:
    """Return what `cvx.txt` says; version: the newest date of change in it (YYYYMMDD) unless told."""
    member = source.first("*cvx*.txt") or source.need("*.txt")
    source.expect([member])
    records = {one.code: (one, date) for one, date in _rows(source, member)}
    if not records:
        raise LoadError(f"{member.name} has no line of CVX")
    newest = max(date for _, date in records.values())
    declared = (DeclaredProperty("VaccineStatus", "string"), DeclaredProperty("notes", "string"))
    header = SystemHeader(
        URL, asked.version or newest, "CVX", properties=declared, resource={"valueSet": f"{URL}/vs"}
    )
    return Release(header, partial(_all, [one for one, _ in records.values()]), len(records))


def _all(records: list[ConceptRecord]) -> Iterator[ConceptRecord]:
    return iter(records)


def _rows(source: Source, member: Member) -> Iterator[tuple[ConceptRecord, str]]:
    """Yield each concept with the date of its last change."""
    for line, fields in source.split(member, "|", 7):
        code, short, full, notes, status, _, changed = (text.strip() for text in fields[:7])
        if not code or not (short or full):
            source.problems.add(member.name, line, "no code or no name")
            continue
        told = (("VaccineStatus", status), ("notes", notes))
        yield (
            ConceptRecord(
                code=code,
                display=full or short,
                active=status.casefold() not in _INACTIVE,
                properties=tuple(PropertyValue(name, "string", value) for name, value in told if value),
                designations=(Designation(short, "en", _SHORT),) if short and short != full else (),
            ),
            _sortable(changed),
        )


def _sortable(date: str) -> str:
    """Return a date of the file (2010/05/28 or 5/28/2010) as YYYYMMDD."""
    parts = date.replace("-", "/").split("/")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return ""
    year, month, day = parts if len(parts[0]) == 4 else (parts[2], *parts[:2])
    return f"{year}{month:0>2}{day:0>2}"
