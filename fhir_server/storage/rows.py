"""The rows that storage reads and writes, and the numbers that stand for types and parameters."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

from resources.codec.json import dump_json
from resources.definitions import definitions

MISSING_DATE = -(2**63)
"""`d0` and `d1` of a resource without a main date: before every date."""

WITHIN = "#"
"""Stands for the type of what is contained in the same resource, or contains it."""

POST, PUT, PATCH, DELETE = 1, 2, 3, 4
METHODS = {POST: "POST", PUT: "PUT", PATCH: "PATCH", DELETE: "DELETE"}
"""How a version came to be; history shows it as `Bundle.entry.request.method`."""


class Numeric(msgspec.Struct, frozen=True, array_like=True):
    """A number or quantity to index: its range as written, and in canonical units where it has any.

    Shape:  `unit` hashes the canonical UCUM unit, `code` hashes (system, code); None where there is none
    """

    param: int
    lo: Decimal
    hi: Decimal
    unit: int | None = None
    clo: Decimal | None = None
    chi: Decimal | None = None
    code: int | None = None


class Composite(msgspec.Struct, frozen=True, array_like=True):
    """The values of a composite parameter's components within one element.

    Shape:  `keys` are the hashes of tokens, references and addresses, each with its component's position mixed in;
            the first number or quantity is `lo` to `code` as in Numeric, a second one `lo2` and `hi2`; a date is `dlo`
            and `dhi` as `d0`/`d1` of IndexRows; a string `norm` and `exact`
    """

    param: int
    keys: list[int]
    lo: Decimal | None = None
    hi: Decimal | None = None
    unit: int | None = None
    clo: Decimal | None = None
    chi: Decimal | None = None
    code: int | None = None
    lo2: Decimal | None = None
    hi2: Decimal | None = None
    dlo: int | None = None
    dhi: int | None = None
    norm: str | None = None
    exact: str | None = None


class ContainedRows(msgspec.Struct):
    """What search needs to know of a contained resource: its local id, its type and its own index rows."""

    local: str
    type: str
    rows: IndexRows


class IndexRows(msgspec.Struct):
    """All that search needs to know of one resource.

    Shape:  `d0`/`d1` main date, first and last microsecond it can mean (both inclusive, since 1970 UTC);
            `tokens` go under GIN, `posts` become postings, `present` are the parameters with a value;
            `strings` (param, normalized, as written); `dates` (param, lo, hi), bounds as for `d0`/`d1`;
            `edges` (param, type, id) of local references; `patient` the id of the one Patient it belongs to;
            a reference within the resource has the type WITHIN and the local id (empty: the container), a contained
            Patient that it belongs to its local id after WITHIN;
            `positions` (param, latitude, longitude) in degrees; `text` a tsvector's literal, empty where there are no
            words; `labels` (param, normalized text, its hash) of codes, the hash being one of `tokens`;
            `codings` (system, code), the system empty where nobody can list what the element implies;
            `owners` the ids of all Patients that it is about, empty where `patient` says it all; `security` the
            numbers of its security labels;
            `epoch` is the state of the search parameters that they were made under, 0 where that is the same to them
    """

    d0: int = MISSING_DATE
    d1: int = MISSING_DATE
    tokens: list[int] = []
    posts: list[int] = []
    present: list[int] = []
    strings: list[tuple[int, str, str]] = []
    dates: list[tuple[int, int, int]] = []
    numbers: list[Numeric] = []
    edges: list[tuple[int, str, str]] = []
    patient: str | None = None
    composites: list[Composite] = []
    positions: list[tuple[int, float, float]] = []
    text: str = ""
    labels: list[tuple[int, str, int]] = []
    codings: list[tuple[str, str]] = []
    owners: list[str] = []
    security: list[int] = []
    contained: list[ContainedRows] = []
    epoch: int = 0

    def digests(self) -> list[int]:
        """Return one 64-bit digest for each of GROUPS: equal digests need no rewriting.

        Contained resources get new row numbers whenever they are written, so that what refers to them goes with them.
        """
        found = [_digest(getattr(self, group)) for group in GROUPS]
        if self.contained:
            both = _digest([self.edges, self.patient, self.contained])
            found[GROUPS.index("edges")] = found[GROUPS.index("contained")] = both
        return found


GROUPS = ("strings", "dates", "numbers", "edges", "composites", "positions", "text", "contained")
"""The index rows that lie in tables of their own, in the order of a resource's `digests`."""


def _digest(group: Any) -> int:
    if not group:
        return 0
    return int.from_bytes(blake2b(msgspec.msgpack.encode(group), digest_size=8).digest(), "big", signed=True)


class Row(msgspec.Struct, gc=False):
    """One stored version.

    Shape:  `tail` is the JSON that follows the head (type, id, version, instant); None for a deletion;
            `pid` is the row number of its patient, `owners` those of all its patients where that is not all there is
            to say (None: it is), `labels` the numbers of its security labels (None: it has none)
    """

    rid: int
    type: int
    id: str
    version: int
    updated: datetime
    live: bool
    method: int
    tail: bytes | None
    pid: int | None = None
    owners: list[int] | None = None
    labels: list[int] | None = None

    @property
    def type_name(self) -> str:
        """The resource type."""
        return type_name(self.type)

    def json(self) -> bytes:
        """Return the version as JSON, without parsing what is stored."""
        return head(self.type, self.id, self.version, self.updated) + (self.tail or b"}}")


@cache
def _heads() -> tuple[str, ...]:
    return tuple('{"resourceType":"' + name + '","id":"' for name in definitions().resource_types)


def head(type_number: int, id_: str, version: int, updated: datetime) -> bytes:
    """Return the opening of a stored resource's JSON, up to the end of `meta.lastUpdated`."""
    return (
        f'{_heads()[type_number]}{id_}","meta":{{"versionId":"{version}","lastUpdated":"{instant(updated)}"'
    ).encode()


@lru_cache(16_384)
def instant(moment: datetime) -> str:
    """Return `moment` as a FHIR instant in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


@lru_cache(16_384)
def instant_bytes(moment: datetime) -> bytes:
    """Return `instant` as bytes."""
    return instant(moment).encode()


def tail(resource: dict[str, Any]) -> bytes:
    """Return what is stored of `resource`: its JSON after the head, which storage itself provides."""
    meta = {k: v for k, v in resource.get("meta", {}).items() if k not in ("versionId", "lastUpdated")}
    rest = {k: v for k, v in resource.items() if k not in ("resourceType", "id", "meta")}
    return (b"," + dump_json(meta)[1:] if meta else b"}") + (b"," + dump_json(rest)[1:] if rest else b"}")


@cache
def _type_numbers() -> dict[str, int]:
    return {name: number for number, name in enumerate(definitions().resource_types)}


def type_number(name: str) -> int:
    """Return the number that stands for a resource type in the database: its place in R4's alphabetical list."""
    return _type_numbers()[name]


def type_name(number: int) -> str:
    """Return the resource type that `number` stands for."""
    return definitions().resource_types[number]


@cache
def param_id(type_name: str, code: str) -> int:
    """Return the 32-bit number that stands for a type's search parameter; the registry checks that none collide."""
    return int.from_bytes(blake2b(f"{type_name}.{code}".encode(), digest_size=4).digest(), "big", signed=True)
