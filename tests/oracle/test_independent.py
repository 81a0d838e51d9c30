"""The oracle knows nothing of what it judges."""

from __future__ import annotations

import ast
from pathlib import Path

OURS = {"resources", "terminology", "fhir_server", "migrations", "bench"}


def imported(source: str) -> set[str]:
    """Return the modules that a Python source imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            found.add(node.module or "")
    return found


def test_the_oracle_imports_nothing_of_ours() -> None:
    files = [file for file in Path(__file__).parent.glob("*.py") if not file.name.startswith("test_")]
    assert len(files) > 5
    for file in files:
        for module in imported(file.read_text()):
            assert module.partition(".")[0] not in OURS, f"{file.name} imports {module}"
            assert module.split(".")[:2] == ["tests", "oracle"] or not module.startswith("tests"), file.name
