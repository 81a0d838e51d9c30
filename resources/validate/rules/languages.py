"""Language tags: well-formed after BCP 47, and the narrative's language that of its resource.

Source: http://hl7.org/fhir/R4/resource.html#language
"""

from __future__ import annotations

import re
from typing import Any

from resources.validate.rules.hooks import Run
from resources.validate.tags import problem_of

Json = dict[str, Any]

_LANG = re.compile(r"""\s(xml:lang|lang)\s*=\s*["']([^"']*)["']""")


def check_tag(run: Run, tag: str, path: str) -> None:
    """Say where a language is no language tag."""
    if problem_of(tag):
        run.say("language-malformed", path, tag=tag)


def check_narrative(run: Run, resource: Json, path: str) -> None:
    """Say where the narrative's div says another language than the resource does."""
    language, text = resource.get("language"), resource.get("text")
    div = text.get("div") if type(text) is dict else None
    if type(language) is not str or type(div) is not str:
        return
    for attribute, found in _LANG.findall(div[: div.find(">") + 1]):
        if found.lower() != language.lower():
            run.say(
                "language-disagrees", f"{path}.text.div", attribute=attribute, found=found, language=language
            )
