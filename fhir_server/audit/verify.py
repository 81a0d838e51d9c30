"""Verify the trail: what was removed, altered or put in another order, and how far the signatures reach."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from psycopg import Connection

from fhir_server.audit.checkpoint import FIRST, Checkpoint, Head, is_signed, root
from fhir_server.audit.entry import Entry, chained, unpacked
from fhir_server.storage.rows import type_number

CHUNK = 5_000

_CHECKPOINTS = "SELECT n, at, heads, root, previous, key, signature FROM audit_checkpoint ORDER BY n"
_CHAINS = "SELECT id, genesis, signed, cut, cut_hash FROM audit_chain ORDER BY id"
_ENTRIES = """SELECT n, at, kind, interaction, status, agent, type, id, patients, record, hash FROM audit_entry
WHERE chain = %s AND n > %s ORDER BY n LIMIT %s"""
_STRAY = (
    "SELECT DISTINCT chain FROM audit_entry WHERE chain NOT IN (SELECT id FROM audit_chain) ORDER BY chain"
)


class Found(msgspec.Struct):
    """What verifying has found.

    Shape:  `problems` are texts for people, none where all is well; `unsigned` entries are not under a checkpoint yet;
            `cut` entries were let go by a retention rule
    """

    problems: list[str] = []
    entries: int = 0
    checkpoints: int = 0
    unsigned: int = 0
    cut: int = 0


class Chain(msgspec.Struct):
    """A chain, and what checkpoints say of it: hash by number of entry."""

    id: int
    genesis: bytes
    signed: int
    cut: int
    cut_hash: bytes | None
    heads: dict[int, bytes] = {}


def verify(
    conn: Connection[Any],
    trusted: Sequence[str],
    copies: Iterable[bytes] = (),
    told: Callable[[int], None] = lambda _done: None,
) -> Found:
    """Return what is wrong with the trail.

    Shape:  `trusted` are the public keys whose signatures count; `copies` the lines that the signer wrote elsewhere;
            `told` hears the number of entries looked at
    """
    found = Found()
    chains = {row[0]: Chain(*row) for row in conn.execute(_CHAINS, binary=True)}
    roots = _checkpoints(conn, trusted, chains, found)
    _copies(copies, roots, found)
    for (stray,) in conn.execute(_STRAY).fetchall():
        found.problems.append(f"chain {stray}: its start was removed")
    retained: dict[str, str] = {}
    for chain in chains.values():
        _chain(conn, chain, found, retained, told)
    for chain in chains.values():
        _cut(chain, retained, found)
    return found


def _checkpoints(
    conn: Connection[Any], trusted: Sequence[str], chains: Mapping[int, Chain], found: Found
) -> dict[int, bytes]:
    """Return the roots by number, after each was held against its signature, its heads and the one before."""
    roots: dict[int, bytes] = {}
    previous, number = FIRST, 0
    for row in conn.execute(_CHECKPOINTS, binary=True):
        one = Checkpoint(*row)
        found.checkpoints += 1
        where = f"checkpoint {one.n}"
        if one.n != number + 1:
            found.problems.append(f"{where}: those between {number} and it were removed")
        elif one.previous != previous:
            found.problems.append(f"{where}: it does not follow the one before")
        if not is_signed(one, trusted):
            found.problems.append(f"{where}: its signature is not by a key of ours")
        previous, number, roots[one.n] = one.root, one.n, one.root
        try:
            heads = one.chains()
        except msgspec.DecodeError:
            heads = []
        if not heads or root(heads) != one.root:
            found.problems.append(f"{where}: its heads were altered")
        for head in heads:
            _noted(head, chains, where, found)
    return roots


def _noted(head: Head, chains: Mapping[int, Chain], where: str, found: Found) -> None:
    chain = chains.get(head.chain)
    if chain is None:
        found.problems.append(f"chain {head.chain}: it was removed ({where} knows {head.n} entries)")
    elif chain.genesis != head.genesis:
        found.problems.append(f"chain {head.chain}: its start was altered")
    else:
        chain.heads[head.n] = head.hash


def _copies(copies: Iterable[bytes], roots: Mapping[int, bytes], found: Found) -> None:
    for number, text in enumerate(copies, 1):
        try:
            said = msgspec.json.decode(text)
            n, top = int(said["n"]), base64.b64decode(said["root"])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            found.problems.append(f"line {number} of the copies is none")
            continue
        if n not in roots:
            found.problems.append(f"checkpoint {n}: it was removed (the copy knows it)")
        elif roots[n] != top:
            found.problems.append(f"checkpoint {n}: it is not the one of the copy")


def _chain(
    conn: Connection[Any], chain: Chain, found: Found, retained: dict[str, str], told: Callable[[int], None]
) -> None:
    """Hold a chain's entries against their hashes, their columns and the checkpoints."""
    last = chain.cut
    head = chain.cut_hash if chain.cut and chain.cut_hash else chain.genesis
    found.cut += chain.cut
    for row in _rows(conn, chain):
        n, record, kept = row[0], row[-2], row[-1]
        if n != last + 1:
            found.problems.append(f"chain {chain.id}: entries {last + 1} to {n - 1} were removed")
        elif kept != chained(head, record):
            found.problems.append(f"chain {chain.id}: entry {n} was altered, or others put before it")
        one = _entry(row, chain.id, found)
        if one is not None and one.kind == "retention":
            retained.update(one.detail)
        if chain.heads.get(n, kept) != kept:
            found.problems.append(f"chain {chain.id}: entry {n} is not the one that was signed")
        last, head = n, kept
        found.entries += 1
        if found.entries % CHUNK == 0:
            told(found.entries)
    told(found.entries)
    highest = max(chain.heads, default=0)
    if last < highest:
        found.problems.append(f"chain {chain.id}: entries {last + 1} to {highest} were removed from its end")
    found.unsigned += max(0, last - max(highest, chain.cut))


def _rows(conn: Connection[Any], chain: Chain) -> Iterator[Any]:
    after = chain.cut
    while rows := conn.execute(_ENTRIES, (chain.id, after, CHUNK), binary=True).fetchall():
        yield from rows
        after = rows[-1][0]


def _entry(row: Any, chain: int, found: Found) -> Entry | None:
    """Return the entry of a row, after its columns were compared with what is chained."""
    n, at, *columns, patients, record, _ = row
    try:
        one = unpacked(record)
    except msgspec.DecodeError:
        found.problems.append(f"chain {chain}: entry {n} cannot be read")
        return None
    type_ = type_number(one.type) if one.type else None
    said = [one.at, one.kind, one.interaction, one.status, one.agent, type_, one.id or None]
    if said != [at, *columns] or one.patients != tuple(patients or ()):
        found.problems.append(f"chain {chain}: the columns of entry {n} were altered")
    return one


def _cut(chain: Chain, retained: Mapping[str, str], found: Found) -> None:
    """Hold a cut against the entry that says who let the entries go."""
    if chain.cut and retained.get(str(chain.id)) != cut_text(chain.cut, chain.cut_hash or b""):
        found.problems.append(
            f"chain {chain.id}: no entry says that its first {chain.cut} entries were let go"
        )


def cut_text(n: int, hash_: bytes) -> str:
    """Return what the entry of a retention says of a chain: up to which entry, with which hash, it was cut."""
    return f"{n} {hash_.hex()}"
