"""The values of a parameter as the stored JSON has them, read by the database: for what no index row tells.

An index holds hashes of tokens and addresses. Their order, and which of several values differs from a given one, are
in the resource alone: the path of the parameter becomes a jsonpath over it.

Source: http://hl7.org/fhir/R4/search.html#table (what each data type is searched by)
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from fhir_server.crypto.envelope import FORM
from fhir_server.search.context import Context
from fhir_server.search.hashing import CASE_SENSITIVE, CASE_UNKNOWN
from fhir_server.search.params.implied import TEXTS, unlisted_systems
from fhir_server.search.paths import Path, Step
from fhir_server.search.registry import Param
from fhir_server.search.sql import any_of, of_types
from resources.definitions import definitions

LONGEST = 500
"""How many characters of a value are compared."""

_HEAD = '{"meta":{"versionId":""'
"""What stands for the head that a stored tail goes on from; no parameter reads it from there."""


def document(row: str) -> str:
    """Return the expression of a row's resource as jsonb, without its type, id, version and instant.

    Shape:  of a sealed resource its clear part; see `clear.py`
    """
    return f"('{_HEAD}' || convert_from({unsealed(row)}, 'UTF8'))::jsonb"


def unsealed(row: str) -> str:
    """Return the expression of a row's content as far as the database can read it."""
    size = " | ".join(f"get_byte({row}.tail, {at}) << {shift}" for at, shift in ((3, 16), (4, 8), (5, 0)))
    return (
        f"(CASE get_byte({row}.tail, 0) WHEN {FORM} THEN substr({row}.tail, 7, {size}) ELSE {row}.tail END)"
    )


def readable(param: Param) -> bool:
    """Whether the values of a token, reference or uri parameter can be read in the database."""
    if "code" not in Context.in_clear or (param.custom and Context.sealed):
        return False  # sealed content has nothing for parameters that came later
    return param.kind in ("token", "reference", "uri") and not param.computed and bool(param.paths)


def in_extensions(param: Param) -> tuple[str, ...]:
    """Return the types of an extension's value that a parameter reads."""
    return _IN_EXTENSIONS[param.kind]


def items(param: Param, row: str) -> str:
    """Return the statement that lists (system, value, folds) of every value of `param` in a row; codings one by one.

    Shape:  `system` is null where a value has none; `value` is null for a coding or identifier that has a system only;
            `folds` says that values which differ by case alone are the same
    """
    if not param.merged:
        return " UNION ALL ".join(_items(read, row) for read in _reads(param))
    types: dict[Read, list[str]] = {}
    for one in param.merged:
        for read in _reads(one):
            types.setdefault(read, []).append(one.type)
    return " UNION ALL ".join(f"{_items(read, row)} WHERE {of_types(row, of)}" for read, of in types.items())


def _items(read: Read, row: str) -> str:
    path = _literal(f"lax ${read.path}")
    return (
        f"SELECT {read.system} AS system, {read.value} AS value, {read.folds} AS folds"
        f" FROM jsonb_path_query({document(row)}, {path}::jsonpath) AS v"
    )


def best(param: Param, row: str, descending: bool) -> str:
    """Return the expression of the value that `param` sorts a row by: the first in that direction, null if none.

    Shape:  codes, identifier values, addresses and references as text, by code point, their first 500 characters
    """
    pick = "max" if descending else "min"
    return f'(SELECT {pick}(left(o.value, {LONGEST}) COLLATE "C") FROM ({items(param, row)}) o)'


class Read(NamedTuple):
    """How one kind of value is read: its jsonpath, and what of each value `v` found there counts."""

    path: str
    system: str
    value: str
    folds: str = "false"


@cache
def _own_bases(bases: tuple[str, ...]) -> str:
    """Return the regular expression of our own addresses at the start of a reference."""
    return "^(" + "|".join(_quoted_regex(base) for base in bases) + ")"


def _quoted_regex(text: str) -> str:
    return "".join(
        char if char.isalnum() else f"[{char}]" if char not in "\\^" else "\\" + char for char in text
    )


def _reads(param: Param) -> list[Read]:
    """Return how every kind of value that `param` can have is read."""
    reads = []
    for path in param.paths:
        for prefix, type_name in _walk(path):
            reads += [Read(prefix + read.path, *read[1:]) for read in _leaf(param, type_name)]
    return list(dict.fromkeys(reads))


def _walk(path: Path) -> list[tuple[str, str]]:
    """Return the jsonpaths of a path with the type at the end of each: one for each choice of its elements."""
    found = [("", "")]
    for step in path.steps:
        found = [(text + more, name or kind) for text, kind in found for more, name in _step(step)]
    return found


def _step(step: Step) -> list[tuple[str, str]]:
    if step.kind == "get":
        return [(f'."{key}"' + ("[*]" if step.many else ""), name) for key, name in step.keys]
    if step.kind == "where":
        return [(f' ? (@."{step.name}" == {_string(step.value)})', "")]
    if step.kind == "extension":
        return [(f'."extension"[*] ? (@."url" == {_string(step.value)})', "Extension")]
    if step.kind == "at":
        return [(f"[{int(step.value)}]", "")]
    return [(_resolves(step.value), "")]


def _resolves(wanted: str) -> str:
    """Return the filter of references that name a resource of type `wanted`, in their text or by their type."""
    named = f'@."reference" like_regex "^([^#].*/)?{wanted}/[^/]*(/_history/.*)?$"'
    return f' ? ({named} || (@."type" == {_string(wanted)} && !({_names_a_type()})))'


@cache
def _names_a_type() -> str:
    names = "|".join(definitions().resource_types)
    return f'@."reference" like_regex "^([^#].*/)?({names})/[^/]*(/_history/.*)?$"'


_TEXT = "v #>> '{}'"


def _folds() -> str:
    """Return the condition that a coding's system ignores case; see `hashing.is_case_sensitive`."""
    exact = any_of([f"starts_with(v ->> 'system', '{prefix}')" for prefix in CASE_SENSITIVE])
    unknown = any_of([f"starts_with(v ->> 'system', '{prefix}')" for prefix in CASE_UNKNOWN])
    return f"(({exact} AND NOT {unknown}) IS NOT TRUE)"


def _leaf(param: Param, type_name: str) -> list[Read]:
    """Return how a value of a FHIR type is read; its path goes on from the value."""
    if type_name == "Extension":
        return [
            Read(f'."value{name[0].upper()}{name[1:]}"{read.path}', *read[1:])
            for name in _IN_EXTENSIONS[param.kind]
            for read in _leaf(param, name)
        ]
    if type_name in ("CodeableConcept", "Coding"):
        path = '."coding"[*]' if type_name == "CodeableConcept" else ""
        return [Read(path, "v ->> 'system'", "v ->> 'code'", _folds())]
    if type_name == "Identifier":
        return [Read("", "v ->> 'system'", "v ->> 'value'")]
    if type_name == "ContactPoint":
        return [Read("", _NONE, "v ->> 'value'", "true")]
    if type_name == "Reference":
        return [Read('."reference" ? (!(@ starts with "#"))', _NONE, _reference())]
    if type_name == "Resource":
        return [Read("", _NONE, "(v ->> 'resourceType') || '/' || (v ->> 'id')")]
    folds = param.kind == "token" and (type_name in TEXTS or bool(unlisted_systems(param)))
    return [] if type_name[:1].isupper() else [Read(" ? (@ != null)", _NONE, _TEXT, str(folds).lower())]


_NONE = "NULL::text"
_IN_EXTENSIONS = {
    "token": ("Coding", "CodeableConcept", "Identifier", "code", "string", "boolean"),
    "reference": ("Reference",),
    "uri": ("uri", "canonical"),
}
"""The types of an extension's value that each kind of parameter reads."""


def _reference() -> str:
    """Return the expression of a reference's text, relative where it is ours."""
    if not Context.bases:
        return _TEXT
    return f"regexp_replace({_TEXT}, {_literal(_own_bases(Context.bases))}, '')"


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _literal(text: str) -> str:
    """Return `text`, which comes from definitions and settings alone, as a literal of standard SQL."""
    return "'" + text.replace("'", "''") + "'"
