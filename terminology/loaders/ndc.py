"""NDC, the FDA's directory of drugs: `product.txt` and `package.txt`, each package below its product.

A package's ten digits without hyphens are the property `ndc10`, the eleven digits of claims (5-4-2) `ndc11`.
Source: FDA, "National Drug Code Directory: NDC Product File Definitions" and "Package File Definitions",
https://www.fda.gov/drugs/drug-approvals-and-databases/ndc-product-file-definitions; http://hl7.org/fhir/R4/ndc.html
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from terminology.loaders.release import Asked, LoadError, Release
from terminology.loaders.source import Member, Source
from terminology.loaders.staging import Fact, Staging
from terminology.records import ConceptRecord, DeclaredProperty, Designation, PropertyValue, SystemHeader

URL = "http://hl7.org/fhir/sid/ndc"
PRODUCT, PACKAGE = range(2)
ENCODING = "cp1252"
"""What the FDA writes its text files in."""

_PRODUCT = {
    "PRODUCTTYPENAME": "productType", "DOSAGEFORMNAME": "dosageForm", "ROUTENAME": "route",
    "LABELERNAME": "labeler", "SUBSTANCENAME": "substance", "MARKETINGCATEGORYNAME": "marketingCategory",
    "DEASCHEDULE": "deaSchedule", "ENDMARKETINGDATE": "marketingEnd",
}  # fmt: skip
_NAMES = ("PRODUCTNDC", "PROPRIETARYNAME", "NONPROPRIETARYNAME")
_EXCLUDED = ("Y", "E", "U", "I")


def read(source: Source, asked: Asked) -> Release:
    """Return what the FDA's text files say; they carry no version, so it has to be told (the day of download)."""
    product, package = source.need("product.txt"), source.first("package.txt")
    if not asked.version:
        raise LoadError("The NDC directory has no version: give --version, such as the day you fetched it")
    source.expect([product, package])
    staging = Staging()
    staging.add(_products(source, product))
    if package is not None:
        staging.add(_packages(source, package))
    declared = tuple(DeclaredProperty(name, "string") for name in (*_PRODUCT.values(), "ndc10", "ndc11"))
    header = SystemHeader(URL, asked.version, "NDC", properties=declared, resource={"valueSet": f"{URL}/vs"})
    count = staging.count(PRODUCT) + staging.count(PACKAGE)
    return Release(header, partial(_records, staging), count)


def _products(source: Source, member: Member) -> Iterator[Fact]:
    names = (*_NAMES, *_PRODUCT, "NDC_EXCLUDE_FLAG")
    for line, fields in source.columns(member, "\t", *names, encoding=ENCODING):
        if not fields[0] or not (fields[1] or fields[2]):
            source.problems.add(member.name, line, "no PRODUCTNDC or no name")
            continue
        yield Fact(fields[0], PRODUCT, tuple(fields[1:]))


def _packages(source: Source, member: Member) -> Iterator[Fact]:
    names = ("NDCPACKAGECODE", "PRODUCTNDC", "PACKAGEDESCRIPTION", "NDC_EXCLUDE_FLAG")
    for line, fields in source.columns(member, "\t", *names, encoding=ENCODING):
        if eleven(fields[0]) is None:
            source.problems.add(member.name, line, f"'{fields[0][:20]}' is no NDC of a package")
            continue
        yield Fact(fields[0], PACKAGE, tuple(fields[1:]))


def eleven(code: str) -> str | None:
    """Return the eleven digits (5-4-2) of a package's hyphenated code, None where it is none of 4-4-2, 5-3-2, 5-4-1."""
    parts = code.split("-")
    widths = tuple(map(len, parts))
    if not all(part.isalnum() for part in parts) or widths not in (
        (4, 4, 2),
        (5, 3, 2),
        (5, 4, 1),
        (5, 4, 2),
    ):
        return None
    return "".join(part.zfill(width) for part, width in zip(parts, (5, 4, 2), strict=True))


def _records(staging: Staging) -> Iterator[ConceptRecord]:
    for code, facts in staging.grouped():
        yield _product(code, facts[0].fields) if facts[0].tag == PRODUCT else _package(code, facts[0].fields)


def _product(code: str, fields: tuple[str, ...]) -> ConceptRecord:
    brand, generic, *values, excluded = fields
    return ConceptRecord(
        code=code,
        display=brand or generic,
        active=excluded not in _EXCLUDED,
        properties=tuple(
            PropertyValue(name, "string", value)
            for name, value in zip(_PRODUCT.values(), values, strict=True)
            if value
        ),
        designations=(Designation(generic, "en", ("", "generic", "Nonproprietary name")),)
        if brand and generic and generic != brand
        else (),
    )


def _package(code: str, fields: tuple[str, ...]) -> ConceptRecord:
    product, description, excluded = fields
    forms = {"ndc10": code.replace("-", ""), "ndc11": eleven(code) or ""}
    return ConceptRecord(
        code=code,
        display=description or code,
        parents=(product,) if product else (),
        active=excluded not in _EXCLUDED,
        properties=tuple(PropertyValue(name, "string", value) for name, value in forms.items()),
    )
