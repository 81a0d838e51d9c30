"""Tests on the hashes in a resource's row: `tokens` under GIN, `posts` in postings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from fhir_server.search.sql import SEVERAL_KEYS, Ranges, Sql, Test, any_of, never, unweighed

MANY = 32
"""From so many hashes on, a row's are looked for among them, not each of them among the row's."""


def token_test(
    hashes: Iterable[int], postings: Iterable[tuple[int, int]], rank: int, needles: Collection[str]
) -> Test:
    """Return the test that rows with any of `hashes`, or a posting within any of the ranges, pass."""
    tokens = tuple(dict.fromkeys(hashes))
    ranges: Ranges = tuple(dict.fromkeys(postings))
    if not tokens and not ranges:
        return never()

    def where(sql: Sql, row: str) -> str:
        return unweighed(any_of(_token_clause(sql, row, tokens) + _posting_clauses(sql, row, ranges)))

    def rids(sql: Sql) -> str:
        found = []
        if tokens:
            found.append(f"SELECT t.rid FROM resource t WHERE t.tokens && {sql.bigs(tokens)}")
        if ranges:
            found.append(f"SELECT p.rid FROM posting p WHERE {any_of(_key_clauses(sql, 'p.h', ranges))}")
        return " UNION ALL ".join(found)

    only_tokens, only_posts = (tokens, ()) if not ranges else ((), ranges if not tokens else ())
    if only_posts and (len(only_posts) > 1 or only_posts[0][0] != only_posts[0][1]):
        rank = SEVERAL_KEYS
    return Test(where, rank, rids, only_tokens, only_posts, None, needles)


def _token_clause(sql: Sql, row: str, tokens: Sequence[int]) -> list[str]:
    """Return the condition on `tokens`, written so that it filters and never starts a scan of the GIN index."""
    if not tokens:
        return []
    if len(tokens) == 1:
        return [f"{sql.big(tokens[0])} = ANY({row}.tokens)"]
    if len(tokens) >= MANY:
        return [_one_of_many(f"{row}.tokens", sql.bigs(tokens))]
    return [f"{row}.tokens && {sql.bigs(tokens)}"]


def _one_of_many(column: str, listed: str) -> str:
    """Return the condition that an array of the row has an element among many, which are hashed once a statement.

    `IS TRUE` keeps the planner from joining, and thus from hashing them for each row.
    """
    return f"EXISTS (SELECT FROM unnest({column}) AS h WHERE (h IN (SELECT unnest({listed}))) IS TRUE)"


def _posting_clauses(sql: Sql, row: str, ranges: Ranges) -> list[str]:
    keys = [lo for lo, hi in ranges if lo == hi]
    clauses = []
    if len(keys) == 1:
        clauses.append(f"{sql.big(keys[0])} = ANY({row}.posts)")
    elif len(keys) >= MANY:
        clauses.append(_one_of_many(f"{row}.posts", sql.bigs(keys)))
    elif keys:
        clauses.append(f"({row}.posts && {sql.bigs(keys)})")
    spans = [(lo, hi) for lo, hi in ranges if lo != hi]
    if spans:
        within = any_of(_key_clauses(sql, "h", tuple(spans)))
        clauses.append(f"EXISTS (SELECT FROM unnest({row}.posts) AS h WHERE {within})")
    return clauses


def _key_clauses(sql: Sql, column: str, ranges: Ranges) -> list[str]:
    """Return the conditions that a posting key lies within one of `ranges`."""
    keys = [lo for lo, hi in ranges if lo == hi]
    clauses = [f"{column} BETWEEN {sql.big(lo)} AND {sql.big(hi)}" for lo, hi in ranges if lo != hi]
    if len(keys) == 1:
        clauses.append(f"{column} = {sql.big(keys[0])}")
    elif keys:
        clauses.append(f"{column} = ANY({sql.bigs(keys)})")
    return clauses
