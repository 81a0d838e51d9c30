"""The answer's JSON from what was gathered: @flatten spreads, @slice names, @singleton unwraps.

Source: http://hl7.org/fhir/R4/graphql.html#flattening
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fhir_server.operations.graphql.plan import Branch, Field, Obj
from fhir_server.operations.graphql.problems import refused

Json = dict[str, Any]


@dataclass(slots=True)
class _Member:
    """A member of an object on its way: its values, and whether they are written as a list."""

    type: str
    many: bool
    singleton: bool
    values: list[Any] = field(default_factory=list)


def shaped(root: Obj) -> Json:
    """Return the JSON of `root`.

    Errors: 422 processing where @singleton meets several values, or @flatten values of several types
    """
    members: dict[str, _Member] = {}
    _fill(root, members, "", listed=False)
    return {name: _written(member) for name, member in members.items()}


def _written(member: _Member) -> Any:
    if member.many and not member.singleton:
        return member.values
    return member.values[0] if len(member.values) == 1 else member.values


def _fill(obj: Obj, members: dict[str, _Member], suffix: str, *, listed: bool) -> None:
    """Add what `obj` holds to `members`; inside of a flattened list (`listed`) single values become lists."""
    for branch in obj.branches:
        field_ = branch.field
        for value, label in zip(branch.values, _labels(branch), strict=True):
            if field_.flatten:
                if isinstance(value, Obj):
                    _fill(value, members, suffix + label, listed=listed or field_.many)
                continue
            member = _member(members, field_, field_.key + suffix + label, listed)
            if member.singleton and member.values:
                raise refused(
                    field_.node, f"GraphQL: @singleton: '{field_.key}' has several values", "processing", 422
                )
            member.values.append(shaped(value) if isinstance(value, Obj) else value)
        if not branch.values and branch.kept and not field_.flatten:
            _member(members, field_, field_.key + suffix, listed)


def _labels(branch: Branch) -> list[str]:
    return branch.labels if branch.labels is not None else [""] * len(branch.values)


def _member(members: dict[str, _Member], field_: Field, name: str, listed: bool) -> _Member:
    found = members.get(name)
    if found is None:
        many = field_.many or listed
        found = members[name] = _Member(field_.type, many, field_.singleton)
    elif found.type != field_.type and not (field_.kind == "resource" and not field_.many):
        text = (
            f"GraphQL: @flatten: '{name}' would hold both {found.type} and {field_.type}: give one an alias"
        )
        raise refused(field_.node, text, "processing", 422)
    found.singleton = found.singleton or field_.singleton
    return found
