"""Composites: values that must stand together in the same instance of an element.

A value is `a$b` (`a$b$c`), each part written as for its own parameter type. What a composite is made of says
`search/composites.py`.

Source: http://hl7.org/fhir/R4/search.html#composite
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fhir_server.search.hashing import token as hashed
from fhir_server.search.param import Component, Pairing, Param
from fhir_server.search.params import date, number, quantity, reference, string, token, uri
from fhir_server.search.params.composite_rows import REFERRED, columns
from fhir_server.search.sql import NEVER, Sql, Test, all_of, any_of, conjunction, flat
from fhir_server.search.values import bad_value, split, unescape

TESTS: dict[str, Callable[[Param, str, Sequence[str]], Test]] = {
    "date": date.test,
    "number": number.test,
    "quantity": quantity.test,
    "reference": reference.test,
    "string": string.test,
    "token": token.test,
    "uri": uri.test,
}
"""The tests of parameters that can be a component, by type."""

Value = tuple[str, ...]
"""One value of a composite: its parts, escaped as they came."""


def test(param: Param, _modifier: str, values: Sequence[str]) -> Test:
    """Return the test that any of `values` passes.

    Shape:  where a resource can only match by the tests of other parameters, these can lead
    Errors: 400 value
    """
    asked = [_parts(param, value) for value in values]
    if len(asked) == 1 and len(param.pairings) == 1 and param.pairings[0].tests:
        return conjunction(_together(param.pairings[0], asked[0]))
    places = [_place(pairing, asked) for pairing in param.pairings]
    exact = Test(lambda sql, row: any_of([place.where(sql, row) for place in places]))
    return conjunction([exact, *_leaders(param, asked)])


def _parts(param: Param, value: str) -> Value:
    parts = tuple(part.strip() for part in split(value, "$"))
    count = len(param.pairings[0].components)
    if len(parts) != count or not all(parts):
        raise bad_value(param.code, value, f"{count} values with a '$' between them ('\\$' is a plain one)")
    return parts


def _leaders(param: Param, asked: Sequence[Value]) -> list[Test]:
    """Return what every match passes besides: what can find rows filters none, since the exact test does.

    The rest stays as it is: how codes are spelled in the resource.
    """
    leaders = []
    for place, source in enumerate(param.implied):
        if source is not None:
            wanted = list(dict.fromkeys(parts[place] for parts in asked))
            leaders += [_leading(one) for one in flat([TESTS[source.kind](source, "", wanted)])]
    return leaders


def _leading(test: Test) -> Test:
    leads = test.tokens or test.postings or test.rids is not None
    return replace(test, where=lambda _sql, _row: "true") if leads else test


def _place(pairing: Pairing, asked: Sequence[Value]) -> Test:
    """Return the test that an instance of the pairing's element has the parts of any value."""
    if pairing.tests:
        found = [conjunction(_together(pairing, parts)) for parts in asked]
        return Test(lambda sql, row: any_of([one.where(sql, row) for one in found]))
    wanted = [_conditions(pairing, parts) for parts in asked]

    def where(sql: Sql, row: str) -> str:
        options = any_of([f"({all_of([one(sql) for one in conditions])})" for conditions in wanted])
        return f"EXISTS (SELECT FROM idx_composite i WHERE i.rid = {row}.rid AND i.param = {pairing.id} AND {options})"

    return Test(where)


def _together(pairing: Pairing, parts: Value) -> list[Test]:
    """Return the tests that amount to a pairing on the resource itself."""
    there = Test(lambda _sql, row: f"{row}.present && ARRAY[{pairing.id}]::int[]")
    return [
        *(TESTS[one.kind](one, "", [part]) for one, part in zip(pairing.tests, parts, strict=True)),
        there,
    ]


Condition = Callable[[Sql], str]
"""A condition on a row `i` of idx_composite."""


def _conditions(pairing: Pairing, parts: Value) -> list[Condition]:
    places = columns(pairing.components)
    return [
        _CONDITIONS[one.param.kind](one, part, place)
        for one, part, place in zip(pairing.components, parts, places, strict=True)
    ]


def _date(component: Component, part: str, _place: str) -> Condition:
    asked = date.asked(component.param.code, part)
    return lambda sql: date.compare(sql, "i.dlo", "i.dhi", *asked)


def _number(component: Component, part: str, place: str) -> Condition:
    asked = number.asked(component.param.code, unescape(part))
    return lambda sql: number.compare(sql, f"i.lo{place}", f"i.hi{place}", asked)


def _quantity(component: Component, part: str, _place: str) -> Condition:
    asked = quantity.read(component.param.code, part)
    return lambda sql: quantity.matches(sql, *asked)


def _string(component: Component, part: str, _place: str) -> Condition:
    asked = string.asked(component.param.code, unescape(part), "")
    return lambda sql: string.matches(sql, "", *asked)


def _token(component: Component, part: str, _place: str) -> Condition:
    made = TESTS[component.param.kind](component.param, "", [part])
    return _any_key([key for one in flat([made]) for key in one.tokens])


def _reference(component: Component, part: str, _place: str) -> Condition:
    param, text = component.param, unescape(part)
    found = reference.target(param, "", text)
    keys = [hashed(param.id, REFERRED, name, found[1]) for name in found[0]] if found else []
    return _any_key([*keys, *uri.hashes(param, text)])


def _any_key(keys: Sequence[int]) -> Condition:
    if not keys:
        return lambda _sql: NEVER
    return lambda sql: f"i.keys && {sql.bigs(keys)}"


_CONDITIONS: dict[str, Callable[[Component, str, str], Condition]] = {
    "date": _date,
    "number": _number,
    "quantity": _quantity,
    "string": _string,
    "token": _token,
    "uri": _token,
    "reference": _reference,
}
