"""From the pairs of a query string to a search: everything understood, refused by name, or reported.

Source: http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from fhir_server.search import compartment, criteria, include, lists, relevance, several
from fhir_server.search.context import Context
from fhir_server.search.filter.tests import read as read_filter
from fhir_server.search.query import Query
from fhir_server.search.registry import TypeSearch, registry
from fhir_server.search.scope import Scope, narrowed, scope_of
from fhir_server.search.sorting import MAX_KEYS, sort_keys
from resources.outcome import FhirError, Issue

criteria.EXPRESSIONS["_filter"] = read_filter
criteria.EXPRESSIONS["_list"] = lists.read

CURSOR = "_cursor"
ONCE = frozenset({"_count", "_total", "_summary", "_format", "_pretty", CURSOR})
"""Controls of which a second one would contradict the first, or say it again."""
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
MAX_VALUE = 20_000
"""The most characters of one parameter's value."""
MAX_VALUES = 2 * MAX_VALUE
"""The most characters of all values together."""
MAX_PARAMETERS = 100
"""The most parameters of one search."""


def parse(path: str, pairs: Sequence[tuple[str, str]], *, strict: bool) -> Query:
    """Return the search that `pairs` ask for below `path` (a resource type, or what else `scope_of` understands).

    Shape:  pairs with an empty value are left out; with `strict` unknown parameters are errors, else issues
    Errors: 400 with every problem found: not-supported (modifiers, parameters without a meaning), value, invalid; 404
    """
    query = Query(_scope(path, pairs))
    known = several.known(query.types)
    if query.scope.owner is not None:
        query.tests.append(compartment.test(query.scope))
    problems = _contradictions(pairs)
    _check_size(pairs)
    for name, value in pairs:
        if not value.strip():
            continue
        try:
            _check_text(name, value)
            if _take(known, query, name, value):
                query.pairs.append((name, value))
            else:
                (problems if strict else query.issues).append(_unknown(known, name, strict))
        except FhirError as problem:
            problems += problem.issues
    if problems:
        raise FhirError(400, issues=problems)
    relevance.settle(query)
    return query


def _contradictions(pairs: Sequence[tuple[str, str]]) -> list[Issue]:
    """Return what is to be said of controls that are repeated, or cannot be asked for together."""
    names = [name for name, value in pairs if name in ONCE and value.strip()]
    problems = [
        Issue("invalid", f"The parameter '{name}' may be given once, not {names.count(name)} times")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    including = any(name.partition(":")[0] in ("_include", "_revinclude") and value for name, value in pairs)
    if including and ("_summary", "text") in pairs:
        problems.append(Issue("invalid", "_include and _revinclude cannot be mixed with _summary=text"))
    return problems


def _check_size(pairs: Sequence[tuple[str, str]]) -> None:
    """Refuse a search that no one line of thought asks for: each criterion is a condition on every row."""
    if len(pairs) > MAX_PARAMETERS:
        raise FhirError(400, "too-costly", f"A search has at most {MAX_PARAMETERS} parameters")
    if sum(len(value) for _, value in pairs) > MAX_VALUES:
        raise FhirError(400, "too-long", f"The values of a search are longer than {MAX_VALUES} characters")


def _check_text(name: str, value: str) -> None:
    if len(value) > MAX_VALUE:
        raise FhirError(400, "too-long", f"The value of '{name[:100]}' is longer than {MAX_VALUE} characters")
    if _NO_TEXT.search(name + value):
        raise FhirError(400, "value", f"The value of '{name[:100]}' holds characters that no text can have")


def _scope(path: str, pairs: Sequence[tuple[str, str]]) -> Scope:
    scope = scope_of(path)
    for name, value in pairs:
        if name == "_type" and value.strip():
            scope = narrowed(scope, value)
    return scope


def _unknown(known: TypeSearch, name: str, strict: bool) -> Issue:
    text = f"{known.name} has no search parameter '{name[:100]}'"
    code = name.partition(".")[0].partition(":")[0]
    if known.several:
        lacking = next((one for one in known.types if code not in registry(one).params), known.types[0])
        text = f"'{name[:100]}' is no search parameter of all the types that are searched: {lacking} has none"
    return Issue(
        "not-supported", text if strict else text + ": it was ignored", (), "error" if strict else "warning"
    )


def _take(known: TypeSearch, query: Query, name: str, value: str) -> bool:
    """Add one parameter to `query`; false where nobody knows it."""
    control = _CONTROLS.get(name)
    if control is not None:
        control(known, query, value)
        return True
    plain, _, modifier = name.partition(":")
    if plain in ("_include", "_revinclude"):
        query.includes.append(include.parse(query.types, plain, modifier, value))
        return True
    if plain in _CONTROLS and modifier:
        raise FhirError(400, "not-supported", f"'{plain}' takes no modifier (':{modifier[:50]}')")
    test = criteria.read(known, name, value)
    if test is None:
        return False
    query.tests.append(test)
    return True


def _count(_known: TypeSearch, query: Query, value: str) -> None:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise FhirError(400, "value", f"'{value[:50]}' is no value for '_count': a whole number from 0")
    query.count = min(int(value), Context.page_size_max)


def _total(_known: TypeSearch, query: Query, value: str) -> None:
    match value:
        case "none" | "estimate" | "accurate":
            query.total = value
        case _:
            raise FhirError(
                400, "value", f"'{value[:50]}' is no value for '_total': none, estimate or accurate"
            )


def _summary(_known: TypeSearch, query: Query, value: str) -> None:
    if value not in ("true", "false", "text", "data", "count"):
        text = f"'{value[:50]}' is no value for '_summary': true, text, data, count or false"
        raise FhirError(400, "value", text)
    query.only_count = value == "count"


def _sort(known: TypeSearch, query: Query, value: str) -> None:
    query.sort += sort_keys(known, value)
    if len(query.sort) > MAX_KEYS:
        raise FhirError(400, "too-costly", f"'_sort' has more than {MAX_KEYS} keys")


def _cursor(_known: TypeSearch, query: Query, value: str) -> None:
    query.cursor = value


def _contained(_known: TypeSearch, query: Query, value: str) -> None:
    match value:
        case "false" | "true" | "both":
            query.contained = value
        case _:
            raise FhirError(400, "value", f"'{value[:50]}' is no value for '_contained': false, true or both")


def _contained_type(_known: TypeSearch, query: Query, value: str) -> None:
    match value:
        case "container" | "contained":
            query.contained_type = value
        case _:
            text = f"'{value[:50]}' is no value for '_containedType': container or contained"
            raise FhirError(400, "value", text)


def _query(_known: TypeSearch, _search: Query, _value: str) -> None:
    text = "'_query' names a whole search, which no condition and no other query takes as its part"
    raise FhirError(400, "not-supported", text)


def _nothing(_known: TypeSearch, _query: Query, _value: str) -> None:
    """Accept a parameter that others apply."""


_CONTROLS: dict[str, Callable[[TypeSearch, Query, str], None]] = {
    "_count": _count,
    "_total": _total,
    "_summary": _summary,
    "_sort": _sort,
    "_contained": _contained,
    "_containedType": _contained_type,
    CURSOR: _cursor,
    "_query": _query,
    "_format": _nothing,
    "_pretty": _nothing,
    "_elements": _nothing,
    "_type": _nothing,
}
