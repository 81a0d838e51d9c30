"""Which narrative is refused, which is accepted. Source: http://hl7.org/fhir/R4/narrative.html#xhtml"""

from __future__ import annotations

from typing import Any

import pytest

from resources.validate import accepts, explain
from resources.validate.explain import errors

XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


def patient(div: str) -> dict[str, Any]:
    """Return a Patient with that narrative."""
    return {"resourceType": "Patient", "text": {"status": "generated", "div": div}}


DIVS_REFUSED = [
    f"<div {XHTML}><script>alert(1)</script></div>",
    f'<div {XHTML}><p onclick="x()">a</p></div>',
    f'<div {XHTML}><a href="javascript:x()">a</a></div>',
    f'<div {XHTML}><a href=" java&#10;script:x()">a</a></div>',
    f'<div {XHTML}><img src="data:text/html,x"/></div>',
    f'<div {XHTML}><img src="data:image/svg+xml,x"/></div>',
    f'<div {XHTML}><p style="width: expression(x)">a</p></div>',
    f"<div {XHTML}><p>a</div>",
    f"<div {XHTML}>a&nbsp;b</div>",
    f"<div {XHTML}>a</div><div {XHTML}>b</div>",
    f"<!DOCTYPE div><div {XHTML}>a</div>",
    f'<?xml version="1.0"?><div {XHTML}>a</div>',
    f"<p {XHTML}>a</p>",
    "<div>no namespace</div>",
    f'<div {XHTML}><p xmlns="http://www.w3.org/2000/svg">a</p></div>',
    f'<div {XHTML}><iframe src="http://example.org"/></div>',
    "plain text",
    f"<div {XHTML}>" + "<p>" * 300 + "</p>" * 300 + "</div>",
]


@pytest.mark.parametrize("div", DIVS_REFUSED)
def test_unsafe_or_malformed_narrative_is_refused(div: str) -> None:
    resource = patient(div)
    (issue,) = errors(explain(resource))
    assert issue.expression == ("Patient.text.div",)
    assert not accepts(resource)


@pytest.mark.parametrize(
    "div",
    [
        f"<div {XHTML}>a</div>",
        f'<div {XHTML} lang="en" xml:lang="en"><table class="x"><tr><td colspan="2">a</td></tr></table><br/></div>',
        f'<div {XHTML}><a href="Patient/1">a</a><img src="#img" alt=""/><img src="data:image/png;base64,AA=="/></div>',
        f'<div {XHTML}><!-- remark --><p style="color: red">&lt;&#160;&amp;</p><![CDATA[<x>]]></div>',
        '<h:div xmlns:h="http://www.w3.org/1999/xhtml"><h:p>a</h:p></h:div>',
    ],
)
def test_safe_narrative_is_accepted(div: str) -> None:
    assert accepts(patient(div))


def test_blank_narrative_only_warns() -> None:
    resource = patient(f"<div {XHTML}> <p/></div>")
    (issue,) = explain(resource)
    assert (issue.severity, issue.code) == ("warning", "invariant")
    assert accepts(resource)
