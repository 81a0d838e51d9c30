"""Regular expressions match in PostgreSQL what they match in Python, or are refused.

Source: http://hl7.org/fhir/R4/valueset-filter-operator.html
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator

import psycopg
import pytest
import regex

from terminology.patterns import PatternError, postgresql

TEXTS = (
    *("", "a", "aa", "aaa", "ab", "aXb", "a b", "a-b", "abc", "ABC", "A", "12", "7", "a1_-", "foo", "x" * 30),
    *(
        "a.b",
        "[",
        "]",
        "{",
        "}",
        "a{2}",
        "a|b",
        "\\",
        "^",
        "$",
        "(",
        ")",
        "a]",
        "b-",
        "Heart rate",
        "heart",
        "1-8",
    ),
)
KNOWN = (
    *(
        r"\d+",
        r"(?<=a)b",
        r"a(?=b)b",
        r"(?!b).*",
        r"(?i)abc",
        r"(?:ab|a)",
        r"[^]]",
        r"[]a]+",
        r"a{1,2}?",
        r"(a)\1",
    ),
    *(
        r"(a+)+$",
        r"(x+x+)+y",
        r"\bfoo\b",
        r"\w+\s\S+",
        r".*?b",
        r"a{",
        r"a{2}",
        r"a\{2\}",
        r"}",
        r"\x41",
        r"a\u0062",
    ),
    *(
        r"[\w-]+",
        r"[^\d]+",
        r"abc|",
        r"\Aa\Z",
        r"[0-9]+\-[0-9]",
        r"[\]\[]",
        r"\[",
        r"[a\-b]+",
        r"[\\^]",
        r"a||b",
        r"\.",
    ),
)
REFUSED = (
    *(
        r"\p{L}+",
        r"a*+b",
        r"(?P<n>a)(?P=n)",
        "a{9999}",
        "[a-z-[aeiou]]",
        r"[\W]",
        r"(?>a)b",
        r"(?s)a",
        r"\h",
        r"\10",
    ),
)
PIECES = (
    *(
        "a",
        "b",
        "-",
        "[ab]",
        "[^a]",
        r"\d",
        r"\w",
        ".",
        "(",
        ")",
        "(?:",
        "|",
        "*",
        "+",
        "?",
        "{1,2}",
        "{2}",
        "^",
        "$",
    ),
    *(r"\b", r"\.", "[", "]", "{", "}", r"\]", "(?i)", r"[\w.]", "1", " ", r"\\"),
)


@pytest.fixture(scope="module")
def conn(database_url: str) -> Iterator[psycopg.Connection[tuple[bool]]]:
    """Yield a connection."""
    with psycopg.connect(database_url, autocommit=True) as one:
        yield one


def found(conn: psycopg.Connection[tuple[bool]], pattern: str) -> list[str]:
    """Return the texts that PostgreSQL matches."""
    rows = conn.execute(
        "SELECT t FROM unnest(%s::text[]) AS t WHERE t ~ %s", (list(TEXTS), postgresql(pattern))
    )
    return [str(text) for (text,) in rows.fetchall()]


def expected(pattern: str) -> list[str] | None:
    """Return the texts that Python matches, None where the pattern is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = regex.compile(pattern)
    except regex.error:
        return None
    return [text for text in TEXTS if compiled.fullmatch(text)]


@pytest.mark.parametrize("pattern", KNOWN)
def test_a_pattern_matches_the_same_texts(conn: psycopg.Connection[tuple[bool]], pattern: str) -> None:
    assert found(conn, pattern) == expected(pattern)


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_postgresql_lacks_is_refused(pattern: str) -> None:
    assert regex.compile(pattern) if pattern != r"\10" else True
    with pytest.raises(PatternError):
        postgresql(pattern)


def test_patterns_made_at_random_match_the_same_texts_or_are_refused(
    conn: psycopg.Connection[tuple[bool]],
) -> None:
    compared = 0
    for seed in range(3_000):
        made = random.Random(seed)
        pattern = "".join(made.choice(PIECES) for _ in range(made.randint(1, 6)))
        wanted = expected(pattern)
        if wanted is None:
            continue
        try:
            assert found(conn, pattern) == wanted, pattern
        except PatternError:
            continue
        compared += 1
    assert compared > 1_000
