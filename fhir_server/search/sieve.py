"""Decoders that keep of a resource's JSON what a tree of element names names, and pass over the rest unread.

What such a tree says is made into msgspec structs once, so that most of a resource is never made into Python objects.
What does not fit them (an object where the tree ends, a number with a fraction) raises, and is sieved otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import GenericAlias
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Tree = dict[str, Any]
"""The elements that are kept; one without children is kept where it is a primitive."""

Frozen = tuple[tuple[str, Any], ...]

_PRIMITIVE = str | bool | int | None
_encode = msgspec.json.Encoder().encode


def sieve(tree: Tree) -> Callable[[bytes], bytes]:
    """Return what makes of a document its part that `tree` names, `meta` first; it raises msgspec.ValidationError."""
    decode = msgspec.json.Decoder(_form(_frozen(tree))).decode
    return lambda document: _encode(decode(document))


def _frozen(tree: Tree) -> Frozen:
    return tuple(
        (name, _frozen(tree[name])) for name in sorted(tree, key=lambda name: (name != "meta", name))
    )


@cache
def _form(tree: Frozen) -> Any:
    """Return the struct of an element with children."""
    fields = [(f"e{at}", _field(below) | UnsetType, UNSET) for at, (_, below) in enumerate(tree)]
    names = {f"e{at}": name for at, (name, _) in enumerate(tree)}
    return msgspec.defstruct("Sieved", fields, rename=names, gc=False)


def _field(below: Frozen) -> Any:
    """Return the type of an element's values: one or several."""
    one = _form(below) if below else _PRIMITIVE
    return one | GenericAlias(list, (one | None,)) | None
