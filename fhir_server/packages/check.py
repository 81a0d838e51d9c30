"""What a server lacks for a CapabilityStatement: its own compared with that of a guide or a client.

Profiles are compared by name only. Guides define R4's search parameters anew, under urls of their own: one that says
what it is derived from is taken for that; any other of another definition is told as a hint, for people to judge.

Source: http://hl7.org/fhir/R4/capabilitystatement-operation-implements.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from resources.outcome import STRUCTURE, Issue, Severity

Json = dict[str, Any]

EXPECTATION = STRUCTURE + "capabilitystatement-expectation"
COMBINATION = STRUCTURE + "capabilitystatement-search-parameter-combination"
_SEVERITIES: dict[str, Severity] = {"SHALL": "error", "SHOULD": "warning"}
_FLAGS = ("readHistory", "updateCreate", "conditionalCreate", "conditionalUpdate")
_LEVELS = {
    "versioning": ("no-version", "versioned", "versioned-update"),
    "conditionalRead": ("not-supported", "modified-since", "not-match", "full-support"),
    "conditionalDelete": ("not-supported", "single", "multiple"),
}
"""What is more includes what is less; of conditionalRead the two in the middle are apart."""
_FORMATS = {"application/fhir+json": "json", "application/fhir+xml": "xml", "application/json": "json"}


class Lack(NamedTuple):
    """Something that is asked for and not there.

    Shape:  `where` is a resource type, empty for the whole server; `expression` where it is asked for
    """

    expectation: str
    where: str
    text: str
    expression: str
    differs: bool = False

    @property
    def issue(self) -> Issue:
        """The lack as an issue: an error where it is a SHALL."""
        severity = _SEVERITIES.get(self.expectation, "information")
        if self.differs:
            severity = "information"
        about = f"{self.where}: " if self.where else ""
        return Issue(
            "not-supported", f"{about}{self.text} ({self.expectation})", (self.expression,), severity
        )


def lacks(wanted: Json, server: Json, derived: Mapping[str, str] | None = None) -> list[Lack]:
    """Return what `server` (its own CapabilityStatement) lacks of `wanted`, in the order of that.

    Shape:  `derived` are the definitions of search parameters that others are derived from, by url
    """
    wanted = _undone(wanted, derived or {})
    return [one for one in _statement(wanted, server) if one.expectation != "SHOULD-NOT"]


def definitions_of(wanted: Json) -> set[str]:
    """Return the definitions of the search parameters that a statement names."""
    holders = [each for rest in wanted.get("rest", ()) for each in (rest, *rest.get("resource", ()))]
    return {
        one["definition"] for each in holders for one in each.get("searchParam", ()) if "definition" in one
    }


def _undone(value: Any, derived: Mapping[str, str]) -> Any:
    """Return a statement with the definitions that others are derived from in place of these."""
    if isinstance(value, list):
        return [_undone(one, derived) for one in value]
    if not isinstance(value, dict):
        return value
    changed = {key: _undone(one, derived) for key, one in value.items()}
    definition = str(changed.get("definition"))
    return changed | {"definition": derived[definition]} if definition in derived else changed


def _expectation(element: Any) -> str:
    extensions = element.get("extension", ()) if isinstance(element, dict) else ()
    return next(
        (one.get("valueCode", "SHALL") for one in extensions if one.get("url") == EXPECTATION), "SHALL"
    )


def _statement(wanted: Json, server: Json) -> Iterator[Lack]:
    for name, what in (("format", "the format"), ("patchFormat", "the patch format")):
        known = {_FORMATS.get(one, one) for one in server.get(name, ())}
        for path, value, expectation in _primitives(wanted, name, "CapabilityStatement"):
            if _FORMATS.get(value, value) not in known:
                yield Lack(expectation, "", f"{what} {value}", path)
    own: Json = next(iter(server.get("rest", ())), {})
    for number, rest in enumerate(wanted.get("rest", ())):
        yield from _rest(rest, own, f"CapabilityStatement.rest[{number}]")


def _primitives(holder: Json, name: str, path: str) -> Iterator[tuple[str, str, str]]:
    """Yield (path, value, expectation) of a list of primitives, whose extensions stand beside them."""
    beside = holder.get("_" + name, ())
    for number, value in enumerate(holder.get(name, ())):
        other = beside[number] if number < len(beside) else None
        yield f"{path}.{name}[{number}]", value, _expectation(other)


def _rest(wanted: Json, own: Json, path: str) -> Iterator[Lack]:
    yield from _codes(wanted, own, path, "")
    yield from _params(wanted, own, path, "")
    yield from _operations(wanted, own, path, "")
    compartments = set(own.get("compartment", ()))
    for place, value, expectation in _primitives(wanted, "compartment", path):
        if value not in compartments:
            yield Lack(expectation, "", f"the compartment {value}", place)
    known = {one.get("type"): one for one in own.get("resource", ())}
    for number, resource in enumerate(wanted.get("resource", ())):
        place = f"{path}.resource[{number}]"
        name = str(resource.get("type"))
        if name in known:
            for part in _PARTS:
                yield from part(resource, known[name], place, name)
        else:
            yield Lack(_expectation(resource), name, "the resource type", place)


def _codes(wanted: Json, own: Json, path: str, where: str) -> Iterator[Lack]:
    known = {one.get("code") for one in own.get("interaction", ())}
    for number, one in enumerate(wanted.get("interaction", ())):
        if one.get("code") not in known:
            yield Lack(
                _expectation(one),
                where,
                f"the interaction {one.get('code')}",
                f"{path}.interaction[{number}]",
            )


def _params(wanted: Json, own: Json, path: str, where: str) -> Iterator[Lack]:
    known = {one.get("name"): one for one in own.get("searchParam", ())}
    for number, one in enumerate(wanted.get("searchParam", ())):
        name, place = one.get("name"), f"{path}.searchParam[{number}]"
        found, expectation = known.get(name), _expectation(one)
        if found is None:
            yield Lack(expectation, where, f"the search parameter {name}", place)
        elif found.get("type") != one.get("type"):
            text = f"the search parameter {name} of type {one.get('type')}, not {found.get('type')}"
            yield Lack(expectation, where, text, place)
        elif one.get("definition") not in (None, found.get("definition")):
            text = f"the search parameter {name} as {one['definition']}; here it is {found.get('definition')}"
            yield Lack(expectation, where, text, place, differs=True)


def _operations(wanted: Json, own: Json, path: str, where: str) -> Iterator[Lack]:
    known = {str(one.get("definition")).partition("|")[0] for one in own.get("operation", ())}
    for number, one in enumerate(wanted.get("operation", ())):
        if str(one.get("definition")).partition("|")[0] not in known:
            text = f"the operation ${one.get('name')} ({one.get('definition')})"
            yield Lack(_expectation(one), where, text, f"{path}.operation[{number}]")


def _includes(wanted: Json, own: Json, path: str, where: str) -> Iterator[Lack]:
    for name, what in (("searchInclude", "_include"), ("searchRevInclude", "_revinclude")):
        known = set(own.get(name, ()))
        for place, value, expectation in _primitives(wanted, name, path):
            if value != "*" and ":".join(value.split(":")[:2]) not in known:
                yield Lack(expectation, where, f"{what}={value}", place)


def _flags(wanted: Json, own: Json, path: str, where: str) -> Iterator[Lack]:
    for name in _FLAGS:
        if wanted.get(name) is True and own.get(name) is not True:
            yield Lack(_expectation(wanted.get("_" + name)), where, name, f"{path}.{name}")
    for name, levels in _LEVELS.items():
        asked, found = wanted.get(name), own.get(name, levels[0])
        if asked in levels and found in levels and levels.index(asked) > levels.index(found):
            text = f"{name} {asked}; here it is {found}"
            yield Lack(_expectation(wanted.get("_" + name)), where, text, f"{path}.{name}")
    policies = set(own.get("referencePolicy", ()))
    for place, value, expectation in _primitives(wanted, "referencePolicy", path):
        if value not in policies:
            yield Lack(expectation, where, f"references that are {value}", place)


def _profiles(wanted: Json, own: Json, path: str, where: str) -> Iterator[Lack]:
    known = {one.partition("|")[0] for one in own.get("supportedProfile", ())}
    for place, value, expectation in _primitives(wanted, "supportedProfile", path):
        if value.partition("|")[0] not in known:
            yield Lack(expectation, where, f"the profile {value}", place)


def _combinations(wanted: Json, own: Json, path: str, where: str) -> Iterator[Lack]:
    """Yield combinations of search parameters of which one is missing: those that are there combine freely."""
    known = {one.get("name") for one in own.get("searchParam", ())}
    for number, one in enumerate(wanted.get("extension", ())):
        if one.get("url") != COMBINATION:
            continue
        names = [
            part.get("valueString") for part in one.get("extension", ()) if part.get("url") == "required"
        ]
        if missing := [name for name in names if name not in known]:
            text = f"the combination {' + '.join(map(str, names))}, without {', '.join(map(str, missing))}"
            yield Lack(_expectation(one), where, text, f"{path}.extension[{number}]")


_PARTS: tuple[Callable[[Json, Json, str, str], Iterator[Lack]], ...] = (
    _profiles,
    _codes,
    _flags,
    _includes,
    _params,
    _combinations,
    _operations,
)
