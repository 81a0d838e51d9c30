"""Read an expression into its syntax tree: precedence climbing over the tokens.

Source: http://hl7.org/fhirpath/N1/grammar.html and #operator-precedence
"""

from __future__ import annotations

from decimal import Decimal

from resources.fhirpath.errors import syntax_error
from resources.fhirpath.lexer import Token, tokens
from resources.fhirpath.quantity import CALENDAR_UNITS, Quantity
from resources.fhirpath.syntax import (
    Binary,
    Call,
    Empty,
    Expr,
    External,
    Index,
    Literal,
    Member,
    Polarity,
    Special,
    This,
    TypeTest,
    Union,
)
from resources.fhirpath.temporal import Temporal

MAX_LENGTH = 20_000
MAX_DEPTH = 60
MAX_CHAIN = 100
MAX_DIGITS = 60

_LEVELS: tuple[frozenset[str], ...] = (
    frozenset(["implies"]),
    frozenset(["or", "xor"]),
    frozenset(["and"]),
    frozenset(["in", "contains"]),
    frozenset(["=", "~", "!=", "!~"]),
    frozenset(["<", "<=", ">", ">="]),
    frozenset(["|"]),
    frozenset(["is", "as"]),
    frozenset(["+", "-", "&"]),
    frozenset(["*", "/", "div", "mod"]),
)
_PRECEDENCE = {operator: level for level, operators in enumerate(_LEVELS) for operator in operators}
_TYPE_LEVEL = _PRECEDENCE["is"]
_TYPE_FUNCTIONS = frozenset(["is", "as", "ofType"])


def parse(expression: str) -> Expr:
    """Return the syntax tree; FhirError 400 'invalid' with the position where it cannot be read."""
    if len(expression) > MAX_LENGTH:
        raise syntax_error(expression, MAX_LENGTH, f"longer than {MAX_LENGTH} characters")
    parser = _Parser(expression)
    tree = parser.binary(0)
    parser.expect("end", "")
    return tree


class _Parser:
    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.tokens = tokens(expression)
        self.at = 0
        self.depth = 0

    @property
    def now(self) -> Token:
        return self.tokens[self.at]

    def next(self) -> Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def is_symbol(self, text: str) -> bool:
        token = self.tokens[self.at]
        return token.kind == "symbol" and token.text == text

    def expect(self, kind: str, text: str) -> Token:
        token = self.now
        if token.kind != kind or token.text != text:
            raise self.unexpected(token, f", expected {text!r}" if text else "")
        self.at += 1
        return token

    def unexpected(self, token: Token, hint: str = "") -> Exception:
        what = "the end" if token.kind == "end" else repr(token.text)
        return syntax_error(self.expression, token.position, f"unexpected {what}{hint}")

    def binary(self, level: int) -> Expr:
        """Read operators of at least `level`, left-associative."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise syntax_error(self.expression, self.now.position, f"nested deeper than {MAX_DEPTH}")
        left = self.unary()
        links = 0
        while True:
            token = self.now
            found = _PRECEDENCE.get(token.text, -1) if token.kind in ("symbol", "name") else -1
            if found < level:
                break
            links += 1
            if links > MAX_CHAIN:
                raise syntax_error(
                    self.expression, token.position, f"more than {MAX_CHAIN} operators in a row"
                )
            self.at += 1
            left = self.operation(left, token.text, found)
        self.depth -= 1
        return left

    def operation(self, left: Expr, operator: str, level: int) -> Expr:
        if level == _TYPE_LEVEL:
            namespace, name = self.type_name()
            return TypeTest(operator, left, namespace, name)
        right = self.binary(level + 1)
        if operator == "|":
            parts = left.parts if isinstance(left, Union) else (left,)
            return Union((*parts, right))
        return Binary(operator, left, right)

    def unary(self) -> Expr:
        token = self.now
        if token.kind == "symbol" and token.text in "+-":
            self.at += 1
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise syntax_error(self.expression, token.position, f"nested deeper than {MAX_DEPTH}")
            operand = Polarity(token.text, self.unary())
            self.depth -= 1
            return operand
        return self.postfix()

    def postfix(self) -> Expr:
        tree = self.term()
        links = 0
        while True:
            if self.is_symbol("."):
                self.at += 1
                tree = self.invocation(tree)
            elif self.is_symbol("["):
                self.at += 1
                tree = Index(tree, self.binary(0))
                self.expect("symbol", "]")
            else:
                return tree
            links += 1
            if links > MAX_CHAIN:
                raise syntax_error(
                    self.expression, self.now.position, f"a path of more than {MAX_CHAIN} steps"
                )

    def term(self) -> Expr:
        token = self.now
        if token.kind == "symbol":
            return self.bracketed()
        if token.kind == "string":
            self.at += 1
            return Literal(token.text)
        if token.kind == "number":
            return self.number()
        if token.kind == "temporal":
            return self.temporal()
        if token.kind == "external":
            self.at += 1
            return External(token.text)
        if token.kind == "name" and token.text in ("true", "false"):
            self.at += 1
            return Literal(token.text == "true")
        return self.invocation(None)

    def bracketed(self) -> Expr:
        token = self.next()
        if token.text == "(":
            tree = self.binary(0)
            self.expect("symbol", ")")
            return tree
        if token.text == "{":
            self.expect("symbol", "}")
            return Empty()
        raise self.unexpected(token)

    def number(self) -> Expr:
        start = self.next()
        text = start.text
        if len(text) > MAX_DIGITS or ("." not in text and int(text) > 2**31):
            raise syntax_error(self.expression, start.position, "a number that is too large")
        value = Decimal(text) if "." in text else int(text)
        token = self.now
        if token.kind == "string":
            self.at += 1
            return Literal(Quantity(Decimal(text), token.text))
        if token.kind == "name" and token.text in CALENDAR_UNITS:
            self.at += 1
            return Literal(Quantity(Decimal(text), CALENDAR_UNITS[token.text], calendar=True))
        return Literal(value)

    def temporal(self) -> Expr:
        token = self.next()
        value = Temporal.literal(token.text[1:])
        if value is None:
            raise syntax_error(self.expression, token.position, f"{token.text} is no date or time")
        return Literal(value)

    def invocation(self, base: Expr | None) -> Expr:
        token = self.next()
        if token.kind == "special":
            return This() if token.text == "$this" else Special(token.text[1:])
        if token.kind not in ("name", "quoted"):
            raise self.unexpected(token)
        if not self.is_symbol("("):
            return Member(base, token.text)
        self.at += 1
        if token.text in _TYPE_FUNCTIONS:
            namespace, name = self.type_name()
            self.expect("symbol", ")")
            return TypeTest(token.text, base, namespace, name)
        return Call(base, token.text, self.arguments(), token.position)

    def arguments(self) -> tuple[Expr, ...]:
        found: list[Expr] = []
        if not self.is_symbol(")"):
            found.append(self.binary(0))
            while self.is_symbol(","):
                self.at += 1
                found.append(self.binary(0))
        self.expect("symbol", ")")
        return tuple(found)

    def type_name(self) -> tuple[str, str]:
        parts = [self.type_part()]
        if self.is_symbol("."):
            self.at += 1
            parts.append(self.type_part())
        return ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])

    def type_part(self) -> str:
        token = self.next()
        if token.kind not in ("name", "quoted"):
            raise self.unexpected(token, ", expected the name of a type")
        return token.text
