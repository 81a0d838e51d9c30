"""Which rules go with which data type, primitive and resource: what the walk calls besides the definitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from resources.validate.rules import bundles, contained, narrative, questionnaires, responses
from resources.validate.rules.bindings import QUANTITIES, check_coding, check_quantity
from resources.validate.rules.datatypes import check_attachment, check_identifier, check_meta, check_uri
from resources.validate.rules.hooks import Run
from resources.validate.rules.references import check_reference
from resources.validate.rules.scopes import Scope

Json = dict[str, Any]
Rule = Callable[[Run, Any, str, Scope], None]


def _alone(rule: Callable[[Run, Any, str], None]) -> Rule:
    """Return `rule`, which does not care where the resource stands."""

    def check(run: Run, value: Any, path: str, _: Scope) -> None:
        rule(run, value, path)

    return check


BY_TYPE: Mapping[str, Rule] = {
    "Coding": _alone(check_coding),
    "Reference": check_reference,
    "Attachment": _alone(check_attachment),
    "Identifier": _alone(check_identifier),
    "Meta": _alone(check_meta),
    **dict.fromkeys(sorted(QUANTITIES), _alone(check_quantity)),
}
"""Rules of the values of complex types."""

BY_PRIMITIVE: Mapping[str, Rule] = {"uri": _alone(check_uri), "url": _alone(check_uri)}
"""Rules of the values of primitive types."""

INVARIANTS = contained.INVARIANTS | {"dom-6", "bdl-7", "que-2", "ref-1"}
"""What is checked by these rules, so that it need not be evaluated as FHIRPath."""


def resource(run: Run, value: Json, path: str, scope: Scope) -> None:
    """Say what is wrong about a resource as a whole."""
    contained.check(run, value, path)
    narrative.check(run, value, path, scope.container is not None)
    match value.get("resourceType"):
        case "Bundle":
            bundles.check(run, value, path, scope)
        case "Questionnaire":
            questionnaires.check(run, value, path)
        case "QuestionnaireResponse":
            responses.check(run, value, path, scope)
