"""Utility functions and type reflection.

Source: http://hl7.org/fhirpath/N1/#utility-functions, #reflection
"""

from __future__ import annotations

from resources.fhirpath.environment import Closure, Environment
from resources.fhirpath.errors import evaluation_error
from resources.fhirpath.functions.registry import function, lambda_function
from resources.fhirpath.model import Kind, Slot
from resources.fhirpath.temporal import from_datetime
from resources.fhirpath.values import Items, Node, system, system_type


@lambda_function("iif", 2, 3)
def _iif(env: Environment, items: Items, criterion: Closure, then: Closure, *otherwise: Closure) -> Items:
    if len(items) > 1:
        raise evaluation_error("iif() takes at most one item as input")
    found = [system(item) for item in criterion(env, items)]
    if len(found) > 1 or any(not isinstance(value, bool) for value in found):
        raise evaluation_error("the condition of iif() is one boolean")
    if found and found[0]:
        return then(env, items)
    return otherwise[0](env, items) if otherwise else []


@lambda_function("trace", 1, 2)
def _trace(env: Environment, items: Items, name: Closure, *projection: Closure) -> Items:
    """Return the input; nothing is logged, since it is somebody's health record."""
    return items


@function("now")
def _now(env: Environment, items: Items) -> Items:
    return [from_datetime("DateTime", env.moment())]


@function("today")
def _today(env: Environment, items: Items) -> Items:
    return [from_datetime("Date", env.moment())]


@function("timeOfDay")
def _time_of_day(env: Environment, items: Items) -> Items:
    return [from_datetime("Time", env.moment())]


def _type_info() -> Kind:
    kind = Kind.__new__(Kind)
    kind.name, kind.primitive, kind.dynamic, kind.system = "SimpleTypeInfo", False, False, None
    kind.ancestors = frozenset([kind.name])
    kind.steps = {name: (Slot(name, name, "string", False),) for name in ("namespace", "name")}
    return kind


_TYPE_INFO = _type_info()


@function("type")
def _type(env: Environment, items: Items) -> Items:
    return [Node(_named(item), _TYPE_INFO) for item in items]


def _named(item: object) -> dict[str, str]:
    if type(item) is Node:
        return {"namespace": "FHIR", "name": item.kind.name}
    return {"namespace": "System", "name": system_type(item)}
