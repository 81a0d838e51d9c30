"""Every message of validation: its id, R4 issue code, severity and text; ids stay for ever.

An id names the kind of rule that was broken, not the place or the profile. It comes back in the extension
`operationoutcome-message-id`. Texts may be bettered; ids, once released, neither change nor change their meaning.

Source: http://hl7.org/fhir/R4/valueset-issue-type.html, http://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from typing import NamedTuple

from resources.outcome import Issue, Severity


class Message(NamedTuple):
    """One row: R4 issue code, usual severity, text with the names of its facts in braces."""

    code: str
    severity: Severity
    text: str


def _error(code: str, text: str) -> Message:
    return Message(code, "error", text)


def _warning(code: str, text: str) -> Message:
    return Message(code, "warning", text)


def _information(code: str, text: str) -> Message:
    return Message(code, "information", text)


MESSAGES: dict[str, Message] = {
    # ---------------------------------------------------------------- JSON and elements
    "resource-not-object": _error("structure", "A resource must be a JSON object, not {kind}"),
    "resource-type-missing": _error("structure", "A resource must have a resourceType"),
    "resource-type-unknown": _error("structure", "Unknown resource type {value}"),
    "object-expected": _error("structure", "{type} must be a JSON object, not {kind}"),
    "object-empty": _error("structure", "An object must not be empty"),
    "object-only-id": _error("invariant", "{type} must have a value or children beside its id (ele-1)"),
    "element-unknown": _error("structure", "Unknown element {key} in {type}"),
    "companion-forbidden": _error("structure", "{key}: {name} cannot carry an id or extensions"),
    "companion-shape": _error("structure", "Beside a primitive stands an object with an id or extensions"),
    "companion-without-value": _error(
        "invariant", "An element must have a value or children beside its id (ele-1)"
    ),
    "array-expected": _error("structure", "{name} repeats and must be a JSON array, not {kind}"),
    "array-empty": _error("structure", "An array must not be empty"),
    "array-lengths": _error(
        "structure", "The arrays {key} and {companion} must be of one length, filled up with null"
    ),
    "array-null": _error("structure", "null in both {key} and {companion}"),
    "null-alone": _error("structure", "null is only allowed in an array beside one with extensions"),
    "choice-multiple": _error("structure", "Only one of {element} is allowed: {keys}"),
    "cardinality-min": _error("required", "{holder} must have {element}{more}"),
    "value-format": _error("value", "{value} is not {expected}"),
    "reference-format": _error("value", "{value} is not a reference: {help}"),
    "value-blank": _warning("value", "Text should not be white space only"),
    "extension-value-or-children": _error(
        "invariant", "An Extension must have either a value or extensions, not both (ext-1)"
    ),
    "narrative-forbidden": _error("invariant", "The narrative is not allowed: {problem} (txt-1)"),
    "narrative-blank": _warning("invariant", "The narrative shows neither text nor an image (txt-2)"),
    "issues-limit": _information("informational", "Only the first {limit} problems are listed"),
    # ---------------------------------------------------------------- values, invariants, profiles, extensions
    "cardinality-max": _error(
        "structure", "{count} of {element}, but the profile {profile} allows {max} at most"
    ),
    "type-not-allowed": _error("structure", "The profile {profile} allows {allowed} here, not {type}"),
    "fixed-value": _error("value", "The value must be exactly {wanted}"),
    "pattern-missing": _error("value", "The value must have {wanted}"),
    "value-too-small": _error("value", "{value} is less than {limit}, the least value allowed"),
    "value-too-large": _error("value", "{value} is more than {limit}, the greatest value allowed"),
    "value-too-long": _error("too-long", "The text has {length} characters, {longest} are allowed"),
    "invariant-failed": _error("invariant", "{key}: {human}"),
    "invariant-not-evaluated": _warning("processing", "The invariant {key} could not be evaluated: {why}"),
    "slice-unmatched": _error(
        "structure",
        "It is none of the slices {slices} of {name!r}, and the profile {profile} allows no others",
    ),
    "slice-min": _error(
        "required", "{name!r} must have {min} of the slice '{slice}', not {count}, by the profile {profile}"
    ),
    "slice-max": _error(
        "structure", "{name!r} may have {max} of the slice '{slice}', not {count}, by the profile {profile}"
    ),
    "slice-order": _error(
        "structure", "The slice '{slice}' of {name!r} must come before '{other}', by the profile {profile}"
    ),
    "slice-at-end": _error(
        "structure",
        "What is in no slice of {name!r} must come last, after '{slice}', by the profile {profile}",
    ),
    "profile-unknown": _warning("not-found", "The profile {profile} is not known here: it was not checked"),
    "profile-wrong-type": _error("structure", "The profile {profile} is one of {wanted}, not of {type}"),
    "profile-abstract": _warning(
        "business-rule", "The profile {profile} is abstract: a resource should name one derived from it"
    ),
    "type-profile-none": _error("structure", "The value conforms to none of the profiles {profiles}"),
    "reference-target-profile": _error(
        "structure", "{reference} conforms to none of the profiles allowed here: {profiles}"
    ),
    "must-support-absent": _information(
        "informational", "{element}, which the profile {profile} marks as must-support, is not there"
    ),
    "must-support-slice": _information(
        "informational",
        "The slice '{slice}' of {name!r}, which the profile {profile} marks as must-support, is not there",
    ),
    "extension-unknown": _warning("extension", "The extension {url} is not known here"),
    "extension-cross-version": _information("informational", "The extension {url} carries {note}"),
    "extension-modifier-unknown": _error(
        "extension",
        "The modifier extension {url} is not known here: it may change the meaning of its element",
    ),
    "extension-not-one": _error("extension", "{url} is no extension but a profile of {type}"),
    "extension-url-relative": _error("extension", "The url of an extension must be absolute, not {url}"),
    "extension-is-modifier": _error("extension", "{url} is a modifier: it must stand in modifierExtension"),
    "extension-no-modifier": _error("extension", "{url} is no modifier: it must stand in extension"),
    "extension-nested-unknown": _error("extension", "The extension {of} has no extension {url}"),
    "extension-context": _error(
        "extension", "The extension {url} may not stand on {place}, only on {allowed}"
    ),
    "extension-context-invariant": _error(
        "extension", "The extension {url} may only stand where this is true: {expression}"
    ),
    # ---------------------------------------------------------------- bindings
    "binding-text-only": _error(
        "code-invalid", "A code of the value set {valueset} is required; text alone is not enough"
    ),
    "binding-text-only-extensible": _warning(
        "code-invalid", "No code, only text; a code of the value set {valueset} must be given where one fits"
    ),
    "valueset-unknown": _warning(
        "not-found", "Whether {coded} is in the value set {valueset} cannot be told: {why}"
    ),
    "code-unknown": _error("code-invalid", "{code} is not a code of the code system {system}"),
    "code-inactive": _warning("business-rule", "{code} of {system} is not in use any more"),
    "code-abstract": _warning(
        "business-rule", "{code} of {system} is abstract: it groups codes and is not one to be chosen"
    ),
    "display-wrong": _warning("code-invalid", "The display of {code} is not {display} but {right}"),
    "coding-without-system": _warning(
        "code-invalid", "A code without system means nothing to others: {code}"
    ),
    "coding-relative-system": _error(
        "code-invalid", "The system of a code must be an absolute URI, not {system}"
    ),
    "coding-valueset-as-system": _error("code-invalid", "{system} is a value set, not a code system"),
    # ---------------------------------------------------------------- references
    "reference-target-type": _error(
        "structure", "{reference} is a {type}, but only {allowed} may be referred to here"
    ),
    "reference-type-disagrees": _error(
        "structure", "Reference.type is {type}, but {reference} is a {actual}"
    ),
    "reference-type-unknown": _error("value", "Reference.type {type} is not a resource type"),
    "reference-not-found": _error("not-found", "There is no {reference}"),
    "reference-version": _error(
        "business-rule", "{reference} {is_versioned}, and references here must be {wanted}"
    ),
    "reference-aggregation": _error(
        "structure", "{reference} is {found}, but references here must be {allowed}"
    ),
    "canonical-target-type": _error(
        "structure", "{reference} is a {type}, but only {allowed} may be named here"
    ),
    "canonical-fragment-unresolved": _error("not-found", "No contained resource has the id {id}"),
    # ---------------------------------------------------------------- contained
    "contained-nested": _error("invariant", "A contained resource must not contain others (dom-2)"),
    "contained-unreferenced": _error(
        "invariant",
        "Contained resource {id} is referred to from nowhere in the resource, nor does it refer to it (dom-3)",
    ),
    "contained-meta": _error("invariant", "A contained resource must not have meta.{element} (dom-4)"),
    "contained-security": _error("invariant", "A contained resource must not have a security label (dom-5)"),
    "contained-without-id": _error("required", "A contained resource must have an id to be referred to"),
    "contained-duplicate-id": _error("invariant", "Two contained resources have the id {id}"),
    "contained-unresolved": _error("not-found", "No contained resource has the id {id}"),
    # ---------------------------------------------------------------- bundles
    "bundle-fullurl-missing": _error("required", "The entry must have a fullUrl in a Bundle of type {type}"),
    "bundle-fullurl-relative": _error("value", "A fullUrl must be absolute, not {url}"),
    "bundle-fullurl-duplicate": _error("invariant", "The fullUrl {url} stands twice (bdl-7)"),
    "bundle-request-url": _error("business-rule", "The url {url} does not fit {method}: {wanted}"),
    "bundle-response-status": _error("value", "{status} does not begin with an HTTP status of three digits"),
    "bundle-link-duplicate": _error("business-rule", "The link relation {relation} stands twice"),
    "bundle-self-missing": _warning("business-rule", "A searchset should have a link 'self'"),
    "bundle-entries-missing": _error("required", "A {type} must have entries, the first of them a {first}"),
    # ---------------------------------------------------------------- questionnaires
    "questionnaire-linkid-duplicate": _error(
        "invariant", "The linkId {linkid} stands more than once in the Questionnaire (que-2)"
    ),
    "questionnaire-enable-question": _error(
        "business-rule", "enableWhen names the question {linkid}, which the Questionnaire does not have"
    ),
    "questionnaire-enable-display": _error(
        "business-rule", "enableWhen names {linkid}, which is a {type} and has no answer"
    ),
    "questionnaire-enable-type": _error(
        "business-rule", "enableWhen compares {linkid}, a question of type {type}, with a {found}"
    ),
    "questionnaire-option-type": _error(
        "business-rule", "An answerOption of a question of type {type} cannot be a {found}"
    ),
    "questionnaire-initial-type": _error(
        "business-rule", "An initial value of a question of type {type} cannot be a {found}"
    ),
    "response-questionnaire-missing": _information(
        "informational", "No questionnaire is named: only the response itself was checked"
    ),
    "response-questionnaire-unknown": _warning(
        "not-found",
        "The Questionnaire {canonical} is not known here, or not valid itself: the answers were not checked against it",
    ),
    "response-linkid-unknown": _error("structure", "The Questionnaire has no item {linkid}"),
    "response-linkid-misplaced": _error("structure", "The item {linkid} does not belong here, but {place}"),
    "response-order": _error(
        "structure", "The item {linkid} must come before {other}, as in the Questionnaire"
    ),
    "response-item-repeats": _error("structure", "The item {linkid} does not repeat"),
    "response-answers-repeat": _error("structure", "The question {linkid} allows one answer, not {count}"),
    "response-required": _error("required", "The item {linkid} is required and has no answer"),
    "response-required-later": _information("required", "The item {linkid} is required and not yet answered"),
    "response-disabled": _error(
        "business-rule", "The item {linkid} is not enabled by the other answers, and must not be here"
    ),
    "response-answer-type": _error("structure", "The answer to {linkid} must be a {wanted}, not a {found}"),
    "response-answer-to-group": _error("structure", "The item {linkid} is a {type} and has no answers"),
    "response-nesting": _error("structure", "Items below the question {linkid} stand inside of its answer"),
    "response-option": _error("code-invalid", "The answer {value} to {linkid} is not among its options"),
    "response-valueset-unknown": _warning(
        "not-found", "Whether {value} is an answer to {linkid} cannot be told: {why}"
    ),
    "response-too-long": _error(
        "business-rule", "The answer to {linkid} has {length} characters, {longest} are allowed"
    ),
    "response-out-of-range": _error("business-rule", "The answer {value} to {linkid} is {side} {limit}"),
    "response-decimals": _error(
        "business-rule", "The answer {value} to {linkid} has more than {places} decimal places"
    ),
    "response-text-differs": _warning(
        "informational", "The text of {linkid} is not the one of the Questionnaire: {text}"
    ),
    # ---------------------------------------------------------------- languages, units, identities, attachments
    "language-malformed": _error("code-invalid", "{tag} is not a language tag of BCP 47"),
    "language-disagrees": _warning(
        "business-rule", "The narrative's {attribute} {found} is not the resource's language {language}"
    ),
    "uri-oid-malformed": _error("value", "{value} is not an OID"),
    "uri-uuid-malformed": _error("value", "{value} is not a UUID in lower case"),
    "identifier-system-relative": _error("value", "Identifier.system must be an absolute URI, not {value}"),
    "identifier-urn-value": _error(
        "value", "An Identifier of system urn:ietf:rfc:3986 must have a full URI as value, not {value}"
    ),
    "attachment-size": _error("business-rule", "The attachment has {actual} bytes, not {size}"),
    "attachment-hash": _error("business-rule", "The attachment's hash is not the SHA-1 of its data"),
    "attachment-empty": _warning(
        "business-rule", "An attachment should have data, a url, or a title that says why not"
    ),
    "narrative-missing": _warning(
        "business-rule", "A resource should have a narrative for robust management (dom-6)"
    ),
    "meta-profile-relative": _error("value", "A profile must be an absolute URL, not {value}"),
    # ---------------------------------------------------------------- what a server asks beside
    "profile-unusable": _warning("processing", "The profile {profile} cannot be used: {why}"),
    "profile-none-fits": _error(
        "business-rule",
        "It conforms to none of {profiles}; {nearest} is the nearest, of which follows what is wrong",
    ),
    "resource-type-other": _error("invalid", "It is a {type}, where a {expected} is expected"),
    "update-id-missing": _error("required", "An update needs the id of the resource"),
    "update-id-other": _error("invalid", "The id is {found}, but the URL says {expected}"),
    "update-version-other": _warning(
        "conflict", "meta.versionId is {found}, but the current version is {current}"
    ),
    "update-creates": _information("informational", "{what} is not there: an update creates it"),
    "delete-referenced": _warning(
        "business-rule",
        "{count} other resources refer to {what}, such as {example}; they would point at nothing",
    ),
    "code-unknown-system": _warning("not-found", "Whether {code} is a code cannot be told: {why}"),
    "unit-invalid": _error("code-invalid", "{code} is not a UCUM unit"),
    "bundle-reference-unresolved": _error(
        "not-found", "No entry of the {type} answers the reference {reference}{more}"
    ),
    "binding-required": _error("code-invalid", "{coded} of {valueset}{why}, from which a code is required"),
    "binding-extensible": _warning(
        "code-invalid", "{coded} of {valueset}{why}, from which a code must come where one fits"
    ),
    "binding-preferred": _information(
        "code-invalid", "{coded} of {valueset}{why}, from which codes are preferred"
    ),
    "binding-max": _error("code-invalid", "{coded} of {valueset}{why}, the largest value set allowed here"),
    "bundle-fullurl-id": _error("invariant", "The fullUrl {url} must end with the resource's {name}"),
    "bundle-method-resource": _error("business-rule", "{method} {needs} a resource in its entry"),
    "bundle-search-outcome": _error(
        "business-rule", "Only an OperationOutcome has the search mode 'outcome'"
    ),
    "bundle-entry-unreachable": _error(
        "business-rule", "The entry is not reached from the {first} by references"
    ),
}


def issue(message_id: str, path: str, severity: Severity | None = None, /, **facts: object) -> Issue:
    """Return the issue that the message says of the element at `path`; raises KeyError for an unknown id."""
    row = MESSAGES[message_id]
    return Issue(
        row.code,
        row.text.format_map(facts),
        (path,) if path else (),
        severity or row.severity,
        id=message_id,
    )
