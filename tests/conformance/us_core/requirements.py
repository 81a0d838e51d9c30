"""Each server SHALL of US Core 6.1.0 by its number: the tests that show it, or why none can.

The requirements themselves are in `../shared/testdata/requirements/us_core_6.1.0_requirements.csv`.
"""

from __future__ import annotations

from collections.abc import Iterable

SEARCHES, BEHAVIOUR, PROFILES = "test_searches.py::", "test_behaviour.py::", "test_profiles.py::"
ANSWERS, INTERACTIONS = "test_answers.py::", "test_interactions.py::"

CONTENT = (
    "what the data say is up to whoever writes them: a server without a source system of its own adds nothing"
)
CERTIFIED = "about organizations that seek certification; the test kit itself does not test it"
REFUSED = "shown elsewhere, for every path: tests/integration/auth, tests/integration/access, tests/security"
AUDITED = "shown elsewhere, for every interaction: tests/integration/audit"
TRANSPORT = (
    "shown elsewhere: tests/integration/test_tls.py; without TLS or a proxy other addresses are refused"
)
SMART = "shown elsewhere, launch by launch: tests/integration/auth and tests/conformance/smart"
VERSIONS = "about servers that offer several FHIR versions: this one offers R4 alone"
POLICY = "about the organization that runs the server"
NOT_NEEDED = "about servers that need a status in searches: this one does not, so nothing of this applies"
BOTH_SUPPORTED = (
    "about servers that do without PractitionerRole: this one has it, searches and profile included"
)


def _rows(first: int, last: int) -> Iterable[int]:
    return range(first, last + 1)


_SHOWN: tuple[tuple[tuple[int, ...], tuple[str, ...]], ...] = (
    ((1, 13, 74, 75, 87, 90, 91, 93, 94, 96, 97, 99, 105, 109, 111, 115, 587, 588),
     (BEHAVIOUR + "test_every_example_comes_back_as_it_was_sent",
      PROFILES + "test_the_examples_conform_to_their_profiles")),
    ((14, 16), (BEHAVIOUR + "test_the_statement_claims_and_names_everything",)),
    ((533, 534), (BEHAVIOUR + "test_nothing_that_shall_be_there_is_missing",)),
    ((15, 17),
     (BEHAVIOUR + "test_nothing_that_shall_be_there_is_missing",
      INTERACTIONS + "test_every_stated_interaction_is_there",
      ANSWERS + "test_a_search_finds_just_what_it_should",
      ANSWERS + "test_several_values_are_alternatives_and_repeats_narrow",
      ANSWERS + "test_a_time_span_is_asked_for_by_both_of_its_ends",
      ANSWERS + "test_references_are_followed_both_ways_as_stated")),
    ((18, 19, 20, 21), (PROFILES + "test_a_required_binding_takes_only_its_codes",)),
    ((23, 27, 42, 247, 397), (PROFILES + "test_an_extensible_binding_takes_text_and_other_codes",)),
    ((40, 41), (PROFILES + "test_a_mandatory_element_may_say_why_it_has_no_value",)),
    ((51, 52),
     (SEARCHES + "test_every_required_search_finds_its_examples",
      ANSWERS + "test_a_search_finds_just_what_it_should")),
    ((55, 58), (SEARCHES + "test_tokens_references_and_dates_are_taken_in_every_form",)),
    ((61, 62),
     (SEARCHES + "test_tokens_references_and_dates_are_taken_in_every_form",
      ANSWERS + "test_dates_are_compared_as_they_should")),
    (tuple(_rows(206, 213)), (BEHAVIOUR + "test_common_notes_are_stored_and_found_by_their_type",)),
    ((365,), (BEHAVIOUR + "test_common_notes_are_stored_and_found_by_their_type",)),
    ((*_rows(214, 216), 360), (BEHAVIOUR + "test_reports_are_found_by_their_category",)),
    ((223, 224, 231, 269, 273), (BEHAVIOUR + "test_every_example_comes_back_as_it_was_sent",)),
    ((325, 326, 368),
     (BEHAVIOUR + "test_every_example_comes_back_as_it_was_sent",
      INTERACTIONS + "test_either_way_that_a_profile_allows_is_kept")),
    ((234, 235, 238, 239), (BEHAVIOUR + "test_categories_are_discovered_by_their_element",)),
    ((236, 237, 240, 241), (INTERACTIONS + "test_kinds_of_notes_are_discovered_by_their_element",)),
    ((250, 402),
     (SEARCHES + "test_medications_come_with_their_requests",
      ANSWERS + "test_references_are_followed_both_ways_as_stated")),
    ((220, 221), (INTERACTIONS + "test_a_scan_is_reached_by_its_report_and_by_its_document",)),
    ((313, 342, 343, 375, 379, 387, 401, 408, 439, 455),
     (INTERACTIONS + "test_either_way_that_a_profile_allows_is_kept",)),
    ((252, 253, 254, 256, 418), (SEARCHES + "test_all_and_active_medications_are_found",)),
    ((302, 303), (PROFILES + "test_clinical_status_goes_with_verification",)),
    ((356, 357), (PROFILES + "test_a_report_that_is_out_has_its_times",)),
    ((425, 427, 450, 451), (PROFILES + "test_a_pressure_without_a_value_says_why",)),
    (tuple(_rows(489, 507)), (SEARCHES + "test_provenance_comes_with_every_type_that_asks_for_it",)),
    ((535, 540),
     (SEARCHES + "test_every_required_search_finds_its_examples",
      INTERACTIONS + "test_every_stated_interaction_is_there",
      INTERACTIONS + "test_what_is_read_in_xml_is_what_is_stored",
      BEHAVIOUR + "test_every_example_comes_back_as_it_was_sent")),
    ((536, 539), (BEHAVIOUR + "test_what_is_wrong_has_its_status_and_an_outcome",)),
)  # fmt: skip

_REASONS: tuple[tuple[tuple[int, ...], str], ...] = (
    ((11, 12, 84, 86, 391, 405), CERTIFIED),
    ((39, 43, 44, 45, 46, 47, 48, 49, 78), CONTENT),
    ((64, 66, 67, 68, 69, 73), NOT_NEEDED),
    ((266, 274, 306, 307, 330, 372, 373, 374, 390), CONTENT),
    ((432, 433, 434, 435, 436, 508, 511, 584), CONTENT),
    ((318, 319, 473), BOTH_SUPPORTED),
    ((537, 538, 543), REFUSED),
    ((562,), AUDITED),
    ((564, 568), TRANSPORT),
    ((570,), SMART),
    ((300,), VERSIONS),
    ((550, 558, 572), POLICY),
)

TESTS: dict[int, tuple[str, ...]] = {row: tests for rows, tests in _SHOWN for row in rows}
"""The tests that show a requirement, as `file::test` in this folder."""

REASONS: dict[int, str] = {row: reason for rows, reason in _REASONS for row in rows}
"""Why no test shows a requirement."""
