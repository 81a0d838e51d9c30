"""JSON Patch.

Our own engine, because a patch comes from outside: a failure names the operation and its pointer, copies of copies
(which double with each operation) are bounded, and depth is.

Source: RFC 6902, RFC 6901, http://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from resources.codec.json import parse_json
from resources.outcome import FhirError, Issue
from resources.patch.tree import MAX_COPIED, check_depth, clone, same, without_empties

Json = dict[str, Any]
Pointer = tuple[str, ...]
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
_BAD_ESCAPE = re.compile(r"~(?![01])")


def json_patch(resource: Json, patch: bytes | list[Any]) -> Json:
    """Return a patched copy of `resource`; numbers keep their digits.

    Shape:  `patch` is the text or the parsed array of operations; arrays and objects that a removal empties vanish
            at the end, since FHIR JSON has none; nothing else is judged here (the result may be invalid FHIR)
    Errors: FhirError 400 for a malformed patch; 422 where an operation cannot be applied or a `test` fails. The issue
            names the operation by its index and the pointer
    """
    operations = _parsed(patch) if isinstance(patch, bytes) else patch
    if not isinstance(operations, list):
        raise FhirError(400, "structure", "a JSON Patch is an array of operations")
    document = _Document(clone(resource))
    for index, operation in enumerate(operations):
        try:
            _apply(document, operation)
        except FhirError as error:
            raise _located(error, index, operation) from None
    result = without_empties(document.root, document.emptied) if document.emptied else document.root
    if not isinstance(result, dict):
        raise FhirError(422, "processing", "the patched document is not a JSON object")
    return result


def _parsed(data: bytes) -> Any:
    """Return the array in `data`; the codec reads objects only, hence the wrapping (and the line that it adds)."""
    try:
        wrapped = parse_json(b'{"patch":\n' + data + b"}")
    except FhirError as error:
        raise FhirError(error.status, issues=[_line_before(issue) for issue in error.issues]) from None
    if len(wrapped) != 1:
        raise FhirError(400, "structure", "a JSON Patch is one array of operations")
    return wrapped["patch"]


def _line_before(issue: Issue) -> Issue:
    return msgspec.structs.replace(issue, line=issue.line - 1) if issue.line else issue


def _located(error: FhirError, index: int, operation: Any) -> FhirError:
    what = f"operation {index}"
    if isinstance(operation, dict):
        op, path = operation.get("op"), operation.get("path")
        what += f" ({op} {path})" if isinstance(op, str) and isinstance(path, str) else ""
    issues = [msgspec.structs.replace(issue, text=f"{what[:300]}: {issue.text}") for issue in error.issues]
    return FhirError(error.status, issues=issues)


# --------------------------------------------------------------------------------------------------- operations


class _Document:
    """The document being patched: its root, what removals emptied, and how much was copied."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.emptied: set[int] = set()
        self.kept: list[Any] = []
        self.copied = 0

    def get(self, pointer: Pointer) -> Any:
        """Return the value at `pointer`."""
        value = self.root
        for depth, token in enumerate(pointer):
            if isinstance(value, dict) and token in value:
                value = value[token]
            elif isinstance(value, list):
                value = value[_position(value, token, len(value) - 1)]
            else:
                raise _refused("not-found", f"there is nothing at {_text(pointer[: depth + 1])}")
        return value

    def add(self, pointer: Pointer, value: Any) -> None:
        """Put `value` at `pointer`: into an array before the index, into an object under the key."""
        check_depth(len(pointer), value)
        if not pointer:
            self.root = value
            return
        holder, last = self.get(pointer[:-1]), pointer[-1]
        if isinstance(holder, dict):
            holder[last] = value
        elif isinstance(holder, list):
            holder.insert(len(holder) if last == "-" else _position(holder, last, len(holder)), value)
        else:
            raise _refused("processing", f"{_text(pointer[:-1])} is neither an object nor an array")

    def remove(self, pointer: Pointer) -> Any:
        """Take the value at `pointer` out and return it."""
        value = self.get(pointer)
        if not pointer:
            raise _refused("processing", "the whole resource cannot be removed: delete it")
        holder = self.get(pointer[:-1])
        del holder[int(pointer[-1]) if isinstance(holder, list) else pointer[-1]]
        if not holder:
            self.emptied.add(id(holder))
            self.kept.append(holder)
        return value

    def replace(self, pointer: Pointer, value: Any) -> None:
        """Put `value` in the place of the existing value at `pointer`."""
        self.get(pointer)
        check_depth(len(pointer), value)
        if not pointer:
            self.root = value
            return
        holder = self.get(pointer[:-1])
        holder[int(pointer[-1]) if isinstance(holder, list) else pointer[-1]] = value

    def copy(self, source: Pointer) -> Any:
        """Return a copy of the value at `source`, within what one patch may copy."""
        value = self.get(source)
        self.copied += check_depth(0, value)
        if self.copied > MAX_COPIED:
            raise FhirError(422, "too-costly", f"the patch copies more than {MAX_COPIED} values")
        return clone(value)


def _apply(document: _Document, operation: Any) -> None:
    if not isinstance(operation, dict):
        raise _malformed("an operation is a JSON object")
    name = operation.get("op")
    action = _ACTIONS.get(name) if isinstance(name, str) else None
    if action is None:
        raise _malformed("'op' must be one of " + ", ".join(_ACTIONS))
    action(document, operation, _pointer(operation, "path"))


def _add(document: _Document, operation: Json, path: Pointer) -> None:
    document.add(path, _value(operation))


def _remove(document: _Document, _operation: Json, path: Pointer) -> None:
    document.remove(path)


def _replace(document: _Document, operation: Json, path: Pointer) -> None:
    document.replace(path, _value(operation))


def _move(document: _Document, operation: Json, path: Pointer) -> None:
    source = _pointer(operation, "from")
    if path == source:
        document.get(source)
        return
    if path[: len(source)] == source:
        raise _refused("processing", "a value cannot be moved into itself")
    document.add(path, document.remove(source))


def _copy(document: _Document, operation: Json, path: Pointer) -> None:
    document.add(path, document.copy(_pointer(operation, "from")))


def _test(document: _Document, operation: Json, path: Pointer) -> None:
    if not same(document.get(path), _value(operation)):
        raise _refused("processing", "the test failed: the value is another one")


_ACTIONS: dict[str, Callable[[_Document, Json, Pointer], None]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


# ------------------------------------------------------------------------------------------------------ pointers


def _value(operation: Json) -> Any:
    """Return a copy of the operation's value: the document shares nothing with the patch."""
    if "value" not in operation:
        raise _malformed("'value' is missing")
    check_depth(0, operation["value"])
    return clone(operation["value"])


def _pointer(operation: Json, name: str) -> Pointer:
    text = operation.get(name)
    if not isinstance(text, str):
        raise _malformed(f"'{name}' is missing or not a string")
    if (text and text[0] != "/") or _BAD_ESCAPE.search(text):
        raise _malformed(f"'{name}' is not a JSON Pointer")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:])


def _position(array: list[Any], token: str, last: int) -> int:
    if not _INDEX.fullmatch(token):
        raise _refused("processing", f"{token[:40]!r} is not the index of an array item")
    if int(token) > last:
        raise _refused("not-found", f"index {token} lies beyond the {len(array)} items of the array")
    return int(token)


def _text(pointer: Pointer) -> str:
    return "/" + "/".join(token.replace("~", "~0").replace("/", "~1") for token in pointer)[:200]


def _malformed(text: str) -> FhirError:
    return FhirError(400, "structure", text)


def _refused(code: str, text: str) -> FhirError:
    return FhirError(422, code, text)
