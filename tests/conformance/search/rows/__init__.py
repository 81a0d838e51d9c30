"""Resources made for the rows of the search page: what its examples speak of, and the edges of its ranges.

Their ids begin with `row-`. Source: http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from tests.conformance.search.rows.codes import TOKENS
from tests.conformance.search.rows.making import Json
from tests.conformance.search.rows.others import OTHERS
from tests.conformance.search.rows.references import REFERENCES
from tests.conformance.search.rows.terminology import TERMINOLOGY
from tests.conformance.search.rows.values import DATES, NUMBERS, QUANTITIES, STRINGS

ROWS: list[Json] = [*STRINGS, *NUMBERS, *DATES, *QUANTITIES, *TOKENS, *TERMINOLOGY, *REFERENCES, *OTHERS]
