# ruff: noqa: E501 (a table of prose)
"""Every kind of rule that validation knows, with the ids of its messages and its tests: what docs/validation.md shows.

Source: http://hl7.org/fhir/R4/validation.html, profiling.html, elementdefinition.html
"""

from __future__ import annotations

from typing import NamedTuple

UNIT = "tests/unit/resources/validate"
RULES = f"{UNIT}/rules"
CORPUS = "tests/conformance/validate"
HTTP = "tests/integration/validate"


class Rule(NamedTuple):
    """One row: what is checked, the ids of what can be said, the files that test it, and what to know of it."""

    name: str
    ids: tuple[str, ...]
    tests: tuple[str, ...]
    note: str = ""


_STRUCTURE = (f"{UNIT}/test_messages.py", f"{CORPUS}/mutations.py")
_ELEMENTS = (f"{RULES}/test_elements.py", f"{CORPUS}/profiled.py")
_CODES = (f"{RULES}/test_bindings.py", f"{CORPUS}/values.py")
_REFERENCES = (f"{RULES}/test_references.py", f"{CORPUS}/values.py")
_CONTAINED = (f"{RULES}/test_contained.py", f"{CORPUS}/wholes.py")
_BUNDLES = (f"{RULES}/test_bundles.py", f"{RULES}/test_references.py", f"{CORPUS}/wholes.py")
_FORMS = (f"{RULES}/test_questionnaires.py", f"{CORPUS}/wholes.py")
_ANSWERS = (f"{RULES}/test_responses.py", f"{CORPUS}/wholes.py")
_TYPES = (f"{RULES}/test_datatypes.py", f"{CORPUS}/values.py")
_EXTENSIONS = (f"{RULES}/test_extensions.py", f"{CORPUS}/values.py")
_SLICES = (f"{RULES}/test_slices.py", f"{CORPUS}/profiled.py")

GROUPS: dict[str, tuple[Rule, ...]] = {
    "Structure": (
        Rule(
            "Resource and its type",
            ("resource-not-object", "resource-type-missing", "resource-type-unknown"),
            _STRUCTURE,
        ),
        Rule(
            "JSON of elements",
            (
                "object-expected",
                "object-empty",
                "object-only-id",
                "element-unknown",
                "array-expected",
                "array-empty",
            ),
            _STRUCTURE,
        ),
        Rule(
            "Primitives with extensions",
            (
                "companion-forbidden",
                "companion-shape",
                "companion-without-value",
                "array-lengths",
                "array-null",
                "null-alone",
            ),
            _STRUCTURE,
        ),
        Rule("Choice of one type", ("choice-multiple",), _STRUCTURE),
        Rule(
            "Formats of primitives",
            ("value-format", "reference-format", "value-blank"),
            _STRUCTURE,
            "regex and range of each type; dates are real dates",
        ),
        Rule("Limit of what is listed", ("issues-limit",), _STRUCTURE),
    ),
    "Elements": (
        Rule("Cardinality", ("cardinality-min", "cardinality-max"), _ELEMENTS),
        Rule("Types, type profiles", ("type-not-allowed", "type-profile-none"), _ELEMENTS),
        Rule("Fixed values, patterns", ("fixed-value", "pattern-missing"), _ELEMENTS),
        Rule(
            "minValue, maxValue, maxLength",
            ("value-too-small", "value-too-large", "value-too-long"),
            _ELEMENTS,
        ),
        Rule(
            "Invariants",
            ("invariant-failed", "invariant-not-evaluated"),
            (f"{RULES}/test_invariants.py", f"{CORPUS}/mutations.py"),
            "all of them, as FHIRPath; severity as defined; the key stands in the text",
        ),
        Rule(
            "Must-support",
            ("must-support-absent", "must-support-slice"),
            (f"{RULES}/test_elements.py", f"{RULES}/test_slices.py"),
            "only where it is asked for; information",
        ),
    ),
    "Profiles": (
        Rule(
            "Slicing",
            ("slice-unmatched", "slice-min", "slice-max", "slice-order", "slice-at-end"),
            _SLICES,
            "by value, pattern, exists, type, profile; open, closed, openAtEnd; ordered; slices of slices; default slices",
        ),
        Rule(
            "Profiles that are asked for or claimed",
            ("profile-unknown", "profile-wrong-type", "profile-abstract", "profile-unusable"),
            (f"{RULES}/test_claims.py", f"{HTTP}/test_operation.py"),
            "with snapshot or differential alone",
        ),
        Rule(
            "At least one of several profiles",
            ("profile-none-fits",),
            (f"{HTTP}/test_policy.py",),
            "the policy `validation_profiles`",
        ),
        Rule(
            "Extensions known, in place, shaped as defined",
            (
                "extension-unknown",
                "extension-not-one",
                "extension-nested-unknown",
                "extension-context",
                "extension-context-invariant",
                "extension-value-or-children",
                "extension-url-relative",
                "extension-cross-version",
            ),
            _EXTENSIONS,
        ),
        Rule(
            "Modifier extensions",
            ("extension-modifier-unknown", "extension-is-modifier", "extension-no-modifier"),
            _EXTENSIONS,
            "unknown is an error: it may change the meaning",
        ),
    ),
    "Codes": (
        Rule(
            "Bindings by strength",
            ("binding-required", "binding-extensible", "binding-preferred", "binding-max"),
            _CODES,
            "error, warning, information; `maxValueSet` an error. code, Coding, CodeableConcept, Quantity, string, uri",
        ),
        Rule("Text without a code", ("binding-text-only", "binding-text-only-extensible"), _CODES),
        Rule(
            "The code itself",
            ("code-unknown", "code-inactive", "code-abstract"),
            _CODES,
            "in bound and unbound elements",
        ),
        Rule("Display", ("display-wrong",), _CODES, "case and white space aside; designations count"),
        Rule(
            "System", ("coding-without-system", "coding-relative-system", "coding-valueset-as-system"), _CODES
        ),
        Rule(
            "What cannot be told",
            ("valueset-unknown", "code-unknown-system"),
            _CODES,
            "never an error; see below",
        ),
        Rule("Units", ("unit-invalid",), _CODES, "UCUM, case-sensitive"),
        Rule(
            "Language tags",
            ("language-malformed", "language-disagrees"),
            _TYPES,
            "well-formed after BCP 47; whether a subtag is registered is not looked up",
        ),
    ),
    "References": (
        Rule(
            "Target types",
            ("reference-target-type", "canonical-target-type"),
            _REFERENCES,
            "as the element or the target profile has it",
        ),
        Rule(
            "Target profiles",
            ("reference-target-profile",),
            (f"{RULES}/test_targets.py",),
            "of contained resources and entries; of others where references must exist",
        ),
        Rule(
            "What a reference says of itself",
            ("reference-type-disagrees", "reference-type-unknown"),
            _REFERENCES,
        ),
        Rule(
            "Whether the target is there",
            ("reference-not-found", "contained-unresolved", "canonical-fragment-unresolved"),
            _REFERENCES,
            "other resources only with the policy `exists`",
        ),
        Rule("Aggregation, versions", ("reference-aggregation", "reference-version"), _REFERENCES),
        Rule(
            "Contained resources",
            (
                "contained-nested",
                "contained-unreferenced",
                "contained-meta",
                "contained-security",
                "contained-without-id",
                "contained-duplicate-id",
            ),
            _CONTAINED,
            "dom-2 to dom-5",
        ),
    ),
    "Bundles": (
        Rule(
            "fullUrl",
            (
                "bundle-fullurl-missing",
                "bundle-fullurl-relative",
                "bundle-fullurl-id",
                "bundle-fullurl-duplicate",
            ),
            _BUNDLES,
        ),
        Rule(
            "References inside",
            ("bundle-reference-unresolved",),
            _BUNDLES,
            "errors in documents, messages and transactions: a urn that no entry has, a relative reference to an entry under another fullUrl, a direct link of a Composition or MessageHeader.focus. Warnings elsewhere",
        ),
        Rule(
            "Documents and messages",
            ("bundle-entries-missing", "bundle-entry-unreachable"),
            _BUNDLES,
            "first entry, identifier, timestamp: invariants bdl-9 to bdl-12",
        ),
        Rule(
            "Requests and responses",
            ("bundle-method-resource", "bundle-request-url", "bundle-response-status"),
            _BUNDLES,
        ),
        Rule("Searches", ("bundle-search-outcome", "bundle-link-duplicate", "bundle-self-missing"), _BUNDLES),
    ),
    "Forms": (
        Rule(
            "Questionnaire",
            (
                "questionnaire-linkid-duplicate",
                "questionnaire-enable-question",
                "questionnaire-enable-display",
                "questionnaire-enable-type",
                "questionnaire-option-type",
                "questionnaire-initial-type",
            ),
            _FORMS,
            "besides its invariants que-1 to que-13",
        ),
        Rule(
            "The form of a response",
            ("response-questionnaire-missing", "response-questionnaire-unknown"),
            _ANSWERS,
        ),
        Rule(
            "Items",
            (
                "response-linkid-unknown",
                "response-linkid-misplaced",
                "response-order",
                "response-item-repeats",
                "response-nesting",
                "response-text-differs",
            ),
            _ANSWERS,
        ),
        Rule(
            "Required and enabled",
            ("response-required", "response-required-later", "response-disabled"),
            _ANSWERS,
            "required is an error in `completed` and `amended`, information in `in-progress`; enableWhen with all operators, any and all",
        ),
        Rule(
            "Answers",
            (
                "response-answers-repeat",
                "response-answer-type",
                "response-answer-to-group",
                "response-option",
                "response-valueset-unknown",
                "response-too-long",
                "response-out-of-range",
                "response-decimals",
            ),
            _ANSWERS,
            "options, value sets, maxLength, minValue, maxValue, maxDecimalPlaces",
        ),
    ),
    "Data types and narrative": (
        Rule(
            "Narrative",
            ("narrative-forbidden", "narrative-blank", "narrative-missing"),
            _TYPES,
            "the XHTML subset; a missing one is best practice (dom-6)",
        ),
        Rule(
            "Identifiers and uris",
            (
                "identifier-system-relative",
                "identifier-urn-value",
                "uri-oid-malformed",
                "uri-uuid-malformed",
                "meta-profile-relative",
            ),
            _TYPES,
        ),
        Rule(
            "Attachments",
            ("attachment-size", "attachment-hash", "attachment-empty"),
            _TYPES,
            "size and SHA-1 of `data`; what a `url` holds is not fetched",
        ),
    ),
    "`$validate` with a mode": (
        Rule(
            "create, update",
            (
                "resource-type-other",
                "update-id-missing",
                "update-id-other",
                "update-version-other",
                "update-creates",
            ),
            (f"{HTTP}/test_operation.py",),
        ),
        Rule("delete", ("delete-referenced",), (f"{HTTP}/test_operation.py",)),
    ),
}

_HEAD = """# What validation checks

Every kind of rule, with the ids of its messages and the files that test it. Written by
`resources/validate/features.py`. How to use it: [how-to/validate.md](how-to/validate.md).

## Try it

```sh
healthbuddy validate patient.json                                  # files or folders, JSON, NDJSON, XML; no server, no network
healthbuddy validate bundle.json --package us-core-6.1.0.tgz       # profiles and codes of a guide; meta.profile is followed
healthbuddy validate o.json --package us-core-6.1.0.tgz \\
    --profile http://hl7.org/fhir/us/core/StructureDefinition/us-core-heart-rate
curl -H "Authorization: Bearer $(healthbuddy token)" -X POST 'http://127.0.0.1:8000/fhir/Patient/$validate' -H 'Content-Type: application/fhir+json' -d @patient.json
```

Each issue has a severity, an R4 issue code, a FHIRPath expression with indexes (`Observation.component[1].code`), for
text its line and column, and a **message id** in the extension
`http://hl7.org/fhir/StructureDefinition/operationoutcome-message-id`. An id names the kind of rule and never changes
its meaning; texts may.

The structure comes first, then the rules of R4, then those of each profile: asked for (`profile=`), claimed
(`meta.profile`), of types and of targets. A rule of a profile that its base has already is told once.

## What is not loaded

A code or value set that cannot be looked up is never wrong by mistake:

| | What is said |
|---|---|
| The value set is not here | `valueset-unknown`, a warning, at the element |
| A code of a value set could only come from a code system that is not here | `valueset-unknown`, a warning that names the code system |
| The value set lists its codes, the code system is not here | answered: listed or not |
| The code system is not here, or only in part, or only in another version than the coding names | `code-unknown-system`, a warning |
| The profile is not here | `profile-unknown`: a warning where claimed, an error where asked for |
| The Questionnaire is not here | `response-questionnaire-unknown`, a warning |

`healthbuddy validate` knows R4's own code systems and value sets, UCUM, language tags, media types, countries and
currencies of ISO, and what is in the
packages given. A server also knows what is stored and loaded.

## References

| Policy | What is looked at |
|---|---|
| `none` | contained resources and Bundles |
| `type` (default) | also the type that a reference names |
| `exists` | also whether a resource of this server is there; other servers are never asked |
"""


def page() -> str:
    """Return the Markdown of docs/validation.md."""
    lines = [_HEAD]
    for title, group in GROUPS.items():
        lines += [f"## {title}", "| Rule | Messages | Tests | |", "|---|---|---|---|"]
        lines += [_row(rule) for rule in group]
        lines.append("")
    return "\n".join(lines)


def _row(rule: Rule) -> str:
    shown = [f"`{one}`" for one in rule.ids]
    tests = ", ".join(
        f"[{path.rpartition('/')[2].removesuffix('.py')}](../{path})" for path in dict.fromkeys(rule.tests)
    )
    return f"| {rule.name} | {' '.join(shown)} | {tests} | {rule.note} |"


if __name__ == "__main__":
    print(page(), end="")
