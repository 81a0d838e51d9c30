"""RxNorm's release files: one concept for each RXCUI that RxNorm itself names.

Properties are those that value sets filter by: STY (the TUI, and `STY:name`), SAB, TTY, relations under their REL and
their RELA with `CUI:…` or `AUI:…` as the value, and RxNorm's own attributes under their ATN.
Source: RxNorm Technical Documentation, sections 12.4 to 12.7 (RXNCONSO, RXNREL, RXNSAT, RXNSTY),
https://www.nlm.nih.gov/research/umls/rxnorm/docs/techdoc.html; http://hl7.org/fhir/R4/rxnorm.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from terminology.loaders.release import Asked, LoadError, Release
from terminology.loaders.source import Member, Source
from terminology.loaders.staging import ALIAS, Fact, Staging
from terminology.records import ConceptRecord, DeclaredProperty, Designation, PropertyValue, SystemHeader

URL = "http://www.nlm.nih.gov/research/umls/rxnorm"
COPYRIGHT = (
    "RxNorm is made available by the US National Library of Medicine; parts of it are under the UMLS licence."
)
ATOM, SOURCE, TYPE, RELATION, ATTRIBUTE = range(5)

_SIDE_NAMES = {"SY": "Synonym", "TMSY": "Tall man lettering", "PSN": "Prescribable name", "ET": "Entry term"}
"""Types of terms that are never a concept's display."""
_RELS = ("SY", "SIB", "RN", "PAR", "CHD", "RB", "RO")
_LANGUAGES = {"ENG": "en", "SPA": "es"}


def read(source: Source, asked: Asked) -> Release:
    """Return what the RRF files of a release say; version: the release date as in the files (MMDDYYYY)."""
    names, relations, attributes, types = (
        source.need("RXNCONSO.RRF"),
        source.first("RXNREL.RRF"),
        source.first("RXNSAT.RRF"),
        source.first("RXNSTY.RRF"),
    )
    if not asked.version:
        raise LoadError("RxNorm's files do not tell their version: give --version, such as 11032025")
    source.expect([names, relations, attributes, types])
    staging = Staging()
    staging.add(_atoms(source, names))
    seen: set[str] = set(_RELS)
    if relations is not None:
        staging.add(_relations(source, relations, seen))
    if attributes is not None:
        staging.add(_attributes(source, attributes, seen))
    if types is not None:
        staging.add(Fact(f[0], TYPE, (f[1], f[3])) for _, f in source.split(types, "|", 6))
    declared = tuple(DeclaredProperty(name, "string") for name in ("STY", "SAB", "TTY", *sorted(seen)))
    header = SystemHeader(
        *(URL, asked.version, "RxNorm"), cased=False, properties=declared, copyright=COPYRIGHT,
        resource={"valueSet": f"{URL}/vs"},
    )  # fmt: skip
    return Release(header, partial(_records, staging), staging.count(ATOM))


def _atoms(source: Source, member: Member) -> Iterator[Fact]:
    """Yield RxNorm's own names, which other sources name a concept, and the atoms' concepts."""
    for line, f in source.split(member, "|", 18):
        if not f[0] or not f[14]:
            source.problems.add(member.name, line, "no RXCUI or no STR")
            continue
        yield Fact(f[0], ALIAS, (f[7],))
        if f[11] == "RXNORM":
            yield Fact(f[0], ATOM, (f[12], f[6], f[16], f[1], f[14]))
        else:
            yield Fact(f[0], SOURCE, (f[11],))


def _relations(source: Source, member: Member, seen: set[str]) -> Iterator[Fact]:
    """Yield the relations that RXCUI1 (or RXAUI1) has to RXCUI2 (or RXAUI2), as FHIR's page reads them."""
    for line, f in source.split(member, "|", 16):
        if f[14] not in ("", "N"):
            continue
        if not (f[0] or f[1]) or not (f[4] or f[5]):
            source.problems.add(member.name, line, "a relation of nothing or to nothing")
            continue
        seen.update(name for name in (f[3], f[7]) if name)
        there = f"CUI:{f[4]}" if f[4] else f"AUI:{f[5]}"
        yield Fact(f[0] or f"@{f[1]}", RELATION, (f[3], f[7], there))


def _attributes(source: Source, member: Member, seen: set[str]) -> Iterator[Fact]:
    for line, f in source.split(member, "|", 13):
        if f[9] != "RXNORM" or f[11] not in ("", "N"):
            continue
        if not f[0] or not f[8]:
            source.problems.add(member.name, line, "no RXCUI or no ATN")
            continue
        seen.add(f[8])
        yield Fact(f[0], ATTRIBUTE, (f[8], f[10]))


def _records(staging: Staging) -> Iterator[ConceptRecord]:
    for code, facts in staging.grouped():
        atoms = [fact.fields for fact in facts if fact.tag == ATOM]
        if atoms:
            yield _record(code, atoms, facts)


def _rank(atom: Sequence[str]) -> tuple[bool, bool, bool]:
    """Return the smallest for what a concept is called: not suppressed, no side name, preferred."""
    return atom[2] not in ("", "N"), atom[0] in _SIDE_NAMES, atom[1] != "Y"


def _record(code: str, atoms: list[tuple[str, ...]], facts: Sequence[Fact]) -> ConceptRecord:
    best = min(atoms, key=_rank)
    return ConceptRecord(
        code=code,
        display=best[4],
        active=any(atom[2] in ("", "N") for atom in atoms),
        properties=tuple(dict.fromkeys(_properties(atoms, facts))),
        designations=tuple(
            Designation(
                atom[4], _LANGUAGES.get(atom[3], ""), ("", atom[0], _SIDE_NAMES.get(atom[0], atom[0]))
            )
            for atom in atoms
            if atom is not best
        ),
    )


def _properties(atoms: list[tuple[str, ...]], facts: Sequence[Fact]) -> Iterator[PropertyValue]:
    yield PropertyValue("SAB", "string", "RXNORM")
    yield from (PropertyValue("TTY", "string", atom[0]) for atom in atoms)
    for fact in facts:
        f = fact.fields
        match fact.tag:
            case 1:
                yield PropertyValue("SAB", "string", f[0])
            case 2:
                yield PropertyValue("STY", "string", f[0])
                yield PropertyValue("STY", "string", f"STY:{f[1]}")
            case 3:
                yield from (PropertyValue(name, "string", f[2]) for name in f[:2] if name)
            case 4:
                yield PropertyValue(f[0], "string", f[1])
