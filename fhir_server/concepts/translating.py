"""What a code is in another code system, as concept maps say it.

Where R4 leaves a choice: a code taken over as it is (`unmapped.mode` provided) is `equal`, a fixed one `relatedto`; a
mapping that depends on something counts only where the caller says that this holds; turned around, wider is narrower
and subsumes is specializes.
Source: http://hl7.org/fhir/R4/conceptmap.html, http://hl7.org/fhir/R4/conceptmap-operation-translate.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fhir_server.concepts import maps
from fhir_server.concepts.maps import ConceptMap, Mapped
from fhir_server.concepts.model import Conn, Json, UnknownError

MOST_LINKED = 10
"""How many maps may follow one another by `unmapped.url`."""

NO_MATCH = frozenset({"unmatched", "disjoint"})
_TURNED = {"wider": "narrower", "narrower": "wider", "subsumes": "specializes", "specializes": "subsumes"}


class Code(NamedTuple):
    """The code to be translated."""

    system: str
    code: str
    version: str = ""


class Match(NamedTuple):
    """One translation; `coding` is None where the map says that there is none."""

    equivalence: str
    coding: Json | None
    source: str
    products: tuple[Json, ...] = ()
    comment: str = ""


@dataclass(slots=True)
class Wanted:
    """What narrows a translation.

    Shape:  `system` is the code system wanted; `source` and `target` are value sets; `dependencies` are
            (element, system, code); empty means any
    """

    system: str = ""
    source: str = ""
    target: str = ""
    reverse: bool = False
    dependencies: frozenset[tuple[str, str, str]] = frozenset()


@dataclass(slots=True)
class Found:
    """The matches, each once, and hints for whoever reads them."""

    matches: list[Match] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    @property
    def matched(self) -> bool:
        """Whether there is a translation."""
        return any(one.equivalence not in NO_MATCH for one in self.matches)


async def translate(conn: Conn, known: Sequence[ConceptMap], code: Code, wanted: Wanted) -> Found:
    """Return what `known` maps say of a code.

    Errors: UnknownError where a map goes on in one that is not here
    """
    found = Found()
    for one in known:
        if _applies(one, wanted, found):
            await _ask(conn, one, code, wanted, found, ())
    found.matches = list({_key(one): one for one in reversed(found.matches)}.values())[::-1]
    found.hints = list(dict.fromkeys(found.hints))
    return found


def _key(one: Match) -> tuple[str, str, str, str]:
    coding = one.coding or {}
    return one.equivalence, coding.get("system", ""), coding.get("code", ""), one.source


def _applies(known: ConceptMap, wanted: Wanted, found: Found) -> bool:
    """Whether a map is between the value sets asked for; where it names none, it is for any."""
    for side, asked in (("source", wanted.source), ("target", wanted.target)):
        own = known.between("target" if (side == "source") == wanted.reverse else "source")
        if asked and own and own.partition("|")[0] != asked.partition("|")[0]:
            found.hints.append(
                f"The map {known.called} is not {'from' if side == 'source' else 'to'} {asked}"
            )
            return False
    return True


async def _ask(
    conn: Conn, known: ConceptMap, code: Code, wanted: Wanted, found: Found, through: tuple[str, ...]
) -> None:
    rows = await maps.mappings(conn, known, code.code, reverse=wanted.reverse)
    for part, group in enumerate(known.groups):
        if not _fits(group, code, wanted):
            continue
        own = [row for row in rows if row.part == part]
        found.matches += [
            match for row in own if (match := _match(known, group, row, wanted, found)) is not None
        ]
        if not own and not wanted.reverse and "unmapped" in group:
            await _unmapped(conn, known, group, code, wanted, found, through)


def _fits(group: Json, code: Code, wanted: Wanted) -> bool:
    """Whether a group is between the code systems asked for; one that names none is for any."""
    sides = ("target", "source") if wanted.reverse else ("source", "target")
    own, other = (group.get(side, "") for side in sides)
    version = group.get(f"{sides[0]}Version", "")
    return (
        own in ("", code.system)
        and (not wanted.system or other in ("", wanted.system))
        and (not version or code.version in ("", version))
    )


def _match(known: ConceptMap, group: Json, row: Mapped, wanted: Wanted, found: Found) -> Match | None:
    """Return the translation in one row, None where it depends on what is not so."""
    target = row.target
    if target is None:
        found.hints.append(f"The map {known.called} has no target for '{row.element['code']}'")
        return Match("unmatched", None, known.called)
    lacking = [one for one in target.get("dependsOn", ()) if not _holds(one, wanted)]
    if lacking and not wanted.reverse:
        named = ", ".join(f"{one['property']} = {one['value']}" for one in lacking)
        found.hints.append(f"A mapping to '{target.get('code', '')}' depends on {named}")
        return None
    equivalence: str = target.get("equivalence", "relatedto")
    if wanted.reverse:
        equivalence = _TURNED.get(equivalence, equivalence)
        return Match(equivalence, _coding(group, "source", row.element), known.called)
    coding = _coding(group, "target", target) if "code" in target else None
    products = tuple(target.get("product", ()))
    return Match(equivalence, coding, known.called, products, target.get("comment", ""))


def _holds(dependency: Json, wanted: Wanted) -> bool:
    """Whether the caller says that what a mapping depends on is so."""
    property_, value = dependency.get("property", ""), dependency.get("value", "")
    system = dependency.get("system", "")
    return any(
        element == property_ and code == value and system in ("", given)
        for element, given, code in wanted.dependencies
    )


def _coding(group: Json, side: str, said: Json) -> Json:
    found = {
        "system": group.get(side, ""),
        "version": group.get(f"{side}Version", ""),
        "code": said.get("code", ""),
        "display": said.get("display", ""),
    }
    return {name: text for name, text in found.items() if text}


async def _unmapped(
    conn: Conn,
    known: ConceptMap,
    group: Json,
    code: Code,
    wanted: Wanted,
    found: Found,
    through: tuple[str, ...],
) -> None:
    """Add what a group says of codes that it does not map."""
    rule = group["unmapped"]
    match rule.get("mode"):
        case "provided":
            coding = _coding(group, "target", {"code": code.code})
            found.matches.append(Match("equal", coding, known.called, (), "the code as it is"))
        case "fixed":
            found.matches.append(
                Match("relatedto", _coding(group, "target", rule), known.called, (), "for all unmapped codes")
            )
        case "other-map":
            url = rule.get("url", "")
            seen = (*through, known.called)
            other = await maps.by_canonical(conn, url) if url else None
            if other is None:
                raise UnknownError(f"ConceptMap {url or '?'}, in which {known.called} goes on, is not loaded")
            if other.called in seen or len(seen) > MOST_LINKED:
                raise UnknownError(f"ConceptMap {known.called} goes on in a circle or in too many others")
            await _ask(conn, other, code, wanted, found, seen)
