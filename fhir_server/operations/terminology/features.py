# ruff: noqa: E501 (a table of prose)
"""Every parameter of R4's terminology operations and what becomes of it: what docs/terminology.md shows and tests hold.

Source: http://hl7.org/fhir/R4/terminology-service.html; the parameters are those of R4's own OperationDefinitions
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from resources.definitions import definitions


class Note(NamedTuple):
    """What is to be said of a parameter."""

    text: str


class Row(NamedTuple):
    """One parameter of one operation."""

    operation: str
    parameter: str
    note: Note
    ours: bool = False


_NOW = Note("today or later; a day in the past is refused, since terminology is answered as it is now")
_INSTEAD = Note("in a Parameters resource; not beside `url`")
_LANGUAGE = Note("`de-CH` also takes `de`; without such a name the code system's own display")
_ABSTRACT = Note("abstract codes are false unless it is true")

NOTES: dict[tuple[str, str], Note] = {
    ("ValueSet/$expand", "url"): Note("also `url|version`, and urls that imply a value set (`?fhir_vs`)"),
    ("ValueSet/$expand", "valueSet"): _INSTEAD,
    ("ValueSet/$expand", "context"): Note("url of a StructureDefinition, `#`, path or id of an element"),
    ("ValueSet/$expand", "contextDirection"): Note("`incoming` and `outgoing` mean the same value set"),
    ("ValueSet/$expand", "filter"): Note("each word begins a word of code, display or designation; case and accents do not count"),
    ("ValueSet/$expand", "date"): _NOW,
    ("ValueSet/$expand", "count"): Note("at most 10,000; without it the whole value set, or `too-costly` where it has more; 0 asks how many there are, since a page of a large set may leave `total` out"),
    ("ValueSet/$expand", "designation"): Note("`urn:ietf:bcp:47|de` or `system|code` of a use; includes them unless `includeDesignations` is false"),
    ("ValueSet/$expand", "excludeNested"): Note("flat unless it is false; nested expansions are whole, paging is ignored"),
    ("ValueSet/$expand", "excludeNotForUI"): Note("leaves out abstract codes"),
    ("ValueSet/$expand", "excludePostCoordinated"): Note("no expansion has any"),
    ("ValueSet/$expand", "displayLanguage"): _LANGUAGE,
    ("ValueSet/$expand", "check-system-version"): Note("another version, or one that is not loaded, is an error"),
    ("ValueSet/$expand", "force-system-version"): Note("the version taken is told in `expansion.parameter`"),
    ("ValueSet/$expand", "property"): Note("R5's parameter; comes as R5's extension for `contains.property`"),
    ("ValueSet/$validate-code", "url"): Note("also `url|version`, and urls that imply a value set"),
    ("ValueSet/$validate-code", "valueSet"): _INSTEAD,
    ("ValueSet/$validate-code", "context"): Note("as for $expand; the code then needs no system"),
    ("ValueSet/$validate-code", "contextDirection"): Note("of $expand, taken here too"),
    ("ValueSet/$validate-code", "display"): Note("a wrong one makes the result false; any designation is right"),
    ("ValueSet/$validate-code", "codeableConcept"): Note("one coding that is right is enough"),
    ("ValueSet/$validate-code", "date"): _NOW,
    ("ValueSet/$validate-code", "abstract"): _ABSTRACT,
    ("ValueSet/$validate-code", "displayLanguage"): _LANGUAGE,
    ("CodeSystem/$validate-code", "codeSystem"): _INSTEAD,
    ("CodeSystem/$validate-code", "display"): Note("a wrong one makes the result false; any designation is right"),
    ("CodeSystem/$validate-code", "codeableConcept"): Note("one coding that is right is enough"),
    ("CodeSystem/$validate-code", "date"): _NOW,
    ("CodeSystem/$validate-code", "abstract"): _ABSTRACT,
    ("CodeSystem/$validate-code", "displayLanguage"): _LANGUAGE,
    ("CodeSystem/$lookup", "date"): _NOW,
    ("CodeSystem/$lookup", "displayLanguage"): _LANGUAGE,
    ("CodeSystem/$lookup", "property"): Note("without it all; also `definition`, `designation`, `lang.X`, `parent`, `child`, `inactive`, `url`"),
    ("CodeSystem/$subsumes", "version"): Note("both codes are of one version"),
    ("CodeSystem/$find-matches", "property"): Note("1 to 10; a `subproperty` is refused"),
    ("CodeSystem/$find-matches", "exact"): Note("false also looks for words of names, with a comment"),
    ("CodeSystem/$find-matches", "compositional"): Note("no answer has post-coordinated expressions"),
    ("ConceptMap/$translate", "url"): Note("without `url` and `conceptMap` all maps between the code systems are asked, but retired ones"),
    ("ConceptMap/$translate", "conceptMap"): _INSTEAD,
    ("ConceptMap/$translate", "version"): Note("has to be the group's `sourceVersion` where that has one"),
    ("ConceptMap/$translate", "source"): Note("maps from another value set say nothing"),
    ("ConceptMap/$translate", "target"): Note("maps to another value set say nothing"),
    ("ConceptMap/$translate", "codeableConcept"): Note("every coding is translated"),
    ("ConceptMap/$translate", "dependency"): Note("a mapping that depends on something counts only where this says so"),
    ("ConceptMap/$translate", "reverse"): Note("wider becomes narrower, subsumes specializes"),
    ("$closure", "name"): Note("alone: the table begins anew"),
    ("$closure", "concept"): Note("at most 1,000 at once, 100,000 in a table"),
    ("$closure", "version"): Note("everything since that version again"),
}  # fmt: skip

OURS = (
    ("ValueSet/$expand", "property"),
    ("ValueSet/$validate-code", "contextDirection"),
)
"""Parameters that R4's definitions of these operations do not have."""

OPERATIONS = ("lookup", "subsumes", "validate-code", "find-matches", "expand", "translate", "closure")

_PLAIN = Note("")


def rows() -> Iterator[Row]:
    """Yield every parameter of every terminology operation."""
    listed = [one for one in definitions().operations if one.code in OPERATIONS]
    for one in sorted(listed, key=lambda one: (one.resources, OPERATIONS.index(one.code))):
        name = f"{one.resources[0]}/${one.code}" if one.type else f"${one.code}"
        for parameter in one.parameters:
            if parameter.use == "in":
                yield Row(name, parameter.name, NOTES.get((name, parameter.name), _PLAIN))
        for owner, parameter_name in OURS:
            if owner == name:
                yield Row(name, parameter_name, NOTES[owner, parameter_name], ours=True)


_HEAD = """\
# What the terminology service does

Every parameter of R4's [terminology operations](http://hl7.org/fhir/R4/terminology-service.html). All operations are
called by GET (values of simple types) or POST (a Parameters resource), on the type and, where R4 has it, on an
instance, alone or in a Bundle; `$closure` by POST on the base. Written by
`fhir_server/operations/terminology/features.py`; `metadata?mode=terminology` lists the code systems.

## What is not loaded
A code system, value set or concept map that is not here gets one answer from every operation: status 404, an
OperationOutcome with code `not-found` and the message id `terminology-not-loaded`, whose texts name everything that is
missing. No result ever says false because something is missing. What can be told in spite of a gap is told: a code of a
loaded part of a value set is in, whatever else the value set is made of.

A code system is complete here if its `content` is `complete`: a fragment tells which codes are there, never which are
not. Codes without end (units, languages, media types) are told by their grammar and cannot be listed: `$expand` answers
422 `too-costly`.

## Where R4 leaves a choice
| Question | Ours |
|---|---|
| a code's display is wrong | `result` is false, `message` and `display` say the right one |
| a code is inactive | `result` is true, `message` says so |
| a code is abstract | `result` is false unless `abstract` is true |
| several codings | one that is right is enough |
| what `$validate-code` tells beyond R4 | `code`, `system` and `version`, as in R5 |
| a map's comments | in `message` |
| the version of a coding is not loaded, another is | a code known there is right, `version` and `message` say which one that is; one that is not known is not told (404) |
| a value set lists a code that its code system, which is complete here, does not have | it is not in the value set |
| an unknown code in `$lookup`, `$subsumes`, `$closure` | 404 `not-found` |
| `unmapped.mode` provided | equivalence `equal`; fixed: `relatedto` |
| a code that a map lists without a target | a match `unmatched`, `result` false |
| which version of a url | the one named; else active before draft before retired, then the greatest, then the last written |
| a concept below several others, nested | below the first of them that is in the expansion |
| a changed CodeSystem, ValueSet or ConceptMap | counts at the next call, in every process |
"""


def page() -> str:
    """Return the Markdown of docs/terminology.md."""
    lines = [_HEAD]
    shown = ""
    for row in rows():
        if row.operation != shown:
            lines += ([""] if shown else []) + [
                f"## {row.operation}",
                "| Parameter | Status | |",
                "|---|---|---|",
            ]
            shown = row.operation
        status = "yes, beyond R4" if row.ours else "yes"
        lines.append(f"| `{row.parameter}` | {status} | {row.note.text.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
