"""Each publisher's format becomes concepts as R4's page on it says; broken lines are told and counted.

Source: http://hl7.org/fhir/R4/terminologies-systems.html
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from terminology.loaders.kinds import KINDS
from terminology.loaders.ndc import eleven
from terminology.loaders.release import Asked, LoadError, Problems, Release
from terminology.loaders.source import Source
from terminology.records import ConceptRecord
from tests.unit.terminology.loaders import invented

Files = dict[str, str]
Read = Callable[..., tuple[Release, dict[str, ConceptRecord], Problems]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return what reads files: the release, its concepts by code, the problems."""

    def run(
        kind: str, files: Files, asked: Asked | None = None, encoding: str = "utf-8"
    ) -> tuple[Release, dict[str, ConceptRecord], Problems]:
        problems = Problems()
        source = Source(invented.write(tmp_path / "files", files, encoding), problems)
        release = KINDS[kind](source, asked or Asked())
        found = {one.code: one for one in release.records()}
        return release, found, problems

    return run


def values(one: ConceptRecord, name: str) -> list[str]:
    """Return the values of a property."""
    return [p.value for p in one.properties if p.name == name]


def test_rxnorm_has_one_concept_for_each_cui_that_it_names_itself(read: Read) -> None:
    release, found, _ = read("rxnorm", invented.RXNORM, Asked("01012099"))
    assert (release.header.url, release.header.version, release.count) == (
        "http://www.nlm.nih.gov/research/umls/rxnorm",
        "01012099",
        3,
    )
    assert {code: one.display for code, one in found.items()} == {
        "10": "wonderol",
        "20": "wonderol 5 MG Oral Tablet",
        "30": "bygonin",
    }
    assert [d.value for d in found["10"].designations] == ["wonderolum"]


def test_rxnorm_filters_find_types_sources_attributes_and_relations(read: Read) -> None:
    release, found, _ = read("rxnorm", invented.RXNORM, Asked("01012099"))
    drug, ingredient = found["20"], found["10"]
    assert values(drug, "TTY") == ["SCD"]
    assert values(drug, "STY") == ["T200", "STY:Clinical Drug"]
    assert values(ingredient, "SAB") == ["RXNORM", "OTHER"]
    assert values(drug, "RXN_AVAILABLE_STRENGTH") == ["5 MG"]
    assert values(drug, "has_ingredient") == values(drug, "RO") == ["CUI:10"]
    assert values(ingredient, "tradename_of") == ["AUI:A5"]
    assert values(drug, "hidden") == []
    assert {"has_ingredient", "RO", "TTY"} <= {p.code for p in release.header.properties}


def test_suppressed_rxnorm_concepts_are_inactive(read: Read) -> None:
    _, found, _ = read("rxnorm", invented.RXNORM, Asked("01012099"))
    assert [one.active for one in found.values()] == [True, True, False]


def test_loinc_axes_are_found_by_text_and_by_part(read: Read) -> None:
    release, found, _ = read("loinc", invented.LOINC, Asked("9.99"))
    term = found["99001-1"]
    assert term.display == "Wonderol in Serum"
    assert term.definition == 'How much, "roughly",\nof it'
    assert values(term, "COMPONENT") == ["Wonderol", "LP99-1"]
    assert values(term, "copyright") == ["LOINC"]
    assert values(found["99002-9"], "copyright") == ["3rdParty"]
    assert release.header.copyright.startswith("This content LOINC")


def test_loinc_has_hierarchy_names_and_status(read: Read) -> None:
    _, found, _ = read("loinc", invented.LOINC, Asked("9.99"))
    assert found["99001-1"].parents == ("LP99-1",)
    assert found["LP99-1"].parents == ("LP98-3",)
    assert found["LP98-3"].display == "Drugs"
    assert {(d.language, d.value) for d in found["99001-1"].designations} == {
        ("en", "Wonderol SerPl"),
        ("de-DE", "Wonderol im Serum"),
    }
    assert not found["99002-9"].active
    assert found["99001-1"].active


def test_loinc_answer_lists_are_value_sets_in_their_order(read: Read) -> None:
    release, found, _ = read("loinc", invented.LOINC, Asked("9.99"))
    (valueset,) = release.resources()
    assert valueset["url"] == "http://loinc.org/vs/LL9-1"
    assert valueset["compose"]["include"][0]["concept"] == [
        {"code": "LA1-3", "display": "Sunny"},
        {"code": "LA2-1", "display": "Blue"},
    ]
    assert found["LA1-3"].display == "Sunny"
    assert "LL9-1" not in found


def test_snomed_display_is_the_preferred_synonym(read: Read) -> None:
    release, found, _ = read("snomed", invented.SNOMED)
    assert release.header.version == "http://snomed.info/sct/900000000000207008/version/20990101"
    assert found["200100005"].display == "Sore wing"
    assert found["100100005"].display == "Ailment (disorder)"
    assert {d.value for d in found["200100005"].designations} == {
        "Sore wing (disorder)",
        "Wing pain",
        "Sore wing",
    }


def test_snomed_relationships_are_parents_and_properties(read: Read) -> None:
    _, found, _ = read("snomed", invented.SNOMED)
    wing = found["200100005"]
    assert wing.parents == ("100100005",)
    assert values(wing, "363698007") == ["138875005"]
    assert values(wing, "refset") == ["777100005"]
    assert values(wing, "sufficientlyDefined") == ["true"]
    assert [found["300100005"].active, wing.active] == [False, True]


def test_snomed_maps_are_concept_maps_in_the_order_of_their_priority(read: Read) -> None:
    release, _, _ = read("snomed", invented.SNOMED)
    (found,) = release.resources()
    assert found["url"] == "http://snomed.info/sct?fhir_cm=447562003"
    assert found["group"] == [
        {
            "source": "http://snomed.info/sct",
            "target": "http://hl7.org/fhir/sid/icd-10",
            "element": [
                {
                    "code": "200100005",
                    "target": [
                        {"code": "Z99", "equivalence": "relatedto", "comment": "TRUE; ALWAYS Z99"},
                        {"equivalence": "unmatched", "comment": "OTHERWISE TRUE"},
                    ],
                }
            ],
        }
    ]


def test_icd10cm_joins_order_file_and_tabular_list(read: Read) -> None:
    release, found, _ = read("icd10cm", invented.ICD10CM)
    assert release.header.version == "2099"
    assert {code: one.parents for code, one in found.items()} == {
        "Chapter 22": (),
        "Z90-Z99": ("Chapter 22",),
        "Z99": ("Z90-Z99",),
        "Z99.0": ("Z99",),
        "Z99.1": ("Z99",),
        "Z99.1XXA": ("Z99.1",),
    }
    assert values(found["Z99.1XXA"], "billable") == ["true"]
    assert values(found["Z99"], "billable") == ["false"]
    assert found["Z99"].display == "Wonderful state, all kinds"
    assert found["Chapter 22"].abstract


def test_cvx_status_tells_what_is_inactive(read: Read) -> None:
    release, found, _ = read("cvx", invented.CVX)
    assert release.header.version == "20990528"
    assert [(one.display, one.active) for one in found.values()] == [
        ("vaccine against wonder", True),
        ("vaccine of old", False),
    ]


def test_ndc_packages_stand_below_their_products(read: Read) -> None:
    _, found, _ = read("ndc", invented.NDC, Asked("2099-01-01"), "cp1252")
    assert found["0999-1234"].display == "Wonder®"
    package = found["0999-1234-01"]
    assert package.parents == ("0999-1234",)
    assert values(package, "ndc11") == ["00999123401"]
    assert values(package, "ndc10") == ["0999123401"]


@pytest.mark.parametrize(
    ("code", "digits"),
    [
        ("0999-1234-01", "00999123401"),
        ("99999-123-01", "99999012301"),
        ("99999-1234-1", "99999123401"),
        ("9-9-9", None),
    ],
)
def test_eleven_digits_of_claims(code: str, digits: str | None) -> None:
    assert eleven(code) == digits


TERMS = "SnomedCT_Invented/Snapshot/Terminology"
CSV = (
    "code,display,parent,active,property:size:integer,designation:de\n"
    "a,First,,,1,Erstes\nb,Second,a|c,false,,\na,Twice,,,,\nd,Odd,,maybe,,\n"
)


def test_csv_columns_are_told_by_their_names(read: Read) -> None:
    release, found, problems = read("csv", {"mine.csv": CSV}, Asked("1", "http://example.org/mine"))
    assert (release.header.name, release.header.properties[0].kind) == ("mine", "integer")
    assert found["b"].parents == ("a", "c")
    assert not found["b"].active
    assert found["a"].designations[0].language == "de"
    assert [problem.line for problem in problems.first] == [4, 5]


@pytest.mark.parametrize(
    ("text", "url", "told"),
    [
        ("code,colour\na,red\n", "http://example.org/mine", "unknown column 'colour'"),
        ("display\nred\n", "http://example.org/mine", "no column 'code'"),
        ("code,designation:de,designation:de\na,b,c\n", "http://example.org/mine", "stands twice"),
        ("co\rde\n", "http://example.org/mine", "mine.csv is no CSV"),
        ("code\na\n", "no url", "'no url' is not a URI"),
        ("code\na\n", "", "give --url"),
    ],
)
def test_csv_that_cannot_be_understood_is_refused(read: Read, text: str, url: str, told: str) -> None:
    with pytest.raises(LoadError, match=told):
        read("csv", {"mine.csv": text}, Asked("1", url))


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("integer", ["0", "-7", "2147483647"], ["x", "1.0", "2147483648", "1_0", "٣", "9" * 5_000]),
        ("decimal", ["0.50", "-1e9", "7"], ["x", "NaN", "Infinity", "1_0", ".5", "1e999"]),
        ("boolean", ["true", "false"], ["yes", "True", "1"]),
        ("dateTime", ["2020", "2020-02-29T10:00:00Z"], ["2019-02-29", "x"]),
        ("code", ["a b"], ["a  b"]),
        ("string", ["a  b"], ["\x01"]),
    ],
)
def test_csv_properties_that_are_not_of_their_kind_are_told(
    read: Read, kind: str, right: list[str], wrong: list[str]
) -> None:
    lines = [f"c{place},{value}\n" for place, value in enumerate([*right, *wrong])]
    text = f"code,property:p:{kind}\n" + "".join(lines)
    _, found, problems = read("csv", {"mine.csv": text}, Asked("1", "http://example.org/mine"))
    assert [values(one, "p") for one in found.values()] == [[value] for value in right]
    assert [problem.line for problem in problems.first] == list(
        range(len(right) + 2, len(right) + len(wrong) + 2)
    )
    assert all(f"is no {kind}" in problem.text for problem in problems.first)


def test_a_code_system_that_is_not_valid_is_refused(read: Read) -> None:
    made = (
        '{"resourceType": "CodeSystem", "url": "http://example.org/mine", "status": "active", "content":'
        ' "complete", "concept": [{"code": "a", "property": [{"code": "p", "valueInteger": "x"}]}]}'
    )
    with pytest.raises(LoadError, match=r"CodeSystem\.concept\[0\]\.property\[0\]"):
        read("fhir", {"mine.json": made})


@pytest.mark.parametrize(
    ("kind", "files", "told"),
    [
        ("rxnorm", invented.RXNORM, ["rrf/RXNCONSO.RRF:7: 2 fields, not 18"]),
        ("loinc", invented.LOINC, ["Loinc_9.99/LoincTable/Loinc.csv:5: 2 fields, not 16"]),
        (
            "snomed",
            invented.SNOMED,
            [
                f"{TERMS}/sct2_Concept_Snapshot_INT_20990101.txt:6: the id is no number",
                f"{TERMS}/sct2_Description_Snapshot-en_INT_20990101.txt:8: no term or no concept",
            ],
        ),
        ("icd10cm", invented.ICD10CM, ["icd10cm-order-2099.txt:5: is no line of an order file"]),
        ("cvx", invented.CVX, ["cvx.txt:3: 2 fields, not 7"]),
        ("ndc", invented.NDC, ["package.txt:3: '0999-12' is no NDC of a package"]),
    ],
)
def test_broken_lines_are_told_with_file_and_line(
    read: Read, kind: str, files: Files, told: list[str]
) -> None:
    _, _, problems = read(kind, files, Asked("" if kind in ("snomed", "icd10cm") else "1"))
    assert [str(problem) for problem in problems.first] == told
    assert problems.count == len(told)


def test_strict_ends_at_the_first_broken_line(tmp_path: Path) -> None:
    source = Source(invented.write(tmp_path, invented.CVX), Problems(strict=True))
    with pytest.raises(LoadError, match=r"cvx\.txt:3"):
        KINDS["cvx"](source, Asked())


def test_an_archive_is_read_as_its_folder_is(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "release.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in invented.RXNORM.items():
            archive.writestr(name, text)
    packed = KINDS["rxnorm"](Source(path), Asked("1"))
    _, found, _ = read("rxnorm", invented.RXNORM, Asked("1"))
    assert {one.code: one for one in packed.records()} == found


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_folder_without_the_files_is_refused(read: Read, kind: str) -> None:
    with pytest.raises(LoadError):
        read(kind, {"readme.md": "nothing"}, Asked("1", "http://example.org"))


def test_each_reading_gives_the_same_order(read: Read) -> None:
    release, _, _ = read("snomed", invented.SNOMED)
    assert list(release.records()) == list(release.records())
