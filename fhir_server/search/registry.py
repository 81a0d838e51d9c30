"""What can be searched: every official parameter of every type, with its number, its place and its reading.

The tables below say where the values of a parameter live; everything else follows from the definitions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from fhir_server.search.composites import compose
from fhir_server.search.context import Context, follow
from fhir_server.search.fitting import fitted
from fhir_server.search.param import Param, Params, Part, TypeSearch
from fhir_server.search.paths import Path, UnreadableError, paths
from fhir_server.storage.rows import param_id
from resources import fhirpath
from resources.definitions import SearchParam, definitions
from resources.outcome import FhirError

POSTED: dict[str, frozenset[str]] = {
    "AllergyIntolerance": frozenset({"code"}),
    "CarePlan": frozenset({"category"}),
    "Condition": frozenset({"code", "category"}),
    "DiagnosticReport": frozenset({"code", "category"}),
    "DocumentReference": frozenset({"type", "category"}),
    "Encounter": frozenset({"type", "class"}),
    "Immunization": frozenset({"vaccine-code"}),
    "MedicationAdministration": frozenset({"code"}),
    "MedicationDispense": frozenset({"code"}),
    "MedicationRequest": frozenset({"code"}),
    "MedicationStatement": frozenset({"code"}),
    "Observation": frozenset({"code", "category"}),
    "Procedure": frozenset({"code"}),
    "ServiceRequest": frozenset({"code", "category"}),
}
"""Token parameters that are postings: selective, and asked for together with a patient or sorted by date."""

MAIN_DATE: dict[str, str] = {
    "Basic": "created",
    "ChargeItem": "occurrence",
    "Claim": "created",
    "ClaimResponse": "created",
    "Communication": "sent",
    "CommunicationRequest": "authored",
    "Condition": "onset-date",
    "Contract": "issued",
    "CoverageEligibilityRequest": "created",
    "CoverageEligibilityResponse": "created",
    "DetectedIssue": "identified",
    "DeviceRequest": "authored-on",
    "DocumentManifest": "created",
    "ExplanationOfBenefit": "created",
    "Goal": "start-date",
    "ImagingStudy": "started",
    "Media": "created",
    "MedicationAdministration": "effective-time",
    "MedicationDispense": "whenhandedover",
    "MedicationRequest": "authoredon",
    "MedicationStatement": "effective",
    "NutritionOrder": "datetime",
    "Patient": "birthdate",
    "PaymentNotice": "created",
    "PaymentReconciliation": "created",
    "Provenance": "recorded",
    "QuestionnaireResponse": "authored",
    "RequestGroup": "authored",
    "ServiceRequest": "authored",
    "Slot": "start",
    "Specimen": "collected",
    "Task": "authored-on",
    "VisionPrescription": "datewritten",
}
"""The date that a type is sorted by, where it is not the parameter `date`; it must have one value at most."""

NO_MEANING = "what a parameter of type special means is only defined by R4, for its own"

_WHOLES = {("HumanName",), ("Address",)}
"""Types whose elements have string parameters of their own."""

NEAR = "http://hl7.org/fhir/SearchParameter/Location-near"
"""The one parameter of type special that is about an element."""

TEXTS = {"_text", "_content"}
"""Parameters that look at the words of a resource."""

COLUMNS = {"_id", "_lastUpdated"}
"""Parameters that are columns of the resource's own row."""


IN_CLEAR = {
    "string": "string",
    "date": "date",
    "number": "number",
    "quantity": "number",
    "special": "position",
}
"""The kinds of values that parameters of a type need in clear; see `context.py`."""

_custom: dict[str, tuple[SearchParam, ...]] = {}
_made: dict[str, TypeSearch] = {}


def registry(type_name: str) -> TypeSearch:
    """Return what search knows of a resource type; raises KeyError where there is no such type."""
    found = _made.get(type_name)
    if found is None:
        found = _made[type_name] = _make(type_name, _custom.get(type_name, ()))
    return found


follow(_made.clear)


class Epoch:
    """The state of the table of search parameters that `registry` follows; 0 where none was read yet."""

    value = 0


def install(epoch: int, custom: Mapping[str, tuple[SearchParam, ...]]) -> None:
    """Let `custom` {resource type: definitions} be the parameters that are served beside the official ones."""
    for name in [*_custom, *custom]:
        if _custom.get(name) != custom.get(name):
            _made.pop(name, None)
    _custom.clear()
    _custom.update(custom)
    Epoch.value = epoch


def stored_param(type_name: str, own: SearchParam) -> Param:
    """Return what a stored definition is for one of its types, `refused` with the reason where it cannot be served.

    Errors: FhirError 400 where its expression is no FHIRPath
    """
    others = tuple(one for one in _custom.get(type_name, ()) if one.code != own.code)
    return _make(type_name, (*others, own)).params[own.code]


@cache
def _of_every_type() -> dict[str, SearchParam]:
    """Return `_text`, which search.html#all gives to all resources, its definition to those with a narrative."""
    return {"_text": definitions().search_params("Basic")["_text"]}


def _make(type_name: str, custom: Sequence[SearchParam]) -> TypeSearch:
    official = {**_of_every_type(), **definitions().search_params(type_name)}
    read = {code: _read(type_name, param) for code, param in official.items()}
    patient_path = _patient_path(read)
    unions = _unions(read)
    main = MAIN_DATE.get(type_name, "date")
    files = {code: _covered(param, read, unions) for code, param in read.items()}
    params = {
        code: _place(param, unions.get(code, ()), files, patient_path, main) for code, param in read.items()
    }
    for one in custom:
        params[one.code] = _place_custom(_read_custom(type_name, one), read, files, patient_path)
    defined = [*official.values(), *custom]
    params |= compose(params, {one.code: one.components for one in defined if one.type == "composite"})
    if custom:
        params = Params(params)
    by_id = {param.id: param for param in params.values()}
    if len(by_id) != len(params):
        raise RuntimeError(f"two search parameters of {type_name} have the same number")
    return TypeSearch(
        type_name, params, next((p for p in params.values() if p.place == "main"), None), patient_path, by_id
    )


def _read(type_name: str, official: SearchParam) -> Param:
    code, kind = official.code, official.type
    param = Param(
        type_name,
        code,
        kind,
        official.expression,
        param_id(type_name, code),
        "",
        targets=official.targets,
        url=official.url,
    )
    needed = "text" if code in TEXTS else IN_CLEAR.get(kind, "")
    if needed and code not in COLUMNS and needed not in Context.in_clear:
        return _refused(param, f"this server keeps no {needed} values in clear (search_in_clear)")
    if code in TEXTS:
        return replace(param, place="text", parts=(Part(param.id, ""),))
    if kind == "special" and official.url != NEAR:
        return _refused(param, NO_MEANING)
    if kind == "composite":
        return replace(param, place=kind)
    if not official.expression:
        return _refused(param, "R4 defines no expression for this parameter")
    try:
        found = paths(type_name, official.expression)
    except UnreadableError:
        return _computed(param)
    if not found:
        return _refused(param, "R4's expression for this parameter names another type")
    return replace(param, paths=found, targets=_targets(official, found))


def _read_custom(type_name: str, own: SearchParam) -> Param:
    """Return a stored parameter; its number follows its meaning, so that no other one's rows are ever taken for its."""
    number = param_id(type_name, f"{own.code}={own.type} {own.expression} {own.components}")
    param = _read(type_name, own)
    if param.paths:
        found = fitted(own.type, param.paths)
        reason = f"its expression finds no values that a parameter of type {own.type} takes"
        param = replace(param, paths=found) if found else _refused(param, reason)
    return replace(param, id=number, custom=True)


def _place_custom(
    param: Param, read: dict[str, Param], files: dict[str, dict[str, Param]], patient_path: str
) -> Param:
    """Return a stored parameter in its place: answered by official ones where it reads the same, never the reverse."""
    union = _unions({**read, param.code: param}).get(param.code, ())
    return _place(param, union, {**files, param.code: {}}, patient_path, "")


def _computed(param: Param) -> Param:
    """Return `param` as one that the FHIRPath engine evaluates, if it can."""
    try:
        fhirpath.compile(param.expression).evaluate({"resourceType": param.type})
    except FhirError as problem:
        return _refused(param, f"R4's expression cannot be evaluated: {problem.issues[0].text}")
    return replace(param, computed=True)


def _refused(param: Param, reason: str) -> Param:
    return replace(param, place="refused", reason=reason)


def _targets(official: SearchParam, found: tuple[Path, ...]) -> tuple[str, ...]:
    """Return the types that references of the parameter can name: what its elements allow, narrowed by itself."""
    if official.type != "reference":
        return ()
    allowed: list[str] = []
    for path in found:
        here = (path.resolves,) if path.resolves else (path.element.targets if path.element else ())
        allowed += [name for name in here if definitions().is_resource(name)] or list(official.targets)
    unique = tuple(dict.fromkeys(name for name in allowed if definitions().is_resource(name)))
    return tuple(name for name in unique if name in official.targets) or unique or official.targets


def _patient_path(read: dict[str, Param]) -> str:
    """Return the path of the one reference to the resource's patient, empty where it may have several or none."""
    for code in ("patient", "subject"):
        param = read.get(code)
        if param is not None and param.kind == "reference" and param.paths:
            single = len(param.paths) == 1 and param.paths[0].single and "Patient" in param.targets
            return param.paths[0].unfiltered if single else ""
    return ""


def _unions(read: dict[str, Param]) -> dict[str, tuple[Param, ...]]:
    """Return the parameters that hold nothing of their own: {code: the parameters that they are the union of}.

    A parameter that reads the same elements as others (Observation `combo-code`: `code` and `component-code`;
    `patient`: `subject`, narrowed) is answered from their rows. Of two equal ones the shorter name is filed.
    """
    unions: dict[str, tuple[Param, ...]] = {}
    for code, param in read.items():
        wanted = {path.unfiltered for path in param.paths}
        if not wanted or code in COLUMNS or param.kind == "date":
            continue
        parts: dict[str, Param] = {}
        for path in param.paths:
            other = _filer(param, path, read)
            if other is not None:
                parts[path.unfiltered] = other
        if len(parts) == len(wanted):
            unions[code] = tuple(dict.fromkeys(parts.values()))
    return unions


def _filer(param: Param, path: Path, read: dict[str, Param]) -> Param | None:
    """Return the other parameter that files exactly the values of `path`, and comes before `param`."""
    best: Param | None = None
    for other in read.values():
        if other.kind != param.kind or len(other.paths) != 1 or other.paths[0].resolves:
            continue
        if other.paths[0].unfiltered == path.unfiltered and _rank(other) < _rank(param):
            best = other if best is None or _rank(other) < _rank(best) else best
    return best


def _rank(param: Param) -> tuple[bool, int, bool, int, str]:
    return (
        param.custom,
        len(param.paths),
        any(path.resolves for path in param.paths),
        len(param.code),
        param.code,
    )


def _covered(param: Param, read: dict[str, Param], unions: dict[str, tuple[Param, ...]]) -> dict[str, Param]:
    """Return {element: the parameter that files it} of a name or address: `name` leaves families to `family`."""
    if param.kind != "string" or len(param.paths) != 1 or param.paths[0].types not in _WHOLES:
        return {}
    whole = param.paths[0].unfiltered
    covered = {}
    for code, other in read.items():
        if other.kind == "string" and len(other.paths) == 1 and code not in unions:
            above, _, element = other.paths[0].unfiltered.rpartition(".")
            if above == whole:
                covered[element] = other
    return covered


def _place(
    param: Param, union: tuple[Param, ...], files: dict[str, dict[str, Param]], patient_path: str, main: str
) -> Param:
    if param.place in ("refused", "composite", "text"):
        return param
    place = {"token": "token", "uri": "token", "quantity": "number", "special": "position"}.get(
        param.kind, param.kind
    )
    if param.code in COLUMNS:
        place = "column"
    elif param.code in POSTED.get(param.type, ()):
        place = "post"
    elif param.kind == "date" and param.code == main and len(param.paths) == 1 and param.paths[0].single:
        place = "main"
    filers = [each for filer in union or (param,) for each in (filer, *files[filer.code].values())]
    parts = tuple(_part(param, filer, patient_path) for filer in filers)
    covered = frozenset(files[param.code])
    return replace(param, place=place, parts=parts, stored=not union, covered=covered)


def _part(param: Param, filer: Param, patient_path: str) -> Part:
    text = filer.paths[0].unfiltered if filer.paths else ""
    resolves = (
        {path.resolves for path in param.paths if path.unfiltered == text} if filer is not param else set()
    )
    carried = param.kind == "reference" and len(filer.paths) == 1 and text == patient_path
    posted = filer.code in POSTED.get(param.type, ())
    return Part(filer.id, text, resolves.pop() if len(resolves) == 1 else "", carried, posted)


__all__ = [
    "COLUMNS",
    "MAIN_DATE",
    "POSTED",
    "Param",
    "Part",
    "TypeSearch",
    "install",
    "registry",
]
