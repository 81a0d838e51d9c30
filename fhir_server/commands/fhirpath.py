"""`healthbuddy fhirpath EXPRESSION FILE`: what an expression finds in a resource."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from fhir_server.commands.terminal import fail, out
from resources import fhirpath as language
from resources.codec.json import dump_json, parse_json
from resources.codec.xml import parse_xml
from resources.outcome import FhirError
from resources.validate.narrative import div_problem
from terminology import ucum


def fhirpath(
    expression: Annotated[str, typer.Argument(help="A FHIRPath expression")],
    file: Annotated[Path, typer.Argument(help="A resource as JSON or XML; - reads standard input")],
    types: Annotated[bool, typer.Option(help="Show the type and place of each value, too")] = False,
    strict: Annotated[bool, typer.Option(help="Refuse steps that no type has")] = False,
) -> None:
    """Evaluate a FHIRPath expression on a resource: one line of JSON for each value found."""
    language.register(canonical=ucum.canonical, html_problem=div_problem)
    try:
        found = language.compile(expression).nodes(_resource(file), strict=strict)
    except FhirError as problem:
        raise fail(problem.issues[0].text) from problem
    except OSError as problem:
        raise fail(f"{file} cannot be read: {problem.strerror}") from problem
    for one in found:
        if one.value is not None or types:
            place = f"{one.path or '-'}\t{one.type_name}\t" if types else ""
            out.print(place + dump_json(one.value).decode(), markup=False, soft_wrap=True)


def _resource(file: Path) -> dict[str, Any]:
    data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    return parse_xml(data) if data.lstrip()[:1] == b"<" else parse_json(data)
