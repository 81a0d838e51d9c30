# ruff: noqa: E501 (a page of prose and tables)
"""The reference page of search, written from the tables that search itself runs on."""

from __future__ import annotations

from collections import Counter

from fhir_server.search.criteria import MAX_CHAIN_TYPES, MAX_STEPS, MODIFIERS
from fhir_server.search.filter.elements import ELEMENTS
from fhir_server.search.filter.operators import OPERATORS
from fhir_server.search.filter.parser import MAX_COMPARISONS as FILTER_COMPARISONS
from fhir_server.search.filter.parser import MAX_DEPTH as FILTER_DEPTH
from fhir_server.search.filter.parser import MAX_LENGTH as FILTER_LENGTH
from fhir_server.search.fulltext import LAST_POSITION, MOST_BYTES, MOST_POSITIONS
from fhir_server.search.include import MAX_INCLUDED, MAX_ROUNDS
from fhir_server.search.named import TEMPLATE
from fhir_server.search.params.hierarchy import hierarchies
from fhir_server.search.params.near import DEFAULT_METRES, EARTH_RADIUS
from fhir_server.search.params.string import MOST_WORDS
from fhir_server.search.parse import MAX_PARAMETERS, MAX_VALUE, MAX_VALUES
from fhir_server.search.registry import MAIN_DATE, POSTED, Param, registry
from fhir_server.search.scope import COMPARTMENTS
from fhir_server.search.sorting import MAX_KEYS
from fhir_server.search.totals import EXACT_UP_TO
from fhir_server.search.words import LONGEST
from resources.definitions import definitions


def _filter_operators() -> str:
    """Return the rows of the table of a filter's operators."""
    rows = [f"| {kind} | {' '.join(sorted(names))} |" for kind, names in sorted(OPERATORS.items())]
    return "\n".join(rows)


def _filter_elements() -> str:
    """Return the names of elements that a filter has, with what stands behind them."""
    return "; ".join(
        f"{owner} `{name}` ({', '.join(child for child, _ in element.children)})"
        for (owner, name), element in sorted(ELEMENTS.items())
    )


_INTRO = f"""# Search

As [R4 search](http://hl7.org/fhir/R4/search.html) has it, each also by POST with `/_search` behind the path:

| Search | Looks through |
|---|---|
| `GET [base]/Type?…` | one resource type |
| `GET [base]?_type=A,B&…`, `GET [base]?…` | several types, or all: with the parameters that all of these have (`_id`, `_lastUpdated`, `_tag`, `_profile`, `_security`, `_source`, `_list`, `_has` … of all) |
| `GET [base]/Patient/1/Observation?…`, `GET [base]/Patient/1/*?…` | a compartment ({", ".join(COMPARTMENTS)}): one of its types, or all, `_type` choosing among them; the owner is a member; of an owner that is not here it is empty |

This page is written by `fhir_server/search/reference_page.py` from the tables that search runs on; a test compares.

## How a search is read
- An unknown parameter is refused with `Prefer: handling=strict`; otherwise (the default, as R4 suggests) it is named in an
  OperationOutcome entry (`search.mode` `outcome`) and left out of the links. In conditional requests it is always refused.
- A modifier, value or parameter that is known but cannot be answered is always refused (400), by name, all problems at once.
- A search has up to {MAX_PARAMETERS} parameters, a value up to {MAX_VALUE:,} characters, all values together up to {MAX_VALUES:,}.
- A parameter without a value is ignored. Commas are OR, repeats are AND; `\\,` `\\|` `\\$` `\\\\` are plain characters, any other escape is refused.
- Dates and times without an offset are in the server's zone (setting `time_zone`, UTC by default): a day is from midnight to
  midnight there, of 23 or 25 hours when clocks change. A time without an offset that comes twice or never then is refused.

## Controls
| Parameter | |
|---|---|
| `_count` | matches per page: the setting `page_size` by default, at most `page_size_max` (a larger value is lowered to it, and the self link says so), 0 counts only |
| `_sort` | up to {MAX_KEYS} keys, `-` for descending: every parameter but composites, `near` and texts; rows without a value come last in both directions; of several values the one that is first in that direction counts; a period counts by its start, a code, identifier, uri or reference by its text (read from the resource: slow over a whole large type). Without `_sort` the order is stable but says nothing |
| `_total` | `none` by default, and yet given when the page holds everything; `accurate` counts; `estimate` counts up to {EXACT_UP_TO:,} and beyond that takes the database's estimate |
| `_summary`, `_elements`, `_format`, `_pretty` | as in R4; `_summary=count` counts only; `_summary=text` takes no includes |
| `_displays` | `true`: each code without a display gets that of its code system, in the language of `Accept-Language` where there is one; what is stored stays as it is; not R4 |
| `_explain` | for operators, off unless the setting `search_explain` is on: `true` adds an outcome with statements, plans and times; not R4 |
| `_include`, `_revinclude` | `Type:parameter`, `Type:parameter:Target`, `Type:*`, `*`; `:iterate` goes on from what came along; canonicals lead to stored resources by url and version, versioned references to that version; at most {MAX_INCLUDED:,} resources with a page, over {MAX_ROUNDS} references in a row, more is refused |
| `_list` | the items of a List by its id, or of several, those marked `deleted` in it too; the functional lists (`$current-problems` …) are refused |
| `_has` | `_has:Type:reference:parameter`, also nested and chained, up to {MAX_STEPS} references |
| chains | `reference.parameter`, `reference:Type.parameter`, up to {MAX_STEPS} references; a reference to more than {MAX_CHAIN_TYPES} types with that parameter must name one; canonical references are followed by includes, not by chains and `_has` (a parameter with canonicals alone is refused there) |
| links | `self`, `first`, `prev`, `next`; a page goes on behind its last row (keyset), so that writers cannot make it lose or repeat a match; its `_cursor` is signed and good for that search only |

`_count`, `_total`, `_summary`, `_format` and `_pretty` may be given once.

## `$everything`
`GET|POST [base]/Patient/1/$everything`, `Patient/$everything`, `Encounter/1/$everything`, `Group/1/$everything` (its active
patients): the compartment as matches, and as includes what its resources refer to and belongs to no other patient. `_type`,
`_since`, `_count` (at most, and by default, `page_size_max`) and, but for encounters, `start` and `end`, by the main date of
each type. Pages are linked by `next` and hold each resource once. Why and how: [0014](../decisions/0014-several-types.md).

## Filters: `_filter`
[R4's grammar](http://hl7.org/fhir/R4/search_filter.html) over all search parameters, beside other parameters, across types, at
the end of chains and `_has` (`patient._filter=…`). `and` and `or` are read from left to right, `not (…)` negates, values are
words or JSON strings, `loinc` `snomed` `rxnorm` `ucum` stand for their systems. Chains are paths (`subject.name`), a filter in brackets
is asked of the same target (`subject[gender eq male].name co pet`); where a reference has several types, `subject:Patient.name`
names one. Up to {FILTER_LENGTH:,} characters, {FILTER_DEPTH} levels and {FILTER_COMPARISONS} comparisons; what cannot be read is refused with its position.

| Parameters | Operators |
|---|---|
{_filter_operators()}

Elements: {_filter_elements()}. Why and how: [0015](../decisions/0015-filter-sort-queries.md).

## Named queries: `_query`
`Patient?_query=by-name&who=Ann` is the search in the active OperationDefinition of kind `query` with that code and type. Its extension
`{TEMPLATE}` holds it, with `{{parameter}}` where values go:
`family={{who}}&birthdate=ge{{born}}&_sort=-birthdate`. Parts whose parameter is not given are left out; `min`, `max` and `type` are
checked; a value is plain text unless its parameter has a `searchType`. An unknown query is refused.

## Words: `_text` and `_content`
`_text` looks for words in the narrative, `_content` in the whole resource: narrative, and every other `string`, `markdown`
and XHTML (displays, notes, names, titles; with what the resource contains or bundles). Codes, ids, addresses, dates,
numbers, references and the data of attachments are no words. `(bone OR liver) and metastases` is R4's example:

| Asked for | Means |
|---|---|
| `word` | that word, without case and accents; words are runs of letters and digits, not stemmed, none left out |
| `word*` | every word that begins so |
| `"two words"` | one after the other; so are the parts of `follow-up` |
| `a b`, `a AND b`, `a OR b`, `NOT a`, `( )`, `a, b` | NOT binds most, then AND, OR, the comma; capitals or not; `"or"` is the word |

Writing without spaces (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese) is found by any part of a run. What cannot be
read is refused with its position. `:missing` is answered, other modifiers are refused. Both work for all types, across
types, in chains and `_has`. Each match has a `search.score` from 0 to 1, and matches come best first unless `_sort` asks
for something else (`_sort=_score` is best first, `_sort=-_score` the reverse); what only negates has no score.
Of a resource count {MOST_BYTES:,} bytes of different words, the first {LAST_POSITION:,} words in phrases, {MOST_POSITIONS} places of
each, and the first {LONGEST} characters of a word; where a stored resource is longer the answer carries a warning.
Why and how: [0020](../decisions/0020-text-and-contained.md).

## Contained resources
Chains look inside contained resources (`MedicationRequest?medication.code=` finds requests that contain the Medication);
other searches do not return them unless `_contained` says so:

| Parameter | |
|---|---|
| `_contained` | `false` (default), `true`: contained resources only, `both` |
| `_containedType` | `container` (default): the containing resource, once, as a match; `contained`: the contained resource itself, its `fullUrl` the container's with `#id` |

Every criterion, `_sort`, paging, `_total` and includes work as usual on the contained resource: `_id` is its local id; it has
no `_lastUpdated`. Containers are sorted by the matching contained resource that is first in that direction, by `_id` and
`_lastUpdated` by their own. Includes start from what matched inside; what lies in the same container comes along only
with `contained`. `_has` asks about stored resources only.

## Value sets and code systems
`:in`, `:not-in`, `:above`, `:below` use the ValueSet and CodeSystem resources stored here, else R4's own; a change holds
at the next search. A value set is used only if every one of its codes is known: what is missing (an unknown or incomplete
code system, a filter that cannot be evaluated) is listed in the error. A value set may be of any size: of a large one
those codes are taken that resources use. Why and how: [0019](../decisions/0019-value-sets-in-search.md),
[0027](../decisions/0027-large-value-sets-in-search.md).
"""

_MEANING = {
    "missing": "`true` / `false`",
    "not": "no value matches (none at all included)",
    "of-type": "identifiers: `type system|type code|value`",
    "exact": "the whole, case and accents included",
    "contains": "anywhere",
    "identifier": "the reference's logical identifier",
    "text": "the text of a code or of an identifier's type starts so (as for strings)",
    "in": "a code is in the value set: its url, `url|version` or `ValueSet/id`",
    "not-in": "no code is in the value set",
}

_HIERARCHIC = {
    "token": {
        "above": "a code that subsumes `system|code`, or itself; a mime type without its parameters",
        "below": "a code that it subsumes, or itself; a mime type with any parameters",
    },
    "reference": {
        "above": "the resource or what it is part of, for "
        + ", ".join(f"`{name}`" for name in hierarchies()),
        "below": "the resource or its parts; of canonicals as for uri",
    },
    "uri": {
        "above": "a URL whose path starts this one, or itself",
        "below": "a URL further down its path, or itself; of `url|version` that version and what it starts (1.2 of 1)",
    },
}

_NOTES = {
    "composite": "the components' values joined by `$`, each as for its own type with prefixes, found within the same instance "
    "of the element (below); `:missing=false` is where some instance has every component",
    "special": f"`near`: `latitude|longitude|distance|unit` in degrees; the unit any UCUM length, `km` if left out; without a "
    f"distance {DEFAULT_METRES / 1000:.0f} km; great circles on a sphere of {EARTH_RADIUS:,} m, the Earth's mean radius",
    "date": "prefixes eq ne gt lt ge le sa eb ap; every value is the range that its precision leaves open, to the microsecond; "
    "a Timing counts with its outer limits, from its events and boundsPeriod (one that has neither has no date); ap widens by "
    "a tenth of the distance to now; of several values one must match, also with ne",
    "number": "prefixes as for dates; eq, ne and ap use the precision of the search value (100 is [99.5, 100.5); 1e2 is "
    "[95, 105) as R4's table has it)",
    "quantity": "`number`, `number|system|code` (UCUM compared in base units), `number||code` (code or unit as written); Money "
    "has the system `urn:iso:std:iso:4217`; pH and other scales that fall as their base rises are compared as written",
    "reference": "`id`, `Type/id`, an absolute address (our own is the same as relative), a canonical with or without "
    "version; a version in a reference does not count; an id alone that resources of several types have is refused",
    "string": f"prefix, without case, accents and runs of white space; names and addresses in every part, their texts included; a family name also from its second, third … word on, up to the {MOST_WORDS}th; any script; marks that make another letter (voiced kana, virama) count, as do strokes (đ, ø, ł are not d, o, l), and so does punctuation",
    "token": "`code`, `system|code`, `system|`, `|code`; case counts where the code system says so, and in identifiers "
    "and uris; `code` elements have the system of their value set; boolean, uri, string and contact values take no `|`",
    "uri": "the whole address, exactly; a canonical also without its version",
}


def page() -> str:
    """Return the Markdown of docs/reference/search.md."""
    return "\n".join([_INTRO, *_kinds(), *_composites(), *_places(), *_refused()]) + "\n"


def _all() -> list[Param]:
    return [param for name in definitions().resource_types for param in registry(name).params.values()]


def _kinds() -> list[str]:
    served = Counter(param.kind for param in _all() if param.place != "refused")
    lines = ["## Parameter types", "| Type | Parameters served | Modifiers | Values |", "|---|---|---|---|"]
    for kind, modifiers in sorted(MODIFIERS.items()):
        named = [f"`:{name}` {_meaning(kind, name)}" for name in sorted(modifiers)]
        named += ["`:[type]`"] if kind == "reference" else []
        cells = (kind, f"{served[kind]:,}", "; ".join(named), _NOTES[kind])
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return [*lines, ""]


def _meaning(kind: str, modifier: str) -> str:
    return _HIERARCHIC.get(kind, {}).get(modifier) or _MEANING[modifier]


def _composites() -> list[str]:
    """List what each composite pairs, once for all types that define it alike."""
    lines = [
        "## Composites",
        "Where the element is the resource, the composite is the components' own parameters together. Elsewhere every instance",
        "has rows of its own ([0018](../decisions/0018-composites.md)).",
        "",
        "| Parameter | Types | Within | Components |",
        "|---|---|---|---|",
    ]
    found: dict[tuple[str, str, str], list[str]] = {}
    for param in _all():
        if param.pairings:
            paths = [
                one.path.text.removeprefix(".") if one.path else "the resource" for one in param.pairings
            ]
            parts = [f"{one.param.kind} `{one.param.expression}`" for one in param.pairings[0].components]
            key = (param.code, ", ".join(paths), " `$` ".join(parts).replace("|", "\\|"))
            found.setdefault(key, []).append(param.type)
    for (code, within, components), types in sorted(found.items()):
        named = types[0] if len(types) == 1 else f"{len(types)} types"
        lines.append(f"| `{code}` | {named} | {within} | {components} |")
    return [*lines, ""]


def _places() -> list[str]:
    lines = [
        "## Fast paths",
        "Parameters that are kept so that the common searches are one index scan; elsewhere the main date is `date`, if single.",
        "",
    ]
    lines += ["| Type | Postings (with a patient, or by date) | Main date |", "|---|---|---|"]
    for name in definitions().resource_types:
        main = registry(name).main
        if name in POSTED or name in MAIN_DATE:
            posted = ", ".join(f"`{code}`" for code in sorted(POSTED.get(name, ())))
            lines.append(f"| {name} | {posted} | {f'`{main.code}`' if main else ''} |")
    return [*lines, ""]


def _refused() -> list[str]:
    """List the official parameters that are refused, common ones once."""
    lines = ["## Official parameters that are refused", "| Type | Parameter | Why |", "|---|---|---|"]
    named = [param for param in _all() if param.place == "refused" and not param.code.startswith("_")]
    return [*lines, *(f"| {param.type} | `{param.code}` | {param.reason} |" for param in named)]


if __name__ == "__main__":
    print(page(), end="")
