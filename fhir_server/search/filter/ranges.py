"""Comparisons of ranges that no prefix of a parameter has: `co` and `po` of dates, `co` of numbers.

Source: http://hl7.org/fhir/R4/search_filter.html#ops
"""

from __future__ import annotations

from fhir_server.search.params import date
from fhir_server.search.params.number import asked
from fhir_server.search.registry import Param
from fhir_server.search.sql import Sql, Test
from fhir_server.search.values import bad_value
from fhir_server.storage.rows import MISSING_DATE


def period(param: Param, operator: str, value: str) -> Test:
    """Return the test that some date's period includes that of `value` (`co`) or overlaps with it (`po`).

    Errors: 400 value
    """
    try:
        first, last = date.span(value)
    except ValueError:
        raise bad_value(param.code, value, "a date such as 2024, 2024-05 or 2024-05-31T10:00:00Z") from None

    def compare(sql: Sql, lo: str, hi: str) -> str:
        start, end = (first, last) if operator == "co" else (last, first)
        return f"{lo} <= {sql.big(start)} AND {hi} >= {sql.big(end)}"

    if param.place == "main":
        return Test(
            lambda sql, row: f"({row}.d0 <> {MISSING_DATE} AND {compare(sql, f'{row}.d0', f'{row}.d1')})"
        )

    def rows(sql: Sql) -> str:
        return f"SELECT i.rid FROM idx_date i WHERE i.param IN ({_ids(param)}) AND {compare(sql, 'i.lo', 'i.hi')}"

    return Test(lambda sql, row: f"EXISTS ({rows(sql)} AND i.rid = {row}.rid)")


def imprecision(param: Param, _operator: str, value: str) -> Test:
    """Return the test that what the digits of some number leave open includes `value`: 5.4 is [5.35, 5.45).

    Errors: 400 value
    """
    number = asked(param.code, "eq" + value).value

    def rows(sql: Sql) -> str:
        place = sql.cast(str(number), "numeric")
        low, high = (f"0.5 * power(10::numeric, -scale(i.{end}))" for end in ("lo", "hi"))
        within = f"{place} >= i.lo - {low} AND {place} < i.hi + {high}"
        return f"SELECT i.rid FROM idx_number i WHERE i.param IN ({_ids(param)}) AND {within}"

    return Test(lambda sql, row: f"EXISTS ({rows(sql)} AND i.rid = {row}.rid)")


def _ids(param: Param) -> str:
    return ", ".join(str(part.id) for part in param.parts)
