"""XML Patch as RFC 5261 says, over the XML form of a resource."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from resources.codec.json import dump_json
from resources.outcome import FhirError
from resources.patch import xml_patch
from resources.patch.xml_patch import apply_diff, parse_diff

DIV = "<div xmlns=\"http://www.w3.org/1999/xhtml\">a&#160;<br></br><!-- c --> <b title='x'>b</b> c</div>"


def patient(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": "p",
        "text": {"status": "generated", "div": DIV},
        "extension": [{"url": "http://example.org/x", "valueDecimal": Decimal("1.00")}],
        "name": [{"family": "A"}, {"family": "B"}],
        "gender": "male",
        **more,
    }


def diff(*operations: str) -> bytes:
    return ("<diff xmlns='http://hl7.org/fhir'>" + "".join(operations) + "</diff>").encode()


def refusal(data: bytes) -> FhirError:
    with pytest.raises(FhirError) as caught:
        xml_patch(patient(), data)
    return caught.value


@pytest.mark.parametrize(
    "data",
    [
        b'<d xmlns:fhir="http://hl7.org/fhir"><replace sel="fhir:Patient/fhir:gender/@value">female</replace></d>',
        b'<diff xmlns:q="http://hl7.org/fhir"><replace sel="/q:Patient/q:gender[1]/@value">female</replace></diff>',
        b'<diff xmlns="http://hl7.org/fhir"><replace sel="Patient/gender/@value">female</replace></diff>',
        b"<diff><replace sel=\"//f:gender[@value='male']/@value\">female</replace></diff>",
        b'<diff><replace sel="Patient/gender"><gender value="female"/></replace></diff>',
    ],
)
def test_every_way_to_name_an_element_works(data: bytes) -> None:
    assert xml_patch(patient(), data) == patient(gender="female")


def test_untouched_parts_keep_every_letter_and_digit() -> None:
    before = patient()
    patched = xml_patch(before, diff('<add sel="Patient"><birthDate value="2000"/></add>'))
    assert patched == patient(birthDate="2000")
    assert b"1.00" in dump_json(patched)
    assert before == patient()


def test_added_element_finds_its_place() -> None:
    patched = xml_patch(patient(), diff('<add sel="Patient"><name><family value="C"/></name></add>'))
    assert patched["name"] == [{"family": "A"}, {"family": "B"}, {"family": "C"}]
    identifier = '<add sel="Patient" pos="prepend"><identifier><value value="x"/></identifier></add>'
    assert xml_patch(patient(), diff(identifier))["identifier"] == [{"value": "x"}]


@pytest.mark.parametrize(("pos", "families"), [("before", "ACB"), ("after", "ABC")])
def test_position_among_repetitions_counts(pos: str, families: str) -> None:
    add = f"""<add sel="Patient/name[family/@value='B']" pos="{pos}"><name><family value="C"/></name></add>"""
    assert "".join(name["family"] for name in xml_patch(patient(), diff(add))["name"]) == families


def test_narrative_can_be_patched() -> None:
    patched = xml_patch(patient(), diff('<replace sel="Patient/text/h:div/h:b/text()">z</replace>'))
    assert ">z</b> c</div>" in patched["text"]["div"]


def test_operations_apply_in_order() -> None:
    remove = '<remove sel="Patient/name[1]"/>'
    patched = xml_patch(patient(), diff(remove, remove, '<remove sel="Patient/extension"/>'))
    assert patched.keys() == {"resourceType", "id", "text", "gender"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<diff",
        b"<diff/>",
        b"\xff",
        b"<!DOCTYPE d [<!ENTITY x 'y'>]><diff><remove sel='Patient/gender'/></diff>",
        diff("<merge sel='Patient'/>"),
        diff("<remove/>"),
        diff("<remove sel='Patient['/>"),
        diff("<remove sel='count(Patient)'/>"),
        diff("<remove sel='q:Patient/q:gender'/>"),
        diff("<remove sel='Patient/name[0]'/>"),
        diff("<remove sel='Patient//name[1]'/>"),
        diff("<remove sel='Patient/@x/y'/>"),
        diff("<remove sel='" + "a" * 2001 + "'/>"),
        diff("<replace sel='Patient/gender'>x</replace>"),
        diff("<replace sel='Patient/gender/@value'><x/></replace>"),
        diff("<add sel='Patient' type='x'>x</add>"),
        diff("<add sel='Patient' pos='middle'><gender/></add>"),
        diff("<add sel='Patient/gender' type='@a b'>x</add>"),
        diff("<remove sel='Patient/gender' ws='x'/>"),
    ],
)
def test_malformed_patch_is_400(data: bytes) -> None:
    assert refusal(data).status == 400


def test_the_place_in_a_malformed_patch_is_told_once() -> None:
    issue = refusal(b"<diff>\n<add").issues[0]
    assert (issue.line, issue.text.count("line 2"), "<string>" in issue.text) == (2, 1, False)


@pytest.mark.parametrize(
    "data",
    [
        diff("<remove sel='Patient/birthDate'/>"),
        diff("<remove sel='Patient/name'/>"),
        diff("<remove sel='Patient'/>"),
        diff("<remove sel='Patient/gender/@value'/>"),
        diff("<remove sel='Patient/gender' ws='both'/>"),
        diff("<add sel='Patient/gender' type='@value'>x</add>"),
        diff("<add sel='Patient' pos='before'><gender/></add>"),
        diff("<add sel='Patient/gender/@value'><gender/></add>"),
        diff("<add sel='Patient'><nonsense value='x'/></add>"),
        diff("<add sel='Patient'>text</add>"),
        diff(*["<replace sel='Patient/gender/@value'>x</replace>"] * 1001),
    ],
)
def test_operation_that_cannot_be_applied_is_422(data: bytes) -> None:
    assert refusal(data).status == 422


def test_refusal_names_the_operation() -> None:
    error = refusal(diff("<remove sel='Patient/gender'/>", "<remove sel='Patient/gender'/>"))
    assert error.issues[0].text.startswith("operation 1 (remove Patient/gender)")


def applied(document: str, *operations: str) -> str:
    root = apply_diff(etree.fromstring(document), parse_diff(("<d>" + "".join(operations) + "</d>").encode()))
    return etree.tostring(root, encoding="unicode").replace(' xmlns="http://hl7.org/fhir"', "")


DOC = '<d xmlns="http://hl7.org/fhir">one<a/>two<b/>three</d>'


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("<remove sel='d/a'/>", "<d>onetwo<b/>three</d>"),
        ("<remove sel='d/text()[2]'/>", "<d>one<a/><b/>three</d>"),
        ("<add sel='d' pos='prepend'>x<c/>y</add>", "<d>x<c/>yone<a/>two<b/>three</d>"),
        ("<add sel='d'>x<c/>y</add>", "<d>one<a/>two<b/>threex<c/>y</d>"),
        ("<add sel='d/b' pos='before'>x<c/>y</add>", "<d>one<a/>twox<c/>y<b/>three</d>"),
        ("<add sel='d/b' pos='after'>x<c/>y</add>", "<d>one<a/>two<b/>x<c/>ythree</d>"),
        ("<add sel='d/text()[1]' pos='before'>x<c/>y</add>", "<d>x<c/>yone<a/>two<b/>three</d>"),
        ("<add sel='d/text()[2]' pos='before'>x<c/>y</add>", "<d>one<a/>x<c/>ytwo<b/>three</d>"),
        ("<add sel='d/text()[2]' pos='before'>x</add>", "<d>one<a/>xtwo<b/>three</d>"),
        ("<add sel='d/text()[2]' pos='after'>x<c/>y</add>", "<d>one<a/>twox<c/>y<b/>three</d>"),
        ("<replace sel='d/a'><c/></replace>", "<d>one<c/>two<b/>three</d>"),
        ("<replace sel='d/text()[last()]'>x</replace>", "<d>one<a/>two<b/>x</d>"),
        ("<replace sel='d'><e xmlns='http://hl7.org/fhir'/></replace>", "<e/>"),
        ("<add sel='d/*[2]' type='@x'>y</add>", '<d>one<a/>two<b x="y"/>three</d>'),
        ("<add sel='d/a'><?pi x?><!--c--></add>", "<d>one<a><?pi x?><!--c--></a>two<b/>three</d>"),
    ],
)
def test_text_beside_a_change_is_kept(operation: str, expected: str) -> None:
    assert applied(DOC, operation) == expected


def test_processing_instruction_is_found_by_target() -> None:
    document = '<d xmlns="http://hl7.org/fhir"> <?x y?> <?z?></d>'
    assert applied(document, "<remove sel='d/processing-instruction(\"x\")' ws='before'/>") == "<d> <?z?></d>"


def test_selector_takes_linear_time() -> None:
    resource = patient(name=[{"family": str(number)} for number in range(3000)])
    selector = "//*[f:name/f:family/@value='x' and f:name][f:name/f:family]/f:gender"
    started = time.monotonic()
    with pytest.raises(FhirError):
        xml_patch(resource, diff(f'<remove sel="{selector}"/>'))
    assert time.monotonic() - started < 2


@settings(deadline=None)
@given(st.text("ab<>&\"' é\u00a0", min_size=1, max_size=12).filter(lambda text: text == text.strip()))
def test_add_then_remove_is_the_identity(family: str) -> None:
    name = etree.Element("{http://hl7.org/fhir}name")
    etree.SubElement(name, "{http://hl7.org/fhir}family").set("value", family)
    add = f'<add sel="Patient">{etree.tostring(name, encoding="unicode")}</add>'
    assert xml_patch(patient(), diff(add))["name"][2] == {"family": family}
    assert xml_patch(patient(), diff(add, '<remove sel="Patient/name[3]"/>')) == patient()


pieces = st.lists(
    st.sampled_from(
        [
            "/",
            "//",
            "f:",
            "Patient",
            "name",
            "gender",
            "[",
            "]",
            "1",
            "@value",
            "text()",
            "comment()",
            "=",
            "'A'",
            "*",
            "last()",
            "position()",
            "and",
            "namespace::f",
            ".",
            "processing-instruction(",
            ")",
            " ",
            "-",
            "h:div",
        ]
    ),
    max_size=8,
).map("".join)
content = st.sampled_from(
    ["", "x", "<gender value='x'/>", "<!-- c -->", "<name/>", "<h:b xmlns:h='x'/>", "x<a/>y"]
)
garbage = st.builds(
    lambda name, sel, inner, more: f'<{name} sel="{sel}" {more}>{inner}</{name}>',
    st.sampled_from(["add", "replace", "remove"]),
    pieces
    | st.sampled_from(
        ["Patient", "Patient/gender", "Patient/name[1]", "Patient/gender/@value", "//h:b/text()"]
    ),
    content,
    st.sampled_from(
        ["", "pos='before'", "pos='after'", "pos='prepend'", "type='@x'", "type='namespace::q'", "ws='both'"]
    ),
)


@settings(deadline=None)
@given(st.lists(garbage, min_size=1, max_size=3))
def test_garbage_raises_only_fhir_errors(operations: list[str]) -> None:
    try:
        outcome: Any = xml_patch(patient(), diff(*operations))
    except FhirError as error:
        outcome = error
    assert isinstance(outcome, dict) or outcome.status in (400, 422)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_raise_only_fhir_errors(data: bytes) -> None:
    assert refusal(data).status in (400, 422)
