"""FHIR XML: equal both ways, the narrative letter for letter, everything unknown or unsafe refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from resources.codec.json_problem import MAX_DEPTH
from resources.codec.xml import dump_xml, parse_xml
from resources.outcome import FhirError
from resources.validate import accepts
from tests.unit.resources.broken_examples import mutated

XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'
EXT = {"url": "http://example.org/e", "valueString": "x"}


def xml(content: str, name: str = "Patient", declared: str = "") -> bytes:
    """Return a document with the content given."""
    return f'<{name} xmlns="http://hl7.org/fhir"{declared}>{content}</{name}>'.encode()


BOTH_WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "primitives": (
        '<id value="a"/><active value="true"/><multipleBirthInteger value="2"/>',
        {"id": "a", "active": True, "multipleBirthInteger": 2},
    ),
    "extension beside a value": (
        (
            '<birthDate id="b" value="2020"><extension url="http://example.org/e"><valueString value="x"/></extension>'
            "</birthDate>"
        ),
        {"birthDate": "2020", "_birthDate": {"id": "b", "extension": [EXT]}},
    ),
    "extension without a value": (
        '<birthDate><extension url="http://example.org/e"><valueString value="x"/></extension></birthDate>',
        {"_birthDate": {"extension": [EXT]}},
    ),
    "null in arrays": (
        (
            '<name id="n"><given value="a"/><given><extension url="http://example.org/e"><valueString value="x"/>'
            '</extension></given><given id="c" value="c"/></name>'
        ),
        {
            "name": [
                {"id": "n", "given": ["a", None, "c"], "_given": [None, {"extension": [EXT]}, {"id": "c"}]},
            ]
        },
    ),
    "contained": (
        (
            '<contained><Organization><id value="o"/></Organization></contained>'
            '<contained><Patient><active value="false"/></Patient></contained>'
        ),
        {
            "contained": [
                {"resourceType": "Organization", "id": "o"},
                {"resourceType": "Patient", "active": False},
            ]
        },
    ),
    "extensions in extensions": (
        '<extension url="a"><extension url="b"><valueDecimal value="1.00"/></extension></extension>',
        {"extension": [{"url": "a", "extension": [{"url": "b", "valueDecimal": Decimal("1.00")}]}]},
    ),
    "white space and special characters": (
        '<name><text value=" a&#10;b&#9;&lt;&amp;&quot;&gt;\'é😀 "/></name>',
        {"name": [{"text": " a\nb\t<&\">'é😀 "}]},
    ),
}


@pytest.mark.parametrize(("content", "expected"), BOTH_WAYS.values(), ids=BOTH_WAYS.keys())
def test_xml_and_json_say_the_same(content: str, expected: dict[str, Any]) -> None:
    assert parse_xml(xml(content)) == {"resourceType": "Patient", **expected}
    assert dump_xml({"resourceType": "Patient", **expected}).endswith(xml(content))


@pytest.mark.parametrize("number", ["1", "1.00", "-0.0", "0.10", "1E+3", "1.0E-7", "-0", "100"])
def test_decimals_keep_their_digits(number: str) -> None:
    observation = parse_xml(xml(f'<valueQuantity><value value="{number}"/></valueQuantity>', "Observation"))
    value = observation["valueQuantity"]["value"]
    assert Decimal(value).as_tuple() == Decimal(number).as_tuple()
    assert f'value="{number}"'.encode() in dump_xml(observation)


def test_elements_are_written_in_the_order_of_the_definitions() -> None:
    written = dump_xml(
        {"birthDate": "2020", "name": [{"given": ["g"], "family": "f"}], "resourceType": "Patient", "id": "a"}
    )
    places = [written.index(tag) for tag in (b"<id", b"<name", b"<family", b"<given", b"<birthDate")]
    assert places == sorted(places)


def test_bundle_entries_and_parameters_hold_resources() -> None:
    patient = {"resourceType": "Patient", "id": "a"}
    bundle = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"resource": patient}, {"resource": patient}],
    }
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "x", "resource": bundle}]}
    assert b"<resource><Bundle><type" in dump_xml(parameters)
    assert parse_xml(dump_xml(parameters, pretty=True)) == parameters


DIVS = [
    f"<div {XHTML}>a<br/><br />&#160;&quot;\r\n<!-- remark --><b class='x'>é😀</b></div>",
    f"<div {XHTML}><![CDATA[<x>]]></div>",
    f"<div {XHTML}/>",
    '<h:div xmlns:h="http://www.w3.org/1999/xhtml"><h:p>a</h:p></h:div>',
]


@pytest.mark.parametrize("div", DIVS)
def test_narrative_is_kept_letter_for_letter(div: str) -> None:
    resource = {"resourceType": "Patient", "text": {"status": "generated", "div": div}, "active": True}
    written = dump_xml(resource)
    assert etree.fromstring(written).find(".//{http://www.w3.org/1999/xhtml}div") is not None
    assert parse_xml(written) == resource
    assert parse_xml(dump_xml(resource, pretty=True)) == resource


def test_narrative_that_leans_on_outer_namespaces_is_made_to_stand_alone() -> None:
    data = (
        '<f:Patient xmlns:f="http://hl7.org/fhir" xmlns:h="http://www.w3.org/1999/xhtml"><f:text>'
        '<f:status value="generated"/><h:div lang="en">a &lt;<h:b class="x">b</h:b>\n</h:div></f:text></f:Patient>'
    )
    div = parse_xml(data.encode())["text"]["div"]
    assert div == f'<div {XHTML} lang="en">a &lt;<b class="x">b</b>\n</div>'


def test_comments_instructions_and_schema_hints_are_ignored() -> None:
    content = '<!-- a --><?b c?>\n <active value="true"/><!-- d -->\n'
    hint = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://hl7.org/fhir x.xsd"'
    declaration = b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>'
    assert parse_xml(declaration + xml(content, declared=hint)) == {"resourceType": "Patient", "active": True}


REFUSED: dict[str, tuple[bytes, str, str]] = {
    "unknown element": (xml('<foo value="a"/>'), "Unknown element <foo>", "Patient.foo"),
    "unknown element below": (
        xml('<name><given value="a"/></name><name><first value="a"/></name>'),
        "Unknown element",
        "Patient.name[1].first",
    ),
    "unknown attribute": (xml('<active value="true" x="y"/>'), "Unknown attribute 'x'", "Patient.active"),
    "attribute of a resource": (xml("", declared=' id="a"'), "Unknown attribute", "Patient"),
    "value of a complex type": (xml('<name value="a"/>'), "Unknown attribute", "Patient.name[0]"),
    "url of another type": (xml('<name url="a"/>'), "Unknown attribute", "Patient.name[0]"),
    "text between elements": (xml("hello"), "Text 'hello'", "Patient"),
    "wrong order": (xml('<birthDate value="2020"/><active value="true"/>'), "order", "Patient.active"),
    "repeated single element": (
        xml('<active value="true"/><active value="true"/>'),
        "Only one",
        "Patient.active",
    ),
    "two of a choice": (
        xml('<deceasedBoolean value="true"/><deceasedDateTime value="2020"/>'),
        "Only one",
        "Patient.deceased",
    ),
    "not a boolean": (xml('<active value="yes"/>'), "boolean", "Patient.active"),
    "not an integer": (xml('<multipleBirthInteger value="1.0"/>'), "integer", "Patient.multipleBirth"),
    "not a number": (
        xml('<extension url="a"><valueDecimal value="NaN"/></extension>'),
        "decimal",
        "Patient.extension[0].value",
    ),
    "huge number": (
        xml('<extension url="a"><valueDecimal value="1e999999999"/></extension>'),
        "decimal",
        "Patient.extension[0].value",
    ),
    "neither value nor extensions": (xml("<active/>"), "neither", "Patient.active"),
    "no namespace": (b"<Patient/>", "namespace", "Patient"),
    "wrong namespace below": (xml('<active xmlns="urn:x" value="true"/>'), "namespace", "Patient.active"),
    "unknown type": (xml("", "Patent"), "Unknown resource type", "Patent"),
    "unknown contained type": (
        xml("<contained><Foo/></contained>"),
        "Unknown resource type",
        "Patient.contained[0].Foo",
    ),
    "two resources in one place": (
        xml("<contained><Patient/><Patient/></contained>"),
        "Only one resource",
        "Patient.contained[0].Patient",
    ),
    "no resource in its place": (xml("<contained/>"), "holds no resource", "Patient.contained"),
    "div of no namespace": (
        xml('<text><status value="generated"/><div>a</div></text>'),
        "namespace",
        "Patient.text.div",
    ),
    "document type": (b'<!DOCTYPE a [<!ENTITY b "c">]>' + xml(""), "document type", ""),
    "external entity": (b'<!DOCTYPE a SYSTEM "file:///etc/passwd">' + xml(""), "document type", ""),
    "undefined entity": (xml('<name><text value="&nbsp;"/></name>'), "undefined entity", ""),
    "not well-formed": (b"<Patient", "Malformed XML", ""),
    "other encoding": (b'<?xml version="1.0" encoding="ISO-8859-1"?>' + xml(""), "UTF-8", ""),
    "not UTF-8": (xml("").replace(b"><", b">\xff<"), "Malformed XML", ""),
    "unbound prefix": (b"<f:Patient/>", "unbound prefix", ""),
    "two roots": (xml("") + xml(""), "Malformed XML", ""),
    "character that XML cannot hold": (xml('<name><text value="&#1;"/></name>'), "Malformed XML", ""),
}


@pytest.mark.parametrize(("data", "text", "expression"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_fhir_xml_is_refused_with_line_and_column(
    data: bytes, text: str, expression: str
) -> None:
    with pytest.raises(FhirError) as refusal:
        parse_xml(b"\n" * (not data.startswith(b"<?xml")) + data)
    (issue,) = refusal.value.issues
    assert refusal.value.status == 400
    assert text in issue.text
    assert "".join(issue.expression) == expression
    assert issue.line in (1, 2)
    assert issue.column is not None


def test_empty_body_is_refused() -> None:
    with pytest.raises(FhirError, match="empty"):
        parse_xml(b" \n")


@pytest.mark.parametrize("levels", [MAX_DEPTH // 2, MAX_DEPTH, 10_000])
def test_nesting_is_limited(levels: int) -> None:
    data = xml('<extension url="a">' * levels + "</extension>" * levels)
    with pytest.raises(FhirError, match="levels deep"):
        parse_xml(data)


UNWRITABLE: dict[str, dict[str, Any]] = {
    "unknown type": {"resourceType": "Patent"},
    "no type": {},
    "unknown element": {"resourceType": "Patient", "foo": 1},
    "beside a complex element": {"resourceType": "Patient", "_name": [{"id": "a"}]},
    "scalar for an object": {"resourceType": "Patient", "name": ["a"]},
    "scalar for an array": {"resourceType": "Patient", "name": {"family": "a"}},
    "object for a value": {"resourceType": "Patient", "active": {}},
    "nothing": {"resourceType": "Patient", "active": None},
    "control character": {"resourceType": "Patient", "id": "\x00"},
    "half surrogate": {"resourceType": "Patient", "id": "\ud800"},
    "narrative that closes what it did not open": {
        "resourceType": "Patient",
        "text": {"div": f"<div {XHTML}></div></text><active value='true'/><text>"},
    },
    "narrative with a document type": {
        "resourceType": "Patient",
        "text": {"div": f"<!DOCTYPE div><div {XHTML}/>"},
    },
}


@pytest.mark.parametrize("resource", UNWRITABLE.values(), ids=UNWRITABLE.keys())
def test_what_xml_has_no_place_for_is_refused(resource: dict[str, Any]) -> None:
    with pytest.raises(FhirError) as refusal:
        dump_xml(resource)
    assert refusal.value.status == 422


def _without_empty_sides(value: Any) -> Any:
    """Return `value` without the arrays of nulls that may stand beside values or extensions."""
    if isinstance(value, list):
        return [_without_empty_sides(item) for item in value]
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if not (isinstance(v, list) and v.count(None) == len(v))}
        return {key: _without_empty_sides(child) for key, child in kept.items()}
    return value


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2), st.booleans())
def test_every_valid_resource_is_equal_after_xml(seed: int, mutations: int, pretty: bool) -> None:
    resource = mutated(seed, mutations)
    if accepts(resource):
        assert parse_xml(dump_xml(resource, pretty)) == _without_empty_sides(resource)
    else:
        assert _writes_or_refuses(resource)


def _writes_or_refuses(resource: dict[str, Any]) -> bool:
    try:
        return bool(etree.fromstring(dump_xml(resource)).tag)
    except FhirError as error:
        return error.status == 422


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(0, 5000),
    st.binary(max_size=3) | st.sampled_from([b"<", b"/>", b"<a/>", b"&"]),
)
def test_any_bytes_give_a_resource_or_a_fhir_error(seed: int, at: int, junk: bytes) -> None:
    written = dump_xml(mutated(seed, 0))
    assert _reads_or_refuses(written[:at] + junk + written[at + len(junk) :])
    assert _reads_or_refuses(junk)


def _reads_or_refuses(data: bytes) -> bool:
    try:
        return "resourceType" in parse_xml(data)
    except FhirError as error:
        return error.status == 400
