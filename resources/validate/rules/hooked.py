"""Bindings and references as checks of an element: the same for base rules and profiles."""

from __future__ import annotations

from typing import Any

from resources.profiles.nodes import Node
from resources.validate.rules import bindings, references
from resources.validate.rules.invariants import Check
from resources.validate.rules.run import Frame, Run


def binding_check(node: Node, code: str) -> Check:
    """Return the check of an element's binding."""

    def check(run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
        if value is not None:
            bindings.check(run, node, code, value, path)

    return check


def reference_check(node: Node, code: str) -> Check:
    """Return the check of what a Reference or canonical points at."""
    ask = references.check if code == "Reference" else references.check_canonical

    def check(run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
        if value is not None:
            ask(run, node, value, path, frame.scope)

    return check
