"""Say what is wrong with a JSON text and where: the slow, careful reader behind a refusal."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from json.decoder import JSONDecodeError

from resources.outcome import FhirError, Issue

MAX_DEPTH = 100
"""Arrays and objects inside each other; the deepest official example has 20."""
MAX_EXPONENT = 400
"""Powers of ten that a number may reach: beyond every double, harmless to arithmetic and to print."""
MAX_DIGITS = 4300
"""Characters in one number: as far as Python itself converts text to int."""

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"true|false|null")
_NOT_JSON = re.compile(r"[-+]?(?:NaN|Infinity|[0-9.][0-9.eE+-]*|[A-Za-z_]+)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_PYTHON_TAIL = re.compile(r"( starting)? at$|: $")
_STRING = json.JSONDecoder().raw_decode


class _ProblemError(Exception):
    def __init__(self, text: str, at: int) -> None:
        super().__init__(text)
        self.text = text
        self.at = at


def json_problem(data: bytes, otherwise: str) -> FhirError:
    """Return the error that names the first problem in `data`, with `otherwise` as its text if none is found."""
    if not data.strip():
        return FhirError(400, "structure", "The body is empty; a JSON object is expected")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8")
        return _error(good, len(good), f"Not UTF-8: byte 0x{data[error.start]:02X}")
    try:
        _Reader(text).read()
    except _ProblemError as problem:
        return _error(text, problem.at, problem.text)
    return FhirError(400, "structure", f"Malformed JSON: {otherwise}")


def _error(text: str, at: int, problem: str) -> FhirError:
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    return FhirError(400, issues=[Issue("structure", f"Malformed JSON: {problem}", line=line, column=column)])


class _Reader:
    """Read a JSON text with a stack of its own, keeping the position; raises `_ProblemError` at the first one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.stack: list[set[str] | None] = []

    def read(self) -> None:
        """Read the whole text."""
        if self.text.startswith("\ufeff"):
            raise _ProblemError("a byte order mark is not allowed", 0)
        if self._next() != "{":
            raise _ProblemError("a JSON object is expected", self.at)
        self._values()
        if self._next():
            raise _ProblemError("nothing may follow the object", self.at)

    def _values(self) -> None:
        self._open()
        while self.stack:
            keys, char = self.stack[-1], self._next()
            closer = "]" if keys is None else "}"
            if char == closer:
                self.at += 1
                self.stack.pop()
                self._after_value()
                continue
            if keys is not None:
                self._key(keys)
            self._value()

    def _next(self) -> str:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.text[self.at : self.at + 1]

    def _open(self) -> None:
        self.stack.append(set() if self.text[self.at] == "{" else None)
        if len(self.stack) > MAX_DEPTH:
            raise _ProblemError(f"nested more than {MAX_DEPTH} levels deep", self.at)
        self.at += 1

    def _key(self, keys: set[str]) -> None:
        if self._next() != '"':
            raise _ProblemError(self._unexpected("a key in double quotes"), self.at)
        start = self.at
        key = self._string()
        if key in keys:
            raise _ProblemError(f'the key "{key}" occurs twice in one object', start)
        keys.add(key)
        if self._next() != ":":
            raise _ProblemError(self._unexpected(f'":" after the key "{key}"'), self.at)
        self.at += 1

    def _value(self) -> None:
        char = self._next()
        if char and char in "{[":
            self._open()
            return
        if char == '"':
            self._string()
        elif number := _NUMBER.match(self.text, self.at):
            self._number(number.group())
        elif word := _WORD.match(self.text, self.at):
            self.at = word.end()
        else:
            raise _ProblemError(self._unexpected("a value"), self.at)
        self._after_value()

    def _after_value(self) -> None:
        if not self.stack:
            return
        closer = "]" if self.stack[-1] is None else "}"
        char = self._next()
        if char == ",":
            self.at += 1
            if self._next() == closer:
                raise _ProblemError(f'a comma before "{closer}"', self.at)
        elif char != closer:
            raise _ProblemError(self._unexpected(f'"," or "{closer}"'), self.at)

    def _string(self) -> str:
        start = self.at
        try:
            value, self.at = _STRING(self.text, start)
        except JSONDecodeError as error:
            raise _ProblemError(_PYTHON_TAIL.sub("", error.msg).lower(), error.pos) from None
        if _SURROGATE.search(value):
            raise _ProblemError("half of a surrogate pair in a string", start)
        return str(value)

    def _number(self, text: str) -> None:
        if len(text) > MAX_DIGITS:
            raise _ProblemError(f"a number of more than {MAX_DIGITS} characters", self.at)
        mantissa, _, exponent = text.lower().partition("e")
        if not self._bearable(mantissa, exponent):
            raise _ProblemError(f"a number beyond 10 to the power of ±{MAX_EXPONENT}", self.at)
        self.at += len(text)

    def _bearable(self, mantissa: str, exponent: str) -> bool:
        if "." not in mantissa and not exponent:
            return True
        power = int(exponent or 0)
        return abs(power) < 10_000 and abs(Decimal(f"{mantissa}e{power}").adjusted()) <= MAX_EXPONENT

    def _unexpected(self, expected: str) -> str:
        if self.at >= len(self.text):
            return f"the text ends where {expected} is expected"
        found = _NOT_JSON.match(self.text, self.at)
        return f"{expected} is expected, not {(found.group() if found else self.text[self.at])[:40]!r}"
