"""What a validation is asked to do beyond R4's base rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Policy = Literal["allow", "warn", "error"]


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one validation.

    Shape:  `profiles` are canonicals that the resource must conform to; `claims`: also those of its meta.profile;
            `references`: how far they are followed; `unknown_extensions`: what an extension that nobody here knows
            is (a modifier extension of that kind is always an error)
    """

    profiles: tuple[str, ...] = ()
    claims: bool = True
    best_practice: bool = False
    must_support: bool = False
    references: Literal["none", "type", "exists"] = "type"
    unknown_extensions: Policy = "warn"
