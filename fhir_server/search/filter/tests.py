"""From the tree of a filter to the tests that a row passes.

A filter is a list of tests that all have to be passed, so that a patient or a code in it can lead the search. What
stands in brackets behind a reference, and what comes after, is asked of one and the same resource.

Source: http://hl7.org/fhir/R4/search_filter.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fhir_server.search import contained, criteria, plan, several
from fhir_server.search.filter import elements, operators
from fhir_server.search.filter.parser import parse
from fhir_server.search.filter.syntax import Comparison, Filter, Logical, Not, Step
from fhir_server.search.params import reference
from fhir_server.search.registry import Param, TypeSearch, registry
from fhir_server.search.sql import Sql, Test, any_of, conjunction, negated
from resources.definitions import definitions
from resources.outcome import FhirError


def read(known: TypeSearch, text: str) -> Test:
    """Return the test that a filter of a resource type asks for.

    Errors: 400 invalid with the position for what cannot be read, not-supported, value, too-costly
    """
    return conjunction(tests(known, parse(text)))


def tests(known: TypeSearch, tree: Filter) -> list[Test]:
    """Return the tests of a filter; a row has to pass all of them."""
    match tree:
        case Logical("and", left, right):
            return [*tests(known, left), *tests(known, right)]
        case Logical():
            return [_either(known, [conjunction(tests(known, one)) for one in _alternatives(tree)])]
        case Not(inner):
            return [negated(conjunction(tests(known, inner)))]
        case Comparison():
            return [_comparison(known, tree)]


def _alternatives(tree: Filter) -> Iterator[Filter]:
    if isinstance(tree, Logical) and tree.operator == "or":
        yield from _alternatives(tree.left)
        yield from _alternatives(tree.right)
    else:
        yield tree


def _either(known: TypeSearch, alternatives: Sequence[Test]) -> Test:
    """Return the test that rows pass which pass one of `alternatives`; it can lead where each of them can."""

    def where(sql: Sql, row: str) -> str:
        return any_of([f"({one.where(sql, row)})" for one in alternatives])

    def rids(sql: Sql) -> str:
        types = known.several or (known.name,)
        return " UNION ALL ".join(plan.listing(sql, types, [one]) for one in alternatives)

    ranks = [plan.lead(one) for one in alternatives]
    if any(rank is None for rank in ranks):
        return Test(where)
    return Test(where, max(rank for rank in ranks if rank is not None), rids)


def _comparison(known: TypeSearch, tree: Comparison) -> Test:
    step = tree.path[0]
    element = elements.test(known, tree)
    if element is not None:
        return element
    param = known.params.get(step.name)
    if param is None:
        raise _at(step, f"{known.name} has no search parameter '{step.name[:100]}'")
    if len(tree.path) > 1:
        return _chain(param, tree)
    if step.type:
        raise _at(step, f"':{step.type[:50]}' stands in a chain only")
    try:
        return operators.test(param, tree.operator, tree.value)
    except FhirError as problem:
        raise _at(step, problem.issues[0].text, problem.issues[0].code) from None


def _chain(param: Param, tree: Comparison) -> Test:
    """Return the test that one resource that `param` refers to passes the rest of the path, and what is in brackets."""
    if param.groups:
        return several.each(param, lambda one: _chain(one, tree))
    step, rest = tree.path[0], tree.path[1:]
    if param.kind != "reference" or param.place == "refused":
        raise _at(step, f"'{param.code}' is no reference, so that nothing can be chained to it")
    criteria.require_reference(param)
    if len(tree.path) - 1 > criteria.MAX_STEPS:
        raise _at(step, f"the path follows more than {criteria.MAX_STEPS} references", "too-costly")
    if step.type and not definitions().is_resource(step.type):
        raise _at(step, f"'{step.type[:50]}' is not a resource type")
    wanted = [rest[0].name, *(_names(step.filter) if step.filter else ())]
    targets = [step.type] if step.type else [t for t in param.targets if _serves(t, wanted)]
    if not targets:
        raise _at(rest[0], f"nothing that '{param.code}' refers to has {', '.join(map(repr, wanted))}")
    if len(targets) > criteria.MAX_CHAIN_TYPES:
        text = f"'{param.code}' refers to {len(targets)} such types: say which ({param.code}:Type)"
        raise _at(step, text, "too-costly")
    after = Comparison(rest, tree.operator, tree.value)
    inner = {
        name: [
            *(tests(registry(name), step.filter) if step.filter else ()),
            _comparison(registry(name), after),
        ]
        for name in targets
    }

    def listing(sql: Sql, types: frozenset[str]) -> str:
        wanted = [name for name in inner if name in types]
        each = (plan.listing, contained.listing)
        return " UNION ALL ".join(make(sql, name, inner[name]) for name in wanted for make in each)

    return reference.points_to(param, listing, frozenset(inner))


def _names(tree: Filter) -> Iterator[str]:
    """Yield the parameters that a filter asks a resource for."""
    match tree:
        case Logical(_, left, right):
            yield from _names(left)
            yield from _names(right)
        case Not(inner):
            yield from _names(inner)
        case Comparison(path):
            yield path[0].name


def _serves(type_name: str, codes: Sequence[str]) -> bool:
    known = registry(type_name)
    return all(
        (code in known.params and known.params[code].place != "refused") or elements.known(type_name, code)
        for code in codes
    )


def _at(step: Step, text: str, code: str = "not-supported") -> FhirError:
    return FhirError(400, code, f"'_filter', character {step.at}: {text}")
