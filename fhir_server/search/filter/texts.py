"""Comparisons of strings, all without case, accents and runs of white space, as their index rows have them.

Source: http://hl7.org/fhir/R4/search_filter.html#ops
"""

from __future__ import annotations

from fhir_server.search.params.string import INDEXED, LAST_CHARACTER, WHOLE, normalize
from fhir_server.search.registry import Param
from fhir_server.search.sql import Sql, Test
from fhir_server.search.values import bad_value

_HEAD = 'left(i.norm, 500) COLLATE "C"'
_SIGNS = {"ne": "<>", "gt": ">", "lt": "<", "ge": ">=", "le": "<="}
_RANKS = {"eq": 25, "sw": 30, "co": 40}
"""The operators that the indexes of strings serve, and so can lead a search."""


def test(param: Param, operator: str, value: str) -> Test:
    """Return the test that some string compares so with `value`, order being that of code points.

    Errors: 400 value
    """
    plain = normalize(value)
    if not plain or len(plain) > INDEXED:
        raise bad_value(param.code, value, f"a text of 1 to {INDEXED} characters")
    ids = ", ".join(str(part.id) for part in param.parts)

    def rows(sql: Sql) -> str:
        found = f"{WHOLE} AND {_compare(sql, operator, plain)}"
        return f"SELECT i.rid FROM idx_string i WHERE i.param IN ({ids}) AND {found}"

    rank = _RANKS.get(operator)
    return Test(
        lambda sql, row: f"EXISTS ({rows(sql)} AND i.rid = {row}.rid)", rank or 100, rows if rank else None
    )


def _compare(sql: Sql, operator: str, plain: str) -> str:
    if operator == "eq":
        return f"{_HEAD} = {sql.text(plain)} AND i.norm = {sql.text(plain)}"
    if operator == "sw":
        return f"{_HEAD} >= {sql.text(plain)} AND {_HEAD} < {sql.text(plain + LAST_CHARACTER)}"
    if operator == "co":
        return f"i.norm LIKE {sql.text('%' + like(plain) + '%')}"
    if operator == "ew":
        return f"i.norm LIKE {sql.text('%' + like(plain))}"
    return f'i.norm COLLATE "C" {_SIGNS[operator]} {sql.text(plain)}'


def like(text: str) -> str:
    """Return `text` as a pattern of LIKE that means itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
