"""Generated code and closures agree on random paths over random resources."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.fhirpath import compile as compile_path
from resources.fhirpath.generate import generate_one
from resources.fhirpath.model import kind_of
from resources.outcome import FhirError
from tests.unit.resources.fhirpath.factories import observation, patient

_COMMON = ("name", "given", "value", "code", "coding", "system", "text", "extension", "deceased", "component")
_CODINGS = st.lists(
    st.fixed_dictionaries({}, optional={"system": st.sampled_from("ab"), "code": st.sampled_from("xy")})
)
_CONCEPT = st.fixed_dictionaries({}, optional={"coding": _CODINGS, "text": st.sampled_from("ab")})
_REFERENCE = st.sampled_from(["Patient/1", "Group/1", "#c", "urn:uuid:1"]).map(
    lambda text: {"reference": text}
)
_EXTENSION = st.lists(
    st.fixed_dictionaries({"url": st.sampled_from("uv")}, optional={"valueString": st.just("s")}), max_size=2
)
_QUANTITY = st.fixed_dictionaries(
    {"value": st.sampled_from([Decimal("1.0"), 2])}, optional={"code": st.just("mg")}
)
_COMPONENT = st.fixed_dictionaries(
    {"code": _CONCEPT},
    optional={"valueQuantity": _QUANTITY, "valueString": st.just("a"), "valueBoolean": st.booleans()},
)

observations = st.fixed_dictionaries(
    {},
    optional={
        "code": _CONCEPT,
        "subject": _REFERENCE,
        "component": st.lists(_COMPONENT, max_size=3),
        "extension": _EXTENSION,
        "category": st.lists(_CONCEPT, max_size=2),
        "contained": st.just([{"resourceType": "Patient", "id": "c"}]),
        "_status": st.just({"extension": [{"url": "u"}]}),
    },
).map(lambda members: observation(**members))


@st.composite
def paths(draw: st.DrawFn, start: str) -> str:
    """Return a random walk through the elements of a type, with filters on the way."""
    text, kinds = start, {start}
    for _ in range(draw(st.integers(0, 4))):
        names = sorted({name for kind in kinds for name in kind_of(kind).steps})
        likely = [name for name in names if name in _COMMON] or names
        name = draw(st.sampled_from(likely) | st.sampled_from(names))
        slots = [slot for kind in kinds for slot in kind_of(kind).steps.get(name, ())]
        kinds = {slot.type_name for slot in slots}
        text += f".{name}" + draw(st.sampled_from(["", "", "", "[0]", ".first()", "[1]"]))
        if draw(st.integers(0, 3)) == 0:
            text += draw(_filters(kinds))
    return text


def _filters(kinds: set[str]) -> st.SearchStrategy[str]:
    names = sorted({name for kind in kinds for name in kind_of(kind).steps}) or ["id"]
    return st.sampled_from(names).flatmap(
        lambda name: st.sampled_from(
            [
                f".where({name} = 'a')",
                f".where({name} != true)",
                f".where({name}.exists() and {name}.empty().not())",
                ".where(resolve() is Patient)",
                ".extension('u')",
                f".ofType({min(kinds) if '.' not in min(kinds) else 'Quantity'})",
                f".exists({name} = 2 or {name} = 1.0)",
                ".hasExtension('u')",
            ]
        )
    )


def _answers(expression: str, resource: dict[str, Any]) -> None:
    tree = compile_path(expression, lenient=True)
    direct = generate_one(resource["resourceType"], tree.tree, lenient=True)
    try:
        nodes = [(n.value, n.type_name) for n in tree.nodes(resource) if n.value is not None]
    except FhirError:
        return
    if direct is not None:
        assert sorted(map(repr, direct(resource)[0])) == sorted(map(repr, nodes)), expression


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(paths("Observation"), paths("Observation"), observations, st.booleans())
def test_both_evaluators_agree_on_observations(
    one: str, other: str, resource: dict[str, Any], union: bool
) -> None:
    _answers(f"{one} | {other}" if union else one, resource)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(paths("Patient"), _EXTENSION)
def test_both_evaluators_agree_on_patients(path: str, extensions: list[dict[str, Any]]) -> None:
    _answers(path, patient(extension=extensions, _gender={"extension": extensions}))
