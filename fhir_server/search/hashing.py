"""Hashes that stand for tokens in the index: keyed, 64 bits, over length-prefixed fields.

Two forms. Under GIN a value has one hash for each way to ask for it (`code`, `system|code`, `system|`, `|code`). A
posting has one row for each coding: the upper 44 bits say parameter and code, the lower 20 the system, so that
`system|code` is one key and `code` alone is one short range of keys.
"""

from __future__ import annotations

from hashlib import blake2b

from fhir_server.search.context import Context

SYSTEM_BITS = 20
SYSTEM_MASK = (1 << SYSTEM_BITS) - 1

CASE_SENSITIVE = (
    "http://hl7.org/fhir/",
    "http://terminology.hl7.org/CodeSystem/",
    "http://terminology.hl7.org/fhir/",
    "http://unitsofmeasure.org",
    "http://dicom.nema.org/resources/ontology/DCM",
    "http://healthit.gov/nhin/purposeofuse",
    "urn:iso-astm:E1762-95:2013",
)
"""Code systems (by prefix) whose `CodeSystem.caseSensitive` is true in hl7.fhir.r4.core 4.0.1; UCUM is so by itself."""

CASE_UNKNOWN = ("http://terminology.hl7.org/CodeSystem/v2-",)
"""Exceptions to the above: these leave `caseSensitive` out, so that R4 has us ignore case."""


def token(param: int, form: str, *fields: str) -> int:
    """Return the signed 64-bit hash of a value of `param`, as asked for in `form`."""
    data = f"{param}.{form}" + "".join(f"\0{len(field)}:{field}" for field in fields)
    raw = data.encode(errors="surrogatepass")
    return int.from_bytes(blake2b(raw, digest_size=8, key=Context.token_key).digest(), "big", signed=True)


def posting(param: int, system: str, code: str) -> int:
    """Return the posting key of a coding; `system` is empty where it has none."""
    first, _ = posting_range(param, code)
    return first | ((token(0, "system", system) & SYSTEM_MASK) or 1) if system else first


def posting_range(param: int, code: str) -> tuple[int, int]:
    """Return the first and last posting key that `code` can have, whatever its system."""
    first = token(param, "post", code) & ~SYSTEM_MASK
    return first, first | SYSTEM_MASK


def is_case_sensitive(system: str) -> bool:
    """Whether codes of `system` differ by case alone; where nobody says so, case is ignored."""
    return system.startswith(CASE_SENSITIVE) and not system.startswith(CASE_UNKNOWN)


def coded(system: str, code: str) -> str:
    """Return the form of `code` that is hashed: marked as exact or folded, by what its system says."""
    return "=" + code if is_case_sensitive(system) else "~" + code.casefold()


def either_case(code: str) -> tuple[str, str]:
    """Return the two forms in which `code` of an unknown system can have been hashed."""
    return "=" + code, "~" + code.casefold()
