"""What is uploaded is what it says it is: no programs, and Binaries of the type that they declare.

Shape:  `uploads.json` has a row for each kind of program (refused under any name) and for each type that is told by how
        it begins. Types that are not there, and content that lies elsewhere (`url`), are taken as declared.
        Programs are looked for in Binary.data and the elements of type Attachment of a resource, contained resources
        and extensions left out; types in Binary.data alone, which is what goes out under its own type.
Source: https://cheatsheetseries.owasp.org/cheatsheets/File_Upload_Cheat_Sheet.html, OWASP ASVS 4.0 12.2.1
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from resources.definitions import definitions
from resources.outcome import FhirError

Json = dict[str, Any]
Steps = tuple[str, ...]

LOOKED_AT = 2048
"""Characters of base64 that are looked at: enough for the first 1,024 bytes, line breaks included."""
DEPTH = 5
"""Levels of elements in which attachments are looked for, items within items among them."""
BINARY_WITHIN = 64
"""Bytes within which a program has a zero byte; a text that begins with the same letters has none."""


class Program(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of content that nobody may upload."""

    kind: str
    starts: tuple[str, ...]
    source: str


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How content of some types begins: at byte `at`, or anywhere `within` the first bytes."""

    types: tuple[str, ...]
    starts: tuple[str, ...]
    source: str
    at: int = 0
    within: int = 0

    def fits(self, content: bytes) -> bool:
        """Whether content begins as it must."""
        for start in map(bytes.fromhex, self.starts):
            if start in content[: self.within] or content.startswith(start, self.at):
                return True
        return False


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rows of `uploads.json`."""

    programs: tuple[Program, ...]
    declared: tuple[Declared, ...]


@cache
def rules() -> Rules:
    """Return the rows."""
    return msgspec.json.decode(Path(__file__).with_name("uploads.json").read_bytes(), type=Rules)


@cache
def _by_type() -> dict[str, Declared]:
    return {name: row for row in rules().declared for name in row.types}


def check(resource: Json) -> None:
    """Raise FhirError 422 where content is a program, or a Binary is not of the type that it is declared to be."""
    type_name = resource["resourceType"]
    if type_name == "Binary":
        content = _beginning(resource.get("data"))
        _no_program(content, "Binary")
        _as_declared(content, resource)
        return
    for steps in _places(type_name):
        for attachment in _at(resource, steps):
            _no_program(_beginning(attachment.get("data")), ".".join((type_name, *steps)))


def _no_program(content: bytes, where: str) -> None:
    for program in rules().programs:
        if b"\0" in content[:BINARY_WITHIN] and any(
            content.startswith(bytes.fromhex(start)) for start in program.starts
        ):
            text = f"The content is {program.kind}; programs are not stored here"
            raise FhirError(422, "business-rule", text, f"{where}.data")


def _as_declared(content: bytes, binary: Json) -> None:
    mime = str(binary.get("contentType", "")).partition(";")[0].strip().lower()
    row = _by_type().get(mime)
    if content and row is not None and not row.fits(content):
        raise FhirError(422, "value", f"The content does not begin as {mime} does", "Binary.contentType")


def _beginning(data: Any) -> bytes:
    """Return the first bytes of base64 text; what is no base64 is told elsewhere."""
    if not isinstance(data, str):
        return b""
    text = "".join(data[:LOOKED_AT].split())
    try:
        return b64decode(text[: len(text) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""


def _at(node: Any, steps: Steps) -> Iterator[Json]:
    if isinstance(node, list):
        for one in node:
            yield from _at(one, steps)
    elif isinstance(node, dict):
        if not steps:
            yield node
        elif steps[0] in node:
            yield from _at(node[steps[0]], steps[1:])


@cache
def _places(type_name: str) -> tuple[Steps, ...]:
    """Return where a type holds attachments, as the definitions say."""
    return tuple(_attachments(type_name, ()))


def _attachments(type_name: str, steps: Steps) -> Iterator[Steps]:
    for element in definitions().type(type_name).elements.values():
        name = element.name.removesuffix("[x]")
        if "Attachment" in element.types:
            yield (*steps, name + "Attachment" if element.choice else name)
        elif element.type_name and element.type_name not in steps and len(steps) < DEPTH:
            yield from _attachments(element.type_name, (*steps, name))
