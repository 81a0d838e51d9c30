"""Where in a text the elements stand that expressions name: line and column of JSON and XML.

Nothing is indexed ahead: only when something is to be told of a text is it read again, once for all expressions, and
only what they name is looked into. What an expression names but the text has not (a missing element) is told at the
nearest element around it.

Source: http://hl7.org/fhir/R4/operationoutcome-definitions.html#OperationOutcome.issue.expression
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from resources.codec.json_positions import json_places
from resources.codec.places import Place, Wanted
from resources.codec.xml_positions import xml_places
from resources.outcome import Issue

_STEP = re.compile(
    r"(?:(?P<name>[A-Za-z][A-Za-z0-9]*)(?:\[(?P<index>[0-9]{1,9})\])?|(?P<call>[A-Za-z]+\([^()]*\)))(?:\.|\Z)"
)
_OF_TYPE = re.compile(r"ofType\((?:FHIR\.)?([A-Za-z0-9]+)\)")


def positions(text: bytes, expressions: Iterable[str]) -> Mapping[str, tuple[int, int]]:
    """Return (line, column), 1-based, of each expression in a JSON or XML text; what cannot be told is left out.

    Shape:  of an element in JSON where its name begins, of one of an array where its value begins; in XML where its
            tag begins. The text is one that has been parsed; where it is malformed nothing is known
    """
    root = Wanted()
    ends = {expression: _want(root, expression) for expression in expressions}
    data = text.removeprefix(b"\xef\xbb\xbf")
    if data.lstrip()[:1] == b"<":
        xml_places(data, root)
    else:
        json_places(data, root)
    found = {expression: _place(end) for expression, end in ends.items()}
    return {expression: place for expression, place in found.items() if place is not None}


def located(issues: Sequence[Issue], text: bytes, within: str = "") -> list[Issue]:
    """Return `issues` with line and column in `text`; those that have them stay as they are.

    Shape:  `within` is the expression of the resource that the issues are about, where the text holds it in another
    """
    open_ = {issue.expression[0] for issue in issues if issue.expression and issue.line is None}
    if not open_:
        return list(issues)
    whole = {
        one: within + one[one.find(".") if "." in one else len(one) :] if within else one for one in open_
    }
    found = positions(text, set(whole.values()))
    known = {one: found[path] for one, path in whole.items() if path in found}
    return [_placed(issue, known) for issue in issues]


def _placed(issue: Issue, known: Mapping[str, Place]) -> Issue:
    if issue.line is not None or not issue.expression or issue.expression[0] not in known:
        return issue
    line, column = known[issue.expression[0]]
    return msgspec.structs.replace(issue, line=line, column=column)


def _want(root: Wanted, expression: str) -> list[Wanted]:
    """Add the steps of an expression below `root` and return them, the outermost first.

    Shape:  a step that is no element (a function other than ofType) ends what is looked for
    """
    way = [root]
    at = expression.find(".") + 1
    while 0 < at < len(expression):
        found = _STEP.match(expression, at)
        if found is None:
            break
        at = found.end()
        if found["call"]:
            typed = _OF_TYPE.fullmatch(found["call"])
            if typed is None:
                break
            way[-1].types.add(typed[1][:1].upper() + typed[1][1:])
            continue
        way.append(way[-1].step(found["name"]))
        if found["index"] is not None:
            way.append(way[-1].item(int(found["index"])))
    return way


def _place(way: Sequence[Wanted]) -> Place | None:
    return next((one.place for one in reversed(way) if one.place is not None), None)
