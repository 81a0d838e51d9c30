"""Our own guide as readable pages: an index, and a page for each profile, extension and vocabulary.

`python -m ig.render` writes them into `docs/guide`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ig.guide import examples, resources
from resources.codec.json import dump_json
from resources.profiles.snapshot import snapshot

Json = dict[str, Any]

PAGES = Path(__file__).resolve().parents[1] / "docs" / "guide"
_R4 = "http://hl7.org/fhir/StructureDefinition/"
_EXACT = {"fixed": "exactly", "pattern": "at least", "minValue": "not below", "maxValue": "not above"}
_SECTIONS = (
    ("Profiles", "What a resource must be", "profile"),
    ("Extensions", "What R4 has no element for", "extension"),
    ("Vocabulary", "Codes of our own", "vocabulary"),
    ("Operations", "What the server does beyond R4", "operation"),
)


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    found = {"index.md": _index()}
    for resource in resources():
        write = _PAGES.get(_section(resource))
        if write is not None:
            found[_file(resource)] = "\n".join(write(resource)) + "\n"
    return dict(sorted(found.items()))


def write_pages(folder: Path = PAGES) -> None:
    """Write every page into the folder, and delete what is no page any more."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


def _section(resource: Json) -> str:
    kind = resource["resourceType"]
    if kind == "StructureDefinition":
        return "extension" if resource["type"] == "Extension" else "profile"
    return {"CodeSystem": "vocabulary", "ValueSet": "set", "OperationDefinition": "operation"}.get(kind, "")


def _file(resource: Json) -> str:
    return f"{_section(resource)}-{resource['id']}.md"


def _index() -> str:
    guide = next(each for each in resources() if each["resourceType"] == "ImplementationGuide")
    lines = [f"# {guide['title']}: the guide", "", guide["description"], ""]
    lines += [
        "The definitions are FHIR resources under `ig/healthbuddy`; these pages are made from them by",
        "`python -m ig.render`. Canonical urls begin with `urn:health-buddy:fhir`: names, not web addresses.",
    ]
    for title, text, section in _SECTIONS:
        lines += ["", f"## {title}", "", f"{text}.", "", "| | |", "|---|---|"]
        for resource in resources():
            if _section(resource) == section:
                name = resource.get("title") or f"${resource['code']}"
                lines.append(f"| {_linked(resource, name)} | {_cell(resource['description'])} |")
    lines += ["", "## Examples", "", "| | |", "|---|---|"]
    lines += [f"| `{each['resourceType']}/{each['id']}` | {_claims(each)} |" for each in examples()]
    return "\n".join(lines) + "\n"


def _linked(resource: Json, name: str) -> str:
    return f"[{name}]({_file(resource)})" if _section(resource) in _PAGES else f"`{name}`"


def _claims(example: Json) -> str:
    return ", ".join(_link(url) for url in example.get("meta", {}).get("profile", ()))


# --------------------------------------------------------------------------------------------- structures


def _structure(resource: Json) -> list[str]:
    elements = resource["differential"]["element"]
    whole = {each["id"]: each for each in snapshot(resource, _known)["snapshot"]["element"]}
    lines = _head(resource)
    if resource["type"] == "Extension":
        lines += ["On: " + ", ".join(f"`{c['expression']}`" for c in resource["context"]) + ".", ""]
    else:
        lines += [f"A profile of {_link(resource['baseDefinition'])}. **S**: must be supported.", ""]
    lines += ["| Element | Card. | Type | S | What it is, and what is asked |", "|---|---|---|---|---|"]
    lines += [_row(element, whole[element["id"]]) for element in elements if "." in element["path"]]
    rules = [rule for element in elements for rule in element.get("constraint", ())]
    if rules:
        lines += ["", "## Rules", "", "| Key | | Rule | Expression |", "|---|---|---|---|"]
        lines += [
            f"| {r['key']} | {r['severity']} | {_cell(r['human'])} | `{_cell(r['expression'])}` |"
            for r in rules
        ]
    return lines + _shown(resource["url"])


def _known(canonical: str) -> Json | None:
    return next((each for each in resources() if each.get("url") == canonical), None)


def _row(element: Json, whole: Json) -> str:
    """Return the row of an element: cardinality as it results, types where the guide says them."""
    name = element["id"].partition(".")[2]
    return (
        f"| `{name}` | {whole['min']}..{whole['max']} | {_types(element)} "
        f"| {'S' if element.get('mustSupport') else ''} | {'; '.join(_asked(element))} |"
    )


def _types(element: Json) -> str:
    return ", ".join(_type(each) for each in element.get("type", ()))


def _type(json: Json) -> str:
    if json.get("targetProfile"):
        return "Reference to " + " or ".join(_link(url) for url in json["targetProfile"])
    return " or ".join(_link(url) for url in json["profile"]) if json.get("profile") else str(json["code"])


def _asked(element: Json) -> Iterator[str]:
    if "short" in element:
        yield _cell(element["short"])
    for kind, text in _EXACT.items():
        for key, value in element.items():
            if key.startswith(kind) and key != kind:
                yield f"{text} {_value(value)}"
    if "binding" in element:
        binding = element["binding"]
        yield f"codes of {_link(binding['valueSet'])} ({binding['strength']})"
    if "slicing" in element:
        told = ", ".join(f"{d['type']} of `{d['path']}`" for d in element["slicing"]["discriminator"])
        yield f"sliced by {told} ({element['slicing']['rules']})"
    if "comment" in element:
        yield _cell(element["comment"])


def _value(value: Any) -> str:
    codings = value.get("coding", [value]) if isinstance(value, dict) else []
    if codings and all(each.keys() <= {"system", "code", "display"} for each in codings):
        return ", ".join(f"`{each['code']}` of `{each['system']}`" for each in codings)
    return f"`{dump_json(value).decode() if isinstance(value, dict) else value}`"


def _shown(url: str) -> list[str]:
    found = [each for each in examples() if url in each.get("meta", {}).get("profile", ())]
    if not found:
        return []
    text = dump_json(found[0], pretty=True).decode()
    return ["", "## Example", "", "```json", text.rstrip(), "```"]


# ----------------------------------------------------------------------------------- vocabulary, operations


def _vocabulary(resource: Json) -> list[str]:
    lines = [*_head(resource), f"Value set of all of them: `{resource['valueSet']}`.", ""]
    lines += ["| Code | Display | Definition |", "|---|---|---|"]
    lines += [
        f"| `{c['code']}` | {_cell(c['display'])} | {_cell(c['definition'])} |" for c in resource["concept"]
    ]
    return lines


def _head(resource: Json) -> list[str]:
    return [f"# {resource['title']}", "", resource["description"], "", f"`{resource['url']}`", ""]


def _link(url: str) -> str:
    """Return a link to the page of a definition: ours, or the specification's."""
    bare = url.partition("|")[0]
    for resource in resources():
        if resource.get("url") == bare:
            shown = _vocabulary_of(resource) if _section(resource) == "set" else resource
            name = str(resource["title"])
            return _linked(shown, name) if shown is not None else f"`{name}`"
    name = bare.rpartition("/")[2]
    kind = bare.split("/")[-2].lower()
    if bare.startswith(_R4):
        return f"[{name}](http://hl7.org/fhir/R4/{name.lower()}.html)"
    return f"[{name}](http://hl7.org/fhir/R4/{kind}-{name}.html)"


def _vocabulary_of(valueset: Json) -> Json | None:
    """Return the code system of ours that a value set has all codes of."""
    return next((each for each in resources() if each.get("valueSet") == valueset["url"]), None)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


_PAGES = {"profile": _structure, "extension": _structure, "vocabulary": _vocabulary}


def links(text: str) -> Iterable[str]:
    """Return the names of the pages that a page links to."""
    return (part.partition(")")[0] for part in text.split("](")[1:] if not part.startswith("http"))


if __name__ == "__main__":
    write_pages()
