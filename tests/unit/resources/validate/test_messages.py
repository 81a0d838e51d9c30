"""Messages: each has an id that is used, a code of R4, and is said by the structural part where it belongs."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resources.definitions import definitions
from resources.validate import explain
from resources.validate.elements import bound_codes
from resources.validate.explain import MAX_ISSUES
from resources.validate.messages import MESSAGES, issue

ROOT = Path(__file__).resolve().parents[4]


def _sources() -> Iterator[ast.Module]:
    for room in ("resources", "fhir_server", "ig"):
        for path in (ROOT / room).rglob("*.py"):
            if path.name not in ("messages.py", "features.py"):
                yield ast.parse(path.read_text())


def test_every_message_is_used_and_every_use_is_a_message() -> None:
    texts: set[str] = set()
    said: set[str] = set()
    for module in _sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            elif isinstance(node, ast.Call) and _says(node) and isinstance(node.args[0], ast.Constant):
                said.add(str(node.args[0].value))
    assert set(MESSAGES) - texts == set()
    assert said - set(MESSAGES) == set()


def _says(call: ast.Call) -> bool:
    function = call.func
    return (
        bool(call.args)
        and isinstance(function, ast.Attribute)
        and function.attr in ("say", "_say")
        and len(call.args) > 1
    )


def test_ids_are_words_with_hyphens_and_codes_are_those_of_r4() -> None:
    element = definitions().type("OperationOutcome.issue").elements["code"]
    codes = {code for _, code in bound_codes(element) or ()}
    assert len(codes) > 20
    for name, row in MESSAGES.items():
        assert set(name) <= set(string.ascii_lowercase + "-"), name
        assert row.code in codes, name


def test_an_unknown_message_is_a_mistake_of_the_code() -> None:
    with pytest.raises(KeyError):
        issue("no-such-message", "Patient")


PATIENT = {"resourceType": "Patient"}


@pytest.mark.parametrize(
    ("resource", "message", "expression"),
    [
        ([], "resource-not-object", ()),
        ({}, "resource-type-missing", ()),
        ({"resourceType": "Pacient"}, "resource-type-unknown", ()),
        (PATIENT | {"nmae": 1}, "element-unknown", ("Patient.nmae",)),
        (PATIENT | {"maritalStatus": "M"}, "object-expected", ("Patient.maritalStatus",)),
        (PATIENT | {"maritalStatus": {}}, "object-empty", ("Patient.maritalStatus",)),
        (PATIENT | {"maritalStatus": {"id": "x"}}, "object-only-id", ("Patient.maritalStatus",)),
        (PATIENT | {"name": {"family": "x"}}, "array-expected", ("Patient.name",)),
        (PATIENT | {"name": []}, "array-empty", ("Patient.name",)),
        (PATIENT | {"_name": [{"id": "x"}]}, "companion-forbidden", ("Patient.name",)),
        (PATIENT | {"_birthDate": "x"}, "companion-shape", ("Patient.birthDate",)),
        (PATIENT | {"_birthDate": {"id": "x"}}, "companion-without-value", ("Patient.birthDate",)),
        (PATIENT | {"name": [None]}, "null-alone", ("Patient.name[0]",)),
        (
            PATIENT | {"name": [{"given": ["a", "b"], "_given": [{"id": "x"}]}]},
            "array-lengths",
            ("Patient.name[0].given",),
        ),
        (
            PATIENT | {"name": [{"given": ["a", None], "_given": [{"id": "x"}, None]}]},
            "array-null",
            ("Patient.name[0].given[1]",),
        ),
        (
            PATIENT | {"deceasedBoolean": True, "deceasedDateTime": "2024"},
            "choice-multiple",
            ("Patient.deceased",),
        ),
        (PATIENT | {"birthDate": "1.1.2024"}, "value-format", ("Patient.birthDate",)),
        (
            PATIENT | {"managingOrganization": {"reference": "x"}},
            "reference-format",
            ("Patient.managingOrganization.reference",),
        ),
        (PATIENT | {"name": [{"text": " "}], "x": 1}, "value-blank", ("Patient.name[0].text",)),
        (PATIENT | {"name": [1] * (MAX_ISSUES + 1)}, "issues-limit", ()),
    ],
)
def test_what_is_wrong_about_the_structure_has_an_id(resource: Any, message: str, expression: Any) -> None:
    assert (message, expression) in [(one.id, tuple(one.expression)) for one in explain(resource)]
