"""Write conditions (`exists()`, `=`, `resolve() is X`, `and`…) as Python source: True, False or None for empty."""

from __future__ import annotations

from decimal import Decimal

from resources.fhirpath.model import kind_of
from resources.fhirpath.plan import Get, HasUrl, OfResource, Planner, Route, Step, UnsupportedError, Where
from resources.fhirpath.source import Source
from resources.fhirpath.syntax import Binary, Call, Expr, Literal, TypeTest
from resources.fhirpath.typetests import contained_by_id, reference_type

_COMPARABLE: dict[type, tuple[str, ...]] = {
    str: ("String",),
    bool: ("Boolean",),
    int: ("Integer", "Decimal"),
    Decimal: ("Integer", "Decimal"),
}


class Conditions:
    """Writes conditions on a focus of one type."""

    def __init__(self, source: Source, type_name: str, lenient: bool) -> None:
        self.source = source
        self.type_name = type_name
        self.lenient = lenient
        self.planner = Planner(type_name, lenient)

    def write(self, tree: Expr, variable: str) -> str:
        """Write the evaluation of `tree` on the value of `variable`; return the variable with the result."""
        if isinstance(tree, Literal) and isinstance(tree.value, bool):
            return repr(tree.value)
        if isinstance(tree, Binary):
            return self._binary(tree, variable)
        if isinstance(tree, TypeTest):
            return self._resolves_to(tree, variable)
        if isinstance(tree, Call):
            return self._call(tree, variable)
        raise UnsupportedError

    def _call(self, tree: Call, variable: str) -> str:
        if tree.name == "not" and tree.base is not None and not tree.arguments:
            inner = self.write(tree.base, variable)
            return self._result(f"None if {inner} is None else not {inner}")
        if tree.name == "hasExtension":
            return self._exists(Call(tree.base, "extension", tree.arguments, 0), variable)
        if tree.name == "empty" and tree.base is not None and not tree.arguments:
            return self._result(f"not {self._exists(tree.base, variable)}")
        if tree.name == "exists" and tree.base is not None:
            kept = Call(tree.base, "where", tree.arguments, 0) if tree.arguments else tree.base
            return self._exists(kept, variable)
        raise UnsupportedError

    def _result(self, expression: str) -> str:
        result = self.source.name()
        self.source.line(f"{result} = {expression}")
        return result

    def _binary(self, tree: Binary, variable: str) -> str:
        if tree.operator in ("=", "!="):
            return self._compared(tree, variable)
        if tree.operator not in ("and", "or"):
            raise UnsupportedError
        left, right = self.write(tree.left, variable), self.write(tree.right, variable)
        decisive, other = ("False", "True") if tree.operator == "and" else ("True", "False")
        return self._result(
            f"{decisive} if {left} is {decisive} or {right} is {decisive}"
            f" else None if {left} is None or {right} is None else {other}"
        )

    def _exists(self, tree: Expr, variable: str) -> str:
        result = self._result("False")
        for route in self.planner.routes(tree):
            with self.source.block():
                self._walk(route, variable, last_may_be_bare=True)
                self.source.line(f"{result} = True")
        return result

    def _compared(self, tree: Binary, variable: str) -> str:
        """Write path = literal for a path of at most one value."""
        literal = tree.right
        if not isinstance(literal, Literal) or type(literal.value) not in _COMPARABLE:
            raise UnsupportedError
        routes = self.planner.routes(tree.left)
        if len({route.steps[:-1] for route in routes}) > 1:
            raise UnsupportedError
        result = self._result("None")
        for route in routes:
            system = kind_of(route.type_name).system
            if not route.single or system is None or system == "Quantity":
                raise UnsupportedError
            with self.source.block():
                value = self._walk(route, variable)
                if system in _COMPARABLE[type(literal.value)]:
                    constant = repr(literal.value) if isinstance(literal.value, (str, bool)) else None
                    constant = constant or self.source.constant(literal.value)
                    self.source.line(
                        f"{result} = {value} {'==' if tree.operator == '=' else '!='} {constant}"
                    )
                else:
                    self.source.line(f"{result} = {tree.operator == '!='}")
        return result

    def _resolves_to(self, tree: TypeTest, variable: str) -> str:
        """Write `path.resolve() is Type`, decided by the reference's text; a literal `Type/…` is recognised inline."""
        operand, name = tree.operand, tree.name
        if tree.operator != "is" or not isinstance(operand, Call) or operand.name != "resolve":
            raise UnsupportedError
        if tree.namespace == "System" or kind_of(name).dynamic:
            raise UnsupportedError
        routes = [self.planner.focus] if operand.base is None else self.planner.routes(operand.base)
        if len(routes) != 1 or not routes[0].single or routes[0].type_name != "Reference":
            raise UnsupportedError
        result = self._result("None")
        type_of, contained = self.source.constant(reference_type), self.source.constant(contained_by_id)
        with self.source.block():
            value = self._walk(routes[0], variable)
            start = f"{name}/"
            self.source.line(f"{result} = {value}.get('reference', '')[:{len(start)}] == {start!r}")
            self.source.open(f"if not {result}:")
            self.source.line(f"{result} = {type_of}({value}, {contained}(resource)) == {name!r}")
        return result

    def _walk(self, route: Route, variable: str, *, last_may_be_bare: bool = False) -> str:
        """Write the way along a route, leaving its blocks open; return the variable with the value."""
        for at, step in enumerate(route.steps):
            bare = last_may_be_bare and at == len(route.steps) - 1
            variable = self._step(step, variable, bare)
        return variable

    def _step(self, step: Step, variable: str, bare: bool) -> str:
        source = self.source
        if isinstance(step, OfResource):
            source.open(f"if {variable}.get('resourceType') == {step.type_name!r}:")
        elif isinstance(step, HasUrl):
            source.open(f"if {variable}.get('url') == {step.url!r}:")
        elif isinstance(step, Get) and bare and step.primitive:
            source.open(f"if {step.key!r} in {variable} or {step.under!r} in {variable}:")
        elif isinstance(step, Get):
            return self._get(step, variable)
        else:
            return self._where(step, variable)
        return variable

    def _get(self, step: Get, variable: str) -> str:
        self.source.open(f"if {step.key!r} in {variable}:")
        value = self.source.name()
        if step.many:
            self.source.open(f"for {value} in {variable}[{step.key!r}]:")
        else:
            self.source.line(f"{value} = {variable}[{step.key!r}]")
        return value

    def _where(self, step: Step, variable: str) -> str:
        if not isinstance(step, Where):
            raise UnsupportedError
        inner = Conditions(self.source, step.type_name, self.lenient)
        self.source.open(f"if {inner.write(step.condition, variable)}:")
        return variable
