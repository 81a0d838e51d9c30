"""Which resources a search finds, by looking at every one of them.

Source: http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.oracle import codes, dates, extract, numbers, references
from tests.oracle.definitions import STORED, Parameter, compartment, kind_of, parameters
from tests.oracle.extract import Value
from tests.oracle.text import plain, split

Json = dict[str, Any]
Pairs = Iterable[tuple[str, str]]


class World:
    """All resources of a server, as they were stored, by 'Type/id'."""

    def __init__(self, resources: Iterable[Json]) -> None:
        self.resources = {f"{one['resourceType']}/{one['id']}": one for one in resources}
        for one in self.resources.values():
            if one["resourceType"] == "CodeSystem" and "url" in one:
                STORED[one["url"]] = one.get("caseSensitive", False)
        self.contained = {
            f"{key}#{inside['id']}": inside
            for key, one in self.resources.items()
            for inside in one.get("contained", ())
            if "id" in inside
        }
        self._values: dict[tuple[str, str], list[Value]] = {}
        self._by_type: dict[str, list[str]] = {}
        for key in self.resources:
            self._by_type.setdefault(key.partition("/")[0], []).append(key)

    def types(self) -> list[str]:
        """Return the resource types that there is something of."""
        return sorted(self._by_type)

    def keys(self, type_name: str) -> list[str]:
        """Return 'Type/id' of all resources of a type."""
        return self._by_type.get(type_name, [])

    def values(self, key: str, parameter: Parameter) -> list[Value]:
        """Return the values of a parameter in a resource."""
        known = self._values.get((key, parameter.code))
        if known is None:
            known = extract.values(self._resource(key), parameter.expression) if parameter.expression else []
            known = self._values[key, parameter.code] = [
                one for one in known if means_something(parameter, one)
            ]
        return known

    def _resource(self, key: str) -> Json:
        return self.contained[key] if "#" in key else self.resources[key]

    def search(self, type_name: str, pairs: Pairs) -> set[str]:
        """Return 'Type/id' of everything of a type that passes all criteria."""
        asked = list(pairs)
        return {key for key in self.keys(type_name) if all(self.passes(key, *pair) for pair in asked)}

    def ambiguous(self, type_name: str, name: str, text: str) -> bool:
        """Whether a criterion names by an id alone what may be several resources of different types.

        Source: http://hl7.org/fhir/R4/search.html#reference ("Servers SHOULD reject a search where …")
        """
        if name.startswith("_has:"):
            _, kind, _, rest = name.split(":", 3)
            return self.ambiguous(kind, rest, text)
        head, dot, rest = name.partition(".")
        code, _, modifier = head.partition(":")
        parameter = parameters(type_name).get(code)
        if parameter is None or parameter.kind != "reference":
            return False
        if dot:
            return any(
                self.ambiguous(kind, rest, text) for kind in ((modifier,) if modifier else parameter.targets)
            )
        ids = [plain(one) for one in split(text, ",")] if not modifier else []
        return any(sum(f"{kind}/{one}" in self.resources for kind in parameter.targets) > 1 for one in ids)

    def compartment(self, name: str, id_: str, type_name: str) -> set[str]:
        """Return 'Type/id' of the resources of a type in a compartment; its owner is a member."""
        own = f"{name}/{id_}"
        codes_ = compartment(name).get(type_name, ())
        found = {
            key
            for key in self.keys(type_name)
            for code in codes_
            if code in parameters(type_name)
            for value in self.values(key, parameters(type_name)[code])
            if references.target(value) == own
        }
        return found | ({own} if type_name == name and own in self.resources else set())

    def passes(self, key: str, name: str, text: str) -> bool:
        """Whether a resource passes one parameter of a query."""
        resource = self._resource(key)
        type_name, id_ = resource["resourceType"], resource["id"]
        if name.startswith("_has:"):
            return self._has(key, name, text)
        head, dot, rest = name.partition(".")
        code, _, modifier = head.partition(":")
        if code == "_id":
            return (id_ in [plain(one) for one in split(text, ",")]) != (modifier == "not")
        parameter = parameters(type_name)[code]
        if dot:
            return self._chained(key, parameter, modifier, rest, text)
        found = self.values(key, parameter)
        if modifier == "missing":
            return bool(found) == (text == "false")
        asked = [one for one in split(text, ",") if one.strip()]
        if modifier == "not":
            return not any(_matches(parameter, value, "", one) for value in found for one in asked)
        if parameter.kind == "composite":
            return any(self._composite(key, parameter, one) for one in asked)
        return any(_matches(parameter, value, modifier, one) for value in found for one in asked)

    def _chained(self, key: str, parameter: Parameter, modifier: str, rest: str, text: str) -> bool:
        code = rest.partition(".")[0].partition(":")[0]
        for name in [*self.targets(key, parameter), *self._inside(key, parameter)]:
            kind = self._resource(name)["resourceType"]
            known = code in parameters(kind) or rest.startswith("_has:")
            meant = kind == modifier if modifier else kind in parameter.targets
            if meant and known and self.passes(name, rest, text):
                return True
        return False

    def targets(self, key: str, parameter: Parameter) -> Iterator[str]:
        """Yield 'Type/id' of what a resource refers to by a parameter and that is here."""
        for value in self.values(key, parameter):
            found = references.target(value)
            if found in self.resources:
                yield found

    def _inside(self, key: str, parameter: Parameter) -> Iterator[str]:
        """Yield the keys of the contained resources that a resource, or one beside them, refers to."""
        for value in self.values(key, parameter):
            text = value.data.get("reference", "") if value.type == "Reference" else ""
            found = key.partition("#")[0] + text
            if text.startswith("#") and found in self.contained:
                yield found

    def _named(self, key: str, parameter: Parameter) -> Iterator[str]:
        """Yield 'Type/id' of what canonicals name: of each type that version of it, or the latest that is here."""
        addresses = [
            value.data.partition("#")[0]
            for value in self.values(key, parameter)
            if isinstance(value.data, str)
        ]
        for address in addresses:
            url, _, version = address.partition("|")
            for kind in parameter.targets:
                known = [
                    other
                    for other in self.keys(kind)
                    if self.resources[other].get("url") == url
                    and version in ("", self.resources[other].get("version", ""))
                ]
                if known:
                    yield max(known, key=lambda other: (_age(self.resources[other]), known.index(other)))

    def _has(self, key: str, name: str, text: str) -> bool:
        _, kind, code, rest = name.split(":", 3)
        parameter = parameters(kind)[code]
        if key.partition("/")[0] not in parameter.targets and "#" not in key:
            return False  # by its definition the parameter leads elsewhere, whatever some example says
        return any(
            key in (*self.targets(other, parameter), *self._inside(other, parameter))
            and self.passes(other, rest, text)
            for other in self.keys(kind)
        )

    def _composite(self, key: str, parameter: Parameter, text: str) -> bool:
        resource = self._resource(key)
        asked = split(text, "$")
        assert len(asked) == len(parameter.components), text
        for _, node in extract.nodes(resource, parameter.expression):
            if all(
                any(
                    _MATCHERS[kind_of(url)](value, "", one)
                    for value in extract.parts(resource, node, expression)
                )
                for (url, expression), one in zip(parameter.components, asked, strict=True)
            ):
                return True
        return False

    def included(self, matches: Iterable[str], source: str, code: str, target: str = "") -> set[str]:
        """Return 'Type/id' of what `_include=source:code:target` brings along."""
        chosen = set(matches)
        found: set[str] = set()
        for key in chosen:
            if key.startswith(source + "/"):
                for parameter in _followed(source, code):
                    found |= {*self.targets(key, parameter), *self._named(key, parameter)}
        return {one for one in found if target in ("", one.partition("/")[0])} - chosen

    def referring(self, matches: Iterable[str], source: str, code: str, target: str = "") -> set[str]:
        """Return 'Type/id' of what `_revinclude=source:code:target` brings along."""
        chosen = set(matches)
        wanted = {key for key in chosen if target in ("", key.partition("/")[0])}
        return {
            key
            for key in self.keys(source)
            for parameter in _followed(source, code)
            if wanted.intersection([*self.targets(key, parameter), *self._named(key, parameter)])
        } - chosen


def _age(resource: Json) -> list[tuple[int, int, str]]:
    """Return what orders the versions of a resource: numbers as numbers, behind everything else."""
    pieces = re.findall(r"\d+|[^\d.]+", resource.get("version", ""))
    return [(1, int(one), "") if one.isdigit() else (0, 0, one) for one in pieces]


def _followed(source: str, code: str) -> list[Parameter]:
    known = parameters(source)
    return [one for one in known.values() if one.kind == "reference"] if code == "*" else [known[code]]


def means_something(parameter: Parameter, value: Value) -> bool:
    """Whether a value can be asked for by a parameter of its type; what cannot is no value of it."""
    if parameter.kind == "date":
        return any(True for _ in dates.spans(value))
    if parameter.kind in ("number", "quantity"):
        return any(True for _ in numbers.amounts(value))
    if parameter.kind == "string":
        return any(True for _ in codes.strings(value))
    return True


Matcher = Callable[[Value, str, str], bool]


def _token(value: Value, modifier: str, text: str) -> bool:
    if modifier == "of-type":
        return codes.of_type_matches(value, text)
    if modifier == "text":
        return codes.text_matches(value, text)
    return codes.token_matches(value, text)


def _reference(value: Value, modifier: str, text: str) -> bool:
    if modifier == "identifier":
        return references.by_identifier(value, text)
    return references.matches(value, modifier, text)


def _uri(value: Value, modifier: str, text: str) -> bool:
    test = {"below": references.uri_below, "above": references.uri_above}.get(
        modifier, references.uri_matches
    )
    return isinstance(value.data, str) and test(value.data, plain(text))


_MATCHERS: dict[str, Matcher] = {
    "date": lambda value, _, text: dates.matches(value, text),
    "number": lambda value, _, text: numbers.number_matches(value, text),
    "quantity": lambda value, _, text: numbers.quantity_matches(value, text),
    "reference": _reference,
    "string": codes.string_matches,
    "token": _token,
    "uri": _uri,
}


def _matches(parameter: Parameter, value: Value, modifier: str, text: str) -> bool:
    """Whether a value passes; an id alone is taken to be of a type that the parameter names."""
    if parameter.kind == "reference" and modifier != "identifier":
        return references.matches(value, modifier, text, parameter.targets)
    return _MATCHERS[parameter.kind](value, modifier, text)
