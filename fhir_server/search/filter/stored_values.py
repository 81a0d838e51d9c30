"""Comparisons that hashes cannot answer: they read the values from the stored resource.

These tests filter rows that something else found; alone they read every resource of the type.

Source: http://hl7.org/fhir/R4/search_filter.html#ops
"""

from __future__ import annotations

from collections.abc import Callable

from fhir_server.search import stored
from fhir_server.search.filter.texts import like
from fhir_server.search.params import token
from fhir_server.search.params.implied import codes_of
from fhir_server.search.registry import Param
from fhir_server.search.sql import Sql, Test, any_of
from fhir_server.search.values import piped
from resources.outcome import FhirError

Condition = Callable[[Sql], str]
"""Returns a condition on a listed value `o`."""


def unequal_token(param: Param, _operator: str, value: str) -> Test:
    """Return the test that some token is another than `value`, by the rules by which tokens are equal.

    Errors: 400 value, not-supported for a parameter that is computed
    """
    token.test(param, "", [value])  # refuses what is no token
    if param.computed:
        other = {"true": "false", "false": "true"}[value]
        return token.test(param, "", [other])
    return _some(param, lambda sql: f"({_equal(sql, param, piped(value))}) IS NOT TRUE")


def address(param: Param, operator: str, value: str) -> Test:
    """Return the test that some address compares so with `value`; the case of addresses counts.

    Errors: 400 not-supported for a parameter that is computed
    """
    pattern = {"co": f"%{like(value)}%", "sw": f"{like(value)}%", "ew": f"%{like(value)}"}

    def compare(sql: Sql) -> str:
        if operator == "ne":
            return f"o.value <> {sql.text(value)}"
        return f"o.value LIKE {sql.text(pattern[operator])}"

    return _some(param, compare)


def _some(param: Param, condition: Condition) -> Test:
    if not stored.readable(param):
        text = f"'{param.code}' is computed, so that its values cannot be compared so"
        raise FhirError(400, "not-supported", text)
    ids = ", ".join(str(part.id) for part in param.parts)

    def where(sql: Sql, row: str) -> str:
        some = f"EXISTS (SELECT FROM ({stored.items(param, row)}) o WHERE {condition(sql)})"
        return f"({row}.present && ARRAY[{ids}]::int[] AND {some})"

    return Test(where)


def _equal(sql: Sql, param: Param, parts: list[str]) -> str:
    """Return the condition that a listed value `o` is the token asked for."""
    system, code = (None, parts[0]) if len(parts) == 1 else parts
    same_code = _same_code(sql, code) if code else ""
    if system is None:
        return same_code
    named = f"o.system = {sql.text(system)}" if system else "o.system IS NULL"
    same = f"({named} AND {same_code})" if same_code else named
    implied = [c for part in param.parts for c in codes_of(param, part, system, code)] if system else []
    if "code" not in token.leaf_types(param):
        return same
    coded = [f"(o.system IS NULL AND o.value = ANY({sql.texts(implied)}))"] if implied else []
    return any_of([*coded, *([same] if system else [])])


def _same_code(sql: Sql, code: str) -> str:
    return f"(o.value = {sql.text(code)} OR (o.folds AND lower(o.value) = {sql.text(code.lower())}))"
