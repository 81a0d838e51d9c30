"""Which values of an element a field takes: filters, FHIRPath, offset and count, @first, and the names of @slice.

Source: http://hl7.org/fhir/R4/graphql.html#list
"""

from __future__ import annotations

from typing import Any

from fhir_server.operations.graphql.limits import Budget
from fhir_server.operations.graphql.plan import Field, Filter, Json
from fhir_server.operations.graphql.problems import at, refused
from resources.fhirpath import Expression
from resources.fhirpath.values import plain
from resources.outcome import FhirError


class Chooser:
    """Chooses values within the budget of one request."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget

    def chosen(self, field: Field, values: list[Any], resource: Json) -> list[Any]:
        """Return those of `values` that the filter of `field` and @first take."""
        wanted = field.filter
        if wanted is not None:
            values = [one for one in values if isinstance(one, dict) and _matches(wanted, one)]
            if wanted.path is not None:
                values = self.by_path(wanted.path, field, values, resource)
            end = None if wanted.count is None else wanted.offset + wanted.count
            values = values[wanted.offset : end]
        return values[:1] if field.first else values

    def by_path(self, path: Expression, field: Field, values: list[Json], resource: Json) -> list[Json]:
        """Return those of `values` for which `path` yields true."""
        return [one for index, one in enumerate(values) if self.holds(path, field, one, index, resource)]

    def holds(self, path: Expression, field: Field, value: Json, index: int, resource: Json) -> bool:
        """Whether `path` yields true for `value` of `resource`; anything but a boolean is true where it is there."""
        items = self._evaluate(path, field, value, index, resource)
        if len(items) > 1:
            raise refused(field.node, "GraphQL: 'fhirpath' yields several values, not true or false")
        return bool(items) and items[0] is not False

    def labels(self, field: Field, values: list[Any], resource: Json) -> list[str] | None:
        """Return what @slice adds to the name of each value, None without @slice."""
        if field.slice is None:
            return None
        return [self.label(field, one, place, resource) for place, one in enumerate(values)]

    def label(self, field: Field, value: Any, index: int, resource: Json) -> str:
        """Return what @slice adds to the name of one value: '.' and the text that its path yields."""
        assert field.slice is not None
        items = self._evaluate(field.slice, field, value, index, resource)
        if len(items) > 1 or (items and not isinstance(items[0], str | int)):
            raise refused(field.node, "GraphQL: @slice: the path yields no single text", "processing", 422)
        if items and isinstance(items[0], bool):
            return "." + str(items[0]).lower()
        return "." + (str(items[0]) if items else "")

    def _evaluate(self, path: Expression, field: Field, value: Any, index: int, resource: Json) -> list[Any]:
        name = value["resourceType"] if isinstance(value, dict) and "resourceType" in value else field.type
        if value is None:
            return []
        try:
            with self.budget.path() as limits:
                return [plain(one) for one in path.on_element(resource, value, name, index, limits)]
        except FhirError as error:
            raise at(field.node, error) from None


def _matches(wanted: Filter, value: Json) -> bool:
    for name, _, values in wanted.wanted:
        found = value.get(name)
        held = found if isinstance(found, list) else [found]
        if not any(
            one == each and isinstance(one, bool) is isinstance(each, bool) for one in held for each in values
        ):
            return False
    return True
