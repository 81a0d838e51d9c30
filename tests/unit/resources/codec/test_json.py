"""FHIR JSON: digits kept, duplicates and everything malformed refused with line and column."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from resources.codec.json import dump_json, parse_json
from resources.codec.json_problem import MAX_DEPTH, json_problem
from resources.outcome import FhirError, Issue

REFUSED = {
    "duplicate key": (b'{"a":1,\n "a":2}', (2, 2), '"a" occurs twice'),
    "duplicate of equal value": (b'{"a":"x","a":"x"}', (1, 10), '"a" occurs twice'),
    "duplicate written with an escape": (b'{"a":1,"\\u0061":1}', (1, 8), '"a" occurs twice'),
    "duplicate hidden behind escaped quotes": (
        b'{"b":"\\u0022\\u0022","a":1,"a":2}',
        (1, 27),
        '"a" occurs twice',
    ),
    "duplicate deep inside": (b'{"a":[{"b":{"c":[],\n"c":1}}]}', (2, 1), '"c" occurs twice'),
    "NaN": (b'{"a":NaN}', (1, 6), "NaN"),
    "Infinity": (b'{"a":\n\n-Infinity}', (3, 1), "-Infinity"),
    "huge exponent": (b'{"a":1e999999999}', (1, 6), "10 to the power"),
    "exponent beyond Decimal": (b'{"a":1e99999999999999999999}', (1, 6), "10 to the power"),
    "tiny exponent": (b'{"a":1.5e-999999999}', (1, 6), "10 to the power"),
    "huge integer": (b'{"a":1' + b"0" * 5000 + b"}", (1, 6), "more than 4300"),
    "lone surrogate": (b'{"a":"\\ud800"}', (1, 6), "surrogate"),
    "low surrogate first": (b'{"a":"\\udc00\\ud800 and more"}', (1, 6), "surrogate"),
    "not UTF-8": (b'{"a":"\xc3\xa9\xff"}', (1, 8), "0xFF"),
    "surrogate in UTF-8": (b'{"a":"\xed\xa0\x80"}', (1, 7), "UTF-8"),
    "byte order mark": (b'\xef\xbb\xbf{"a":1}', (1, 1), "byte order mark"),
    "array": (b"[]", (1, 1), "object is expected"),
    "null": (b"null", (1, 1), "object is expected"),
    "trailing text": (b'{"a":1} x', (1, 9), "nothing may follow"),
    "trailing comma": (b'{"a":1,}', (1, 8), "comma"),
    "leading zero": (b'{"a":01}', (1, 7), "expected"),
    "plus sign": (b'{"a":+1}', (1, 6), "expected"),
    "single quotes": (b"{'a':1}", (1, 2), "double quotes"),
    "missing colon": (b'{"a" 1}', (1, 6), '":"'),
    "missing comma": (b'{"a":{"b":1} "c":1}', (1, 14), '","'),
    "truncated": (b'{"a":', (1, 6), "ends"),
    "truncated string": (b'{"a":"b', (1, 6), "unterminated"),
    "raw control character": (b'{"a":"b\nc"}', (1, 8), "control character"),
    "unknown escape": (b'{"a":"\\x"}', (1, 7), "escape"),
    "comment": (b'{"a":1 /* no */}', (1, 8), "expected"),
}


@pytest.mark.parametrize(("data", "where", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_malformed_json_is_refused_with_line_and_column(
    data: bytes, where: tuple[int, int], text: str
) -> None:
    with pytest.raises(FhirError) as refusal:
        parse_json(data)
    (issue,) = refusal.value.issues
    assert refusal.value.status == 400
    assert issue.code == "structure"
    assert (issue.line, issue.column) == where
    assert text in issue.text


@pytest.mark.parametrize("data", [b"", b" \n "])
def test_empty_body_is_refused(data: bytes) -> None:
    with pytest.raises(FhirError, match="empty"):
        parse_json(data)


@pytest.mark.parametrize(("opener", "closer"), [(b'{"a":', b"}"), (b"[", b"]")])
def test_nesting_is_limited(opener: bytes, closer: bytes) -> None:
    def nested(levels: int) -> bytes:
        return b'{"x":' + opener * (levels - 1) + b"-0" + closer * (levels - 1) + b"}"

    assert parse_json(nested(MAX_DEPTH))
    for levels in (MAX_DEPTH + 1, 900, 100_000):
        with pytest.raises(FhirError, match=f"more than {MAX_DEPTH} levels"):
            parse_json(nested(levels))


def test_brackets_in_strings_do_not_count_as_nesting() -> None:
    assert parse_json(b'{"a":"' + b"[" * 500 + b'"}') == {"a": "[" * 500}


@pytest.mark.parametrize(
    "number", ["1.00", "0.10", "100", "-0.0", "1E+3", "1.0E-7", "-0", "0.0000001", "1E+400"]
)
def test_decimals_keep_their_digits(number: str) -> None:
    value = parse_json(b'{"a":' + number.encode() + b"}")["a"]
    assert Decimal(number).as_tuple() == Decimal(value).as_tuple()
    again = parse_json(dump_json({"a": value}))["a"]
    assert Decimal(again).as_tuple() == Decimal(number).as_tuple()


def test_lower_case_exponent_keeps_value_and_digits() -> None:
    assert dump_json(parse_json(b'{"a":1.0e3}')) == b'{"a":1.0E+3}'


def test_integers_are_int_and_all_else_is_decimal() -> None:
    assert [type(v) for v in parse_json(b'{"a":1,"b":1.0,"c":1e0}').values()] == [int, Decimal, Decimal]


def test_pretty_is_indented_and_equal() -> None:
    pretty = dump_json({"a": [1, {"b": Decimal("1.00")}]}, pretty=True)
    assert b'\n  "a": [' in pretty
    assert b"1.00" in pretty
    assert parse_json(pretty) == {"a": [1, {"b": Decimal("1.00")}]}


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_KEYS = st.sampled_from(["a", "b", 'q"', "\\", '\\"', "u0022", "\\u0022"]) | _TEXT
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, places=3)
    | _KEYS
)
_VALUES = st.recursive(
    _LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(_KEYS, v, max_size=3), max_leaves=12
)


@settings(deadline=None)
@given(st.dictionaries(_KEYS, _VALUES, max_size=4), st.booleans())
def test_round_trip_is_equal(value: dict[str, Any], pretty: bool) -> None:
    assert parse_json(dump_json(value, pretty)) == value


class _Pairs(list[tuple[str, Any]]):
    """An object that may hold a key twice."""


def _objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(st.tuples(_KEYS, values), max_size=4).map(_Pairs)


_MAYBE_TWICE = _objects(st.recursive(_LEAVES, lambda v: st.lists(v, max_size=3) | _objects(v), max_leaves=12))
_STYLES = st.lists(st.sampled_from(["raw", "escape", "quote"]), min_size=1, max_size=7)


def _written(value: Any, styles: list[str], count: list[int]) -> str:
    """Return JSON text whose strings are written plainly, all in escapes, or with quotes as \\u0022."""
    if isinstance(value, str):
        count[0] += 1
        style = styles[count[0] % len(styles)]
        if style == "escape" and value.isascii():
            return '"' + "".join(f"\\u{ord(c):04x}" for c in value) + '"'
        text = json.dumps(value, ensure_ascii=style == "raw")
        return (
            '"' + text[1:-1].replace('\\"', "\\u0022") + '"'
            if style == "quote" and "\\\\" not in text
            else text
        )
    if isinstance(value, _Pairs):
        members = (_written(k, styles, count) + ": " + _written(v, styles, count) for k, v in value)
        return "{" + ",\n".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_written(v, styles, count) for v in value) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def _has_duplicate(text: str) -> bool:
    found = []

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        found.append(len(members) != len(dict(members)))
        return dict(members)

    json.loads(text, object_pairs_hook=pairs)
    return any(found)


@settings(deadline=None)
@given(_MAYBE_TWICE, _STYLES)
@example(_Pairs([("a", 1), ("a", '"'), ("b", '"')]), ["raw", "quote"])
@example(_Pairs([("\\", '\\"'), ("a", '""""'), ("a", "")]), ["quote"])
def test_duplicate_keys_are_refused_however_they_are_written(value: _Pairs, styles: list[str]) -> None:
    text = _written(value, styles, [0])
    if _has_duplicate(text):
        with pytest.raises(FhirError, match="occurs twice"):
            parse_json(text.encode())
    else:
        assert parse_json(text.encode()) == json.loads(text, parse_float=Decimal)


def _issue(data: bytes) -> Issue | None:
    """Return why `data` is refused, None where it is read."""
    try:
        value = parse_json(data)
    except FhirError as error:
        return error.issues[0] if error.status == 400 else None
    return None if isinstance(value, dict) else Issue("exception", "unexplained")


@settings(deadline=None)
@given(st.binary(max_size=40) | st.text('{}[]",:\\u0022ad8e-1 \n', max_size=30).map(str.encode))
def test_any_bytes_give_an_object_or_an_explained_refusal(data: bytes) -> None:
    issue = _issue(data)
    assert issue is None or "unexplained" not in issue.text


@settings(deadline=None)
@given(
    _MAYBE_TWICE.map(lambda v: _written(v, ["raw"], [0])),
    st.integers(0, 200),
    st.sampled_from(list('{}[]",:0a.\\')),
)
def test_every_refusal_names_the_place(text: str, at: int, junk: str) -> None:
    data = (text[:at] + junk + text[at:]).encode()
    issue = _issue(data)
    if issue is None:
        assert json_problem(data, "unexplained").issues[0].text.endswith("unexplained")
    else:
        assert issue.line is not None
        assert issue.column is not None
