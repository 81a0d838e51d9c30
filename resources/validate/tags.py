"""Language tags: whether a text is well-formed after BCP 47.

Source: https://www.rfc-editor.org/rfc/rfc5646#section-2.1
"""

from __future__ import annotations

import re
from functools import lru_cache

_IRREGULAR = re.compile(
    "en-gb-oed|i-(?:ami|bnn|default|enochian|hak|klingon|lux|mingo|navajo|pwn|tao|tay|tsu)"
    "|sgn-(?:be-fr|be-nl|ch-de)"
)
_TAG = re.compile(
    r"(?:(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})"
    r"(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
    r"(?P<extensions>(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*)(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+)"
)


@lru_cache(1024)
def problem_of(tag: str) -> str:
    """Return why `tag` is no language tag, empty where it is one."""
    lowered = tag.lower()
    if _IRREGULAR.fullmatch(lowered):
        return ""
    found = _TAG.fullmatch(lowered)
    if found is None:
        return f"'{tag[:100]}' is not a language tag of BCP 47"
    for part, kind in (
        (found["variants"] or "", "variant"),
        (_singletons(found["extensions"] or ""), "extension"),
    ):
        subtags = part.split("-")[1:]
        if len(subtags) != len(set(subtags)):
            return f"'{tag[:100]}' repeats a {kind}"
    return ""


def _singletons(extensions: str) -> str:
    return "".join(f"-{part}" for part in extensions.split("-") if len(part) == 1)
