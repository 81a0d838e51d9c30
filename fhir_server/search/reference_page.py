# ruff: noqa: E501 (a page of prose and tables)
"""The reference page of search, written from the tables that search itself runs on."""

from __future__ import annotations

from collections import Counter

from fhir_server.search.criteria import MAX_CHAIN_TYPES, MAX_STEPS, MODIFIERS
from fhir_server.search.include import MAX_INCLUDED
from fhir_server.search.params.hierarchy import hierarchies
from fhir_server.search.params.string import INDEXED
from fhir_server.search.registry import MAIN_DATE, POSTED, REFUSED_CODES, Param, registry
from fhir_server.search.totals import EXACT_UP_TO
from resources.definitions import definitions

_INTRO = f"""# Search

`GET [base]/Type?…` and `POST [base]/Type/_search`, as [R4 search](http://hl7.org/fhir/R4/search.html) has it.
This page is written by `fhir_server/search/reference_page.py` from the tables that search runs on; a test compares.

## How a search is read
- An unknown parameter is refused with `Prefer: handling=strict`; otherwise (the default, as R4 suggests) it is named in an
  OperationOutcome entry (`search.mode` `outcome`) and left out of the links. In conditional requests it is always refused.
- A modifier, value or parameter that is known but cannot be answered is always refused (400), by name, all problems at once.
- A parameter without a value is ignored. Commas are OR, repeats are AND; `\\,` `\\|` `\\$` `\\\\` are plain characters.
- Dates and times without an offset are in the server's zone (setting `time_zone`, UTC by default).

## Controls
| Parameter | |
|---|---|
| `_count` | matches per page: the setting `page_size` by default, at most `page_size_max` (a larger value is lowered to it, and the self link says so), 0 counts only |
| `_sort` | any number of keys, `-` for descending: `_id`, `_lastUpdated`, every date, number, quantity and string parameter; rows without a value come last in both directions; of several values the one that is first in that direction counts; a period counts by its start. Without `_sort` the order is stable but says nothing |
| `_total` | `none` by default, and yet given when the page holds everything; `accurate` counts; `estimate` counts up to {EXACT_UP_TO:,} and beyond that takes the database's estimate |
| `_summary`, `_elements`, `_format`, `_pretty` | as in R4; `_summary=count` counts only |
| `_include`, `_revinclude` | `Type:parameter`, `Type:parameter:Target`, `Type:*`; at most {MAX_INCLUDED:,} resources with a page, more is refused; `:iterate` is refused |
| `_has` | `_has:Type:reference:parameter`, also nested and chained, up to {MAX_STEPS} references |
| chains | `reference.parameter`, `reference:Type.parameter`, up to {MAX_STEPS} references; a reference to more than {MAX_CHAIN_TYPES} types with that parameter must name one |
| links | `self`, `first`, `prev`, `next`; a page goes on behind its last row (keyset), so that writers cannot make it lose or repeat a match; its `_cursor` is signed and good for that search only |

Not there yet, refused by name: {", ".join(f"`{code}`" for code in sorted(REFUSED_CODES)) or "nothing"}.

## Value sets and code systems
`:in`, `:not-in`, `:above`, `:below` use the ValueSet and CodeSystem resources stored here, else R4's own; a change holds
at the next search. A value set is used only if every one of its codes is known: what is missing (an unknown or incomplete
code system, a filter that cannot be evaluated) is listed in the error. Why and how:
[0019](../decisions/0019-value-sets-in-search.md).
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
        "above": "a code that subsumes `system|code`, or itself",
        "below": "a code that it subsumes, or itself",
    },
    "reference": {
        "above": "the resource or what it is part of, for "
        + ", ".join(f"`{name}`" for name in hierarchies()),
        "below": "the resource or its parts",
    },
    "uri": {
        "above": "a URL whose path starts this one, or itself",
        "below": "a URL further down its path, or itself",
    },
}

_NOTES = {
    "composite": "the values of its components joined by `$`, all within the same element",
    "special": "`near`: `latitude|longitude|distance|unit`, on a sphere",
    "date": "prefixes eq ne gt lt ge le sa eb ap; every value is the range that its precision leaves open; a Timing counts "
    "with its outer limits; ap widens by a tenth of the distance to now",
    "number": "prefixes as for dates; eq, ne and ap use the precision of the search value (100 is [99.5, 100.5); 1e2 is "
    "[95, 105) as R4's table has it)",
    "quantity": "`number`, `number|system|code` (UCUM compared in base units), `number||code` (code or unit as written)",
    "reference": "`id`, `Type/id`, an absolute address (our own is the same as relative), a canonical with or without "
    "version; a version in a reference does not count",
    "string": f"prefix, without case, accents and runs of white space; names and addresses in every part; 1 to {INDEXED} characters",
    "token": "`code`, `system|code`, `system|`, `|code`; case counts where the code system says so, in identifiers, uris and "
    "strings; `code` elements have the system of their value set; boolean, uri, string and contact values take no `|`",
    "uri": "the whole address, exactly; a canonical also without its version",
}


def page() -> str:
    """Return the Markdown of docs/reference/search.md."""
    return "\n".join([_INTRO, *_kinds(), *_places(), *_refused()]) + "\n"


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
